"""The broker: everybody hears that the instance table has changed; and what becomes stale on one machine is stale on the other: two
complete systems over one PostgreSQL and one Redis. Brokers and Redis are killed under load, and nobody notices. Whoever may have
missed something empties its cache: brokers that do not exist are played, with Redis' own client, byte by byte. And hints of users,
rooms, roles and sessions reach those who follow, on both machines: unit-hints plays the processes that do. And who is online on one
machine is known on the other."""
import datetime
import json
import os
import signal
import subprocess
import time
import uuid

import pytest

from harness import events, people
from harness.client import Client
from harness.load import Load
from harness.realtime import Socket, server_of
from harness.system import BUILD
from harness.wait import kill, wait_until

SETTINGS = {'cluster': {'enabled': True, 'beat': '200ms', 'silence': '2s'}, 'database': {'connections': 45},
            'realtime': {'presence_lease': '3s'},
            'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'}}
WITHIN = 10  # ten times what is normal; a cached answer would live longer
CHANNEL = 'aipoten:broker'
VIDEOS, ADMIN_VIDEOS = '/api/v1/videos', '/api/v1/admin/videos'


@pytest.fixture(scope='module')
def machines(start_system):
    first = start_system(settings=SETTINGS)
    return first, start_system(settings=SETTINGS, beside=first)


@pytest.fixture
def here(machines):
    return machines[0]


@pytest.fixture
def there(machines):
    return machines[1]


def counters(system):
    """Of the broker that runs now."""
    return {row['name']: row['value'] for row in system.ctl('counters', '-j', 'broker.1')['counters']}


def cache_counts(system):
    return system.ctl('cache', '-j')


def rises(system, name, before, timeout=WITHIN):
    wait_until(lambda: counters(system).get(name, 0) > before.get(name, 0), timeout, f'{name} to rise', every=0.05)


def listeners(system):
    return len([row for row in system.instances() if row['service'] != 'broker' and row['pid']])


def all_listen(system):
    """Each process has subscribed, and the broker is through with Redis."""
    def good():
        now = counters(system)
        return now.get('subscriptions', 0) >= listeners(system) and now.get('bridge_subscriptions', 0) > 0
    system.wait_ready()
    wait_until(good, 20, 'all processes to subscribe', every=0.05)


def say(system, number, stale=None, broker=b'b' * 16, version=2):
    """What a broker of another machine would say: a beat, or news (msgpack by hand: bridge.c has the fields)."""
    tail = (b'\xc0' if stale is None else b'\xc4' + bytes([len(stale)]) + stale) + b'\xc0'
    say_bytes(system, b'\x95' + bytes([version]) + b'\xc4\x10' + broker + bytes([number]) + tail)


def say_bytes(system, message):
    kept = system.kept
    subprocess.run(['redis-cli', '-h', '127.0.0.1', '-p', kept['REDIS_PORT'], '-x', 'PUBLISH', CHANNEL], input=message,
                   env={**os.environ, 'REDISCLI_AUTH': kept['REDIS_PASSWORD']}, check=True, timeout=20, stdout=subprocess.DEVNULL)


def news(tag, identity):
    """Of one tag."""
    name = tag.encode()
    return b'\x93\xc2\x90\x91\x92' + bytes([0xa0 + len(name)]) + name + b'\xc4\x10' + identity.bytes


@pytest.fixture
def video(here):
    """A published video; its maker is the first machine's administrator."""
    mark = uuid.uuid4().hex
    description = {'title': f'처음 {mark}', 'description': '시험', 'video_url': f'https://videos.example.com/{mark}',
                   'video_platform': 'youtube', 'duration': 100, 'target_age_min': 12, 'target_age_max': 36, 'difficulty': 'easy',
                   'priority': 1, 'areas': ['language'], 'is_published': True}
    admin = people.demo(here, 'admin').client
    made = admin.post(ADMIN_VIDEOS, description).expect(201).data
    yield made
    admin.delete(f'{ADMIN_VIDEOS}/{made["id"]}')


def title(client, video):
    return client.get(f'{VIDEOS}/{video["id"]}').expect(200).data['title']


def keep(system, client, video):
    """Until the answer comes from this machine's cache: two reads and a hit."""
    def hit():
        before = cache_counts(system)['hits']
        found = title(client, video)
        return found if cache_counts(system)['hits'] > before else None
    return wait_until(hit, WITHIN, 'the video to come from the cache')


def rename(system, video, words):
    people.demo(system, 'admin').client.patch(f'{ADMIN_VIDEOS}/{video["id"]}', {'title': words}).expect(200)


# --- on one machine ----------------------------------------------------------------------------------------------------------

def test_everybody_listens_and_is_told(here):
    all_listen(here)
    before = counters(here)
    kill(here.pids('children')[0])
    wait_until(lambda: counters(here)['hints_told'] >= before['hints_told'] + 2 * (listeners(here) - 1), WITHIN, 'all to be told')
    all_listen(here)  # the new instance as well, and the old one is forgotten
    assert counters(here)['link_dropped'] == 0


def test_broker_comes_back(here):
    for _ in range(2):
        pid = here.pids('broker')[0]
        kill(pid)
        wait_until(lambda: here.pids('broker') not in ([], [pid]), 20, 'another broker')
        all_listen(here)


def test_sockets_are_the_run_directory_s(here):
    for row in here.instances('broker'):
        run = os.path.join(here.var, 'run', 'ipc')
        assert os.stat(run).st_mode & 0o077 == 0
        assert any(name.startswith(f'broker.{row["instance"]}.') for name in os.listdir(run))


# --- hints of users, roles, rooms and sessions -------------------------------------------------------------------------------

class Follower:
    """A process that plays an instance of `service`: what it hears is for that one's generation, until that ends."""

    def __init__(self, system, *words, service='mailer'):
        broker = system.instances('broker')[0]
        endpoint = os.path.join(system.var, 'run', 'ipc', f'broker.{broker["instance"]}.{broker["generation"]}')
        generation = max((row['generation'] for row in system.instances(service)), default=0)
        self.process = subprocess.Popen([os.path.join(BUILD, 'unit', 'unit-hints'), f'ipc://{endpoint}', str(generation),
                                         *map(str, words)], stdout=subprocess.PIPE, text=True)
        if words[0] != 'say':
            assert self.process.stdout.readline() == 'listening\n'
            time.sleep(1)  # its word to the broker has no answer

    def lines(self):
        out, _ = self.process.communicate(timeout=30)
        return out.splitlines()


def speak(system, topic, payload, times=1):
    Follower(system, 'say', topic, payload, times).lines()


def test_hints_go_where_they_are_wanted(here):
    one, other = f'user:{uuid.uuid4()}', f'user:{uuid.uuid4()}'
    first, second = Follower(here, 100, one, 'role:parent'), Follower(here, 1, other, service='videos')
    speak(here, one, 'for one', 99)
    speak(here, 'role:parent', 'for all')
    speak(here, other, 'for the other')
    assert first.lines() == [f'{one} for one {i}' for i in range(99)] + ['role:parent for all 0']
    assert second.lines() == [f'{other} for the other 0']


def test_who_unsubscribed_hears_no_more(here):
    kept, given_up = f'user:{uuid.uuid4()}', f'user:{uuid.uuid4()}'
    follower = Follower(here, 'once', kept, given_up)
    speak(here, given_up, 'no')
    speak(here, kept, 'yes')
    assert follower.lines() == [f'{kept} yes 0']


def test_hints_cross_machines(machines):
    for machine in machines:
        all_listen(machine)
    for near, far in (machines, machines[::-1]):
        user, took = f'user:{uuid.uuid4()}', []
        for number in range(3):
            follower = Follower(far, 1, user)
            speak(near, user, f'from there {number}')
            assert follower.lines() == [f'{user} from there {number} 0']
        follower = Follower(far, 501, user, f'{user}.end')
        began = time.monotonic()
        speak(near, user, 'one of many', 500)
        speak(near, 'instances', 'each machine has its own')
        speak(near, f'{user}.end', '')
        assert follower.lines() == [f'{user} one of many {i}' for i in range(500)] + [f'{user}.end  0']
        took.append(time.monotonic() - began)
        assert max(took) < WITHIN


def test_an_actor_s_death_is_told_as_a_loss(here):
    """It may have committed and not spoken."""
    all_listen(here)
    follower = Follower(here, 1, 'lost')
    kill(here.pids('children')[0])
    assert follower.lines() == ['lost ']
    here.wait_ready()


def test_a_gap_of_another_machine_is_told_as_a_loss(here, there):
    all_listen(there)
    other = uuid.uuid4().bytes
    say(here, 0, broker=other)
    time.sleep(0.5)  # that of the stranger has been told
    follower = Follower(there, 1, 'lost')
    say(here, 7, broker=other)
    assert follower.lines() == ['lost ']


# --- on two -------------------------------------------------------------------------------------------------------------------

def test_a_write_here_is_seen_there(machines, video):
    for reader, writer in (machines, machines[::-1]):
        all_listen(reader), all_listen(writer)
        client = Client(reader)
        for number in range(3):
            keep(reader, client, video)
            words = f'{writer.https_port} {number} {uuid.uuid4().hex}'
            rename(writer, video, words)
            wait_until(lambda: title(client, video) == words, WITHIN, 'the new title on the other machine')
        assert 'bridge_tags' in counters(reader) and counters(reader)['bridge_tags'] >= 3


def test_an_actor_that_dies_may_have_said_nothing(here, there):
    all_listen(here), all_listen(there)
    before = counters(there)
    kill(here.pids('children')[0])
    rises(there, 'bridge_owners', before)
    here.wait_ready()


def test_personal_answers_are_not_kept(here):
    parent = people.newcomer(here)
    parent.child()
    before = cache_counts(here)
    for _ in range(3):
        parent.client.get('/api/v1/children').expect(200)
    after = cache_counts(here)
    assert (after['fills'], after['hits']) == (before['fills'], before['hits'])


def test_what_is_missing_empties_the_cache(here, there, video):
    """A broker that nobody knows, one whose number leaps, in news or in a beat, and what cannot be read."""
    all_listen(there)
    client = Client(there)
    other, identity = uuid.uuid4().bytes, uuid.UUID(video['id'])

    def step(name, speak):
        keep(there, client, video)
        before = counters(there)
        speak()
        rises(there, name, before)
        return before, counters(there)

    before, after = step('bridge_flushes', lambda: say(here, 0, broker=other))  # a stranger
    assert after['bridge_gaps'] == before['bridge_gaps']
    before, after = step('bridge_tags', lambda: say(here, 1, news('video', identity), broker=other))
    assert after['bridge_flushes'] == before['bridge_flushes'], 'one tag is one tag'
    before, after = step('bridge_gaps', lambda: say(here, 3, news('video', identity), broker=other))
    assert after['bridge_flushes'] > before['bridge_flushes']
    before, after = step('bridge_gaps', lambda: say(here, 4, broker=other))  # the last news were lost
    assert after['bridge_flushes'] > before['bridge_flushes']
    for message in (b'', b'\xc1', b'\x94', b'rubbish' * 99):
        before, after = step('bridge_unreadable', lambda: say_bytes(here, message))  # pylint: disable=cell-var-from-loop
        assert after['bridge_flushes'] > before['bridge_flushes']
    before, after = step('bridge_unreadable', lambda: say(here, 5, broker=other, version=9))  # a later build
    assert after['bridge_flushes'] > before['bridge_flushes']
    assert before['bridge_subscriptions'] == after['bridge_subscriptions']
    assert len(there.pids('broker')) == 1 and there.instances('broker')[0]['state'] == 'READY'


def reading_and_writing(system, parent):
    child = parent.client.get('/api/v1/children').data[0]['id']
    numbers = iter(range(10 ** 9))
    return Load(system, parent.token, {
        'read': lambda client: client.get(VIDEOS), 'children': lambda client: client.get('/api/v1/children'),
        'write': lambda client: client.patch(f'/api/v1/children/{child}', {'medical_history': f'{next(numbers)}'})},
        threads=1, pause=0.01)


@pytest.fixture
def loads(here, there):
    """Both machines at work for the same parent's child."""
    parent = people.newcomer(here)
    parent.child()
    elsewhere = people.log_in(there, parent.email, parent.password)
    with reading_and_writing(here, parent) as first, reading_and_writing(there, elsewhere) as second:
        yield first, second
    for load in (first, second):
        assert not load.failures, load.failures[:3]


def test_brokers_die_under_load(machines, video, loads):
    here, there = machines
    client = Client(there)
    for number in range(3):
        for system in machines:
            kill(system.pids('broker')[0])
        for load in loads:
            load.goes_on()
        keep(there, client, video)
        rename(here, video, f'after {number}')  # whether or not there is a broker yet
        wait_until(lambda: title(client, video) == f'after {number}', WITHIN, 'the new title')  # pylint: disable=cell-var-from-loop
    for system in machines:
        all_listen(system)


def test_redis_dies_under_load(machines, video, loads):
    """What is written meanwhile is not told; it is seen when Redis is back, for then nobody trusts what was kept."""
    here, there = machines
    client = Client(there)
    for system in machines:
        all_listen(system)
    before = counters(there)
    kill(int(here.services('redis_pid')))
    for load in loads:
        load.goes_on()
    kept = keep(there, client, video)
    rename(here, video, 'while Redis was away')
    for load in loads:
        load.goes_on()
    assert title(client, video) == kept, 'nobody can have told'
    here.services('redis_start')
    wait_until(lambda: title(client, video) == 'while Redis was away', 2 * WITHIN, 'the new title')
    after = counters(there)
    assert after['bridge_subscriptions'] > before['bridge_subscriptions'] and after['bridge_flushes'] > before['bridge_flushes']


# --- calls between machines ---------------------------------------------------------------------------------------------------

@pytest.fixture
def call(machines):
    """The two of a consultation, each in its call on a machine of their own: (socket, its id) of both."""
    consultation, persons = str(uuid.uuid4()), [people.newcomer(machines[0], consents=False) for _ in range(2)]
    with machines[0].database() as database:
        database.rows(f"""CREATE OR REPLACE VIEW aipoten.call_parties AS SELECT '{consultation}'::uuid AS consultation_id, u::uuid AS user_id
            FROM unnest(ARRAY['{persons[0].id}', '{persons[1].id}']) AS u""")
    parties = []
    for machine, person in zip(machines, persons):
        all_listen(machine)
        socket = Socket(machine, person.token, timeout=60)
        assert socket.ask('join_call', {'consultationId': consultation})['success']
        parties.append((socket, json.loads(socket.answer[2:])['sid']))
    assert heard(parties[0]) == ('call_joined', parties[1][1])
    yield parties
    for socket, _ in parties:
        socket.close()


def heard(party):
    event = party[0].event()
    return event[0], event[1]['socketId']


@pytest.mark.parametrize('near', [0, 1])
def test_a_killed_frontend_there_has_left_its_calls_here(machines, call, near):
    """Its broker says so, whoever joined first."""
    far = 1 - near
    kill(server_of(machines[far], call[far][0]))
    assert heard(call[near]) == ('call_left', call[far][1])
    machines[far].wait_ready()


def test_a_machine_that_is_not_heard_of_has_left_its_calls(machines, call):
    """After a while, since nobody is left who could say so; and when it is heard of again, who is still there has joined."""
    broker = machines[1].pids('broker')[0]
    kill(broker, signal.SIGSTOP)
    try:
        assert heard(call[0]) == ('call_left', call[1][1])
    finally:
        kill(broker, signal.SIGCONT)
    assert heard(call[0]) == ('call_joined', call[1][1])


# --- who is online ------------------------------------------------------------------------------------------------------------

class Eye:
    """An administrator who asks on a machine, each time by a socket of its own: frontends die here."""

    def __init__(self, system):
        self.system, self.token = system, people.demo(system, 'admin').token

    def look(self, person):
        socket = Socket(self.system, self.token)
        answer = socket.ask('presence', {'userId': person.id})
        socket.close()
        return answer['data'] if answer['success'] else None

    def sees(self, person, online):
        return wait_until(lambda: (data := self.look(person)) and data['online'] == online and data, 2 * WITHIN,
                          f'{self.system.https_port} to see that somebody is {"online" if online else "gone"}')


@pytest.fixture
def eyes(here, there):
    return Eye(here), Eye(there)


def test_online_here_is_online_there(machines, eyes):
    """On both, and gone when the last socket is; each machine's word is its own."""
    person = people.newcomer(machines[0], consents=False)
    one, two = [Socket(machine, person.token) for machine in machines]
    for eye in eyes:
        eye.sees(person, True)
    one.close()
    time.sleep(0.5)  # what is told of it has been told
    assert eyes[1].look(person)['online'] is True and eyes[0].look(person)['online'] is True
    two.close()
    for eye in eyes:
        assert eye.sees(person, False)['lastSeen']


def test_no_ghosts_of_what_was_killed(here, eyes):
    """A frontend, then the broker, then both: who was there and did not come back is gone, on both machines."""
    for services in (['frontend'], ['broker'], ['frontend', 'broker']):
        person, stays = (people.newcomer(here, consents=False) for _ in range(2))
        socket = Socket(here, person.token)
        for eye in eyes:
            eye.sees(person, True)
        for service in services:
            for pid in here.pids(service):
                kill(pid)
        here.wait_ready()
        socket.close()
        kept = Socket(here, stays.token)
        for eye in eyes:
            assert eye.sees(person, False)['lastSeen'], services
            eye.sees(stays, True)
        kept.close()


def redis(system, *command):
    done = subprocess.run(['redis-cli', '-h', '127.0.0.1', '-p', system.kept['REDIS_PORT'], *command], check=True, timeout=20, text=True,
                          env={**os.environ, 'REDISCLI_AUTH': system.kept['REDIS_PASSWORD']}, capture_output=True)
    return done.stdout.split('\n')[:-1] if done.stdout.strip() else []


def test_what_is_told_again_is_forgotten_no_later(here, eyes):
    """Thirty days after somebody was last online, also when another broker tells of them meanwhile."""
    person = people.newcomer(here, consents=False)
    key = f'aipoten:presence:user:{person.id}'
    Socket(here, person.token).close()
    eyes[1].sees(person, False)
    wait_until(lambda: (values := redis(here, 'HVALS', key)) and not any(value.startswith('1') for value in values), WITHIN,
               'Redis to be told')
    tellers = set(redis(here, 'HKEYS', key))
    left, since = int(redis(here, 'PTTL', key)[0]), time.monotonic()
    assert left > 29 * 86400 * 1000
    time.sleep(4)
    kill(here.pids('broker')[0])
    wait_until(lambda: set(redis(here, 'HKEYS', key)) - tellers, 2 * WITHIN, 'another broker to tell of it')
    passed = (time.monotonic() - since) * 1000
    assert left - int(redis(here, 'PTTL', key)[0]) > passed / 2


def test_redis_forgets(here, there, eyes):
    """Killed and emptied: each machine goes on knowing of itself, and what it knows is told again."""
    person, left = (people.newcomer(here, consents=False) for _ in range(2))
    socket = Socket(here, person.token)
    Socket(here, left.token).close()
    for eye in eyes:
        eye.sees(person, True)
        eye.sees(left, False)
    kill(int(here.services('redis_pid')))
    assert eyes[0].look(person)['online'] is True and eyes[0].look(left)['lastSeen']
    assert eyes[1].look(person) == {'userId': person.id, 'online': False, 'lastSeen': None}
    here.services('redis_start')
    eyes[1].sees(person, True)
    redis(here, 'FLUSHALL')
    eyes[1].sees(person, True)
    assert wait_until(lambda: eyes[1].look(left)['lastSeen'], 2 * WITHIN, 'the last time to be told again')
    socket.close()
    eyes[1].sees(person, False)
    assert there.instances('broker')[0]['state'] == 'READY'


def test_who_is_erased_was_never_online(here, there, eyes):
    """Until then it is told to the person; then no machine knows of it, nor Redis, nor does anybody tell it again."""
    person, stays = (people.newcomer(here, consents=False) for _ in range(2))
    for who in (person, stays):
        Socket(there, who.token).close()
        for eye in eyes:
            wait_until(lambda eye=eye, who=who: eye.sees(who, False)['lastSeen'], 2 * WITHIN, 'the last time')
    person.client.post('/api/v1/users/me/export').expect(202)
    status = wait_until(lambda: [status for status in [person.client.get('/api/v1/users/me/export').expect(200).data]
                                 if status['state'] == 'ready'], 4 * WITHIN, 'an export', every=0.1)[0]
    answers = [Client(machine, person.token).get(status['link']) for machine in (here, there)]
    written, = [answer for answer in answers if answer.status == 200]  # on the machine that collected it
    told, = json.loads(written.body)['data']['notifications']['presence']
    assert (told['user'], told['online'], told['announced_last']) == (person.id, False, None)
    seen = [datetime.datetime.fromisoformat(time) for time in (told['last_seen'], eyes[1].sees(person, False)['lastSeen'])]
    assert abs((seen[0] - seen[1]).total_seconds()) < 0.1
    with here.database() as database:
        events.emit(here, database, 'accounts', 'notifications', 'user.erased', person.id, {'user': uuid.UUID(person.id)})
    nothing = {'userId': person.id, 'online': False, 'lastSeen': None}
    for eye in eyes:
        wait_until(lambda eye=eye: eye.look(person) == nothing, 2 * WITHIN, 'it to be forgotten')
    assert redis(here, 'EXISTS', f'aipoten:presence:user:{person.id}') == ['0']
    redis(here, 'FLUSHALL')
    assert wait_until(lambda: redis(here, 'EXISTS', f'aipoten:presence:user:{stays.id}') == ['1'], 2 * WITHIN, 'all to be told again')
    wait_until(lambda: eyes[0].sees(stays, False)['lastSeen'], 2 * WITHIN, 'the last time of who stays')
    assert [eye.sees(person, False) for eye in eyes] == [nothing, nothing] and redis(here, 'EXISTS', f'aipoten:presence:user:{person.id}') == ['0']
