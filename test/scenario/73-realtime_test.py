"""The realtime API for stock clients and by hand: who may connect and until when, what reaches whom, video calls' rooms, what is
missed and told again."""
import json
import signal
import uuid

import h2.errors
import pytest

from harness import people
from harness.emit import Emitter
from harness.h2 import H2Client
from harness.measure import counters_of
from harness.realtime import Engine, Polling, Socket
from harness.wait import kill, wait_until


def counter(system, name):
    return counters_of(system, 'frontend')[name]


class Bell:
    """Makes notifications as another actor would."""

    def __init__(self, system, database):
        self.emitter, self.database = Emitter(system), database

    def ring(self, person, title='알림', **more):
        return self.emitter.emit(self.database, 'notification.requested', str(uuid.UUID(person.id)), {
            'user': uuid.UUID(person.id), 'type': 10, 'title': title, 'message': title, **more})


@pytest.fixture
def bell(system, database):
    return Bell(system, database)


def next_title(socket):
    event = socket.event()
    assert event[0] == 'new_notification', event
    return event[1]['title']


# --- who may connect ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('auth', [None, {}, {'token': ''}, {'token': 'x'}, {'token': 5}, {'token': 'a' * 5000}, {'other': 1}])
def test_without_a_token_nobody_connects(system, auth):
    socket = Socket(system, auth=auth)
    assert not socket.connected
    assert socket.refusal == 'UNAUTHENTICATED'
    error = json.loads(socket.answer[2:])['data']
    assert error['success'] is False and error['error']['code'] == 'UNAUTHENTICATED'
    socket.close()


def test_nobody_connects_again_and_again(system):
    """A connect costs as much as a new session, which are rationed."""
    socket = Socket(system, auth={})
    for _ in range(99):
        socket.send('40{}')
        assert socket.next().startswith('44')
    socket.send('40{}')
    assert socket.wait_end() == []
    socket.close()


def test_an_unknown_namespace(system, parent):
    socket = Socket(system, parent.token)
    socket.send('40/admin,' + json.dumps({'token': parent.token}))
    assert socket.next() == '44/admin,{"message":"Invalid namespace"}'
    socket.close()


def test_connect_and_rooms(system, parent, therapist):
    socket = Socket(system, parent.token)
    assert socket.connected
    assert socket.ask('join_notification_room', {'userId': parent.id}) == {'success': True, 'data': None}
    other = socket.ask('join_notification_room', {'userId': therapist.id})
    assert other['success'] is False and other['error']['code'] == 'FORBIDDEN'
    assert socket.ask('join_notification_room', {'userId': 'me'})['error']['code'] == 'VALIDATION_ERROR'
    assert socket.ask('join_notification_room')['error']['code'] == 'VALIDATION_ERROR'
    assert socket.ask('therapist_online', {'therapistId': parent.id})['error']['code'] == 'FORBIDDEN'
    mine = Socket(system, therapist.token)
    assert mine.ask('therapist_online', {'therapistId': therapist.id})['success'] is True
    assert mine.ask('therapist_online', {'therapistId': parent.id})['error']['code'] == 'FORBIDDEN'
    socket.close()
    mine.close()


# --- until when --------------------------------------------------------------------------------------------------------------

def told_goodbye(socket, *words):
    """In ten times the second that it may take. After "41" a client's library does not come back by itself."""
    assert socket.cut_off(10) == 1000 and socket.heard == [*words, '1'], socket.heard


def test_logout_ends_the_sockets(system):
    person = people.newcomer(system, consents=False)
    other = people.log_in(system, person.email, person.password)
    socket, stays = Socket(system, person.token), Socket(system, other.token)
    assert socket.connected and stays.connected
    person.client.post('/api/v1/auth/logout', {'refresh_token': person.refresh_token}).expect(200)
    told_goodbye(socket, '41')
    assert stays.ask('join_notification_room', {'userId': person.id})['success'] is True
    assert Socket(system, person.token).refusal == 'UNAUTHENTICATED'
    stays.close()


def test_the_last_words_wait_for_the_next_poll(system):
    person = people.newcomer(system, consents=False)
    witness, polling = Socket(system, person.token), Polling(system)
    assert polling.connect(person.token).startswith('40')
    person.client.post('/api/v1/auth/logout', {'refresh_token': person.refresh_token}).expect(200)
    witness.wait_end()
    assert polling.post('3') == (200, 'ok')
    assert polling.get() == (200, '41\x1e1')
    assert polling.get()[0] == 400


def test_logout_is_heard_though_its_word_is_lost(system):
    """No broker: the table of what was ended says so a moment later. The client's library must not come back by itself."""
    person, broker = people.newcomer(system, consents=False), system.pids('broker')[0]
    socket = Socket(system, person.token)
    kill(broker, signal.SIGSTOP)
    try:
        person.client.post('/api/v1/auth/logout', {'refresh_token': person.refresh_token}).expect(200)
        assert '41' in socket.wait_end()
    finally:
        kill(broker, signal.SIGCONT)


def test_suspension_ends_the_sockets(system, admin):
    person = people.newcomer(system, consents=False)
    sockets = [Socket(system, person.token), Socket(system, people.log_in(system, person.email, person.password).token)]
    admin.client.patch(f'/api/v1/admin/users/{person.id}', {'status': 'suspended'}).expect(200)
    for socket in sockets:
        told_goodbye(socket, '41')


def test_expired_tokens_end_the_sockets(start_system):
    own = start_system(settings={'auth': {'access_lifetime': '3s'}, 'realtime': {'connect_timeout': '2s'}})
    person = people.newcomer(own, consents=False)
    socket, renewed = Socket(own, person.token), Socket(own, person.token)
    fresh = people.log_in(own, person.email, person.password)
    wait_until(lambda: renewed.ask('authenticate', {'token': people.log_in(own, person.email, person.password).token})['success']
               and counter(own, 'realtime_expired') >= 1, 30, every=0.5)
    told_goodbye(socket)
    assert renewed.ask('join_notification_room', {'userId': person.id})['success'] is True
    assert renewed.ask('authenticate', {'token': 'x'})['error']['code'] == 'UNAUTHENTICATED'
    stranger = people.newcomer(own, consents=False)
    assert renewed.ask('authenticate', {'token': stranger.token})['error']['code'] == 'FORBIDDEN'
    assert fresh.id == person.id
    silent = Engine(own)
    assert silent.cut_off() == 1000 and silent.heard == ['1']  # the time to connect is over
    own.destroy()


# --- notifications -----------------------------------------------------------------------------------------------------------

def test_a_notification_reaches_each_of_ones_sockets_once(system, bell):
    person, stranger = people.newcomer(system, consents=False), people.newcomer(system, consents=False)
    sockets = [Socket(system, person.token) for _ in range(4)]
    other = Socket(system, stranger.token)
    titles = [f'{i}번' for i in range(20)]
    for title in titles:
        bell.ring(person, title)
    bell.ring(person, '끝')
    for socket in sockets:
        assert [next_title(socket) for _ in [*titles, '끝']] == [*titles, '끝']
    bell.ring(stranger, '하나')
    assert next_title(other) == '하나'
    listed = [item['title'] for item in person.client.get('/api/v1/notifications?limit=50').expect(200).data]
    assert listed == ['끝', *titles[::-1]]
    for socket in [*sockets, other]:
        socket.close()


def test_a_broadcast_is_told_to_its_role_at_once(system, admin, bell):
    """By one word for all of the role, besides each one's own notification; not to who does not want it."""
    persons = {name: people.newcomer(system, role, consents=False) for name, role in (
        ('parent', 'parent'), ('therapist', 'therapist'), ('muted', 'therapist'))}
    persons['muted'].client.request('PUT', '/api/v1/notifications/preferences', {
        'types': [{'type': 'system', 'in_app': False, 'email': False, 'push': False}]}).expect(200)
    sockets = {name: Socket(system, person.token) for name, person in persons.items()}
    body = {'role': 'therapist', 'title': '점검 "안내"', 'message': '내일', 'title_en': 'Maintenance', 'link_url': '/notices/2'}
    order = admin.client.post('/api/v1/admin/notifications/broadcast', body).expect(202).data
    told = dict((name, said) for name, said, *_ in (sockets['therapist'].event() for _ in range(2)))
    assert told['broadcast'] == {name: order[name] for name in ('id', 'title', 'message', 'title_en', 'link_url', 'created_at')} | {
        'message_en': None}
    assert told['new_notification']['title'] == body['title']
    for name in ('parent', 'muted'):
        bell.ring(persons[name], 'another', type=2)
        assert next_title(sockets[name]) == 'another'
    for socket in sockets.values():
        socket.close()


def test_offsets_count_up(system, bell):
    person = people.newcomer(system, consents=False)
    socket = Socket(system, person.token)
    for _ in range(3):
        bell.ring(person)
    offsets = [socket.event()[2] for _ in range(3)]
    assert offsets == sorted(offsets, key=int) and len(set(offsets)) == 3
    socket.close()


def test_recovery(system, bell):
    """Back within two minutes with the last offset: what was missed comes, in order, and the id says that it was recovered."""
    person = people.newcomer(system, consents=False)
    socket = Socket(system, person.token)
    pid = json.loads(socket.answer[2:])['pid']
    bell.ring(person, '본 것')
    event = socket.event()
    socket.close()
    for i in range(5):
        bell.ring(person, f'놓친 것 {i}')
    wait_until(lambda: len(person.client.get('/api/v1/notifications').data) == 6, 60)
    back = Socket(system, auth={'token': person.token, 'pid': pid, 'offset': event[2]})
    assert json.loads(back.answer[2:])['pid'] == pid
    assert [next_title(back) for _ in range(5)] == [f'놓친 것 {i}' for i in range(5)]
    bell.ring(person, '새것')
    assert next_title(back) == '새것'
    stranger = people.newcomer(system, consents=False)
    other = Socket(system, auth={'token': stranger.token, 'pid': pid, 'offset': event[2]})
    assert json.loads(other.answer[2:])['pid'] != pid
    for i in range(101):
        bell.ring(stranger, str(i))
    wait_until(lambda: other.event()[1]['title'] == '100', 120)
    last = json.loads(other.answer[2:])['pid']
    other.close()
    late = Socket(system, auth={'token': stranger.token, 'pid': last, 'offset': '0'})
    assert json.loads(late.answer[2:])['pid'] != last, 'more than 100: a fresh one'
    late.close()
    back.close()


def test_polls_get_them_too(system, bell):
    person = people.newcomer(system, consents=False)
    polling = Polling(system)
    assert polling.connect(person.token).startswith('40{"sid"')
    bell.ring(person, '폴링')
    status, body = polling.get()
    assert status == 200 and json.loads(body[2:])[1]['title'] == '폴링'


def test_a_poll_that_is_given_up_ends_the_session(system):
    """Wherever it lives: what was on its way to the client cannot be known to have come."""
    polls = [Polling(system) for _ in range(6)]
    with H2Client(system) as client:
        for stream in [client.send('GET', f'/socket.io/?EIO=4&transport=polling&sid={poll.sid}') for poll in polls]:
            client.connection.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            client.flush()
        for poll in polls:  # whose own time is 10 s
            wait_until(lambda poll=poll: poll.post('3') == (400, '{"code":1,"message":"Session ID unknown"}'), 5, every=0.1)


# --- video calls -------------------------------------------------------------------------------------------------------------

def test_nobody_joins_a_call_of_others(system, parent):
    socket = Socket(system, parent.token)
    answer = socket.ask('join_call', {'consultationId': str(uuid.uuid4())})
    assert answer['error']['code'] == 'NOT_FOUND'
    for event in ('signal', 'leave_call'):
        assert socket.ask(event, {'consultationId': str(uuid.uuid4()), 'data': 1})['error']['code'] == 'NOT_FOUND'
    socket.close()
