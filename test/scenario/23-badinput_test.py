"""Bad input gets one clear answer, with all wrong fields named at once; never a 5xx, never a crash. The sanitizers watch, and
after each test the system must answer as before."""
import itertools
import json
import random
import socket

import pytest

from harness import people
from harness.client import Client
from harness.h2 import H2Client, Reset

REGISTER, CHILDREN, CONSENTS, ME = '/api/v1/auth/register', '/api/v1/children', '/api/v1/consents', '/api/v1/users/me'
JSON = {'content-type': 'application/json'}
REQUIRED = ['email', 'name', 'password', 'phone', 'role']


@pytest.fixture(autouse=True)
def still_well(system):
    pids = sorted(system.pids())
    yield
    Client(system).get('/healthz', check=False).expect(200)
    assert sorted(system.pids()) == pids, 'a process died'


@pytest.fixture
def child(parent):
    return parent.client.get(CHILDREN, query={'limit': 1}).expect(200).data[0]['id']


# --- bodies that are no JSON object -------------------------------------------------------------------------------------------

MALFORMED = [
    b'{', b'}', b'[]', b'[{}]', b'null', b'true', b'5', b'"text"', b'{"email":}', b'{"email"}', b'{"a":1,}', b"{'a':1}", b'{a:1}',
    b'{"a":1} x', b'{"a":1}{"b":2}', b'{"a":01}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":+1}', b'{"a":.5}', b'{"a":"\t"}',
    b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"a":tru}', b'\xef\xbb\xbf{}', b'// {}', b'<xml/>', b'email=a%40b.kr',
    b'{"a":1e400}', b'{"a":99999999999999999999}', b'\x00', b' ',
]


@pytest.mark.parametrize('raw', MALFORMED, ids=lambda raw: repr(raw)[2:-1])
def test_malformed(client, raw):
    answer = client.post(REGISTER, raw=raw, headers=JSON).expect(400, 'VALIDATION_ERROR')
    assert answer.fields, 'the answer says nothing about what is wrong'


@pytest.mark.parametrize('raw', [
    b'{"name":"\xff"}', b'{"name":"\xc0\xaf"}', b'{"name":"\xed\xa0\x80"}', b'{"name":"\xf4\x90\x80\x80"}', b'{"name":"\xea\xb0"}',
    b'{"name":"\\ud800"}', b'{"name":"\\udc00x"}', b'{"\xff":1}',
], ids=lambda raw: repr(raw)[2:-1])
def test_broken_utf8(parent, raw):
    parent.client.patch(ME, raw=raw, headers=JSON).expect(400, 'VALIDATION_ERROR')


@pytest.mark.parametrize('raw', [b'{"name":"a\\u0000b"}', b'{"name":"a\x00b"}', b'{"na\\u0000me":"a"}', b'{"name":"a"}\x00'],
                         ids=lambda raw: repr(raw)[2:-1])
def test_nul(parent, raw):
    parent.client.patch(ME, raw=raw, headers=JSON).expect(400, 'VALIDATION_ERROR')


def test_duplicate_keys(parent):
    answer = parent.client.patch(ME, raw=b'{"name":"a","language":"ko","name":"b"}', headers=JSON).expect(400, 'VALIDATION_ERROR')
    assert answer.fields == ['name']


def nested(levels):
    return b'{"a":' * levels + b'1' + b'}' * levels


def test_depth(client):
    """32 levels may be; the 33rd is refused as such, whatever the fields are."""
    allowed = client.post(REGISTER, raw=nested(32), headers=JSON).expect(400, 'VALIDATION_ERROR')
    assert allowed.fields == sorted([*REQUIRED, 'a'])
    assert 'a' not in client.post(REGISTER, raw=nested(33), headers=JSON).expect(400, 'VALIDATION_ERROR').fields
    client.post(REGISTER, raw=nested(50000), headers=JSON).expect(400, 'VALIDATION_ERROR')
    client.post(REGISTER, raw=b'{"a":' + b'[' * 200000, headers=JSON).expect(400, 'VALIDATION_ERROR')


def test_too_big(system, client):
    """The limit is 1 MiB: at it the body is read, above it refused, over HTTP/1.1 and HTTP/2."""
    def body(size):
        return b'{"name":"' + b'a' * (size - 11) + b'"}'
    limit = 1024 * 1024
    assert len(body(limit)) == limit
    client.post(REGISTER, raw=body(limit), headers=JSON).expect(400, 'VALIDATION_ERROR')
    client.post(REGISTER, raw=body(limit + 1), headers=JSON).expect(413, 'PAYLOAD_TOO_LARGE')
    for tls in (True, False):
        with H2Client(system, tls=tls) as h2:
            h2.post(REGISTER, raw=body(limit + 1), headers=JSON).expect(413, 'PAYLOAD_TOO_LARGE')
            h2.post(REGISTER, raw=b'{}', headers=JSON).expect(400, 'VALIDATION_ERROR')


@pytest.mark.parametrize('kind, status', [
    ('application/json', 400), ('application/json; charset=utf-8', 400), ('APPLICATION/JSON;charset="UTF-8"', 400),
    ('text/plain', 415), ('application/x-www-form-urlencoded', 415), ('multipart/form-data; boundary=x', 415),
    ('application/xml', 415), ('application/jsonx', 415), ('json', 415), ('', 415), (None, 415),
])
def test_content_type(client, kind, status):
    client.post(REGISTER, raw=b'{}', headers={'content-type': kind}).expect(status)


def test_content_encoding_is_not_read_as_json(client):
    client.post(REGISTER, raw=b'\x1f\x8b\x08\x00', headers={**JSON, 'content-encoding': 'gzip'})


# --- fields -------------------------------------------------------------------------------------------------------------------

def test_all_wrong_fields_at_once(client, parent):
    client.post(REGISTER, {}).expect(400, 'VALIDATION_ERROR')
    assert client.post(REGISTER, {}).fields == REQUIRED
    wrong = {'email': 'nobody', 'name': '', 'password': 'short', 'phone': 'call me', 'role': 'king', 'age': 5}
    assert client.post(REGISTER, wrong).expect(400, 'VALIDATION_ERROR').fields == sorted([*REQUIRED, 'age'])
    child = {'name': 5, 'birth_date': '2024-02-30', 'gender': 'girl', 'gestational_weeks': 19, 'birth_weight': -1,
             'current_height': 'tall', 'medical_history': 'x' * 100001, 'nose': 'small'}
    assert parent.client.post(CHILDREN, child).expect(400, 'VALIDATION_ERROR').fields == sorted(child)


WRONG_TYPES = [None, True, 5, 1.5, 'x', '', [], ['x'], {}, {'a': 1}, 10 ** 18, -1, 1e300]


@pytest.mark.parametrize('field', ['name', 'birth_date', 'gender', 'gestational_weeks', 'birth_weight', 'current_height', 'notes'])
def test_wrong_types(parent, field):
    """Each kind of JSON value in each kind of field: accepted, or refused with this field named and no other."""
    for value in WRONG_TYPES:
        answer = parent.client.post(CHILDREN, {**people.CHILD, field: value})
        if answer.status != 201:
            assert answer.expect(400, 'VALIDATION_ERROR').fields == [field], f'{field}={value!r}'


@pytest.mark.parametrize('field, values', [
    ('birth_date', ['2024-13-01', '2024-02-30', '2024-1-5', '20240105', '2024-01-05T00:00:00Z', '0000-00-00', '2999-01-01',
                    '1950-01-01', '２０２４-01-05']),
    ('gender', ['Male', 'girl', 'female ', ' ']),
    ('gestational_weeks', [19, 45, 30.5, '30', -1]),
    ('birth_weight', [0, 0.01, 100, 3.123456]),
    ('name', ['', ' ' * 3, 'x' * 51, '가' * 51, 'a\nb', 'a\u0007b']),
])
def test_values_out_of_range(parent, field, values):
    for value in values:
        answer = parent.client.post(CHILDREN, {**people.CHILD, field: value})
        assert answer.expect(400, 'VALIDATION_ERROR').fields == [field], f'{field}={value!r}'


@pytest.mark.parametrize('field, value', [('name', '가' * 50), ('gestational_weeks', 20), ('gestational_weeks', 44),
                                          ('birth_date', '2024-02-29'), ('name', '👶🏽 이름'), ('notes', '"\\\n\t</script>\u2028')])
def test_values_at_the_edge(parent, field, value):
    child = parent.child(**{field: value})
    assert parent.client.get(f'{CHILDREN}/{child["id"]}').expect(200).data[field] == value


def test_unknown_field(parent):
    assert parent.client.patch(ME, {'role': 'admin'}).expect(400, 'VALIDATION_ERROR').fields == ['role']
    assert parent.client.post(CONSENTS, {'kind': 'marketing', 'granted': True, '': 1}).expect(400, 'VALIDATION_ERROR')
    many = {f'field{number}': 1 for number in range(1000)}
    assert parent.client.patch(ME, many).expect(400, 'VALIDATION_ERROR').fields


def test_words_in_two_languages(system):
    """Korean first, English by Accept-Language; the same fields in both."""
    korean, english = Client(system).post(REGISTER, {}), Client(system, language='en-GB,en;q=0.9').post(REGISTER, {})
    assert korean.fields == english.fields
    assert any('가' <= letter <= '힣' for letter in korean.error['message'])
    assert korean.error['message'].isascii() is False and english.error['message'].isascii()
    assert all(detail['message'].isascii() for detail in english.error['details'])
    Client(system, language='x' * 2000 + ';q=0.5,,;;=').post(REGISTER, {}).expect(400)


# --- paths and queries --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('bad', ['1', 'x', 'not-a-uuid', '0' * 36, '01890000-0000-7000-8000-00000000000g', '%00', '%ff%fe', '..',
                                 '01890000-0000-7000-8000-000000000000x', "' OR 1=1 --".replace(' ', '%20'), '%E2%80%AE', '{id}'])
def test_bad_uuid(parent, bad):
    answer = parent.client.get(f'{CHILDREN}/{bad}')
    assert answer.status in (400, 404), str(answer)
    if answer.status == 400 and answer.fields:
        assert answer.fields == ['id']
    parent.client.delete(f'/api/v1/users/me/sessions/{bad}')


@pytest.mark.parametrize('query, fields', [
    ('page=0', ['page']), ('page=-1', ['page']), ('page=10001', ['page']), ('page=x', ['page']), ('page=', ['page']),
    ('page=1.5', ['page']), ('page=99999999999999999999', ['page']), ('limit=0', ['limit']), ('limit=101', ['limit']),
    ('limit=x', ['limit']), ('page=0&limit=0', ['limit', 'page']), ('page=101&limit=100', None), ('page=502&limit=20', None),
    ('cursor=%00', None), ('cursor=' + 'x' * 201, ['cursor']), ('cursor=nonsense', ['cursor']), ('sort=name', ['sort']),
    ('page=1&page=2', None), ('%ff=1', None), ('page=%ff', None), ('page[]=1', None), ('limit=%31', []), ('', []), ('&&', []),
    ('page=500&limit=20', []), ('limit=100&page=100', []),
])
def test_page_and_limit(parent, query, fields):
    answer = parent.client.get(f'{CHILDREN}?{query}')
    if fields == []:
        answer.expect(200)
    else:
        answer.expect(400, 'VALIDATION_ERROR')
        assert fields is None or answer.fields == fields


@pytest.mark.parametrize('path', [
    '/', '/api', '/api/v1', '/api/v1/', '/api/v2/children', '/api/v1/nothing', '/API/V1/CHILDREN', '/api/v1//children',
    '/api/v1/children/../../../etc/passwd', '/api/v1/%2e%2e/%2e%2e/etc/passwd', '/api/v1/children%2F', '/api/v1/children;x=1',
    '/api/v1/children/a/b/c/d/e/f/g', '/%00', '/%', '/%zz', '/favicon.ico', '/.env', '//evil.example/', '/api/v1/children/%',
])
def test_paths_that_are_not(parent, path):
    answer = parent.client.get(path)
    assert answer.status in (400, 404), str(answer)


def test_long_url_and_headers(client):
    client.get('/api/v1/children?x=' + 'a' * 3000, check=False)
    answer = client.get('/api/v1/children?x=' + 'a' * 5000, check=False)
    assert answer.status in (400, 414), str(answer)
    answer = client.get('/api/v1/openapi.json', headers={'x-long': 'a' * 17000}, check=False)
    assert answer.status in (400, 431), str(answer)
    client.close()


# --- every method on every path -----------------------------------------------------------------------------------------------

METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'BREW', 'get']


def test_every_method_on_every_path(system, parent):
    """What is documented answers; all else is 405 with Allow. Each answer is checked by the client (contract.py)."""
    templates = sorted({row.template for row in system.openapi.operations})
    assert len(templates) > 8
    for template, method in itertools.product(templates, METHODS):
        if (method, template) in KEEPS_THE_PARENT:
            continue
        path = template.replace('{id}', '01890000-0000-7000-8000-000000000000')
        raw = b'{}' if method in ('POST', 'PUT', 'PATCH') else None
        answer = parent.client.request(method, path, raw=raw, headers=JSON if raw else None)
        assert answer.status < 500, str(answer)
        operation, methods = system.openapi.find(method, path)
        if method == 'HEAD' and 'GET' in methods:
            get = parent.client.get(path)
            assert answer.status == get.status and not answer.body
        elif method == 'OPTIONS':
            assert answer.status == 204, str(answer)
        elif operation is None:
            assert answer.status in (405, 501), f'{method} is not documented: {answer}'


# A documented call that would log the demo parent out.
KEEPS_THE_PARENT = {('POST', '/api/v1/auth/logout')}


# --- bytes that are no HTTP ---------------------------------------------------------------------------------------------------

GARBAGE = [
    b'\r\n\r\n', b'GET\r\n\r\n', b'GET / HTTP/9.9\r\n\r\n', b'GET / HTTP/1.1\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00', b'A' * 70000,
    b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + b'\xff' * 200, b'PRI * HTTP/2.0\r\n\r\nXX', b'GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n',
    b'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
    b'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef',
    b'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
    b'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
    b'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n',
    b'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n',
    b'GET /healthz HTTP/1.1\r\nHost: x\r\n' + b''.join(b'x%d: y\r\n' % number for number in range(500)) + b'\r\n',
    b'GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n', b'GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n',
    b'GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ' + b'\xff' * 100 + b'\r\n\r\n',
]


@pytest.mark.parametrize('raw', GARBAGE, ids=range(len(GARBAGE)))
def test_garbage(system, raw):
    """An answer below 500 or a closed connection; nothing else."""
    for port in (system.http_port, system.https_port):
        with socket.create_connection(('127.0.0.1', port), timeout=10) as connection:
            try:
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                said = connection.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                continue
            if said.startswith(b'HTTP/1.'):
                assert said[9:10] != b'5' or said[9:12] in (b'501', b'505'), said[:200]


def test_half_a_request_then_nothing(system):
    """Fifty connections that stop in the middle hold nobody up."""
    halves = [socket.create_connection(('127.0.0.1', system.http_port), timeout=10) for _ in range(50)]
    for number, half in enumerate(halves):
        half.sendall(b'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{'[:20 + number])
    Client(system).get('/healthz', check=False).expect(200)
    for half in halves:
        half.close()


# --- HTTP/2 -------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('headers', [
    {'Upper-Case': 'x'}, {'connection': 'keep-alive'}, {'transfer-encoding': 'chunked'}, {'te': 'gzip'}, {'x': 'a\nb'},
    {':late': 'pseudo'}, {'content-length': '7'}, {'x-many': 'y' * 20000},
], ids=lambda headers: next(iter(headers)))
def test_h2_bad_headers(system, headers):
    """Refused by an answer, a reset or an end of the connection (RFC 9113, 8.1.1)."""
    with H2Client(system, check=False, validate=False) as h2:
        try:
            answer = h2.get('/healthz', headers=headers)
        except (Reset, OSError):
            return
        assert answer.status < 500, str(answer)


def test_h2_resets_and_goes_on(system, parent):
    with H2Client(system, token=parent.token) as h2:
        for _ in range(20):
            stream = h2.send('GET', CHILDREN)
            h2.connection.reset_stream(stream)
            h2.flush()
            del h2.streams[stream]
        h2.get(CHILDREN).expect(200)


def test_h2_many_streams(system, parent):
    with H2Client(system, token=parent.token) as h2:
        streams = [h2.send('GET', f'{CHILDREN}?limit={1 + number % 5}') for number in range(50)]
        for stream in streams:
            system.openapi.check(h2.wait(stream).expect(200))


# --- chance ------------------------------------------------------------------------------------------------------------------

def mutate(chance, raw):
    raw = bytearray(raw)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(raw) + 1)
        kind = chance.randrange(4)
        if kind == 0 and raw:
            raw[place % len(raw)] = chance.randrange(256)
        elif kind == 1:
            raw[place:place] = bytes(chance.choice(b'{}[]",:\\\x00\xff0-.eE') for _ in range(chance.randint(1, 4)))
        elif kind == 2:
            del raw[place:place + chance.randint(1, 8)]
        else:
            raw[place:place] = raw[:chance.randint(0, 40)]
    return bytes(raw)


def test_chance(parent, child):
    """Bodies that are nearly right, by a fixed seed: accepted or refused, and always as documented."""
    chance = random.Random(20250320)
    good = json.dumps({**people.CHILD, 'notes': '메모'}, ensure_ascii=False).encode()
    for _ in range(400):
        raw = mutate(chance, good)
        answer = parent.client.patch(f'{CHILDREN}/{child}', raw=raw, headers=JSON)
        assert answer.status in (200, 400), f'{raw!r}: {answer}'
