"""Who is online: what oneself, administrators, and those whom a therapist works with are told, and that nobody else is told anything. Two
machines, and what is killed: 52-broker_test."""
import datetime
import uuid

import pytest

from harness import people
from harness.metrics import Metrics
from harness.realtime import Socket
from harness.wait import wait_until

NOBODY = {'aipoten.call_parties': 'SELECT NULL::uuid AS consultation_id, NULL::uuid AS user_id WHERE false',
          'aipoten.therapist_relations': 'SELECT NULL::uuid AS therapist_user_id, NULL::uuid AS child_id, NULL::timestamptz AS ends_at '
                                         'WHERE false'}


@pytest.fixture
def related(database):
    """Says who is joined, in place of what is not there yet: related(view, query)."""
    def put(view, query):
        database.rows(f'CREATE OR REPLACE VIEW {view} AS {query}')
    yield put
    for view, query in NOBODY.items():
        put(view, query)


@pytest.fixture
def sockets(system):
    """sockets(person): one more, closed at the end."""
    made = []

    def make(person):
        made.append(Socket(system, person.token))
        assert made[-1].connected
        return made[-1]
    yield make
    for socket in made:
        socket.close()


def told(socket, person):
    """What is said of somebody; None: nothing."""
    answer = socket.ask('presence', {'userId': person if isinstance(person, str) else person.id})
    if answer['success']:
        assert answer['data'].keys() == {'userId', 'online', 'lastSeen'}
        return answer['data']
    assert answer['error']['code'] == 'NOT_FOUND'
    return None


def ago(data):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(data['lastSeen'])).total_seconds()


def gone(socket, person):
    return wait_until(lambda: (data := told(socket, person)) and not data['online'] and data, 30, 'somebody to be offline')


def test_oneself(system, sockets):
    person = people.newcomer(system, consents=False)
    first = sockets(person)
    data = told(first, person)
    assert data['userId'] == person.id and data['online'] is True and -5 < ago(data) < 60
    for bad in (None, 'me', 5, [person.id]):
        assert first.ask('presence', {'userId': bad})['error']['code'] == 'VALIDATION_ERROR'
    assert first.ask('presence')['error']['code'] == 'VALIDATION_ERROR'


def test_nobody_else_is_told_anything(system, sockets, admin):
    """Not even that there is somebody."""
    therapist = people.newcomer(system, 'therapist')
    stranger = sockets(people.newcomer(system, consents=False))
    assert sockets(therapist).ask('therapist_online', {'therapistId': therapist.id})['success'] is True
    for other in (therapist, admin, people.newcomer(system, consents=False), str(uuid.uuid4())):
        assert told(stranger, other) is None
    assert told(sockets(therapist), people.newcomer(system, consents=False)) is None


def test_an_administrator_s_look_is_in_the_access_log(system, sockets, admin):
    person = people.newcomer(system, consents=False)
    asker = sockets(admin)
    assert told(asker, person) == {'userId': person.id, 'online': False, 'lastSeen': None}
    one, two = sockets(person), sockets(person)
    assert told(asker, person)['online'] is True
    one.close()
    assert told(two, person)['online'] is True, 'the other device is still there'
    two.close()
    data = gone(asker, person)
    assert -5 < ago(data) < 60
    assert told(asker, str(uuid.uuid4())) is None

    def logged():
        rows = admin.client.get('/api/v1/admin/audit-logs?limit=50').expect(200).data
        return [row for row in rows if row['record'] == person.id and row['operation'] == 'notifications.presence']
    row = wait_until(lambda: len(logged()) >= 3 and logged()[0], 30, 'the looks in the access log')
    assert row['reader'] == admin.id and row['record_kind'] == 'user' and row['address'].startswith('127.')


def test_a_therapist_is_seen_by_whom_they_work_with(system, sockets, related):
    """Once it was announced, until it is withdrawn or the socket ends; the relation's end is the end of that."""
    therapist, parent, partner = people.newcomer(system, 'therapist'), people.newcomer(system), people.newcomer(system, consents=False)
    child, consultation = parent.child()['id'], str(uuid.uuid4())
    eyes = [sockets(parent), sockets(partner)]
    own = sockets(therapist)
    related('aipoten.therapist_relations',
            f"SELECT '{therapist.id}'::uuid AS therapist_user_id, '{child}'::uuid AS child_id, now() + interval '1 day' AS ends_at")
    related('aipoten.call_parties', f"""SELECT '{consultation}'::uuid AS consultation_id, u::uuid AS user_id
        FROM unnest(ARRAY['{therapist.id}', '{partner.id}']) AS u""")
    for eye in eyes:
        assert told(eye, therapist) == {'userId': therapist.id, 'online': False, 'lastSeen': None}, 'a socket alone shows nobody'
    assert own.ask('therapist_online', {'therapistId': therapist.id})['success'] is True
    assert own.ask('therapist_online', {'therapistId': therapist.id})['success'] is True  # twice is once
    for eye in eyes:
        assert told(eye, therapist)['online'] is True
    assert told(own, parent) is None and told(own, partner) is None, 'nobody sees parents'
    assert own.ask('therapist_offline', {'therapistId': parent.id})['error']['code'] == 'FORBIDDEN'
    assert eyes[0].ask('therapist_offline', {'therapistId': parent.id})['error']['code'] == 'FORBIDDEN'
    assert own.ask('therapist_offline', {'therapistId': therapist.id})['success'] is True
    for eye in eyes:
        data = gone(eye, therapist)
        assert -5 < ago(data) < 60
    assert told(own, therapist)['online'] is True, 'oneself sees all'
    own.ask('therapist_online', {'therapistId': therapist.id})
    own.close()
    for eye in eyes:
        gone(eye, therapist)
    related('aipoten.therapist_relations',
            f"SELECT '{therapist.id}'::uuid AS therapist_user_id, '{child}'::uuid AS child_id, now() - interval '1 second' AS ends_at")
    assert told(eyes[0], therapist) is None


def test_who_logs_out_is_gone(system, sockets, admin):
    person = people.newcomer(system, consents=False)
    sockets(person)
    asker = sockets(admin)
    assert told(asker, person)['online'] is True
    person.client.post('/api/v1/auth/logout', {'refresh_token': person.refresh_token}).expect(200)
    gone(asker, person)


def test_counters(system, sockets):
    """Of frontends and the broker, as `counters`, /metrics and `top` show them."""
    before = Metrics.of(system).sum('aipoten_presence_told_total', process='broker.1')
    sockets(people.newcomer(system, consents=False))
    wait_until(lambda: Metrics.of(system).sum('aipoten_presence_told_total', process='broker.1') > before, 30, 'it to be told')
    metrics = Metrics.of(system)
    assert metrics.sum('aipoten_presence_sockets') >= 1
    for name in ('hints_heard_total', 'hints_told_total', 'link_dropped_total', 'hints_lost_told_total', 'subscriptions'):
        assert metrics.sum(f'aipoten_{name}', process='broker.1') >= 0
    look = system.ctl('top', '-j')['realtime']
    assert look['sessions'] >= 1 and look['broker']['followed'] > 0
    assert 'SESSIONS' in system.ctl('top')
