"""A process dies at every point of the protocols (shared/base/fault.h): calls, their record, COMMIT, events, the way through the
frontend. The points are those of the sources, so a new one is tested by itself; each must really be reached. Afterwards every
answered write stands once in PostgreSQL, every committed event had its effect once, in order, and nothing waits."""
import http.client
import pathlib
import time
import uuid

import pytest

from harness import faults, people
from harness.client import Client
from harness.wait import wait_until

CHILDREN = '/api/v1/children'
NOTHING_WAITS = 'SELECT NOT EXISTS (SELECT FROM children.deliveries'
# Parts whose deaths are another file's, because other work leads there.
ELSEWHERE = {'ask': 'unit/actor/test_calls.py', 'direct': 'unit/actor/test_calls.py', 'mail': 'scenario/47-mail_test.py',
             'complete': 'scenario/36-complete_test.py', 'passwords': 'scenario/28-account_life_test.py',
             **dict.fromkeys(('broadcast', 'reminder', 'email', 'together'), 'scenario/70-notifications_test.py'),
             'push': 'scenario/71-push_test.py', 'links': 'scenario/51-links_test.py'}
POINTS = [point for point in faults.points() if point.split('.')[0] not in ELSEWHERE]
BROKEN = (OSError, http.client.HTTPException)
SERVICES = ('children', 'admin', 'frontend')
# Each event that is committed leaves a row here, which no dispatcher deletes.
COUNT_EVENTS = """
CREATE TABLE public.emitted (id uuid, aggregate uuid);
CREATE FUNCTION public.emitted_add() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN INSERT INTO public.emitted VALUES (NEW.id, NEW.aggregate); RETURN NULL; END $$;
CREATE TRIGGER emitted AFTER INSERT ON children.events FOR EACH ROW EXECUTE FUNCTION public.emitted_add();
"""


@pytest.fixture(scope='module')
def own(start_system):
    system = start_system(settings={'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'}})
    with system.database() as database:
        database.rows(COUNT_EVENTS)
    return system


@pytest.fixture(scope='module')
def done():
    """{point: (work, deaths)}"""
    return {}


class Work:
    """What clients do while somebody dies: register children, with a key and without, and read them as an administrator."""

    def __init__(self, own):
        self.own, self.person, self.admin = own, people.newcomer(own), people.demo(own, 'admin')
        self.sure, self.unsure, self.broken, self.reads = [], [], 0, {}

    def send(self, token, method, path, body=None, headers=None):
        """The answer; None: the connection broke, which only the death of its frontend may do."""
        client = Client(self.own, token, check=False)
        try:
            return client.request(method, path, body, headers=headers)
        except BROKEN:
            self.broken += 1
            return None
        finally:
            client.close()

    def post(self, name, key=None):
        headers = {'idempotency-key': key} if key else None
        return self.send(self.person.token, 'POST', CHILDREN, {**people.CHILD, 'name': name}, headers)

    def with_key(self):
        name, key, answers = f'열쇠{uuid.uuid4().hex[:16]}', uuid.uuid4().hex, []
        ends = time.monotonic() + 20
        while len(answers) < 2 and time.monotonic() < ends:
            answer = self.post(name, key)
            if answer is not None:
                answers.append(answer.expect(201))
        assert answers[0].body == answers[1].body and answers[1].header('idempotency-replayed') == 'true'
        self.sure.append(name)
        return answers[0].data['id']

    def without_key(self):
        name = f'맨손{uuid.uuid4().hex[:16]}'
        answer = self.post(name)
        if answer is None:
            self.unsure.append(name)
        else:
            answer.expect(201)
            self.sure.append(name)

    def read(self, child):
        for _ in range(2):
            answer = self.send(self.admin.token, 'GET', f'{CHILDREN}/{child}')
            if answer is not None:
                answer.expect(200)
                self.reads[child] = self.reads.get(child, 0) + 1

    def list(self):
        """From the cache or not, through deaths or not: what was answered is there."""
        answer = self.send(self.person.token, 'GET', f'{CHILDREN}?limit=100')
        if answer is not None:
            assert set(self.sure) <= {child['name'] for child in answer.expect(200).data}

    def once(self):
        child = self.with_key()
        self.list()
        self.without_key()
        self.list()
        self.read(child)
        return child

    def until_death(self, service, point, nth):
        """Did it come to that?"""
        with faults.Fault(self.own, service, point, nth) as fault, self.own.database() as database:
            for _ in range(nth + 1):
                child = self.once()
                wait_until(lambda: fault.hit() or database.value(NOTHING_WAITS + ' WHERE aggregate = %s)', child), 40,
                           'the death, or that everything was delivered')
                if fault.hit():
                    return True
        return False

    def judge(self, deaths):
        with self.own.database() as database:
            def rows_of(names):
                found = database.rows('SELECT name, count(*) AS n FROM children.children WHERE name = ANY(%s) GROUP BY name', names)
                return {row['name']: row['n'] for row in found}

            assert rows_of(self.sure) == {name: 1 for name in self.sure}
            assert set(rows_of(self.unsure).values()) <= {1}
            wait_until(lambda: database.value(NOTHING_WAITS + ')'), 40, 'an empty outbox', every=0.1)
            for child, answered in self.reads.items():
                emitted = database.value('SELECT count(*) FROM public.emitted WHERE aggregate = %s', child)
                log = database.rows('SELECT id, read_at FROM admin.access_log WHERE record = %s ORDER BY position', child)
                assert len(log) == emitted
                assert answered <= emitted <= answered + deaths  # a read may be done again
                assert [row['read_at'] for row in log] == sorted(row['read_at'] for row in log)
                assert database.value('SELECT count(*) FROM admin.access_addresses WHERE id = ANY(%s::uuid[])',
                                      [row['id'] for row in log]) == emitted
            positions = database.rows('SELECT position FROM admin.access_log ORDER BY position')
            assert [row['position'] for row in positions] == list(range(1, len(positions) + 1))


def test_parts_left_to_others_have_their_deaths():
    for part, path in ELSEWHERE.items():
        text = (pathlib.Path(__file__).resolve().parents[1] / path).read_text(encoding='utf-8')
        assert 'faults.points()' in text or all(point in text for point in faults.points() if point.startswith(part + '.')), path


@pytest.mark.parametrize('point', POINTS)
def test_death_at(own, done, point):
    """In each service that comes there; at the first time, and at the third, when work is under way."""
    work, died = Work(own), []
    for service in SERVICES:
        for nth in (1, 3):
            hit = work.until_death(service, point, nth)
            died += [service] * hit
            own.wait_ready(30)
            if not hit:
                break
    print(point, died)
    assert died, f'nothing that this test does reaches {point}'
    assert work.broken == 0 or 'frontend' in died
    done[point] = work, len(died)


@pytest.mark.parametrize('point', POINTS)
def test_nothing_is_lost_or_twice(done, point):
    """After all of them, because what died with a delivery leaves it to the others only after a while."""
    work, deaths = done[point]
    work.judge(deaths)
