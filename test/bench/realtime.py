"""realtime: Socket.IO clients (crowd.py), 10,000 of two frontends and 40,000 of four: what a silent one costs, when all have heard what is
said to all and what HTTP feels of it, how long one notification takes among 10,000, whether 2,000 a second all arrive once and in
order; the same fan-out by nothing but writes (bare_sockets.c), and by the Fastify peer's Socket.IO, told by its Redis adapter as its own
processes tell each other."""
import collections
import json
import os
import random
import re
import socket
import subprocess
import tempfile
import time
import urllib.parse
import uuid

import jwt

import gauge
import openloop
from crowd import Crowd, spread_words
from harness import people, sealed
from harness.emit import Emitter, pack
from harness.measure import counters_of
from harness.system import BUILD, free_port
from harness.wait import wait_until
from memory import held
from openloop import Running, Stream
from peers import Absent, NAMES, Peers

SOCKETS, MANY, FRONTENDS_OF_MANY = 10000, 40000, 4
TIMES = 10  # that all are told something, in a round
HTTP_RATE = 500
SINGLES, SINGLE_RATE = 400, 40
STREAM_RATE, STREAM_SECONDS, STREAM_BATCH = 2000, 30, 50
ROLES = ('parent', 'therapist', 'admin')
OURS, BARE, FASTIFY = 'aipoten', 'bare write(2)', NAMES['fastify']
EVENT = 'new_notification'
KINDS = {False: 'plain', True: 'TLS'}
KILOBYTES, SECONDS = {False: 12, True: 28}, {False: 0.3, True: 0.8}  # of a silent socket; until the last one has heard
# All clients have one machine's addresses, and come at once.
SETTINGS = {'http': {'max_connections': 19000, 'max_connections_address': 100000},
            'abuse': {'connections': 1000000, 'ban': '0s'}, 'realtime': {'admission': 20000, 'strangers': 20000}}


def notice(number):
    """What a client is shown, as the list of notifications has it."""
    return {'id': str(uuid.uuid4()), 'type': 'system', 'title': f'알림 {number}', 'message': '내일 오전 두 시부터 한 시간 동안 점검이 있습니다.',
            'link_url': '/notices/1', 'is_read': False, 'created_at': '2026-01-15T09:00:00.000000Z', 'read_at': None}


class Ours:
    """A system of ours, spoken to as its actors speak: hints to the broker, and events in an outbox."""

    def __init__(self, system, count):
        self.system, self.name, self.hints = system, OURS, None
        with system.database() as database:
            self.postmaster = gauge.postmaster_of(database)
            rows = database.rows('SELECT user_id, role FROM accounts.recipients ORDER BY user_id LIMIT %s', count)
        self.users = [row['user_id'] for row in rows]
        sample, ring = people.demo(system, 'parent').token, sealed.ring(system.secret('jwt_keys'))
        kid, claims = jwt.get_unverified_header(sample)['kid'], jwt.decode(sample, options={'verify_signature': False})
        self.tokens = [jwt.encode({**claims, 'sub': row['user_id'], 'role': row['role'], 'sid': str(uuid.uuid4())}, ring[kid], 'HS256',
                                  {'kid': kid}) for row in rows]

    @property
    def pids(self):
        return gauge.own_pids(self.system)

    def port(self, tls):
        return self.system.https_port if tls else self.system.http_port

    def say(self, text):
        """To all, without a row."""
        self.hint(f'role:{role}\t{EVENT}\t{text}\n' for role in ROLES)

    def say_each(self, text):
        """To each user something else: another number for {}."""
        self.hint(f'user:{user}\t{EVENT}\t{text.replace("{}", str(number))}\n' for number, user in enumerate(self.users))

    def hint(self, lines):
        if self.hints is None:
            broker = self.system.instances('broker')[0]
            endpoint = os.path.join(self.system.var, 'run', 'ipc', f'broker.{broker["instance"]}.{broker["generation"]}')
            self.hints = subprocess.Popen([os.path.join(BUILD, 'bin', 'bench-hints'), f'ipc://{endpoint}'], stdin=subprocess.PIPE, text=True)
        self.hints.stdin.write(''.join(lines))
        self.hints.stdin.flush()

    def stop(self):
        if self.hints:
            self.hints.stdin.close()
            self.hints.wait()
            self.hints = None

    def fresh(self):
        """Frontends and broker that have had no sockets yet."""
        self.stop()
        self.system.ctl('restart', 'broker')
        self.system.ctl('restart', 'frontend')
        self.system.wait_ready()

    def settle(self):
        """What comes of their connecting is over: each user's number has been asked for, and answered."""
        def still():
            asked = self.asked()
            return not gauge.cpu_busy(self.system.pids('frontend'), 1) and asked == self.asked()
        wait_until(still, 120, 'the frontends to be idle')

    def asked(self):
        return counters_of(self.system, 'frontend')['realtime_asked']


class Theirs:
    """The Fastify peer."""

    def __init__(self, peers, count):
        self.peers, self.name, self.postmaster = peers, FASTIFY, peers.postmaster
        now = int(time.time())
        self.tokens = [jwt.encode({'sub': str(user + 1), 'role': 'parent', 'iat': now, 'exp': now + 900}, peers.secret, 'HS256')
                       for user in range(count)]
        url = urllib.parse.urlsplit(peers.redis_url)
        self.redis = socket.create_connection((url.hostname, url.port))

    @property
    def pids(self):
        return self.peers.pids('fastify')

    def port(self, tls):
        return self.peers.ports['fastify']

    def say(self, text):
        self.publish([('', [], text)])

    def say_each(self, text):
        self.publish((f'user:{user + 1}#', [f'user:{user + 1}'], text.replace('{}', str(user))) for user in range(len(self.tokens)))

    def publish(self, said):
        """Channel, rooms and text of each; what @socket.io/redis-adapter makes of an event for the other processes."""
        commands = []
        for channel, rooms, text in said:
            packet = {'type': 2, 'data': [EVENT, json.loads(text)], 'nsp': '/'}
            words = (b'PUBLISH', b'socket.io#/#' + channel.encode(), pack(['bench', packet, {'rooms': rooms, 'except': [], 'flags': {}}]))
            commands.append(b'*3\r\n' + b''.join(b'$%d\r\n%s\r\n' % (len(word), word) for word in words))
        self.redis.sendall(b''.join(commands))
        answered = 0
        while answered < len(commands):
            answered += self.redis.recv(1 << 20).count(b'\n')

    def stop(self):
        self.redis.close()


class Bare:
    """What the kernel takes for it: as many processes as frontends, which write and do nothing else (bare_sockets.c). Plain alone."""

    def __init__(self, processes=2):
        self.name, self.postmaster, self.tokens, self.free = BARE, None, ['nobody asks'], free_port()
        self.processes = [subprocess.Popen([os.path.join(BUILD, 'bin', 'bench-bare-sockets'), str(self.free), str(number), str(processes)],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for number in range(processes)]
        for process in self.processes:
            if process.stdout.readline() != 'listening\n':
                raise RuntimeError('bench-bare-sockets does not listen')

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def port(self, tls):
        assert not tls
        return self.free

    def say(self, text):
        self.order('all', text)

    def say_each(self, text):
        self.order('each', text)

    def order(self, whom, text):
        for process in self.processes:
            process.stdin.write(f'{whom}\t42["{EVENT}",{text}]\n')
            process.stdin.flush()

    def stop(self):
        for process in self.processes:
            process.stdin.close()
        ended = [process.wait() for process in self.processes]
        if any(ended):
            raise RuntimeError('bench-bare-sockets failed')


# --- to all ---------------------------------------------------------------------------------------------------------------------

def own(work):
    return f'one each, {work}'


def text_of(number):
    return json.dumps(notice(number), ensure_ascii=False, separators=(',', ':'))


def fan_out(side, crowd, number, silent=0):
    """To all: seconds until each client has heard it, which it does once. Nobody looks for so many seconds, which takes processor time."""
    text = text_of(number)
    return heard_by_all(side, crowd, lambda: side.say(text), silent)


def own_words(side, crowd, number):
    """To each something of their own, all at once: likewise."""
    text = text_of(f'{number}.{{}}')
    return heard_by_all(side, crowd, lambda: side.say_each(text), different=crowd.count)


def heard_by_all(side, crowd, say, silent=0, different=1):
    began = time.monotonic()
    say()
    time.sleep(silent)
    got = crowd.told(crowd.count)
    if len({one.client for one in got}) != crowd.count or len(got) != crowd.count:
        raise RuntimeError(f'{side.name}: {len(got)} events for {crowd.count} clients')
    if (said := len({one.packet for one in got})) != different:
        raise RuntimeError(f'{side.name}: {said} different events, not {different}')
    return [one.time - began for one in got]


def rounds_of(bench, side, crowd, work, way=fan_out):
    """Rounds of some of them, one after the other; the seconds until the last receipt of each."""
    lasts, clients = [], [process.process.pid for process in crowd.processes]
    way(side, crowd, 'first')
    for number in range(bench.options.rounds):
        before = gauge.cpu_seconds(clients)
        with gauge.Purses(side.pids, side.postmaster) as cpu:
            heard = [way(side, crowd, f'{number}.{i}') for i in range(TIMES)]
        count = sum(map(len, heard))
        cpu.client = gauge.cpu_seconds(clients) - before
        lasts += map(max, heard)
        bench.report.add_round(work, side.name, gauge.round_of(cpu, count / sum(map(max, heard)), count, 0))
    bench.report.say(f'  {work}, {side.name}: {spread_words(heard[-1])}; median of the last receipts {gauge.median(lasts) * 1000:.0f} ms')
    return lasts


def title_of(packet):
    return re.search(rb'"title":"([^"]*)"', packet).group(1).decode()


def http_streams(system):
    parent = people.demo(system, 'parent')
    return [Stream('lists', HTTP_RATE / 2, 4, ['/api/v1/videos?age=24&limit=20']),
            Stream('children', HTTP_RATE / 2, 4, ['/api/v1/children'], (f'authorization: Bearer {parent.token}',))]


def http_beside(system, streams, seconds, during):
    """Milliseconds of the answers that were under way in one of the (begin, end) of time.time() that during() gives, how many of all were
    bad, and how many never sent."""
    windows = []
    with tempfile.TemporaryDirectory() as directory:
        running = [Running(directory, number, f'https://127.0.0.1:{system.https_port}', stream, seconds + openloop.SETTLE)
                   for number, stream in enumerate(streams)]
        time.sleep(openloop.SETTLE)  # they connect
        end = time.monotonic() + seconds - 1
        while time.monotonic() < end:
            windows.append(tuple(moment * 1e6 for moment in during()))
        answers = [answer for each in running for answer in each.answers()]
    bad = sum(not 200 <= status < 300 for _, status, _ in answers)
    missing = max(0, int(sum(stream.rate for stream in streams) * (seconds + openloop.SETTLE) * openloop.KEPT_UP) - len(answers))
    return [took / 1000 for began, _, took in answers if any(began < end and began + took > begin for begin, end in windows)], bad, missing


def http_meanwhile(bench, side, crowd, work):
    """p99 of HTTP while all are told something, to that while nothing is said to the same crowd."""
    streams, seconds, ratios, numbers = http_streams(side.system), bench.options.seconds, [], iter(range(1000000))
    bad = missing = 0

    def silence():
        begin = time.time()
        time.sleep(0.2)
        return begin, time.time()

    def saying():
        time.sleep(0.2)
        begin = time.time()
        return begin, begin + max(fan_out(side, crowd, f'http {next(numbers)}', SECONDS[True]))

    for number in range(bench.options.rounds):
        (quiet, *first), (busy, *second) = (http_beside(side.system, streams, seconds * 2, what) for what in (silence, saying))
        bad, missing = bad + first[0] + second[0], missing + first[1] + second[1]
        before, after = (gauge.percentile(values, 0.99) for values in (quiet, busy))
        ratios.append(after / before)
        bench.report.say(f'  round {number + 1}: HTTP in silence {openloop.words(quiet)}; while all are told {openloop.words(busy)}; '
                         f'ratio {ratios[-1]:.2f}')
    bench.report.figure(work, 'p99 of HTTP meanwhile, to that in silence', ratios, 3, most=True, unit=' x', bad=bad, missing=missing)


def ordered(bench, side, crowd, work, most):
    """What an administrator tells everybody: from the order until the last one has heard, with a row for each in the end."""
    admin, path = people.demo(side.system, 'admin').client, '/api/v1/admin/notifications/broadcast'
    said, told = [], []
    for number in range(bench.options.rounds):
        title, began = f'공지 {number} {uuid.uuid4().hex[:8]}', time.monotonic()
        admin.post(path, {'role': 'all', 'title': title, 'message': '내일 오전 두 시부터 한 시간 동안 점검이 있습니다.'}).expect(202)
        kinds = collections.defaultdict(list)
        for one in crowd.told(2 * crowd.count):
            if title_of(one.packet) == title:
                kinds[json.loads(one.packet[2:one.packet.index(b',')] + b']')[0]].append(one.time - began)
        if any(len(times) != crowd.count for times in kinds.values()) or len(kinds) != 2:
            raise RuntimeError(f'of a broadcast came {({kind: len(times) for kind, times in kinds.items()})}')
        bench.report.say(f'  broadcast {number + 1}: ' + '; '.join(f'{kind}: {spread_words(times)}' for kind, times in kinds.items()))
        said.append(max(kinds['broadcast']))
        told.append(max(kinds['new_notification']))
    bench.report.figure(work, "an administrator's broadcast: from the order to the last receipt", said, most, most=True, unit=' s')
    bench.report.figure(work, 'the same: until the last one has a notification of their own, written and received', told, unit=' s')


# --- notifications ----------------------------------------------------------------------------------------------------------------

def request(user, title):
    """What asks for a notification, as Emitter.emit_many takes it: told of one user in its order."""
    return user, {'user': uuid.UUID(user), 'type': 10, 'title': title, 'message': '내일 상담이 있습니다.'}


def paced(rate, steps):
    """Yields at that rate, as far as it is kept."""
    begin = time.monotonic()
    for step in range(steps):
        time.sleep(max(0.0, begin + step / rate - time.monotonic()))
        yield step


def remember_commits(system):
    """From here on PostgreSQL keeps the time of each COMMIT."""
    system.services('postgres_stop; postgres_single "ALTER SYSTEM SET track_commit_timestamp = on"')
    system.postgres_back()


def singles(bench, side, crowd, work):
    """One after the other; from the COMMIT of the notification, as PostgreSQL remembers it, to the client."""
    emitter, sent = Emitter(side.system), {}
    with side.system.database() as database:
        for number in paced(SINGLE_RATE, SINGLES):
            emitter.emit_many(database, 'notification.requested', [request(random.choice(side.users), f'단독 {number}.')])
            sent[f'단독 {number}.'] = time.monotonic()
        got = crowd.told(SINGLES)
        rows = database.rows("""SELECT title, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at
                                FROM notifications.notifications WHERE title LIKE '단독 %%'""")
    began, offset = {row['title']: row['at'] for row in rows}, time.time() - time.monotonic()
    heard = {title_of(one.packet): one.time for one in got}
    rows_to, events_to = ([(heard[title] - then) * 1000 for title, then in since.items()]
                          for since in ({title: at - offset for title, at in began.items()}, sent))
    bench.report.say(f'  from the COMMIT to the callback: {openloop.words(rows_to)}; from the event that asks for it: {openloop.words(events_to)}')
    bench.report.figure(work, "one notification, its COMMIT to the client's callback, p99", [gauge.percentile(rows_to, 0.99)], 10,
                        most=True, unit=' ms')


def stream(bench, side, crowd):
    """2,000 a second; each user must hear exactly what was sent, in its order."""
    seconds, emitter, sent = STREAM_SECONDS, Emitter(side.system), collections.defaultdict(list)
    with side.system.database() as database, gauge.Purses(side.pids, side.postmaster) as cpu:
        began = time.monotonic()
        for step in paced(STREAM_RATE / STREAM_BATCH, STREAM_RATE * seconds // STREAM_BATCH):
            users = random.choices(range(crowd.count), k=STREAM_BATCH)
            for place, user in enumerate(users):
                sent[user].append(f'{step}.{place}')
            emitter.emit_many(database, 'notification.requested',
                              [request(side.users[user], f'{step}.{place}') for place, user in enumerate(users)])
        written, count = time.monotonic(), sum(map(len, sent.values()))
        got = crowd.told_most(count)
    heard = collections.defaultdict(list)
    for one in got:
        heard[one.client].append(title_of(one.packet))
    lost = sum(len(set(titles) - set(heard[user])) for user, titles in sent.items())
    doubled = sum(len(titles) - len(set(titles)) for titles in heard.values())
    disordered = sum(heard[user] != titles for user, titles in sent.items())
    first, last = (which(one.time for one in got) for which in (min, max))
    work = f'{STREAM_RATE:,} notifications/s for {seconds} s to {crowd.count:,} users'
    bench.report.say(f'  {count:,} asked for in {written - began:.1f} s, heard from {first - began:.2f} s after the beginning to {last - written:.2f} s after the end; CPU each: server '
                     f'{cpu.server / count * 1e6:.0f} us, PostgreSQL {cpu.postgres / count * 1e6:.0f} us')
    took = max(last - first, written - began)  # a burst after a standstill is no higher rate than what was asked for
    bench.report.figure(work, 'received a second', [count / took], STREAM_RATE * openloop.KEPT_UP, unit='/s')
    for what, number in (('lost', lost), ('doubled', doubled), ('users with another order', disordered)):
        bench.report.figure(work, what, [number], 0, most=True)


# --- the parts --------------------------------------------------------------------------------------------------------------------

def silent(bench, side, tls):
    """10,000 that say nothing: what each holds of ours; gives them."""
    side.fresh()
    before = held(side.system)
    crowd = Crowd(side.port(tls), tls, SOCKETS, side.tokens).__enter__()
    try:
        side.settle()
        each = (held(side.system) - before) * 1024 / SOCKETS
    except BaseException:
        crowd.__exit__()
        raise
    bench.report.say(f'  {SOCKETS:,} sockets, {KINDS[tls]}: connected in {crowd.took:.1f} s, {side.asked()} users asked for; {each:.1f} KB each')
    bench.report.figure(f'{SOCKETS:,} idle sockets, {KINDS[tls]}', 'memory of all our processes, each', [each], KILOBYTES[tls], most=True,
                        unit=' KB')
    return crowd


def ten_thousand(bench, side):
    for tls in (False, True):
        work = f'to {SOCKETS:,} sockets, {KINDS[tls]}'
        crowd = silent(bench, side, tls)
        try:
            lasts = rounds_of(bench, side, crowd, work)
            rounds_of(bench, side, crowd, own(work), own_words)
            bench.report.figure(work, 'said to all: until the last receipt', lasts, SECONDS[tls], most=True, unit=' s')
            http_meanwhile(bench, side, crowd, work)
            ordered(bench, side, crowd, work, SECONDS[tls])
            if not tls:
                singles(bench, side, crowd, work)
                stream(bench, side, crowd)
        finally:
            crowd.__exit__()
            side.stop()


def floor(bench):
    work, bare = f'to {SOCKETS:,} sockets, {KINDS[False]}', Bare()
    try:
        with Crowd(bare.port(False), False, SOCKETS, bare.tokens) as crowd:
            rounds_of(bench, bare, crowd, work)
            rounds_of(bench, bare, crowd, own(work), own_words)
    finally:
        bare.stop()
    for each in (work, own(work)):
        bench.report.compare(each, OURS, BARE, 'server', f"server CPU of a delivered message to {BARE}'s")


def peer(bench, system):
    for tls in (False, True):
        work = f'to {SOCKETS:,} sockets, {KINDS[tls]}'
        try:
            with Peers(bench.options.peers, system, 1, ('fastify',), tls) as peers:
                theirs = Theirs(peers, SOCKETS)
                with Crowd(theirs.port(tls), tls, SOCKETS, theirs.tokens) as crowd:
                    lasts = rounds_of(bench, theirs, crowd, work)
                    rounds_of(bench, theirs, crowd, own(work), own_words)
                theirs.stop()
        except Absent as why:
            bench.report.note(str(why))
            return
        bench.report.figure(work, "Fastify's Socket.IO: until the last receipt", lasts, unit=' s')
        for each in (work, own(work)):
            bench.report.compare(each, OURS, FASTIFY, 'server', "server CPU of a delivered message to Fastify's", 0.2, most=True)
            bench.report.compare(each, BARE, FASTIFY, 'server', f"{BARE}'s to Fastify's")  # plain: the least that a ratio can be


def forty_thousand(bench):
    system = bench.start(**SETTINGS, instances={'frontend': FRONTENDS_OF_MANY})
    side, work, streams = Ours(system, SOCKETS), f'{MANY:,} idle sockets on {FRONTENDS_OF_MANY} frontends', http_streams(system)
    base, seconds = f'https://127.0.0.1:{system.https_port}', bench.options.seconds * 2
    openloop.run(base, streams, 1)
    ratios, bad, missing = [], 0, 0
    alone = [openloop.run(base, streams, seconds) for _ in range(bench.options.rounds)]
    with Crowd(side.port(False), False, MANY, side.tokens) as crowd:
        side.settle()
        bench.report.say(f'  connected in {crowd.took:.1f} s: {[round(gauge.pss_kilobytes(pid) / 1024) for pid in system.pids("frontend")]} MB')
        for number, quiet in enumerate(alone):
            beside = openloop.run(base, streams, seconds)
            before, after = (gauge.percentile(openloop.together(each), 0.99) for each in (quiet, beside))
            ratios.append(after / before)
            bad, missing = bad + quiet.bad + beside.bad, missing + quiet.missing + beside.missing
            bench.report.say(f'  round {number + 1}: HTTP without {openloop.words(openloop.together(quiet))}; with '
                             f'{openloop.words(openloop.together(beside))}; ratio {ratios[-1]:.2f}')
        heard = fan_out(side, crowd, 'all')
    side.stop()
    bench.report.say(f'  all are told: {spread_words(heard)}')
    bench.report.figure(work, 'served, all of which heard what was said', [len(heard)], MANY)
    bench.report.figure(work, 'p99 of HTTP to without them', ratios, 2, most=True, unit=' x', bad=bad, missing=missing)


def run(bench):
    system = bench.start(**SETTINGS)
    remember_commits(system)
    side = Ours(system, SOCKETS)
    if len(side.users) < SOCKETS:
        raise RuntimeError(f'{len(side.users)} users are too few')
    ten_thousand(bench, side)
    floor(bench)
    peer(bench, system)
    bench.end(system)
    forty_thousand(bench)
