"""kill -9 of each process: it is back in a moment, the death is named, and what the others do goes on. Crash loops back off.
Restarts and stops drain. A process that hangs is ended by its watchdog."""
import os
import signal
import time

import pytest

from harness import people
from harness.client import Client
from harness.h2 import H2Client
from harness.load import Load
from harness.wait import kill, pid_lives, wait_gone, wait_until

BACK_WITHIN = 10  # ten times what the bench states
CHILDREN, ME, LOGIN = '/api/v1/children', '/api/v1/users/me', '/api/v1/auth/login'


@pytest.fixture(scope='module')
def own(start_system):
    """Short watchdog and short back-off, so that the tests need not wait for them."""
    return start_system(settings={'supervisor': {'watchdog': '3s', 'failed_retry': '4s', 'backoff_first': '200ms'}})


@pytest.fixture(autouse=True)
def whole_again(own):
    yield
    own.wait_ready(60)


@pytest.fixture
def me(own):
    return people.demo(own, 'parent')


def back(own, service, count, without):
    """All instances of the service ready again, none of them the killed ones; how long it took."""
    began = time.monotonic()

    def ready():
        rows = own.instances(service)
        return len(rows) == count and all(row['state'].upper() == 'READY' and row['pid'] not in without for row in rows)

    wait_until(ready, BACK_WITHIN, f'{service} to be back', every=0.05)
    return time.monotonic() - began


def deaths(own):
    return own.ctl('history', '-j')['deaths']


def reading(me):
    return {'children': lambda client: client.get(CHILDREN), 'me': lambda client: client.get(ME)}


# --- kill -9 ------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('service', ['accounts', 'accounts-hash', 'children'])
def test_kill_actor(own, me, service):
    rows = own.instances(service)
    others = sorted(set(own.pids()) - set(own.pids(service)))
    for row in rows:
        kill(row['pid'])
        wait_gone(row['pid'])
        back(own, service, len(rows), [row['pid']])
        death = next(death for death in reversed(deaths(own)) if death['pid'] == row['pid'])
        assert death['service'] == service and 'KILL' in str(death).upper()
    me.client.get(CHILDREN).expect(200)
    people.log_in(own, me.email)
    assert sorted(set(own.pids()) - set(own.pids(service))) == others, 'the others went on'


def test_kill_one_of_two_actors_under_load(own, me):
    """What was in flight in the dead one is 503 or 504 at worst; the rest does not notice."""
    with Load(own, me.token, reading(me), good=lambda answer: answer.status in (200, 503, 504)) as load:
        load.goes_on()
        killed = []
        for service in ('children', 'accounts'):
            pid = own.pids(service)[0]
            kill(pid)
            killed.append(pid)
            back(own, service, 2, killed)
        load.goes_on()
    assert not load.failures, load.failures[:5]
    assert load.slowest < 10


def test_kill_who_hashes_under_load(own, me):
    """A hash that was being computed is computed by another one: no log-in fails."""
    person = {'email': me.email, 'password': me.password}
    with Load(own, None, {'login': lambda client: client.post(LOGIN, person)}, pause=0) as load:
        load.goes_on()
        for row in own.instances('accounts-hash'):
            kill(row['pid'])
            back(own, 'accounts-hash', 2, [row['pid']])
            load.goes_on()
    assert not load.failures, load.failures[:5]


def test_kill_every_instance_of_an_actor(own, me):
    """Nobody is left to answer: 503, never 404, and the other actor answers on."""
    pids = own.pids('children')
    for pid in pids:
        kill(pid)
    answer = me.client.get(CHILDREN)
    assert answer.status in (200, 503), str(answer)
    me.client.get(ME).expect(200)
    back(own, 'children', 2, pids)
    wait_until(lambda: me.client.get(CHILDREN).status == 200, BACK_WITHIN)


def test_kill_frontends(own, me):
    """The sockets belong to the supervisor: a new connection always finds somebody, or waits for somebody."""
    for _ in range(2):
        pid = own.pids('frontend')[0]
        kill(pid)
        wait_gone(pid)
        for _ in range(10):
            Client(own, me.token).get(CHILDREN).expect(200)
        back(own, 'frontend', 2, [pid])
    pids = own.pids('frontend')
    for pid in pids:
        kill(pid)
    wait_until(lambda: Client(own, me.token).get(CHILDREN).status == 200, BACK_WITHIN)
    back(own, 'frontend', 2, pids)


def test_kill_supervisor(own, me):
    """Its children serve on; the next one adopts them, and brings back what dies after that."""
    pids, supervisor = sorted(own.pids()), own.supervisor_pid()
    with Load(own, me.token, reading(me)) as load:
        kill(supervisor)
        wait_gone(supervisor)
        load.goes_on(100)
        own.start()
        load.goes_on()
    assert not load.failures, load.failures[:5]
    assert own.supervisor_pid() != supervisor
    assert sorted(own.pids()) == pids, 'adopted, not started anew'
    own.wait_ready()

    victim = own.pids('children')[0]
    kill(victim)
    back(own, 'children', 2, [victim])
    frontend = own.pids('frontend')[0]
    kill(frontend)
    back(own, 'frontend', 2, [frontend])
    Client(own, me.token).get(CHILDREN).expect(200)


def test_kill_supervisor_and_some_children(own, me):
    """Who died while nobody looked is started by the next supervisor."""
    supervisor, victims = own.supervisor_pid(), [own.pids('accounts')[0], own.pids('frontend')[0]]
    survivors = set(own.pids()) - set(victims)
    for pid in [supervisor, *victims]:
        kill(pid)
    for pid in [supervisor, *victims]:
        wait_gone(pid)
    Client(own, me.token).get(CHILDREN).expect(200)
    own.start()
    own.wait_ready(BACK_WITHIN)
    assert survivors < set(own.pids()) and not set(victims) & set(own.pids())


def test_stop_without_a_supervisor(own):
    """tools/stop also ends children whose supervisor died."""
    pids, supervisor = own.pids(), own.supervisor_pid()
    kill(supervisor)
    wait_gone(supervisor)
    own.stop()
    assert not [pid for pid in pids if pid_lives(pid)]
    own.start()


# --- crash loops and hangs ---------------------------------------------------------------------------------------------------

def test_crash_loop_backs_off(own, me):
    """A service that dies again and again is tried less and less, in the end once in a while; the others are not touched."""
    others = sorted(set(own.pids()) - set(own.pids('children')))
    seen, killed, states = set(), 0, []
    deadline = time.monotonic() + 60
    while states != ['FAILED', 'FAILED'] and time.monotonic() < deadline:
        rows = own.instances('children')
        states = [row['state'].upper() for row in rows]
        seen.update(states)
        for row in rows:
            if row['pid'] and row['state'].upper() in ('STARTING', 'READY'):
                try:
                    kill(row['pid'])
                    killed += 1
                except ProcessLookupError:
                    pass
    assert states == ['FAILED', 'FAILED'] and 'BACKOFF' in seen, (states, seen)
    assert killed < 60, 'it did not back off'
    me.client.get(ME).expect(200)
    me.client.get(CHILDREN).expect(503, 'UNAVAILABLE')
    assert sorted(set(own.pids()) - set(own.pids('children'))) == others
    own.wait_ready(60)
    wait_until(lambda: me.client.get(CHILDREN).status == 200, BACK_WITHIN)


def test_hanging_process_is_ended(own, me):
    """SIGSTOP: it lives, and does nothing. The watchdog notices."""
    pid = own.pids('children')[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: not pid_lives(pid), 20, 'the watchdog')
    finally:
        if pid_lives(pid):
            os.kill(pid, signal.SIGCONT)
    back(own, 'children', 2, [pid])
    me.client.get(CHILDREN).expect(200)


# --- draining ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('service', ['children', 'accounts', 'accounts-hash', 'frontend'])
def test_restart_drains(own, me, service):
    """Not one request fails, reads and writes, while all instances of a service are replaced."""
    calls = {**reading(me), 'write': lambda client: client.patch(ME, {'language': 'ko'})}
    before = own.pids(service)
    with Load(own, me.token, calls) as load:
        load.goes_on()
        own.ctl('restart', service, timeout=120)
        wait_until(lambda: not set(own.pids(service)) & set(before), 60, f'new instances of {service}')
        own.wait_ready()
        load.goes_on()
    assert not load.failures, (len(load.failures), load.total, load.failures[:5])


def test_restart_of_a_frontend_over_h2(own, me):
    """GOAWAY lets the streams that are open come to their end."""
    connections = [H2Client(own, token=me.token, tls=True) for _ in range(6)]
    before = own.pids('frontend')
    own.ctl('restart', 'frontend', timeout=120)
    wait_until(lambda: not set(own.pids('frontend')) & set(before), 60)
    with H2Client(own, token=me.token) as h2:
        h2.get(CHILDREN).expect(200)
    for connection in connections:
        connection.close()


def test_stop_drains(own, me):
    """Who was let in gets a whole answer; who comes later is refused the connection."""
    ended = (ConnectionRefusedError.__name__, 'ConnectionResetError', 'RemoteDisconnected', 'BrokenPipeError')
    with Load(own, me.token, reading(me)) as load:
        load.goes_on()
        own.stop()
    wrong = [failure for failure in load.failures if not any(name in failure for name in ended)]
    assert not wrong, wrong[:5]
    own.start()
