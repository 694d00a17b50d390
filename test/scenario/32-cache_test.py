"""Answers from shared memory: what they look like, whose they are, and that nobody is ever given what a write has overtaken: not
through another frontend, not while processes die between COMMIT and the word of it."""
import concurrent.futures
import contextlib
import ctypes
import gzip
import http.client
import itertools
import os
import random
import signal
import threading
import time
import uuid

import pytest

from harness import faults, people
from harness.client import Client
from harness.h2 import H2Client
from harness.wait import kill, pid_lives, wait_until

CHILDREN = '/api/v1/children'
CONSENTS = '/api/v1/consents'
BROKEN = (OSError, http.client.HTTPException)
CACHED = ('cache_hits_memory', 'cache_hits_stale')


def counters(system, service='frontend'):
    """{name: sum over the instances}"""
    sums = {}
    for row in system.ctl('counters', '-j', service)['counters']:
        sums[row['name']] = sums.get(row['name'], 0) + row['value']
    return sums


class Counted:
    """What the counters of a service gained meanwhile: `with Counted(system) as gained: …`, then gained['cache_misses']."""

    def __init__(self, system, service='frontend'):
        self.system, self.service = system, service

    def __enter__(self):
        self.before = counters(self.system, self.service)
        return self

    def __exit__(self, *_):
        self.after = counters(self.system, self.service)

    def __getitem__(self, name):
        return self.after[name] - self.before.get(name, 0)

    @property
    def hits(self):
        return sum(self[name] for name in CACHED)


def each_frontend(system, token, each=12):
    """Connections, so many that every frontend has some."""
    return [Client(system, token) for _ in range(each)]


@pytest.fixture
def owner(newcomer):
    return newcomer()


@pytest.fixture
def child(owner):
    return owner.child(name='김별')


def names(answer):
    return [child['name'] for child in answer.expect(200).data]


def varies(answer):
    """Who may read it by CORS is another matter (25-http)."""
    return {name.strip().lower() for name in answer.header('vary').split(',')} - {'origin'}


def fresh(person, path=CHILDREN):
    """In the cache now."""
    return person.client.get(path).expect(200)


# --- what they look like ----------------------------------------------------------------------------------------------------------

def test_second_is_a_hit_and_the_same(system, owner, child):
    with Counted(system) as gained, Counted(system, 'children') as calls:
        first, *more = [owner.client.get(CHILDREN).expect(200) for _ in range(6)]
    assert gained['cache_misses'] == 1 and gained.hits == 5 and calls['calls'] == 1
    unlike = {'date', 'x-request-id', 'connection', 'server', 'ratelimit-remaining', 'ratelimit-reset'}
    for answer in more:
        assert answer.body == first.body
        assert sorted(pair for pair in answer.headers if pair[0] not in unlike) == \
            sorted(pair for pair in first.headers if pair[0] not in unlike)


def test_headers_of_a_personal_answer(owner, child):
    for _ in range(2):
        answer = owner.client.get(CHILDREN).expect(200)
        assert answer.header('cache-control') == 'no-store' and answer.header('cache-tag') is None
        assert varies(answer) == {'accept-encoding'} and answer.header('content-encoding') is None
        etag = answer.header('etag')
        assert etag.startswith('"') and etag.endswith('"') and len(etag) == 20


@pytest.mark.parametrize('matches', ['{}', 'W/{}', '"x", {}', '"x",W/{} , "y"', '*'])
def test_not_modified(owner, child, matches):
    etag = fresh(owner).header('etag')
    answer = owner.client.get(CHILDREN, headers={'if-none-match': matches.format(etag)}).expect(304)
    assert answer.body == b'' and answer.header('etag') == etag and varies(answer) == {'accept-encoding'}
    assert answer.header('content-length') is None


def test_not_modified_ends_with_a_write(owner, child):
    etag = fresh(owner).header('etag')
    owner.child(name='이별')
    answer = owner.client.get(CHILDREN, headers={'if-none-match': etag}).expect(200)
    assert answer.header('etag') != etag and len(answer.data) == 2


def test_not_modified_from_the_actor_itself(owner, child):
    etag = fresh(owner).header('etag')
    owner.client.patch(f'{CHILDREN}/{child["id"]}', {'name': '박별'}).expect(200)
    owner.client.patch(f'{CHILDREN}/{child["id"]}', {'name': '김별'}).expect(200)
    changed = owner.client.get(CHILDREN).expect(200)  # updated_at is another
    assert changed.header('etag') != etag
    owner.client.patch(f'{CHILDREN}/{child["id"]}', {'name': '최별'}).expect(200)
    owner.client.get(CHILDREN, headers={'if-none-match': changed.header('etag')}).expect(200)


def test_others_etags_match_nothing(owner, child):
    fresh(owner)
    for other in ('"x"', 'W/"x"', '', '"*"', 'nonsense'):
        owner.client.get(CHILDREN, headers={'if-none-match': other}).expect(200)


def test_etags_of_equal_answers_of_two_users_differ(newcomer):
    one, other = newcomer(), newcomer()
    mine, theirs = (fresh(person) for person in (one, other))
    assert mine.body == theirs.body and mine.header('etag') != theirs.header('etag')


def test_head(system, owner, child):
    answer = owner.client.get(CHILDREN).expect(200)
    for _ in range(2):  # of a GET before it; and when the cache has it not
        head = owner.client.request('HEAD', CHILDREN).expect(200)
        assert head.body == b'' and head.header('content-length') == str(len(answer.body))
        assert head.header('etag') == answer.header('etag')
        owner.client.request('HEAD', CHILDREN, headers={'if-none-match': answer.header('etag')}).expect(304)
        owner.client.patch(f'{CHILDREN}/{child["id"]}', {'name': '김별'}).expect(200)
        with Counted(system) as gained:
            owner.client.request('HEAD', CHILDREN).expect(200)
        assert gained['cache_misses'] == 1
        answer = owner.client.get(CHILDREN).expect(200)


def test_over_http2_and_tls(system, owner, child):
    body = fresh(owner).body
    with Counted(system) as gained, H2Client(system, owner.token) as h2:
        answers = [h2.get(CHILDREN) for _ in range(5)]
    assert gained.hits == 5 and all(answer.body == body for answer in answers)
    assert all(answer.header('etag') == answers[0].header('etag') for answer in answers)


# --- public answers ---------------------------------------------------------------------------------------------------------------

VIDEOS = '/api/v1/videos'


def raw(client, path, encoding, **headers):
    return client.get(path, headers={'accept-encoding': encoding, **headers}, check=False)


def gunzip(body):
    return gzip.decompress(body)


def unbrotli(body):
    """By the library that browsers' makers use."""
    library = ctypes.CDLL('libbrotlidec.so.1')
    out, length = ctypes.create_string_buffer(1 << 20), ctypes.c_size_t(1 << 20)
    assert library.BrotliDecoderDecompress(ctypes.c_size_t(len(body)), body, ctypes.byref(length), out) == 1
    return out.raw[:length.value]


@pytest.fixture
def listed(client):
    """A list that is in the cache, and its query of its own."""
    path = f'{VIDEOS}?limit={random.randrange(15, 21)}&page=1'
    client.get(path).expect(200)
    return path


def test_headers_of_a_public_answer(client, listed):
    for _ in range(2):
        answer = client.get(listed).expect(200)
        assert answer.header('cache-control') == 'public, max-age=3600, s-maxage=86400'
        assert 'videos' in answer.header('cache-tag').split(',') and varies(answer) == {'accept-encoding'}
    not_modified = client.get(listed, headers={'if-none-match': answer.header('etag')}).expect(304)
    for name in ('cache-control', 'cache-tag', 'etag', 'vary'):
        assert not_modified.header(name) == answer.header(name)


@pytest.mark.parametrize('encoding, coding, mark', [
    ('gzip', 'gzip', '-g'), ('br', 'br', '-b'), ('gzip, deflate, br', 'br', '-b'), ('gzip, br;q=0.5', 'gzip', '-g'),
    ('identity', None, ''), ('gzip;q=0', None, ''), ('*;q=0', None, ''), ('identity;q=0, *', 'br', '-b'), ('deflate', None, '')])
def test_forms(client, listed, encoding, coding, mark):
    plain = client.get(listed).expect(200)
    answer = raw(client, listed, encoding)
    assert answer.header('content-encoding') == coding and varies(answer) == {'accept-encoding'}
    assert answer.header('etag') == plain.header('etag')[:-1] + mark + '"'
    body = {None: bytes, 'gzip': gunzip, 'br': unbrotli}[coding](answer.body)
    assert body == plain.body and (coding is None or len(answer.body) < len(body) / 2)
    again = raw(client, listed, encoding, **{'if-none-match': answer.header('etag')})
    assert again.status == 304 and again.body == b'' and again.header('etag') == answer.header('etag')
    if coding:  # the ETag of another form is another's
        assert raw(client, listed, encoding, **{'if-none-match': plain.header('etag')}).status == 200
    head = client.request('HEAD', listed, headers={'accept-encoding': encoding}, check=False)
    assert head.header('content-length') == str(len(answer.body)) and head.header('content-encoding') == coding


def test_public_is_one_for_everybody(system, listed, parent, admin):
    with Counted(system) as gained:
        answers = [one.get(listed).expect(200) for one in
                   (Client(system), parent.client, admin.client, Client(system, 'no.valid.token'), Client(system, language='en'))]
    assert gained.hits == 5 and len({answer.body for answer in answers}) == 1


def test_public_write_is_seen_at_once(system, admin):
    clients = each_frontend(system, None)
    slug = f'kind-{uuid.uuid4().hex[:8]}'
    for client in clients:
        client.get(f'{VIDEOS}/categories').expect(200)
    made = admin.client.post('/api/v1/admin/categories', {'slug': slug, 'name': '새 갈래'})
    assert made.status == 201, made
    for client in clients:
        assert slug in [row['slug'] for row in client.get(f'{VIDEOS}/categories').expect(200).data]


# --- whose they are ---------------------------------------------------------------------------------------------------------------

def test_users_do_not_share(system, newcomer):
    persons = [newcomer() for _ in range(4)]
    for number, person in enumerate(persons):
        person.child(name=f'아이{number}')
    clients = [(number, Client(system, person.token)) for number, person in enumerate(persons) for _ in range(3)]
    for _ in range(5):
        random.shuffle(clients)
        for number, one in clients:
            assert names(one.get(CHILDREN)) == [f'아이{number}']


def test_without_a_token_nothing(system, owner, child):
    fresh(owner)
    Client(system).get(CHILDREN).expect(401)
    Client(system, owner.token + 'x').get(CHILDREN).expect(401)


def test_role_decides_before_the_cache(system, owner, child, therapist, admin):
    fresh(owner)
    therapist.client.get(CHILDREN).expect(403)
    with Counted(system) as gained:
        admin.client.get(CHILDREN, query={'limit': 1}).expect(200)
        admin.client.get(CHILDREN, query={'limit': 1}).expect(200)
    assert gained.hits == 0 and gained['cache_misses'] == 0  # their reading is logged


def test_admins_reading_is_logged_each_time(system, owner, child, admin, database):
    path = f'{CHILDREN}/{child["id"]}/measurements'
    owner.client.get(path).expect(200)
    for _ in range(3):
        admin.client.get(path).expect(200)
    wait_until(lambda: database.value('SELECT count(*) FROM admin.access_log WHERE record = %s', child['id']) == 3, 20,
               'the access log')


def test_logout_and_suspension_are_immediate(system, newcomer, admin):
    person, other = newcomer(), newcomer()
    for one in (person, other):
        one.child()
        for client in each_frontend(system, one.token, 4):
            client.get(CHILDREN).expect(200)
    person.client.post('/api/v1/auth/logout', {'refresh_token': person.refresh_token}).expect(200)
    for client in each_frontend(system, person.token):
        client.get(CHILDREN).expect(401)
    admin.client.patch(f'/api/v1/admin/users/{other.id}', {'status': 'suspended'}).expect(200)
    for client in each_frontend(system, other.token):
        client.get(CHILDREN).expect(401)


# --- what they are asked by -------------------------------------------------------------------------------------------------------

def test_parameters_are_one_in_any_order_and_spelling(system, owner, child):
    first = owner.client.get(f'{CHILDREN}?limit=7&page=1').expect(200)
    with Counted(system) as gained:
        for query in ('page=1&limit=7', 'limit=%37&page=%31', 'limit=7&&page=1&', '&page=1&limit=7'):
            assert owner.client.get(f'{CHILDREN}?{query}').expect(200).body == first.body
    assert gained.hits == 4


def test_parameters_tell_answers_apart(system, owner):
    for number in range(4):
        owner.child(name=f'아이{number}')
    pages = {query: owner.client.get(f'{CHILDREN}?{query}').expect(200).body
             for query in ('limit=1', 'limit=1&page=2', 'limit=2', 'limit=2&page=2', 'limit=12', 'page=1&limit=21')}
    assert len(set(pages.values())) == 6
    with Counted(system) as gained:
        assert {query: owner.client.get(f'{CHILDREN}?{query}').body for query in pages} == pages
    assert gained.hits == 6


@pytest.mark.parametrize('query, status', [('limit=1&limit=2', 400), ('limit=x', 400), ('limit=0', 400), ('limit=', 400),
                                            ('other=1', 400), ('limit=%zz', 400), ('page=10000&limit=100', 400), ('cursor=x', 400)])
def test_what_is_wrong_is_never_kept(system, owner, child, query, status):
    with Counted(system) as gained:
        for _ in range(3):
            owner.client.get(f'{CHILDREN}?{query}').expect(status)
    assert gained.hits == 0


def test_unknown_record_is_never_kept(system, newcomer, owner, child):
    stranger, path = newcomer(), f'{CHILDREN}/{child["id"]}/measurements'
    with Counted(system) as gained:
        for _ in range(3):
            stranger.client.get(path).expect(404)
    assert gained.hits == 0
    owner.client.get(path).expect(200)
    stranger.client.get(path).expect(404)


def test_path_tells_answers_apart(system, owner):
    one, other = owner.child(name='하나'), owner.child(name='둘')
    for kid, day in ((one, '2025-01-01'), (other, '2025-02-02')):
        owner.client.post(f'{CHILDREN}/{kid["id"]}/measurements', {'measured_on': day, 'height': 90}).expect(201)
    for _ in range(3):
        for kid, day in ((one, '2025-01-01'), (other, '2025-02-02')):
            answer = owner.client.get(f'{CHILDREN}/{kid["id"]}/measurements').expect(200)
            assert [row['measured_on'] for row in answer.data] == [day]


# --- writes -----------------------------------------------------------------------------------------------------------------------

def test_own_write_is_seen_through_every_connection(system, owner, child):
    clients = each_frontend(system, owner.token)
    writers = each_frontend(system, owner.token)  # each actor instance gets some of them
    for number, writer in enumerate(writers):
        for client in clients[:4]:
            client.get(CHILDREN).expect(200)
        writer.patch(f'{CHILDREN}/{child["id"]}', {'name': f'이름{number}'}).expect(200)
        assert {tuple(names(client.get(CHILDREN))) for client in clients} == {(f'이름{number}',)}


def accept(database, owner, child, guest):
    """The guest becomes a guardian, as by the mail."""
    import hashlib
    database.rows('UPDATE accounts.users SET email_verified_at = now() WHERE id = %s', guest.id)
    invitation = owner.client.post(f'{CHILDREN}/{child["id"]}/guardians', {'email': guest.email}).expect(201).data
    token = uuid.uuid4().hex
    database.rows('UPDATE children.guardian_invitations SET token_hash = %s WHERE id = %s',
                  hashlib.sha256(token.encode()).digest(), invitation['id'])
    return guest.client.post(f'{CHILDREN}/{child["id"]}/guardians/accept', {'token': token}).expect(201)


def test_guardians_come_and_go(database, newcomer, owner, child):
    guest, path = newcomer(), f'{CHILDREN}/{child["id"]}'
    assert names(guest.client.get(CHILDREN)) == []
    assert len(fresh(owner, path + '/guardians').data) == 1
    accept(database, owner, child, guest)
    assert names(guest.client.get(CHILDREN)) == ['김별']
    assert len(owner.client.get(path + '/guardians').expect(200).data) == 2
    # A co-guardian's write is seen at once.
    guest.client.patch(path, {'name': '새별'}).expect(200)
    assert names(owner.client.get(CHILDREN)) == names(guest.client.get(CHILDREN)) == ['새별']
    owner.client.post(path + '/measurements', {'measured_on': '2025-03-03', 'height': 91}).expect(201)
    assert guest.client.get(CHILDREN).data[0]['current_height'] == 91
    assert len(fresh(guest, path + '/measurements').data) == 1
    # The guardian's name belongs to accounts.
    fresh(owner, path + '/guardians')
    guest.client.patch('/api/v1/users/me', {'name': '새이름'}).expect(200)
    assert '새이름' in [row['name'] for row in owner.client.get(path + '/guardians').expect(200).data]
    # And goes.
    fresh(guest), fresh(guest, path + '/measurements'), fresh(guest, path + '/guardians')
    owner.client.delete(f'{path}/guardians/{guest.id}').expect(200)
    assert names(guest.client.get(CHILDREN)) == []
    for more in ('/measurements', '/guardians'):
        guest.client.get(path + more).expect(404)
    assert len(owner.client.get(path + '/guardians').expect(200).data) == 1


def test_owner_succeeds(database, newcomer, owner, child):
    guest, path = newcomer(), f'{CHILDREN}/{child["id"]}/guardians'
    accept(database, owner, child, guest)
    assert {row['relation'] for row in fresh(guest, path).data if row['user_id'] == guest.id} == {'guardian'}
    owner.client.delete(f'{path}/{owner.id}').expect(200)
    assert [row['relation'] for row in guest.client.get(path).expect(200).data] == ['owner']


def test_deletion_changes_every_page_of_every_guardian(database, newcomer, owner):
    guest = newcomer()
    kids = [owner.child(name=f'아이{number}') for number in range(3)]
    for kid in kids:
        accept(database, owner, kid, guest)
    pages = [f'{CHILDREN}?limit=1&page={page}' for page in (1, 2, 3)]
    for person in (owner, guest):
        assert [fresh(person, page).data[0]['name'] for page in pages] == ['아이0', '아이1', '아이2']
        assert fresh(person).meta['total'] == 3
    owner.client.delete(f'{CHILDREN}/{kids[0]["id"]}').expect(200)
    for person in (owner, guest):
        assert [names(person.client.get(page)) for page in pages] == [['아이1'], ['아이2'], []]
        assert person.client.get(CHILDREN).meta['total'] == 2
        person.client.get(f'{CHILDREN}/{kids[0]["id"]}/guardians').expect(404)


def test_consents(system, owner):
    with Counted(system) as gained:
        assert all(row['granted'] for row in fresh(owner, CONSENTS).data if row['kind'].startswith('child'))
        fresh(owner, CONSENTS)
    assert gained.hits >= 1
    owner.consent('child_health', granted=False)
    assert [row['granted'] for row in owner.client.get(CONSENTS).data if row['kind'] == 'child_health'] == [False]
    owner.consent('child_health')
    assert [row['granted'] for row in owner.client.get(CONSENTS).data if row['kind'] == 'child_health'] == [True]


def test_repeated_write_says_once_more_what_it_changed(system, owner, child):
    """A recorded answer may be given because whoever made it died before it could say so."""
    key, body = uuid.uuid4().hex, {'name': '열쇠별'}
    path = f'{CHILDREN}/{child["id"]}'
    owner.client.patch(path, body, headers={'idempotency-key': key}).expect(200)
    fresh(owner)
    with Counted(system) as gained:
        assert owner.client.patch(path, body, headers={'idempotency-key': key}).header('idempotency-replayed') == 'true'
        owner.client.get(CHILDREN).expect(200)
    assert gained['cache_misses'] == 1


def test_refused_write_changes_nothing(system, owner, child):
    fresh(owner)
    with Counted(system) as gained:
        owner.client.patch(f'{CHILDREN}/{child["id"]}', {'birth_date': '2999-01-01'}).expect(400)
        owner.client.get(CHILDREN).expect(200)
    assert gained.hits == 1


# --- many at a time ---------------------------------------------------------------------------------------------------------------

def test_fifty_misses_are_one_query(system, owner, child):
    """Of one frontend: those who come while it is made wait for it."""
    with H2Client(system, owner.token) as h2, Counted(system, 'children') as calls, Counted(system) as gained:
        streams = [h2.send('GET', CHILDREN) for _ in range(50)]
        answers = [h2.wait(stream) for stream in streams]
    assert all(answer.expect(200).body == answers[0].body for answer in answers)
    assert calls['calls'] == 1 and gained['cache_misses'] == 1
    assert gained['cache_waits'] + gained.hits >= 49 and gained.after['cache_waiting'] == 0


def test_misses_of_all_frontends_are_few_queries(system, owner, child):
    owner.client.patch(f'{CHILDREN}/{child["id"]}', {'name': '한별'}).expect(200)
    clients = each_frontend(system, owner.token, 32)
    for client in clients:
        client.get(CONSENTS).expect(200)  # connected
    gate = threading.Barrier(len(clients))

    def ask(client):
        gate.wait()
        return names(client.get(CHILDREN))

    with Counted(system, 'children') as calls, concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        assert set(map(tuple, pool.map(ask, clients))) == {('한별',)}
    assert 1 <= calls['calls'] <= 4  # one, but for those that waited for it as long as cache.wait allows


def test_a_waiting_client_may_go(system, owner, child):
    owner.client.patch(f'{CHILDREN}/{child["id"]}', {'name': '샛별'}).expect(200)
    for _ in range(20):
        with H2Client(system, owner.token) as h2:
            for _ in range(20):
                h2.send('GET', CHILDREN)
        owner.client.patch(f'{CHILDREN}/{child["id"]}', {'name': '샛별'}).expect(200)
    wait_until(lambda: counters(system)['cache_waiting'] == 0, 20, 'that nobody waits')
    assert names(owner.client.get(CHILDREN)) == ['샛별']


# --- off, and over its time -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def off(start_system):
    return start_system(settings={'cache': {'size': 0}})


def test_without_a_cache_all_is_the_same(system, off):
    for one in (system, off):
        owner = people.newcomer(one)
        owner.child(name='김별')
        etags = set()
        for _ in range(3):
            answer = owner.client.get(CHILDREN).expect(200)
            assert answer.header('cache-control') == 'no-store' and varies(answer) == {'accept-encoding'}
            etags.add(answer.header('etag'))
        assert len(etags) == 1
        owner.client.get(CHILDREN, headers={'if-none-match': etags.pop()}).expect(304)
        assert owner.client.request('HEAD', CHILDREN).expect(200).header('content-length') == str(len(answer.body))
        owner.child(name='이별')
        assert names(owner.client.get(CHILDREN)) == ['김별', '이별']
    gained = counters(off)
    assert gained['cache_hits_memory'] == 0 and gained['cache_misses'] == 0


@pytest.mark.long
def test_ages_change_at_midnight(start_system):
    """In Seoul, where it is in a few seconds: what was kept before it is not given after it."""
    now = time.time()
    midnight = (int(now) + 9 * 3600) // 86400 * 86400 + 86400 - 9 * 3600
    system = start_system(demo=False)
    owner = people.newcomer(system)
    system.stop()
    system.environment['AIPOTEN_CLOCK_SHIFT'] = str(int(midnight - time.time()) - 20)
    system.start()
    owner = people.log_in(system, owner.email, owner.password)
    ends = midnight - int(system.environment['AIPOTEN_CLOCK_SHIFT'])  # by our clock
    seoul = time.gmtime(midnight - 1 + 9 * 3600)
    tomorrow = time.gmtime(midnight + 9 * 3600)
    birth = f'{tomorrow.tm_year - 3}-{tomorrow.tm_mon:02d}-{min(tomorrow.tm_mday, 28):02d}'
    owner.child(birth_date=birth, gestational_weeks=40)
    before = owner.client.get(CHILDREN).expect(200)
    if time.time() < ends - 1 and tomorrow.tm_mday <= 28 and seoul.tm_mday != tomorrow.tm_mday:
        assert before.data[0]['chronological_age_months'] == 35
    owner.client.get(CHILDREN).expect(200)
    wait_until(lambda: owner.client.get(CHILDREN).expect(200).data[0]['chronological_age_months'] == 36, 120, 'the birthday')
    assert time.time() >= ends - 1


# --- deaths -----------------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def mortal(start_system):
    return start_system(settings={'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'}})


@pytest.mark.parametrize('point', ['cache.before_invalidation', 'cache.after_invalidation', 'call.after_commit', 'call.before_reply'])
def test_death_after_commit_is_never_stale(mortal, point):
    """The answer comes from another instance, and says what the one that died could not."""
    owner = people.newcomer(mortal)
    child = owner.child()
    clients = each_frontend(mortal, owner.token)
    for number in range(3):
        for client in clients:
            client.get(CHILDREN).expect(200)
        with faults.Fault(mortal, 'children', point) as fault:
            owner.client.patch(f'{CHILDREN}/{child["id"]}', {'name': f'이름{number}'}).expect(200)
            assert {tuple(names(client.get(CHILDREN))) for client in clients} == {(f'이름{number}',)}
            assert fault.hit()
        mortal.wait_ready()


@pytest.mark.parametrize('point', ['cache.before_filing', 'cache.after_filing', 'call.before_handler'])
def test_death_of_who_fills(mortal, point):
    """All who wait get their answer."""
    owner = people.newcomer(mortal)
    owner.child(name='김별')
    with faults.Fault(mortal, 'children', point) as fault, H2Client(mortal, owner.token) as h2:
        streams = [h2.send('GET', CHILDREN) for _ in range(30)]
        assert all(names(h2.wait(stream)) == ['김별'] for stream in streams)
        assert fault.hit()
    mortal.wait_ready()


def test_death_of_the_frontend_that_fills(mortal):
    """Its claim dies with it."""
    owner = people.newcomer(mortal)
    owner.child(name='김별')
    with faults.Fault(mortal, 'frontend', 'relay.before_send') as fault:
        with pytest.raises(BROKEN):
            raw_get(mortal, owner.token)
        assert fault.hit()
        assert names(Client(mortal, owner.token).get(CHILDREN)) == ['김별']
    mortal.wait_ready()


def raw_get(system, token):
    """Without a second try."""
    connection = http.client.HTTPConnection('127.0.0.1', system.http_port, timeout=30)
    connection.request('GET', CHILDREN, headers={'authorization': f'Bearer {token}'})
    return connection.getresponse().read()


class Readers:
    """Read one child's version without pause, and hold it against the last one that was acknowledged before they asked."""

    def __init__(self, system, token, count):
        self.system, self.token, self.acknowledged, self.stop = system, token, 0, threading.Event()
        self.reads, self.faults = 0, []
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]

    def run(self):
        client = Client(self.system, self.token, check=False)
        while not self.stop.is_set():
            least = self.acknowledged
            try:
                answer = client.get(CHILDREN)
            except BROKEN:
                client.close()
                continue
            if answer.status == 503:
                continue
            version = int(names(answer)[0][2:])
            self.reads += 1
            if version < least:
                self.faults.append((least, version))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def write_surely(client, path, body):
    """Under one key until it is acknowledged, so that no try of it is done later than a following write."""
    key, ends, last = uuid.uuid4().hex, time.monotonic() + 120, None
    while time.monotonic() < ends:
        try:
            last = client.patch(path, body, headers={'idempotency-key': key})
            if last.status == 200:
                return
            time.sleep(0.01)
        except BROKEN:
            client.close()
    raise AssertionError(f'not acknowledged in two minutes: {last}')


def consistency(system, seconds):
    """Writes are acknowledged one after the other while the actors and frontends are killed at random."""
    owner = people.newcomer(system)
    child = owner.child(name='이름0')
    seed = os.environ.get('AIPOTEN_SEED') or str(random.randrange(1 << 30))
    print('AIPOTEN_SEED', seed)
    chance, deaths, ends = random.Random(seed), 0, time.monotonic() + seconds
    next_death = time.monotonic()
    with Readers(system, owner.token, 6) as readers:
        client = Client(system, owner.token, check=False)
        for version in itertools.count(1):
            enough = deaths >= 3 and readers.reads > 100 and version > 20
            if time.monotonic() > ends + (0 if enough else 120):
                break
            if time.monotonic() > next_death:
                victims = system.pids(chance.choice(['children', 'children', 'children', 'frontend']))
                if victims:
                    system.kill(chance.choice(victims))
                    deaths += 1
                next_death = time.monotonic() + chance.uniform(0.1, 0.6)
            write_surely(client, f'{CHILDREN}/{child["id"]}', {'name': f'이름{version}'})
            readers.acknowledged = version
    assert not readers.faults, readers.faults[:10]
    print(f'{readers.reads} reads, {readers.acknowledged} writes, {deaths} deaths')
    assert enough
    system.wait_ready()


def test_no_reader_is_behind_while_processes_are_killed(mortal):
    consistency(mortal, 4)


@pytest.fixture
def hasty(start_system):
    """Clients are told after a second that nobody knows; PostgreSQL has a minute."""
    return start_system(settings={'http': {'request_timeout': '1s'}, 'database': {'write_timeout': '1m'}})


@contextlib.contextmanager
def commits_that_wait(system, deferred=True):
    """Those that change children, until what this gives is called; or the statements themselves."""
    lock = 7211
    with system.database() as database, system.database() as holder:
        database.rows(f"""CREATE FUNCTION children.test_dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                WHILE NOT pg_try_advisory_xact_lock_shared({lock}) LOOP
                    PERFORM pg_sleep(0.02);
                END LOOP;
                PERFORM set_config('idle_in_transaction_session_timeout', '0', true); -- ends what is not read for long
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER test_dawdle AFTER UPDATE ON children.children
                {'DEFERRABLE INITIALLY DEFERRED' if deferred else ''} FOR EACH ROW EXECUTE FUNCTION children.test_dawdle()""")
        holder.rows('SELECT pg_advisory_lock(%s)', lock)

        def release(children):
            holder.rows('SELECT pg_advisory_unlock(%s)', lock)
            if not deferred:
                return
            wait_until(lambda: all(database.value('SELECT name FROM children.children WHERE id = %s', child) == '다른 이름'
                                   for child in children), 20, 'the commits')
        yield release


def rename(owner, child):
    assert owner.client.patch(f'{CHILDREN}/{child}', {'name': '다른 이름'}).status in (503, 504)


def remembered(system, owner):
    """Answered from memory, as it was."""
    with Counted(system) as gained:
        assert [names(owner.client.get(CHILDREN)) for _ in range(3)] == [['이름']] * 3
    return gained.hits


def hears_of_it(owner):
    wait_until(lambda: names(owner.client.get(CHILDREN)) == ['다른 이름'], 20, 'that nobody is told what was before')


@pytest.mark.parametrize('killed', [False, True])
def test_a_commit_that_takes_effect_after_its_answer_was_given_up(hasty, killed):
    """Meanwhile it is read as it was before, and that is filed after the change was told; and who knew of it may be gone."""
    owner = people.newcomer(hasty)
    child = owner.child(name='이름')['id']
    with commits_that_wait(hasty) as release:
        rename(owner, child)
        before = set(hasty.pids('children')) if killed else set()
        for pid in before:
            kill(pid)
        wait_until(lambda: len(set(hasty.pids('children')) - before) == 2 and hasty.all_ready(), 30, 'those who know nothing of it')
        wait_until(lambda: remembered(hasty, owner), 20)
        release([child])
    hears_of_it(owner)


def go_on(pid):
    if pid_lives(pid):
        kill(pid, signal.SIGCONT)


def test_a_commit_that_was_not_read_when_its_answer_was_given_up(start_system):
    """It lies in the socket of a backend that stands still between the last statement and COMMIT. Then it is read, and takes effect."""
    system = start_system(settings={'http': {'request_timeout': '2s'}, 'database': {'write_timeout': '1m'}})
    owner = people.newcomer(system)
    child = owner.child(name='이름')['id']
    writing = """SELECT pid, application_name, state FROM pg_stat_activity
                 WHERE application_name LIKE 'aipoten children.% write' AND xact_start IS NOT NULL"""
    mark = system.logs.mark()
    with system.database('children') as database, concurrent.futures.ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as at_the_end:
        with commits_that_wait(system, deferred=False) as release:
            renamed = pool.submit(rename, owner, child)
            backend, = wait_until(lambda: database.rows(writing), 2, 'the statement')
            number = int(backend['application_name'].split()[1].rpartition('.')[2])
            actor, = [row['pid'] for row in system.instances('children') if row['instance'] == number]
            at_the_end.callback(go_on, actor)
            kill(actor, signal.SIGSTOP)
            release([child])
            wait_until(lambda: database.rows(writing)[0]['state'] == 'idle in transaction', 2, 'the end of the statement')
        at_the_end.callback(go_on, backend['pid'])
        kill(backend['pid'], signal.SIGSTOP)
        go_on(actor)
        renamed.result()
        wait_until(lambda: 'commit_unknown' in str(system.logs.since(mark)), 20, 'that nobody knows')
        for _ in range(2):  # the first look would settle it, were nothing found
            wait_until(lambda: remembered(system, owner) == 3, 20, 'what is remembered')
            wait_until(lambda: remembered(system, owner) < 3, 20, 'that it is told again')
        assert database.value('SELECT name FROM children.children WHERE id = %s', child) == '이름'
        go_on(backend['pid'])
        wait_until(lambda: database.value('SELECT name FROM children.children WHERE id = %s', child) == '다른 이름', 20, 'the commit')
    hears_of_it(owner)


def test_who_drains_stays_until_such_a_commit_is_over(hasty):
    """Nobody is started in its place, who would look."""
    owners = {owner: owner.child(name='이름')['id'] for owner in [people.newcomer(hasty) for _ in range(6)]}
    leaver, = [row['pid'] for row in hasty.instances('children') if row['instance'] == 2]
    mark = hasty.logs.mark()
    with commits_that_wait(hasty) as release, concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(rename, owners.keys(), owners.values()))
        scaled = pool.submit(hasty.ctl, 'scale', 'children', '1')
        wait_until(lambda: not pid_lives(leaver) or 'drain_waits' in str(hasty.logs.since(mark)), 20, 'the end of its calls')
        for owner in owners:
            wait_until(lambda who=owner: remembered(hasty, who), 20)
        release(owners.values())
        scaled.result()
    for owner in owners:
        hears_of_it(owner)


@pytest.mark.long
def test_no_reader_is_behind_for_a_minute(mortal):
    consistency(mortal, 60)
