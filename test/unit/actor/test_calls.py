"""Calls between actors, and events that are delivered directly (shared/actor/calls.h, events.h): two actors of our own ask, tell and answer
in the places of children and admin of a whole system, and unit-knock speaks to them as a frontend does. What a call writes over
there is written once, whoever dies, and no client gets at it."""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import uuid

import pytest

from harness import faults, people
from harness.client import Client
from harness.system import BUILD, System
from harness.wait import wait_until

PARENT, THERAPIST = 1, 2
UNIT = os.path.join(BUILD, 'unit')


@pytest.fixture(scope='module')
def tree():
    """A build tree whose children and admin are the probes."""
    tree = tempfile.mkdtemp(prefix='aipoten-probe.', dir=os.environ.get('AIPOTEN_TEST_DIRECTORY'))
    os.chmod(tree, 0o755)
    shutil.copytree(os.path.join(BUILD, 'bin'), os.path.join(tree, 'bin'))
    shutil.copy(os.path.join(UNIT, 'unit-probe-asker'), os.path.join(tree, 'bin', 'children'))
    shutil.copy(os.path.join(UNIT, 'unit-probe-answerer'), os.path.join(tree, 'bin', 'admin'))
    yield tree
    shutil.rmtree(tree, ignore_errors=True)


@pytest.fixture(scope='module')
def own(tree):
    system = System(environment={'AIPOTEN_BUILD': tree},
                    settings={'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'}})
    system.start()
    yield system
    system.destroy()


@pytest.fixture(scope='module')
def user(own):
    with own.database() as database:
        return database.value("SELECT id FROM accounts.users WHERE email = 'parent@example.com'")


def knock(own, service, operation, label, user, *, call=None, role=PARENT, key='-', caller='-', resent=False, instance=None):
    """(status, body); None: no answer."""
    pattern = os.path.join(own.var, 'run', 'ipc', f'{service}.{instance or "*"}.*')
    endpoint = max(glob.glob(pattern), key=os.path.getmtime)
    done = subprocess.run([os.path.join(UNIT, 'unit-knock'), f'ipc://{endpoint}', operation, label, str(call or new_call()),
                           str(user), str(role), key, caller, 'resent' if resent else 'new'],
                          stdout=subprocess.PIPE, check=False, timeout=30)
    assert done.returncode in (0, 1), done
    if done.returncode == 1:
        return None
    status, _, body = done.stdout.partition(b' ')
    return int(status), body


def new_call():
    """A UUIDv7, as the frontend makes them: its record is found by its time."""
    milliseconds = int(time.time() * 1000)
    return uuid.UUID(bytes=milliseconds.to_bytes(6, 'big') + b'\x70' + os.urandom(1) + b'\x80' + os.urandom(7))


def label():
    return uuid.uuid4().hex


def written(own, name):
    """How often by the asker, how often by the answerer."""
    with own.database() as database:
        return (database.value('SELECT count(*) FROM children.children WHERE name = %s', name),
                database.value('SELECT count(*) FROM admin.access_addresses WHERE address = %s::bytea', name.encode()))


def test_value_principal_and_language_travel(own, user):
    name = label()
    status, body = knock(own, 'children', 'asker.ask', name, user)
    assert status == 200
    assert str(user).encode() in body and b'"language":"en"' in body
    assert written(own, name) == (1, 1)


def test_two_steps_are_two_calls(own, user):
    name = label()
    assert knock(own, 'children', 'asker.twice', name, user)[0] == 200
    assert written(own, name) == (1, 2)


def test_the_others_error(own, user):
    status, body = knock(own, 'children', 'asker.refused', label(), user)
    assert status == 409 and b'"IN_USE"' in body
    assert knock(own, 'children', 'asker.look', label(), user)[0] == 200


def test_an_answer_that_does_not_fit(own, user):
    assert knock(own, 'children', 'asker.wrong', label(), user)[0] == 500


def test_the_other_checks_the_principal(own, user):
    name = label()
    status, body = knock(own, 'children', 'asker.ask', name, user, role=THERAPIST)
    assert status == 403 and b'"FORBIDDEN"' in body
    assert written(own, name) == (0, 0)


def test_internal_rows_are_for_actors_alone(own, user):
    """A frontend that was made to send one is refused, and so is an actor that plays a client."""
    name = label()
    assert knock(own, 'admin', 'probe.add', name, user)[0] == 403
    assert knock(own, 'children', 'asker.ask', name, user, caller='admin')[0] == 403
    assert written(own, name) == (0, 0)
    assert knock(own, 'admin', 'probe.add', name, user, caller='children')[0] == 200


@pytest.mark.parametrize('key', [False, True])
def test_the_same_call_again(own, user, key):
    """The frontend resends it, or a client repeats its key (and then the call has another id)."""
    name, call, key = label(), new_call(), uuid.uuid4().hex if key else '-'
    first = knock(own, 'children', 'asker.ask', name, user, call=call, key=key, instance=1)
    again = knock(own, 'children', 'asker.ask', name, user, call=call if key == '-' else new_call(), key=key, resent=key == '-',
                  instance=2)
    assert first == again and first[0] == 200
    assert written(own, name) == (1, 1)


DEATHS = [(service, point) for point in faults.points() for service in ('children', 'admin')
          if point.split('.')[0] in ('call', 'commit', 'link', 'ask') and (service, point.split('.')[0]) != ('admin', 'ask')]


@pytest.mark.parametrize('key', ['-', 'key'])
@pytest.mark.parametrize('service, point', DEATHS)
def test_death(own, user, service, point, key):
    name, call, key = label(), new_call(), uuid.uuid4().hex if key == 'key' else '-'
    with faults.Fault(own, service, point) as fault:
        answer = knock(own, 'children', 'asker.ask', name, user, call=call, key=key, instance=1)
        wait_until(fault.hit, 5, 'the death')
    own.wait_ready(30)
    for _ in range(3):
        if answer is not None and answer[0] == 200:
            break
        again = call if key == '-' else new_call()
        answer = knock(own, 'children', 'asker.ask', name, user, call=again, key=key, resent=True, instance=2)
    assert answer is not None and answer[0] == 200
    assert written(own, name) == (1, 1)


def waiting(own):
    with own.database() as database:
        return database.value('SELECT count(*) FROM children.deliveries')


def test_direct_event_is_delivered_behind_the_answer(own, user):
    """Also the second and third of the same aggregate, each time (shared/actor/events.h)."""
    for _ in range(3):
        name = label()
        assert knock(own, 'children', 'asker.tell', name, user)[0] == 200
        wait_until(lambda: written(own, name) == (1, 1), 20, 'its effect')
        wait_until(lambda: waiting(own) == 0, 20, 'a settled delivery')


def test_direct_event_takes_three_transactions(own, user):
    """The call's, the subscriber's, and the one that says that it is done."""
    with own.database() as database:
        def writes():
            return database.value('SELECT txid_snapshot_xmax(txid_current_snapshot())')

        wait_until(lambda: waiting(own) == 0, 20, 'an empty outbox')
        least = 100
        for _ in range(5):  # others write in the background, now and then
            before = writes()
            assert knock(own, 'children', 'asker.tell', label(), user)[0] == 200
            wait_until(lambda: waiting(own) == 0, 20, 'a settled delivery')
            least = min(least, writes() - before)
    assert least == 3


def test_direct_events_are_settled_together(own):
    """Of eight calls at about the same time: no transaction of its own says of each that it is done."""
    with own.database() as database:
        users = [row['id'] for row in database.rows("SELECT id FROM accounts.users WHERE role = 'parent' LIMIT 8")]
        least = 100
        for _ in range(5):  # the eight are spread when the machine is busy, and others write in the background
            wait_until(lambda: waiting(own) == 0, 20, 'an empty outbox')
            before = database.value("SELECT txid_snapshot_xmax(txid_current_snapshot())")
            with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
                answers = list(pool.map(lambda user: knock(own, 'children', 'asker.tell', label(), user, instance=1), users))
            assert [status for status, _ in answers] == [200] * len(users)
            wait_until(lambda: waiting(own) == 0, 20, 'settled deliveries')
            least = min(least, database.value("SELECT txid_snapshot_xmax(txid_current_snapshot())") - before)
    assert least < 3 * len(users)


TOLD_DEATHS = [('children', point) for point in faults.points() if point.split('.')[0] == 'direct'] + [
    ('admin', point) for point in faults.points() if point.split('.')[0] in ('call', 'commit')]


@pytest.mark.parametrize('service, point', TOLD_DEATHS)
def test_death_under_a_direct_event(own, user, service, point):
    name, call = label(), new_call()
    with faults.Fault(own, service, point) as fault:
        answer = knock(own, 'children', 'asker.tell', name, user, call=call, instance=1)
        wait_until(fault.hit, 20, 'the death')
    own.wait_ready(30)
    for _ in range(3):
        if answer is not None and answer[0] == 200:
            break
        answer = knock(own, 'children', 'asker.tell', name, user, call=call, resent=True, instance=2)
    assert answer is not None and answer[0] == 200
    wait_until(lambda: waiting(own) == 0, 20, 'the delivery')
    assert written(own, name) == (1, 1)


def test_direct_event_when_nobody_is_there(own, user):
    """The answer does not wait for it, and the order is kept when the subscriber is back."""
    names = [label() for _ in range(3)]
    own.ctl('stop', 'admin')
    for name in names:
        began = time.monotonic()
        assert knock(own, 'children', 'asker.tell', name, user)[0] == 200
        assert time.monotonic() - began < 10
    assert [written(own, name) for name in names] == [(1, 0)] * 3
    own.ctl('start', 'admin')
    own.wait_ready(30)
    wait_until(lambda: waiting(own) == 0, 30, 'the deliveries')
    with own.database() as database:
        rows = database.rows('SELECT address FROM admin.access_addresses WHERE address = ANY(%s::bytea[]) ORDER BY id',
                             [name.encode() for name in names])
    assert [bytes(row['address']).decode() for row in rows] == names


def test_when_nobody_is_there(own, user):
    name = label()
    own.ctl('stop', 'admin')
    status, body = knock(own, 'children', 'asker.ask', name, user)
    assert status == 503, body
    own.ctl('start', 'admin')
    own.wait_ready(30)
    assert knock(own, 'children', 'asker.ask', name, user)[0] == 200
    assert written(own, name) == (1, 1)


def test_a_call_in_a_transaction_names_its_line(tree, user):
    """The process dies, as for each inconsistency of our own; in a system that has gone when logs are searched for panics."""
    own = System(environment={'AIPOTEN_BUILD': tree}, demo=False)
    try:
        own.start()
        transaction_dies(own, user)
    finally:
        own.destroy()


def transaction_dies(own, user):
    source = os.path.join(os.path.dirname(__file__), 'probe_asker.c')
    with open(source, encoding='utf-8') as file:
        line = [number for number, text in enumerate(file, 1) if 'actor_call(' in text][-1]
    name = label()
    assert knock(own, 'children', 'asker.transaction', name, user) is None
    panics = []
    for path in glob.glob(os.path.join(own.var, 'log', 'children.*.log')):
        with open(path, encoding='utf-8') as file:
            panics += [json.loads(text) for text in file if '"event":"panic"' in text]
    panic, = panics
    assert panic['file'].endswith('probe_asker.c') and panic['line'] == line and panic['reason'].startswith('probe.refuse in an open')
    own.wait_ready(30)
    assert written(own, name) == (0, 0)


def test_no_route_leads_to_an_internal_row(system):
    """Of the real system: not by its operation, not by its path as one would guess it, not in the documents."""
    with open(os.path.join(BUILD, 'generated', 'registry.c'), encoding='utf-8') as file:
        text = file.read()
    operations = re.findall(r'\.operation = "([^"]+)"', text[text.index('registry_operations'):text.index('registry_operation_count')])
    assert operations
    client = Client(system, people.demo(system, 'admin').token, check=False)
    routes = system.ctl('routes')
    document = client.get('/api/v1/openapi.json').body.decode()
    for operation in operations:
        assert operation not in routes and operation not in document
        service, name = operation.split('.', 1)
        for path in (operation, f'api/v1/{operation}', f'api/v1/{service}/{name}', f'{service}/{name}', f'internal/{operation}'):
            for method in ('GET', 'POST'):
                status = client.request(method, f'/{path}', {} if method == 'POST' else None).status
                assert status in (400, 404, 405), (method, path, status)
