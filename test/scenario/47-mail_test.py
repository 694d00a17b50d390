"""Mail: what is asked for arrives, readable, encrypted and once, while Redis, the mail server and the mailers themselves come and
go. The senders are real ones: a registration, an invitation."""
import os
import random
import re
import ssl
import subprocess
import time

import pytest

from harness import faults, people
from harness.client import Client
from harness.mailserver import PASSWORD, USER, MailServer, certificate
from harness.system import System, free_port
from harness.wait import kill, wait_until

ATTEMPTS = 3
LEASE = 4 + 15  # seconds: mail.timeout below, and deliver.c's LEASE_MARGIN
BASE = 'https://app.example.com'


@pytest.fixture(scope='module')
def own():
    """A system that sends to a server of our own, which stands in `own.mail`."""
    port = free_port()
    settings = {
        'mail': {'transport': 'smtp', 'host': 'localhost', 'port': port, 'tls': 'starttls', 'user': USER, 'timeout': '4s',
                 'from': 'noreply@aipoten.example', 'from_name': '아이포텐', 'base_url': BASE, 'attempts': ATTEMPTS,
                 'retry_first': '200ms', 'retry_most': '1s', 'requeue': '500ms'},
        'auth': {'restore_within': '2s'}, 'retention': {'every': '1s'},
        'supervisor': {'intensity': 1000, 'backoff_first': '100ms', 'backoff_most': '200ms'}}
    system = System()
    chain, key = certificate(system.var)
    settings['mail']['ca_file'] = chain
    system.write_config(settings)
    secrets = os.path.join(system.var, 'secrets')
    os.mkdir(secrets, 0o700)
    with open(os.open(os.path.join(secrets, 'smtp_password'), os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='ascii') as file:
        file.write(PASSWORD + '\n')
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    system.mail = MailServer(port, tls).start()
    try:
        system.start()
        yield system
    finally:
        system.mail.stop()
        system.destroy()


def register(own, language=None, **changes):
    body = people.registration(**changes)
    Client(own, language=language).post('/api/v1/auth/register', body).expect(201)
    return body


def jobs(own, where='true', *parameters):
    with own.database() as database:
        return database.rows(f'SELECT * FROM mailer.mail_jobs WHERE {where} ORDER BY id', *parameters)


def states(own):
    return {name: row['mails'] for name, row in own.ctl('mail', '-j')['states'].items()}


def settled(own):
    """Nothing waits any more, neither as an event nor as a job."""
    wait_until(lambda: own.ctl('events', '-j')['deliveries'] == [], 30, 'delivered events', every=0.1)
    wait_until(lambda: not jobs(own, "state IN ('waiting', 'sending')"), 40, 'settled jobs', every=0.1)


def redis(own, *command):
    kept = own.kept
    done = subprocess.run(['redis-cli', '-h', '127.0.0.1', '-p', kept['REDIS_PORT'], *command], capture_output=True, text=True,
                          env={**os.environ, 'REDISCLI_AUTH': kept['REDIS_PASSWORD']}, check=True, timeout=20)
    return done.stdout


# --- what arrives ---------------------------------------------------------------------------------------------------------------

def test_korean(own):
    body = register(own, name='김보호')
    mail = own.mail.wait(body['email'])
    message = mail.message
    assert mail.encrypted and mail.authenticated
    assert mail.sender == 'noreply@aipoten.example' and mail.to == [body['email']]
    assert message['subject'] == '[aipoten] 이메일 주소를 확인해 주세요'
    assert message['from'].addresses[0].display_name == '아이포텐'
    assert (message['to'].addresses[0].display_name, message['to'].addresses[0].addr_spec) == ('김보호', body['email'])
    assert message.get_content_type() == 'multipart/alternative' and message['content-language'] == 'ko'
    assert not message.defects and not any(part.defects for part in message.walk())
    link = re.search(re.escape(BASE) + r'/verify-email#token=([\w-]+)', mail.part('plain'))
    assert '김보호님, 안녕하세요.' in mail.part('plain') and link
    assert '김보호님, 안녕하세요.' in mail.part('html') and f'href="{link[0]}"' in mail.part('html')
    assert all(len(line) <= 998 and line.isascii() for line in mail.raw.split(b'\r\n'))
    settled(own)
    job, = jobs(own, 'id = %s', mail.id)
    assert (job['state'], job['content'], job['attempts'], job['failures']) == ('sent', None, 1, 0)
    Client(own).post('/api/v1/auth/email/verify', {'token': link[1]}).expect(200)


def test_english(own):
    body = register(own, language='en', name='Jo Kim')
    mail = own.mail.wait(body['email'])
    assert mail.message['subject'] == '[aipoten] Please verify your e-mail address'
    assert mail.part('plain').startswith('Hello Jo Kim,') and mail.message['content-language'] == 'en'


@pytest.mark.parametrize('name', ['<script>alert(1)</script>', '"><img src=x>', "O'Neil & 딸 {token} {link}", '=?UTF-8?B?SGk=?=',
                                  'a@b.c>, <x@y.z', '가' * 50])
def test_names_are_no_markup(own, name):
    body = register(own, name=name)
    mail = own.mail.wait(body['email'])
    assert mail.part('plain').startswith(f'{name}님, ')
    html = mail.part('html')
    assert '<script' not in html and '<img' not in html and html.count('href=') == 1
    assert [address.addr_spec for address in mail.message['to'].addresses] == [body['email']]
    # Between two encoded words Python shows a space that RFC 2047, 6.2 has it leave out.
    assert mail.message['to'].addresses[0].display_name.replace(' ', '') == name.replace(' ', '')
    assert mail.to == [body['email']] and mail.message['bcc'] is None


# --- what is refused ------------------------------------------------------------------------------------------------------------

def test_deferred(own):
    body = people.registration()
    own.mail.refuse[body['email']] = ['451 later', '452 even later']
    Client(own).post('/api/v1/auth/register', body).expect(201)
    mail = own.mail.wait(body['email'])
    settled(own)
    job, = jobs(own, 'id = %s', mail.id)
    assert (job['state'], job['attempts'], job['failures']) == ('sent', 3, 2)
    assert len(own.mail.to(body['email'])) == 1


@pytest.mark.parametrize('answers, attempts', [(['550 no such user here'], 1), (['451 later'] * ATTEMPTS, ATTEMPTS)])
def test_dead_letters(own, answers, attempts):
    body = people.registration()
    own.mail.refuse[body['email']] = list(answers)
    Client(own).post('/api/v1/auth/register', body).expect(201)
    job, = wait_until(lambda: jobs(own, "state = 'dead'"), 20, 'a dead mail')
    assert job['attempts'] == attempts and job['content'] is not None
    shown, = (row for row in own.ctl('mail', '-j')['troubled'] if row['id'] == job['id'])
    assert (shown['state'], shown['last_error'], shown['attempts']) == ('dead', f'answered {answers[0][:3]}', attempts)
    assert job['id'] in own.ctl('mail') and body['email'] not in own.ctl('mail')
    assert own.ctl('mail', 'retry', job['id']) == '1 mail due again\n'
    assert own.mail.wait(body['email']).id == job['id']
    settled(own)
    assert len(own.mail.to(body['email'])) == 1 and not jobs(own, "state = 'dead'")


def test_skip(own):
    body = people.registration()
    own.mail.refuse[body['email']] = ['554 never']
    Client(own).post('/api/v1/auth/register', body).expect(201)
    job, = wait_until(lambda: jobs(own, "state = 'dead'"), 20, 'a dead mail')
    assert own.ctl('mail', 'skip', job['id']) == '1 mail given up\n'
    skipped, = jobs(own, 'id = %s', job['id'])
    assert (skipped['state'], skipped['content']) == ('skipped', None)
    assert 'no dead mail' in own.ctl('mail', 'retry', job['id'], check=False)
    assert 'ID must be' in own.ctl('mail', 'skip', 'x', check=False)


# --- what comes and goes ----------------------------------------------------------------------------------------------------------

def arrived_once(own, bodies):
    settled(own)
    assert [len(own.mail.to(body['email'])) for body in bodies] == [1] * len(bodies)


def test_server_away(own):
    undone = "state IN ('waiting', 'sending')"  # one may be tried again at the very moment somebody looks
    own.mail.stop()
    try:
        bodies = [register(own) for _ in range(3)]
        wait_until(lambda: len(jobs(own, f'{undone} AND attempts >= 2')) == 3, 30, 'tries in vain')
        counted = states(own)
        assert counted['waiting'] + counted['sending'] == 3 and counted['dead'] == 0
        late = jobs(own, undone)[0]
        with own.database() as database:
            database.rows('UPDATE mailer.mail_jobs SET not_after = now() WHERE id = %s', late['id'])
        expired, = wait_until(lambda: jobs(own, "id = %s AND state = 'expired'", late['id']), 20, 'an expired mail')
        assert expired['content'] is None
    finally:
        own.mail.start()
    settled(own)
    assert sorted(len(own.mail.to(body['email'])) for body in bodies) == [0, 1, 1]
    assert not jobs(own, "state = 'sent' AND failures > 0 AND last_error IS NOT NULL")


def test_slow_server_keeps_nobody(own):
    """While one mail waits for the server's word, its mailer sends others; and none is cut short or sent twice."""
    own.mail.pause, own.mail.most = 2, 0
    try:
        bodies = [register(own) for _ in range(8)]
        arrived_once(own, bodies)
    finally:
        own.mail.pause = 0
    assert own.mail.most > 2  # each of the two mailers had more than one under way
    assert all('</html>' in own.mail.to(body['email'])[0].part('html') for body in bodies)
    counters = {row['name']: row['value'] for row in own.ctl('counters', '-j', 'mailer.1')['counters']}
    assert counters['coroutine_stack'] < 60000  # of 64 KB in a release build, whose frames are smaller


@pytest.fixture(scope='module')
def stranger(tmp_path_factory):
    """The certificate of another localhost, for which nobody vouches."""
    chain, key = certificate(str(tmp_path_factory.mktemp('stranger')))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    return tls


@pytest.mark.filterwarnings('ignore:Requiring AUTH while not requiring TLS')
@pytest.mark.parametrize('fault, said', [('no TLS', 'SSL'), ('a stranger', 'SSL peer certificate'), ('password', 'Login denied')])
def test_server_that_cannot_be_trusted(own, stranger, fault, said):
    """It gets neither the mail nor, without TLS, the password; the mail waits, and is not dead, until the server is put right."""
    right, log_ins = own.mail.tls, own.mail.log_ins
    own.mail.stop()
    own.mail.tls = {'no TLS': None, 'a stranger': stranger}.get(fault, right)
    own.mail.password = 'another one' if fault == 'password' else PASSWORD
    own.mail.start()
    try:
        body = register(own)
        job, = wait_until(lambda: jobs(own, "state = 'waiting' AND attempts > %s", ATTEMPTS), 30, 'tries in vain')
        assert said in job['last_error'] and job['failures'] == 0
        assert not own.mail.to(body['email'])
        assert (own.mail.log_ins > log_ins) == (fault == 'password')
    finally:
        own.mail.stop()
        own.mail.tls, own.mail.password = right, PASSWORD
        own.mail.start()
    arrived_once(own, [body])


def test_redis_emptied(own):
    bodies = []
    for _ in range(12):
        bodies.append(register(own))
        redis(own, 'FLUSHALL')
    arrived_once(own, bodies)


def test_redis_away(own):
    own.services('redis_stop')
    try:
        bodies = [register(own) for _ in range(4)]
        wait_until(lambda: states(own)['waiting'] == 4, 20, 'four that wait')
        time.sleep(1)  # twice mail.requeue: nothing goes another way
        assert not any(own.mail.to(body['email']) for body in bodies)
        assert Client(own).get('/readyz').status == 200
        wait_until(lambda: 'Redis does not answer: mail waits' in own.ctl('status'), 20, 'a word of it in the status')
    finally:
        own.services('redis_start')
    arrived_once(own, bodies)
    assert 'mail waits' not in own.ctl('status')


def test_a_mail_that_cannot_be_opened_holds_up_no_other(own):
    """Its key is missing, or the row was damaged; also where no queue says which mail is whose."""
    damage = 'content = set_byte(content, length(content) - 1, get_byte(content, length(content) - 1) # 1)'
    own.services('redis_stop')
    try:
        damaged = register(own)
        wait_until(lambda: states(own)['waiting'] == 1, 20, 'one that waits')
        with own.database() as database:
            database.rows(f"UPDATE mailer.mail_jobs SET {damage} WHERE state = 'waiting'")
    finally:
        own.services('redis_start')
    whole = register(own)
    own.mail.wait(whole['email'])
    with own.database() as database:
        wait_until(lambda: database.value("SELECT attempts FROM mailer.mail_jobs WHERE state = 'sending'"), 20, 'that it was tried', every=0.1)
        database.rows(f"UPDATE mailer.mail_jobs SET {damage}, next_at = now(), queued_at = NULL WHERE state = 'sending'")  # it is as it was
    own.mail.wait(damaged['email'])
    settled(own)


def test_redis_killed_in_the_middle(own):
    own.mail.pause = 0.05
    try:
        bodies = []
        for number in range(16):
            bodies.append(register(own))
            if number % 5 == 4:
                kill(int(own.services('redis_pid').strip()))
                own.services('redis_start')
        arrived_once(own, bodies)
    finally:
        own.mail.pause = 0


def test_mailers_killed_while_sending(own):
    """A mail whose mailer died after the server took it comes again, with the same Message-ID; none is lost."""
    seed = int(os.environ.get('AIPOTEN_SEED') or random.randrange(10 ** 6))
    print(f'AIPOTEN_SEED={seed}')
    chance = random.Random(seed)
    own.mail.pause = 0.5
    try:
        bodies = [register(own) for _ in range(8)]
        for _ in range(6):
            time.sleep(chance.uniform(0.1, 0.5))
            for pid in own.pids('mailer'):
                kill(pid)
        own.wait_ready(30)
        # Their leases end after mail.timeout and a margin.
        wait_until(lambda: not jobs(own, "state IN ('waiting', 'sending')"), 90, 'settled jobs', every=0.2)
    finally:
        own.mail.pause = 0
    settled(own)
    for body in bodies:
        mails = own.mail.to(body['email'])
        assert mails and len({mail.message['message-id'] for mail in mails}) == 1
    ids = {own.mail.to(body['email'])[0].id for body in bodies}
    assert len(ids) == len(bodies) and len(jobs(own, "state = 'sent' AND id = ANY(%s::uuid[])", list(ids))) == len(bodies)
    doubles = sum(len(own.mail.to(body['email'])) - 1 for body in bodies)
    print(f'{doubles} mails came more than once')


def test_death_at_every_point(own):
    """All of them, and then what the dead left, because a lease ends only after a while."""
    points = [point for point in faults.points() if point.startswith('mail.')]
    assert len(points) >= 5
    bodies = {}
    for point in points:
        with faults.Fault(own, 'mailer', point) as fault:
            bodies[point] = register(own)
            wait_until(fault.hit, 20, f'the death at {point}')
        own.wait_ready(30)
    wait_until(lambda: not jobs(own, "state IN ('waiting', 'sending')"), 90, 'settled jobs', every=0.2)
    settled(own)
    sent = {point: own.mail.to(body['email']) for point, body in bodies.items()}
    for point, mails in sent.items():
        assert mails and len({mail.message['message-id'] for mail in mails}) == 1, point
    # That one came twice which was accepted when its mailer died; and perhaps another that the same mailer had at the server's door then,
    # left by an earlier death. (Whose they were, if that was quicker, no one can say.)
    assert 1 <= sum(len(mails) - 1 for mails in sent.values()) < len(points), {point: len(mails) for point, mails in sent.items()}


@pytest.mark.parametrize('seconds', [2, LEASE + 6])
def test_database_away_when_the_server_has_taken_it(own, seconds):
    """Its worker says so in the row as soon as PostgreSQL is back, and does not send it again; nor does another, when the lease is
    over."""
    own.mail.pause = 1.5
    try:
        body = register(own)
        own.mail.wait(body['email'])
        own.services('postgres_stop')
        time.sleep(seconds)  # the server's answer comes while there is no database
        own.postgres_back()
        job = own.mail.to(body['email'])[0].id
        wait_until(lambda: jobs(own, "id = %s AND state = 'sent' AND attempts = 1", job), 40, 'the row of the mail', every=0.2)
    finally:
        own.mail.pause = 0
    arrived_once(own, [body])


def test_a_lease_that_is_over_when_the_database_comes_back(own):
    """Nobody takes the mail over while the one who sent it may not have said so yet (mailer.sql, claimable): five seconds."""
    begun = 'pg_postmaster_start_time()'
    with faults.Fault(own, 'mailer', 'mail.claimed') as fault:
        body = register(own)
        wait_until(fault.hit, 20, 'the death of who claimed it')
    with own.database() as database:  # nobody may take it over until the database was away
        job = database.row("UPDATE mailer.mail_jobs SET next_at = now() + interval '1 hour' WHERE state = 'sending' RETURNING id, attempts")
    assert job['attempts'] == 1

    def over_from_the_beginning():
        """Its lease is over while PostgreSQL is not two seconds old."""
        own.services('postgres_stop')
        own.services('postgres_start')
        with own.database() as database:
            return database.rows(f"UPDATE mailer.mail_jobs SET next_at = now() - interval '1 second', queued_at = NULL "
                                 f"WHERE id = %s AND attempts = 1 AND now() < {begun} + interval '2 seconds' RETURNING id", job['id'])

    wait_until(over_from_the_beginning, 40, 'a lease that is over')
    wait_until(lambda: jobs(own, 'id = %s AND attempts = 2', job['id']), 60, 'who takes it over', every=0.1)
    late, = jobs(own, 'id = %s', job['id'])
    with own.database() as database:
        waited = database.value(f"SELECT extract(epoch FROM %s::timestamptz - {begun})::float8", late['next_at']) - LEASE
    assert 5 <= waited < 60
    arrived_once(own, [body])


def test_database_away(own):
    bodies = [register(own) for _ in range(3)]
    own.services('postgres_stop')
    own.postgres_back()
    arrived_once(own, bodies)


# --- what nobody may see ----------------------------------------------------------------------------------------------------------

def test_nothing_personal_is_left(own):
    own.mail.stop()
    try:
        body = register(own, name='비밀이름')
        wait_until(lambda: jobs(own, "state = 'waiting' AND attempts >= 1"), 20, 'a try in vain')
        dump = ''.join(
            redis(own, 'XRANGE', key, '-', '+') for key in redis(own, '--scan').split() if key.startswith('aipoten:mail'))
        with own.database() as database:
            plain = str(database.rows('SELECT id, template, language, state, last_error FROM mailer.mail_jobs'))
            sealed = b''.join(bytes(row['content']) for row in database.rows(
                'SELECT content FROM mailer.mail_jobs WHERE content IS NOT NULL'))
    finally:
        own.mail.start()
    mail = own.mail.wait(body['email'])
    token = re.search(r'token=([\w-]+)', mail.part('plain'))[1]
    settled(own)
    logs = b''
    for name in os.listdir(os.path.join(own.var, 'log')):
        with open(os.path.join(own.var, 'log', name), 'rb') as file:
            logs += file.read()
    for word in (body['email'], body['name'], token, PASSWORD):
        assert word not in dump and word not in plain and word.encode() not in sealed and word.encode() not in logs


def test_erased_users_get_nothing(own):
    own.mail.stop()
    try:
        person = people.newcomer(own, consents=False)
        person.client.request('DELETE', '/api/v1/users/me', {'current_password': person.password}).expect(200)
        wait_until(lambda: len(jobs(own, 'user_id = %s', person.id)) == 2, 20, 'a mail of the registration, one of the deletion')
        ids = [job['id'] for job in jobs(own, 'user_id = %s', person.id)]
        wait_until(lambda: not jobs(own, 'user_id = %s', person.id), 30, 'the erasure', every=0.2)
        emptied = jobs(own, 'id = ANY(%s::uuid[])', ids)
        assert [(job['state'], job['content']) for job in emptied] == [('skipped', None)] * 2
    finally:
        own.mail.start()
    settled(own)
    assert not own.mail.to(person.email)


def test_rows_are_kept_for_a_time(own):
    body = register(own)
    job = own.mail.wait(body['email']).id
    settled(own)
    with own.database() as database:
        database.rows("UPDATE mailer.mail_jobs SET done_at = now() - interval '31 days' WHERE id = %s", job)
    wait_until(lambda: not jobs(own, 'id = %s', job), 20, 'the end of the row')


# --- the configuration ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('settings, line, reason', [
    ('transport: smtp', 2, 'mail.host: is wanted'),
    ('transport: smtp\n  host: mail.example.com\n  tls: none', 4, 'mail.tls: none is for a server on this machine only'),
    ('transport: post', 2, '"post" is not smtp or file'),
    ('from: "x@y.example\\r\\nBcc: z"', 2, 'mail.from: is not an e-mail address'),
    ('host: "a/b"', 2, '"a/b" is not the name or the address of a server'),
    ('base_url: https://app.example.com/path', 2, 'mail.base_url: '),
    ('retry_first: 2h', 2, 'mail.retry_first: '),
])
def test_configuration_is_checked(own, settings, line, reason):
    path = os.path.join(own.var, 'wrong.yaml')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'mail:\n  {settings}\n')
    said = own.ctl('config', 'check', path, check=False)
    assert f'wrong.yaml:{line}: ' in said and reason in said


def test_files_in_development(system):
    """Where mail.transport is file, each mail is a file that only the system's user reads."""
    body = people.registration()
    Client(system).post('/api/v1/auth/register', body).expect(201)
    directory = os.path.join(system.var, 'mail')

    def written():
        for name in os.listdir(directory):
            with open(os.path.join(directory, name), 'rb') as file:
                if body['email'].encode() in file.read() and name.endswith('.eml'):
                    return os.path.join(directory, name)
        return None

    path = wait_until(written, 20, 'the file')
    assert os.stat(path).st_mode & 0o777 == 0o600 and os.stat(directory).st_mode & 0o777 == 0o700
