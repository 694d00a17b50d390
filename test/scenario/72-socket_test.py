"""Engine.IO and Socket.IO as their protocols say: the echoes of the conformance mode, which are on top of the same sessions,
transports and parsers as the realtime API. The public test suites of both run as well where AIPOTEN_SUITES names a folder with
checkouts of engine.io-protocol and socket.io-protocol."""
import os
import re
import shutil
import subprocess
import threading

import pytest

from harness.measure import counters_of
from harness.realtime import BINARY, CLOSE, PING, TEXT, Ended, Engine, Polling, Refused, Socket, WebSocket
from harness.wait import wait_until

ECHO = '/engine.io/'
SETTINGS = {'conformance': True, 'ping_interval': '300ms', 'ping_timeout': '200ms', 'connect_timeout': '1s', 'max_payload': 1000000}


@pytest.fixture(scope='module')
def echo(start_system):
    return start_system(settings={'realtime': SETTINGS, 'instances': {'frontend': 1}}, demo=False)


def counter(system, name):
    return counters_of(system, 'frontend')[name]


# --- the public suites -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('protocol', ['engine.io', 'socket.io'])
def test_public_suite(echo, protocol, tmp_path):
    suites = os.environ.get('AIPOTEN_SUITES')
    if not suites:
        pytest.skip('AIPOTEN_SUITES names no folder with engine.io-protocol and socket.io-protocol')
    shutil.copytree(os.path.join(suites, f'{protocol}-protocol', 'test-suite'), tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns('node_modules'))
    suite = tmp_path / 'test-suite.js'
    suite.write_text(suite.read_text(encoding='utf-8').replace('localhost:3000', f'localhost:{echo.http_port}'), encoding='utf-8')
    subprocess.run(['npm', 'ci', '--no-audit', '--no-fund'], cwd=tmp_path, check=True, timeout=300, capture_output=True)
    done = subprocess.run(['npx', 'mocha', 'test-suite.js'], cwd=tmp_path, timeout=120, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and re.search(r'\d+ passing', done.stdout), done.stdout


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
    poll = Polling.__new__(Polling)
    poll.system, poll.path, poll.headers, poll.sid = echo, ECHO, {}, None
    import http.client
    connection = http.client.HTTPConnection('127.0.0.1', echo.http_port, timeout=20)
    connection.request(method, f'{ECHO}?{query}')
    response = connection.getresponse()
    assert response.status == 400
    assert f'"code":{code}' in response.read().decode()


@pytest.mark.parametrize('version', ['8', '14', ''])
def test_websocket_version(echo, version):
    with pytest.raises(Refused) as refused:
        WebSocket(echo, 'EIO=4&transport=websocket', path=ECHO, version=version)
    assert refused.value.status == 400


@pytest.mark.parametrize('origin, good', [('http://localhost', True), ('https://evil.example.com', False), ('null', False), (None, True)])
def test_origin(echo, origin, good):
    headers = [f'Origin: {origin}'] if origin else []
    try:
        Engine(echo, path=ECHO, headers=headers).close()
        assert good
    except Refused as refused:
        assert not good and refused.status == 403


# --- messages ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('size', [0, 1, 125, 126, 65535, 65536, 900000])
@pytest.mark.parametrize('kind', [str, bytes])
def test_echo_sizes(echo, size, kind):
    socket = Engine(echo, path=ECHO)
    message = '4' + 'a' * size if kind is str else b'\x00' * size
    socket.send(message)
    assert socket.next() == message
    socket.close()


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
    other.wait_end()
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


# --- bad frames --------------------------------------------------------------------------------------------------------------

BAD_FRAMES = {
    'unmasked': lambda s: s.frame('4x', mask=False),
    'reserved bits': lambda s: s.frame('4x', reserved=4),
    'unknown opcode': lambda s: s.frame('4x', opcode=3),
    'broken UTF-8': lambda s: s.frame(b'4\xff\xfe'),
    'surrogate': lambda s: s.frame(b'4\xed\xa0\x80'),
    'fragmented ping': lambda s: s.frame(b'', PING, final=False),
    'long ping': lambda s: s.frame(b'x' * 126, PING),
    'continuation of nothing': lambda s: s.frame('x', 0),
    'message inside a message': lambda s: (s.frame('4a', TEXT, final=False), s.frame('4b', TEXT)),
    'oversized': lambda s: s.raw(b'\x81\xff' + (2000000).to_bytes(8, 'big') + b'abcd' + b'x' * 2000),
    'endless': lambda s: s.raw(b'\x81\xff' + b'\xff' * 8 + b'abcd'),
    'oversized in pieces': lambda s: [s.frame(b'x' * 60000, BINARY if i == 0 else 0, final=False) for i in range(20)],
    'close of one byte': lambda s: s.frame(b'\x03', CLOSE),
    'no packet': lambda s: s.frame('abc'),
    'empty packet': lambda s: s.frame(''),
    'HTTP': lambda s: s.raw(b'GET / HTTP/1.1\r\n\r\n'),
}


@pytest.mark.parametrize('what', BAD_FRAMES)
def test_bad_frames_end_the_session(echo, what):
    socket = Engine(echo, path=ECHO)
    try:
        BAD_FRAMES[what](socket)
    except Ended:
        pass
    socket.wait_end()
    socket.close()


@pytest.mark.parametrize('body', [b'abc', b'', b'\x1e', b'4a\x1e', b'bAQ', b'b!!!!', b'9'])
def test_bad_polls_end_the_session(echo, body):
    polling = Polling(echo, ECHO)
    assert polling.post(body)[0] == 400
    assert polling.get()[0] == 400


BAD_PACKETS = ['abc', '7', '2{}', '2[1]', '2["connect"]', '2abc["a"]', '51-["a"', '599-["a"]', '4{}', '1{}', '0[]', '2["a"', '3[1]',
               '51-["a",{"_placeholder":true,"num":5}]']


@pytest.mark.parametrize('packet', BAD_PACKETS)
def test_bad_packets_end_the_session(echo, packet):
    socket = Socket(echo)
    assert socket.connected
    socket.send('4' + packet)
    if packet.startswith('51-["a"'):
        socket.send(b'1')
    socket.wait_end()
    socket.close()


def test_binary_out_of_turn_ends_the_session(echo):
    socket = Socket(echo)
    socket.send(b'what')
    socket.wait_end()
    other = Socket(echo)
    other.send('452-["message",{"_placeholder":true,"num":0}]')
    other.send('42["message"]')
    other.wait_end()


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


def test_who_says_nothing_is_closed(echo):
    before = counter(echo, 'realtime_timeouts')
    Engine(echo).wait_end()
    Engine(echo, path=ECHO).wait_end()
    polling = Polling(echo, ECHO)
    wait_until(lambda: counter(echo, 'realtime_timeouts') >= before + 3, 20)
    assert polling.get()[0] == 400


def test_all_sessions_are_let_go(echo):
    wait_until(lambda: counter(echo, 'realtime_sessions') == 0, 20)
