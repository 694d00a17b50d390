"""What clients do only to make work: each kind ends the connection and is counted, floods ban their address for a moment, memory
stays bounded, and others are served meanwhile. Each attack has an address of its own, so that tests do not ban each other."""
import contextlib
import itertools
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

from harness import people
from harness.client import Client
from harness.flood import (CALM, CONTINUATION, DATA, END_STREAM, FLOODS, GONE, HEADERS, LOGIN, PING, Attacker, Flood, frame, head,
                           is_welcome, literal, request, resets)
from harness.load import Load
from harness.measure import counters_of, held_by
from harness.realtime import Socket
from harness.wait import kill, pid_lives, wait_until

CHILDREN, LARGE = '/api/v1/children', '/api/v1/openapi.json'
PROXY = '127.0.1.200'
MOST_OF_ADDRESS, MEMORY_OF_ADDRESS = 60, 4 << 20
sources = (f'127.0.2.{number}' for number in itertools.count(1))


@pytest.fixture(scope='module')
def own(start_system):
    return start_system(settings={
        'listen': {'trusted_proxies': [PROXY]},
        'http': {'header_timeout': '1s', 'send_timeout': '1s', 'idle_timeout': '2s', 'max_connections_address': MOST_OF_ADDRESS},
        'abuse': {'ban': '1s', 'ban_most': '1s', 'bad_requests': 50, 'connections': 300, 'memory_address': '4M'}})


@pytest.fixture(scope='module')
def token(own):
    return people.demo(own, 'parent').token


@pytest.fixture
def honest(own, token):
    """Somebody else is served all the while, and not late."""
    with Load(own, token, {'read': lambda client: client.get(CHILDREN)}, pause=0.01) as load:
        load.goes_on(3)
        yield load
        load.goes_on(3)
    assert not load.failures, load.failures[:3]
    assert load.slowest < 5


def counted(own, name):
    return counters_of(own, 'frontend')[name]


def moved(own, name, before, timeout=30):
    wait_until(lambda: counted(own, name) > before, timeout, f'{name} to count')


# --- floods of frames ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('tls', [False, True])
@pytest.mark.parametrize('name', FLOODS)
def test_floods(own, honest, name, tls):
    """The connection ends, its address is banned, for all frontends, and for a moment."""
    source, counter = next(sources), f'rejected_{name.split()[0]}'
    before = counters_of(own, 'frontend')
    with Attacker(own, source, tls) as attacker:
        try:
            attacker.send(FLOODS[name](tls))
            assert attacker.end() in (CALM, None)  # None: the goodbye was lost, for we were still sending
        except GONE:
            pass
        moved(own, counter, before[counter])
        banned = [is_welcome(own, source, tls) for _ in range(3)]
    after = counters_of(own, 'frontend')
    assert after['bans'] > before['bans']
    if not any(banned):
        assert after['rejected_banned'] > before['rejected_banned']
    if name == 'rapid_reset':
        wait_until(lambda: is_welcome(own, source, tls), 20, 'the end of the ban')


def test_a_flood_below_the_limit_of_each_connection(own, honest):
    """Connection after connection, none of which resets too much: the address does."""
    source, before = next(sources), counted(own, 'bans')
    with pytest.raises(GONE):
        for _ in range(40):
            with Attacker(own, source) as attacker:
                attacker.send(resets(False, count=100) + request(999, head()))
                assert attacker.socket.recv(9)
    assert counted(own, 'bans') > before


def test_many_addresses_reset(own, honest):
    """Each is told off after few requests, and comes back after its ban: what they make us do is bounded all the same."""
    before = counters_of(own, 'frontend')
    with Flood(own, [f'127.0.3.{number}' for number in range(1, 33)], resets(False, CHILDREN, 300)) as flood:
        wait_until(lambda: counted(own, 'rejected_banned') - before['rejected_banned'] > 100, 60, 'refusals')
        honest.goes_on(20)
    after = counters_of(own, 'frontend')
    told = after['rejected_rapid_reset'] - before['rejected_rapid_reset']
    assert told >= 32 and flood.refused > told
    assert (after['requests'] - before['requests']) / max(told, 1) < 1000, 'an attacker gets through too much before it is told off'
    wait_until(lambda: counted(own, 'pending') == 0, 30, 'no request waiting any more')


def test_a_trusted_proxy_is_not_banned(own):
    """It speaks for many."""
    before = counted(own, 'bans')
    with Attacker(own, PROXY) as proxy:
        proxy.send(frame(PING, 0, 0, b'12345678') * 1000 + request(1, head()))
        assert proxy.socket.recv(9)
    assert is_welcome(own, PROXY) and counted(own, 'bans') == before


@pytest.mark.parametrize('tls', [False, True])
def test_honest_clients_are_never_told_off(own, token, tls):
    """32 connections with 50 streams each, as fast as they can."""
    before = counters_of(own, 'frontend')
    port = own.https_port if tls else own.http_port
    said = subprocess.run(['h2load', '-c', '32', '-m', '50', '-n', '6000', '-H', f'authorization: Bearer {token}',
                           f'{"https" if tls else "http"}://127.0.0.1:{port}{CHILDREN}'],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    assert '6000 done' in said and ' 0 errored' in said, said
    after = counters_of(own, 'frontend')
    assert {name for name in after if after[name] != before[name] and (name.startswith('rejected_') or name == 'bans')} == set()


# --- headers ------------------------------------------------------------------------------------------------------------------

def bomb():
    """4 KB into the decoder's table, then that field as often as a frame can name it (RFC 7541, 7.3)."""
    field = b'\x40\x01x\x7f' + bytes([(3900 - 127) % 128 + 128, (3900 - 127) // 128]) + b'a' * 3900
    return request(1, head() + field) + request(3, head() + b'\xbe' * 16000)


def long_head():
    return frame(HEADERS, END_STREAM, 1, head()) + frame(CONTINUATION, 0, 1, literal(b'x', b'a' * 16000)) * 6


@pytest.mark.parametrize('make', [bomb, long_head])
def test_header_bombs(own, honest, make):
    source, before = next(sources), counted(own, 'rejected_header_bomb')
    with Attacker(own, source) as attacker:
        attacker.send(make())
        assert attacker.end() == CALM
    assert counted(own, 'rejected_header_bomb') == before + 1


def test_slow_headers(own, honest):
    """Before TLS, within its handshake, over HTTP/1.1 byte after byte, and over HTTP/2 without an end."""
    source, before = next(sources), counted(own, 'rejected_slow_header')
    silent = Attacker(own, source, tls=True, handshake=False)
    greeting = Attacker(own, source, tls=True, handshake=False).send(b'\x16\x03\x01\x02\x00\x01\x00')
    dripping = Attacker(own, source, http1=True)
    secure = Attacker(own, source, tls=True, http1=True).send(b'GET / HTTP/1.1\r\nX: ')
    endless = Attacker(own, source).send(frame(HEADERS, END_STREAM, 1, b'\x82'))
    began = time.monotonic()
    while counted(own, 'rejected_slow_header') < before + 5:
        assert time.monotonic() - began < 30
        for one in (dripping, secure):
            try:
                one.send(b'G' if one is dripping else b'x')
            except GONE:
                pass
    for attacker in (silent, greeting, dripping, secure, endless):
        attacker.end()
        attacker.close()


@pytest.mark.parametrize('http1', [False, True])
def test_slow_bodies(own, honest, http1):
    source, before, deadline = next(sources), counted(own, 'rejected_slow_body'), time.monotonic() + 30
    with Attacker(own, source, http1=http1) as attacker:
        attacker.send(b'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{' if http1
                      else request(1, head(LOGIN, 'POST'), end=False))
        while counted(own, 'rejected_slow_body') == before:
            try:
                attacker.send(b' ' if http1 else frame(DATA, 0, 1, b' '))
            except GONE:
                time.sleep(0.05)
            assert time.monotonic() < deadline


# --- what is held -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('http1', [False, True])
def test_slow_readers(own, honest, http1):
    """Answers wait for a window that never opens, of HTTP/2 or of TCP."""
    source, before = next(sources), counted(own, 'rejected_slow_reader')
    with Attacker(own, source, http1=http1, settings=struct.pack('>HI', 4, 0), receive_buffer=4096) as attacker:
        attacker.send(f'GET {LARGE} HTTP/1.1\r\nHost: x\r\n\r\n'.encode() * 90 if http1 else request(1, head(LARGE)))
        moved(own, 'rejected_slow_reader', before)


def test_bodies_that_never_end(own, honest):
    """Many, and large: more than an address may have us hold."""
    source, before = next(sources), counted(own, 'rejected_memory')
    megabyte = b''.join(frame(DATA, 0, 0, b' ' * 16384) for _ in range(60))
    with Attacker(own, source) as attacker:
        try:
            for stream in range(1, 200, 2):
                attacker.send(request(stream, head(LOGIN, 'POST'), end=False))
                attacker.send(megabyte.replace(frame(DATA, 0, 0, b' ' * 16384)[:9], frame(DATA, 0, stream, b' ' * 16384)[:9]))
        except GONE:
            pass
        moved(own, 'rejected_memory', before)
        attacker.end()
    wait_until(lambda: counted(own, 'held_bytes') <= 1 << 20, 20, 'their memory back')
    assert is_welcome(own, source), 'it is a strike, no ban'


def test_answers_that_nobody_reads(own, honest):
    source, before = next(sources), counted(own, 'rejected_memory')
    with Attacker(own, source, settings=struct.pack('>HI', 4, 0)) as one, Attacker(own, source, settings=struct.pack('>HI', 4, 0)) as two:
        for attacker in (one, two):
            try:
                attacker.send(b''.join(request(stream, head(LARGE)) for stream in range(1, 199, 2)))
            except GONE:
                pass
        moved(own, 'rejected_memory', before)
    wait_until(lambda: counted(own, 'held_bytes') <= 1 << 20, 20, 'their memory back')


def answered(own, path):
    """A request, and how many bytes answer it."""
    asked = f'GET {path} HTTP/1.1\r\nHost: x\r\n\r\n'.encode()
    with Attacker(own, next(sources), http1=True) as attacker:
        said = attacker.send(asked[:-2] + b'Connection: close\r\n\r\n').rest()
    return asked, len(said) + len('keep-alive') - len('close')


class Deaf:
    """A client that reads nothing of many small answers; with small segments and a small window the queue to it is full soon."""

    def __init__(self, own):
        self.own = own
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
        self.socket.settimeout(30)
        self.socket.bind((next(sources), 0))
        self.socket.connect(('127.0.0.1', own.http_port))

    def taken(self):
        """Bytes of answers that the kernel has taken; None: the server has ended the connection."""
        ends = f':{self.own.http_port:04X}', f':{self.socket.getsockname()[1]:04X}'
        with open('/proc/net/tcp', encoding='ascii') as file:
            rows = {(row[1][8:], row[2][8:]): row for row in map(str.split, file)}
        if ends not in rows or rows[ends][3] != '01':
            return None
        return int(rows[ends][4].partition(':')[0], 16) + int(rows[ends[::-1]][4].partition(':')[2], 16)

    def has(self, size):
        wait_until(lambda: self.taken() == size, 5, f'{size} bytes to wait for their reader')

    def room(self, asked, size):
        """So many bytes the kernel takes in all."""
        count, some = 0, 40  # as many requests as are no abuse
        while True:
            self.socket.sendall(asked * some)
            count += some
            try:
                wait_until(lambda: self.taken() == count * size, 1)
            except AssertionError:
                took = self.taken()
                assert took is not None and took < count * size, 'the server has ended it before, or took more'
                return took

    def close(self):
        self.socket.close()


def test_an_upgrade_whose_answer_nobody_reads(own, honest, token):
    """The answer 101 is what does not fit into the queue any more. Who has read it may be silent."""
    idle, upgrade = Socket(own, token), '\r\n'.join([
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1', 'Host: x', 'Upgrade: websocket', 'Connection: Upgrade',
        'Sec-WebSocket-Version: 13', f'Sec-WebSocket-Key: {"A" * 22}==', '', '']).encode()
    (one, one_size), (other, other_size) = answered(own, '/healthz'), answered(own, '/socket.io/?EIO=3&transport=polling')

    def filled(client, room):
        others = next(count for count in range(40) if 30 < (room - count * other_size) % one_size < 90)
        ones = (room - others * other_size) // one_size
        client.behind = ones * one_size + others * other_size
        for begin in range(0, ones, 40):
            client.socket.sendall(one * min(40, ones - begin))
            client.has(min(begin + 40, ones) * one_size)
        client.socket.sendall(other * others + upgrade)
        client.has(room)

    def stuck():
        for _ in range(5):
            with contextlib.suppress(AssertionError, OSError):  # the kernel takes more or less than the last time
                first, client = Deaf(own), Deaf(own)
                room = first.room(one, one_size)
                first.close()
                filled(client, room)
                return client
        raise AssertionError('no answer 101 that did not fit')

    client, before = stuck(), counted(own, 'rejected_slow_reader')
    wait_until(lambda: client.taken() is None, 20, 'the server to end it')
    assert counted(own, 'rejected_slow_reader') == before + 1
    said = b''
    while part := client.socket.recv(65536):
        said += part
    assert said[client.behind:].startswith(b'HTTP/1.1 101') and b'\r\n\r\n' not in said[client.behind:]
    assert idle.ask('join_notification_room', {'userId': people.demo(own, 'parent').id})['success']
    idle.close()


def test_pipelines(own, honest):
    """HTTP/1.1 requests by the hundred at once."""
    source, before = next(sources), counted(own, 'rejected_pipeline')
    with Attacker(own, source, http1=True) as attacker:
        attacker.send(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' * 100)
        said = b''
        while said.count(b'HTTP/1.1 200 ') < 100:
            said += attacker.socket.recv(65536)
        attacker.send(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' * 1000)
        assert attacker.rest().count(b'HTTP/1.1 200 ') == 101
    assert counted(own, 'rejected_pipeline') == before + 1


# --- connections --------------------------------------------------------------------------------------------------------------

def is_open(connection):
    try:
        connection.setblocking(False)
        return connection.recv(1) != b''
    except BlockingIOError:
        return True
    except OSError:
        return False


def knock(own, source):
    """A connection, that may have been cut already: its reset can come before connect() returns."""
    connection = socket.socket()
    connection.bind((source, 0))
    with contextlib.suppress(ConnectionError):
        connection.connect(('127.0.0.1', own.http_port))
    return connection


def crowd_of(own, source, wanted):
    """Opens connections until so many of them live."""
    living = []
    deadline = time.monotonic() + 30
    while len(living) < wanted:
        assert time.monotonic() < deadline, f'{len(living)} connections live, {wanted} should'
        for _ in range(wanted - len(living)):
            living.append(knock(own, source))
        time.sleep(0.05)
        living = [connection for connection in living if is_open(connection)]
    return living


def test_connections_of_an_address(own, honest):
    """As many as it may have at all frontends together; what a killed frontend counted counts no longer."""
    source, before = next(sources), counted(own, 'rejected_connections')
    living = crowd_of(own, source, MOST_OF_ADDRESS)
    with pytest.raises(AssertionError):
        assert is_welcome(own, source)
    assert counted(own, 'rejected_connections') > before
    for connection in living[:10]:
        connection.close()
    wait_until(lambda: is_welcome(own, source), 20, 'room for one more')
    for connection in living:
        connection.close()


def test_a_killed_frontend_counts_no_longer(own):
    source = next(sources)
    living = crowd_of(own, source, MOST_OF_ADDRESS)
    victim = own.pids('frontend')[0]
    kill(victim)
    wait_until(lambda: sum(map(is_open, living)) < MOST_OF_ADDRESS, 10, 'the end of its connections')
    own.wait_ready()
    left = [connection for connection in living if is_open(connection)]
    assert 0 < len(left) < MOST_OF_ADDRESS
    more = crowd_of(own, source, MOST_OF_ADDRESS - len(left))
    assert not is_welcome(own, source), 'and now it has as many as it may, no more'
    for connection in left + more:
        connection.close()


def test_new_connections_of_an_address(own, honest):
    source, before = next(sources), counted(own, 'rejected_connection_rate')
    for _ in range(400):
        knock(own, source).close()
    moved(own, 'rejected_connection_rate', before)


# --- the library's own faults -------------------------------------------------------------------------------------------------

def test_a_continuation_while_it_stops(own):
    """Libh2o 2.2.5 would read it again and again, and never stop."""
    own.wait_ready()
    victims = own.pids('frontend')
    attackers = [Attacker(own, next(sources)).send(request(1, head()) + frame(HEADERS, END_STREAM, 3, b'\x82')) for _ in range(8)]
    for attacker in attackers:
        assert attacker.socket.recv(9)
    os.kill(victims[0], signal.SIGTERM)
    began = time.monotonic()
    while pid_lives(victims[0]):
        assert time.monotonic() - began < 30, 'it does not stop'
        for attacker in attackers:
            try:
                attacker.send(frame(CONTINUATION, 0, 3, b'\x86'))
            except GONE:
                pass
        time.sleep(0.2)
    assert time.monotonic() - began < 8
    for attacker in attackers:
        attacker.close()
    own.wait_ready()


@pytest.mark.long
@pytest.mark.parametrize('tls', [False, True])
def test_all_at_once_for_long(own, honest, tls):
    """Half a minute of each flood from several addresses: the frontends' memory stays where it was."""
    before = {pid: held_by(pid).rss for pid in own.pids('frontend')}
    for number, name in enumerate(FLOODS):
        with Flood(own, [f'127.0.{10 + number}.{part}' for part in range(1, 9)], FLOODS[name](tls), tls):
            until = time.monotonic() + 3
            while time.monotonic() < until:
                honest.goes_on(5)
    assert set(own.pids('frontend')) == set(before), 'a frontend died'
    for pid, rss in before.items():
        assert held_by(pid).rss < rss + (300 << 10), 'kB'
    assert Client(own).get('/healthz').status == 200
