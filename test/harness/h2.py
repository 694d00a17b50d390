"""h2: an HTTP/2 client of one blocking connection, by python3-h2: over TLS (ALPN) or plain with prior knowledge. For what
HTTP/1.1 cannot show: several streams at once, resets, frames by hand."""
import json
import socket

import h2.config
import h2.connection
import h2.errors
import h2.events

from .answer import Answer
from .client import TIMEOUT, insecure_tls


class Reset(Exception):
    """The server reset the stream, or closed the connection."""


class H2Client:
    def __init__(self, system, token=None, tls=True, check=True, validate=True):
        self.system, self.token, self.check = system, token, check
        port = system.https_port if tls else system.http_port
        self.scheme = 'https' if tls else 'http'
        self.authority = f'127.0.0.1:{port}'
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=TIMEOUT)
        if tls:
            self.socket = insecure_tls(['h2']).wrap_socket(self.socket, server_hostname='localhost')
            assert self.socket.selected_alpn_protocol() == 'h2', 'the server does not speak HTTP/2'
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding='utf-8', validate_outbound_headers=validate,
            normalize_outbound_headers=validate, validate_inbound_headers=False))
        self.connection.initiate_connection()
        self.streams = {}
        self.closed = False
        self.flush()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- sending ---------------------------------------------------------------------------------------------------

    def send(self, method, path, body=None, *, raw=None, headers=None, token=None):
        """Opens a stream; its number. Several may be open at once."""
        send = {'accept': 'application/json'}
        token = token if token is not None else self.token
        if token:
            send['authorization'] = f'Bearer {token}'
        if body is not None:
            raw = json.dumps(body, ensure_ascii=False).encode()
            send['content-type'] = 'application/json'
        send.update(headers or {})
        stream = self.connection.get_next_available_stream_id()
        fields = [(':method', method), (':scheme', self.scheme), (':authority', self.authority), (':path', path)]
        fields += [(name, value) for name, value in send.items() if value is not None]
        self.streams[stream] = {'method': method, 'path': path, 'headers': [], 'body': b'', 'done': False, 'reset': None}
        self.connection.send_headers(stream, fields, end_stream=not raw)
        self.flush()
        if raw:
            self.send_body(stream, raw)
        return stream

    def send_body(self, stream, raw):
        """By the server's window; stops early when the answer came before the whole body was read."""
        state = self.streams[stream]
        while raw and not state['done']:
            room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
            if room <= 0:
                self.receive()
                continue
            part, raw = raw[:room], raw[room:]
            self.connection.send_data(stream, part, end_stream=not raw)
            self.flush()

    # --- receiving -------------------------------------------------------------------------------------------------

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            self.closed = True
            raise Reset('the server closed the connection')
        for event in self.connection.receive_data(data):
            self.take(event)
        self.flush()

    def take(self, event):
        state = self.streams.get(getattr(event, 'stream_id', None))
        if isinstance(event, h2.events.ConnectionTerminated):
            self.closed = True
        if state is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            state['headers'] = event.headers
        elif isinstance(event, h2.events.DataReceived):
            state['body'] += event.data
            self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            state['done'] = True
        elif isinstance(event, h2.events.StreamReset):
            state['reset'], state['done'] = event.error_code, True

    def wait(self, stream):
        state = self.streams[stream]
        while not state['done']:
            self.receive()
        del self.streams[stream]
        status = next((int(value) for name, value in state['headers'] if name == ':status'), None)
        if status is None:
            raise Reset(f'stream reset with {state["reset"]}')
        fields = [(name, value) for name, value in state['headers'] if not name.startswith(':')]
        return Answer(status, fields, state['body'], state['method'], state['path'], '2')

    def request(self, method, path, body=None, check=None, **options):
        answer = self.wait(self.send(method, path, body, **options))
        if self.check if check is None else check:
            self.system.openapi.check(answer)
        return answer

    def get(self, path, **options):
        return self.request('GET', path, **options)

    def post(self, path, body=None, **options):
        return self.request('POST', path, body, **options)
