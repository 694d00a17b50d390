"""peers: other implementations of a part of the API, to be measured beside ours in the same run. AIPOTEN_PEERS=DIR (or --peers) names
their folder, which is not part of this repository; it has up.sh, services.sh and one folder for each peer.

They run from a copy below build/bench, since npm writes beside their sources; with PostgreSQL and Redis of their own, two workers
each, our certificate, and as many streams on a connection as suits them best. Without the folder, npm or its registry the bench says
so and goes on without them."""
import http.client
import json
import os
import secrets
import shutil
import subprocess
import tempfile

import gauge
from bare import fetch, tls_files
from harness.client import insecure_tls
from harness.database import Database
from harness.system import ROOT, free_port

NAMES = {'fastify': 'Fastify', 'nest': 'NestJS'}  # folder: what it is called in the report
STREAMS = (1, 4, 8, 16, 32)
# Over HTTP/1.1 h2load does not always end with its time; with a number of requests it does.
OVER_HTTP1, FEW = ('nest',), 1000
WORKERS = 2
COPY = os.path.join(ROOT, 'build', 'bench', 'peers')
ACCOUNT = {'email': 'parent1@example.com', 'password': 'Aipoten123!'}


class Absent(Exception):
    """str() says why there are no peers."""


class Peers:
    """with Peers(directory, system, clients) as peers: … ; raises Absent before anything runs. `names`: which of them; without `tls` they
    speak plain HTTP."""

    def __init__(self, directory, system, clients, names=tuple(NAMES), tls=True):
        if not directory:
            raise Absent('no peers: AIPOTEN_PEERS does not name their folder')
        if not os.path.exists(os.path.join(directory, 'up.sh')):
            raise Absent(f'no peers: there is no up.sh in {directory}')
        if not shutil.which('npm'):
            raise Absent('no peers: npm is not installed')
        self.directory, self.clients, self.ports, self.best, self.rates = directory, clients, {}, {}, {}
        self.names, self.secret = names, secrets.token_hex(32)
        certificate, key = tls_files(system) if tls else ('', '')
        self.tls = tls
        self.var = tempfile.mkdtemp(prefix='aipoten-peers.', dir=os.environ.get('AIPOTEN_TEST_DIRECTORY'))
        os.chmod(self.var, 0o755)
        self.environment = {**os.environ, 'PEER_VAR': self.var, 'PEER_PG_PORT': str(free_port()), 'PEER_REDIS_PORT': str(free_port()),
                            'TLS_CERT': certificate, 'TLS_KEY': key, 'RATE_LIMIT': 'off', 'JWT_SECRET': self.secret}
        for given in ('DATABASE_URL', 'REDIS_URL'):
            self.environment.pop(given, None)

    def run(self, *command):
        with tempfile.TemporaryFile() as out:  # a pipe would stay open in what it leaves running
            done = subprocess.run(command, cwd=COPY, env=self.environment, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT, check=False)
            out.seek(0)
            said = out.read().decode('utf-8', 'replace')
        if done.returncode != 0:
            raise Absent(f'no peers: {" ".join(command)} ended with {done.returncode}: {said[-600:]}')
        return said

    def __enter__(self):
        try:
            shutil.copytree(self.directory, COPY, dirs_exist_ok=True, ignore=shutil.ignore_patterns('node_modules', 'dist', '.var'))
            for name in self.names:
                self.run('./up.sh', 'build', name)
            said = self.run('./services.sh', 'up')
            self.database_url, self.redis_url = (next(line.split('=', 1)[1] for line in said.splitlines()
                                                      if line.startswith(f'export {what}=')) for what in ('DATABASE_URL', 'REDIS_URL'))
            for name in self.names:
                self.ports[name] = free_port()
                self.run('./up.sh', name, *(['--tls'] if self.tls else []), '--workers', str(WORKERS), '--port', str(self.ports[name]))
            with Database(self.database_url) as database:
                self.postmaster = gauge.postmaster_of(database)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for command in (*(('./up.sh', 'stop', name) for name in self.names), ('./services.sh', 'down')):
            subprocess.run(command, cwd=COPY, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.var, ignore_errors=True)

    # --- one of them ---------------------------------------------------------------------------------------------------

    def pids(self, name):
        with open(os.path.join(self.var, f'{name}.pid'), encoding='ascii') as file:
            first = int(file.read())
        return [first, *gauge.children_of(first)]

    def token(self, name):
        """A fresh one: theirs live 15 minutes."""
        connection = http.client.HTTPSConnection('127.0.0.1', self.ports[name], timeout=30, context=insecure_tls(['http/1.1']))
        connection.request('POST', '/api/v1/auth/login', json.dumps(ACCOUNT), {'content-type': 'application/json'})
        response = connection.getresponse()
        said = response.read()
        connection.close()
        if response.status != 200:
            raise RuntimeError(f'{name} lets nobody log in: {response.status} {said[:300]!r}')
        return json.loads(said)['data']['accessToken']

    def headers(self, name, with_token):
        return [f'authorization: Bearer {self.token(name)}'] if with_token else []

    def size(self, name, path, with_token=False):
        """Bytes of its answer's body."""
        pairs = dict(header.split(': ', 1) for header in self.headers(name, with_token))
        return len(fetch(self.ports[name], path, pairs)[1])

    def load(self, name, path, streams, headers, seconds):
        """A round; over HTTP/1.1 of as many requests as it answers in that time, as far as is known."""
        size = {'seconds': seconds}
        if name in OVER_HTTP1:
            size = {'total': max(FEW, int(self.rates.get((name, path), 0) * seconds)), 'more': ['--h1']}
        try:
            took = gauge.measure(self.pids(name), self.postmaster, f'https://127.0.0.1:{self.ports[name]}{path}', clients=self.clients,
                                 streams=streams, headers=headers, **size)
        except subprocess.TimeoutExpired:
            return None
        self.rates[name, path] = max(took.rate, self.rates.get((name, path), 0))
        return took

    def measure(self, name, path, seconds, with_token=False):
        """A round with the number of streams that suits it best for this, which is tried out at its first round."""
        headers = self.headers(name, with_token)
        if (name, path) not in self.best:
            self.load(name, path, 8, headers, 2)  # its compiler warms up
            tried = {streams: self.load(name, path, streams, headers, 2) for streams in STREAMS}
            self.best[name, path] = max((took.rate, streams) for streams, took in tried.items() if took and not took.bad)[1]
        took = self.load(name, path, self.best[name, path], headers, seconds)
        if took is None:
            raise RuntimeError(f'{name} does not answer {path}')
        return took
