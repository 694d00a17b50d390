"""Who is told things without pause, whatever is killed meanwhile: all of it, once and in order. Each client's view is held against the
table. And who reads too slowly, never says who they are, or come back all at once."""
import concurrent.futures
import itertools
import json
import random
import time
import uuid

import pytest

from harness import people
from harness.client import Client
from harness.emit import Emitter
from harness.killer import Killer, seed_of_run
from harness.measure import counters_of, held_by
from harness.realtime import Ended, Engine, Refused, Socket, Stock, node_home
from harness.reconcile import Stream
from harness.storm import Storm
from harness.wait import wait_until
from harness.workers import Workers

VICTIMS = ['broker', 'notifications', 'frontend', 'redis', 'postgres']


SETTINGS = {'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'},
            'instances': {'videos': 1, 'assessments': 1, 'mailer': 1, 'children': 1},
            'realtime': {'ping_interval': '10s'}}
# What was freed is given back: the memory of a frontend is measured here.
GROWTH = 7 * 1024  # kB; the sanitizer's own takes a few thousand
SANITIZER = 'detect_leaks=0:abort_on_error=0:disable_coredump=1:detect_stack_use_after_return=0:quarantine_size_mb=1'


@pytest.fixture(scope='module')
def own(start_system):
    return start_system(settings=SETTINGS, environment={'ASAN_OPTIONS': SANITIZER})


@pytest.fixture
def change(own):
    """change(admission=5): realtime settings for one test."""
    def change(**realtime):
        own.write_config({**SETTINGS, 'realtime': {**SETTINGS['realtime'], **realtime}})
        own.ctl('reload')
    yield change
    change()


@pytest.fixture(scope='module')
def killer(own):
    return Killer(own, random.Random(seed_of_run()))


@pytest.fixture(scope='module')
def stream(own):
    with Stream(own, listeners=6, rate=30) as stream:
        yield stream


# --- killed --------------------------------------------------------------------------------------------------------------------

def strike(own, killer, victim):
    """All of its instances, one right after the other."""
    if victim in ('redis', 'postgres'):
        killer.strike(victim)
    for pid in own.pids(victim):
        killer.end(victim, pid)


@pytest.mark.parametrize('victim', VICTIMS)
def test_killed_under_a_stream(own, killer, stream, victim):
    stream.goes_on(12)
    strike(own, killer, victim)
    stream.goes_on(24)
    own.wait_ready()
    stream.check()


@pytest.mark.long
def test_killed_for_a_minute(own, killer, stream):
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        stream.goes_on(15)
        strike(own, killer, killer.chance.choice(VICTIMS))
    own.wait_ready()
    stream.check()


# --- slow readers --------------------------------------------------------------------------------------------------------------

ROOM, SIGNAL, SIGNALS, DEAF = str(uuid.uuid4()), 'x' * 60000, 190, 4  # 11 MB to each of the deaf


def test_who_does_not_read_is_let_go(own):
    """What it is to be told is bounded: memory stays as it was, and who reads hears all of it."""
    parties = [people.newcomer(own, consents=False) for _ in range(2)]
    with own.database() as database:
        database.rows(f"""CREATE OR REPLACE VIEW aipoten.call_parties AS
        SELECT '{ROOM}'::uuid AS consultation_id, u::uuid AS user_id FROM (VALUES ('{parties[0].id}'), ('{parties[1].id}')) AS v (u)""")
    speaker, reader = Socket(own, parties[0].token), Socket(own, parties[1].token)
    deaf = [Socket(own, parties[1].token, receive_buffer=4096) for _ in range(DEAF)]
    for socket in [speaker, reader, *deaf]:
        assert socket.ask('join_call', {'consultationId': ROOM})['success']
    before = {pid: held_by(pid).rss for pid in own.pids('frontend')}
    slow = counters_of(own, 'frontend')['realtime_slow']
    for _ in range(SIGNALS):
        assert speaker.ask('signal', {'consultationId': ROOM, 'data': SIGNAL})['success']
        while reader.event()[0] != 'signal':
            pass
    wait_until(lambda: counters_of(own, 'frontend')['realtime_slow'] == slow + DEAF, 20, 'all of them to be let go')
    for pid, kilobytes in before.items():
        assert held_by(pid).rss < kilobytes + GROWTH, 'what nobody reads is kept'
    for socket in deaf:
        socket.wait_end()
    for socket in (speaker, reader):
        socket.close()


def test_who_is_behind_is_told_to_look_for_itself(own, change, stream):
    change(queue_messages=4)
    person = people.newcomer(own, consents=False)
    socket = Socket(own, person.token)
    pid = json.loads(socket.answer[2:])['pid']
    with own.database() as database:
        emitter = stream.emitter()
        for i in range(10):
            stream.tell(database, emitter, person, str(i))
        wait_until(lambda: database.value('SELECT count(*) FROM notifications.notifications WHERE user_id = %s', person.id) == 10, 20)
    socket.close()
    back = Socket(own, auth={'token': person.token, 'pid': pid, 'offset': '0'})
    told = [back.answer, *back.wait_end()]
    assert '42["resync",{"reason":"slow"}]' in told and told[-1] == '1', told
    assert len(person.client.get('/api/v1/notifications').expect(200).data) == 10


# --- who says nothing, and all at once ------------------------------------------------------------------------------------------

@pytest.mark.parametrize('connects', [1000, pytest.param(10000, marks=pytest.mark.long)])
def test_connects_without_a_name(own, change, stream, connects):
    """Only so many may be strangers at a time, and those who are somebody do not notice them."""
    change(strangers=100)
    frontends = own.pids('frontend')
    before = {pid: held_by(pid).rss for pid in frontends}
    strangers, refused = [], 0
    for _ in range(connects):
        try:
            strangers.append(Engine(own, source='127.0.0.9'))
        except Refused as refusal:
            assert refusal.status == 503
            refused += 1
        except (Ended, ConnectionError):  # too many connections of one address
            refused += 1
    assert refused > 0 and refused + len(strangers) == connects
    assert counters_of(own, 'frontend')['realtime_sessions'] <= 100 * len(frontends) + len(stream.listeners)
    stream.goes_on(12)
    stream.check()
    for pid, kilobytes in before.items():
        assert held_by(pid).rss < kilobytes + GROWTH
    for socket in strangers:
        socket.close()
    wait_until(lambda: not refuses(own), 30, 'room for others')


def refuses(own):
    try:
        Engine(own).close()
        return False
    except Refused:
        return True


def test_all_come_back_at_once(own, change, killer, stream):
    """So many a second are let in, the others told to wait a little; each of them is told what it missed."""
    persons = [people.newcomer(own, consents=False) for _ in range(4)]
    home = node_home()
    if home is None:
        pytest.skip('npm cannot install socket.io-client here')
    stock, names = Stock(home), {}
    try:
        for i in range(40):
            names[f'storm{i}'] = persons[i % 4]
            stock.open(f'storm{i}', f'http://127.0.0.1:{own.http_port}', transports=['websocket'], auth={'token': persons[i % 4].token})
        for name in names:
            stock.wait(name, 'connect')
        with own.database() as database:
            emitter = stream.emitter()
            for person in persons:
                stream.tell(database, emitter, person, 'first')
            for name in names:
                stock.wait(name, 'new_notification')
            change(admission=8)
            strike(own, killer, 'frontend')
            for person in persons:
                stream.tell(database, emitter, person, 'missed')
        for name in names:
            connects = stock.wait(name, 'connect', 2, timeout=90)
            assert connects[1][0]['recovered'], stock.trail(name)
            assert [event[0]['title'] for event in stock.wait(name, 'new_notification', 2)] == ['first', 'missed']
        assert any(stock.of(name, 'connect_error') for name in names), 'nobody had to wait'
        stream.check()
    finally:
        stock.close()


GUESTS, BACK_WITHIN = 2000, 60  # sockets; seconds: at 100 a second and frontend 10 to 16


class Visitors(Workers):
    """Ask without pause, for what the frontend knows and what an actor does; `answers`: (status, seconds), 0 where the connection was lost, as
    those to a killed frontend are."""

    def __init__(self, system, person):
        super().__init__()
        self.system, self.token, self.answers = system, person.token, []
        self.start_with(self.work)

    def work(self):
        for path in itertools.cycle(['/api/v1/videos', '/api/v1/notifications']):
            if self.ending.wait(0.02):
                return
            began = time.monotonic()
            try:
                status = Client(self.system, self.token, check=False).get(path).status
            except OSError:
                status = 0
            self.answers.append((status, time.monotonic() - began))


@pytest.mark.long
@pytest.mark.parametrize('victims, admission', [(1, 100), (2, 100), (2, 2000)])
def test_thousands_come_back_at_once(own, change, killer, victims, admission):
    """Those of one of the two frontends, and of both: so many a second are let in at each, pages are answered meanwhile, and each socket
    is told all of it once and in order."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        persons = list(pool.map(lambda _: people.newcomer(own, consents=False), range(100)))
    with Storm(own, persons, GUESTS, seed_of_run()) as storm, own.database() as database:
        storm.all_there(120)
        emitter = Emitter(own)

        def tell(title):
            for person in persons:
                Stream.tell(database, emitter, person, title)

        def told(count):
            wait_until(lambda: storm.alive() and all(len(guest.seen) >= count for guest in storm.guests), BACK_WITHIN,
                       f'{count} notifications at each', every=0.05)
        tell('first')
        told(1)
        change(admission=admission)
        began = time.monotonic()
        with Visitors(own, persons[0]) as visitors:
            for pid in own.pids('frontend')[:victims]:
                killer.end('frontend', pid)
            tell('missed')
            wait_until(lambda: sum(not guest.there for guest in storm.guests) >= GUESTS * victims // 4, 20, 'them to be gone')
            tell('meanwhile')
            storm.all_there(BACK_WITHIN)
            back = time.monotonic() - began
            told(3)
            caught_up = time.monotonic() - began
        own.wait_ready()
        came = [guest for guest in storm.guests if guest.connects > 1]
        most, frontends = storm.most_in_a_second(began), len(own.pids('frontend'))
        longest = max(seconds for _, seconds in visitors.answers)
        print(f'{len(came)} back in {back:.1f} s, caught up in {caught_up:.1f} s, {most} let in in a second, '
              f'{sum(guest.refused for guest in storm.guests)} times refused; {len(visitors.answers)} pages, the slowest {longest:.2f} s')
        assert len(came) >= GUESTS * victims // 4
        assert most <= 2 * admission * frontends  # a bucket that was full, and what came in during the second
        assert admission * frontends * 2 > GUESTS or any(guest.refused for guest in storm.guests), 'nobody had to wait'
        assert all(guest.recovered == guest.connects - 1 for guest in storm.guests)
        lost = [answer for answer in visitors.answers if answer[0] != 200]
        assert len(lost) <= 2 * victims and all(status == 0 for status, _ in lost), lost
        assert longest < 2
        for guest in storm.guests:
            rows = database.rows('SELECT seq FROM notifications.notifications WHERE user_id = %s ORDER BY seq', guest.person.id)
            assert guest.seen == [row['seq'] for row in rows], guest.person.id
