"""The frontend when its actors or it itself go: reads whose instance dies are sent again, writes are told 503, what takes too
long is 504, and a frontend that stops lets everybody finish."""
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import people
from harness.client import Client
from harness.h2 import H2Client
from harness.load import Load
from harness.wait import kill, wait_until

CHILDREN, ME, CONSENTS = '/api/v1/children', '/api/v1/users/me', '/api/v1/consents'


@pytest.fixture(scope='module')
def own(start_system):
    return start_system(settings={'http': {'request_timeout': '3s'}})


@pytest.fixture
def me(own):
    own.wait_ready()
    return people.demo(own, 'parent')


def counter(system, name):
    return sum(row['value'] for row in system.ctl('counters', '-j', 'frontend')['counters'] if row['name'] == name)


class Frozen:
    """A process that hangs: it takes requests and answers none."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def test_reads_are_sent_again(own, me):
    """Half of them wait for an instance that hangs, then dies: the other one answers them all."""
    victim = own.pids('children')[0]
    before = counter(own, 'resent')
    with H2Client(own, me.token) as h2, Frozen(victim):
        streams = [h2.send('GET', CHILDREN) for _ in range(20)]
        wait_until(lambda: counter(own, 'pending') > 0, 10, 'requests that wait')
        kill(victim)
        for stream in streams:
            h2.wait(stream).expect(200)
    assert counter(own, 'resent') > before
    own.wait_ready()


def test_writes_are_sent_again(own, me):
    """Under the same call, so that each is done once: as many rows as requests (41-once_test.py has it under harm)."""
    victim = own.pids('accounts')[0]
    before = counter(own, 'resent')
    with own.database() as database:
        rows = 'SELECT count(*) FROM accounts.consents WHERE user_id = %s'
        there = database.value(rows, me.id)
        with H2Client(own, me.token) as h2, Frozen(victim):
            streams = []

            def one_waits():
                streams.extend(h2.send('POST', CONSENTS, {'kind': 'marketing', 'granted': True}) for _ in range(3))
                return counter(own, 'pending') > 0  # of those of one turn mostly all are one instance's, which may be the other one
            wait_until(one_waits, 10, 'requests that wait')
            kill(victim)
            answers = [h2.wait(stream) for stream in streams]
        assert {answer.status for answer in answers} == {201}
        assert counter(own, 'resent') > before
        assert database.value(rows, me.id) - there == len(streams)
    own.wait_ready()


def test_deadline(own, me):
    """Nobody answers within request_timeout: 504, and a late answer disturbs nobody."""
    pids = own.pids('children')
    own.ctl('cache', 'flush')
    with Frozen(pids[0]), Frozen(pids[1]):
        began = time.monotonic()
        with H2Client(own, me.token) as h2:
            streams = [h2.send('GET', CHILDREN) for _ in range(6)]
            for stream in streams:
                answer = h2.wait(stream).expect(504, 'TIMEOUT')
                assert answer.header('retry-after')
            assert 2.9 < time.monotonic() - began < 8
            h2.get(ME).expect(200)
    own.wait_ready()
    me.client.get(CHILDREN).expect(200)
    assert counter(own, 'pending') == 0


def test_a_service_without_instances(own, me):
    """503 and never 404; what depends on it is named; the other services answer on."""
    own.ctl('stop', 'children')
    try:
        wait_until(lambda: Client(own).get('/readyz').status == 503, 10, 'readyz to notice')
        for client in (me.client, Client(own, me.token, tls=True)):
            answer = client.get(CHILDREN).expect(503, 'UNAVAILABLE')
            assert int(answer.header('retry-after')) >= 1
            client.get('/api/v1/childrens').expect(404)
            client.request('PUT', CHILDREN).expect(405)
            client.get(ME).expect(200)
        not_ready = Client(own).get('/readyz').expect(503, 'UNAVAILABLE')
        assert not_ready.fields == ['children'] and not_ready.header('retry-after')
        Client(own).get('/healthz').expect(200)
    finally:
        own.ctl('start', 'children')
    own.wait_ready()
    wait_until(lambda: me.client.get(CHILDREN).status == 200, 10)
    ready = Client(own).get('/readyz').expect(200)
    services = {row['service'] for row in own.instances()} - {'frontend', 'mailer', 'broker', 'accounts-hash'}  # which no client can call
    assert ready.data == {'status': 'ready', 'services': {service: {'ready': 2} for service in services}}


def test_a_drained_instance_gets_nothing_new(own, me):
    def requests_of(instance):
        return next(row['value'] for row in own.ctl('counters', '-j', 'children')['counters']
                    if row['name'] == 'calls' and row['instance'] == instance)

    own.ctl('drain', 'children.1')
    try:
        before = requests_of(1)
        for _ in range(20):
            me.client.get(CHILDREN).expect(200)
        assert requests_of(1) == before
    finally:
        own.ctl('start', 'children.1')
    own.wait_ready()


# --- a burst of connections ----------------------------------------------------------------------------------------------------

def of_each(system, name):
    """{instance: value} of a counter of the frontends."""
    return {row['instance']: row['value'] for row in system.ctl('counters', '-j', 'frontend')['counters'] if row['name'] == name}


def test_connections_are_spread(own):
    """A burst does not stay with the frontend that was awake: each takes its share, over TLS and without."""
    def connections():
        return sum(of_each(own, 'connections').values())

    kept = connections()
    for port in (own.http_port, own.https_port):
        burst = [socket.create_connection(('127.0.0.1', port)) for _ in range(32)]
        wait_until(lambda: connections() >= 32, 10, 'all of them accepted')
        first, second = of_each(own, 'connections').values()
        assert abs(first - second) <= 12, (first, second, kept)
        for connection in burst:
            connection.close()
        wait_until(lambda: connections() <= kept, 10, 'their end')


def test_nobody_waits_for_a_frontend_that_hangs(own):
    """The other one takes all connections, and soon does not step back for each of them."""
    victim, = (row for row in own.instances('frontend') if row['instance'] == 1)
    before, slowest = of_each(own, 'stepped_back')[2], 0
    with Frozen(victim['pid']):
        began = time.monotonic()
        kept = []
        for _ in range(100):
            client, start = Client(own), time.monotonic()
            client.get('/healthz').expect(200)
            slowest = max(slowest, time.monotonic() - start)
            kept.append(client)
        lasted = time.monotonic() - began
    assert slowest < 1, f'a connection waited {slowest:.2f} s'
    stepped = of_each(own, 'stepped_back')[2] - before
    assert stepped <= 10 + 10 * lasted / 0.5, f'stepped back {stepped} times in {lasted:.2f} s'
    own.wait_ready()
    for client in kept:
        client.close()


# --- stopping -----------------------------------------------------------------------------------------------------------------

class CurlLoad:
    """Requests over HTTP/2, many on each connection, by curl: it finishes what it has begun when the server says goodbye, and goes
    on over a new connection, as browsers do (python3-h2 does not read on after GOAWAY)."""

    def __init__(self, system, token):
        self.system, self.token, self.codes, self.statuses = system, token, [], set()
        self.ending = threading.Event()
        self.worker = threading.Thread(target=self.work, daemon=True)

    def work(self):
        url = f'https://127.0.0.1:{self.system.https_port}{CHILDREN}'
        while not self.ending.is_set():
            done = subprocess.run(
                ['curl', '-sk', '--http2', '-H', f'authorization: Bearer {self.token}', '-w', '%{http_code}\n',
                 *(['-o', '/dev/null', url] * 200)], stdout=subprocess.PIPE, text=True, check=False)
            self.statuses.add(done.returncode)
            self.codes += done.stdout.split()

    def __enter__(self):
        self.worker.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.worker.join(60)


def test_restart_of_frontends_loses_nothing(own, me):
    calls = {'read': lambda client: client.get(CHILDREN), 'write': lambda client: client.patch(ME, {'language': 'ko'}),
             'new': lambda client: (client.close(), client.get('/healthz'))[1]}
    before = own.pids('frontend')
    with Load(own, me.token, calls) as load, CurlLoad(own, me.token) as curl:
        load.goes_on()
        own.ctl('restart', 'frontend', timeout=120)
        wait_until(lambda: not set(own.pids('frontend')) & set(before), 60, 'new frontends')
        own.wait_ready()
        load.goes_on()
    assert not load.failures, (len(load.failures), load.total, load.failures[:5])
    assert set(curl.codes) == {'200'} and curl.statuses == {0}, (len(curl.codes), set(curl.codes), curl.statuses)


def test_idle_connections_do_not_hold_up_a_stop(own, me):
    """They are ended after a moment, long before the hard deadline; a request under way is still answered."""
    idle = [Client(own, me.token) for _ in range(10)]
    for client in idle:
        client.get('/healthz').expect(200)
    quiet = [H2Client(own, me.token) for _ in range(5)]
    pids = own.pids('frontend')
    began = time.monotonic()
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not set(own.pids('frontend')) & set(pids), 20, 'new frontends')
    assert time.monotonic() - began < 6
    own.wait_ready()
    for client in idle:
        client.get(CHILDREN).expect(200)
    for client in quiet:
        client.close()


def test_stop_without_connections_is_quick(own):
    own.wait_ready()
    pids = own.pids('frontend')
    began = time.monotonic()
    os.kill(pids[0], signal.SIGTERM)
    wait_until(lambda: pids[0] not in own.pids('frontend'), 10, 'its end')
    assert time.monotonic() - began < 5
    own.wait_ready()
