"""Changing keys while the system serves: not one request fails, and an old key goes only when nothing needs it any more."""
import datetime
import itertools
import time
import uuid

import pytest

from harness import people, questions
from harness.client import Client
from harness.load import Load
from harness.wait import wait_until

CHILDREN, ME, LOGIN = '/api/v1/children', '/api/v1/users/me', '/api/v1/auth/login'
RESTART = 240


@pytest.fixture(scope='module')
def own(start_system):
    return start_system(settings={'auth': {'access_lifetime': '40s'}})


def keys(system, ring):
    """{id: role}, in the ring's order."""
    return {key['id']: key['role'] for key in system.ctl('secrets', 'show', ring, '-j')['keys']}


def sealed_with(system):
    with system.database() as database:
        rows = database.rows('SELECT notes FROM children.children WHERE notes IS NOT NULL')
    return {bytes(row['notes'])[1:1 + bytes(row['notes'])[0]].decode() for row in rows}


class Traffic(Load):
    """What meets the keys: children read and written (sealed columns), log-ins, and requests with the tokens they gave."""

    def __init__(self, system):
        self.person = people.newcomer(system)
        self.path = f'{CHILDREN}/{self.person.child(notes="처음")["id"]}'
        self.numbers = itertools.count()
        super().__init__(system, self.person.token, {'read': self.read, 'write': self.write, 'login': self.login},
                         threads=2, pause=0.01)

    def fresh(self, client):
        """Tokens of this test live for seconds: each worker renews its own."""
        if time.monotonic() > getattr(client, 'until', 0):
            answer = Client(self.system, check=False).post(
                LOGIN, {'email': self.person.email, 'password': self.person.password}).expect(200)
            client.token, client.until = answer.data['access_token'], time.monotonic() + 10
        return client

    def read(self, client):
        answer = self.fresh(client).get(self.path)
        assert answer.status != 200 or answer.data['notes'], answer
        return answer

    def write(self, client):
        notes = f'메모 {next(self.numbers)}'
        answer = self.fresh(client).patch(self.path, {'notes': notes})
        assert answer.status != 200 or answer.data['notes'] == notes, answer
        return answer

    def login(self, client):
        answer = client.post(LOGIN, {'email': self.person.email, 'password': self.person.password})
        return client.get(ME, token=answer.data['access_token']) if answer.status == 200 else answer


@pytest.mark.parametrize('ring', ['data_keys.children', 'jwt_keys'])
def test_rotation_under_load(own, ring):
    with Traffic(own) as load:
        load.goes_on()
        said = own.ctl('secrets', 'rotate', ring, timeout=RESTART)
        assert 'k2 is staged' in said and 'k2 is the first' in said
        load.goes_on()
    assert not load.failures, (len(load.failures), load.total, load.failures[:5])
    assert keys(own, ring) == {'k2': 'first', 'k1': 'old'}
    assert load.counts['login'] > 5 and load.counts['write'] > 20, load.counts


@pytest.mark.parametrize('ring, services', [
    ('data_keys.children', ['children']), ('jwt_keys', ['accounts', 'frontend'])], ids=['data_keys', 'jwt_keys'])
def test_processes_of_before_and_after_serve_side_by_side(own, ring, services):
    """Each step is held where half of the processes have taken it: what one seals and signs the other opens and verifies."""
    def half(load, number):
        for service in services:
            own.ctl('restart', f'{service}.{number}', timeout=RESTART)
        load.goes_on(200)

    with Traffic(own) as load:
        for step in ('stage', 'promote'):
            own.ctl('secrets', step, ring)
            half(load, 1)
            assert step == 'promote' or 'still holds' in own.ctl('secrets', 'promote', ring, check=False)
            half(load, 2)
    assert not load.failures, (len(load.failures), load.total, load.failures[:5])


def test_token_of_the_older_key_is_good_until_it_expires(own):
    """What k1 signed is still verified, and keeps k1 from being dropped."""
    first = next(iter(keys(own, 'jwt_keys')))
    person = people.newcomer(own, consents=False)
    own.ctl('secrets', 'rotate', 'jwt_keys', timeout=RESTART)
    person.client.get(ME).expect(200)
    said = own.ctl('secrets', 'retire', 'jwt_keys', check=False)
    assert 'may live until' in said and first in keys(own, 'jwt_keys')
    wait_until(lambda: 'dropped' in own.ctl('secrets', 'retire', 'jwt_keys', check=False), 60, 'the end of the tokens', every=1)
    assert len(keys(own, 'jwt_keys')) == 1
    own.ctl('restart', 'frontend', timeout=RESTART)
    people.log_in(own, person.email, person.password).client.get(ME).expect(200)


def test_old_data_key_goes_when_nothing_needs_it(own):
    """A row that somebody has locked cannot be sealed anew: the key stays until it could."""
    child = people.newcomer(own).child(notes='잠긴')
    first = next(iter(keys(own, 'data_keys.children')))
    with own.database() as database:
        database.connection.autocommit = False
        database.rows('SELECT FROM children.children WHERE id = %s FOR UPDATE', child['id'])
        own.ctl('secrets', 'rotate', 'data_keys.children', timeout=RESTART)
        said = own.ctl('secrets', 'retire', 'data_keys.children', '--timeout', '4', check=False)
        assert '1 were left at the last look' in said
        assert first in keys(own, 'data_keys.children')
    own.ctl('secrets', 'retire', 'data_keys.children', timeout=90)
    newest, = keys(own, 'data_keys.children')
    assert newest != first and sealed_with(own) == {newest}


def test_notes_of_assessments_are_sealed_anew(own):
    """The older key goes, and they are read as before."""
    mother = people.newcomer(own)
    child = mother.child(birth_date=(datetime.date.today() - datetime.timedelta(900)).isoformat(), gestational_weeks=40)
    with own.database() as database:
        questions.ensure(own, database)
        attempt = mother.client.post('/api/v1/assessments', {'child_id': child['id']}).expect(201).data
        path = f'/api/v1/assessments/{attempt["id"]}'
        mother.client.patch(path, {'notes': '졸려 했어요'}).expect(200)
        own.ctl('secrets', 'rotate', 'data_keys.assessments', timeout=RESTART)
        own.ctl('secrets', 'retire', 'data_keys.assessments', timeout=90)
        newest, = keys(own, 'data_keys.assessments')
        sealed = bytes(database.value('SELECT notes FROM assessments.development_assessments WHERE id = %s', attempt['id']))
    assert sealed[1:1 + sealed[0]].decode() == newest
    assert mother.client.get(path).expect(200).data['notes'] == '졸려 했어요'


def test_answers_kept_for_repeated_requests(own):
    """They outlive a rotation, and keep the key that sealed them."""
    parent = people.newcomer(own)
    key = {'idempotency-key': str(uuid.uuid4())}
    first = parent.client.post(CHILDREN, people.CHILD, headers=key).expect(201)
    own.ctl('secrets', 'rotate', 'data_keys.children', timeout=RESTART)
    again = parent.client.post(CHILDREN, people.CHILD, headers=key).expect(201)
    assert again.body == first.body and again.header('idempotency-replayed') == 'true'
    said = own.ctl('secrets', 'retire', 'data_keys.children', check=False, timeout=90)
    assert '1 answers kept for Idempotency-Keys need an older key' in said
    assert len(keys(own, 'data_keys.children')) == 2
    own.ctl('secrets', 'retire', 'data_keys.children', '--force')
    assert len(keys(own, 'data_keys.children')) == 1
