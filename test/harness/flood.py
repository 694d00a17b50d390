"""flood: clients that misbehave, from an address of their own (127.0.0.0/8 is all loopback): bytes by hand, as many as they like."""
import contextlib
import functools
import socket
import ssl
import struct

from .client import insecure_tls
from .workers import Workers

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
CALM = 11  # ENHANCE_YOUR_CALM
GONE = (OSError, ssl.SSLError)
LOGIN, CANCEL = '/api/v1/auth/login', struct.pack('>I', 8)


def frame(kind, flags=0, stream=0, payload=b''):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


def literal(name, value):
    """A header field that no table has and none keeps (RFC 7541, 6.2.2)."""
    def text(said):
        return (bytes([len(said)]) if len(said) < 127 else bytes([127]) + varint(len(said) - 127)) + said
    return b'\0' + text(name) + text(value)


def varint(number):
    out = b''
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def head(path='/healthz', method='GET', tls=False, fields=b''):
    """A header block."""
    return (b'\x82' if method == 'GET' else b'\x83') + (b'\x87' if tls else b'\x86') + \
        literal(b':path', path.encode()) + literal(b':authority', b'x') + fields


def request(stream, block, end=True):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)


def resets(tls, path='/healthz', count=2000):
    return b''.join(request(stream, head(path, tls=tls)) + frame(RST_STREAM, 0, stream, CANCEL) for stream in range(1, 2 * count, 2))


def made_resets(tls):
    """Frames for which the server itself must reset a stream whose request is at work (CVE-2025-8671)."""
    return b''.join(request(stream, head(tls=tls)) + frame(DATA, END_STREAM, stream) for stream in range(1, 2000, 2))


FLOODS = {
    'rapid_reset': resets,
    'rapid_reset made by the server': made_resets,
    'ping_flood': lambda tls: frame(PING, 0, 0, b'12345678') * 1000,
    'settings_flood': lambda tls: frame(SETTINGS) * 1000,
    'continuation_flood': lambda tls: frame(HEADERS, END_STREAM, 1, head(tls=tls)) + frame(CONTINUATION, 0, 1) * 1000,
    'data_flood': lambda tls: request(1, head(LOGIN, 'POST', tls), end=False) + frame(DATA, 0, 1) * 6000,
    'window_flood': lambda tls: frame(WINDOW_UPDATE, 0, 0, struct.pack('>I', 1)) * 6000,
    'priority_flood': lambda tls: request(1, head(tls=tls)) + frame(PRIORITY, 0, 1, struct.pack('>IB', 0, 9)) * 2000,
    'frame_flood': lambda tls: frame(77, 0, 1, b'x') * 1000,
    'bad_requests': lambda tls: b''.join(request(stream, head(tls=tls, fields=literal(b'x', b'\x01'))) for stream in range(1, 199, 2)),
}


@functools.cache
def context_of(protocol):
    """Made once: that costs more than a handshake."""
    return insecure_tls([protocol])


class Attacker:
    """A connection from `source`. HTTP/2 unless `http1`."""

    def __init__(self, system, source, tls=False, http1=False, settings=b'', receive_buffer=None, handshake=True):
        self.tls = tls
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        self.socket.bind((source, 0))
        self.socket.connect(('127.0.0.1', system.https_port if tls else system.http_port))
        if tls and handshake:
            self.socket = context_of('http/1.1' if http1 else 'h2').wrap_socket(self.socket, server_hostname='localhost')
        if not http1 and handshake:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data):
        self.socket.sendall(data)
        return self

    def rest(self, timeout=30):
        """All that comes until the server ends the connection."""
        said = b''
        self.socket.settimeout(timeout)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while part := self.socket.recv(65536):
                said += part
        return said

    def end(self, timeout=30):
        """The error of the server's GOAWAY, when it had time for one; then the connection is gone."""
        said, error = self.rest(timeout), None
        while len(said) >= 9:
            length = int.from_bytes(said[:3], 'big')
            if said[3] == GOAWAY:
                error = int.from_bytes(said[13:17], 'big')
            said = said[9 + length:]
        return error

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def is_welcome(system, source, tls=False):
    """May this address connect and ask?"""
    try:
        with Attacker(system, source, tls) as client:
            client.send(request(1, head(tls=tls)))
            client.socket.settimeout(10)
            return bool(client.socket.recv(9))
    except GONE:
        return False


class Flood(Workers):
    """Threads, each with its own address, that send `data` over one connection after the other as fast as they can."""

    def __init__(self, system, sources, data, tls=False):
        super().__init__()
        self.system, self.data, self.tls = system, data, tls
        self.connections, self.refused = 0, 0
        for source in sources:
            self.start_with(self.work, source)

    def work(self, source):
        while not self.ending.is_set():
            try:
                with Attacker(self.system, source, self.tls) as attacker:
                    self.connections += 1
                    while not self.ending.is_set():
                        attacker.send(self.data)
            except GONE:
                self.refused += 1
                self.ending.wait(0.01)

