"""A writing call is done exactly once: repeated keys, instances and connections that die at any moment, both instances of a
service gone at the same time."""
import collections
import concurrent.futures
import os
import random
import time
import uuid

import pytest

from harness import people
from harness.client import Client
from harness.wait import kill
from harness.workers import Workers

CHILDREN = '/api/v1/children'
SECONDS = 10


@pytest.fixture(scope='module')
def own(start_system):
    # The killer must not make a request look as if it were why its instances die: http.losses_most; and on a busy machine both
    # instances may take long to be back: http.patience.
    return start_system(settings={'supervisor': {'intensity': 1000, 'backoff_first': '100ms', 'backoff_most': '200ms'},
                                  'http': {'losses_most': 100, 'patience': '10s', 'request_timeout': '20s'}})


@pytest.fixture
def me(own):
    return people.newcomer(own)


def child(name):
    return {**people.CHILD, 'name': name}


def rows_named(own, *names):
    with own.database() as database:
        found = database.rows('SELECT name, count(*) AS n FROM children.children WHERE name = ANY(%s) GROUP BY name', list(names))
    return {row['name']: row['n'] for row in found}


def name_of(prefix='회'):
    return f'{prefix}{uuid.uuid4().hex[:16]}'


# --- Idempotency-Key -----------------------------------------------------------------------------------------------------------

def post(own, person, name, key, path=CHILDREN):
    client = Client(own, person.token)
    try:
        return client.post(path, child(name), headers={'idempotency-key': key})
    finally:
        client.close()


def test_same_key_same_answer(own, me):
    name, key = name_of(), uuid.uuid4().hex
    first, again = post(own, me, name, key).expect(201), post(own, me, name, key).expect(201)
    assert again.body == first.body
    assert again.header('idempotency-replayed') == 'true' and first.header('idempotency-replayed') is None
    assert rows_named(own, name) == {name: 1}


def test_fifty_at_once(own, me):
    name, key = name_of(), uuid.uuid4().hex
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: post(own, me, name, key), range(50)))
    assert [answer.status for answer in answers] == [201] * 50
    assert len({answer.body for answer in answers}) == 1
    assert sum(answer.header('idempotency-replayed') != 'true' for answer in answers) == 1
    assert rows_named(own, name) == {name: 1}


def test_other_body_is_refused(own, me):
    name, other, key = name_of(), name_of(), uuid.uuid4().hex
    post(own, me, name, key).expect(201)
    post(own, me, other, key).expect(422, 'IDEMPOTENCY_KEY_REUSED')
    assert rows_named(own, name, other) == {name: 1}


def test_key_belongs_to_principal_and_route(own, me):
    other, key, mine, theirs = people.newcomer(own), uuid.uuid4().hex, name_of(), name_of()
    first = post(own, me, mine, key).expect(201)
    assert post(own, other, theirs, key).expect(201).header('idempotency-replayed') is None
    measured = me.client.post(f'{CHILDREN}/{first.data["id"]}/measurements', {'measured_on': '2025-03-20', 'height': 74},
                              headers={'idempotency-key': key}).expect(201)
    assert measured.header('idempotency-replayed') is None
    assert rows_named(own, mine, theirs) == {mine: 1, theirs: 1}


def test_failure_is_not_recorded(own):
    """What was refused did nothing: once the reason is gone the same key works."""
    person, name, key = people.newcomer(own, consents=False), name_of(), uuid.uuid4().hex
    post(own, person, name, key).expect(422, 'CONSENT_REQUIRED')
    person.consent()
    assert post(own, person, name, key).expect(201).header('idempotency-replayed') is None


def test_replay_before_the_handler_looks(own):
    """Registering again would be EMAIL_TAKEN, but it is the same call."""
    body, key = people.registration(), uuid.uuid4().hex
    client = Client(own)
    first = client.post('/api/v1/auth/register', body, headers={'idempotency-key': key}).expect(201)
    again = client.post('/api/v1/auth/register', body, headers={'idempotency-key': key}).expect(201)
    assert again.body == first.body
    client.post('/api/v1/auth/register', body).expect(409, 'EMAIL_TAKEN')
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        body, key = people.registration(), uuid.uuid4().hex
        answers = list(pool.map(lambda _: Client(own).post('/api/v1/auth/register', body, headers={'idempotency-key': key}),
                                range(10)))
    assert {answer.status for answer in answers} == {201} and len({answer.body for answer in answers}) == 1


@pytest.mark.parametrize('key', ['', 'a' * 256, 'with space', 'é'])
def test_bad_keys(own, me, key):
    answer = me.client.post(CHILDREN, child(name_of()), headers={'idempotency-key': key.encode('utf-8')})
    answer.expect(400, 'VALIDATION_ERROR')
    assert answer.error['details'][0]['field'] == 'Idempotency-Key'


def test_answers_are_sealed(own, me):
    name = name_of('비밀')
    post(own, me, name, uuid.uuid4().hex).expect(201)
    me.client.post(CHILDREN, child(name)).expect(201)
    with own.database() as database:
        for table in ('keyed_calls', 'calls'):
            answers = database.rows(f'SELECT answer FROM children.{table} WHERE principal = %s', me.id)
            assert answers and all(name.encode() not in bytes(row['answer']) for row in answers)


# --- under the killer ------------------------------------------------------------------------------------------------------------

class Writers(Workers):
    """Threads that register children under names of their own, half of them with a key, and remember every answer."""

    def __init__(self, own, person, threads=8):
        super().__init__()
        self.own, self.person, self.answers = own, person, {}
        for number in range(threads):
            self.start_with(self.work, number)

    def work(self, number):
        client = Client(self.own, self.person.token, check=False)
        while not self.ending.is_set():
            name = name_of()
            headers = {'idempotency-key': uuid.uuid4().hex} if number % 2 else None
            try:
                status = client.post(CHILDREN, child(name), headers=headers).status
            except OSError:
                status = 0
            with self.lock:
                self.answers[name] = status
        client.close()


def judge(own, writers):
    """How often each status was answered; every 201 stands once, nothing stands twice or half."""
    found = rows_named(own, *writers.answers)
    done = [name for name, status in writers.answers.items() if status == 201]
    assert len(done) > 50
    assert [name for name in done if found.get(name) != 1] == []
    assert [name for name, count in found.items() if count > 1] == []
    with own.database() as database:
        assert database.value('SELECT count(*) FROM children.children c WHERE name = ANY(%s) AND NOT EXISTS '
                              '(SELECT FROM children.child_guardians g WHERE g.child_id = c.id)', list(found)) == 0
    return collections.Counter(writers.answers.values())


def kill_instances(own, chance):
    alive = own.pids('children')
    for pid in chance.sample(alive, k=min(len(alive), chance.choice((1, 1, 2)))):
        kill(pid)


def end_connections(own, chance):
    with own.database('children') as database:  # a role may end its own
        database.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'aipoten children.%%' "
                      'AND random() < %s', chance.choice((0.3, 1)))


@pytest.mark.parametrize('harm', [kill_instances, end_connections])
def test_under_harm(own, me, harm):
    seed = int(os.environ.get('AIPOTEN_SEED') or random.randrange(10 ** 6))
    print(f'AIPOTEN_SEED={seed}')
    chance = random.Random(seed)
    with Writers(own, me) as writers:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            time.sleep(chance.uniform(0.1, 0.6))
            harm(own, chance)
    own.wait_ready(30)
    statuses = judge(own, writers)
    # A dead instance's calls are sent to another one, or held until one is back; a lost connection may cost a 503.
    allowed = {201} if harm is kill_instances else {201, 503}
    assert set(statuses) <= allowed, statuses


# --- a request that kills ------------------------------------------------------------------------------------------------------

LOSSES = 4


def test_what_kills_its_instances_is_given_up(start_system):
    """A request that waits for a lock of ours, whose every instance dies, gets a 503 after http.losses_most of them."""
    own = start_system(settings={'supervisor': {'intensity': 1000, 'backoff_first': '100ms', 'backoff_most': '200ms'},
                                 'http': {'losses_most': LOSSES}, 'database': {'write_timeout': '60s'}})
    person = people.newcomer(own)
    born = person.child()
    killed = []
    with own.database('children') as database, own.database() as holder, concurrent.futures.ThreadPoolExecutor(1) as pool:
        holder.connection.autocommit = False
        holder.rows('SELECT FROM children.children WHERE id = %s FOR UPDATE', born['id'])
        answer = pool.submit(person.client.patch, f'{CHILDREN}/{born["id"]}', {'current_height': 90})
        seen = set()
        while not answer.done() and len(killed) <= LOSSES:
            waiting = database.row("SELECT pid, application_name FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                                   "application_name LIKE 'aipoten children.%%' AND NOT pid = ANY(%s) LIMIT 1", list(seen))
            if waiting is None:
                time.sleep(0.02)
                continue
            seen.add(waiting['pid'])
            number = int(waiting['application_name'].split()[1].rpartition('.')[2])
            pid = next(row['pid'] for row in own.instances('children') if row['instance'] == number)
            kill(pid)
            killed.append(pid)
        answer.result(30).expect(503, 'UNAVAILABLE')
    assert len(killed) == LOSSES
    own.wait_ready(30)
    person.client.patch(f'{CHILDREN}/{born["id"]}', {'current_height': 91}).expect(200)
