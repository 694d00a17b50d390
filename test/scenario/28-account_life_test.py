"""An account's life: its address is verified, its password set anew, it is deleted, comes back, or is erased; what ends by itself
is removed. All of it is read again in PostgreSQL."""
import base64
import concurrent.futures
import hashlib
import statistics
import time
import uuid

import pytest

from harness import faults, mail, people
from harness.client import Client
from harness.wait import wait_until

AUTH, ME, USERS = '/api/v1/auth', '/api/v1/users/me', '/api/v1/admin/users'
VERIFY, AGAIN, RESET = f'{AUTH}/email/verify', f'{AUTH}/email/verification', f'{AUTH}/password/reset'
NEW = 'another horse 2'


def at_once(calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def digest(token):
    return hashlib.sha256(base64.urlsafe_b64decode(token + '=')).digest()


def refused_token(answer):
    assert answer.expect(422, 'UNPROCESSABLE').fields == ['token']


def login(system, email, password, **options):
    return Client(system).post(f'{AUTH}/login', {'email': email, 'password': password}, **options)


def user_row(database, person):
    return database.row('SELECT * FROM accounts.users WHERE id = %s', person.id)


def live_sessions(database, person):
    return database.value('SELECT count(*) FROM accounts.auth_sessions WHERE user_id = %s AND revoked_at IS NULL', person.id)


def everywhere(system, token):
    """On connections of their own, so that both frontends answer."""
    return {Client(system, token).get(ME).status for _ in range(16)}


# --- verification ------------------------------------------------------------------------------------------------------------

def test_register_makes_a_token(system, newcomer, database):
    person = newcomer(consents=False)
    row = database.row('SELECT *, expires_at - created_at AS lives FROM accounts.email_verifications WHERE user_id = %s', person.id)
    assert row['spent_at'] is None and len(bytes(row['token_hash'])) == 32 and 86300 < row['lives'].total_seconds() < 86500
    me = person.client.get(ME).expect(200).data
    assert me['email_verified'] is False and me['email_verified_at'] is None


def test_verify(system, newcomer, database):
    person, other = newcomer(consents=False), newcomer(consents=False)
    token = mail.planted(database, 'email_verifications', person.id)
    Client(system).post(VERIFY, {'token': token}).expect(200)
    me = person.client.get(ME).expect(200).data
    assert me['email_verified'] is True and me['email_verified_at'] is not None
    assert other.client.get(ME).data['email_verified'] is False
    refused_token(Client(system).post(VERIFY, {'token': token}))
    person.client.post(AGAIN).expect(409, 'INVALID_STATE')


def test_verify_expired(system, newcomer, database):
    person = newcomer(consents=False)
    token = mail.planted(database, 'email_verifications', person.id, expires="interval '-1 second'")
    refused_token(Client(system).post(VERIFY, {'token': token}))
    assert person.client.get(ME).data['email_verified'] is False


def test_verify_after_another_mail(system, newcomer, database):
    person = newcomer(consents=False)
    older = mail.planted(database, 'email_verifications', person.id)
    person.client.post(AGAIN).expect(202)
    refused_token(Client(system).post(VERIFY, {'token': older}))
    rows = database.rows('SELECT spent_at IS NULL AS live FROM accounts.email_verifications WHERE user_id = %s', person.id)
    assert [row['live'] for row in rows].count(True) == 1


def test_another_mail_many_times_at_once(system, newcomer, database):
    person = newcomer(consents=False)
    answers = at_once([lambda: Client(system, person.token).post(AGAIN)] * 8)
    assert {answer.status for answer in answers} == {202}
    rows = database.rows('SELECT spent_at IS NULL AS live FROM accounts.email_verifications WHERE user_id = %s', person.id)
    assert len(rows) == 9 and [row['live'] for row in rows].count(True) == 1


def test_verify_many_times_at_once(system, newcomer, database):
    person = newcomer(consents=False)
    token = mail.planted(database, 'email_verifications', person.id)
    answers = at_once([lambda: Client(system).post(VERIFY, {'token': token})] * 6)
    assert sorted(answer.status for answer in answers) == [200] + [422] * 5


def test_verify_of_a_deleted_account(system, newcomer, database):
    person = newcomer(consents=False)
    token = mail.planted(database, 'email_verifications', person.id)
    people_delete(person)
    refused_token(Client(system).post(VERIFY, {'token': token}))
    assert user_row(database, person)['email_verified_at'] is None


@pytest.mark.parametrize('body, status, fields', [
    ({}, 400, ['token']), ({'token': None}, 400, ['token']), ({'token': ''}, 400, ['token']), ({'token': 7}, 400, ['token']),
    ({'token': 'a b'}, 400, ['token']), ({'token': 'x' * 201}, 400, ['token']), ({'token': 'x', 'email': 'a@b.kr'}, 400, ['email']),
    ({'token': 'x'}, 422, ['token']), ({'token': 'A' * 43}, 422, ['token']), ({'token': 'A' * 42 + '+'}, 422, ['token']),
    ({'token': "' OR 1=1"}, 400, ['token'])])
def test_verify_refuses(system, body, status, fields):
    assert Client(system).post(VERIFY, body).expect(status).fields == fields


def test_mails_of_one_user_are_counted(start_system):
    system = start_system(settings={'rate': {'mail_per_hour': 2, 'login_per_minute': 100, 'api_per_minute': 1000}},
                          environment={'AIPOTEN_RATE_LIMITS': 'on'}, demo=False)
    person, other = people.newcomer(system, consents=False), people.newcomer(system, consents=False)
    statuses = [person.client.post(AGAIN).status for _ in range(4)]
    assert statuses[:2] == [202, 202] and statuses[-1] == 429
    other.client.post(AGAIN).expect(202)


# --- password reset ----------------------------------------------------------------------------------------------------------

def ask(system, email):
    return Client(system).post(RESET, {'email': email})


def resets(database, person):
    return database.rows('SELECT spent_at IS NULL AS live, expires_at - created_at AS lives FROM accounts.password_resets'
                         ' WHERE user_id = %s ORDER BY created_at', person.id)


def test_reset_answers_the_same(system, newcomer, database):
    """Nobody learns from an answer whether an address is known: not from its words, its headers, nor what was done for it."""
    person, suspended = newcomer(consents=False), newcomer(consents=False)
    people.demo(system, 'admin').client.patch(f'{USERS}/{suspended.id}', {'status': 'suspended'}).expect(200)
    before = database.value('SELECT count(*) FROM accounts.password_resets')
    answers = [ask(system, email).expect(202) for email in
               (person.email, 'nobody@example.com', person.email.upper(), suspended.email, 'x@y.zz')]
    assert len({answer.body for answer in answers}) == 1
    variable = {'date', 'x-request-id', 'content-length', 'traceparent', 'server-timing'}
    assert len({str(sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in variable))
                for answer in answers}) == 1
    wait_until(lambda: len(resets(database, person)) == 2, 10, 'both mails to the one who has the address')
    wait_until(lambda: database.value("SELECT count(*) FROM accounts.deliveries WHERE subscriber = 'accounts'") == 0, 10,
               'all requests to be worked on')
    assert database.value('SELECT count(*) FROM accounts.password_resets') == before + 2
    assert resets(database, suspended) == []


def test_reset_takes_the_same_time(system, newcomer):
    person = newcomer(consents=False)
    client = Client(system)

    def seconds(email):
        start = time.perf_counter()
        client.post(RESET, {'email': email}, check=False).expect(202)
        return time.perf_counter() - start

    known, unknown = [], []
    for turn in range(61):
        known.append(seconds(person.email))
        unknown.append(seconds(f'nobody.{turn}@example.com'))
    ratio = statistics.median(known) / statistics.median(unknown)
    assert 0.6 < ratio < 1.67, f'a known address takes {ratio:.2f} times as long as an unknown one'


def test_reset(system, newcomer, database):
    person = newcomer(consents=False)
    other = people.log_in(system, person.email, person.password)
    token = mail.planted(database, 'password_resets', person.id)
    Client(system).post(RESET, {'token': token, 'new_password': NEW}).expect(200)
    for session in (person, other):
        assert everywhere(system, session.token) == {401}
        Client(system).post(f'{AUTH}/refresh', {'refresh_token': session.refresh_token}).expect(401)
    assert live_sessions(database, person) == 0
    login(system, person.email, person.password).expect(401, 'INVALID_CREDENTIALS')
    again = people.log_in(system, person.email, NEW)
    assert everywhere(system, again.token) == {200}
    refused_token(Client(system).post(RESET, {'token': token, 'new_password': 'third horse 3'}))
    people.log_in(system, person.email, NEW)
    assert user_row(database, person)['password_version'] == 1


def test_reset_token_lives_thirty_minutes_and_ends_the_one_before(system, newcomer, database):
    person = newcomer(consents=False)
    older = mail.planted(database, 'password_resets', person.id)
    ask(system, person.email).expect(202)
    rows = wait_until(lambda: len(resets(database, person)) == 2 and resets(database, person), 10, 'another token')
    assert [row['live'] for row in rows] == [False, True] and 1790 < rows[1]['lives'].total_seconds() < 1810
    refused_token(Client(system).post(RESET, {'token': older, 'new_password': NEW}))
    people.log_in(system, person.email, person.password)


def test_many_requests_at_once_leave_one_token(system, newcomer, database):
    """However the address is written."""
    person = newcomer(consents=False)
    writings = [person.email, person.email.upper(), person.email.capitalize()] * 3
    answers = at_once([lambda email=email: ask(system, email) for email in writings])
    assert {answer.status for answer in answers} == {202}
    wait_until(lambda: len(resets(database, person)) == len(writings), 20, 'a token for each')
    assert [row['live'] for row in resets(database, person)].count(True) == 1


def test_reset_expired(system, newcomer, database):
    person = newcomer(consents=False)
    token = mail.planted(database, 'password_resets', person.id, expires="interval '-1 second'")
    refused_token(Client(system).post(RESET, {'token': token, 'new_password': NEW}))
    people.log_in(system, person.email, person.password)


def test_reset_after_the_password_was_changed(system, newcomer, database):
    person = newcomer(consents=False)
    token = mail.planted(database, 'password_resets', person.id)
    person.client.patch(ME, {'current_password': person.password, 'new_password': NEW}).expect(200)
    refused_token(Client(system).post(RESET, {'token': token, 'new_password': 'third horse 3'}))
    people.log_in(system, person.email, NEW)


def test_a_token_of_one_kind_is_none_of_the_other(system, newcomer, database):
    person = newcomer(consents=False)
    refused_token(Client(system).post(RESET, {'token': mail.planted(database, 'email_verifications', person.id),
                                              'new_password': NEW}))
    refused_token(Client(system).post(VERIFY, {'token': mail.planted(database, 'password_resets', person.id)}))


def test_reset_many_times_at_once(system, newcomer, database):
    """One of them sets the password, and it is the one that is answered 200."""
    person = newcomer(consents=False)
    token = mail.planted(database, 'password_resets', person.id)
    passwords = [f'horse number {number}' for number in range(6)]
    answers = at_once([lambda word=word: Client(system).post(RESET, {'token': token, 'new_password': word}) for word in passwords])
    assert sorted(answer.status for answer in answers) == [200] + [422] * 5
    won = passwords[[answer.status for answer in answers].index(200)]
    assert [word for word in passwords if login(system, person.email, word, check=False).status == 200] == [won]


def test_reset_during_logins(system, newcomer, database):
    """A login that runs beside it either comes too late for the old password, or its session is ended."""
    for _ in range(4):
        person = newcomer(consents=False)
        token = mail.planted(database, 'password_resets', person.id)
        answers = at_once([lambda: login(system, person.email, person.password) for _ in range(6)] +
                          [lambda: Client(system).post(RESET, {'token': token, 'new_password': NEW})])
        assert answers[-1].status == 200 and {answer.status for answer in answers[:-1]} <= {200, 401}
        assert live_sessions(database, person) == 0
        for answer in answers[:-1]:
            if answer.status == 200:
                assert everywhere(system, answer.data['access_token']) == {401}
                Client(system).post(f'{AUTH}/refresh', {'refresh_token': answer.data['refresh_token']}).expect(401)


@pytest.mark.parametrize('body, status, fields', [
    ({}, 400, ['email']), ({'email': None}, 400, ['email']), ({'email': 'nobody'}, 400, ['email']), ({'email': 7}, 400, ['email']),
    ({'token': 'A' * 43}, 400, ['new_password']), ({'new_password': 'long enough'}, 400, ['token']),
    ({'token': 'A' * 43, 'new_password': 'short'}, 400, ['new_password']),
    ({'token': 'A' * 43, 'new_password': 'x' * 73}, 400, ['new_password']),
    ({'token': 'A' * 43, 'new_password': 'long enough', 'email': 'a@b.kr'}, 400, ['email']),
    ({'token': 'A' * 43, 'new_password': 'long enough'}, 422, ['token']),
    ({'token': 'not-ours', 'new_password': 'long enough'}, 422, ['token']), ({'email': 'a@b.kr', 'x': 1}, 400, ['x'])])
def test_reset_refuses(system, body, status, fields):
    assert Client(system).post(RESET, body).expect(status).fields == fields


def test_hashes_are_made_elsewhere(system, newcomer):
    """Setting and showing a password is answered by accounts, who asks accounts-hash once for each hash, and for nothing else."""
    def asked():
        rows = system.ctl('counters', '-j', 'accounts-hash')['counters']
        return sum(row['value'] for row in rows if row['name'] == 'calls')

    row = next(row for row in system.ctl('routes', '-j')['routes'] if row['operation'] == 'auth.password.reset')
    assert row['service'] == 'accounts' and row['rate'] == 'login'
    before = asked()
    person = newcomer(consents=False)  # registers and logs in
    assert asked() == before + 2
    person.client.patch(ME, {'name': '김이름'}).expect(200)
    ask(system, person.email).expect(202)
    assert asked() == before + 2
    person.client.patch(ME, {'current_password': 'not this one', 'new_password': 'another password'}).expect(401, 'INVALID_CREDENTIALS')
    assert asked() == before + 3


# --- mails -------------------------------------------------------------------------------------------------------------------

def test_mails_carry_what_works(system, newcomer, database):
    """The whole way: what stands in the mail verifies the address, sets the password; the mail of the deletion says until when."""
    person = newcomer(consents=False)
    token = mail.token(mail.wait_mail(system, person.email, 'verify-email'))
    stored = database.value('SELECT token_hash FROM accounts.email_verifications WHERE user_id = %s AND spent_at IS NULL', person.id)
    assert bytes(stored) == digest(token)
    Client(system).post(VERIFY, {'token': token}).expect(200)

    ask(system, person.email.upper()).expect(202)
    first = mail.token(mail.wait_mail(system, person.email, 'reset-password'))
    ask(system, person.email).expect(202)
    wait_until(lambda: len(resets(database, person)) == 2, 10, 'the second request')
    second = mail.token(mail.wait_mail(system, person.email, 'reset-password', count=2))
    refused_token(Client(system).post(RESET, {'token': first, 'new_password': NEW}))
    Client(system).post(RESET, {'token': second, 'new_password': NEW}).expect(200)

    again = people.log_in(system, person.email, NEW)
    before = len(mail.mails(system, person.email))
    people_delete(again)
    said = wait_until(lambda: mail.mails(system, person.email)[before:], 20, 'the mail of the deletion')[-1]
    assert mail.token(said) is None
    day = database.value("SELECT to_char(deleted_at AT TIME ZONE 'Asia/Seoul' + interval '30 days', 'YYYY-MM-DD')"
                         ' FROM accounts.users WHERE id = %s', person.id)
    assert day in mail.text(said)


# --- deletion ----------------------------------------------------------------------------------------------------------------

def people_delete(person, expect=200):
    return person.client.request('DELETE', ME, {'current_password': person.password}).expect(expect)


def test_delete_and_come_back(system, newcomer, database):
    person = newcomer()
    child = person.child()
    other = people.log_in(system, person.email, person.password)
    people_delete(person)
    for session in (person, other):
        assert everywhere(system, session.token) == {401}
        Client(system).post(f'{AUTH}/refresh', {'refresh_token': session.refresh_token}).expect(401)
    row = user_row(database, person)
    assert (row['status'], row['deleted_from']) == ('deleted', 'active') and row['deleted_at'] and live_sessions(database, person) == 0
    Client(system).post(f'{AUTH}/register', people.registration(email=person.email.upper())).expect(409, 'EMAIL_TAKEN')
    login(system, person.email, 'wrong horse 1').expect(401, 'INVALID_CREDENTIALS')
    assert user_row(database, person)['status'] == 'deleted', 'a wrong password brings nothing back'

    back = login(system, person.email, person.password).expect(200).data
    assert back['restored'] is True and back['user']['status'] == 'active' and back['user']['id'] == person.id
    client = Client(system, back['access_token'])
    assert [row['id'] for row in client.get('/api/v1/children').expect(200).data] == [child['id']]
    row = user_row(database, person)
    assert (row['status'], row['deleted_at'], row['deleted_from']) == ('active', None, None)
    assert login(system, person.email, person.password).expect(200).data['restored'] is False


def test_come_back_many_times_at_once(system, newcomer, database):
    person = newcomer(consents=False)
    people_delete(person)
    answers = at_once([lambda: login(system, person.email, person.password)] * 6)
    assert {answer.status for answer in answers} <= {200, 401} and 200 in {answer.status for answer in answers}
    assert user_row(database, person)['status'] == 'active'


@pytest.mark.parametrize('body, status, code', [
    (None, 400, 'VALIDATION_ERROR'), ({}, 400, 'VALIDATION_ERROR'), ({'current_password': ''}, 400, 'VALIDATION_ERROR'),
    ({'current_password': None}, 400, 'VALIDATION_ERROR'), ({'current_password': 'wrong horse 1'}, 401, 'INVALID_CREDENTIALS'),
    ({'current_password': 'x' * 200}, 401, 'INVALID_CREDENTIALS'), ({'password': 'correct horse 1'}, 400, 'VALIDATION_ERROR')])
def test_delete_refuses(system, newcomer, database, body, status, code):
    person = newcomer(consents=False)
    person.client.request('DELETE', ME, body).expect(status, code)
    assert user_row(database, person)['status'] == 'active' and person.client.get(ME).status == 200


def test_delete_without_a_password(system, newcomer, database):
    """Who came by a provider has none to show."""
    person = newcomer(consents=False)
    database.rows('UPDATE accounts.users SET password_hash = NULL WHERE id = %s', person.id)
    person.client.request('DELETE', ME, {}).expect(200)
    assert user_row(database, person)['status'] == 'deleted'


def test_delete_many_times_at_once(system, newcomer, database):
    person = newcomer(consents=False)
    clients = [Client(system, person.token) for _ in range(6)]
    answers = at_once([lambda client=client: client.request('DELETE', ME, {'current_password': person.password})
                       for client in clients])
    assert sorted(answer.status for answer in answers) == [200] + [401] * 5


def test_reset_of_a_deleted_account(system, newcomer, database):
    """Who forgot the password too comes back by both."""
    person = newcomer(consents=False)
    people_delete(person)
    ask(system, person.email).expect(202)
    wait_until(lambda: resets(database, person), 10, 'the token')
    token = mail.planted(database, 'password_resets', person.id)
    Client(system).post(RESET, {'token': token, 'new_password': NEW}).expect(200)
    assert user_row(database, person)['status'] == 'deleted'
    assert login(system, person.email, NEW).expect(200).data['restored'] is True


def test_admin_deletes(system, admin, newcomer, database):
    person = newcomer(consents=False)
    assert everywhere(system, person.token) == {200}
    admin.client.delete(f'{USERS}/{person.id}').expect(200)
    assert everywhere(system, person.token) == {401}
    assert user_row(database, person)['status'] == 'deleted'
    admin.client.delete(f'{USERS}/{person.id}').expect(409, 'INVALID_STATE')
    admin.client.patch(f'{USERS}/{person.id}', {'status': 'active'}).expect(409, 'INVALID_STATE')
    admin.client.patch(f'{USERS}/{person.id}', {'role': 'therapist'}).expect(409, 'INVALID_STATE')
    assert admin.client.delete(f'{USERS}/{admin.id}').expect(409, 'CONFLICT').fields == ['id']
    admin.client.delete(f'{USERS}/1').expect(400, 'VALIDATION_ERROR')
    assert login(system, person.email, person.password).expect(200).data['restored'] is True


def test_suspended_and_deleted_does_not_come_back(system, admin, newcomer, database):
    person = newcomer(consents=False)
    admin.client.patch(f'{USERS}/{person.id}', {'status': 'suspended'}).expect(200)
    admin.client.delete(f'{USERS}/{person.id}').expect(200)
    login(system, person.email, person.password).expect(403, 'SUSPENDED')
    ask(system, person.email).expect(202)
    wait_until(lambda: database.value("SELECT count(*) FROM accounts.deliveries WHERE subscriber = 'accounts'") == 0, 10,
               'the request to be worked on')
    assert resets(database, person) == []
    assert user_row(database, person)['deleted_from'] == 'suspended'


def test_last_admin_stays(system, newcomer, database):
    """Two administrators delete themselves at the same moment, and there are no others: one is left, and stays."""
    first, second = people.another_admin(system), people.another_admin(system)
    set_aside = [row['id'] for row in database.rows(
        "UPDATE accounts.users SET status = 'suspended' WHERE role = 'admin' AND status = 'active' "
        'AND id <> ALL (%s::uuid[]) RETURNING id::text', [first.id, second.id])]
    try:
        answers = at_once([lambda person=person: person.client.request('DELETE', ME, {'current_password': person.password})
                           for person in (first, second)])
        assert sorted(answer.status for answer in answers) == [200, 409]
        left = first if answers[0].status == 409 else second
        people_delete(left, 409)
        assert database.value("SELECT count(*) FROM accounts.users WHERE role = 'admin' AND status = 'active'") == 1
    finally:
        database.rows("UPDATE accounts.users SET status = 'active' WHERE id = ANY (%s::uuid[])", set_aside)


# --- answers under a key that are worth nothing any more ----------------------------------------------------------------------------

@pytest.mark.parametrize('end', ['logout', 'password', 'reset', 'suspension', 'deletion', 'revocation'])
def test_keyed_login_after_its_session(system, admin, newcomer, database, end):
    """Repeated while the session lives it gives the same answer; when the session has ended it is a login like any other."""
    person, key = newcomer(consents=False), {'idempotency-key': uuid.uuid4().hex}
    first = login(system, person.email, person.password, headers=key).expect(200)
    again = login(system, person.email, person.password, headers=key).expect(200)
    assert again.body == first.body and again.header('idempotency-replayed') == 'true'
    client, status = Client(system, first.data['access_token']), 401
    if end == 'logout':
        client.post(f'{AUTH}/logout').expect(200)
        status = 200
    elif end == 'password':
        client.patch(ME, {'current_password': person.password, 'new_password': NEW}).expect(200)
    elif end == 'reset':
        token = mail.planted(database, 'password_resets', person.id)
        client.post(RESET, {'token': token, 'new_password': NEW}).expect(200)
    elif end == 'suspension':
        admin.client.patch(f'{USERS}/{person.id}', {'status': 'suspended'}).expect(200)
        status = 403
    elif end == 'deletion':
        people_delete(person)
        status = 200
    else:
        session = next(row['id'] for row in client.get(f'{ME}/sessions').data if row['current'])
        client.delete(f'{ME}/sessions/{session}').expect(200)
        status = 200
    late = login(system, person.email, person.password, headers=key).expect(status)
    assert late.header('idempotency-replayed') is None
    if status == 200:
        assert late.data['access_token'] != first.data['access_token'] and everywhere(system, late.data['access_token']) == {200}


def test_keyed_refresh_after_its_session(system, newcomer):
    person, key = newcomer(consents=False), {'idempotency-key': uuid.uuid4().hex}
    body = {'refresh_token': person.refresh_token}
    first = Client(system).post(f'{AUTH}/refresh', body, headers=key).expect(200)
    again = Client(system).post(f'{AUTH}/refresh', body, headers=key).expect(200)
    assert again.body == first.body
    Client(system, first.data['access_token']).post(f'{AUTH}/logout').expect(200)
    Client(system).post(f'{AUTH}/refresh', body, headers=key).expect(401)


# --- what time does ---------------------------------------------------------------------------------------------------------------

def shifted(system, days):
    system.stop()
    system.environment['AIPOTEN_CLOCK_SHIFT'] = str(days * 86400)
    system.start()


def test_after_thirty_days(start_system):
    """Thirty days later on every clock of the system: whoever did not come back is erased, whoever did stays."""
    system = start_system(demo=False)
    person, back, late = (people.newcomer(system, consents=False) for _ in range(3))
    for one in (person, back, late):
        people_delete(one)
    people.log_in(system, back.email, back.password)
    with system.database() as database:
        database.rows("UPDATE accounts.users SET deleted_at = deleted_at + interval '2 days' WHERE id = %s", late.id)
    shifted(system, 29)
    with system.database() as database:
        assert user_row(database, person)['status'] == 'deleted'
    shifted(system, 31)
    with system.database() as database:
        wait_until(lambda: user_row(database, person)['status'] in ('erasing', 'erased'), 20, 'the erasure')
        assert user_row(database, back)['status'] == 'active' and user_row(database, late)['status'] == 'deleted'
        login(system, person.email, person.password).expect(401, 'INVALID_CREDENTIALS')
        assert login(system, late.email, late.password).expect(200).data['restored'] is True
        assert user_row(database, person)['status'] in ('erasing', 'erased')


def test_login_at_the_last_moment(start_system):
    """The time to come back ends while people log in: each either is back with a session, or is on the way out without one."""
    system = start_system(settings={'auth': {'restore_within': '2s'}, 'retention': {'every': '1s'}}, demo=False)
    with system.database() as database:
        everybody = [people.newcomer(system, consents=False) for _ in range(12)]

        def age(person):
            return database.value('SELECT extract(epoch FROM now() - deleted_at) FROM accounts.users WHERE id = %s', person.id)

        def late_login(person, seconds):
            people_delete(person)
            deleted = time.monotonic()
            wait_until(lambda: time.monotonic() - deleted >= seconds, 10, 'the last moment', every=0.001)
            return login(system, person.email, person.password)

        answers = at_once([lambda person=person, number=number: late_login(person, 0.4 + 0.2 * number)
                           for number, person in enumerate(everybody)])
        for person, answer in zip(everybody, answers):
            if answer.status == 200:
                assert answer.data['restored'] is True
                assert user_row(database, person)['status'] == 'active' and live_sessions(database, person) == 1
            else:
                assert answer.status == 401 and age(person) > 1.9
                wait_until(lambda person=person: user_row(database, person)['status'] in ('erasing', 'erased'), 20, 'the erasure')
                assert live_sessions(database, person) == 0
        assert {answer.status for answer in answers} == {200, 401} and answers[-1].status == 401


@pytest.fixture(scope='module')
def hasty(start_system):
    """Looks every second, and hashes a little better than the rows that it finds."""
    return start_system(settings={'retention': {'every': '1s', 'sessions': '1d', 'tokens': '1h'}, 'auth': {'bcrypt_cost': 5}})


def test_what_ended_is_removed(hasty):
    """More than a batch of it, and nothing else."""
    person = people.newcomer(hasty, consents=False)
    ages = {'spent': 5, 'old': 30, 'fresh': 0}
    with hasty.database() as database:
        mark = hasty.logs.mark()
        database.rows("INSERT INTO accounts.auth_sessions (id, user_id, refresh_hash, delivery, expires_at)"
                      " SELECT gen_random_uuid(), %s, '', 'body', now() - interval '25 hours' FROM generate_series(1, 1203)", person.id)
        database.rows("INSERT INTO accounts.auth_sessions (id, user_id, refresh_hash, delivery, expires_at, revoked_at, revoked_reason)"
                      " VALUES (gen_random_uuid(), %s, '', 'body', now() + interval '5 days', now() - interval '25 hours', 'logout'),"
                      " (gen_random_uuid(), %s, '', 'body', now() - interval '23 hours', now() - interval '23 hours', 'logout')",
                      person.id, person.id)
        for table in ('email_verifications', 'password_resets'):
            for name, hours in ages.items():
                database.rows(f"INSERT INTO accounts.{table} (id, user_id, token_hash, expires_at, spent_at) VALUES (gen_random_uuid(),"
                              " %s, %s, now() + interval '1 day' - %s * interval '1 hour', now() - %s * interval '1 hour')",
                              person.id, f'{table} {name}'.encode(), hours, hours)
        wait_until(lambda: database.value('SELECT count(*) FROM accounts.auth_sessions WHERE user_id = %s', person.id) == 2, 20,
                   'the purge of sessions')
        for table in ('email_verifications', 'password_resets'):
            wait_until(lambda table=table: database.value(f'SELECT count(*) FROM accounts.{table} WHERE user_id = %s AND'
                                                          " spent_at < now() - interval '1 hour'", person.id) == 0, 20, table)
            assert database.value(f'SELECT count(*) FROM accounts.{table} WHERE user_id = %s AND token_hash = %s', person.id,
                                  f'{table} fresh'.encode()) == 1
    person.client.get(ME).expect(200)
    said = ''.join(hasty.logs.since(mark).values())
    assert '"what":"sessions","rows":1204' in said.replace(' ', '') and person.id not in said
    counted = sum(row['value'] for row in hasty.ctl('counters', '-j', 'accounts')['counters'] if row['name'] == 'retention_removed')
    assert counted >= 1204 + 4


def test_login_answers_are_kept_for_an_hour(hasty):
    """Under a client's key; those of other calls for a day."""
    body, keys = people.registration(), {name: {'idempotency-key': uuid.uuid4().hex} for name in ('register', 'login', 'refresh', 'new')}
    Client(hasty).post(f'{AUTH}/register', body, headers=keys['register']).expect(201)
    tokens = login(hasty, body['email'], body['password'], headers=keys['login']).expect(200).data
    Client(hasty).post(f'{AUTH}/refresh', {'refresh_token': tokens['refresh_token']}, headers=keys['refresh']).expect(200)
    with hasty.database() as database:
        database.rows("UPDATE accounts.keyed_calls SET created_at = created_at - interval '61 minutes'")
        login(hasty, body['email'], body['password'], headers=keys['new']).expect(200)
        hasty.ctl('restart', 'accounts')

        def left():
            return sorted(row['operation'] for row in database.rows(
                'SELECT operation FROM accounts.keyed_calls WHERE operation = ANY (%s)',
                ['auth.register', 'auth.login', 'auth.refresh']))
        wait_until(lambda: 'auth.refresh' not in left(), 20, 'the refresh to be forgotten')
        assert left() == ['auth.login', 'auth.register'], 'the login of just now, and what is kept for a day'


# --- a hash of another cost -----------------------------------------------------------------------------------------------------------

def test_hashes_follow_the_cost(hasty):
    """At the next login, many of them at once too, and nothing else happens to the account."""
    def hash_of(database, person):
        return database.value('SELECT password_hash FROM accounts.users WHERE id = %s', person.id)

    person = people.newcomer(hasty, consents=False)
    cheap = '$2b$04$5gN0Lk5hXlFzHfTzqVlUxe'  # the salt of a hash of cost 4, made below by crypt(3)
    with hasty.database() as database:
        assert hash_of(database, person).startswith('$2b$05$')
        database.rows('UPDATE accounts.users SET password_hash = %s WHERE id = %s', crypt_of(person.password, cheap), person.id)
        login(hasty, person.email, 'wrong horse 1').expect(401)
        assert hash_of(database, person).startswith('$2b$04$')
        answers = at_once([lambda: login(hasty, person.email, person.password)] * 6)
        assert {answer.status for answer in answers} == {200}
        fresh = hash_of(database, person)
        assert fresh.startswith('$2b$05$')
        login(hasty, person.email, person.password).expect(200)
        assert hash_of(database, person) == fresh and user_row(database, person)['password_version'] == 0
        assert everywhere(hasty, person.token) == {200} and live_sessions(database, person) == 8


def test_a_login_does_not_fail_for_want_of_a_fresh_hash(start_system):
    """Who was to make it died, and the call is not tried again: the old one stays, and the next login does it."""
    system = start_system(settings={'auth': {'bcrypt_cost': 5}, 'http': {'losses_most': 1}})
    person = people.newcomer(system, consents=False)
    old = crypt_of(person.password, '$2b$04$5gN0Lk5hXlFzHfTzqVlUxe')
    with system.database() as database:
        database.rows('UPDATE accounts.users SET password_hash = %s WHERE id = %s', old, person.id)
        with faults.Fault(system, 'accounts-hash', 'passwords.hash') as fault:
            login(system, person.email, person.password).expect(200)
            assert fault.hit()
        assert database.value('SELECT password_hash FROM accounts.users WHERE id = %s', person.id) == old
        login(system, person.email, person.password).expect(200)
        assert database.value('SELECT password_hash FROM accounts.users WHERE id = %s', person.id).startswith('$2b$05$')


def crypt_of(password, setting):
    import ctypes
    library = ctypes.CDLL('libcrypt.so.1')
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(password.encode(), setting.encode()).decode()
