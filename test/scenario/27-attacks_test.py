"""What an attacker would try, each tried once: another's tokens by a guessed key, a password by its digest in a table, a token
that comes back to life, a request hidden in another one's body."""
import hashlib
import re
import socket
import time
import uuid

import h2.config
import h2.connection
import h2.events
import pytest

from harness import people
from harness.client import Client
from harness.h2 import H2Client

AUTH = '/api/v1/auth'
ME = '/api/v1/users/me'


# --- the record of calls ----------------------------------------------------------------------------------------------------------

def browser(system):
    """Somebody whose refresh token is in a cookie, and the headers of a refresh."""
    body = people.registration()
    Client(system).post(f'{AUTH}/register', body).expect(201)
    login = Client(system).post(f'{AUTH}/login', {'email': body['email'], 'password': body['password'], 'token_delivery': 'cookie'})
    here = f'127.0.0.1:{system.http_port}'
    return {'cookie': login.expect(200).header('set-cookie').split(';')[0], 'origin': f'https://{here}', 'host': here,
            'x-csrf-token': login.data['csrf_token']}


def test_a_stranger_with_the_same_key_gets_nothing(system):
    """A refresh by cookie has no body, so that key and body are the same for everybody."""
    mine, theirs, key = browser(system), browser(system), {'idempotency-key': f'refresh-{uuid.uuid4()}'}
    first = Client(system).post(f'{AUTH}/refresh', headers={**mine, **key}).expect(200)
    Client(system).post(f'{AUTH}/refresh', headers=key).expect(401, 'UNAUTHENTICATED')
    for absent in ('x-csrf-token', 'origin'):
        Client(system).post(f'{AUTH}/refresh', headers={**mine, **key, absent: None}).expect(403)
    other = people.newcomer(system)
    other.client.post(f'{AUTH}/refresh', headers=key).expect(401)
    assert Client(system).post(f'{AUTH}/refresh', headers={**theirs, **key}).expect(200).body != first.body
    again = Client(system).post(f'{AUTH}/refresh', headers={**mine, **key}).expect(200)
    assert again.body == first.body and again.header('set-cookie') == first.header('set-cookie'), 'but its owner may ask again'


def packed(body):
    """msgpack of a flat object of texts, as the frontend makes it."""
    def text(value):
        value = value.encode()
        return bytes([0xA0 + len(value)] if len(value) < 32 else [0xD9, len(value)]) + value
    return bytes([0x80 + len(body)]) + b''.join(text(key) + text(value) for key, value in body.items())


@pytest.mark.parametrize('key', [None, 'login-1'])
def test_no_digest_of_a_password_is_kept(system, database, key):
    """Whoever reads the tables could try words against a plain digest, a billion times faster than against bcrypt's."""
    person = people.newcomer(system)
    body = {'email': person.email, 'password': person.password}
    Client(system).post(f'{AUTH}/login', body, headers={'idempotency-key': key}).expect(200)
    table = 'keyed_calls' if key else 'calls'
    known = [hashlib.sha256(data).digest() for data in
             (packed(body), b'0:%d:' % len(packed(body)) + packed(body), packed(body)[1:], person.password.encode())]
    rows = database.rows(f"SELECT body_hash FROM accounts.{table} WHERE operation = 'auth.login'")
    assert rows and all(digest not in bytes(row['body_hash']) for row in rows for digest in known)
    Client(system).post(f'{AUTH}/login', {**body, 'password': 'another one'}, headers={'idempotency-key': key}) \
        .expect(422 if key else 401)


# --- passwords ----------------------------------------------------------------------------------------------------------------------

def test_a_stolen_token_does_not_guess_the_password(start_system):
    """The change of a password tells whether the old one was right, as a login does, and is counted like one."""
    own = start_system(settings={'rate': {'api_per_minute': 1000, 'login_per_minute': 3}}, environment={'AIPOTEN_RATE_LIMITS': 'on'},
                       demo=False)
    person = people.newcomer(own)
    tries = [person.client.patch(ME, {'current_password': f'guess {number}', 'new_password': 'my own now 1'}) for number in range(6)]
    assert [answer.status for answer in tries] == [401] * 3 + [429] * 3
    assert int(tries[-1].header('retry-after')) > 0
    person.client.patch(ME, {'name': '다른이름'}).expect(200)


# --- revoked tokens -----------------------------------------------------------------------------------------------------------------

def test_a_revoked_token_stays_revoked_until_it_expires(start_system):
    """Its expiry is in whole seconds, rounded up, so it outlives its lifetime by up to one."""
    own = start_system(settings={'auth': {'access_lifetime': '5s'}}, demo=False)
    body = people.registration()
    Client(own).post(f'{AUTH}/register', body).expect(201)
    time.sleep(1.05 - time.time() % 1)  # early in a second: the most that is rounded
    person = people.log_in(own, body['email'], body['password'])
    person.client.post(f'{AUTH}/logout').expect(200)
    until = time.time() + 8
    while time.time() < until:
        person.client.get(ME).expect(401)


# --- requests inside of requests ------------------------------------------------------------------------------------------------------

def send(system, data):
    """Statuses of all that is answered until the server closes, or is silent for a second."""
    with socket.create_connection(('127.0.0.1', system.http_port), timeout=1) as raw:
        raw.sendall(data)
        said = b''
        try:
            while part := raw.recv(65536):
                said += part
            closed = True
        except TimeoutError:
            closed = False
    return [int(status) for status in re.findall(rb'HTTP/1\.1 (\d+) ', said)], closed


LOGOUT = b'POST /api/v1/auth/logout HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
HIDDEN = b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
CHUNKED = b'2\r\n{}\r\n0\r\n\r\n'


SPACES = b'4000\r\n' + b' ' * 0x4000 + b'\r\n2\r\n{}\r\n0\r\n\r\n'

UNCLEAR = {
    'the same length twice': (b'Content-Length: 2\r\nContent-Length: 2\r\n', b'{}'),
    'two lengths': (b'Content-Length: 2\r\nContent-Length: 39\r\n', b'{}'),
    'two lengths, the greater first': (b'Content-Length: 36\r\nContent-Length: 2\r\n', b'{}'),
    'length and chunks': (b'Content-Length: 7\r\nTransfer-Encoding: chunked\r\n', CHUNKED),
    'chunks and length': (b'Transfer-Encoding: chunked\r\ncontent-length: 7\r\n', CHUNKED),
    'long chunks and length': (b'Transfer-Encoding: chunked\r\nContent-Length: 7\r\n', SPACES),
    'two encodings': (b'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', CHUNKED),
    'a folded line': (b'Content-Length: 2\r\nX-Folded: a\r\n Transfer-Encoding: chunked\r\n', b'{}'),
    'two hosts': (b'Host: y\r\nContent-Length: 2\r\n', b'{}'),
}
CLEAR = {
    'length': (b'Content-Length: 2\r\n', b'{}'),
    'chunks': (b'Transfer-Encoding: chunked\r\n', CHUNKED),
    'long chunks': (b'Transfer-Encoding: chunked\r\n', SPACES),
    'fields in the body': (b'Content-Length: 24\r\n', b'{}\r\nHost: y\r\nHost: z\r\n\r\n'),
    'other names': (b'X-Content-Length: 5\r\nContent-Lengths: 5\r\nContent-Length: 2\r\n', b'{}'),
}


@pytest.mark.parametrize('name', UNCLEAR)
def test_an_unclear_end_is_refused(system, name):
    head, body = UNCLEAR[name]
    statuses, closed = send(system, LOGOUT + head + b'\r\n' + body + HIDDEN)
    assert statuses == [400] and closed


@pytest.mark.parametrize('name', CLEAR)
def test_a_clear_end_is_not(system, name):
    head, body = CLEAR[name]
    statuses, closed = send(system, b'\r\n' + LOGOUT + head + b'\r\n' + body + HIDDEN)
    assert statuses[0] in (400, 401) and statuses[1:] == [200] and not closed


# --- behind a trusted proxy -------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def behind(start_system):
    """This machine is a proxy that is trusted."""
    return start_system(settings={'listen': {'trusted_proxies': ['127.0.0.1']}, 'rate': {'api_per_minute': 20}},
                        environment={'AIPOTEN_RATE_LIMITS': 'on'}, demo=False)


def upgraded(system, addresses):
    """What is left of the rate, to each request of a connection that a proxy let upgrade to h2c."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding='utf-8'))
    settings, left, said = connection.initiate_upgrade_connection(), {}, b''
    with socket.create_connection(('127.0.0.1', system.http_port), timeout=20) as raw:

        def take(data):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    left[event.stream_id] = int(dict(event.headers)['ratelimit-remaining'])
            raw.sendall(connection.data_to_send())

        raw.sendall(b'GET /nothing HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\nUpgrade: h2c\r\n'
                    b'Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: ' + settings + b'\r\n\r\n')
        while b'\r\n\r\n' not in said:
            said += raw.recv(65536)
        head, rest = said.split(b'\r\n\r\n', 1)
        assert head.startswith(b'HTTP/1.1 101 ')
        take(rest)
        for address in addresses:
            stream = connection.get_next_available_stream_id()
            connection.send_headers(stream, [(':method', 'GET'), (':scheme', 'http'), (':authority', 'x'), (':path', '/nothing'),
                                             ('x-forwarded-for', address)], end_stream=True)
            raw.sendall(connection.data_to_send())
            while stream not in left:
                take(raw.recv(65536))
    return list(left.values())


def test_nobody_speaks_with_the_proxys_word(behind):
    """Through a proxy that forwards an upgrade, what follows is the client's own: any X-Forwarded-For, unseen by the proxy."""
    left = upgraded(behind, [f'198.51.100.{number}' for number in range(1, 6)])
    assert left == sorted(left, reverse=True) and len(set(left)) == 6
    fresh = Client(behind, headers={'x-forwarded-for': '198.51.100.1'}).get('/nothing')
    assert fresh.header('ratelimit-remaining') == '19', 'the proxy itself is believed'


def post_with_trailer(system, path, headers, trailer, tls=False):
    with H2Client(system, tls=tls) as client:
        stream = client.connection.get_next_available_stream_id()
        client.streams[stream] = {'method': 'POST', 'path': path, 'headers': [], 'body': b'', 'done': False, 'reset': None}
        client.connection.send_headers(stream, [
            (':method', 'POST'), (':scheme', client.scheme), (':authority', client.authority), (':path', path), *headers])
        client.connection.send_data(stream, b'{}')
        client.connection.send_headers(stream, [trailer], end_stream=True)
        client.flush()
        answer = client.wait(stream)
        client.get('/healthz').expect(200)  # what the trailer taught the decoder of header fields is kept
        return answer


def test_a_trailer_is_no_header(system, behind):
    """A proxy that speaks HTTP/2 to us passes trailers on unread."""
    address, json = ('x-forwarded-for', '203.0.113.77'), ('content-type', 'application/json')
    left = [int(post_with_trailer(behind, '/nothing', [address], ('x-forwarded-for', f'192.0.2.{number}'))
                .header('ratelimit-remaining')) for number in range(5)]
    assert left == [19, 18, 17, 16, 15]
    person = people.newcomer(system)
    for tls in (False, True):
        post_with_trailer(system, f'{AUTH}/logout', [json], ('authorization', f'Bearer {person.token}'), tls).expect(401)
    person.client.get(ME).expect(200)
