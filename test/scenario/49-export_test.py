"""users/me/export: what all actors hold of a person, in one JSON, by a job that survives its process, behind a link that is
signed and expires."""
import glob
import json
import os
import socket
import stat
import time
import urllib.parse

import h2.connection
import h2.settings
import pytest

from harness import people, questions
from harness.client import Client
from harness.wait import kill, wait_until

EXPORT = '/api/v1/users/me/export'
SETTINGS = {'export': {'pause': '0'}, 'supervisor': {'intensity': 1000, 'backoff_first': '100ms', 'backoff_most': '200ms'}}


@pytest.fixture(scope='module')
def own(start_system):
    return start_system(settings=SETTINGS)


@pytest.fixture
def person(own):
    return people.newcomer(own)


def files(system):
    return sorted(glob.glob(os.path.join(system.var, 'files', 'export-*.json')))


def start(person):
    return person.client.post(EXPORT).expect(202).data


def ready(person, timeout=40):
    def look():
        status = person.client.get(EXPORT).expect(200).data
        assert status['state'] != 'failed'
        return status if status['state'] == 'ready' else None
    return wait_until(look, timeout, 'an export that is ready')


def fetch(system, link, **options):
    return Client(system).get(link, **options)


def test_everything_in_one_file(own, person):
    child = person.child(notes='땅콩 알레르기')
    person.client.post(f'/api/v1/children/{child["id"]}/measurements', {'measured_on': '2025-01-10', 'height': 72.5}).expect(201)
    person.client.post(f'/api/v1/children/{child["id"]}/guardians', {'email': 'second@example.org'}).expect(201)
    video = person.client.get('/api/v1/videos', query={'limit': 1}).data[0]
    person.client.post(f'/api/v1/videos/{video["id"]}/view', {'child_id': child['id']}).expect(200)
    with own.database() as database:
        questions.ensure(own, database)
        database.rows('UPDATE children.children SET birth_date = current_date - 900, gestational_weeks = 40 WHERE id = %s', child['id'])
    attempt = person.client.post('/api/v1/assessments', {'child_id': child['id']}).expect(201).data
    question = attempt['questions'][0]
    person.client.post(f'/api/v1/assessments/{attempt["id"]}/responses',
                       {'question_id': question['id'], 'response': questions.answer(question)}).expect(200)
    person.client.patch(f'/api/v1/assessments/{attempt["id"]}', {'notes': '졸려 했어요'}).expect(200)
    people.demo(own, 'admin').client.patch(f'/api/v1/admin/users/{person.id}', {'role': 'parent'}).expect(200)
    with own.database() as database:
        wait_until(lambda: database.value('SELECT count(*) FROM admin.access_log WHERE record = %s', person.id), 20)
    assert start(person)['state'] == 'collecting'
    status = ready(person)
    answer = fetch(own, status['link']).expect(200)
    assert answer.header('content-type') == 'application/json' and answer.header('cache-control') == 'no-store'
    assert answer.header('content-disposition') == 'attachment; filename="aipoten-export.json"'
    assert answer.header('x-file') is None
    assert int(answer.header('content-length')) == status['size'] == len(answer.body)
    export = json.loads(answer.body)
    assert export['user'] == person.id
    accounts, children, admin = (export['data'][name] for name in ('accounts', 'children', 'admin'))
    user, = accounts['user']
    assert user['email'] == person.email and user['name'] == '이테스트' and user['phone'].startswith('010-')
    assert len(accounts['sessions']) == 1 and {row['kind'] for row in accounts['consents']} == {
        'terms', 'privacy', 'child_health', 'child_guardian'}
    assert [row['notes'] for row in children['children']] == ['땅콩 알레르기']
    assert [row['relation'] for row in children['guardianships']] == ['owner']
    assert [row['height'] for row in children['measurements']] == [72.5]
    assert [row['email'] for row in children['invitations']] == ['second@example.org']
    assessments = export['data']['assessments']
    assert [(row['id'], row['notes'], row['answered']) for row in assessments['assessments']] == [(attempt['id'], '졸려 했어요', 1)]
    assert [(row['question_text'], row['response']) for row in assessments['responses']] == [
        (question['question_text'], questions.answer(question))]
    videos = export['data']['videos']
    assert [(row['title'], row['child_id'], row['watched']) for row in videos['interactions']] == [(video['title'], child['id'], '{}')]
    assert [row['video_id'] for row in videos['views']] == [video['id']]
    assert [row['operation'] for row in admin['read_by']] == ['admin.users.update'] and admin['reads'] == []
    assert 'password' not in json.dumps(export) and 'hash' not in json.dumps(export)
    assert stat.S_IMODE(os.stat(max(files(own), key=os.path.getmtime)).st_mode) == 0o600


def test_many_pages(own, person):
    """More rows than a page of one actor holds, in each row no more than once."""
    with own.database() as database:
        child = person.child()['id']
        database.rows("INSERT INTO children.child_measurements (id, child_id, measured_on, height) SELECT gen_random_uuid(), %s,"
                      " date '2024-02-01' + n, 70 FROM generate_series(1, 101) n", child)
    for _ in range(24):
        person.child()
    start(person)
    export = json.loads(fetch(own, ready(person)['link']).expect(200).body)['data']['children']
    assert len(export['children']) == 25 and len({row['id'] for row in export['children']}) == 25
    assert len(export['measurements']) == 101 and len({row['id'] for row in export['measurements']}) == 101


def test_of_other_roles(own):
    for role in ('therapist', 'admin'):
        person = people.demo(own, role)
        start(person)
        export = json.loads(fetch(own, ready(person)['link']).expect(200).body)
        assert export['data']['accounts']['user'][0]['email'] == person.email
        assert export['data']['children']['children'] == []


def test_one_at_a_time(own, person):
    with own.database() as database:  # one that another process works at
        database.rows("INSERT INTO accounts.exports (id, user_id, taken_until) VALUES (gen_random_uuid(), %s,"
                      " now() + interval '1 hour')", person.id)
        person.client.post(EXPORT).expect(409, 'IN_PROGRESS')
        assert person.client.get(EXPORT).expect(200).data['state'] == 'collecting'
        database.rows('UPDATE accounts.exports SET taken_until = now() WHERE user_id = %s', person.id)
    ready(person)
    start(person)
    ready(person)


def test_pause_between_two(system, newcomer):
    person = newcomer()
    start(person)
    ready(person)
    refused = person.client.post(EXPORT).expect(429, 'RATE_LIMITED')
    assert int(refused.header('retry-after')) > 0


def test_nothing_asked_for(own, person):
    person.client.get(EXPORT).expect(404)


# --- the link --------------------------------------------------------------------------------------------------------------

@pytest.fixture
def link(own, person):
    start(person)
    return ready(person)['link']


def changed(link, **parts):
    url = urllib.parse.urlsplit(link)
    query = dict(urllib.parse.parse_qsl(url.query))
    query.update({name: str(value) for name, value in parts.items() if name != 'path'})
    return f'{parts.get("path", url.path)}?{urllib.parse.urlencode(query)}'


def test_changed_link(own, link):
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    signature, expires = query['signature'], int(query['expires'])
    other = signature[:-2] + ('A' if signature[-2] != 'A' else 'B') + signature[-1]
    for wrong in (changed(link, signature=other), changed(link, signature=signature[:-1]), changed(link, signature='x'),
                  changed(link, expires=expires + 3600), changed(link, expires=expires - 1),
                  changed(link, path='/api/v1/exports/01890000-0000-7000-8000-000000000000')):
        fetch(own, wrong).expect(403)
    fetch(own, link.split('?')[0]).expect(400)
    fetch(own, changed(link, path='/api/v1/exports/..%2f..%2fsecrets%2fjwt_keys')).expect(400)
    fetch(own, link).expect(200)


def test_signature_of_one_export_opens_no_other(own, link):
    other = people.newcomer(own)
    start(other)
    theirs = ready(other)['link']
    fetch(own, changed(link, path=urllib.parse.urlsplit(theirs).path)).expect(403)


def test_somebody_else_who_is_logged_in(own, person, link):
    fetch(own, link, token=people.newcomer(own).token).expect(404)
    fetch(own, link, token=person.token).expect(200)


def test_head_has_no_body(own, link):
    answer = Client(own).request('HEAD', link, check=False).expect(200)
    assert answer.body == b'' and int(answer.header('content-length')) > 100


def test_expired(start_system):
    own = start_system(settings={'export': {'lifetime': '2s', 'pause': '0'}})
    person = people.newcomer(own)
    start(person)
    link = ready(person)['link']
    fetch(own, link).expect(200)
    wait_until(lambda: person.client.get(EXPORT).data['state'] == 'expired', 20, 'an expired export')
    fetch(own, link).expect(403)
    with own.database() as database:  # within a minute or so
        database.rows("UPDATE accounts.exports SET expires_at = expires_at - interval '2 minutes'")
        wait_until(lambda: not database.value('SELECT count(*) FROM accounts.exports'), 60, 'no row', every=0.5)
    assert files(own) == []
    person.client.get(EXPORT).expect(404)


def test_file_that_is_gone(own, link):
    for path in files(own):
        os.unlink(path)
    fetch(own, link).expect(404)


def descriptors(system, path):
    """Of the frontends, that stand for this file."""
    held = 0
    for pid in system.pids('frontend'):
        for descriptor in glob.glob(f'/proc/{pid}/fd/*'):
            try:
                held += os.readlink(descriptor) == path
            except FileNotFoundError:
                pass
    return held


def slow_http1(system, link):
    """Asks for it, and reads nothing."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(('127.0.0.1', system.http_port))
    reader.sendall(f'GET {link} HTTP/1.1\r\nhost: x\r\n\r\n'.encode())
    return reader


def slow_http2(system, link):
    """Asks for it with a window of no bytes."""
    reader = socket.create_connection(('127.0.0.1', system.http_port))
    speech = h2.connection.H2Connection()
    speech.local_settings = h2.settings.Settings(client=True, initial_values={
        h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0, h2.settings.SettingCodes.ENABLE_PUSH: 0})
    speech.initiate_connection()
    speech.send_headers(1, [(':method', 'GET'), (':scheme', 'http'), (':authority', 'x'), (':path', link)], end_stream=True)
    reader.sendall(speech.data_to_send())
    return reader


@pytest.mark.parametrize('ask', [slow_http1, slow_http2])
def test_slow_readers_keep_no_file_open(start_system, ask):
    own = start_system(settings={'http': {'idle_timeout': '2s'}})
    person = people.newcomer(own)
    start(person)
    link, [path] = ready(person)['link'], files(own)
    with open(path, 'ab') as file:
        file.write(b' ' * (16 << 20))  # more than the kernel takes
    assert descriptors(own, path) == 0
    with ask(own, link):
        wait_until(lambda: descriptors(own, path), 10, 'an open file')
        wait_until(lambda: not descriptors(own, path), 15, 'no open file')
    assert len(fetch(own, link).expect(200).body) > 16 << 20


# --- deaths ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('victim', ['accounts', 'children'])
def test_killed_in_the_middle(own, person, victim):
    for _ in range(30):
        person.child()
    start(person)
    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        for pid in own.pids(victim):
            kill(pid)
        time.sleep(0.3)
    own.wait_ready(30)
    export = json.loads(fetch(own, ready(person, 90)['link']).expect(200).body)
    assert len(export['data']['children']['children']) == 30
    with own.database() as database:
        kept = {f'export-{row["file"]}.json' for row in database.rows('SELECT file FROM accounts.exports WHERE file IS NOT NULL')}
    wait_until(lambda: {os.path.basename(path) for path in files(own)} <= kept, 10, 'no file that no row names')


def test_frontends_killed_while_sending(own, person, link):
    for pid in own.pids('frontend'):
        kill(pid)
    own.wait_ready(30)
    fetch(own, link).expect(200)
