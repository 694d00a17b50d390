"""What the system survives under steady mixed traffic while nobody notices: every actor instance killed in turn, frontends, the
supervisor, Redis; everything replaced, by itself and by another release with other rows. Each answer is held against the database.

Some seconds each, a minute with --long. AIPOTEN_SEED repeats a run."""
import contextlib
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

from harness import people
from harness.killer import Killer, seed_of_run
from harness.ledger import check_all, said
from harness.release import make_release
from harness.traffic import CHILDREN, UNKNOWN, Traffic
from harness.wait import wait_until

# A second; with --long h2load makes most of the reads, since a thousand requests a second are more than Python can follow.
SHORT, LONG = {'rate': 60, 'read_rate': 140, 'readers': 8}, {'rate': 150, 'read_rate': 50, 'readers': 4}
SWARM = {'rate': 800, 'clients': 16, 'streams': 10}
DURATIONS = [4, pytest.param(60, marks=pytest.mark.long)]
FRONT = ('frontend', 'broker')


@pytest.fixture(scope='module')
def own(start_system):
    return start_system(settings={
        'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'},
        # An upgrade has twice the actors, 28 with tables, and each needs one for reading: what is left must go round.
        'database': {'connections': 40},
        # As in 60-killer: held longer than a slow build needs to start an instance, and never taken for what kills.
        'http': {'losses_most': 100, 'patience': '10s', 'request_timeout': '20s', 'drain_timeout': '5s'},
        'mail': {'timeout': '2s', 'retry_first': '100ms', 'retry_most': '500ms', 'requeue': '500ms', 'attempts': 50}})


class Run:
    """Traffic, somebody to kill, and seconds until the end."""

    def __init__(self, own, seconds, swarm=True):
        """swarm: with --long, also h2load's reads; not where frontends are replaced or killed, since its connections end then."""
        self.own, self.seconds = own, seconds
        self.seed = seed_of_run()
        self.killer = Killer(own, random.Random(self.seed))
        long = seconds >= 60
        self.traffic = Traffic(own, seed=self.seed, **(LONG if long else SHORT))
        self.swarm = Swarm(own, seconds) if long and swarm else contextlib.nullcontext()

    def __enter__(self):
        self.traffic.__enter__()
        self.swarm.__enter__()
        return self

    def __exit__(self, kind, *rest):
        self.swarm.__exit__(kind, *rest)
        self.traffic.__exit__(kind, *rest)
        print(f'{len(self.traffic.attempts) / self.traffic.took:.0f} requests a second by Python')
        if kind is None:
            check_all(self.own, self.traffic, self.killer)

    def goes_on(self, more=40):
        target = len(self.traffic.attempts) + more
        wait_until(lambda: len(self.traffic.attempts) >= target, 30, 'the traffic to go on')


class Swarm:
    """800 reads a second over HTTP/2 and TLS by h2load, for so long; its connections must not be ended, for it makes no new ones."""

    def __init__(self, own, seconds):
        self.person, self.seconds = people.newcomer(own), seconds
        child = self.person.child()['id']
        self.uris = tempfile.NamedTemporaryFile('w', suffix='.uris')  # pylint: disable=consider-using-with
        for path in (CHILDREN, f'{CHILDREN}/{child}', '/api/v1/videos?age=24', '/api/v1/users/me', f'{CHILDREN}/{child}/measurements'):
            self.uris.write(f'https://127.0.0.1:{own.https_port}{path}\n')
        self.uris.flush()

    def __enter__(self):
        self.process = subprocess.Popen(
            ['h2load', '-c', str(SWARM['clients']), '-m', str(SWARM['streams']), '--rps', str(SWARM['rate'] / SWARM['clients']),
             '--duration', str(self.seconds), '-H', f'authorization: Bearer {self.person.token}', '-i', self.uris.name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return self

    def __exit__(self, kind, *_):
        said = self.process.communicate(timeout=self.seconds + 60)[0]
        self.uris.close()
        if kind is not None:
            return
        good = int(re.search(r'status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx', said).group(1))
        assert re.search(r', 0 failed, 0 errored, 0 timeout', said), said
        print(f'{good} reads by h2load, all answered')
        assert good > SWARM['rate'] * self.seconds / 3, said


class Dialer:
    """Opens one connection after the other, over TLS and HTTP/2: none may be refused or broken. curl finishes what it has begun
    when the server says GOAWAY, and goes on over a new connection, as browsers do."""

    def __init__(self, own, token):
        self.own, self.token, self.codes, self.statuses = own, token, [], []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        url = f'https://127.0.0.1:{self.own.https_port}{CHILDREN}'
        while not self.ending.is_set():
            done = subprocess.run(['curl', '-sk', '--http2', '-H', f'authorization: Bearer {self.token}', '-w', '%{http_code}\n',
                                   *(['-o', '/dev/null', url] * 50)], stdout=subprocess.PIPE, text=True, check=False)
            self.statuses.append(done.returncode)
            self.codes += done.stdout.split()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(60)
        print(f'{len(self.codes)} requests over {len(self.statuses)} HTTP/2 connections')
        assert set(self.codes) == {'200'} and set(self.statuses) == {0}, (set(self.codes), set(self.statuses))


def nobody_noticed(traffic):
    failures = traffic.failures()
    assert not failures, (len(failures), [said(attempt) for attempt in failures[:10]])


def replaced(own, before):
    rows = own.instances()
    return len(rows) == len(before) and not set(before) & {row['pid'] for row in rows} and own.all_ready()


# --- replaced by ourselves --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('seconds', DURATIONS)
def test_rolling_restart(own, seconds):
    """Of everything, again and again: 0 failed requests, 0 refused connections."""
    with Run(own, seconds, swarm=False) as run, Dialer(own, people.demo(own, 'parent').token) as dialer:
        ends = time.monotonic() + (seconds if seconds >= 60 else 0)
        while True:
            before = own.pids()
            own.ctl('restart', '--rolling', timeout=330)
            assert replaced(own, before)
            run.goes_on()
            if time.monotonic() >= ends:
                break
    assert dialer.codes
    nobody_noticed(run.traffic)


@pytest.fixture
def release():
    """Programs of another release, whose rows of two services differ."""
    parent = tempfile.mkdtemp(prefix='aipoten-release.', dir=os.environ.get('AIPOTEN_TEST_DIRECTORY'))
    os.chmod(parent, 0o755)
    directory = os.path.join(parent, 'bin')
    changed = make_release(directory, {'child_create': 'child_creatf', 'user_patch': 'user_patci'})
    assert 'children' in changed and len(changed) >= 2, changed
    yield directory, changed
    shutil.rmtree(parent)


def programs_of(own):
    return {os.path.dirname(os.readlink(f'/proc/{pid}/exe')) for pid in [*own.pids(), own.supervisor_pid()]}


def test_upgrade_with_other_rows(own, release):
    """There and back: old frontends find old actors, new ones new actors, at every moment."""
    directory, changed = release
    original, supervisor = programs_of(own), own.supervisor_pid()
    with Run(own, 0) as run, Dialer(own, people.demo(own, 'parent').token) as dialer:
        for place in (directory, *original):
            before = own.pids()
            own.ctl('upgrade', place, timeout=330)
            assert replaced(own, before) and own.supervisor_pid() == supervisor
            assert programs_of(own) == {place}
            index = 1 if place == directory else 0
            for row in own.instances():
                if row['service'] in changed:
                    assert int(row['schema'], 16) == changed[row['service']][index], row
            run.goes_on()
    assert dialer.codes
    nobody_noticed(run.traffic)


# --- killed ---------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('seconds', DURATIONS)
def test_every_actor_instance_in_turn(own, seconds):
    """kill -9 once a second: 0 failed, 0 lost and 0 doubled writes."""
    with Run(own, seconds) as run:
        ends, turn, deaths = time.monotonic() + seconds, 0, 0
        while time.monotonic() < ends or deaths < min(4, seconds / 3):
            began = time.monotonic()
            rows = [row for row in own.instances() if row['service'] not in FRONT and row['pid']]
            row = rows[turn % len(rows)]
            run.killer.end(row['service'], row['pid'])
            turn += 1
            deaths += 1
            time.sleep(max(0.0, began + 1 - time.monotonic()))
    nobody_noticed(run.traffic)


@pytest.mark.parametrize('seconds', DURATIONS)
def test_frontends_killed(own, seconds):
    """Only connections of the killed one notice (ledger.excused), and only by their end."""
    with Run(own, seconds, swarm=False) as run:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends or not run.killer.killed:
            time.sleep(1)
            run.killer.strike('frontend')
    assert {attempt.status for attempt in run.traffic.failures()} <= {UNKNOWN}


@pytest.mark.parametrize('seconds', DURATIONS)
def test_supervisor_redis_and_broker_killed(own, seconds):
    """Nothing notices that they are away; then they are back."""
    with Run(own, seconds) as run:
        pids = own.pids()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends or len(run.killer.killed) < 2:
            run.killer.strike('supervisor')
            run.goes_on()
            run.killer.strike('redis')
            if own.pids('broker'):
                run.killer.strike('broker')
            run.goes_on()
        assert set(pids) - set(own.pids()) <= {killed.pid for killed in run.killer.killed}, 'a process of ours ended'
    nobody_noticed(run.traffic)
