"""realtime: clients of /socket.io/ by hand: WebSocket frames byte for byte, polls, and Engine.IO and Socket.IO on top of both."""
import base64
import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

from .system import ROOT

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
CLIENT = {'socket.io-client': '4.8.1', 'ws': '8.18.0'}  # from npm
# The protocols' own test suites: the commits that are fetched. Git's url.*.insteadOf has them from elsewhere.
SUITES_FROM = 'https://github.com/socketio/{}-protocol'
SUITES = {'engine.io': 'f21de7b00ed09b3bbad2807db718ea5d6bc36aba', 'socket.io': '4f633dd6a4445492d57af3b27ddd2d336014f1f1'}


class Ended(Exception):
    """The connection is over."""


class Refused(Exception):
    """No WebSocket: status and body of the answer."""

    def __init__(self, status, body):
        super().__init__(f'{status} {body[:200]}')
        self.status, self.body = status, body


class WebSocket:
    """One connection. send() masks as clients must; raw() sends whatever it is given."""

    def __init__(self, system, query, path='/socket.io/', headers=(), tls=False, version='13', timeout=20, receive_buffer=None,
                 source=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout)
        self.socket.connect(('127.0.0.1', system.https_port if tls else system.http_port))
        if tls:
            context = ssl._create_unverified_context()
            self.socket = context.wrap_socket(self.socket, server_hostname='localhost')
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f'GET {path}?{query} HTTP/1.1', 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
                 f'Sec-WebSocket-Key: {key}', f'Sec-WebSocket-Version: {version}', *headers]
        self.socket.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
        self.bytes = b''
        while b'\r\n\r\n' not in self.bytes:
            self.read_more()
        head, self.bytes = self.bytes.split(b'\r\n\r\n', 1)
        if not head.startswith(b'HTTP/1.1 101'):
            try:
                while True:
                    self.read_more()
            except (Ended, TimeoutError):
                raise Refused(int(head.split()[1]), self.bytes.decode('utf-8', 'replace'))
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest())
        assert b'sec-websocket-accept: ' + accept in head, head

    def read_more(self):
        try:
            more = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError, BrokenPipeError) as error:
            raise Ended from error
        if not more:
            raise Ended
        self.bytes += more

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError, BrokenPipeError) as error:
            raise Ended from error

    def frame(self, payload, opcode=TEXT, final=True, mask=True, reserved=0):
        """Sends one frame, sound or not."""
        payload = payload.encode() if isinstance(payload, str) else payload
        head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
        bit = 0x80 if mask else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack('>H', len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack('>Q', len(payload))
        if mask:
            key = os.urandom(4)
            head += key
            mask = int.from_bytes((key * (len(payload) // 4 + 1))[:len(payload)], 'big')
            payload = (int.from_bytes(payload, 'big') ^ mask).to_bytes(len(payload), 'big')
        self.raw(head + payload)

    def send(self, message):
        self.frame(message, TEXT if isinstance(message, str) else BINARY)

    def take(self, count):
        while len(self.bytes) < count:
            self.read_more()
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def receive_frame(self):
        head, length = self.take(2)
        assert not length & 0x80, 'a server masks nothing'
        if length == 126:
            length = struct.unpack('>H', self.take(2))[0]
        elif length == 127:
            length = struct.unpack('>Q', self.take(8))[0]
        return head & 15, self.take(length)

    def receive(self):
        """The next message: str or bytes. Ended when a close frame comes; its code is then in self.code."""
        while True:
            opcode, payload = self.receive_frame()
            if opcode == CLOSE:
                self.code = struct.unpack('>H', payload[:2])[0] if payload else None
                raise Ended
            if opcode in (TEXT, BINARY):
                return payload.decode() if opcode == TEXT else payload

    def wait_end(self):
        """Reads until the connection is over: everything that came before."""
        got = []
        try:
            while True:
                got.append(self.receive())
        except Ended:
            return got

    def close(self):
        self.socket.close()


def server_of(system, connection):
    """The pid of the frontend that holds the other end of a connection to the plain port."""
    ends = tuple(f'0100007F:{port:04X}' for port in (system.http_port, connection.socket.getsockname()[1]))
    with open('/proc/net/tcp', encoding='ascii') as file:
        inode = next(row[9] for row in map(str.split, file) if (row[1], row[2]) == ends)
    for pid in system.pids('frontend'):
        for name in os.listdir(f'/proc/{pid}/fd'):
            try:
                if os.readlink(f'/proc/{pid}/fd/{name}') == f'socket:[{inode}]':
                    return pid
            except FileNotFoundError:
                continue
    return None


class Engine(WebSocket):
    """An Engine.IO session over a WebSocket; pings are answered while receiving."""

    def __init__(self, system, sid=None, **options):
        super().__init__(system, 'EIO=4&transport=websocket' + (f'&sid={sid}' if sid else ''), **options)
        if not sid:
            opened = self.receive()
            assert opened.startswith('0'), opened
            self.opened = json.loads(opened[1:])

    def next(self, within=120):
        deadline = time.monotonic() + within
        while True:
            message = self.receive()
            if message != '2':
                return message
            assert time.monotonic() < deadline, 'nothing came but pings'
            self.send('3')

    def cut_off(self, timeout=20):
        """The code that the server ends it with, None without one. Pings are answered: it is not for silence that it ends. What it
        says before that is in self.heard."""
        deadline, self.code, self.heard = time.monotonic() + timeout, None, []
        try:
            while time.monotonic() < deadline:
                message = self.receive()
                if message != '2':
                    self.heard.append(message)
                    continue
                with contextlib.suppress(Ended):  # what it said last is still to be read
                    self.send('3')
        except Ended:
            return self.code
        raise AssertionError(f'the server did not end it within {timeout} s')


class Socket(Engine):
    """A Socket.IO client in the namespace "/", with a token."""

    def __init__(self, system, token=None, auth=None, **options):
        super().__init__(system, **options)
        auth = auth if auth is not None else {'token': token} if token else None
        self.send('40' + (json.dumps(auth) if auth is not None else ''))
        self.answer = self.next()
        self.sequence = 0
        self.events = []

    @property
    def connected(self):
        return self.answer.startswith('40')

    @property
    def refusal(self):
        return json.loads(self.answer[2:])['message']

    def event(self):
        """The next event: [name, arguments…]."""
        if self.events:
            return self.events.pop(0)
        message = self.next()
        assert message.startswith('42'), message
        return json.loads(message[2:])

    def emit(self, *event):
        self.send('42' + json.dumps(event))

    def ask(self, *event):
        """What acknowledges the event; events that come before it are kept for event()."""
        self.sequence += 1
        self.send(f'42{self.sequence}' + json.dumps(event))
        while True:
            message = self.next()
            if message.startswith(f'43{self.sequence}['):
                return json.loads(message[2 + len(str(self.sequence)):])[0]
            assert message.startswith('42'), message
            self.events.append(json.loads(message[2:]))


class Polling:
    """An Engine.IO session by polls, each over a connection of its own, so that they reach whichever frontend."""

    def __init__(self, system, path='/socket.io/', headers=None):
        self.system, self.path, self.headers = system, path, headers or {}
        self.sid = None
        status, body = self.get()
        if status == 200:
            self.opened = json.loads(body[1:].split('\x1e')[0])
            self.sid = self.opened['sid']
        self.status, self.body = status, body

    def request(self, method, body=None, query='', timeout=60):
        connection = http.client.HTTPConnection('127.0.0.1', self.system.http_port, timeout=timeout)
        sid = f'&sid={self.sid}' if self.sid else ''
        connection.request(method, f'{self.path}?EIO=4&transport=polling{sid}{query}', body, self.headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    def get(self, **options):
        return self.request('GET', **options)

    def post(self, body, **options):
        return self.request('POST', body, **options)

    def connect(self, token):
        """To the namespace "/"; what answers it."""
        assert self.post('40' + json.dumps({'token': token})) == (200, 'ok')
        status, body = self.get()
        assert status == 200, body
        return body

    @property
    def generation(self):
        """Of the frontend that has the session: its sid begins with it."""
        return int(self.sid[:16], 16)


def installed(home):
    """Is each package there, of its version?"""
    for name, version in CLIENT.items():
        package = os.path.join(home, 'node_modules', name, 'package.json')
        if not os.path.exists(package) or json.load(open(package, encoding='utf-8'))['version'] != version:
            return False
    return True


def node_home():
    """Where the stock client is; installed once below build/, and again when another version is wanted. None without npm."""
    home = os.path.join(ROOT, 'build', 'node-realtime')
    os.makedirs(home, exist_ok=True)
    with open(f'{home}.lock', 'w', encoding='ascii') as lock:  # files of tests run beside each other
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed(home):
            return home
        wanted = [f'{name}@{version}' for name, version in CLIENT.items()]
        try:
            subprocess.run(['npm', 'install', '--no-save', '--no-audit', '--no-fund', '--prefix', home, *wanted], check=True, timeout=300)
        except (OSError, subprocess.SubprocessError):
            return None
        return home


def suite_home(protocol):
    """Where a protocol's public test suite is, with what it needs; fetched once below build/. None: there is no network for that."""
    home = os.path.join(ROOT, 'build', 'suites', protocol)
    suite, done = os.path.join(home, 'test-suite'), os.path.join(home, f'{SUITES[protocol]}.done')
    if os.path.exists(done):
        return suite
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    for *command, where in (['git', 'init', '-q', home],
                            ['git', 'fetch', '-q', '--depth', '1', SUITES_FROM.format(protocol), SUITES[protocol], home],
                            ['git', 'checkout', '-q', SUITES[protocol], home],
                            ['npm', 'ci', '--no-audit', '--no-fund', suite]):
        try:
            subprocess.run(command, cwd=where, check=True, timeout=120, stdin=subprocess.DEVNULL, capture_output=True,
                           env={**os.environ, 'GIT_TERMINAL_PROMPT': '0'})
        except (OSError, subprocess.SubprocessError):
            return None
    with open(done, 'w', encoding='ascii'):
        return suite


class Stock:
    """The stock Socket.IO client, several of them in one process of Node.js: what they say of themselves is kept, in order."""

    def __init__(self, home):
        self.process = subprocess.Popen(['node', os.path.join(ROOT, 'test', 'harness', 'socket_client.mjs'), home],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env={**os.environ, 'NODE_TLS_REJECT_UNAUTHORIZED': '0', 'NODE_NO_WARNINGS': '1'})
        self.told, self.answers = [], {}
        self.changed = threading.Condition()
        self.sequence = 0
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            said = json.loads(line)
            with self.changed:
                if 'answer' in said:
                    self.answers[said['id']] = said['answer']
                elif 'on' in said:
                    self.told.append(said)
                self.changed.notify_all()

    def order(self, **order):
        self.process.stdin.write(json.dumps(order) + '\n')

    def open(self, name, url, **options):
        self.order(do='open', name=name, url=url, options={'reconnectionDelay': 100, 'reconnectionDelayMax': 500, 'forceNew': True,
                                                           **options})

    def emit(self, name, event, *arguments):
        """What acknowledges it."""
        self.sequence += 1
        number = self.sequence
        self.order(do='emit', id=number, name=name, event=event, arguments=list(arguments))
        with self.changed:
            assert self.changed.wait_for(lambda: number in self.answers, 30), f'{event} was not acknowledged'
            return self.answers.pop(number)

    def of(self, name, event):
        """The arguments of all that this client told of this event."""
        with self.changed:
            return [said['arguments'] for said in self.told if said['name'] == name and said['on'] == event]

    def trail(self, name):
        """What a client told of itself, in short."""
        return ' '.join(said['on'] if said['on'] == 'new_notification' else f"{said['on']}{said['arguments']}"
                        for said in self.told if said['name'] == name)

    def wait(self, name, event, count=1, timeout=60):
        """The same, when there are so many."""
        def found():
            return [said['arguments'] for said in self.told if said['name'] == name and said['on'] == event]
        with self.changed:
            assert self.changed.wait_for(lambda: len(found()) >= count, timeout), f'{name}: {len(found())} of {count} {event}: {self.trail(name)}'
            return found()

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
