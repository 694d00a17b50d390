"""Access tokens: expired, forged, of another algorithm or none, for another audience, from another issuer, of an unknown key,
revoked, and no tokens at all: each is 401, and nothing says more than that."""
import base64
import json
import time

import jwt
import pytest

from harness import people
from harness.client import Client
from harness.h2 import H2Client

ME = '/api/v1/users/me'


def ring(system):
    """[(id, key)] of jwt_keys; the first signs."""
    pairs = [pair.split(':') for pair in system.secret('jwt_keys').decode().strip().split(',')]
    return [(name, base64.urlsafe_b64decode(key + '=' * (-len(key) % 4))) for name, key in pairs]


class Forge:
    """Makes tokens out of a real one, signed by the system's own key unless told otherwise."""

    def __init__(self, system, token):
        self.token = token
        self.claims = jwt.decode(token, options={'verify_signature': False})
        self.header = jwt.get_unverified_header(token)
        self.key = dict(ring(system))[self.header['kid']]

    def sign(self, key=None, algorithm='HS256', header=None, **changes):
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not None}
        return jwt.encode(claims, self.key if key is None else key, algorithm=algorithm,
                          headers={'kid': self.header['kid'], **(header or {})})

    def raw(self, header, claims=None, signature=b''):
        parts = (json.dumps(header).encode(), json.dumps(claims or self.claims).encode(), signature)
        return '.'.join(base64.urlsafe_b64encode(part).decode().rstrip('=') for part in parts)


@pytest.fixture
def forge(system, parent):
    return Forge(system, parent.token)


def refused(system, token):
    answer = Client(system, token).get(ME).expect(401, 'UNAUTHENTICATED')
    assert 'Bearer' in answer.header('www-authenticate')
    return answer


def test_the_forge_works(system, forge, parent):
    """What follows would prove nothing if a token signed here were refused anyhow."""
    assert Client(system, forge.sign()).get(ME).expect(200).data['id'] == parent.id


def test_expired(system, forge):
    now = int(time.time())
    refused(system, forge.sign(iat=now - 1000, exp=now - 100))
    refused(system, forge.sign(exp=now - 1))
    refused(system, forge.sign(exp=None))
    refused(system, forge.sign(exp='tomorrow'))
    refused(system, forge.sign(exp=-1))


def test_other_claims(system, forge):
    refused(system, forge.sign(iss='somebody'))
    refused(system, forge.sign(iss=None))
    refused(system, forge.sign(aud='another-api'))
    refused(system, forge.sign(aud=None))
    refused(system, forge.sign(sub='not-a-uuid'))
    refused(system, forge.sign(sub=None))
    refused(system, forge.sign(role='king'))
    refused(system, forge.sign(role=None))


def test_other_keys(system, forge):
    refused(system, forge.sign(key=b'x' * 32))
    refused(system, forge.sign(key=b''))
    refused(system, forge.sign(header={'kid': 'unknown'}))
    refused(system, forge.sign(header={'kid': '../../etc/passwd'}))


@pytest.mark.parametrize('algorithm', ['HS384', 'HS512'])
def test_other_algorithms(system, forge, algorithm):
    refused(system, forge.sign(algorithm=algorithm))


@pytest.mark.parametrize('name', ['none', 'None', 'NONE', 'nOnE', '', 'HS256 ', 'RS256', 'ES256', 'EdDSA'])
def test_no_algorithm(system, forge, name):
    header = {**forge.header, 'alg': name}
    refused(system, forge.raw(header))
    refused(system, forge.raw(header, signature=b'x' * 32))


def test_signature(system, forge):
    head, claims, signature = forge.token.split('.')
    refused(system, f'{head}.{claims}.')
    refused(system, f'{head}.{claims}')
    flipped = signature[:10] + ('A' if signature[10] != 'A' else 'B') + signature[11:]
    refused(system, f'{head}.{claims}.{flipped}')
    admin = base64.urlsafe_b64encode(json.dumps({**forge.claims, 'role': 'admin'}).encode()).decode().rstrip('=')
    refused(system, f'{head}.{admin}.{signature}')


@pytest.mark.parametrize('token', ['x', '.', '..', '...', 'a.b.c', 'e30.e30.e30', '=' * 50, 'x' * 8000, '%00', '가나다'.encode().hex()])
def test_no_tokens(system, token):
    refused(system, token)


@pytest.mark.parametrize('value', ['Bearer', 'Bearer ', 'Basic dXNlcjpwYXNz', 'bearer', 'Token x', '', 'Bearer a b', '\tBearer'])
def test_other_schemes(system, value):
    Client(system).get(ME, headers={'authorization': value}).expect(401, 'UNAUTHENTICATED')


def test_scheme_in_any_case(system, parent):
    """RFC 9110, 11.1: the scheme is compared without regard to case."""
    Client(system).get(ME, headers={'authorization': f'bearer {parent.token}'}).expect(200)


def test_token_elsewhere_is_no_token(system, parent):
    client = Client(system)
    client.get(f'{ME}?access_token={parent.token}', check=False).expect(401)
    client.get(ME, headers={'cookie': f'access_token={parent.token}'}).expect(401)


def test_role_is_the_tokens(system, forge):
    """A token that we signed as parent's is no admin's, whatever it asks for."""
    Client(system, forge.token).get('/api/v1/admin/users').expect(403, 'FORBIDDEN')
    Client(system, 'x').get('/api/v1/admin/users').expect(401)
    Client(system).get('/api/v1/admin/users').expect(401)


def test_tokens_in_turn_over_one_connection(system, parent, admin):
    """Over HTTP/2 the last one is remembered as it travels: what comes next is told from it byte by byte."""
    parts = parent.token.split('.')
    forged = [f'{parts[0]}.{parts[1]}.{parts[2][:-2]}{"A" if parts[2][-2] != "A" else "B"}{parts[2][-1]}',
              f'{parts[0]}.{admin.token.split(".")[1]}.{parts[2]}', parent.token[:-1], parent.token + 'A']
    order = [parent.token, parent.token, forged[0], forged[0], parent.token, admin.token, admin.token, forged[1], parent.token,
             forged[2], None, parent.token, forged[3], admin.token, forged[0], parent.token]
    ids = {parent.token: parent.id, admin.token: admin.id}
    with H2Client(system) as client:
        seen = set()
        for token in order:
            answer = client.request('GET', ME, token=token)
            assert answer.status == (200 if token in ids else 401), token
            assert token not in ids or answer.data['id'] == ids[token]
            seen.add(answer.header('x-request-id'))
        assert len(seen) == len(order)
        streams = [(token, client.send('GET', ME, token=token)) for token in order * 3]  # several blocks in one read
        for token, stream in streams:
            answer = client.wait(stream)
            assert answer.status == (200 if token in ids else 401) and (token not in ids or answer.data['id'] == ids[token])
