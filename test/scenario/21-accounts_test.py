"""accounts: registering, logging in, refresh tokens and their families, the cookie form, sessions, the own record, consents,
administration. Every answer is checked against the OpenAPI document by the client."""
import base64
import concurrent.futures
import statistics
import time
import uuid

import pytest

from harness import people
from harness.client import Client
from harness.wait import wait_until

AUTH = '/api/v1/auth'
ME = '/api/v1/users/me'
SESSIONS = '/api/v1/users/me/sessions'
CONNECTIONS = 16  # new connections that together meet every frontend
SOME_ID = '01990000-0000-7000-8000-000000000000'


def register(system, role='parent', **changes):
    body = people.registration(role, **changes)
    return body, Client(system).post(f'{AUTH}/register', body)


def refresh(system, token, **options):
    return Client(system).post(f'{AUTH}/refresh', {'refresh_token': token}, **options)


def everywhere(system, token, path=ME):
    """Statuses of the same request on connections of its own, so that both frontends answer."""
    statuses = set()
    for _ in range(CONNECTIONS):
        client = Client(system, token)
        statuses.add(client.get(path).status)
        client.close()
    return statuses


def at_once(calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


# --- registering -------------------------------------------------------------------------------------------------------------

def test_register(system, database):
    body, answer = register(system)
    user = answer.expect(201).data
    assert user['email'] == body['email'] and user['phone'] == body['phone'] and user['role'] == 'parent'
    assert user['status'] == 'active' and user['language'] == 'ko' and user['email_verified_at'] is None
    assert uuid.UUID(user['id']).version == 7
    assert 'password' not in str(user)
    row = database.row('SELECT * FROM accounts.users WHERE id = %s', user['id'])
    assert row['password_hash'].startswith('$2b$')
    assert body['phone'].encode() not in bytes(row['phone']) and len(bytes(row['phone_index'])) == 32


def test_register_language(system):
    body = people.registration()
    assert Client(system, language='en').post(f'{AUTH}/register', body).expect(201).data['language'] == 'en'


def test_register_email_taken(system):
    body, answer = register(system)
    answer.expect(201)
    again = people.registration(email=body['email'].upper())
    Client(system).post(f'{AUTH}/register', again).expect(409, 'EMAIL_TAKEN')


def test_register_at_once(system):
    """The same address many times at the same moment: one gets it."""
    email = people.registration()['email']
    calls = [lambda: Client(system).post(f'{AUTH}/register', people.registration(email=email)) for _ in range(6)]
    assert sorted(answer.status for answer in at_once(calls)) == [201] + [409] * 5


@pytest.mark.parametrize('field, value', [
    ('email', 'nobody'), ('email', ''), ('email', 'a@' + 'b' * 260 + '.kr'), ('email', None), ('email', 7),
    ('password', '1234567'), ('password', 'x' * 73), ('password', '가' * 25), ('password', None),
    ('name', ''), ('name', '가' * 51), ('name', 'a\nb'), ('phone', '12'), ('phone', 'abcdefghij'), ('phone', None),
    ('role', 'admin'), ('role', 'nurse'), ('role', None), ('status', 'active'), ('id', SOME_ID)])
def test_register_refuses(system, field, value):
    answer = register(system, **{field: value})[1]
    assert answer.expect(400, 'VALIDATION_ERROR').fields == [field]


def test_register_names_all_wrong_fields(system):
    answer = Client(system).post(f'{AUTH}/register', {'email': 'x', 'password': 'x', 'extra': 1})
    assert answer.expect(400).fields == ['email', 'extra', 'name', 'password', 'phone', 'role']


@pytest.mark.parametrize('password', ['8 bytes!', 'x' * 72, '가' * 24])
def test_password_of_8_to_72_bytes(system, password):
    body, answer = register(system, password=password)
    answer.expect(201)
    people.log_in(system, body['email'], password)
    wrong = password[:-1] + 'y'
    Client(system).post(f'{AUTH}/login', {'email': body['email'], 'password': wrong}).expect(401, 'INVALID_CREDENTIALS')


# --- logging in ----------------------------------------------------------------------------------------------------------------

def test_login(system, newcomer):
    person = newcomer()
    login = person.login
    assert login['token_type'] == 'Bearer' and login['expires_in'] == 7200 and 'csrf_token' not in login
    assert len(base64.urlsafe_b64decode(login['refresh_token'] + '==')) == 52
    assert login['user']['email'] == person.email
    assert person.client.get(ME).expect(200).data == login['user']


def test_login_regardless_of_case(system, newcomer):
    person = newcomer(consents=False)
    assert people.log_in(system, person.email.upper(), person.password).id == person.id


def test_login_answers_the_same(system, newcomer):
    """Nobody learns from an answer whether an address is known; not even by a password that no account can have."""
    person = newcomer(consents=False)
    asked = [(person.email, 'wrong password'), ('nobody@example.com', 'wrong password'), (person.email, 'x' * 200),
             ('nobody@example.com', 'x'), (person.email, 'x')]
    answers = [Client(system).post(f'{AUTH}/login', {'email': email, 'password': password}).expect(401, 'INVALID_CREDENTIALS')
               for email, password in asked]
    assert len({answer.body for answer in answers}) == 1


def test_login_takes_the_same_time(system, newcomer):
    person = newcomer(consents=False)
    client = Client(system)

    def seconds(email):
        start = time.perf_counter()
        client.post(f'{AUTH}/login', {'email': email, 'password': 'wrong password'}, check=False).expect(401)
        return time.perf_counter() - start

    known, unknown = [], []
    for turn in range(41):
        known.append(seconds(person.email))
        unknown.append(seconds(f'nobody.{turn}@example.com'))
    ratio = statistics.median(known) / statistics.median(unknown)
    assert 0.6 < ratio < 1.67, f'a known address takes {ratio:.2f} times as long as an unknown one'


@pytest.mark.parametrize('body, fields', [
    ({}, ['email', 'password']), ({'email': 'x', 'password': 'y'}, ['email']),
    ({'email': 'a@b.kr', 'password': 'y', 'token_delivery': 'mail'}, ['token_delivery'])])
def test_login_refuses(system, body, fields):
    assert Client(system).post(f'{AUTH}/login', body).expect(400, 'VALIDATION_ERROR').fields == fields


def test_nothing_secret_is_stored(system, newcomer, database):
    person = newcomer(consents=False)
    rows = database.rows('SELECT * FROM accounts.auth_sessions WHERE user_id = %s', person.id)
    assert len(rows) == 1 and len(bytes(rows[0]['refresh_hash'])) == 32
    assert person.refresh_token not in str(rows)


# --- refresh -------------------------------------------------------------------------------------------------------------------

def test_refresh_rotates(system, newcomer):
    person = newcomer(consents=False)
    tokens = refresh(system, person.refresh_token).expect(200).data
    assert tokens['refresh_token'] != person.refresh_token and tokens['expires_in'] == 7200
    assert everywhere(system, tokens['access_token']) == {200}
    assert everywhere(system, person.token) == {200}, 'the older access token lives out its time'
    refresh(system, tokens['refresh_token']).expect(200)


def test_refresh_reuse_revokes_the_family(system, newcomer, database):
    person = newcomer(consents=False)
    other = people.log_in(system, person.email, person.password)
    second = refresh(system, person.refresh_token).expect(200).data
    third = refresh(system, second['refresh_token']).expect(200).data
    refresh(system, person.refresh_token).expect(401, 'UNAUTHENTICATED')
    refresh(system, third['refresh_token']).expect(401, 'UNAUTHENTICATED')
    for token in (person.token, second['access_token'], third['access_token']):
        assert everywhere(system, token) == {401}
    assert everywhere(system, other.token) == {200}, 'another session of the same user is another family'
    refresh(system, other.refresh_token).expect(200)
    reasons = database.rows('SELECT revoked_reason FROM accounts.auth_sessions WHERE user_id = %s ORDER BY created_at', person.id)
    assert [row['revoked_reason'] for row in reasons] == ['reuse', None]


def test_refresh_at_once(system, newcomer):
    """The same token many times at the same moment: one wins, and the family ends, for the others hold a copy."""
    person = newcomer(consents=False)
    answers = at_once([lambda: refresh(system, person.refresh_token)] * 6)
    assert sorted(answer.status for answer in answers) == [200] + [401] * 5
    won = next(answer for answer in answers if answer.status == 200).data
    refresh(system, won['refresh_token']).expect(401)
    assert everywhere(system, won['access_token']) == {401}


@pytest.mark.parametrize('forge', [
    lambda token: token[:-2] + ('AA' if token[-2:] != 'AA' else 'BB'), lambda token: 'A' + token[1:] if token[0] != 'A' else 'B' + token[1:],
    lambda token: token + 'AAAA', lambda token: token[:40], lambda token: 'x', lambda token: 'eyJhbGciOiJub25lIn0.e30.'])
def test_refresh_forged_changes_nothing(system, newcomer, database, forge):
    person = newcomer(consents=False)
    refresh(system, forge(person.refresh_token)).expect(401, 'UNAUTHENTICATED')
    refresh(system, person.refresh_token).expect(200)
    row = database.row('SELECT rotation, revoked_at FROM accounts.auth_sessions WHERE user_id = %s', person.id)
    assert row == {'rotation': 1, 'revoked_at': None}


def test_refresh_expired(system, newcomer, database):
    person = newcomer(consents=False)
    database.rows("UPDATE accounts.auth_sessions SET expires_at = now() - interval '1 second' WHERE user_id = %s", person.id)
    refresh(system, person.refresh_token).expect(401, 'UNAUTHENTICATED')
    assert person.client.get(SESSIONS).expect(200).data == []


def test_refresh_lives_seven_days(system, newcomer, database):
    person = newcomer(consents=False)
    days = database.value('SELECT extract(epoch FROM expires_at - last_used_at) / 86400 FROM accounts.auth_sessions '
                          'WHERE user_id = %s', person.id)
    assert 6.99 < days < 7.01


@pytest.mark.parametrize('body', [None, {}])
def test_refresh_without_token(system, body):
    Client(system).post(f'{AUTH}/refresh', body).expect(401, 'UNAUTHENTICATED')


# --- the cookie form -------------------------------------------------------------------------------------------------------------

class Browser:
    """Keeps the cookie, as a browser does, and sends what a page of `origin` may send."""

    def __init__(self, system, email, password):
        self.system = system
        self.origin = f'https://127.0.0.1:{system.https_port}'
        self.client = Client(system, tls=True)
        self.login = self.keep(self.client.post(f'{AUTH}/login', {'email': email, 'password': password, 'token_delivery': 'cookie'})
                               .expect(200))
        self.csrf = self.login.data['csrf_token']

    def keep(self, answer):
        set_cookie = answer.header('set-cookie')
        if set_cookie:
            self.set_cookie = set_cookie
            self.cookie = set_cookie.split(';')[0]
        return answer

    def post(self, path, **changes):
        headers = {'cookie': self.cookie, 'origin': self.origin, 'x-csrf-token': self.csrf, **changes}
        return self.keep(self.client.post(f'{AUTH}/{path}', headers=headers))


@pytest.fixture
def browser(system, newcomer):
    person = newcomer(consents=False)
    return Browser(system, person.email, person.password)


def cookie_parts(set_cookie):
    pair, *attributes = [part.strip() for part in set_cookie.split(';')]
    return pair.split('=', 1), {part.lower() for part in attributes}


def test_cookie_attributes(browser):
    (name, value), attributes = cookie_parts(browser.set_cookie)
    assert name == 'aipoten_refresh' and len(value) == 70
    assert attributes == {'httponly', 'secure', 'samesite=strict', 'path=/api/v1/auth', 'max-age=604800'}
    assert 'refresh_token' not in browser.login.data, 'a script must not see it'


def test_cookie_refresh_and_logout(browser):
    first = browser.cookie
    tokens = browser.post('refresh').expect(200).data
    assert browser.cookie != first and tokens['csrf_token'] == browser.csrf and 'refresh_token' not in tokens
    assert everywhere(browser.system, tokens['access_token']) == {200}
    browser.post('logout').expect(200)
    (name, value), attributes = cookie_parts(browser.set_cookie)
    assert (name, value) == ('aipoten_refresh', '') and 'max-age=0' in attributes and 'path=/api/v1/auth' in attributes
    assert everywhere(browser.system, tokens['access_token']) == {401}


@pytest.mark.parametrize('path', ['refresh', 'logout'])
@pytest.mark.parametrize('changes', [
    {'origin': None}, {'origin': 'https://evil.example'}, {'origin': 'null'}, {'x-csrf-token': None},
    {'x-csrf-token': ''}, {'x-csrf-token': 'A' * 43}])
def test_cookie_needs_origin_and_csrf_token(browser, path, changes):
    browser.post(path, **changes).expect(403, 'CSRF')
    assert everywhere(browser.system, browser.login.data['access_token']) == {200}
    browser.post('refresh').expect(200)


def test_cookie_same_host_over_plain_http_is_another_origin(browser):
    browser.post('refresh', origin=browser.origin.replace('https', 'http')).expect(403, 'CSRF')


def test_cookie_csrf_token_of_another_session(browser, newcomer):
    person = newcomer(consents=False)
    other = Browser(browser.system, person.email, person.password)
    browser.post('refresh', **{'x-csrf-token': other.csrf}).expect(403, 'CSRF')


def test_cookie_reuse_takes_the_cookie_away(browser):
    spent = browser.cookie
    browser.post('refresh').expect(200)
    answer = browser.post('refresh', cookie=spent).expect(401)
    assert cookie_parts(answer.header('set-cookie'))[0] == ['aipoten_refresh', '']
    assert everywhere(browser.system, browser.login.data['access_token']) == {401}


def test_body_wins_over_cookie(browser, newcomer):
    """With the token in the body there is nothing that a page of somebody else could do: no Origin is asked for."""
    person = newcomer(consents=False)
    answer = browser.client.post(f'{AUTH}/refresh', {'refresh_token': person.refresh_token}, headers={'cookie': browser.cookie})
    assert 'refresh_token' in answer.expect(200).data and answer.header('set-cookie') is None
    browser.post('refresh').expect(200)


# --- logout and sessions -----------------------------------------------------------------------------------------------------------

def test_logout_by_refresh_token(system, newcomer):
    person = newcomer(consents=False)
    assert everywhere(system, person.token) == {200}
    Client(system).post(f'{AUTH}/logout', {'refresh_token': person.refresh_token}).expect(200)
    assert everywhere(system, person.token) == {401}
    refresh(system, person.refresh_token).expect(401)
    Client(system).post(f'{AUTH}/logout', {'refresh_token': person.refresh_token}).expect(200)


def test_logout_by_access_token(system, newcomer):
    person = newcomer(consents=False)
    person.client.post(f'{AUTH}/logout').expect(200)
    assert everywhere(system, person.token) == {401}
    refresh(system, person.refresh_token).expect(401)


def test_logout_of_nobody(system):
    Client(system).post(f'{AUTH}/logout').expect(401, 'UNAUTHENTICATED')
    Client(system).post(f'{AUTH}/logout', {'refresh_token': 'x'}).expect(401, 'UNAUTHENTICATED')


def test_sessions(system, newcomer):
    person = newcomer(consents=False)
    phone = Client(system, headers={'user-agent': 'Phone/1.0'})
    other = phone.post(f'{AUTH}/login', {'email': person.email, 'password': person.password}).expect(200).data
    rows = person.client.get(SESSIONS).expect(200).data
    assert [row['current'] for row in rows] == [False, True]
    assert rows[0]['user_agent'] == 'Phone/1.0' and rows[0]['delivery'] == 'body'
    assert everywhere(system, other['access_token']) == {200}
    person.client.delete(f'{SESSIONS}/{rows[0]["id"]}').expect(200)
    assert everywhere(system, other['access_token']) == {401}
    refresh(system, other['refresh_token']).expect(401)
    assert everywhere(system, person.token) == {200}
    assert [row['current'] for row in person.client.get(SESSIONS).expect(200).data] == [True]
    person.client.delete(f'{SESSIONS}/{rows[0]["id"]}').expect(404, 'NOT_FOUND')


def test_sessions_of_somebody_else(system, newcomer):
    person, other = newcomer(consents=False), newcomer(consents=False)
    session = other.client.get(SESSIONS).expect(200).data[0]['id']
    person.client.delete(f'{SESSIONS}/{session}').expect(404, 'NOT_FOUND')
    assert other.client.get(ME).status == 200
    person.client.delete(f'{SESSIONS}/{uuid.uuid4()}').expect(404, 'NOT_FOUND')
    person.client.delete(f'{SESSIONS}/x').expect(400, 'VALIDATION_ERROR')


def test_revocation_outlives_the_actors(system, newcomer):
    """A new instance of the actor tells the segment again; nothing is forgotten in between."""
    person = newcomer(consents=False)
    person.client.post(f'{AUTH}/logout').expect(200)
    system.ctl('restart', 'accounts')
    system.wait_ready()
    assert everywhere(system, person.token) == {401}


# --- the own record ------------------------------------------------------------------------------------------------------------------

def test_me_patch(system, newcomer, database):
    person = newcomer(consents=False)
    before = person.client.get(ME).expect(200).data
    after = person.client.patch(ME, {'name': '새이름', 'language': 'en'}).expect(200).data
    assert after['name'] == '새이름' and after['language'] == 'en' and after['phone'] == before['phone']
    assert after['updated_at'] > before['updated_at'] and after['created_at'] == before['created_at']
    assert person.client.get(ME).expect(200).data == after
    after = person.client.patch(ME, {'phone': '+82 10-9999-0000'}).expect(200).data
    assert after['phone'] == '+82 10-9999-0000' and after['name'] == '새이름'
    assert person.client.patch(ME, {'phone': None}).expect(200).data['phone'] is None
    row = database.row('SELECT phone, phone_index FROM accounts.users WHERE id = %s', person.id)
    assert row == {'phone': None, 'phone_index': None}


@pytest.mark.parametrize('body, fields', [
    ({}, ['body']), ({'name': None}, ['name']), ({'name': ''}, ['name']), ({'language': None}, ['language']),
    ({'language': 'fr'}, ['language']), ({'email': 'a@b.kr'}, ['email']), ({'role': 'admin'}, ['role']),
    ({'status': 'active'}, ['status']), ({'phone': 'x'}, ['phone']), ({'new_password': 'long enough'}, ['current_password']),
    ({'current_password': 'x'}, ['new_password']), ({'current_password': 'x', 'new_password': 'short'}, ['new_password'])])
def test_me_patch_refuses(system, newcomer, body, fields):
    person = newcomer(consents=False)
    before = person.client.get(ME).expect(200).data
    assert person.client.patch(ME, body).expect(400, 'VALIDATION_ERROR').fields == fields
    assert person.client.get(ME).expect(200).data == before


def test_password_change(system, newcomer):
    person = newcomer(consents=False)
    other = people.log_in(system, person.email, person.password)
    person.client.patch(ME, {'current_password': 'wrong one', 'new_password': 'another 123'}).expect(401, 'INVALID_CREDENTIALS')
    assert everywhere(system, other.token) == {200}
    person.client.patch(ME, {'current_password': person.password, 'new_password': 'another 123', 'name': '둘다'}).expect(200)
    assert person.client.get(ME).expect(200).data['name'] == '둘다'
    assert everywhere(system, other.token) == {401}, 'the other sessions end'
    refresh(system, other.refresh_token).expect(401)
    refresh(system, person.refresh_token).expect(200)
    Client(system).post(f'{AUTH}/login', {'email': person.email, 'password': person.password}).expect(401)
    people.log_in(system, person.email, 'another 123')


def test_me_needs_a_token(system):
    for method, path in (('GET', ME), ('PATCH', ME), ('GET', SESSIONS), ('GET', '/api/v1/consents')):
        Client(system).request(method, path, {'name': 'x'} if method == 'PATCH' else None).expect(401, 'UNAUTHENTICATED')


# --- consents ------------------------------------------------------------------------------------------------------------------------

KINDS = ['terms', 'privacy', 'child_health', 'child_guardian', 'marketing', 'sharing']


def test_consents(system, newcomer, database):
    person = newcomer(consents=False)
    rows = person.client.get('/api/v1/consents').expect(200).data
    assert [row['kind'] for row in rows] == KINDS
    assert all(row['version'] is None and row['granted'] is False and row['created_at'] is None for row in rows)
    current = {row['kind']: row['current_version'] for row in rows}

    given = person.client.post('/api/v1/consents', {'kind': 'sharing', 'granted': True}).expect(201).data
    assert given['version'] == given['current_version'] == current['sharing'] and given['granted'] is True
    person.client.post('/api/v1/consents', {'kind': 'sharing', 'granted': False, 'version': current['sharing']}).expect(201)
    person.client.post('/api/v1/consents', {'kind': 'terms', 'granted': True}).expect(201)
    now = {row['kind']: row['granted'] for row in person.client.get('/api/v1/consents').expect(200).data}
    assert now == {**dict.fromkeys(KINDS, False), 'terms': True}
    kept = database.rows('SELECT kind, granted FROM accounts.consents WHERE user_id = %s ORDER BY created_at', person.id)
    assert [(row['kind'], row['granted']) for row in kept] == [('sharing', True), ('sharing', False), ('terms', True)]


@pytest.mark.parametrize('body, status, fields', [
    ({}, 400, ['granted', 'kind']), ({'kind': 'cookies', 'granted': True}, 400, ['kind']),
    ({'kind': 'terms', 'granted': 'yes'}, 400, ['granted']), ({'kind': 'terms', 'granted': True, 'version': 0}, 400, ['version']),
    ({'kind': 'terms', 'granted': True, 'version': 999}, 422, ['version'])])
def test_consents_refuse(system, newcomer, database, body, status, fields):
    person = newcomer(consents=False)
    assert person.client.post('/api/v1/consents', body).expect(status).fields == fields
    assert database.value('SELECT count(*) FROM accounts.consents WHERE user_id = %s', person.id) == 0


# --- administration ------------------------------------------------------------------------------------------------------------------

USERS = '/api/v1/admin/users'


def make_admin(system, admin, newcomer):
    person = newcomer('therapist', False)
    admin.client.patch(f'{USERS}/{person.id}', {'role': 'admin'}).expect(200)
    return people.log_in(system, person.email, person.password)


def test_admin_only(system, newcomer):
    for role in ('parent', 'therapist'):
        person = newcomer(role, False)
        person.client.get(USERS).expect(403, 'FORBIDDEN')
        person.client.patch(f'{USERS}/{person.id}', {'role': 'admin'}).expect(403, 'FORBIDDEN')
    Client(system).get(USERS).expect(401)


def test_admin_list(system, admin, newcomer):
    person = newcomer(consents=False)
    answer = admin.client.get(USERS, query={'limit': 5}).expect(200)
    assert len(answer.data) == 5 and answer.meta['page'] == 1 and answer.meta['limit'] == 5 and answer.meta['total'] > 100
    assert answer.data[0]['id'] == person.id, 'newest first'
    assert 'phone' not in answer.data[0]
    second = admin.client.get(USERS, query={'limit': 5, 'page': 2}).expect(200).data
    third = admin.client.get(USERS, query={'limit': 5, 'cursor': answer.meta['next_cursor']}).expect(200).data
    assert second == third and not {row['id'] for row in second} & {row['id'] for row in answer.data}
    for role in ('parent', 'therapist', 'admin'):
        rows = admin.client.get(USERS, query={'role': role, 'limit': 100}).expect(200).data
        assert rows and {row['role'] for row in rows} == {role}
    assert admin.client.get(USERS, query={'status': 'active', 'limit': 3}).expect(200).data


def test_admin_list_to_its_end(system, admin, database):
    """Page after page by cursor gives every user once."""
    seen, query = [], {'limit': 100}
    while True:
        answer = admin.client.get(USERS, query=query).expect(200)
        seen += [row['id'] for row in answer.data]
        if 'next_cursor' not in answer.meta:
            break
        query['cursor'] = answer.meta['next_cursor']
    assert len(seen) == len(set(seen)) == database.value('SELECT count(*) FROM accounts.users')


@pytest.mark.parametrize('query, fields', [
    ({'page': 0}, ['page']), ({'limit': 101}, ['limit']), ({'page': 10000, 'limit': 100}, ['page']), ({'role': 'x'}, ['role']),
    ({'cursor': 'x'}, ['cursor']), ({'q': ''}, ['q']), ({'extra': 1}, ['extra'])])
def test_admin_list_refuses(system, admin, query, fields):
    assert admin.client.get(USERS, query=query).expect(400, 'VALIDATION_ERROR').fields == fields


def test_admin_search(system, admin):
    mark = uuid.uuid4().hex[:8]
    name = f'찾는이{mark}'
    body, answer = register(system, email=f'search.{mark}%_@example.com', name=name, phone='+82 10-7777-' + str(uuid.uuid4().int)[:4])
    user = answer.expect(201).data

    def found(q):
        return [row['id'] for row in admin.client.get(USERS, query={'q': q}).expect(200).data]

    assert found(body['email']) == found(body['email'].upper()) == found(f'search.{mark}%') == [user['id']]
    assert found(name) == found(mark) == found(f'이{mark}') == [user['id']]
    assert user['id'] in found(body['phone']) and user['id'] in found(body['phone'].replace('+82 ', '0').replace('-', ''))
    assert found(f'search.{mark}_') == [] and found('없는사람' + mark) == []


def test_suspension(system, admin, newcomer):
    person = newcomer(consents=False)
    assert everywhere(system, person.token) == {200}
    row = admin.client.patch(f'{USERS}/{person.id}', {'status': 'suspended'}).expect(200).data
    assert row['status'] == 'suspended' and row['role'] == 'parent'
    assert everywhere(system, person.token) == {401}
    refresh(system, person.refresh_token).expect(401)
    login = {'email': person.email, 'password': person.password}
    Client(system).post(f'{AUTH}/login', login).expect(403, 'SUSPENDED')
    Client(system).post(f'{AUTH}/login', {**login, 'password': 'wrong one'}).expect(401, 'INVALID_CREDENTIALS')
    admin.client.patch(f'{USERS}/{person.id}', {'status': 'active'}).expect(200)
    assert everywhere(system, person.token) == {401}, 'what was revoked stays revoked'
    assert people.log_in(system, person.email, person.password).client.get(ME).status == 200


def test_role_change_ends_sessions(system, admin, newcomer):
    person = newcomer(consents=False)
    admin.client.patch(f'{USERS}/{person.id}', {'role': 'therapist'}).expect(200)
    assert everywhere(system, person.token) == {401}
    assert people.log_in(system, person.email, person.password).role == 'therapist'


def test_admin_patch_of_nothing_new_ends_nothing(system, admin, newcomer):
    person = newcomer(consents=False)
    row = admin.client.patch(f'{USERS}/{person.id}', {'role': 'parent', 'status': 'active'}).expect(200).data
    assert row['updated_at'] == person.login['user']['updated_at']
    assert everywhere(system, person.token) == {200}


@pytest.mark.parametrize('body, fields', [
    ({}, ['body']), ({'status': 'deleted'}, ['status']), ({'role': 'king'}, ['role']), ({'status': None}, ['status']),
    ({'name': 'x'}, ['name'])])
def test_admin_patch_refuses(system, admin, newcomer, body, fields):
    person = newcomer(consents=False)
    assert admin.client.patch(f'{USERS}/{person.id}', body).expect(400, 'VALIDATION_ERROR').fields == fields


def test_admin_patch_of_nobody(system, admin):
    admin.client.patch(f'{USERS}/{uuid.uuid4()}', {'role': 'parent'}).expect(404, 'NOT_FOUND')
    admin.client.patch(f'{USERS}/1', {'role': 'parent'}).expect(400, 'VALIDATION_ERROR')


@pytest.mark.parametrize('body, field', [({'role': 'parent'}, 'role'), ({'status': 'suspended'}, 'status'), ({'role': 'admin'}, 'role')])
def test_admin_may_not_change_the_own_record(system, admin, body, field):
    assert admin.client.patch(f'{USERS}/{admin.id}', body).expect(409, 'CONFLICT').fields == [field]
    assert admin.client.get(USERS, query={'limit': 1}).status == 200


def test_admins_who_remove_each_other(system, admin, newcomer, database):
    """All others aside, two administrators suspend each other at the same moment: one is left."""
    first, second = make_admin(system, admin, newcomer), make_admin(system, admin, newcomer)
    set_aside = [row['id'] for row in database.rows(
        "UPDATE accounts.users SET status = 'suspended' WHERE role = 'admin' AND status = 'active' "
        'AND id <> ALL (%s::uuid[]) RETURNING id::text', [first.id, second.id])]
    try:
        answers = at_once([
            lambda: first.client.patch(f'{USERS}/{second.id}', {'status': 'suspended'}),
            lambda: second.client.patch(f'{USERS}/{first.id}', {'role': 'parent'})])
        statuses = sorted(answer.status for answer in answers)
        assert statuses[0] == 200 and statuses[1] in (401, 409), [str(answer) for answer in answers]
        if statuses[1] == 409:
            assert {answer.code for answer in answers if answer.status == 409} == {'LAST_ADMIN'}
        left = database.rows("SELECT id::text FROM accounts.users WHERE role = 'admin' AND status = 'active'")
        assert len(left) == 1
    finally:
        database.rows("UPDATE accounts.users SET status = 'active' WHERE id = ANY (%s::uuid[])", set_aside)


def test_last_admin(system, admin, newcomer, database):
    """An administrator who is none any more, but whose token still lives, cannot remove the last one."""
    other = make_admin(system, admin, newcomer)
    others = [row['id'] for row in database.rows(
        "UPDATE accounts.users SET status = 'suspended' WHERE role = 'admin' AND status = 'active' AND id <> %s RETURNING id::text",
        admin.id)]
    try:
        other.client.patch(f'{USERS}/{admin.id}', {'status': 'suspended'}).expect(409, 'LAST_ADMIN')
        other.client.patch(f'{USERS}/{admin.id}', {'role': 'parent'}).expect(409, 'LAST_ADMIN')
    finally:
        database.rows("UPDATE accounts.users SET status = 'active' WHERE id = ANY (%s::uuid[])", others)
    assert database.row('SELECT role, status FROM accounts.users WHERE id = %s', admin.id) == {'role': 'admin', 'status': 'active'}


def test_change_is_logged_without_personal_data(system, admin, newcomer):
    person = newcomer(consents=False)
    mark = system.logs.mark()
    admin.client.patch(f'{USERS}/{person.id}', {'status': 'suspended'}).expect(200)

    def line():
        texts = system.logs.since(mark).values()
        return next((entry for text in texts for entry in text.splitlines() if 'user_changed' in entry), None)

    said = wait_until(line, 10, 'the line user_changed')
    assert person.id in said and admin.id in said and person.email not in said


# --- a flood of logins ------------------------------------------------------------------------------------------------------------

def test_login_flood_delays_only_logins(start_system):
    """More logins at once than can be hashed before their deadline: the late ones are told so and are not hashed any more, so
    that the next one need not wait for them; everything else goes on meanwhile."""
    system = start_system(settings={'auth': {'bcrypt_cost': 11, 'max_hashing': 80}, 'http': {'request_timeout': '2s'}})
    person = people.newcomer(system, consents=False)
    login = {'email': person.email, 'password': person.password}
    slowest, statuses = 0, []

    with concurrent.futures.ThreadPoolExecutor(80) as pool:
        flood = [pool.submit(lambda: Client(system, check=False).post(f'{AUTH}/login', login).status) for _ in range(80)]
        while not all(future.done() for future in flood):
            start = time.monotonic()
            person.client.get(ME).expect(200)
            slowest = max(slowest, time.monotonic() - start)
        statuses = [future.result() for future in flood]
    assert 504 in statuses and set(statuses) <= {200, 504}, statuses
    assert slowest < 1, f'users/me took {slowest:.2f} s meanwhile'

    def given_up():
        return sum(row['value'] for row in system.ctl('counters', '-j', 'accounts-hash')['counters'] if row['name'] == 'calls_failed')

    wait_until(lambda: given_up() > 0, 30, 'a hash that nobody waits for any more to be left out')
    wait_until(lambda: Client(system, check=False).post(f'{AUTH}/login', login).status == 200, 30, 'a login after the flood')


@pytest.mark.parametrize('auth, actor', [({'max_hashing': 2}, {'max_coroutines': 8}), ({}, {'max_coroutines': 4})])
def test_a_crowd_that_wants_hashes_leaves_room_for_others(start_system, auth, actor):
    """More than auth.max_hashing of an accounts instance's calls, or half of its coroutines, are told at once to come again: the rest
    is for everybody else, however long the hashes take."""
    system = start_system(settings={'auth': {'bcrypt_cost': 11, **auth}, 'actor': actor})
    person = people.newcomer(system, consents=False)
    login = {'email': person.email, 'password': person.password}
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        crowd = [pool.submit(lambda: Client(system).post(f'{AUTH}/login', login)) for _ in range(80)]
        while not all(future.done() for future in crowd):
            person.client.get(ME).expect(200)
            person.client.patch(ME, {'language': 'en'}).expect(200)
        answers = [future.result() for future in crowd]
    assert {answer.status for answer in answers} == {200, 503}, [answer.status for answer in answers]
    assert all(answer.code == 'UNAVAILABLE' and answer.header('retry-after') for answer in answers if answer.status == 503)
    counters = system.ctl('counters', '-j', 'accounts-hash')['counters']
    assert sum(row['value'] for row in counters if row['name'] == 'calls') < 80, 'who was refused was not hashed'
    Client(system).post(f'{AUTH}/login', login).expect(200)


# --- the key that seals phone numbers ---------------------------------------------------------------------------------------------

def test_phones_survive_a_key_rotation(start_system):
    """After a rotation numbers stay readable and findable, and are soon sealed with the new key, the demo data's too; then the
    old key can go."""
    system = start_system()
    admin, person = people.demo(system, 'admin'), people.newcomer(system, consents=False)
    phone = person.client.get(ME).expect(200).data['phone']

    def ids():
        return [key['id'] for key in system.ctl('secrets', 'show', 'data_keys.accounts', '-j')['keys']]

    def keys_in_use(database):
        rows = database.rows('SELECT phone FROM accounts.users WHERE phone IS NOT NULL')
        return {bytes(row['phone'])[1:1 + bytes(row['phone'])[0]].decode() for row in rows}

    with system.database() as database:
        before = database.rows('SELECT id, updated_at, phone_index FROM accounts.users ORDER BY id')
        assert ids() == ['k1'] and keys_in_use(database) == {'k1'}
        system.ctl('secrets', 'rotate', 'data_keys.accounts', timeout=180)
        assert ids() == ['k2', 'k1']
        system.ctl('secrets', 'retire', 'data_keys.accounts', timeout=90)
        assert ids() == ['k2'] and keys_in_use(database) == {'k2'}
        after = database.rows('SELECT id, updated_at, phone_index FROM accounts.users ORDER BY id')
        assert [(row['id'], row['updated_at'], bytes(row['phone_index'] or b'')) for row in after] == \
               [(row['id'], row['updated_at'], bytes(row['phone_index'] or b'')) for row in before]
    system.ctl('restart', 'accounts')
    assert person.client.get(ME).expect(200).data['phone'] == phone
    assert person.id in [row['id'] for row in admin.client.get(USERS, query={'q': phone}).expect(200).data]
