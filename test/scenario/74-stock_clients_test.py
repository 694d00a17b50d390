"""The stock Socket.IO client from npm against four frontends: polls that reach any of them, upgrades, notifications, recovery, logout,
and the death of frontends."""
import json
import signal
import time
import uuid

import pytest

from harness import people
from harness.emit import Emitter
from harness.measure import counters_of
from harness.realtime import PING, PONG, Ended, Engine, Polling, Socket, Stock, node_home, server_of
from harness.wait import kill, wait_until

LEASE = 1  # second: that is how long a party of a call may be unheard of


@pytest.fixture(scope='module')
def four(start_system):
    return start_system(settings={'instances': {'frontend': 4}, 'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'},
                                  'realtime': {'ping_interval': '2s', 'presence_lease': f'{LEASE}s', 'turn_urls': ['turn:turn.example.com:3478']}})


@pytest.fixture(scope='module')
def stock():
    home = node_home()
    if home is None:
        pytest.skip('npm cannot install socket.io-client here')
    clients = Stock(home)
    yield clients
    clients.close()


def url(system):
    return f'http://127.0.0.1:{system.http_port}'


def ring(system, person, titles):
    """Notifications as another actor would make them."""
    emitter = Emitter(system)
    with system.database() as database:
        for title in titles:
            emitter.emit(database, 'notification.requested', str(uuid.UUID(person.id)), {
                'user': uuid.UUID(person.id), 'type': 10, 'title': title, 'message': title})


@pytest.mark.parametrize('transports', [['websocket'], ['polling'], ['polling', 'websocket']])
def test_transports(four, stock, transports):
    person, name = people.newcomer(four, consents=False), '-'.join(transports)
    stock.open(name, url(four), transports=transports, auth={'token': person.token})
    stock.wait(name, 'connect')
    if len(transports) == 2:
        stock.wait(name, 'upgrade')
    assert stock.emit(name, 'join_notification_room', {'userId': person.id}) == {'success': True, 'data': None}
    titles = [f'{i}번' for i in range(10)]
    ring(four, person, [*titles, '끝'])
    assert [event[0]['title'] for event in stock.wait(name, 'new_notification', 11)] == [*titles, '끝']
    assert stock.of(name, 'disconnect') == []
    stock.order(do='close', name=name)


def test_many_upgrades_reach_any_frontend(four, stock):
    person = people.newcomer(four, consents=False)
    before = counters_of(four, 'frontend')
    for i in range(12):
        stock.open(f'many{i}', url(four), auth={'token': person.token})
    for i in range(12):
        stock.wait(f'many{i}', 'connect')
        stock.wait(f'many{i}', 'upgrade')
    ring(four, person, ['모두', '끝'])
    for i in range(12):
        assert [event[0]['title'] for event in stock.wait(f'many{i}', 'new_notification', 2)] == ['모두', '끝']
    after = counters_of(four, 'frontend')
    assert after['realtime_passed'] > before['realtime_passed'], 'no poll reached another frontend'
    assert after['realtime_fetched'] > before['realtime_fetched'], 'no upgrade reached another frontend'
    for i in range(12):
        assert stock.of(f'many{i}', 'disconnect') == []
        stock.order(do='close', name=f'many{i}')


def test_over_tls_and_refused(four, stock):
    person = people.newcomer(four, consents=False)
    stock.open('tls', f'https://127.0.0.1:{four.https_port}', auth={'token': person.token}, rejectUnauthorized=False)
    stock.wait('tls', 'connect')
    stock.wait('tls', 'upgrade')
    stock.open('nobody', url(four), auth={'token': 'x'})
    assert stock.wait('nobody', 'connect_error')[0][0] == 'UNAUTHENTICATED'
    person.client.post('/api/v1/auth/logout', {'refresh_token': person.refresh_token}).expect(200)
    assert stock.wait('tls', 'disconnect') == [['io server disconnect']]


def test_recovery_by_the_library(four, stock):
    person = people.newcomer(four, consents=False)
    stock.open('back', url(four), transports=['websocket'], auth={'token': person.token}, reconnectionDelay=1500, randomizationFactor=0)
    stock.wait('back', 'connect')
    ring(four, person, ['하나'])
    stock.wait('back', 'new_notification')
    stock.order(do='break', name='back')
    stock.wait('back', 'disconnect')
    ring(four, person, ['둘', '셋'])
    connects = stock.wait('back', 'connect', 2)
    assert [state[0]['recovered'] for state in connects] == [False, True]
    ring(four, person, ['끝'])
    assert [event[0]['title'] for event in stock.wait('back', 'new_notification', 4)] == ['하나', '둘', '셋', '끝']
    stock.order(do='close', name='back')


@pytest.mark.parametrize('transport', ['websocket', 'polling'])
def test_a_frontend_dies(four, stock, transport):
    """Its clients come back elsewhere and miss nothing, and nothing comes twice."""
    persons = [people.newcomer(four, consents=False) for _ in range(4)]
    for i, person in enumerate(persons):
        stock.open(f'life {transport} {i}', url(four), transports=[transport], auth={'token': person.token})
        stock.wait(f'life {transport} {i}', 'connect')
        ring(four, person, ['첫째'])
        stock.wait(f'life {transport} {i}', 'new_notification')
    titles = [f'{i}' for i in range(15)]
    for at, pid in enumerate(four.pids('frontend')[:2]):
        for person in persons:
            ring(four, person, titles[at * 5:at * 5 + 5])
        kill(pid)
    for person in persons:
        ring(four, person, titles[10:])
    for i in range(4):
        events = stock.wait(f'life {transport} {i}', 'new_notification', 16, timeout=90)
        assert [event[0]['title'] for event in events] == ['첫째', *titles]
        stock.order(do='close', name=f'life {transport} {i}')


def test_sid_of_a_dead_frontend(four):
    """Only its own sessions ended."""
    polls = [Polling(four) for _ in range(8)]
    owners = [poll.generation for poll in polls]
    kill(next(row['pid'] for row in four.instances('frontend') if row['generation'] == owners[0]))
    four.wait_ready()
    for poll, owner in zip(polls, owners):
        answer = poll.post('3') if owner != owners[0] else poll.get()
        assert answer == ((200, 'ok') if owner != owners[0] else (400, '{"code":1,"message":"Session ID unknown"}'))


# --- in the middle of an upgrade --------------------------------------------------------------------------------------------

def probe(system, poll):
    socket = Engine(system, sid=poll.sid)
    socket.send('2probe')
    assert socket.receive() == '3probe'
    return socket


def test_a_logout_in_the_middle_of_an_upgrade(four):
    """Wherever the WebSocket is: its client hears that it is over for good."""
    person = people.newcomer(four, consents=False)
    witness, polls = Socket(four, person.token), [Polling(four) for _ in range(8)]
    for poll in polls:
        assert poll.connect(person.token).startswith('40')
    sockets = [probe(four, poll) for poll in polls]
    person.client.post('/api/v1/auth/logout', {'refresh_token': person.refresh_token}).expect(200)
    witness.wait_end()
    for socket in sockets:
        socket.send('5')
    for socket in sockets:
        assert '41' in socket.wait_end()


def upgrade_elsewhere(system, token=None):
    """The pid of a session's frontend, a WebSocket that probes at another one, and the pid of that."""
    def elsewhere():
        poll = Polling(system)
        owner = next(row['pid'] for row in system.instances('frontend') if row['generation'] == poll.generation)
        if token:
            assert poll.connect(token).startswith('40')
        socket = probe(system, poll)
        other = server_of(system, socket)
        return (owner, socket, other) if other != owner else None
    return wait_until(elsewhere, 60, 'a session at another frontend than its WebSocket')


def test_nothing_is_missed_on_the_way(four):
    """Its frontend does not know yet from where on it is to be told, and the other one takes it over only after something was said."""
    person, before = people.newcomer(four, consents=False), counters_of(four, 'frontend').get('realtime_waited', 0)
    stopped = set(four.pids('notifications'))

    def stop(*pids):
        stopped.update(pids)
        for pid in pids:
            kill(pid, signal.SIGSTOP)

    def go_on(*pids):
        for pid in pids:
            kill(pid, signal.SIGCONT)

    def counted(pid, name):
        instance = next(row['instance'] for row in four.instances('frontend') if row['pid'] == pid)
        return {row['name']: row['value'] for row in four.ctl('counters', '-j', f'frontend.{instance}')['counters']}.get(name, 0)

    def told():
        with four.database() as database:
            return database.rows('SELECT 1 FROM notifications.notifications WHERE user_id = %s', person.id)

    def heard():
        message = socket.receive()
        if message != '2':
            return message
        return socket.send('3')

    stop(*stopped)
    try:
        owner, socket, other = upgrade_elsewhere(four, person.token)
        had = counted(owner, 'realtime_sessions')
        stop(owner)
        socket.send('5')
        for _ in range(3):  # turns of the other one, after that in which it asked for the session
            socket.frame(b'', PING)
            assert socket.receive_frame() == (PONG, b'')
        stop(other)
        go_on(owner)
        wait_until(lambda: counted(owner, 'realtime_waited') > 0 or counted(owner, 'realtime_sessions') < had, 10, 'the taker to be heard')
        go_on(*four.pids('notifications'))
        wait_until(lambda: counted(owner, 'realtime_sessions') < had, 10, 'the session to leave')
        ring(four, person, ['그사이'])
        wait_until(told, 20)
        go_on(other)
        message = wait_until(heard, 20, 'what was said on the way')
    finally:
        go_on(*stopped)
    assert '그사이' in message
    assert counters_of(four, 'frontend')['realtime_waited'] > before
    socket.close()


def test_what_comes_behind_an_upgrade_is_bounded(four):
    """Each message costs more than its bytes, and nobody reads them until the session has come."""
    owner, socket, _ = upgrade_elsewhere(four)
    before = counters_of(four, 'frontend')['realtime_floods']
    kill(owner, signal.SIGSTOP)
    try:
        socket.send('5')
        with pytest.raises(Ended):
            for _ in range(300):
                socket.send('3')
            socket.wait_end()
            raise Ended
        wait_until(lambda: counters_of(four, 'frontend')['realtime_floods'] == before + 1, 20, 'it was counted')
    finally:
        kill(owner, signal.SIGCONT)


# --- video calls -------------------------------------------------------------------------------------------------------------

def test_a_call_between_two_parties(four):
    consultation, parties = str(uuid.uuid4()), [people.newcomer(four, consents=False) for _ in range(2)]
    with four.database() as database:
        database.rows(f"""CREATE OR REPLACE VIEW aipoten.call_parties AS
        SELECT c::uuid AS consultation_id, u::uuid AS user_id FROM (VALUES
            ('{consultation}', '{parties[0].id}'), ('{consultation}', '{parties[1].id}')) AS v (c, u)""")
    sockets = [Socket(four, person.token) for person in parties]
    stranger = Socket(four, people.newcomer(four, consents=False).token)
    wish = {'consultationId': consultation}
    answer = sockets[0].ask('join_call', wish)
    server = answer['data']['iceServers'][0]
    assert server['urls'] == ['turn:turn.example.com:3478'] and server['username'].endswith(':' + parties[0].id) and server['credential']
    assert stranger.ask('join_call', wish)['error']['code'] == 'NOT_FOUND'
    assert stranger.ask('signal', {**wish, 'data': 1})['error']['code'] == 'NOT_FOUND'
    assert sockets[1].ask('join_call', wish)['success'] is True
    joined = sockets[0].event()
    assert joined[0] == 'call_joined' and joined[1]['userId'] == parties[1].id
    assert sockets[0].ask('signal', {**wish, 'data': {'type': 'offer', 'sdp': 'v=0'}})['success'] is True
    assert sockets[1].event()[1]['data'] == {'type': 'offer', 'sdp': 'v=0'}
    assert sockets[1].ask('leave_call', wish)['success'] is True
    assert sockets[0].event()[0] == 'call_left'
    for socket in [*sockets, stranger]:
        socket.close()


class Party:
    """One of a call's two, in its room, by a socket of this frontend; None: of any but those."""

    def __init__(self, system, person, consultation, at=None, but=(), pid=None):
        auth = {'token': person.token, **({'pid': pid} if pid else {})}

        def meet():
            socket = Socket(system, auth=auth, timeout=60)
            server = server_of(system, socket)
            if server == at or (at is None and server is not None and server not in but):
                return socket, server
            return socket.close()
        self.socket, self.server = wait_until(meet, 60, 'a socket at such a frontend')
        self.person, self.wish = person, {'consultationId': consultation}
        self.id, self.pid = (json.loads(self.socket.answer[2:])[name] for name in ('sid', 'pid'))
        assert self.socket.ask('join_call', self.wish)['success'] is True

    def hears(self, name, other):
        event = self.socket.event()
        assert (event[0], event[1]['socketId'], event[1]['userId']) == (name, other.id, other.person.id), event

    def says(self, data):
        assert self.socket.ask('signal', {**self.wish, 'data': data})['success'] is True


@pytest.fixture
def call(four):
    """Two who have a consultation: its id, and they."""
    consultation, parties = str(uuid.uuid4()), [people.newcomer(four, consents=False) for _ in range(2)]
    with four.database() as database:
        database.rows(f"""CREATE OR REPLACE VIEW aipoten.call_parties AS SELECT '{consultation}'::uuid AS consultation_id, u::uuid AS user_id
            FROM unnest(ARRAY['{parties[0].id}', '{parties[1].id}']) AS u""")
    four.wait_ready()
    return consultation, *parties


def test_a_killed_frontend_s_clients_have_left_their_calls(four, call):
    """Whoever was in the room first; told once of each, and before they are back."""
    consultation, one, other = call
    waits = Party(four, one, consultation)
    first = Party(four, other, consultation, but=[waits.server])
    waits.hears('call_joined', first)
    second = Party(four, other, consultation, at=first.server)
    waits.hears('call_joined', second), first.hears('call_joined', second)
    late = Party(four, one, consultation, but=[waits.server, first.server])  # it knows of nobody yet
    for party in (waits, first, second):
        party.hears('call_joined', late)
    second.says('before the end')
    for party in (waits, first, late):
        party.hears('signal', second)
    kill(first.server)
    for party in (waits, late):
        gone = [party.socket.event() for _ in range(2)]
        assert sorted((event[0], event[1]['socketId']) for event in gone) == sorted(('call_left', who.id) for who in (first, second))
    four.wait_ready()
    back = Party(four, other, consultation, pid=second.pid)
    for party in (waits, late):
        party.hears('call_joined', back)
    assert back.socket.ask('leave_call', back.wish)['success'] is True
    for party in (waits, late):
        party.hears('call_left', back)  # and nothing in between
        party.socket.close()


def test_what_a_killed_broker_was_told_of_a_call_is_found_out(four, call):
    """Who joined and who left while nobody could hear it."""
    consultation, one, other = call
    waits = Party(four, one, consultation)
    first = Party(four, other, consultation, but=[waits.server])
    waits.hears('call_joined', first)
    time.sleep(LEASE)  # who was there before has answered: another's joining is news
    broker, = four.pids('broker')
    kill(broker, signal.SIGSTOP)
    second = Party(four, other, consultation, but=[waits.server])
    assert first.socket.ask('leave_call', first.wish)['success'] is True
    kill(broker)
    news = [waits.socket.event() for _ in range(2)]
    assert sorted((event[0], event[1]['socketId']) for event in news) == [('call_joined', second.id), ('call_left', first.id)]
    second.says('there')
    waits.hears('signal', second)
    for party in (waits, first, second):
        party.socket.close()


def test_who_comes_back_to_a_call_has_left_before(four, call):
    """Though its frontend has not noticed, and is killed later: that is nobody's end any more."""
    consultation, one, other = call
    waits = Party(four, one, consultation)
    first = Party(four, other, consultation, but=[waits.server])
    waits.hears('call_joined', first)
    again = Party(four, other, consultation, pid=first.pid, but=[waits.server, first.server])
    waits.hears('call_left', first), waits.hears('call_joined', again)
    device = Party(four, other, consultation, at=first.server)  # of the same user, but no other's successor
    waits.hears('call_joined', device)
    first.says('of whom nothing is expected any more')
    kill(first.server)
    waits.hears('call_left', device)
    again.says('still there')
    waits.hears('signal', again)
    four.wait_ready()
    for party in (waits, again):
        party.socket.close()


def test_a_call_s_party_that_goes_to_another_frontend_is_still_there(four, call):
    """The first frontend's end is none of its business then; the other one's is."""
    consultation, one, other = call
    waits = Party(four, one, consultation)
    wish = {'consultationId': consultation}
    polls = wait_until(lambda: next((poll for poll in [Polling(four)] if poll.generation != generation_of(four, waits.server)), None),
                       60, 'a session at another frontend')
    polls.connect(other.token)
    assert polls.post('421' + json.dumps(['join_call', wish])) == (200, 'ok')
    name, joined = waits.socket.event()
    assert (name, joined['userId']) == ('call_joined', other.id)
    owner = polls.generation

    def upgrades():
        engine = Engine(four, sid=polls.sid, timeout=60)
        server = server_of(four, engine)
        if server is None or generation_of(four, server) in (owner, generation_of(four, waits.server)):
            return engine.close()
        engine.send('2probe')
        assert engine.receive() == '3probe'
        engine.send('5')
        return engine, server
    engine, server = wait_until(upgrades, 60, 'the session at another frontend')
    engine.send('422' + json.dumps(['signal', {**wish, 'data': 'moved'}]))
    assert waits.socket.event()[0] == 'signal'
    kill(next(row['pid'] for row in four.instances('frontend') if row['generation'] == owner))
    four.wait_ready()
    engine.send('423' + json.dumps(['signal', {**wish, 'data': 'moved'}]))
    assert waits.socket.event()[0] == 'signal', 'it was told as gone'
    kill(server)
    name, left = waits.socket.event()
    assert (name, left['socketId']) == ('call_left', joined['socketId'])
    four.wait_ready()
    waits.socket.close()


def test_a_call_s_party_that_never_gets_to_another_frontend_has_left(four, call):
    """Its WebSocket there is gone when its session comes."""
    consultation, one, other = call
    waits, polls = Party(four, one, consultation), Polling(four)
    polls.connect(other.token)
    assert polls.post('421' + json.dumps(['join_call', {'consultationId': consultation}])) == (200, 'ok')
    joined = waits.socket.event()[1]
    owner = next(row['pid'] for row in four.instances('frontend') if row['generation'] == polls.generation)

    def probes():
        engine = Engine(four, sid=polls.sid, timeout=60)
        if server_of(four, engine) in (owner, None):
            return engine.close()
        engine.send('2probe')
        assert engine.receive() == '3probe'
        return engine
    engine = wait_until(probes, 60, 'a WebSocket at another frontend')
    kill(owner, signal.SIGSTOP)
    try:
        engine.send('5')
        with pytest.raises(Ended):
            for _ in range(300):  # more than may wait for the session
                engine.send('3')
            engine.wait_end()
            raise Ended
    finally:
        kill(owner, signal.SIGCONT)
    name, left = waits.socket.event()
    assert (name, left['socketId']) == ('call_left', joined['socketId'])
    waits.socket.close()


def generation_of(system, pid):
    return next(row['generation'] for row in system.instances('frontend') if row['pid'] == pid)
