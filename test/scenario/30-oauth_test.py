"""Logging in by another company: Google's and Apple's form at the real oidc-provider, Kakao's and Naver's at a server of our own;
what each attack and each fault of a provider is answered, and that nothing is half done then."""
import concurrent.futures
import hashlib
import hmac
import json
import time
import urllib.parse
import uuid

import pytest

from harness import mail, people, providers
from harness.client import Client
from harness.providers import APP, OTHER_APP, Companies, OidcProvider, Pkce, kakao_user, naver_user, start_with
from harness.system import System
from harness.wait import wait_until

OAUTH = '/api/v1/auth/oauth'
ME = '/api/v1/users/me'
RESET = '/api/v1/auth/password/reset'
NEW = 'another horse 2'
SETTINGS = {'redirect_uris': [APP, OTHER_APP], 'plain_loopback': True, 'timeout': '3s'}


def started(company, *, names):
    settings = {**SETTINGS, **{name: values for name, values in company.settings().items() if name in names}}
    system = System(settings={'oauth': settings, 'retention': {'every': '1s'}})
    start_with(system, company.secrets())
    return system


@pytest.fixture(scope='module')
def real():
    """(system, the real oidc-provider)"""
    provider = OidcProvider()
    try:
        system = started(provider, names=('google', 'apple'))
        yield system, provider
        system.destroy()
    finally:
        provider.close()


@pytest.fixture(scope='module')
def companies_system():
    companies = Companies()
    try:
        system = started(companies, names=('google', 'kakao', 'naver'))
        yield system, companies
        system.destroy()
    finally:
        companies.close()


@pytest.fixture
def world(companies_system):
    companies_system[1].forget()
    return World(*companies_system)


class World:
    """One system and the companies that it trusts."""

    def __init__(self, system, companies):
        self.system, self.companies = system, companies

    def start(self, company, pkce=None, client=None, redirect_uri=APP):
        pkce = pkce or Pkce()
        begun = (client or Client(self.system)).get(
            f'{OAUTH}/{company}/start', query={'redirect_uri': redirect_uri, 'code_challenge': pkce.challenge}).expect(200).data
        return begun, pkce

    def finish(self, company, code, begun, pkce, client=None, headers=None, **changes):
        body = {'code': code, 'state': begun['state'], 'redirect_uri': APP, 'code_verifier': pkce.verifier, **changes}
        return (client or Client(self.system)).post(f'{OAUTH}/{company}', body, headers=headers)

    def login(self, company, worth, client=None):
        """From start to end; `worth` says who it is, or makes an ID token from what was begun."""
        begun, pkce = self.start(company, client=client)
        code = self.companies.grant(company, begun, worth(begun) if callable(worth) else worth)
        return self.finish(company, code, begun, pkce, client=client)

    def google(self, **changes):
        return lambda begun: self.companies.id_token(self.companies.claims(begun, **changes))

    def verified_newcomer(self):
        """Somebody with a password and an address that is verified."""
        person = people.newcomer(self.system)
        with self.system.database() as database:
            database.rows('UPDATE accounts.users SET email_verified_at = now() WHERE id = %s RETURNING id', person.id)
        return person

    def count(self, what='users'):
        with self.system.database() as database:
            return database.value(f'SELECT count(*) FROM accounts.{what}')

    def identities(self, user):
        with self.system.database() as database:
            return [row['provider'] for row in database.rows(
                'SELECT provider FROM accounts.user_identities WHERE user_id = %s ORDER BY provider', user)]


    def busy(self, service):
        """The process in which a call of this service waits now."""
        def found():
            rows = self.system.ctl('counters', '-j', service)['counters']
            busy = {row['instance'] for row in rows if row['name'] == 'calls_in_flight' and row['value'] and row['service'] == service}
            return busy if len(busy) == 1 else None
        number = wait_until(found, 5, f'one busy instance of {service}').pop()
        return next(row['pid'] for row in self.system.instances(service) if row['instance'] == number)


def address():
    return f'{uuid.uuid4().hex[:12]}@example.com'


def at_once(calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


# --- the real provider -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('company', ['google', 'apple'])
def test_real_provider(real, company):
    """The first log-in makes an account, the second enters it. Apple: ES256 ID tokens, form_post, and a secret that we sign."""
    system, provider = real
    world, email = World(system, provider), address()
    who = f'{uuid.uuid4().hex}|{email}|1|김하나'

    def log_in():
        begun, pkce = world.start(company)
        assert ('response_mode=form_post' in begun['authorization_url']) == (company == 'apple')
        back = provider.visit(begun['authorization_url'], who)
        assert back['state'] == begun['state']
        return world.finish(company, back['code'], begun, pkce)

    first, second = log_in().expect(200).data, log_in().expect(200).data
    user = first['user']
    assert user['email'] == email and user['role'] == 'parent' and user['email_verified'] and user['phone'] is None
    assert user['name'] == (who.rsplit('|', 1)[1])
    assert second['user']['id'] == user['id'] and first['restored'] is False
    assert Client(system, second['access_token']).get(ME).expect(200).data['email'] == email
    Client(system).post('/api/v1/auth/refresh', {'refresh_token': first['refresh_token']}).expect(200)
    with system.database() as database:
        assert database.value('SELECT password_hash FROM accounts.users WHERE id = %s', user['id']) is None
    # No password opens it.
    Client(system).post('/api/v1/auth/login', {'email': email, 'password': 'correct horse 1'}).expect(401, 'INVALID_CREDENTIALS')


def test_real_provider_replays_nothing(real):
    system, provider = real
    world = World(system, provider)
    begun, pkce = world.start('google')
    back = provider.visit(begun['authorization_url'], f'{uuid.uuid4().hex}|{address()}|1|Kim')
    world.finish('google', back['code'], begun, pkce).expect(200)
    world.finish('google', back['code'], begun, pkce).expect(401, 'OAUTH_STATE_INVALID')
    again, other = world.start('google')
    world.finish('google', back['code'], again, other).expect(401, 'OAUTH_CODE_INVALID')


def test_real_provider_mixed_up(real):
    """A code of one provider, brought to another one."""
    system, provider = real
    world = World(system, provider)
    begun, pkce = world.start('google')
    back = provider.visit(begun['authorization_url'], f'{uuid.uuid4().hex}|{address()}|1|Kim')
    world.finish('apple', back['code'], begun, pkce).expect(401, 'OAUTH_STATE_INVALID')
    apple, other = world.start('apple')
    world.finish('apple', back['code'], apple, other).expect(401, 'OAUTH_CODE_INVALID')


# --- Kakao and Naver ---------------------------------------------------------------------------------------------------------

def test_kakao(world):
    email = address()
    user = world.login('kakao', kakao_user(1001, email)).expect(200).data['user']
    assert user['email'] == email and user['name'] == '홍길동' and user['email_verified']
    assert world.login('kakao', kakao_user(1001, 'changed@example.com')).expect(200).data['user']['id'] == user['id']
    path, form, _ = next(asked for asked in world.companies.asked if asked[0] == '/kakao/token')
    assert set(form) == {'grant_type', 'client_id', 'client_secret', 'redirect_uri', 'code', 'code_verifier'}


def test_naver(world):
    """Never verified: an account of its own, which is asked to verify its address like any other."""
    email = address()
    user = world.login('naver', naver_user('n-1', email)).expect(200).data['user']
    assert user['email'] == email and user['name'] == '오픈 API' and not user['email_verified']
    with world.system.database() as database:
        assert database.value('SELECT count(*) FROM accounts.email_verifications WHERE user_id = %s', user['id']) == 1
    assert world.login('naver', naver_user('n-1', email)).expect(200).data['user']['id'] == user['id']


def test_no_address(world):
    worth = kakao_user(1002, None)
    del worth['kakao_account']['email']
    before = world.count()
    world.login('kakao', worth).expect(422, 'OAUTH_EMAIL_REQUIRED')
    world.login('google', world.google(email='no address', sub='s-none')).expect(422, 'OAUTH_EMAIL_REQUIRED')
    assert world.count() == before


def test_cookie_delivery(world):
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(1003, address()))
    answer = world.finish('kakao', code, begun, pkce, token_delivery='cookie').expect(200)
    assert 'refresh_token' not in answer.data and answer.data['csrf_token']
    assert 'HttpOnly' in answer.header('set-cookie')


def test_language(world):
    begun, pkce = world.start('google')
    code = world.companies.grant('google', begun, 'no token at all')
    assert '소셜 로그인' in world.finish('google', code, begun, pkce).expect(401, 'OAUTH_TOKEN_INVALID').error['message']
    answer = world.finish('google', code, begun, pkce, client=Client(world.system, language='en'))
    assert 'social login' in answer.expect(401, 'OAUTH_STATE_INVALID').error['message']


# --- linking -----------------------------------------------------------------------------------------------------------------

def test_link_when_both_are_verified(world):
    person = world.verified_newcomer()
    answer = world.login('kakao', kakao_user(2001, person.email.upper()))
    assert answer.expect(200).data['user']['id'] == person.id
    assert world.identities(person.id) == ['kakao']
    people.log_in(world.system, person.email, person.password)


@pytest.mark.parametrize('verified_here, user', [
    (True, lambda email: ('kakao', kakao_user(2002, email, verified=False))),
    (True, lambda email: ('kakao', kakao_user(2002, email, valid=False))),
    (False, lambda email: ('kakao', kakao_user(2002, email))),
    (True, lambda email: ('naver', naver_user('n-2', email))),
    (False, lambda email: ('naver', naver_user('n-2', email)))])
def test_never_linked_by_an_unverified_address(world, verified_here, user):
    person = world.verified_newcomer() if verified_here else people.newcomer(world.system)
    before = world.count()
    company, worth = user(person.email)
    world.login(company, worth).expect(409, 'OAUTH_LINK_REQUIRED')
    assert world.identities(person.id) == [] and world.count() == before


def test_link_when_logged_in(world):
    """Whoever can log in to the account links what no address may link."""
    person = world.verified_newcomer()
    worth = naver_user(uuid.uuid4().hex, person.email)
    world.login('naver', worth).expect(409, 'OAUTH_LINK_REQUIRED')
    assert world.login('naver', worth, client=person.client).expect(200).data['user']['id'] == person.id
    assert world.login('naver', worth).expect(200).data['user']['id'] == person.id
    # Again is no error; another identity of the same provider, or one of somebody else, is.
    world.login('naver', worth, client=person.client).expect(200)
    world.login('naver', naver_user(uuid.uuid4().hex, person.email), client=person.client).expect(409, 'OAUTH_ALREADY_LINKED')
    stranger = people.newcomer(world.system)
    world.login('naver', worth, client=stranger.client).expect(409, 'OAUTH_ALREADY_LINKED')
    assert world.identities(stranger.id) == [] and world.identities(person.id) == ['naver']


def test_link_of_somebody_else(world):
    """A log-in that one person began is not ended by another, nor by nobody: nobody's identity lands in a stranger's account."""
    person, other = world.verified_newcomer(), world.verified_newcomer()
    for finisher in (other.client, Client(world.system)):
        begun, pkce = world.start('kakao', client=person.client)
        code = world.companies.grant('kakao', begun, kakao_user(2005, address()))
        world.finish('kakao', code, begun, pkce, client=finisher).expect(401, 'OAUTH_STATE_INVALID')
    assert world.identities(person.id) == world.identities(other.id) == []


def test_link_after_the_session_ended(world):
    """A new password, set while the provider is asked, ends the session that links: nothing is linked any more."""
    person = world.verified_newcomer()
    begun, pkce = world.start('kakao', client=person.client)
    code = world.companies.grant('kakao', begun, kakao_user(2007, address()))
    world.companies.fault('/kakao/me', body=json.dumps(kakao_user(2007, address())).encode(), delay=2)
    with world.system.database() as database:
        token = mail.planted(database, 'password_resets', person.id)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        linking = pool.submit(world.finish, 'kakao', code, begun, pkce, client=person.client)
        wait_until(lambda: world.companies.hits['/kakao/me'] == 1, 5)
        Client(world.system).post(RESET, {'token': token, 'new_password': NEW}).expect(200)
        linking.result().expect(401, 'OAUTH_STATE_INVALID')
    assert world.identities(person.id) == []


def test_an_account_that_waits_for_its_owner(world):
    """Somebody made it with an address that no company had verified. Its owner, who sets a password by mail, has it alone."""
    email = address()
    worth = naver_user(uuid.uuid4().hex, email)
    stranger = world.login('naver', worth).expect(200).data
    world.login('kakao', kakao_user(2008, address()), client=Client(world.system, stranger['access_token'])).expect(200)
    with world.system.database() as database:
        token = mail.planted(database, 'password_resets', stranger['user']['id'])
    Client(world.system).post(RESET, {'token': token, 'new_password': NEW}).expect(200)
    world.login('naver', worth).expect(409, 'OAUTH_LINK_REQUIRED')
    assert world.identities(stranger['user']['id']) == []
    owner = people.log_in(world.system, email, NEW)
    assert owner.client.get(ME).expect(200).data['email_verified']
    # What the owner links stays when the password is set anew.
    world.login('naver', worth, client=owner.client).expect(200)
    with world.system.database() as database:
        token = mail.planted(database, 'password_resets', stranger['user']['id'])
    Client(world.system).post(RESET, {'token': token, 'new_password': NEW + '!'}).expect(200)
    assert world.identities(stranger['user']['id']) == ['naver']


def test_suspended_and_deleted(world):
    email, subject = address(), 2006
    login = world.login('kakao', kakao_user(subject, email)).expect(200).data
    Client(world.system, login['access_token']).request('DELETE', ME, {}).expect(200)
    back = world.login('kakao', kakao_user(subject, email)).expect(200).data
    assert back['restored'] is True and back['user']['id'] == login['user']['id']
    admin = people.demo(world.system, 'admin').client
    admin.patch(f'/api/v1/admin/users/{back["user"]["id"]}', {'status': 'suspended'}).expect(200)
    world.login('kakao', kakao_user(subject, email)).expect(403, 'SUSPENDED')
    # Its address opens no second account.
    world.login('google', world.google(email=email)).expect(409, 'OAUTH_LINK_REQUIRED')


def test_identity_is_exported_and_forgotten(world):
    subject, email = uuid.uuid4().hex, address()
    login = world.login('naver', naver_user(subject, email)).expect(200).data
    client = Client(world.system, login['access_token'])
    client.post(f'{ME}/export').expect(202)

    def ready():
        status = client.get(f'{ME}/export').expect(200).data
        return status if status['state'] == 'ready' else None
    link = wait_until(ready, 40, 'the export')['link']
    identity, = Client(world.system).get(link).expect(200).json['data']['accounts']['identities']
    assert (identity['provider'], identity['subject']) == ('naver', subject)

    client.request('DELETE', ME, {}).expect(200)
    with world.system.database() as database:
        database.rows("UPDATE accounts.users SET deleted_at = now() - interval '31 days' WHERE id = %s RETURNING id",
                      login['user']['id'])
        wait_until(lambda: database.value('SELECT count(*) FROM accounts.user_identities WHERE subject = %s', subject) == 0, 30,
                   'the identity forgotten')
    # Its address is nobody's yet: no new account slips in.
    answer = world.login('naver', naver_user(subject, email))
    assert answer.status in (200, 409) and (answer.status == 409 or answer.data['user']['id'] != login['user']['id'])


# --- attacks: the state ------------------------------------------------------------------------------------------------------

def test_state_works_once_however_it_ends(world):
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(3001, address()))
    world.finish('kakao', 'no-such-code', begun, pkce).expect(401, 'OAUTH_CODE_INVALID')
    world.finish('kakao', code, begun, pkce).expect(401, 'OAUTH_STATE_INVALID')


@pytest.mark.parametrize('wrong', [
    {'state': 'x' * 43}, {'state': ''.join(reversed(Pkce().verifier))}, {'redirect_uri': OTHER_APP},
    {'redirect_uri': APP + '/'}, {'code_verifier': Pkce().verifier}])
def test_state_of_another_log_in(world, wrong):
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(3002, address()))
    before = world.count()
    world.finish('kakao', code, begun, pkce, **wrong).expect(401, 'OAUTH_STATE_INVALID')
    assert world.count() == before and world.companies.hits['/kakao/token'] == 0


def test_plain_challenge(world):
    """The verifier is not the challenge: whoever saw the URL has no verifier."""
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(3003, address()))
    world.finish('kakao', code, begun, pkce, code_verifier=pkce.challenge).expect(401, 'OAUTH_STATE_INVALID')


def test_state_of_another_provider(world):
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(3004, address()))
    world.finish('google', code, begun, pkce).expect(401, 'OAUTH_STATE_INVALID')
    assert world.companies.asked == []


def test_state_expires(world):
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(3005, address()))
    with world.system.database() as database:
        database.rows("UPDATE accounts.oauth_states SET expires_at = expires_at - interval '10 minutes' RETURNING provider")
    world.finish('kakao', code, begun, pkce).expect(401, 'OAUTH_STATE_INVALID')
    # What nobody can use any more is taken away by those that begin later.
    states = world.count('oauth_states')
    for _ in range(states):
        world.start('kakao')
    with world.system.database() as database:
        assert database.value('SELECT count(*) FROM accounts.oauth_states WHERE expires_at < now()') == 0


def test_state_is_kept_as_a_digest(world):
    begun, _ = world.start('kakao')
    with world.system.database() as database:
        assert begun['state'] not in str(database.rows('SELECT * FROM accounts.oauth_states'))


def test_code_of_another_log_in(world):
    """A stolen code in the thief's own log-in: the provider has bound it to the verifier of the log-in it was made in."""
    begun, _ = world.start('google')
    code = world.companies.grant('google', begun, world.google()(begun))
    mine, pkce = world.start('google')
    world.finish('google', code, mine, pkce).expect(401, 'OAUTH_CODE_INVALID')


# --- attacks: the start ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('redirect_uri', [
    'https://evil.example.com/login/callback', APP + '?x=1', APP + '/', APP.upper(), 'https://app.example.com.evil.com/', 'x'])
def test_redirect_uri_must_be_allowed(world, redirect_uri):
    answer = Client(world.system).get(f'{OAUTH}/kakao/start',
                                      query={'redirect_uri': redirect_uri, 'code_challenge': Pkce().challenge})
    assert answer.expect(400, 'VALIDATION_ERROR').fields == ['redirect_uri']


@pytest.mark.parametrize('challenge', ['x' * 42, 'x' * 44, '=' * 43, 'é' * 43, ''])
def test_challenge_must_be_one(world, challenge):
    answer = Client(world.system).get(f'{OAUTH}/kakao/start', query={'redirect_uri': APP, 'code_challenge': challenge})
    assert answer.expect(400, 'VALIDATION_ERROR').fields == ['code_challenge']


def test_start_names_all(world):
    answer = Client(world.system).get(f'{OAUTH}/kakao/start')
    assert answer.expect(400).fields == ['code_challenge', 'redirect_uri']
    assert Client(world.system).post(f'{OAUTH}/kakao', {}).expect(400).fields == ['code', 'code_verifier', 'redirect_uri', 'state']


@pytest.mark.parametrize('company', ['apple', 'facebook', 'GOOGLE'])
def test_provider_that_is_not_configured(world, company):
    pkce = Pkce()
    query = {'redirect_uri': APP, 'code_challenge': pkce.challenge}
    Client(world.system).get(f'{OAUTH}/{company}/start', query=query).expect(404, 'NOT_FOUND')
    world.finish(company, 'c', {'state': 's'}, pkce).expect(404, 'NOT_FOUND')


# --- attacks: the ID token ---------------------------------------------------------------------------------------------------

ATTACKS = {
    'wrong nonce': lambda c, claims: c.id_token({**claims, 'nonce': 'x' * 43}),
    'no nonce': lambda c, claims: c.id_token({k: v for k, v in claims.items() if k != 'nonce'}),
    'wrong aud': lambda c, claims: c.id_token({**claims, 'aud': 'another-client'}),
    'among other audiences, without azp': lambda c, claims: c.id_token({**claims, 'aud': ['google-client', 'another-client']}),
    'wrong azp': lambda c, claims: c.id_token({**claims, 'azp': 'another-client'}),
    'wrong iss': lambda c, claims: c.id_token({**claims, 'iss': 'https://accounts.evil.com'}),
    'expired': lambda c, claims: c.id_token({**claims, 'iat': claims['iat'] - 7200, 'exp': claims['iat'] - 3600}),
    'from the future': lambda c, claims: c.id_token({**claims, 'iat': claims['iat'] + 3600, 'exp': claims['iat'] + 7200}),
    'alg none': lambda c, claims: providers.jwt.encode(claims, None, 'none', headers={'kid': 'k1'}),
    'HS256 with the public key': lambda c, claims: hs256(claims, providers.public_pem(c.key)),
    'another key under a known id': lambda c, claims: c.id_token(claims, key=c.other_key),
    'ES256 under the id of an RSA key': lambda c, claims: c.id_token(claims, key=c.ec_key, algorithm='ES256'),
    'key not in the JWKS': lambda c, claims: c.id_token(claims, key=c.other_key, kid='k9'),
    'changed after signing': lambda c, claims: spliced(c.id_token(claims), c.id_token({**claims, 'sub': 'somebody else'})),
    'no ID token': lambda c, claims: None,
    'no JWT': lambda c, claims: 'hello',
}


def hs256(claims, key):
    """By hand: PyJWT refuses to do such a thing."""
    body = '.'.join(providers.b64(json.dumps(part).encode()) for part in ({'alg': 'HS256', 'typ': 'JWT', 'kid': 'k1'}, claims))
    assert key.startswith(b'-----BEGIN PUBLIC KEY')
    return f'{body}.{providers.b64(hmac.new(key, body.encode(), hashlib.sha256).digest())}'


def spliced(one, other):
    return '.'.join([other.split('.')[0], other.split('.')[1], one.split('.')[2]])


@pytest.mark.parametrize('attack', ATTACKS, ids=lambda name: name.replace(' ', '_'))
def test_id_token_is_refused(world, attack):
    before, sessions = world.count(), world.count('auth_sessions')
    answer = world.login('google', lambda begun: ATTACKS[attack](world.companies, world.companies.claims(begun)))
    answer.expect(401, 'OAUTH_TOKEN_INVALID')
    assert world.count() == before and world.count('auth_sessions') == sessions


def test_unverified_address_of_google(world):
    person = world.verified_newcomer()
    for changes in ({'email_verified': False}, {'email_verified': None}, {'email_verified': 'false'}):
        world.login('google', world.google(email=person.email, **changes)).expect(409, 'OAUTH_LINK_REQUIRED')
    assert world.login('google', world.google(email=person.email)).expect(200).data['user']['id'] == person.id


def test_rotated_keys(world):
    """A new key is fetched when a token names it; for what does not exist the provider is asked once a minute, not each time."""
    companies, accounts = world.companies, len(world.system.instances('accounts'))
    world.login('google', world.google()).expect(200)
    companies.jwks.append(providers.ec_jwk(companies.ec_key, 'k2'))
    try:
        def new_key(begun):
            return companies.id_token(companies.claims(begun), key=companies.ec_key, algorithm='ES256', kid='k2')
        # Each instance has asked in vain at most once so far (the attack above), and does so again at the latest in a minute.
        wait_until(lambda: world.login('google', new_key).status == 200, 70, 'the new key', every=1)
    finally:
        companies.jwks.pop()
    hits = companies.hits['/google/keys']
    for _ in range(6 * accounts):
        world.login('google', lambda begun: companies.id_token(companies.claims(begun), kid='k9')).expect(401)
    assert companies.hits['/google/keys'] - hits <= accounts


# --- faults of a provider ----------------------------------------------------------------------------------------------------

FAULTS = {
    'down': dict(status=503, body=b'{"error": "temporarily_unavailable"}'),
    'garbage': dict(body=b'<html>login</html>'),
    'empty': dict(body=b''),
    'no tokens': dict(body=b'{}'),
    'wrong types': dict(body=b'{"access_token": {"a": 1}, "id_token": 7}'),
    'too deep': dict(body=b'{"a":' + b'[' * 5000 + b']' * 5000 + b'}'),
    'too large': dict(body=b'{"access_token": "' + b'x' * 300000 + b'"}'),
    'elsewhere': dict(status=302, headers={'location': '/evil/token'}),
    'elsewhere, kept': dict(status=307, headers={'location': '/evil/token'}),
    'a header in a token': dict(body=b'{"access_token": "a\\r\\nx-evil: 1"}'),
    'we are unknown': dict(status=401, body=b'{"error": "invalid_client"}'),
}


@pytest.mark.parametrize('what', ['token', 'me'])
@pytest.mark.parametrize('fault', FAULTS, ids=lambda name: name.replace(' ', '_'))
def test_provider_fails(world, what, fault):
    before = world.count()
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(4001, address()))
    world.companies.fault(f'/kakao/{what}', **FAULTS[fault])
    world.finish('kakao', code, begun, pkce).expect(503, 'UNAVAILABLE')
    assert world.count() == before and world.companies.hits['/evil/token'] == 0


def test_provider_is_slow(world):
    world.companies.fault('/kakao/token', body=b'{}', delay=7)
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(4002, address()))
    began, before = time.monotonic(), world.count()
    world.finish('kakao', code, begun, pkce).expect(504, 'TIMEOUT')
    assert time.monotonic() - began < 6 and world.count() == before
    # While it is awaited others are served.
    begun, pkce = world.start('kakao')
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(world.finish, 'kakao', 'c', begun, pkce)
        wait_until(lambda: world.companies.hits['/kakao/token'] == 2, 5)
        for _ in range(10):
            Client(world.system).get('/api/v1/users/me').expect(401)
        assert world.login('naver', naver_user(uuid.uuid4().hex, address())).status == 200 and not slow.done()
        slow.result().expect(504)


def test_keys_cannot_be_had(world):
    """No keys, no log-in; and with them again, all is well."""
    system, companies = world.system, world.companies
    companies.fault('/google/keys', status=500)
    system.ctl('restart', 'accounts')
    system.wait_ready()
    world.login('google', world.google()).expect(503, 'UNAVAILABLE')
    companies.fault('/google/keys', body=b'{"keys": {}}')
    world.login('google', world.google()).expect(503, 'UNAVAILABLE')
    del companies.faults['/google/keys']
    world.login('google', world.google()).expect(200)


# --- at once, and again ------------------------------------------------------------------------------------------------------

def test_the_same_code_at_once(world):
    """The provider is asked once, whoever was first."""
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(5001, address()))
    answers = at_once([lambda: world.finish('kakao', code, begun, pkce)] * 8)
    assert sorted(answer.status for answer in answers) == [200] + [401] * 7
    assert {answer.code for answer in answers if answer.status != 200} == {'OAUTH_STATE_INVALID'}
    assert world.companies.hits['/kakao/token'] == 1


@pytest.mark.parametrize('company, user', [('kakao', kakao_user), ('naver', naver_user)])
def test_the_same_newcomer_at_once(world, company, user):
    """Many first log-ins of one person: one account, whether or not its address is verified."""
    email, before = address(), world.count()
    worth = user(5002 if company == 'kakao' else uuid.uuid4().hex, email)
    answers = at_once([lambda: world.login(company, worth)] * 8)
    assert {answer.status for answer in answers} == {200}, [str(answer) for answer in answers if answer.status != 200]
    assert len({answer.data['user']['id'] for answer in answers}) == 1 and world.count() == before + 1


def test_the_same_address_at_once(world):
    """One person by two companies, and a stranger who registers with the address: one account."""
    email, before = address(), world.count()
    body = people.registration(email=email)
    answers = at_once([lambda: world.login('kakao', kakao_user(5003, email)),
                       lambda: world.login('google', world.google(email=email, sub='s-5003')),
                       lambda: Client(world.system).post('/api/v1/auth/register', body)])
    assert {answer.status for answer in answers} <= {200, 201, 409} and world.count() == before + 1


def test_idempotency_key(world):
    """The same request again has the same answer, and the provider is asked once."""
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(5004, address()))
    headers = {'idempotency-key': uuid.uuid4().hex}
    first = world.finish('kakao', code, begun, pkce, headers=headers).expect(200)
    again = world.finish('kakao', code, begun, pkce, headers=headers).expect(200)
    assert again.data == first.data and again.header('idempotency-replayed') == 'true'
    assert world.companies.hits['/kakao/token'] == 1
    # Once the session has ended, its tokens are not told again.
    Client(world.system, first.data['access_token']).post('/api/v1/auth/logout', {}).expect(200)
    world.finish('kakao', code, begun, pkce, headers=headers).expect(401, 'OAUTH_STATE_INVALID')


def test_an_instance_dies_meanwhile(world):
    """Its call goes to another one, which holds the claim and asks anew; whatever the provider then says, nothing is half done."""
    before = world.count()
    begun, pkce = world.start('kakao')
    code = world.companies.grant('kakao', begun, kakao_user(5005, address()))
    world.companies.fault('/kakao/token', status=503, delay=2.8)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(world.finish, 'kakao', code, begun, pkce)
        wait_until(lambda: world.companies.hits['/kakao/token'] == 1, 5)
        world.companies.faults.clear()
        world.system.kill(world.busy('accounts'))
        waiting.result().expect(200)
    world.system.wait_ready()
    assert world.count() == before + 1 and world.companies.hits['/kakao/token'] == 2


# --- what is not told --------------------------------------------------------------------------------------------------------

def test_nothing_secret_in_the_logs(world):
    mark = world.system.logs.mark()
    begun, pkce = world.start('google')
    token = world.google(email=address())(begun)
    code = world.companies.grant('google', begun, token)
    login = world.finish('google', code, begun, pkce).expect(200).data
    bad, other = world.start('google')
    world.finish('google', code, bad, other).expect(401)
    kakao, more = world.start('kakao')
    email = address()
    kakao_code = world.companies.grant('kakao', kakao, kakao_user(6001, email))
    world.finish('kakao', kakao_code, kakao, more).expect(200)
    wait_until(lambda: any('"oauth_refused"' in text for text in world.system.logs.since(mark).values()), 5)
    told = '\n'.join(world.system.logs.since(mark).values())
    secret = [code, token, kakao_code, begun['state'], bad['state'], pkce.verifier, other.verifier, login['access_token'],
              login['refresh_token'], email, login['user']['email'], *world.companies.client_secrets.values(),
              *(key[1].split()[1] for key in world.companies.tokens),
              urllib.parse.parse_qs(urllib.parse.urlsplit(begun['authorization_url']).query)['nonce'][0]]
    assert [text for text in secret if text in told] == []
