"""Guardians of a child: inviting by e-mail, accepting, declining, withdrawing, removing, and what nobody can do."""
import concurrent.futures
import hashlib
import uuid

import pytest

from harness import mail, people
from harness.client import Client

HOUR, DAY = '1 hour', '1 day'


def guardians_path(child, more=''):
    return f'/api/v1/children/{child["id"]}/guardians{more}'


def verify(database, person):
    database.rows('UPDATE accounts.users SET email_verified_at = now() WHERE id = %s', person.id)
    return person


def invite(owner, child, email):
    return owner.client.post(guardians_path(child), {'email': email}).expect(201).data


def token_of(database, invitation):
    """The real one stands in the mail only: another one takes its place."""
    token = uuid.uuid4().hex + uuid.uuid4().hex[:11]
    database.rows('UPDATE children.guardian_invitations SET token_hash = %s WHERE id = %s',
                  hashlib.sha256(token.encode()).digest(), invitation['id'])
    return token


def accept(person, child, token):
    return person.client.post(guardians_path(child, '/accept'), {'token': token})


def decline(system, child, token):
    return Client(system).post(guardians_path(child, '/decline'), {'token': token})


@pytest.fixture
def owner(newcomer):
    return newcomer()


@pytest.fixture
def child(owner):
    return owner.child(notes='땅콩 알레르기')


@pytest.fixture
def invited(newcomer, database):
    """Somebody with a verified address."""
    return verify(database, newcomer())


@pytest.fixture
def guardian(owner, child, invited, database):
    accept(invited, child, token_of(database, invite(owner, child, invited.email))).expect(201)
    return invited


def rows_of(database, invitation):
    return database.row('SELECT * FROM children.guardian_invitations WHERE id = %s', invitation['id'])


# --- the way in ----------------------------------------------------------------------------------------------------------

def test_invited_guardian_sees_all_of_the_child(system, owner, child, invited, database):
    invited.client.get(f'/api/v1/children/{child["id"]}').expect(404)
    invitation = invite(owner, child, invited.email.upper())
    assert invitation['email'] == invited.email.upper()
    assert owner.client.get(guardians_path(child, '/invitations')).expect(200).data == [invitation]
    stored = rows_of(database, invitation)
    assert invited.email not in str({name: bytes(value) if isinstance(value, memoryview) else value
                                     for name, value in stored.items()}).lower()
    token = token_of(database, invitation)
    made = accept(invited, child, token).expect(201).data
    assert made['user_id'] == invited.id and made['relation'] == 'guardian' and made['name'] == '이테스트'
    assert invited.client.get(f'/api/v1/children/{child["id"]}').expect(200).data['notes'] == '땅콩 알레르기'
    assert [row['id'] for row in invited.client.get('/api/v1/children').expect(200).data] == [child['id']]
    invited.client.get(f'/api/v1/children/{child["id"]}/measurements').expect(200)
    invited.client.get(f'/api/v1/children/{child["id"]}/access-log').expect(200)
    invited.client.patch(f'/api/v1/children/{child["id"]}', {'name': '김바다'}).expect(200)
    for person in (owner, invited):
        found = person.client.get(guardians_path(child)).expect(200).data
        assert [(row['user_id'], row['relation']) for row in found] == [(owner.id, 'owner'), (invited.id, 'guardian')]
        assert person.client.get(guardians_path(child, '/invitations')).expect(200).data == []
    gone = rows_of(database, invitation)
    assert gone['ended_at'] and gone['email'] is None and gone['address_digest'] is None and gone['token_hash'] is None
    accept(invited, child, token).expect(404)  # single use


def test_unregistered_address_registers_and_accepts(system, owner, child, database):
    body = people.registration()
    token = token_of(database, invite(owner, child, body['email']))
    Client(system).post('/api/v1/auth/register', body).expect(201)
    person = people.log_in(system, body['email'], body['password'])
    accept(person, child, token).expect(409, 'INVALID_STATE')  # an account that only claims the address
    verify(database, person)
    missing = accept(person, child, token).expect(422, 'CONSENT_REQUIRED')
    assert {detail['field'] for detail in missing.json['error']['details']} == {'child_guardian', 'child_health'}
    person.consent()
    accept(person, child, token).expect(201)


def test_token_of_a_forwarded_mail_opens_nothing(owner, child, invited, newcomer, database):
    token = token_of(database, invite(owner, child, invited.email))
    thief = verify(database, newcomer())
    accept(thief, child, token).expect(403)
    thief.client.get(f'/api/v1/children/{child["id"]}').expect(404)
    accept(invited, child, token).expect(201)


def test_token_is_of_one_child(owner, child, invited, database):
    other = owner.child(name='둘째')
    token = token_of(database, invite(owner, child, invited.email))
    accept(invited, other, token).expect(404)
    accept(invited, {'id': str(uuid.uuid4())}, token).expect(404)
    accept(invited, child, token[:-1] + ('0' if token[-1] != '0' else '1')).expect(404)
    accept(invited, child, 'x').expect(404)


def test_expired_invitation(owner, child, invited, database):
    invitation = invite(owner, child, invited.email)
    token = token_of(database, invitation)
    database.rows("UPDATE children.guardian_invitations SET expires_at = now() - interval '1 second' WHERE id = %s",
                  invitation['id'])
    accept(invited, child, token).expect(404)
    assert owner.client.get(guardians_path(child, '/invitations')).expect(200).data == []
    again = token_of(database, invite(owner, child, invited.email))  # the expired one is not in the way
    accept(invited, child, again).expect(201)


def test_newer_invitation_replaces_the_older(owner, child, invited, database):
    first = invite(owner, child, invited.email)
    old = token_of(database, first)
    new = token_of(database, invite(owner, child, invited.email))
    accept(invited, child, old).expect(404)
    accept(invited, child, new).expect(201)


def test_parallel_accepts(owner, child, invited, database):
    token = token_of(database, invite(owner, child, invited.email))
    clients = [Client(invited.system, invited.token) for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda client: client.post(guardians_path(child, '/accept'), {'token': token}).status, clients))
    assert sorted(statuses) == [201] + [404] * 19
    assert database.value('SELECT count(*) FROM children.child_guardians WHERE child_id = %s', child['id']) == 2


def test_by_the_mail_itself(system, owner, child, database):
    """The whole way, with what stands in the mails: invited without an account, registered, verified, accepted."""
    body = people.registration()
    invite(owner, child, body['email'])
    invitation = mail.wait_mail(system, body['email'], 'guardian-invitation')
    assert child['id'] in mail.text(invitation) and '{' not in mail.text(invitation)
    Client(system).post('/api/v1/auth/register', body).expect(201)
    verification = mail.token(mail.wait_mail(system, body['email'], 'verify-email'))
    Client(system).post('/api/v1/auth/email/verify', {'token': verification}).expect(200)
    person = people.log_in(system, body['email'], body['password']).consent()
    accept(person, child, mail.token(invitation)).expect(201)
    assert person.client.get(f'/api/v1/children/{child["id"]}').expect(200).data['notes'] == '땅콩 알레르기'


# --- saying no -----------------------------------------------------------------------------------------------------------

def test_decline(system, owner, child, invited, database):
    token = token_of(database, invite(owner, child, invited.email))
    decline(system, child, 'something-else').expect(404)
    decline(system, child, token).expect(200)
    decline(system, child, token).expect(404)
    accept(invited, child, token).expect(404)
    assert owner.client.get(guardians_path(child, '/invitations')).expect(200).data == []


def test_withdraw(owner, child, invited, newcomer, database):
    invitation = invite(owner, child, invited.email)
    token = token_of(database, invitation)
    path = guardians_path(child, f'/invitations/{invitation["id"]}')
    newcomer().client.delete(path).expect(404)
    owner.client.delete(path).expect(200)
    owner.client.delete(path).expect(404)
    accept(invited, child, token).expect(404)


# --- removing ------------------------------------------------------------------------------------------------------------

def test_owner_removes_a_guardian(owner, child, guardian):
    owner.client.delete(guardians_path(child, f'/{guardian.id}')).expect(200)
    guardian.client.get(f'/api/v1/children/{child["id"]}').expect(404)
    owner.client.delete(guardians_path(child, f'/{guardian.id}')).expect(404)


def test_guardian_leaves_but_removes_nobody(owner, child, guardian):
    guardian.client.delete(guardians_path(child, f'/{owner.id}')).expect(403)
    guardian.client.delete(guardians_path(child, f'/{guardian.id}')).expect(200)
    guardian.client.get(guardians_path(child)).expect(404)


def test_never_the_last_one(owner, child):
    owner.client.delete(guardians_path(child, f'/{owner.id}')).expect(409, 'LAST_GUARDIAN')
    owner.client.get(f'/api/v1/children/{child["id"]}').expect(200)


def test_owner_leaves_and_the_other_succeeds(owner, child, guardian, invited):
    owner.client.delete(guardians_path(child, f'/{owner.id}')).expect(200)
    owner.client.get(f'/api/v1/children/{child["id"]}').expect(404)
    assert [(row['user_id'], row['relation']) for row in guardian.client.get(guardians_path(child)).expect(200).data] == [
        (guardian.id, 'owner')]
    guardian.client.delete(guardians_path(child, f'/{guardian.id}')).expect(409, 'LAST_GUARDIAN')


def test_both_leave_at_once(owner, child, guardian, database):
    def leave(person):
        return person.client.delete(guardians_path(child, f'/{person.id}')).status

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(leave, (owner, guardian))) == [200, 409]
    assert database.rows('SELECT relation FROM children.child_guardians WHERE child_id = %s', child['id']) == [
        {'relation': 'owner'}]


def test_deleted_child_forgets_its_invitations(owner, child, invited, database):
    invitation = invite(owner, child, invited.email)
    token = token_of(database, invitation)
    owner.client.delete(f'/api/v1/children/{child["id"]}').expect(200)
    accept(invited, child, token).expect(404)
    assert rows_of(database, invitation) is None


# --- who may, and how often ----------------------------------------------------------------------------------------------

def test_only_the_owner_invites(owner, child, guardian, newcomer, therapist, admin):
    guardian.client.post(guardians_path(child), {'email': 'x@example.org'}).expect(403)
    newcomer().client.post(guardians_path(child), {'email': 'x@example.org'}).expect(404)
    therapist.client.post(guardians_path(child), {'email': 'x@example.org'}).expect(403)
    admin.client.post(guardians_path(child), {'email': 'x@example.org'}).expect(403)


def test_who_guards_already_is_not_invited(owner, child, guardian):
    owner.client.post(guardians_path(child), {'email': guardian.email}).expect(409, 'CONFLICT')
    owner.client.post(guardians_path(child), {'email': owner.email}).expect(409, 'CONFLICT')


def test_answer_tells_nothing_of_an_address(owner, child, invited):
    """With an account and without: the same answer."""
    known, unknown = (owner.client.post(guardians_path(child), {'email': email}).expect(201)
                      for email in (invited.email, f'{uuid.uuid4().hex}@example.org'))
    assert set(known.data) == set(unknown.data) == {'id', 'email', 'created_at', 'expires_at'}


def test_bounds(owner, child, newcomer):
    for number in range(3):
        invite(owner, child, f'{uuid.uuid4().hex}@example.org')
    owner.client.post(guardians_path(child), {'email': f'{uuid.uuid4().hex}@example.org'}).expect(409, 'CONFLICT')
    invitation = owner.client.get(guardians_path(child, '/invitations')).data[0]
    for _ in range(7):  # withdrawing makes room, but mails are counted
        owner.client.delete(guardians_path(child, f'/invitations/{invitation["id"]}')).expect(200)
        invitation = invite(owner, child, f'{uuid.uuid4().hex}@example.org')
    owner.client.delete(guardians_path(child, f'/invitations/{invitation["id"]}')).expect(200)
    refused = owner.client.post(guardians_path(child), {'email': f'{uuid.uuid4().hex}@example.org'}).expect(429)
    assert int(refused.header('retry-after')) > 0


@pytest.mark.parametrize('body', [{}, {'email': 'nobody'}, {'email': ''}, {'email': None},
                                  {'email': 'a@b.kr', 'relation': 'owner'}])
def test_bad_bodies(owner, child, body):
    owner.client.post(guardians_path(child), body).expect(400)
