"""Engine.IO and Socket.IO as their protocols say: the echoes of tools/run --conformance, which are on top of the same sessions,
transports and parsers as the realtime API. The public test suites of both run as well, where there is a network to fetch them; each
thing that they ask for is asked here too."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import shutil
import socket as tcp
import subprocess
import threading
import time

import pytest

from harness import system as systems
from harness.measure import counters_of
from harness.realtime import BINARY, CLOSE, PING, SUITES, TEXT, Ended, Engine, Polling, Refused, Socket, suite_home
from harness.system import ROOT
from harness.wait import wait_until

ECHO = '/engine.io/'
NORMAL, BROKEN_RULE, NO_TEXT, TOO_LONG = 1000, 1002, 1007, 1009  # codes of RFC 6455, 7.4.1


@pytest.fixture(scope='module')
def echo(start_system):
    return start_system(conformance=True, demo=False)


def counter(system, name):
    return counters_of(system, 'frontend')[name]


# --- the public suites -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('protocol', SUITES)
def test_public_suite(echo, protocol, tmp_path):
    home = suite_home(protocol)
    if home is None:
        pytest.skip(f'the test suite of {protocol}-protocol cannot be fetched here')
    shutil.copytree(home, tmp_path, dirs_exist_ok=True, symlinks=True)
    suite = tmp_path / 'test-suite.js'
    text = suite.read_text(encoding='utf-8')
    suite.write_text(text.replace('localhost:3000', f'127.0.0.1:{echo.http_port}'), encoding='utf-8')
    # Three tries, for the suites trust in times of 5 ms, and listen for one message only after the one before; a fault fails always.
    done = subprocess.run(['npx', 'mocha', '--retries', '2', 'test-suite.js'], cwd=tmp_path, timeout=120, capture_output=True, text=True,
                          check=False)
    passing = re.search(r'(\d+) passing', done.stdout)
    assert done.returncode == 0 and passing, done.stdout + done.stderr
    assert int(passing.group(1)) == len(re.findall(r'^ *it\(', text, re.MULTILINE)) > 20


def test_run_says_where_they_are(echo):
    """With databases of its own, whatever others stand in the environment."""
    said = echo.start(DATABASE_URL='postgresql://nobody@127.0.0.1:1/none', REDIS_URL='redis://127.0.0.1:1/0')
    for path in ('/engine.io/', '/socket.io/'):
        assert f'http://127.0.0.1:{echo.http_port}{path}' in said
    assert {row['service'] for row in echo.instances()} == {'broker', 'frontend'}


@pytest.mark.parametrize('arguments, why', [
    (['--conformance'], 'needs a port'), (['--conformance', '70000'], 'needs a port'), (['--conformance', '0x10'], 'needs a port'),
    (['--conformance', '3000', '--config', 'h2o-conf/development.yaml'], 'a configuration of its own')])
def test_run_refuses(echo, arguments, why):
    with pytest.raises(systems.Refused, match=why):
        echo.run_tool(os.path.join(ROOT, 'tools', 'run'), '--detach', '--no-build', *arguments)


def test_run_leaves_another_system_alone(system):
    with pytest.raises(systems.Refused, match='another system runs'):
        system.run_tool(os.path.join(ROOT, 'tools', 'run'), '--detach', '--no-build', '--conformance', '3000', AIPOTEN_DEMO_USERS='0')


# --- handshake ---------------------------------------------------------------------------------------------------------------

def test_handshake(echo):
    opened = Engine(echo, path=ECHO).opened
    assert set(opened) == {'sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload'}
    assert (opened['upgrades'], opened['pingInterval'], opened['pingTimeout'], opened['maxPayload']) == ([], 300, 200, 1000000)
    assert Polling(echo, ECHO).opened['upgrades'] == ['websocket']


@pytest.mark.parametrize('method, query, code', [
    ('GET', 'transport=polling', 5), ('GET', 'EIO=3&transport=polling', 5), ('GET', 'EIO=4', 0), ('GET', 'EIO=4&transport=smoke', 0),
    ('POST', 'EIO=4&transport=polling', 2), ('PUT', 'EIO=4&transport=polling', 2), ('GET', 'EIO=4&transport=polling&sid=x', 1),
    ('GET', 'EIO=4&EIO=4&transport=polling', 3), ('GET', 'EIO=4&transport=websocket', 3), ('GET', 'EIO=4&transport=polling&sid=%ff', 3),
    ('GET', 'EIO=4&transport=polling&sid=' + 'a' * 3000, 3)])
def test_bad_handshake(echo, method, query, code):
    assert ask(echo, method, query)[::2] == (400, code)


def ask(echo, method, query, headers=None):
    """Status, headers and Engine.IO's number of the error."""
    connection = http.client.HTTPConnection('127.0.0.1', echo.http_port, timeout=20)
    connection.request(method, f'{ECHO}?{query}', headers=headers or {})
    response = connection.getresponse()
    code = json.loads(response.read())['code'] if response.status == 400 else None
    connection.close()
    return response.status, response.headers, code


UPGRADE = {'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Key': 'A' * 22 + '==', 'Sec-WebSocket-Version': '13'}


@pytest.mark.parametrize('method, name, value', [
    ('GET', 'Sec-WebSocket-Version', '8'), ('GET', 'Sec-WebSocket-Version', '14'), ('GET', 'Sec-WebSocket-Version', ''),
    ('GET', 'Sec-WebSocket-Version', None), ('GET', 'Sec-WebSocket-Key', None), ('GET', 'Sec-WebSocket-Key', ''),
    ('GET', 'Sec-WebSocket-Key', 'A' * 21), ('GET', 'Sec-WebSocket-Key', 'A' * 200), ('GET', 'Upgrade', None), ('GET', 'Upgrade', 'h2c'),
    ('POST', 'Upgrade', 'websocket'), ('PUT', 'Upgrade', 'websocket')])
def test_bad_websocket_handshake(echo, method, name, value):
    headers = {**UPGRADE, name: value}
    assert ask(echo, method, 'EIO=4&transport=websocket', {name: value for name, value in headers.items() if value is not None})[0] == 400


def test_no_extension_is_taken(echo):
    status, headers, _ = ask(echo, 'GET', 'EIO=4&transport=websocket', {**UPGRADE, 'Sec-WebSocket-Extensions': 'permessage-deflate',
                                                                       'Sec-WebSocket-Protocol': 'chat'})
    assert status == 101 and not [name for name in headers if name.lower() in ('sec-websocket-extensions', 'sec-websocket-protocol')]


def test_sessions_belong_to_their_path(echo):
    sid = Polling(echo, ECHO).sid
    other = Polling(echo)
    other.sid = sid
    assert other.get() == other.post('4x') == (400, '{"code":1,"message":"Session ID unknown"}')
    with pytest.raises(Refused) as refused:
        Engine(echo, sid=sid)
    assert refused.value.status == 400


@pytest.mark.parametrize('origin, good', [('http://localhost', True), ('https://evil.example.com', False), ('null', False), (None, True)])
def test_origin(echo, origin, good):
    headers = [f'Origin: {origin}'] if origin else []
    try:
        Engine(echo, path=ECHO, headers=headers).close()
        assert good
    except Refused as refused:
        assert not good and refused.status == 403


def goes_well_once(attempt):
    """An attempt that a busy machine may be too slow for, with 200 ms to answer a ping; a server that is wrong is always wrong."""
    wait_until(attempt, 30, attempt.__name__)


# --- messages ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('size', [0, 1, 125, 126, 65535, 65536, 900000])
@pytest.mark.parametrize('kind', [str, bytes])
def test_echo_sizes(echo, size, kind):
    message = '4' + 'a' * size if kind is str else b'\x00' * size

    def echoes():
        socket = Engine(echo, path=ECHO)
        try:
            socket.send(message)
            return socket.next() == message
        except Ended:
            return False
        finally:
            socket.close()

    goes_well_once(echoes)


def test_echo_over_tls(echo):
    socket = Engine(echo, path=ECHO, tls=True)
    for message in ('4hello', b'\x01\x02', '4' + 'x' * 200000):
        socket.send(message)
        assert socket.next() == message
    socket.close()


def test_fragments_and_controls(echo):
    """A message in pieces, a ping between them."""
    socket = Engine(echo, path=ECHO)
    socket.frame('4he', TEXT, final=False)
    socket.frame(b'are you there', PING)
    socket.frame('llo', 0)
    assert socket.receive_frame() == (10, b'are you there')
    assert socket.next() == '4hello'
    socket.frame(b'\x03\xe8', CLOSE)
    socket.wait_end()
    assert socket.code == 1000


@pytest.mark.parametrize('piece', [bytes([0x00, 0x81]) + bytes(4) + b'x', bytes([0x00, 0x80]) + bytes(4), bytes([0x8a, 0x80]) + bytes(4)],
                         ids=['of a byte', 'empty', 'pongs between'])
def test_a_message_in_too_many_pieces(echo, piece):
    """Each piece costs memory of its own, and none of them is a message that is counted."""
    before = counter(echo, 'realtime_floods')
    socket = Engine(echo, path=ECHO)
    socket.frame('4', TEXT, final=False)
    socket.raw(piece * 900)
    socket.frame('!', 0)
    answer = socket.next()
    assert answer[0] == '4' and answer[-1] == '!'
    socket.frame('4', TEXT, final=False)
    with pytest.raises(Ended):
        socket.raw(piece * 1100)
        socket.wait_end()
        raise Ended
    wait_until(lambda: counter(echo, 'realtime_floods') == before + 1, 10, 'it was counted')


def test_polls(echo):
    polling = Polling(echo, ECHO)
    assert polling.post('4hello\x1ebAQIDBA==\x1e4안녕'.encode()) == (200, 'ok')
    assert polling.get() == (200, '4hello\x1ebAQIDBA==\x1e4안녕')


def test_a_poll_waits(echo):
    polling = Polling(echo, ECHO)
    got = []
    thread = threading.Thread(target=lambda: got.append(polling.get()))
    thread.start()
    polling.post('4later')
    thread.join()
    assert got == [(200, '4later')]


def test_upgrade_keeps_what_waits(echo):
    polling = Polling(echo, ECHO)
    socket = Engine(echo, sid=polling.sid, path=ECHO)
    socket.send('2probe')
    assert socket.receive() == '3probe'
    polling.post('4first')
    socket.send('5')
    assert socket.next() == '4first'
    socket.send('4second')
    assert socket.next() == '4second'
    assert polling.get()[0] == 400
    socket.close()


def test_a_second_upgrade_changes_nothing(echo):
    polling = Polling(echo, ECHO)
    socket, other = Engine(echo, sid=polling.sid, path=ECHO), None
    socket.send('2probe')
    assert socket.receive() == '3probe'
    other = Engine(echo, sid=polling.sid, path=ECHO)
    assert other.cut_off() == NORMAL and other.heard == []  # at once: who waits too long is told no code
    socket.send('5')
    socket.send('4hello')
    assert socket.next() == '4hello'
    socket.close()


def test_an_upgrade_that_is_given_up(echo):
    polling = Polling(echo, ECHO)
    socket = Engine(echo, sid=polling.sid, path=ECHO)
    socket.send('2probe')
    assert socket.receive() == '3probe'
    socket.close()
    polling.post('4still here')
    wait_until(lambda: polling.get() == (200, '4still here'), 20)


def test_made_up_sessions_are_in_nobody_s_way(system):
    """WebSockets from one address, as many as all that may wait to take sessions over, that say nothing: their sessions would be at the
    other frontend, and are not."""
    generations = [row['generation'] for row in system.instances('frontend')]
    with pytest.raises(Refused):
        Engine(system, sid=f'{max(generations) + 1000:016x}' + '0' * 32)
    held, before = [], counter(system, 'realtime_probes_refused')
    try:
        for number in range(1200):  # half of them reach the owner, who knows better; 256 at each were all
            with contextlib.suppress(Refused):
                held.append(Engine(system, sid=f'{generations[number % 2]:016x}' + '0' * 32))
        for _ in range(8):
            socket = Engine(system, sid=Polling(system).sid, source='127.0.4.1')
            socket.send('2probe')
            assert socket.receive() == '3probe'
            socket.close()
    finally:
        for socket in held:
            socket.close()
    assert counter(system, 'realtime_probes_refused') > before


def asked_before(echo, path):
    """A request, and how many bytes answer it."""
    request = f'GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode()
    with tcp.create_connection(('127.0.0.1', echo.http_port), 20) as connection:
        connection.sendall(request[:-2] + b'Connection: close\r\n\r\n')
        return request, len(read_all(connection)) + len('keep-alive') - len('close')


def read_all(connection):
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b''.join(parts)


def deaf(echo):
    """A connection whose client reads nothing: with small segments and windows the server's buffer is full soon."""
    connection = tcp.socket()
    connection.setsockopt(tcp.SOL_SOCKET, tcp.SO_RCVBUF, 2048)
    connection.setsockopt(tcp.IPPROTO_TCP, tcp.TCP_MAXSEG, 1000)
    connection.settimeout(20)
    connection.connect(('127.0.0.1', echo.http_port))
    return connection


def probe_of(sid):
    lines = [f'GET {ECHO}?EIO=4&transport=websocket&sid={sid} HTTP/1.1', 'Host: localhost', *map(': '.join, UPGRADE.items()), '', '']
    return '\r\n'.join(lines).encode()


def test_a_probe_that_ends_before_its_answer_is_written(echo):
    """Its session's silence ends it, and then its client reads. Where the server's buffer is full nobody knows: a coarse look finds
    out, a fine one has some whose answer is what does not fit."""
    (many, many_size), (few, few_size) = asked_before(echo, '/nothing'), asked_before(echo, f'{ECHO}?EIO=3&transport=polling')
    before = echo.pids('frontend')

    def said(mixes):
        """What follows the answer 101 of each, behind so many other answers; None: the probe came too late."""
        connections = [deaf(echo) for _ in mixes]
        for connection in connections:
            connection.sendall(many * 60)
        time.sleep(1)  # a hundred at once are too many
        for connection, (count, rest) in zip(connections, mixes):
            connection.sendall(many * count + few * rest + probe_of(Polling(echo, ECHO).sid))
        time.sleep(3.5)  # 500 ms of silence, 2 s for a goodbye
        answers = [read_all(connection).partition(b'HTTP/1.1 101')[2] for connection in connections]
        for connection in connections:
            connection.close()
        return [answer.partition(b'\r\n\r\n')[2] if answer else None for answer in answers]

    parts = []

    def an_answer_did_not_fit():
        coarse = said([(count, 0) for count in range(0, 90, 2)])
        full = 2 * many_size * max((i + 1 for i, part in enumerate(coarse) if part is not None), default=0)
        fine = said([(count, rest) for count in range(90) for rest in range(20)
                     if count + rest < 90 and full - 3 * many_size < count * many_size + rest * few_size < full])
        parts.extend(part for part in coarse + fine if part is not None)
        return b'' in parts

    wait_until(an_answer_did_not_fit, 90, 'an answer that does not fit')
    assert {part[:1] for part in parts if part} <= {b'\x88'}, 'a goodbye at most'
    assert echo.pids('frontend') == before


# --- bad frames --------------------------------------------------------------------------------------------------------------

def length_of(count, size):
    """The head of a masked text frame that writes its length in so many bytes."""
    return bytes([0x81, 0x80 | (126 if size == 2 else 127)]) + count.to_bytes(size, 'big') + bytes(4)


BAD_FRAMES = {
    'unmasked': (BROKEN_RULE, lambda s: s.frame('4x', mask=False)),
    **{f'reserved bit {bit}': (BROKEN_RULE, lambda s, bit=bit: s.frame('4x', reserved=bit)) for bit in (1, 2, 4)},
    **{f'opcode {code}': (BROKEN_RULE, lambda s, code=code: s.frame('4x', opcode=code)) for code in (3, 7, 11, 15)},
    'broken UTF-8': (NO_TEXT, lambda s: s.frame(b'4\xff\xfe')),
    'surrogate': (NO_TEXT, lambda s: s.frame(b'4\xed\xa0\x80')),
    'overlong': (NO_TEXT, lambda s: s.frame(b'4\xc0\xaf')),
    'half a character': (NO_TEXT, lambda s: s.frame(b'4\xec\x95')),
    'half a character in pieces': (NO_TEXT, lambda s: (s.frame(b'4\xec', TEXT, final=False), s.frame(b'\x95', 0))),
    'fragmented ping': (BROKEN_RULE, lambda s: s.frame(b'', PING, final=False)),
    'fragmented close': (BROKEN_RULE, lambda s: s.frame(b'\x03\xe8', CLOSE, final=False)),
    'long ping': (BROKEN_RULE, lambda s: s.frame(b'x' * 126, PING)),
    'continuation of nothing': (BROKEN_RULE, lambda s: s.frame('x', 0)),
    'message inside a message': (BROKEN_RULE, lambda s: (s.frame('4a', TEXT, final=False), s.frame('4b', TEXT))),
    'short length in two bytes': (BROKEN_RULE, lambda s: s.raw(length_of(2, 2) + b'4x')),
    'short length in eight bytes': (BROKEN_RULE, lambda s: s.raw(length_of(2, 8) + b'4x')),
    'oversized': (TOO_LONG, lambda s: s.raw(b'\x81\xff' + (2000000).to_bytes(8, 'big') + b'abcd' + b'x' * 2000)),
    'endless': (BROKEN_RULE, lambda s: s.raw(b'\x81\xff' + b'\xff' * 8 + b'abcd')),
    'oversized in pieces': (TOO_LONG, lambda s: [s.frame(b'x' * 60000, BINARY if i == 0 else 0, final=False) for i in range(20)]),
    'close of one byte': (None, lambda s: s.frame(b'\x03', CLOSE)),
    'close without a reason that may be given': (BROKEN_RULE, lambda s: s.frame(b'\x03\xed', CLOSE)),
    'close with broken UTF-8': (NO_TEXT, lambda s: s.frame(b'\x03\xe8\xff', CLOSE)),
    'no packet': (NORMAL, lambda s: s.frame('abc')),
    'empty packet': (NORMAL, lambda s: s.frame('')),
    'HTTP': (BROKEN_RULE, lambda s: s.raw(b'GET / HTTP/1.1\r\n\r\n')),
}


@pytest.mark.parametrize('what', BAD_FRAMES)
def test_bad_frames_end_the_session(echo, what):
    code, send = BAD_FRAMES[what]
    socket = Engine(echo, path=ECHO)
    with contextlib.suppress(Ended):
        send(socket)
    assert socket.cut_off() == code
    assert socket.heard == []


def test_text_is_cut_anywhere(echo):
    """Also in the middle of a character."""
    socket = Engine(echo, path=ECHO)
    word = '4안녕'.encode()
    for i, byte in enumerate(word):
        socket.frame(bytes([byte]), TEXT if i == 0 else 0, final=i == len(word) - 1)
    assert socket.next() == '4안녕'
    socket.close()


@pytest.mark.parametrize('body', [b'abc', b'', b'\x1e', b'4a\x1e', b'4a\x1eabc', b'bAQ', b'b!!!!', b'b====', b'9', b'4\xff', b'4a\x1e4\xec\x95',
                                  b'4\x00', b'4' * 1000001])
def test_bad_polls_end_the_session(echo, body):
    polling = Polling(echo, ECHO)
    assert polling.post(body)[0] == 400
    assert polling.get() == (400, '{"code":1,"message":"Session ID unknown"}')


BAD_PACKETS = {
    'no type': ['abc'], 'unknown type': ['7'], 'no array': ['2{}'], 'a number for a name': ['2[1]'], 'a name of the library': ['2["connect"]'],
    'no number': ['2abc["a"]'], 'a number without end': ['2' + '9' * 400 + '["a"]'], 'too many attachments': ['599-["a"]'],
    'broken JSON with an attachment': ['51-["a"', b'1'], 'said by servers only': ['4{}'], 'words at the end': ['1{}'],
    'broken JSON': ['2["a"'], 'JSON that is very deep': ['2' + '[' * 50000], 'NUL in JSON': ['2["\\u0000"]'],
    'an answer to nothing': ['3[1]'], 'a binary answer to nothing': ['61-[{"_placeholder":true,"num":0}]', b'1'],
    'a place that is not there': ['51-["a",{"_placeholder":true,"num":5}]', b'1'],
    'a place without attachments': ['2["message",{"_placeholder":true,"num":0}]'],
    'text among attachments': ['52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b'1', '2["message"]'],
    'attachments beyond the bound': ['52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b'1' * 600000, b'1' * 600000],
    'an attachment of nothing': [b'what'], 'connected again': ['0'], 'connected with a list': ['0/custom,[]'], 'a long namespace': ['0/' + 'a' * 1000],
    'connected too often': ['0/x,'] * 100,
}


def send_all(socket, packets):
    with contextlib.suppress(Ended):
        for packet in packets:
            socket.send('4' + packet if isinstance(packet, str) else packet)


@pytest.mark.parametrize('what', BAD_PACKETS)
def test_bad_packets_end_the_session(echo, what):
    socket = Socket(echo)
    assert socket.connected and socket.event() == ['auth', {}]
    send_all(socket, BAD_PACKETS[what])
    assert socket.cut_off() == NORMAL
    assert [word for word in socket.heard if not word.startswith('44/x,')] == []


@pytest.mark.parametrize('packet', ['2["message",1]', '1', '31[]', 'abc', '51-["message",{"_placeholder":true,"num":0}]'])
def test_before_it_is_connected_nothing_else_is_said(echo, packet):
    socket = Engine(echo)
    send_all(socket, [packet, b'1'])
    assert socket.cut_off() == NORMAL and socket.heard == []


@pytest.mark.parametrize('packet', ['4abc', '42["message"', '4'])
def test_bad_packets_in_polls_end_the_session(echo, packet):
    polling = Polling(echo)
    polling.post('40')
    polling.post(packet)
    assert polling.post('3')[0] == 400


def test_what_was_bad_is_counted(echo):
    before = counter(echo, 'realtime_bad')
    frame, packet, poll = Engine(echo, path=ECHO), Socket(echo), Polling(echo, ECHO)
    frame.frame('4x', mask=False)
    packet.send('4abc')
    poll.post('abc')
    frame.cut_off()
    packet.cut_off()
    wait_until(lambda: counter(echo, 'realtime_bad') == before + 3, 20)


# --- Socket.IO ---------------------------------------------------------------------------------------------------------------

def test_namespaces(echo):
    socket = Socket(echo, auth={'token': '123'})
    assert socket.event() == ['auth', {'token': '123'}]
    socket.send('40/custom,{"a":1}')
    assert socket.next().startswith('40/custom,{"sid":')
    assert socket.next() == '42/custom,["auth",{"a":1}]'
    socket.send('40/nowhere')
    assert socket.next() == '44/nowhere,{"message":"Invalid namespace"}'
    socket.send('41/custom')
    socket.send('42/custom,["message",1]')  # nobody is there any more
    socket.send('42["message",2]')
    assert socket.next() == '42["message-back",2]'
    socket.close()


def test_acknowledgements_and_attachments(echo):
    socket = Socket(echo)
    socket.event()
    socket.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert socket.next() == '43456[1,"2",{"3":[false]}]'
    socket.send('452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
    socket.send(b'\x01\x02')
    socket.send(b'')
    assert socket.next() == '462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
    assert (socket.next(), socket.next()) == (b'\x01\x02', b'')
    socket.close()


# --- silence, and goodbyes -----------------------------------------------------------------------------------------------------

def test_heartbeats(echo):
    def beats():
        socket = Engine(echo, path=ECHO)
        try:
            for _ in range(4):
                if socket.receive() != '2':
                    return False
                socket.send('3')
        except Ended:
            return False
        return socket.wait_end() == ['2']  # nobody answers that one

    def beats_in_polls():
        polling = Polling(echo, ECHO)
        return all(polling.get() == (200, '2') and polling.post('3') == (200, 'ok') for _ in range(4)) and (
            [polling.get() for _ in range(3)] == [(200, '2'), (200, '1'), (400, '{"code":1,"message":"Session ID unknown"}')])

    goes_well_once(beats)
    goes_well_once(beats_in_polls)


def test_who_says_nothing_is_closed(echo):
    def told_goodbye():
        socket = Engine(echo)  # which answers pings, but never says who it is
        return socket.cut_off() == NORMAL and socket.heard == ['1']

    before = counter(echo, 'realtime_timeouts')
    assert Engine(echo, path=ECHO).wait_end() == ['2']
    polling = Polling(echo, ECHO)
    wait_until(lambda: counter(echo, 'realtime_timeouts') >= before + 2, 20)
    assert polling.get()[0] == 400
    goes_well_once(told_goodbye)


def together(*calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_goodbyes(echo):
    def while_a_poll_waits():
        polling = Polling(echo, ECHO)
        return together(polling.get, lambda: polling.post('1')) == [(200, '6'), (200, 'ok')] and polling.get()[0] == 400

    goes_well_once(while_a_poll_waits)
    socket = Engine(echo, path=ECHO)
    socket.send('1')
    assert socket.cut_off() == NORMAL and socket.heard == []


def test_two_polls_at_a_time_end_the_session(echo):
    def both():
        polling = Polling(echo, ECHO)
        answers = sorted(together(polling.get, polling.get))
        return answers[0] == (200, '1') and answers[1][0] == 400 and polling.get()[0] == 400

    goes_well_once(both)


def test_who_upgrades_gets_the_waiting_poll_back(echo):
    def released():
        polling = Polling(echo, ECHO)
        socket = Engine(echo, sid=polling.sid, path=ECHO)
        socket.send('2probe')
        good = socket.receive() == '3probe' and polling.get() == (200, '6')
        socket.close()
        return good

    goes_well_once(released)


def test_all_sessions_are_let_go(echo):
    wait_until(lambda: counter(echo, 'realtime_sessions') == 0, 20)
