"""Rate limits, and whom they count: an address (an IPv6 /64), an account, never what anybody claims who is no trusted proxy."""
import socket
import uuid

import pytest

from harness import people
from harness.client import Client
from harness.h2 import H2Client
from harness.realtime import Socket

LOGIN, CHILDREN, NOTHING = '/api/v1/auth/login', '/api/v1/children', '/nothing'
LIMITS = {'api_per_minute': 20, 'login_per_minute': 3}


@pytest.fixture(scope='module')
def own(start_system):
    """Trusts this machine as a proxy, so that each test can be somebody else."""
    return start_system(settings={'rate': LIMITS, 'listen': {'trusted_proxies': ['127.0.0.1']}},
                        environment={'AIPOTEN_RATE_LIMITS': 'on'})


@pytest.fixture(scope='module')
def alone(start_system):
    return start_system(settings={'rate': LIMITS}, environment={'AIPOTEN_RATE_LIMITS': 'on'}, demo=False)


def at(system, address, **more):
    return Client(system, headers={'x-forwarded-for': address}, **more)


def spend(client, path=NOTHING, most=100):
    """Asks until it is refused; how many were answered, and the refusal."""
    for number in range(most):
        answer = client.get(path)
        if answer.status == 429:
            return number, answer
    raise AssertionError(f'{most} requests, and no limit')


def rates(answer):
    return tuple(int(answer.header(f'ratelimit-{name}')) for name in ('limit', 'remaining', 'reset'))


def test_headers_count_down(own):
    client = at(own, '203.0.113.1')
    for number in range(5):
        limit, remaining, reset = rates(client.get(NOTHING))
        assert limit == 20 and remaining == 19 - number and 1 <= reset <= 60


def test_refused_with_retry_after(own):
    answered, refused = spend(at(own, '203.0.113.2'))
    assert 20 <= answered <= 22
    assert refused.code == 'RATE_LIMITED' and 1 <= int(refused.header('retry-after')) <= 60
    limit, remaining, _ = rates(refused)
    assert (limit, remaining) == (20, 0)
    for client in (at(own, '203.0.113.2', tls=True), at(own, '203.0.113.2', language='en')):
        client.get(CHILDREN).expect(429)
    at(own, '203.0.113.3').get(NOTHING).expect(404)


def test_both_protocols_count_together(own):
    spend(at(own, '203.0.113.4'))
    with H2Client(own) as h2:
        h2.get(NOTHING, headers={'x-forwarded-for': '203.0.113.4'}).expect(429, 'RATE_LIMITED')


def test_health_is_not_counted(own):
    client = at(own, '203.0.113.5')
    spend(client)
    for path in ('/healthz', '/readyz'):
        answer = client.get(path).expect(200)
        assert answer.header('ratelimit-limit') is None
    client.request('OPTIONS', CHILDREN).expect(204)


def test_a_network_of_ipv6_is_one_client(own):
    spend(at(own, '2001:db8:1:2::1'))
    at(own, '2001:db8:1:2:ffff::77').get(NOTHING).expect(429)
    at(own, '2001:db8:1:3::1').get(NOTHING).expect(404)


def test_the_nearest_address_that_is_not_trusted_counts(own):
    spend(at(own, '198.51.100.1'))
    at(own, '198.51.100.99, 198.51.100.1').get(NOTHING).expect(429)
    at(own, '198.51.100.1, 198.51.100.2').get(NOTHING).expect(404)
    at(own, '198.51.100.1, 127.0.0.1').get(NOTHING).expect(429)


def test_nobody_else_is_believed(alone):
    """Without trusted proxies each of these comes from 127.0.0.1."""
    for number in range(40):
        answer = Client(alone, headers={'x-forwarded-for': f'203.0.113.{number}', 'forwarded': f'for=203.0.113.{number}',
                                        'x-real-ip': f'203.0.113.{number}'}).get(NOTHING)
        if answer.status == 429:
            return
    raise AssertionError('a client chose its own address')


def log_in(client, email, password='wrong horse 1'):
    return client.post(LOGIN, {'email': email, 'password': password})


def test_logins_of_an_address(own):
    client = at(own, '192.0.2.1')
    statuses = [log_in(client, f'nobody{number}@example.com').status for number in range(5)]
    assert statuses[:3] == [401] * 3 and statuses[4] == 429
    refused = log_in(client, 'somebody.else@example.com').expect(429, 'RATE_LIMITED')
    assert rates(refused)[0] == 3
    client.get(NOTHING).expect(404)


def test_logins_into_an_account(own):
    """From everywhere together, in whatever case the address is written."""
    writings = ['Victim@example.com', 'victim@example.com', 'VICTIM@EXAMPLE.COM', 'vIctim@example.com', 'victim@example.COM']
    statuses = [log_in(at(own, f'192.0.2.{10 + number}'), email).status for number, email in enumerate(writings)]
    assert statuses == [401, 401, 401, 429, 429]
    log_in(at(own, '192.0.2.30'), 'another@example.com').expect(401)
    raw = b'{"password":"wrong horse 1","\\u0065mail":"victim@example.com"}'
    at(own, '192.0.2.31').post(LOGIN, raw=raw, headers={'content-type': 'application/json'}).expect(429)


def test_password_resets_count_like_logins(own):
    """Of an address, and for an account; whether anybody has it makes no difference."""
    reset = '/api/v1/auth/password/reset'
    client = at(own, '192.0.2.70')
    statuses = [client.post(reset, {'email': f'asked{number}@example.com'}).status for number in range(5)]
    assert statuses[:3] == [202] * 3 and statuses[4] == 429
    at(own, '192.0.2.70').post(reset, {'token': 'A' * 43, 'new_password': 'long enough 1'}).expect(429)
    for email in ('asked.often@example.com', people.DEMO['parent']):
        statuses = [at(own, f'192.0.2.{80 + number}').post(reset, {'email': email}).status for number in range(5)]
        assert statuses[:3] == [202] * 3 and statuses[4] == 429


def test_the_right_password_is_counted_too(own):
    email = people.DEMO['therapist']
    statuses = [log_in(at(own, f'192.0.2.{40 + number}'), email, people.PASSWORD).status for number in range(4)]
    assert statuses == [200, 200, 200, 429]


def test_limits_are_counted_by_all_frontends_together(own):
    """Each connection may come to another frontend; the bucket is one."""
    answered = 0
    for _ in range(30):
        client = at(own, '203.0.113.50')
        answered += client.get(NOTHING).status == 404
        client.close()
    assert 20 <= answered <= 22


def test_proxy_protocol(start_system):
    own = start_system(settings={'rate': LIMITS, 'listen': {'trusted_proxies': ['127.0.0.1'], 'proxy_protocol': True}},
                       environment={'AIPOTEN_RATE_LIMITS': 'on'}, demo=False)

    def ask(line):
        with socket.create_connection(('127.0.0.1', own.http_port), timeout=20) as raw:
            raw.sendall(line + b'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            said = b''
            while part := raw.recv(65536):
                said += part
            return int(said.split()[1])

    line = b'PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n'
    statuses = [ask(line) for _ in range(24)]
    assert set(statuses[:20]) == {404} and statuses[-1] == 429
    assert ask(b'PROXY TCP4 203.0.113.8 127.0.0.1 4711 80\r\n') == 404
    assert ask(b'PROXY TCP6 2001:db8::1 ::1 4711 80\r\n') == 404
    assert ask(b'PROXY UNKNOWN\r\n') == 404
    for broken in (b'PROXY TCP4 x y z w\r\n', b'PROXY \r\n', b'PROXY TCP9 1 2 3 4\r\n', b'\r\n\r\n\0\r\nQUIT\n'):
        try:
            assert ask(broken) in (400, 404)
        except (ConnectionError, IndexError):
            pass
    Client(own, tls=True).get('/healthz').expect(200)


def test_whom_a_proxy_brings_reads_no_metrics(own):
    """A proxy's word, or its silence, makes nobody this machine; the token does."""
    token = own.secret('metrics_token').decode().strip()
    for headers in ({}, {'x-forwarded-for': '203.0.113.30'}, {'x-forwarded-for': '127.0.0.1'}):
        client = Client(own, headers=headers)
        client.get('/metrics').expect(404)
        client.get('/metrics', token=token, check=False).expect(200)


def test_what_a_socket_asks_of_an_actor_counts(own):
    """Else the realtime API would be the way around the limits, a thousand connections wide."""
    talker = Socket(own, people.demo(own, 'admin').token, headers=['X-Forwarded-For: 198.51.100.77'])
    codes = [talker.ask('join_call', {'consultationId': str(uuid.uuid4())})['error']['code'] for _ in range(30)]
    talker.close()
    assert 20 <= codes.index('RATE_LIMITED') <= 22 and set(codes[22:]) == {'RATE_LIMITED'}, codes
    at(own, '198.51.100.77').get(NOTHING).expect(429)
