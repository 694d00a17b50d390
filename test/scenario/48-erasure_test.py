"""Erasure: when a deleted account's time is over every actor forgets the person, and nothing of the whole system holds the
e-mail address, the name or the phone number any more; whoever dies meanwhile. And how far it is can be seen."""
import glob
import json
import os
import time
import urllib.parse
import uuid

import pytest

from harness import people, questions
from harness.client import Client
from harness.wait import kill, wait_until

SETTINGS = {'export': {'pause': '0'}, 'retention': {'every': '1s'},
            'supervisor': {'intensity': 1000, 'backoff_first': '100ms', 'backoff_most': '200ms'}}
ACTORS = {'accounts', 'admin', 'assessments', 'children', 'mailer', 'notifications', 'videos'}


@pytest.fixture(scope='module')
def own(start_system):
    return start_system(settings=SETTINGS)


@pytest.fixture
def database(own):
    with own.database() as connection:
        yield connection


@pytest.fixture
def admin(own):
    return people.demo(own, 'admin')


def somebody(own):
    """With an address, a name and a number that nobody else has."""
    mark = uuid.uuid4().hex[:10]
    digits = mark.translate(str.maketrans('abcdef', '012345'))
    body = people.registration(email=f'Erased.{mark}@example.com', name=f'지워질사람{mark}', phone=f'010-{digits[:4]}-{digits[4:8]}')
    Client(own).post('/api/v1/auth/register', body).expect(201)
    person = people.log_in(own, body['email'], body['password'])
    person.name, person.phone = body['name'], body['phone']
    return person.consent()


def verified(database, person):
    database.rows('UPDATE accounts.users SET email_verified_at = now() WHERE id = %s', person.id)
    return person


def delete(person):
    person.client.delete('/api/v1/users/me', body={'current_password': person.password}).expect(200)


def let_thirty_days_pass(database, person):
    database.rows("UPDATE accounts.users SET deleted_at = deleted_at - interval '31 days' WHERE id = %s", person.id)


def status_of(database, person):
    return database.value('SELECT status FROM accounts.users WHERE id = %s', person.id)


def erase(database, person, timeout=60):
    delete(person)
    let_thirty_days_pass(database, person)
    wait_erased(database, person, timeout)


def wait_erased(database, person, timeout=60):
    wait_until(lambda: status_of(database, person) == 'erased', timeout, 'the tombstone', every=0.1)


def add_guardian(database, child, person):
    database.rows("INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, 'guardian')",
                  child['id'], person.id)


# --- looking everywhere ----------------------------------------------------------------------------------------------------

def needles(person):
    """What must not be found, as it was typed, as it is compared, and in the forms that files and links give it."""
    digits = person.phone.replace('-', '')
    words = {person.email, person.email.lower(), person.name, person.phone, digits}
    words |= {urllib.parse.quote(word) for word in words}
    words |= {json.dumps(word)[1:-1] for word in words}
    return sorted(words)


def found_in_tables(database, words):
    """Every column of every table of every schema, bytes as well."""
    found = []
    columns = database.rows("""
        SELECT format('%I.%I', n.nspname, c.relname) AS relation, quote_ident(a.attname) AS name,
               a.atttypid = 'bytea'::regtype AS bytes
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped
          AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'""")
    assert len(columns) > 100
    for column in columns:
        value = column['name'] if column['bytes'] else f"convert_to({column['name']}::text, 'UTF8')"
        for word in words:
            if database.value(f'SELECT EXISTS (SELECT FROM {column["relation"]} WHERE position(%s::bytea IN {value}) > 0)',
                              word.encode()):
                found.append(f'{column["relation"]}.{column["name"]}: {word}')
    return found


def found_in_files(own, words):
    """Logs (ours, PostgreSQL's, Redis'), exports, mails as files, the dump of Redis: everything below var but PostgreSQL's own
    files, whose dead rows are vacuumed in their time."""
    found, read = [], 0
    for where, _, names in os.walk(own.var):
        if '/postgres' in where and '/postgres/log' not in where:
            continue
        for name in names:
            path = os.path.join(where, name)
            if not os.path.isfile(path) or os.path.islink(path):
                continue
            with open(path, 'rb') as file:
                content = file.read()
            read += 1
            found += [f'{path}: {word}' for word in words if word.encode() in content]
    assert read > 20
    return found


def redis_bytes(own):
    """DUMP of every key, and the entries of every stream in words."""
    script = ('. tools/lib.sh; . tools/services.sh; var_resolve; services_load;'
              ' for key in $(redis-cli -u "$REDIS_URL" --scan); do echo "$key";'
              ' redis-cli -u "$REDIS_URL" --no-raw XRANGE "$key" - +;'
              ' redis-cli -u "$REDIS_URL" --raw DUMP "$key"; done')
    return own.run_tool('bash', '-euo', 'pipefail', '-c', script, DATABASE_URL='', REDIS_URL='')


def found_in_redis(own, words):
    said = redis_bytes(own)
    assert 'mail' in said, 'the jobs of mails stand in Redis, as ids'
    return [f'redis: {word}' for word in words if word in said]


def found_in_segment(own, words):
    """The shared memory, read from the supervisor's descriptor."""
    found, read = [], 0
    for descriptor in glob.glob(f'/proc/{own.supervisor_pid()}/fd/*'):
        try:
            if not os.readlink(descriptor).startswith('/memfd:'):
                continue
            with open(descriptor, 'rb') as file:
                content = file.read()
        except OSError:
            continue
        read += len(content)
        found += [f'segment: {word}' for word in words if word.encode() in content]
    assert read > 100_000
    return found


def found(own, database, person):
    words = needles(person)
    return (found_in_tables(database, words) + found_in_files(own, words) + found_in_redis(own, words)
            + found_in_segment(own, words))


# --- the person's whole life -----------------------------------------------------------------------------------------------

def watch(person, child):
    """The first video, bookmarked, and watched with the child; its id."""
    video = person.client.get('/api/v1/videos', query={'limit': 1}).data[0]['id']
    person.client.post(f'/api/v1/videos/{video}/bookmark').expect(200)
    for with_whom in ({}, {'child_id': child['id']}):
        person.client.post(f'/api/v1/videos/{video}/view', with_whom).expect(200)
        person.client.request('PUT', f'/api/v1/videos/{video}/progress',
                              {'intervals': [{'start': 0, 'end': 20}], **with_whom}).expect(200)
    return video


def assess(database, person, child):
    """An attempt at questions for any age, with an answer and notes; its id."""
    database.rows("UPDATE children.children SET birth_date = current_date - 900, gestational_weeks = 40 WHERE id = %s", child['id'])
    attempt = person.client.post('/api/v1/assessments', {'child_id': child['id']}).expect(201).data
    question = attempt['questions'][0]
    person.client.post(f'/api/v1/assessments/{attempt["id"]}/responses',
                       {'question_id': question['id'], 'response': questions.answer(question)}).expect(200)
    person.client.patch(f'/api/v1/assessments/{attempt["id"]}', {'notes': f'{person.name} 적음'}).expect(200)
    return attempt['id']


def live(own, database, admin, person):
    """Everything that leaves traces: mails, a child, guardians, invitations, an export, reads by an admin, mistakes."""
    other = verified(database, people.newcomer(own))
    child = person.child(notes='땅콩 알레르기')
    person.client.post(f'/api/v1/children/{child["id"]}/measurements', {'measured_on': '2025-01-10', 'height': 72.5}).expect(201)
    shared = person.child(name='함께돌봄')
    add_guardian(database, shared, other)
    invited = other.child()
    other.client.post(f'/api/v1/children/{invited["id"]}/guardians', {'email': person.email}).expect(201)
    person.client.post(f'/api/v1/children/{child["id"]}/guardians', {'email': 'somebody.else@example.org'}).expect(201)
    person.client.patch('/api/v1/users/me', {'language': 'en'}, headers={'idempotency-key': uuid.uuid4().hex}).expect(200)
    Client(own).post('/api/v1/auth/password/reset', {'email': person.email}).expect(202)
    Client(own).post('/api/v1/auth/register', people.registration(email=person.email)).expect(409)
    Client(own).get(f'/api/v1/nowhere?email={urllib.parse.quote(person.email)}', check=False)
    questions.ensure(own, database)
    assess(database, person, child)
    assess(database, person, shared)
    video = watch(person, child)
    assert database.value('SELECT bookmark_count FROM videos.videos WHERE id = %s', video) >= 1
    admin.client.get('/api/v1/admin/users', query={'q': person.email}).expect(200)
    admin.client.get(f'/api/v1/admin/users/{person.id}').expect(200)
    admin.client.get(f'/api/v1/children/{child["id"]}').expect(200)
    person.client.post('/api/v1/users/me/export').expect(202)
    wait_until(lambda: person.client.get('/api/v1/users/me/export').data['state'] == 'ready', 40)
    return child, shared, invited, other


def test_nothing_is_left(own, database, admin):
    person = somebody(own)
    child, shared, invited, other = live(own, database, admin, person)
    wait_until(lambda: glob.glob(os.path.join(own.var, 'mail', '*.eml')), 30, 'mails')
    before = found(own, database, person)
    for place in ('accounts.users.email', 'accounts.users.name', '.eml: ', '/files/export-'):
        assert any(place in row for row in before), f'the search must find what is there: {place} in {before}'
    erase(database, person)
    wait_until(lambda: not database.value('SELECT count(*) FROM mailer.mail_jobs WHERE done_at IS NULL'), 30)
    assert found(own, database, person) == []
    tombstone = database.row('SELECT status, email, name, phone, phone_index, password_hash FROM accounts.users WHERE id = %s',
                             person.id)
    assert tombstone.pop('email').endswith('@erased.invalid')
    assert tombstone == {
        'status': 'erased', 'name': '', 'phone': None, 'phone_index': None,
        'password_hash': None}
    for table, column in (('accounts.auth_sessions', 'user_id'), ('accounts.email_verifications', 'user_id'),
                          ('accounts.password_resets', 'user_id'), ('accounts.exports', 'user_id'),
                          ('children.child_guardians', 'user_id'), ('mailer.mail_jobs', 'user_id'),
                          ('accounts.keyed_calls', 'principal'), ('children.keyed_calls', 'principal'),
                          ('videos.user_video_interactions', 'user_id'), ('videos.video_views', 'viewer')):
        assert database.value(f'SELECT count(*) FROM {table} WHERE {column} = %s', person.id) == 0, table
    # The only guardian's child is gone, with its measurements; a second guardian's stays and is that one's.
    gone = database.row('SELECT deleted_at, name, notes, medical_history FROM children.children WHERE id = %s', child['id'])
    assert gone['deleted_at'] and gone['name'] == '' and gone['notes'] is None and gone['medical_history'] is None
    assert database.value('SELECT count(*) FROM children.child_measurements WHERE child_id = %s', child['id']) == 0
    other.client.get(f'/api/v1/children/{child["id"]}').expect(404)
    # So it is with their assessments.
    attempts = {row['child_id']: row for row in database.rows(
        """SELECT a.child_id, a.deleted_at IS NOT NULL AS empty, a.notes IS NOT NULL AS noted,
                  (SELECT count(*) FROM assessments.assessment_responses r WHERE r.assessment_id = a.id) AS answers
           FROM assessments.development_assessments a WHERE a.child_id IN (%s, %s)""", child['id'], shared['id'])}
    assert attempts == {child['id']: {'child_id': child['id'], 'empty': True, 'noted': False, 'answers': 0},
                        shared['id']: {'child_id': shared['id'], 'empty': False, 'noted': True, 'answers': 1}}
    assert other.client.get(f'/api/v1/children/{shared["id"]}').expect(200).data['name'] == '함께돌봄'
    assert [(row['user_id'], row['relation']) for row in other.client.get(f'/api/v1/children/{shared["id"]}/guardians').data] == [
        (other.id, 'owner')]
    # What was sent to the person's address is over, and nobody can take its place by registering the address anew.
    assert other.client.get(f'/api/v1/children/{invited["id"]}/guardians/invitations').expect(200).data == []
    # Who looked stays, by ids.
    assert database.value("SELECT count(*) FROM admin.access_log WHERE record = %s AND record_kind = 'user'", person.id) >= 1
    own.ctl('audit', 'verify')  # raises when the chain is broken
    own.ctl('db', 'check')  # likewise, when a copy differs


def test_what_was_bookmarked_is_bookmarked_by_one_less(own, database):
    person, other = somebody(own), somebody(own)
    video = watch(person, person.child())
    assert watch(other, other.child()) == video
    counters = 'SELECT view_count, bookmark_count, completion_count FROM videos.videos WHERE id = %s'
    before = database.row(counters, video)
    erase(database, person)
    assert database.row(counters, video) == {**before, 'bookmark_count': before['bookmark_count'] - 1}
    assert database.value('SELECT count(*) FROM videos.user_video_interactions WHERE user_id = %s', other.id) == 2


def test_views_are_kept_for_half_an_hour(own, database):
    person = somebody(own)
    watch(person, person.child())
    of = 'SELECT count(*) FROM videos.video_views WHERE viewer = %s'
    assert database.value(of, person.id) == 1
    database.rows("UPDATE videos.video_views SET counted_at = counted_at - interval '31 minutes' WHERE viewer = %s", person.id)
    wait_until(lambda: database.value(of, person.id) == 0, 30, 'that it is forgotten')


def test_address_is_free_again(own, database):
    person = somebody(own)
    body = people.registration(email=person.email)
    delete(person)
    Client(own).post('/api/v1/auth/register', body).expect(409, 'EMAIL_TAKEN')  # reserved until purge
    let_thirty_days_pass(database, person)
    wait_erased(database, person)
    Client(own).post('/api/v1/auth/login', {'email': person.email, 'password': person.password}).expect(401)
    Client(own).post('/api/v1/auth/register', body).expect(201)


def test_nobody_stands_in_the_way(own, database):
    """Ids are no secret, also one's own: whatever is registered beforehand, the person is forgotten."""
    person = somebody(own)
    for address in (f'{person.id}@erased.invalid', f'{person.id}@example.com'):
        Client(own).post('/api/v1/auth/register', people.registration(email=address)).expect(201)
    delete(person)
    let_thirty_days_pass(database, person)
    wait_erased(database, person)


def test_reader_who_is_erased(own, database):
    """An administrator who read others' records: the log stays, from where it was read does not."""
    reader = somebody(own)
    database.rows("UPDATE accounts.users SET role = 'admin' WHERE id = %s", reader.id)
    reader = people.log_in(own, reader.email, reader.password)
    target = people.newcomer(own)
    reader.client.get(f'/api/v1/admin/users/{target.id}').expect(200)
    addresses = ('SELECT count(*) FROM admin.access_addresses a JOIN admin.access_log l ON l.id = a.id WHERE l.reader = %s')
    wait_until(lambda: database.value(addresses, reader.id) == 1, 20, 'the address')
    erase(database, reader)
    assert database.value(addresses, reader.id) == 0
    assert database.value('SELECT count(*) FROM admin.access_log WHERE reader = %s', reader.id) == 1


def test_mails_that_wait_are_forgotten(own, database):
    """The mailer takes no mail: those of the person are in nobody's way, and are sent to nobody."""
    database.rows('REVOKE INSERT ON mailer.mail_jobs FROM aipoten_mailer')
    try:
        person = somebody(own)
        delete(person)
        waiting = ("SELECT count(*) FROM accounts.deliveries d JOIN accounts.events e USING (position)"
                   " WHERE d.aggregate = %s AND e.type = 'mail.requested'")
        assert database.value(waiting, person.id) == 2
        let_thirty_days_pass(database, person)
        wait_erased(database, person)
        assert database.value(waiting, person.id) == 0
        assert database.value('SELECT count(*) FROM accounts.events WHERE aggregate = %s', person.id) == 0
    finally:
        database.rows('GRANT INSERT ON mailer.mail_jobs TO aipoten_mailer')


# --- its progress ----------------------------------------------------------------------------------------------------------

def erasure(admin, person):
    return admin.client.get(f'/api/v1/admin/users/{person.id}').expect(200).data['erasure']


def test_reset_that_failed_is_forgotten(own, database):
    """A dead request for a new password holds the address, in a row that is not of the user."""
    person = somebody(own)
    requests = "SELECT count(*) FROM accounts.events WHERE type = 'password.reset_requested'"
    dead = ("UPDATE accounts.deliveries SET dead_at = now(), attempts = 1000 WHERE position IN (SELECT position FROM accounts.events"
            " WHERE type = 'password.reset_requested')")
    database.rows('REVOKE INSERT ON accounts.password_resets FROM aipoten_accounts')
    try:
        Client(own).post('/api/v1/auth/password/reset', {'email': person.email.upper()}).expect(202)
        database.rows(dead)
        delete(person)
        assert database.value(requests) == 1
        let_thirty_days_pass(database, person)
        wait_erased(database, person)
        assert database.value(requests) == 0
    finally:
        database.rows('GRANT INSERT ON accounts.password_resets TO aipoten_accounts')


def test_progress(own, database, admin):
    person = somebody(own)
    person.child()
    assert erasure(admin, person) is None
    delete(person)
    planned = erasure(admin, person)
    assert planned['state'] == 'scheduled' and planned['actors'] == []
    database.rows('REVOKE DELETE ON children.child_guardians FROM aipoten_children')
    try:
        let_thirty_days_pass(database, person)
        wait_until(lambda: (erasure(admin, person) or {}).get('state') == 'running'
                   and sum(row['state'] == 'done' for row in erasure(admin, person)['actors']) == len(ACTORS) - 1, 40,
                   'all but one', every=0.2)
        states = {row['actor']: row['state'] for row in erasure(admin, person)['actors']}
        assert states == {**dict.fromkeys(ACTORS, 'done'), 'children': 'waiting'}
        assert status_of(database, person) == 'erasing', 'no tombstone before all have acknowledged'
        assert database.value('SELECT email FROM accounts.users WHERE id = %s', person.id) == person.email
        database.rows("UPDATE accounts.deliveries SET attempts = 9, next_at = now() WHERE subscriber = 'children'"
                      ' AND aggregate = %s', person.id)
        wait_until(lambda: {row['actor']: row['state'] for row in erasure(admin, person)['actors']}['children'] == 'stuck', 30)
    finally:
        database.rows('GRANT DELETE ON children.child_guardians TO aipoten_children')
    own.ctl('events', 'retry', 'children')
    wait_erased(database, person)
    done = erasure(admin, person)
    assert done['state'] == 'done' and {row['actor']: row['state'] for row in done['actors']} == dict.fromkeys(ACTORS, 'done')


def test_who_came_back_is_not_erased(own, database):
    person = somebody(own)
    child = person.child()
    delete(person)
    person = people.log_in(own, person.email, person.password)
    person.client.get(f'/api/v1/children/{child["id"]}').expect(200)
    assert status_of(database, person) == 'active'


def test_every_actor_with_a_persons_rows_erases_and_tells(own, database):
    """Derived from the catalog: a schema with a column user_id has a subscriber, and offers what it holds."""
    schemas = {row['schema'] for row in database.rows("""
        SELECT DISTINCT table_schema AS schema FROM information_schema.columns
        WHERE column_name IN ('user_id', 'reader', 'invited_by')""")}
    schemas.discard('aipoten')
    assert schemas <= ACTORS
    person = somebody(own)
    person.client.post('/api/v1/users/me/export').expect(202)
    status = wait_until(lambda: (row := person.client.get('/api/v1/users/me/export').data)['state'] == 'ready' and row, 40)
    assert schemas <= set(json.loads(Client(own).get(status['link']).expect(200).body)['data'])


# --- deaths ----------------------------------------------------------------------------------------------------------------

def test_killed_in_the_middle(own, database, admin):
    """Several people at once, while every process that takes part dies again and again: each is erased whole."""
    persons = [somebody(own) for _ in range(8)]
    children = [person.child(notes='땅콩 알레르기') for person in persons]
    for person in persons:
        delete(person)
    for person in persons:
        let_thirty_days_pass(database, person)
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        for service in ('accounts', 'children', 'videos', 'admin', 'mailer', 'notifications'):
            for pid in own.pids(service)[:1]:
                kill(pid)
        time.sleep(0.5)
    own.wait_ready(60)
    for person, child in zip(persons, children):
        wait_erased(database, person, 90)
        assert database.value('SELECT deleted_at IS NOT NULL FROM children.children WHERE id = %s', child['id'])
        assert database.value('SELECT count(*) FROM children.child_guardians WHERE user_id = %s', person.id) == 0
    words = sorted({word for person in persons for word in needles(person)})
    assert found_in_tables(database, words) == []
