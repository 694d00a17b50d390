"""HTTP itself: methods, headers, CORS, limits and odd frames, over HTTP/1.1 and HTTP/2, plain and with TLS. What is wrong with a
request gets the common error envelope; nothing that a client sends ends a process (the sanitizers watch)."""
import http.client
import json
import re
import socket
import ssl
import struct

import pytest

from harness import people
from harness.answer import Answer
from harness.client import Client, insecure_tls
from harness.h2 import H2Client, Reset
from harness.wait import wait_until

CHILDREN, ME, LOGIN = '/api/v1/children', '/api/v1/users/me', '/api/v1/auth/login'
ALLOWED, OTHER = 'http://localhost:5173', 'https://evil.example'
JSON = {'content-type': 'application/json'}
ID = '01890000-0000-7000-8000-000000000000'


@pytest.fixture(autouse=True)
def still_well(system):
    pids = sorted(system.pids('frontend'))
    yield
    Client(system).get('/healthz').expect(200)
    assert sorted(system.pids('frontend')) == pids, 'a frontend died'


class Raw:
    """Bytes by hand over a connection of one's own."""

    def __init__(self, system, tls=False, protocols=('http/1.1',)):
        self.socket = socket.create_connection(('127.0.0.1', system.https_port if tls else system.http_port), timeout=20)
        if tls:
            self.socket = insecure_tls(list(protocols)).wrap_socket(self.socket, server_hostname='localhost')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self, method='GET'):
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        return Answer(response.status, response.getheaders(), response.read(), method)

    def rest(self):
        """All that comes until the server closes."""
        data = b''
        while True:
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                return data
            if not part:
                return data
            data += part


def get(path='/healthz', *fields, host=b'Host: x\r\n'):
    return b'GET ' + path.encode() + b' HTTP/1.1\r\n' + host + b''.join(field + b'\r\n' for field in fields) + b'\r\n'


# --- what every answer says ---------------------------------------------------------------------------------------------------

def clients(system, token=None):
    yield Client(system, token)
    yield Client(system, token, tls=True)
    for tls in (False, True):
        with H2Client(system, token, tls=tls) as h2:
            yield h2


def test_headers_of_every_answer(system, parent):
    for client in clients(system, parent.token):
        for path, status in ((CHILDREN, 200), ('/nothing', 404), ('/healthz', 200)):
            answer = client.get(path).expect(status)
            assert answer.header('content-security-policy') == "default-src 'none'; frame-ancestors 'none'"
            assert answer.header('x-content-type-options') == 'nosniff'
            assert answer.header('referrer-policy') == 'no-referrer'
            assert answer.header('cache-control') == 'no-store'
            assert answer.header('content-type') == 'application/json'
            assert int(answer.header('content-length')) == len(answer.body)
            assert re.fullmatch('[0-9a-f]{32}', answer.header('x-request-id'))
            assert answer.header('date') and answer.header('server') is None
            assert answer.header('strict-transport-security') is None, 'not in development, where hsts_max_age is 0'


def test_hsts_over_tls_only(start_system):
    own = start_system(settings={'security': {'hsts_max_age': '1d'}, 'listen': {'trusted_proxies': ['127.0.0.1']}}, demo=False)
    assert Client(own, tls=True).get('/healthz').header('strict-transport-security') == 'max-age=86400; includeSubDomains'
    assert Client(own).get('/healthz').header('strict-transport-security') is None
    behind = Client(own, headers={'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7'})
    assert behind.get('/healthz').header('strict-transport-security'), 'the trusted proxy ended TLS'


@pytest.mark.parametrize('headers, expected', [
    ({'x-request-id': 'mine-1_2.3'}, 'mine-1_2.3'),
    ({'x-request-id': 'a b'}, None), ({'x-request-id': 'x' * 65}, None), ({'x-request-id': 'mail@example.com'}, None),
    ({'traceparent': f'00-{"4bf92f3577b34da6a3ce929d0e0e4736"}-00f067aa0ba902b7-01', 'x-request-id': 'mine'},
     '4bf92f3577b34da6a3ce929d0e0e4736'),
    ({'traceparent': '00-' + '0' * 32 + '-00f067aa0ba902b7-01'}, None),
])
def test_trace_id(system, headers, expected):
    for client in clients(system):
        shown = client.get('/nothing', headers=headers).header('x-request-id')
        assert shown == expected if expected else re.fullmatch('[0-9a-f]{32}', shown)


def test_trace_id_reaches_the_actors_log(system, parent):
    mark = system.logs.mark()
    Client(system, parent.token, headers={'x-request-id': 'find-me-everywhere'}).get(f'{CHILDREN}/{ID}').expect(404)
    wait_until(lambda: sum('find-me-everywhere' in text for text in system.logs.since(mark).values()) >= 2, 10,
               'the trace id in the logs of actor and frontend')


def test_openapi_is_cached_by_its_tag(system):
    for client in clients(system):
        answer = client.get('/api/v1/openapi.json').expect(200)
        tag = answer.header('etag')
        assert answer.header('cache-control').startswith('public') and re.fullmatch('"[0-9a-f]{16}"', tag)
        for tags in (tag, f'W/{tag}', f'"x", {tag}', '*'):
            same = client.get('/api/v1/openapi.json', headers={'if-none-match': tags}, check=False).expect(304)
            assert not same.body and same.header('etag') == tag
        client.get('/api/v1/openapi.json', headers={'if-none-match': '"other"'}).expect(200)


# --- methods ------------------------------------------------------------------------------------------------------------------

def test_head_is_get_without_a_body(system, parent):
    for client in clients(system, parent.token):
        for path in (CHILDREN, '/healthz', '/api/v1/openapi.json', f'{CHILDREN}/{ID}', '/nothing', CHILDREN + '?page=0'):
            whole, head = client.get(path), client.request('HEAD', path)
            assert (head.status, head.body) == (whole.status, b'')
            for name in ('content-type', 'content-length', 'etag', 'cache-control'):
                assert head.header(name) == whole.header(name), name


def test_allow(system, parent):
    expected = {'/healthz': 'GET, HEAD, OPTIONS', CHILDREN: 'GET, HEAD, POST, OPTIONS', LOGIN: 'POST, OPTIONS',
                f'{CHILDREN}/{ID}': 'GET, HEAD, PATCH, DELETE, OPTIONS'}
    for client in clients(system, parent.token):
        for path, allow in expected.items():
            answer = client.request('OPTIONS', path).expect(204)
            assert answer.header('allow') == allow and not answer.body and answer.header('content-length') is None
            for method in ('PUT', 'TRACE', 'PROPFIND', 'BREW'):
                refused = client.request(method, path).expect(405, 'METHOD_NOT_ALLOWED')
                assert refused.header('allow') == allow
        client.request('OPTIONS', '/nothing').expect(404)


def test_pipelined(system):
    """Several requests in one write: answered one after the other."""
    with Raw(system) as raw:
        raw.send(get('/healthz') + get('/nothing') + get('/healthz', b'Connection: close'))
        assert [status for status in re.findall(rb'HTTP/1.1 (\d+)', raw.rest())] == [b'200', b'404', b'200']


def test_request_line_forms(system):
    with Raw(system) as raw:
        raw.send(b'GET http://example.com/healthz HTTP/1.1\r\nHost: example.com\r\n\r\n')
        raw.answer().expect(200)
        raw.send(b'GET https://example.com HTTP/1.1\r\nHost: example.com\r\n\r\n')
        raw.answer().expect(404)
        raw.send(b'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n')
        assert raw.answer().status in (204, 404)
        raw.send(get(host=b''))
        answer = raw.answer().expect(400, 'VALIDATION_ERROR')
        assert answer.fields == ['Host']
        raw.send(b'GET /healthz HTTP/1.0\r\n\r\n')
        raw.answer().expect(200)
        assert raw.rest() == b'', 'HTTP/1.0 does not keep a connection by itself'


# --- CORS ---------------------------------------------------------------------------------------------------------------------

def test_cors(system, parent):
    for client in clients(system, parent.token):
        for path in (CHILDREN, '/nothing', '/healthz'):
            allowed = client.get(path, headers={'origin': ALLOWED})
            assert allowed.header('access-control-allow-origin') == ALLOWED
            assert allowed.header('access-control-allow-credentials') == 'true'
            assert 'X-Request-Id' in allowed.header('access-control-expose-headers')
            for headers in ({'origin': OTHER}, {'origin': 'null'}, {'origin': ALLOWED + '.evil.example'}, {}):
                other = client.get(path, headers=headers)
                assert other.header('access-control-allow-origin') is None
                assert other.header('access-control-allow-credentials') is None
                assert 'Origin' in other.header('vary', '').split(', '), 'also when nobody asked: a cache must not mix them'


def test_preflight(system):
    for client in clients(system):
        ask = {'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization,content-type'}
        answer = client.request('OPTIONS', f'{CHILDREN}/{ID}', headers={'origin': ALLOWED, **ask}).expect(204)
        assert answer.header('access-control-allow-origin') == ALLOWED
        assert 'PATCH' in answer.header('access-control-allow-methods')
        wanted = {'authorization', 'content-type', 'idempotency-key', 'x-csrf-token'}
        assert wanted <= set(answer.header('access-control-allow-headers').lower().split(', '))
        assert answer.header('access-control-max-age') == '60'
        other = client.request('OPTIONS', f'{CHILDREN}/{ID}', headers={'origin': OTHER, **ask}).expect(204)
        assert other.header('access-control-allow-origin') is None and other.header('access-control-allow-methods') is None


# --- sizes --------------------------------------------------------------------------------------------------------------------

def test_url_and_header_sizes(system):
    for client in clients(system):
        client.get('/nothing?' + 'a' * 4000).expect(404)
        client.get('/nothing?' + 'a' * 4200, check=False).expect(414, 'URI_TOO_LONG')
        client.get('/nothing', headers={'x-long': 'a' * 15000}).expect(404)
        client.get('/nothing', headers={'x-long': 'a' * 17000}, check=False).expect(431, 'HEADERS_TOO_LARGE')
        client.get('/nothing', headers={f'x-{number}': 'a' * 200 for number in range(90)}, check=False).expect(431)
        client.get('/healthz').expect(200)


def test_body_sizes(system):
    """413 for all that is too big, however it comes, as long as somebody reads it; the connection serves on where it can."""
    limit = 1 << 20
    for client in clients(system):
        client.post(LOGIN, raw=b'x' * (limit + 1), headers=JSON).expect(413, 'PAYLOAD_TOO_LARGE')
        client.post(LOGIN, raw=b'x' * (5 * limit), headers=JSON).expect(413, 'PAYLOAD_TOO_LARGE')
        client.get('/healthz').expect(200)
    with Raw(system) as raw:
        raw.send(b'POST ' + LOGIN.encode() + b' HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n')
        answer = raw.answer('POST').expect(413, 'PAYLOAD_TOO_LARGE')
        assert answer.header('x-content-type-options') == 'nosniff' and answer.header('connection') == 'close'
        assert raw.rest() == b''
    with Raw(system) as raw:
        raw.send(b'POST ' + LOGIN.encode() + b' HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
        for _ in range(3):
            raw.send(b'100000\r\n' + b'x' * (1 << 20) + b'\r\n')
        raw.send(b'0\r\n\r\n')
        raw.answer('POST').expect(413, 'PAYLOAD_TOO_LARGE')
        raw.send(get())
        raw.answer().expect(200)


def test_body_of_a_request_that_takes_none(system, parent):
    for client in clients(system, parent.token):
        client.request('GET', CHILDREN, raw=b'{"ignored":true}', headers=JSON).expect(200)


def test_library_errors_wear_our_envelope(system):
    for wrong in (b'Content-Length: -5', b'Content-Length: 99999999999999999999999', b'Transfer-Encoding: gzip'):
        with Raw(system) as raw:
            raw.send(b'POST ' + LOGIN.encode() + b' HTTP/1.1\r\nHost: x\r\n' + wrong + b'\r\n\r\n')
            answer = raw.answer('POST')
            assert answer.status in (400, 413) and answer.code
            assert answer.header('content-type') == 'application/json' and answer.header('x-request-id')
    with Raw(system) as raw:
        raw.send(b'POST ' + LOGIN.encode() + b' HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n')
        raw.answer('POST').expect(400, 'VALIDATION_ERROR')


def test_expect_continue(system):
    with Raw(system) as raw:
        raw.send(b'POST ' + LOGIN.encode() + b' HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n'
                 b'Expect: 100-continue\r\n\r\n')
        assert raw.socket.recv(25) == b'HTTP/1.1 100 Continue\r\n\r\n'
        raw.send(b'{}')
        assert raw.answer('POST').expect(400).fields == ['email', 'password']
    with Raw(system) as raw:
        raw.send(b'POST ' + LOGIN.encode() + b' HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: miracles\r\n\r\n')
        raw.answer('POST').expect(400, 'VALIDATION_ERROR')


def test_slow_bodies(system):
    """A body may come in drops, over both protocols."""
    body = b'{"email":"a@b.kr","password":"x"}'
    with Raw(system) as raw:
        raw.send(b'POST ' + LOGIN.encode() + b' HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n'
                 % len(body))
        for byte in body:
            raw.send(bytes([byte]))
        assert raw.answer('POST').status in (400, 401)
    with H2Client(system) as h2:
        stream = h2.connection.get_next_available_stream_id()
        h2.streams[stream] = {'method': 'POST', 'path': LOGIN, 'headers': [], 'body': b'', 'done': False, 'reset': None}
        h2.connection.send_headers(stream, [(':method', 'POST'), (':scheme', 'https'), (':authority', 'x'), (':path', LOGIN),
                                            ('content-type', 'application/json')])
        for number, byte in enumerate(body):
            h2.connection.send_data(stream, bytes([byte]), end_stream=number == len(body) - 1)
            h2.flush()
        assert h2.wait(stream).status in (400, 401)


def test_idle_and_endless_requests_are_cut(start_system):
    own = start_system(settings={'http': {'idle_timeout': '1s'}}, demo=False)
    with Raw(own) as idle, Raw(own) as half, Raw(own) as silent:
        idle.send(get()).answer().expect(200)
        half.send(b'POST ' + LOGIN.encode() + b' HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{')
        for raw in (idle, half, silent):
            assert raw.rest() == b''
    with H2Client(own, tls=False) as idle:
        idle.get('/healthz').expect(200)
        with pytest.raises((Reset, ConnectionError)):
            while True:
                idle.receive()
    with H2Client(own, tls=False) as dripping:
        stream = dripping.connection.get_next_available_stream_id()
        dripping.connection.send_headers(stream, [(':method', 'POST'), (':scheme', 'http'), (':authority', 'x'), (':path', LOGIN)])

        def cut():
            try:
                dripping.connection.send_data(stream, b'x')
                dripping.flush()
            except OSError:
                return True
            return False
        wait_until(cut, 20, 'the end of a request that never ends', every=0.1)


# --- HTTP/2 -------------------------------------------------------------------------------------------------------------------

def test_a_hundred_streams_at_once(system, parent):
    with H2Client(system, parent.token) as h2:
        for _ in range(3):
            streams = [h2.send('GET', CHILDREN) for _ in range(100)]
            for stream in reversed(streams):
                h2.wait(stream).expect(200)


def test_requests_in_flight_of_one_connection(start_system):
    """Over the cap: 503 at once, and the others are answered."""
    own = start_system(settings={'http': {'max_pending_connection': 3}})
    token = people.demo(own, 'parent').token
    with H2Client(own, token) as h2:
        answers = [h2.wait(stream) for stream in [h2.send('GET', CHILDREN) for _ in range(60)]]
        assert {answer.status for answer in answers} <= {200, 503}
        for answer in answers:
            if answer.status == 503:
                assert answer.code == 'UNAVAILABLE' and int(answer.header('retry-after')) >= 1
        h2.get(CHILDREN).expect(200)


def pending(system):
    return sum(row['value'] for row in system.ctl('counters', '-j', 'frontend')['counters'] if row['name'] == 'pending')


def test_resets_leave_nothing_behind(system, parent):
    for _ in range(5):
        with H2Client(system, parent.token) as h2:
            for _ in range(40):
                stream = h2.send('GET', CHILDREN)
                h2.connection.reset_stream(stream)
                h2.flush()
            h2.get('/healthz').expect(200)
    for _ in range(20):
        with H2Client(system, parent.token) as h2:
            for _ in range(10):
                h2.send('GET', CHILDREN)
    for _ in range(20):
        with Raw(system) as raw:
            raw.send(get(CHILDREN, b'Authorization: Bearer ' + parent.token.encode()))
    wait_until(lambda: pending(system) == 0, 20, 'no request waiting any more')
    Client(system, parent.token).get(CHILDREN).expect(200)


def frame(kind, flags=0, stream=0, payload=b'', length=None):
    return struct.pack('>I', len(payload) if length is None else length)[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


BAD_FRAMES = {
    'unknown type': frame(77, 0, 1, b'x' * 10) * 50,
    'too long': frame(0, 0, 1, b'', length=1 << 20),
    'data on an idle stream': frame(0, 0, 1, b'x'),
    'headers on an even stream': frame(1, 5, 2, b'\x82\x86\x84'),
    'headers that are no HPACK': frame(1, 5, 1, b'\xff\xff\xff\xff\xff\xff'),
    'headers without path': frame(1, 5, 1, b'\x82\x86'),
    'continuation of nothing': frame(9, 4, 1, b'\x82'),
    'continuations without an end': frame(1, 0, 1, b'\x82') + frame(9, 0, 1, b'\x40' + b'x' * 100) * 300,
    'settings on a stream': frame(4, 0, 1),
    'settings of odd length': frame(4, 0, 0, b'xxxxx'),
    'settings with a huge window': frame(4, 0, 0, struct.pack('>HI', 4, 0xFFFFFFFF)),
    'a settings flood': frame(4) * 2000,
    'window of zero': frame(8, 0, 0, struct.pack('>I', 0)),
    'window overflow': frame(8, 0, 0, struct.pack('>I', 0x7FFFFFFF)) * 2,
    'reset of an idle stream': frame(3, 0, 1, struct.pack('>I', 8)),
    'a ping flood': frame(6, 0, 0, b'12345678') * 2000,
    'ping of odd length': frame(6, 0, 0, b'123'),
    'push promise': frame(5, 4, 1, b'\0\0\0\2\x82'),
    'priority of itself': frame(2, 0, 1, struct.pack('>IB', 1, 1)),
    'many priorities': b''.join(frame(2, 0, number, struct.pack('>IB', 0, 1)) for number in range(1, 400, 2)),
    'goaway': frame(7, 0, 0, b'\0' * 8),
    'padding longer than the frame': frame(1, 13, 1, b'\xff\x82'),
    'nothing at all': b'',
}


@pytest.mark.parametrize('name', BAD_FRAMES)
@pytest.mark.parametrize('tls', [False, True])
def test_bad_frames(system, name, tls):
    with Raw(system, tls, protocols=('h2',)) as raw:
        try:
            raw.send(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + frame(4) + BAD_FRAMES[name])
            raw.send(frame(1, 5, 4001, b'\x82\x86\x84\x41\x01x'))
            assert raw.socket.recv(9)
            raw.socket.shutdown(socket.SHUT_WR)
        except (OSError, ssl.SSLError):
            pass
        raw.rest()


# --- TLS ----------------------------------------------------------------------------------------------------------------------

def tls_connection(system, session=None, **settings):
    context = insecure_tls(settings.pop('protocols', ['h2', 'http/1.1']))
    for name, value in settings.items():
        setattr(context, name, value)
    plain = socket.create_connection(('127.0.0.1', system.https_port), timeout=20)
    return context, context.wrap_socket(plain, server_hostname='localhost', session=session)


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize('offer, chosen', [(['h2', 'http/1.1'], 'h2'), (['http/1.1'], 'http/1.1'), (['h2'], 'h2')])
def test_tls_versions_and_protocols(system, version, offer, chosen):
    _, connection = tls_connection(system, minimum_version=version, maximum_version=version, protocols=offer)
    with connection:
        assert connection.version() == version.name.replace('_', '.')
        assert connection.selected_alpn_protocol() == chosen
        assert 'GCM' in connection.cipher()[0] or 'CHACHA20' in connection.cipher()[0]


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_old_tls_is_refused(system):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls_connection(system, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_sessions_resume_at_every_frontend(system):
    """Both frontends derive the same ticket keys: whoever accepts the next connection knows the ticket."""
    context, first = tls_connection(system, maximum_version=ssl.TLSVersion.TLSv1_2, protocols=['http/1.1'])
    session = first.session
    first.close()
    for _ in range(12):
        plain = socket.create_connection(('127.0.0.1', system.https_port), timeout=20)
        with context.wrap_socket(plain, server_hostname='localhost', session=session) as again:
            assert again.session_reused


def test_plain_http_on_the_tls_port(system):
    with Raw(system) as raw:
        raw.socket.close()
        raw.socket = socket.create_connection(('127.0.0.1', system.https_port), timeout=20)
        raw.send(get())
        assert b'200' not in raw.rest()


# --- the access log -----------------------------------------------------------------------------------------------------------

def access_lines(system, mark):
    lines = []
    for path, text in system.logs.since(mark).items():
        if '/access.' in path:
            lines += [json.loads(line) for line in text.splitlines()]
    return lines


def test_access_log_has_no_personal_data(system, parent):
    mark = system.logs.mark()
    client = Client(system, parent.token)
    child = client.get(CHILDREN).data[0]['id']
    client.get(f'{CHILDREN}/{child}?secret=parent@example.com').expect(400)
    client.get(f'/nothing/{child}?q=parent@example.com', headers={'x-forwarded-for': '203.0.113.99'}).expect(404)
    client.get('/nothing', headers={'x-request-id': 'last-of-all'})
    wait_until(lambda: any(line['trace'] == 'last-of-all' for line in access_lines(system, mark)), 10, 'the lines')
    text = json.dumps(access_lines(system, mark))
    for private in (child, 'example.com', 'secret', '127.0.0.1', '203.0.113', parent.token, parent.id):
        assert private not in text, private
    row = next(line for line in access_lines(system, mark) if line['operation'] == 'children.get')
    assert (row['path'], row['method'], row['status'], row['protocol']) == ('/api/v1/children/:id', 'GET', 400, 'http/1.1')
    assert row['us'] > 0 and row['bytes'] > 0 and re.fullmatch('[0-9a-f]{16}', row['address']) and not row['tls']


def test_access_log_samples_reads_and_rotates(start_system):
    own = start_system(settings={'log': {'sample_one_in': 1000, 'slow_request': '1h', 'max_size': '64K', 'keep_files': 2}}, demo=False)
    mark, client = own.logs.mark(), Client(own)
    for _ in range(20):
        client.get('/healthz').expect(200)
    client.get('/nothing', headers={'x-request-id': 'an-error'}).expect(404)
    wait_until(lambda: any(line['trace'] == 'an-error' for line in access_lines(own, mark)), 10, 'the line')
    assert sum(line['operation'] == 'system.healthz' for line in access_lines(own, mark)) <= 2

    def rotated():
        for _ in range(200):
            client.get('/nothing').expect(404)
        names = {path.rsplit('/', 1)[1] for path in own.logs.files() if '/access.' in path}
        return any(name.endswith('.log.2') for name in names) and not any(name.endswith('.log.3') for name in names)
    wait_until(rotated, 60, 'two rotated files')
