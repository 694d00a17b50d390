"""bare: bench-bare (bare.c) answering with what our system answers, so that what is compared is the way of an answer, not its bytes."""
import http.client
import os
import subprocess
import time

from gauge import children_of
from harness.client import insecure_tls
from harness.system import BUILD, free_port
from harness.wait import kill, wait_until

OWN_HEADERS = ('connection', 'content-length', 'date')  # libh2o makes them itself, on both sides
CHANGING = ('x-request-id',)


def fetch(port, path, headers):
    """(header pairs, body) of one answer over TLS, as it came."""
    connection = http.client.HTTPSConnection('127.0.0.1', port, timeout=10, context=insecure_tls(['http/1.1']))
    try:
        connection.request('GET', path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f'GET {path}: {response.status} {body[:300]!r}')
        return [(name.lower(), value) for name, value in response.getheaders() if name.lower() not in OWN_HEADERS], body
    finally:
        connection.close()


def tls_files(system):
    return os.path.join(system.var, 'tls', 'certificate.pem'), os.path.join(system.var, 'tls', 'key.pem')


class Bare:
    """Two processes, as our two frontends."""

    def __init__(self, system, path, headers, processes=2):
        self.port = free_port()
        self.answer = os.path.join(system.var, f'bare.{self.port}')
        pairs, body = fetch(system.https_port, path, headers)
        self.bytes, self.headers = len(body), pairs
        with open(self.answer, 'wb') as file:
            file.write(''.join(f'{name}: {value}\r\n' for name, value in pairs).encode('latin-1') + b'\r\n' + body)
        self.process = subprocess.Popen([os.path.join(BUILD, 'bin', 'bench-bare'), str(self.port), *tls_files(system), str(processes),
                                         self.answer])
        wait_until(lambda: len(children_of(self.process.pid)) == processes, 10, 'bench-bare')
        self.pids = children_of(self.process.pid)
        time.sleep(0.1)
        self.compare(path, headers, pairs, body)

    def compare(self, path, headers, pairs, body):
        theirs, their_body = fetch(self.port, path, headers)
        without = [sorted(pair for pair in which if pair[0] not in CHANGING) for which in (pairs, theirs)]
        if without[0] != without[1] or body != their_body:
            self.stop()
            raise RuntimeError(f'bench-bare does not answer as the system does: {without}')

    @property
    def url(self):
        return f'https://127.0.0.1:{self.port}'

    def stop(self):
        kill(self.process.pid)
        self.process.wait()
        os.unlink(self.answer)
