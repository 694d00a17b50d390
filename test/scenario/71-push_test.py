"""Pushes: encrypted for the one browser, signed, to Android and iOS in their services' words; once, whoever dies; to nobody who does not
want them; and never to an address that a client made up. The services are a server of our own."""
import json
import os
import threading
import time
import urllib.parse
import uuid

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from harness import faults, people
from harness.emit import Emitter
from harness.pushserver import Browser, PushServer, claims, unb64
from harness.system import System
from harness.wait import wait_until

NOTIFICATIONS = '/api/v1/notifications'
DEVICES = f'{NOTIFICATIONS}/devices'
SYSTEM, REPORT, NEW_VIDEO = 10, 6, 1  # among the types
LEASE = 2 * 20 + 15  # seconds: push.timeout of the harness, and push.c's LEASE_MARGIN


@pytest.fixture(scope='module')
def server():
    server = PushServer()
    yield server
    server.stop()


@pytest.fixture(scope='module')
def own(server):
    system = System()
    system.write_config({'push': server.settings(), 'retention': {'every': '1s'},
                         'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'}})
    secrets = os.path.join(system.var, 'secrets')
    os.mkdir(secrets, 0o700)
    for name, value in server.secrets().items():
        with open(os.open(os.path.join(secrets, name), os.O_WRONLY | os.O_CREAT, 0o600), 'wb') as file:
            file.write(value)
    try:
        system.start()
        yield system
    finally:
        system.destroy()


@pytest.fixture
def database(own):
    with own.database() as connection:
        yield connection


@pytest.fixture
def person(own):
    return people.newcomer(own)


@pytest.fixture
def browser(server, person):
    browser = Browser(server, uuid.uuid4().hex)
    browser.id = person.client.post(DEVICES, browser.registration(name='집 컴퓨터')).expect(201).data['id']
    return browser


def tell(own, database, person, number=1, kind=SYSTEM, **changes):
    Emitter(own).emit(database, 'notification.requested', str(uuid.uuid4()), {
        'user': uuid.UUID(person.id), 'type': kind, 'title': f'알림 {number}', 'message': f'{number}번째 말', **changes})


def jobs(database, person):
    return database.rows("""SELECT j.* FROM notifications.push_jobs j JOIN notifications.devices d ON d.id = j.device_id
                            WHERE d.user_id = %s ORDER BY j.id""", person.id)


def told(server, browser, count=1):
    return wait_until(lambda: [said for said in [server.web(browser)] if len(said) >= count], 30, f'{count} pushes')[0]


# --- devices --------------------------------------------------------------------------------------------------------------------

def test_devices(own, server, person, browser, database):
    listed = person.client.get(DEVICES).expect(200).data
    assert [(row['id'], row['platform'], row['name']) for row in listed] == [(browser.id, 'web', '집 컴퓨터')]
    again = person.client.post(DEVICES, browser.registration()).expect(201).data
    assert again['id'] == browser.id and again['name'] is None and again['created_at'] == listed[0]['created_at']
    row = database.row('SELECT * FROM notifications.devices WHERE id = %s', browser.id)
    for secret in (browser.endpoint, browser.registration()['keys']['auth']):
        assert not any(secret.encode() in bytes(value) for value in row.values() if isinstance(value, memoryview))

    other = people.newcomer(own)
    assert other.client.delete(f'{DEVICES}/{browser.id}').expect(404)
    assert other.client.post(DEVICES, browser.registration()).expect(201).data['id'] == browser.id, 'it changes hands'
    assert person.client.get(DEVICES).expect(200).data == []
    tell(own, database, person)
    tell(own, database, other, 2)
    assert [words['title'] for _, words in told(server, browser)] == ['알림 2']
    other.client.delete(f'{DEVICES}/{browser.id}').expect(200)
    assert other.client.get(DEVICES).expect(200).data == []


def test_devices_have_a_bound(server, person):
    browsers = [Browser(server, uuid.uuid4().hex) for _ in range(12)]
    ids = [person.client.post(DEVICES, browser.registration()).expect(201).data['id'] for browser in browsers]
    assert [row['id'] for row in person.client.get(DEVICES).expect(200).data] == ids[2:]


@pytest.mark.parametrize('changes, field', [
    ({'token': 'https://evil.example/x'}, 'token'), ({'token': 'http://127.0.0.1@evil.example/x'}, 'token'),
    ({'token': 'http://169.254.169.254/latest'}, 'token'), ({'token': 'file:///etc/passwd'}, 'token'),
    ({'token': 'https://127.0.0.1:5432/x'}, 'token'), ({'token': 'https://127.0.0.1'}, 'token'),
    ({'keys': {'p256dh': 'A' * 87, 'auth': 'A' * 22}}, 'keys.p256dh'), ({'keys': None}, 'keys'),
    ({'platform': 'fcm'}, 'keys'), ({'platform': 'apns', 'keys': None, 'token': '../../etc/passwd'}, 'token')])
def test_bad_devices(server, person, changes, field):
    body = {**Browser(server, 'x').registration(), **changes}
    if changes.get('keys', 1) is None:
        del body['keys']
    answer = person.client.post(DEVICES, body).expect(400, 'VALIDATION_ERROR')
    assert [detail['field'] for detail in answer.error['details']] == [field]
    assert person.client.get(DEVICES).expect(200).data == []


# --- what they get --------------------------------------------------------------------------------------------------------------

def test_browser(own, server, person, browser, database):
    tell(own, database, person, 1, REPORT, link_url='/reports/1')
    headers, words = told(server, browser)[0]
    row = database.row('SELECT id FROM notifications.notifications WHERE user_id = %s', person.id)
    assert words == {'id': row['id'], 'type': 'report', 'title': '알림 1', 'message': '1번째 말', 'link_url': '/reports/1'}
    assert headers['content-encoding'] == 'aes128gcm' and headers['ttl'] == '86400'
    assert headers['topic'] == row['id'].replace('-', '')
    scheme, _, parameters = headers['authorization'].partition(' ')
    parts = dict(part.strip().split('=', 1) for part in parameters.split(','))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(parts['k']))
    assert scheme == 'vapid' and parts['k'] == person.client.get(f'{NOTIFICATIONS}/push-key').expect(200).data['public_key']
    head, said = claims(parts['t'], key)
    assert head == {'typ': 'JWT', 'alg': 'ES256'} and said['aud'] == server.url and said['sub'] == 'mailto:push@aipoten.example'
    assert time.time() < said['exp'] <= time.time() + 24 * 3600
    wait_until(lambda: jobs(database, person) == [], 20, 'its job to be done')


def test_long_words_fit(own, server, person, browser, database):
    tell(own, database, person, title='가' * 200, message='나' * 2000, link_url='/' + 'x' * 499)
    _, words = told(server, browser)[0]
    assert words['title'] == '가' * 200 and set(words['message']) == {'나'} and len(words['message']) > 800


def test_words_that_json_makes_longer_fit(own, server, person, browser, database):
    """A quote takes two bytes, a control character six."""
    fcm, apns = 'fcm:' + uuid.uuid4().hex, uuid.uuid4().hex * 2
    person.client.post(DEVICES, {'platform': 'fcm', 'token': fcm}).expect(201)
    person.client.post(DEVICES, {'platform': 'apns', 'token': apns}).expect(201)
    tell(own, database, person, title='\\' * 200, message='"' * 1500 + '\x01' * 500, link_url='/' + '😀' * 499)
    _, words = told(server, browser)[0]
    assert words['title'] == '\\' * 200 and set(words['message']) >= {'"'} and len(words['message']) > 1500
    assert 'link_url' not in words
    path = '/v1/projects/aipoten-test/messages:send'
    for body in (wait_until(lambda: server.to(f'/3/device/{apns}'), 20, 'a push to iOS')[0][1],
                 wait_until(lambda: [body for _, body in server.to(path) if json.loads(body)['message']['token'] == fcm], 20, 'to Android')[0]):
        assert len(body) <= 4096
    wait_until(lambda: jobs(database, person) == [], 20, 'done jobs')


def test_android_and_ios(own, server, person, database):
    fcm, apns = 'fcm:' + uuid.uuid4().hex, uuid.uuid4().hex * 2
    person.client.post(DEVICES, {'platform': 'fcm', 'token': fcm}).expect(201)
    person.client.post(DEVICES, {'platform': 'apns', 'token': apns}).expect(201)
    tell(own, database, person, link_url='/notices')
    path = f'/3/device/{apns}'
    headers, body = wait_until(lambda: server.to(path), 20, 'a push to iOS')[0]
    identity = database.value('SELECT id FROM notifications.notifications WHERE user_id = %s', person.id)
    assert json.loads(body) == {'aps': {'alert': {'title': '알림 1', 'body': '1번째 말'}, 'sound': 'default'}, 'id': identity,
                                'type': 'system', 'link_url': '/notices'}
    assert (headers['apns-topic'], headers['apns-push-type'], headers['apns-collapse-id']) == ('example.aipoten', 'alert', identity)
    head, said = claims(headers['authorization'].removeprefix('bearer '), server.apns_key.public_key())
    assert (head['alg'], head['kid'], said['iss']) == ('ES256', 'KEY1234567', 'TEAM123456') and abs(said['iat'] - time.time()) < 600

    def to_android():
        return [(headers, message) for headers, message in
                ((headers, json.loads(body)['message']) for headers, body in server.to('/v1/projects/aipoten-test/messages:send'))
                if message['token'] == fcm]
    headers, message = wait_until(to_android, 20, 'a push to Android')[0]
    assert headers['authorization'] == 'Bearer ya29.test' and message['notification'] == {'title': '알림 1', 'body': '1번째 말'}
    assert message['data'] == {'id': identity, 'type': 'system', 'link_url': '/notices'}
    assert message['android']['collapse_key'] == message['android']['notification']['tag'] == identity
    _, form = server.to('/token')[0]
    fields = dict(part.split('=') for part in form.decode().split('&'))
    head, said = claims(fields['assertion'], server.fcm_key.public_key())
    assert head['alg'] == 'RS256' and said['iss'] == 'push@aipoten-test.iam.example' and said['aud'] == f'{server.url}/token'
    wait_until(lambda: jobs(database, person) == [], 20, 'done jobs')


# --- what services say ----------------------------------------------------------------------------------------------------------

def test_refused_for_now(own, server, person, browser, database):
    server.answers[browser.endpoint.removeprefix(server.url)] = [503, 429]
    tell(own, database, person)
    said = told(server, browser, 3)
    assert len({words['id'] for _, words in said}) == 1 == len({headers['topic'] for headers, _ in said})
    wait_until(lambda: jobs(database, person) == [], 20, 'its job to be done')
    assert len(server.web(browser)) == 3


@pytest.mark.parametrize('answers, tries', [([400], 1), ([503] * 3, 3)])
def test_dead(own, server, person, browser, database, answers, tries):
    server.answers[browser.endpoint.removeprefix(server.url)] = list(answers)
    tell(own, database, person)
    job = wait_until(lambda: [row for row in jobs(database, person) if row['state'] == 'dead'], 20, 'a dead push')[0]
    assert job['last_error'] == f'status {answers[0]}' and len(server.web(browser)) == tries
    tell(own, database, person, 2)
    told(server, browser, tries + 1)  # the next one goes
    database.rows("UPDATE notifications.push_jobs SET created_at = created_at - interval '8 days' WHERE id = %s", job['id'])
    wait_until(lambda: jobs(database, person) == [], 20, 'that it is forgotten', every=0.1)


def test_gone_devices_are_forgotten(own, server, person, browser, database):
    apns = uuid.uuid4().hex * 2
    person.client.post(DEVICES, {'platform': 'apns', 'token': apns}).expect(201)
    server.answers[browser.endpoint.removeprefix(server.url)] = [410]
    server.answers[f'/3/device/{apns}'] = [(400, b'{"reason":"BadDeviceToken"}')]
    tell(own, database, person)
    wait_until(lambda: person.client.get(DEVICES).expect(200).data == [], 20, 'that both are gone', every=0.1)
    assert jobs(database, person) == []


def test_a_service_that_hangs_holds_up_no_other(own, server, person, browser, database):
    """As many wait for it as there are workers who look, one after the other, so that nobody else is just looking."""
    answered = threading.Event()
    try:
        for _ in own.instances('notifications'):
            other = people.newcomer(own)
            hung = Browser(server, uuid.uuid4().hex)
            path = hung.endpoint.removeprefix(server.url)
            server.held[path] = answered
            other.client.post(DEVICES, hung.registration()).expect(201)
            tell(own, database, other)
            wait_until(lambda: server.to(path), 10, 'that one waits for an answer')
            time.sleep(0.5)  # those who claim now find nothing and stop
        tell(own, database, person)
        wait_until(lambda: server.web(browser), 10, 'what another service carries')
    finally:
        answered.set()
    wait_until(lambda: database.value("SELECT count(*) FROM notifications.push_jobs WHERE state = 'sending'") == 0, 30, 'answers')


WORKERS, OF_A_SERVICE = 12, 4  # of an instance: PUSH_WORKERS, PUSH_SERVICE_WORKERS
FCM = '/v1/projects/aipoten-test/messages:send'


@pytest.fixture
def silent(server):
    """Firebase takes connections and never answers, until the event is set."""
    server.held[FCM] = threading.Event()
    yield server.held[FCM]
    server.held.pop(FCM).set()


def tell_android(own, database, person):
    """More than there are workers."""
    person.client.post(DEVICES, {'platform': 'fcm', 'token': 'fcm:' + uuid.uuid4().hex}).expect(201)
    for number in range(WORKERS * len(own.instances('notifications')) + 4):
        tell(own, database, person, number)


def all_carried(database):
    wait_until(lambda: database.value('SELECT count(*) FROM notifications.push_jobs') == 0, 40, 'that all are carried', every=0.1)


def test_a_service_that_never_answers_leaves_workers_to_the_others(own, server, person, browser, database, silent):
    before, other = len(server.to(FCM)), people.newcomer(own)
    tell_android(own, database, other)
    holds = OF_A_SERVICE * len(own.instances('notifications'))
    wait_until(lambda: len(server.to(FCM)) - before >= holds, 15, 'that Firebase holds as many as it may')
    tell(own, database, person)
    wait_until(lambda: server.web(browser), 10, 'what another service carries, long before push.timeout')
    assert len(server.to(FCM)) - before == holds
    silent.set()
    all_carried(database)


def test_services_that_fall_silent_at_once_leave_workers_to_the_others(own, server, person, browser, database, silent):
    """Three of four, with more for each than it may hold: four for each would be all workers."""
    apns, hung, paths = uuid.uuid4().hex * 2, Browser(server, uuid.uuid4().hex), [FCM]
    before = len(server.to(FCM))
    hung.endpoint = hung.endpoint.replace('127.0.0.1', 'localhost')
    for registration, path in (({'platform': 'apns', 'token': apns}, f'/3/device/{apns}'),
                               (hung.registration(), urllib.parse.urlsplit(hung.endpoint).path)):
        server.held[path] = silent
        paths.append(path)
        other = people.newcomer(own)
        other.client.post(DEVICES, registration).expect(201)
        for number in range(OF_A_SERVICE * len(own.instances('notifications')) + 4):
            tell(own, database, other, number)
    tell_android(own, database, people.newcomer(own))
    left = len(own.instances('notifications'))
    wait_until(lambda: sum(len(server.to(path)) for path in paths) - before >= WORKERS * left - left, 15, 'that they hold all but one')
    time.sleep(0.5)  # who may hold that would
    tell(own, database, person)
    wait_until(lambda: server.web(browser), 10, 'what another service carries, long before push.timeout')
    silent.set()
    all_carried(database)


@pytest.fixture
def hasty(own, server):
    """Services have a second to answer."""
    with open(own.config, encoding='utf-8') as file:
        config = file.read()
    settings = yaml.safe_load(config)
    settings['push']['timeout'] = '1s'
    with open(own.config, 'w', encoding='utf-8') as file:
        yaml.safe_dump(settings, file)
    own.ctl('restart', 'notifications')
    yield own
    with open(own.config, 'w', encoding='utf-8') as file:
        file.write(config)
    own.ctl('restart', 'notifications')


@pytest.mark.long
def test_a_silent_service_is_tried_by_one_worker_until_it_answers(hasty, server, person, database, silent):
    mark = hasty.logs.mark()
    tell_android(hasty, database, person)
    instances = len(hasty.instances('notifications'))
    sending = "SELECT count(*) FROM notifications.push_jobs WHERE state = 'sending'"
    wait_until(lambda: '\n'.join(hasty.logs.since(mark).values()).count('"push_service_silent"') == instances, 20, 'that all know')
    wait_until(lambda: database.value(sending) <= instances, 20, 'that those who held it gave up')
    tries = len(server.to(FCM))

    def tried():
        assert database.value(sending) <= instances
        return len(server.to(FCM)) >= tries + 2 * instances
    wait_until(tried, 20, 'tries')
    silent.set()
    all_carried(database)


def test_a_device_that_cannot_be_opened_holds_up_no_other(own, server, person, browser, database):
    """Its key is missing, or the row was damaged: it waits until it is well again."""
    damage = "UPDATE notifications.devices SET token = set_byte(token, length(token) - 1, get_byte(token, length(token) - 1) # 1) WHERE id = %s"
    other = people.newcomer(own)
    another = Browser(server, uuid.uuid4().hex)
    other.client.post(DEVICES, another.registration()).expect(201)
    database.rows(damage, browser.id)
    tell(own, database, person)
    wait_until(lambda: jobs(database, person), 20, 'its push')
    tell(own, database, other, 2)
    told(server, another)
    assert len(jobs(database, person)) == 1
    database.rows(damage, browser.id)  # once more: it is as it was
    database.rows("UPDATE notifications.push_jobs SET next_at = now() WHERE device_id = %s", browser.id)  # what time would do
    assert [words['title'] for _, words in told(server, browser)] == ['알림 1']
    all_carried(database)


def test_a_claim_that_fails_leaves_claiming_to_the_others(own, server, person, browser, database):
    """Each worker pauses for a second after an error; so many errors are over at once when the next worker claims meanwhile."""
    errors = 14  # of the 24 workers of both instances
    database.rows(f"""
        CREATE SEQUENCE public.claims;
        CREATE FUNCTION public.claim_refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
                IF nextval('public.claims') <= {errors} THEN
                    RAISE 'refused by a test';
                END IF;
                RETURN NEW;
            END $$;
        CREATE TRIGGER claim_refuse BEFORE UPDATE ON notifications.push_jobs FOR EACH ROW WHEN (NEW.state = 'sending')
            EXECUTE FUNCTION public.claim_refuse()""")
    try:
        tell(own, database, person)
        wait_until(lambda: database.value('SELECT is_called FROM public.claims'), 20, 'the first error')
        began = time.monotonic()
        told(server, browser)
        assert time.monotonic() - began < errors / 2 - 2, 'one error of each instance in a second'
    finally:
        database.rows('DROP TRIGGER claim_refuse ON notifications.push_jobs; DROP FUNCTION public.claim_refuse; DROP SEQUENCE public.claims')
    all_carried(database)


def test_devices_of_the_release_before_get_their_service(own, server, person, browser, database):
    database.rows("UPDATE notifications.devices SET service = 'unknown' WHERE id = %s", browser.id)
    tell(own, database, person)
    told(server, browser)
    assert database.value('SELECT service FROM notifications.devices WHERE id = %s', browser.id) == '127.0.0.1'
    all_carried(database)


# --- who does not want them -----------------------------------------------------------------------------------------------------

def test_only_what_is_wanted(own, server, person, browser, database):
    """Not of a type that is off; not what was read before its time came; and not before quiet hours end."""
    person.client.request('PUT', f'{NOTIFICATIONS}/preferences', {
        'types': [{'type': 'system', 'in_app': True, 'email': False, 'push': False}]}).expect(200)
    tell(own, database, person, 1)
    tell(own, database, person, 2, NEW_VIDEO)  # off by itself
    hour = int(database.value("SELECT extract(hour FROM now() AT TIME ZONE 'Asia/Seoul')"))
    wait_until(lambda: len(person.client.get(NOTIFICATIONS).data) == 2, 20, 'both in the list')
    person.client.request('PUT', f'{NOTIFICATIONS}/preferences', {
        'quiet_from': f'{(hour - 1) % 24:02d}:00', 'quiet_until': f'{(hour + 2) % 24:02d}:00'}).expect(200)
    tell(own, database, person, 3)
    tell(own, database, person, 4)
    tell(own, database, person, 5, 3)  # a consultation is near: urgent
    assert [words['title'] for _, words in told(server, browser)] == ['알림 5']
    wait_until(lambda: len(jobs(database, person)) == 2, 20, 'two that wait')
    third = next(row['id'] for row in person.client.get(NOTIFICATIONS).data if row['title'] == '알림 3')
    person.client.patch(f'{NOTIFICATIONS}/{third}/read').expect(200)
    database.rows('UPDATE notifications.push_jobs SET next_at = now()')
    wait_until(lambda: jobs(database, person) == [], 20, 'that none waits')
    assert [words['title'] for _, words in server.web(browser)] == ['알림 5', '알림 4']


def test_export_and_erasure(own, person, browser, database):
    with own.database('notifications') as actor:
        assert actor.value('SELECT count(*) FROM notifications.devices WHERE user_id = %s', person.id) == 1
    tell(own, database, person)
    wait_until(lambda: person.client.get(NOTIFICATIONS).data, 20, 'a notification')
    person.client.post('/api/v1/users/me/export').expect(202)
    status = wait_until(lambda: [status for status in [person.client.get('/api/v1/users/me/export').expect(200).data]
                                 if status['state'] == 'ready'], 40, 'an export', every=0.1)[0]
    held = json.loads(person.client.get(status['link']).expect(200).body)['data']['notifications']
    assert [(row['title'], row['message']) for row in held['notifications']] == [('알림 1', '1번째 말')]
    assert [(row['platform'], row['name'], row['token']) for row in held['devices']] == [('web', '집 컴퓨터', browser.endpoint)]
    person.client.delete('/api/v1/users/me', body={'current_password': person.password}).expect(200)
    database.rows("UPDATE accounts.users SET deleted_at = deleted_at - interval '31 days' WHERE id = %s", person.id)
    tables = ('notifications', 'devices', 'counters')
    wait_until(lambda: not any(database.value(f'SELECT count(*) FROM notifications.{table} WHERE user_id = %s', person.id)
                               for table in tables), 60, 'that nothing is left', every=0.1)


# --- whoever dies ---------------------------------------------------------------------------------------------------------------

POINTS = [point for point in faults.points() if point.startswith('push.')]


@pytest.mark.parametrize('fault_at', POINTS)
def test_death_at(own, server, person, browser, database, fault_at):
    """None is lost. One is sent twice at most, and only where its service had taken it: both name the same notification."""
    with faults.Fault(own, 'notifications', fault_at, 3) as fault:
        for number in range(10):
            tell(own, database, person, number)
        wait_until(fault.hit, 30, f'the death at {fault_at}')
        wait_until(lambda: database.value('SELECT count(*) FROM notifications.notifications WHERE user_id = %s', person.id) == 10, 30,
                   'all notifications: events of the dead are delivered again')
        wait_until(lambda: database.value("""SELECT coalesce(bool_and(state = 'sending' AND next_at < now() + %s * interval '1 second'), true)
                                             FROM notifications.push_jobs""", LEASE - 1), 30, 'only leases of the dead', every=0.1)
        database.rows('UPDATE notifications.push_jobs SET next_at = now()')  # what time would do
        wait_until(lambda: jobs(database, person) == [], 30, 'done jobs', every=0.1)
    titles = [words['title'] for _, words in server.web(browser)]
    assert set(titles) == {f'알림 {number}' for number in range(10)}
    assert len(titles) <= (14 if fault_at == 'push.accepted' else 13)  # what the instance's four workers had in hand
    own.wait_ready(30)


