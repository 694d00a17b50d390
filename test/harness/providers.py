"""providers: companies to log in by. OidcProvider is the real oidc-provider from npm, for Google's and Apple's form; Companies is a
server of our own that answers in Kakao's and Naver's documented forms, and in Google's with whatever a test wants said."""
import base64
import collections
import hashlib
import html
import http.server
import json
import os
import re
import secrets
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from .system import ROOT, free_port

OIDC_PROVIDER = '8.8.1'
APP = 'https://app.example.com/login/callback'
OTHER_APP = 'com.example.app:/login'


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


class Pkce:
    """What a client makes for itself: a verifier, and its challenge (RFC 7636)."""

    def __init__(self):
        self.verifier = b64(secrets.token_bytes(32))
        self.challenge = b64(hashlib.sha256(self.verifier.encode()).digest())


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, 'big'))


def rsa_jwk(key, kid):
    numbers = key.public_key().public_numbers()
    return {'kty': 'RSA', 'kid': kid, 'alg': 'RS256', 'use': 'sig', 'n': number(numbers.n), 'e': number(numbers.e)}


def ec_jwk(key, kid):
    numbers = key.public_key().public_numbers()
    return {'kty': 'EC', 'crv': 'P-256', 'kid': kid, 'x': b64(numbers.x.to_bytes(32, 'big')), 'y': b64(numbers.y.to_bytes(32, 'big'))}


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


# --- the real one ------------------------------------------------------------------------------------------------------------

def oidc_home():
    """Where oidc-provider is; installed once below build/, which is not committed, and again when another version is wanted."""
    home = os.path.join(ROOT, 'build', 'node-oidc')
    package = os.path.join(home, 'node_modules', 'oidc-provider', 'package.json')
    if not os.path.exists(package) or json.load(open(package, encoding='utf-8'))['version'] != OIDC_PROVIDER:
        os.makedirs(home, exist_ok=True)
        subprocess.run(['npm', 'install', '--no-save', '--no-audit', '--no-fund', '--prefix', home,
                        f'oidc-provider@{OIDC_PROVIDER}'], check=True, timeout=600)
    return home


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class OidcProvider:
    def __init__(self):
        self.port = free_port()
        self.apple_key = ec.generate_private_key(ec.SECP256R1())
        self.google_secret = secrets.token_urlsafe(24)
        settings = {'home': oidc_home(), 'port': self.port, 'redirect_uris': [APP],
                    'google': {'client_id': 'google-client', 'secret': self.google_secret},
                    'apple': {'client_id': 'com.example.aipoten', 'team': 'TEAM123456', 'key': ec_jwk(self.apple_key, 'KEY1234567')}}
        self.process = subprocess.Popen(['node', os.path.join(ROOT, 'test', 'harness', 'oidc_provider.mjs'), json.dumps(settings)],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout.readline() == b'listening\n', 'oidc-provider does not start'

    def settings(self):
        base = f'http://127.0.0.1:{self.port}'
        urls = {'authorization_url': f'{base}/auth', 'token_url': f'{base}/token', 'keys_url': f'{base}/jwks', 'issuer': base,
                'scope': 'openid email profile'}
        return {'google': {'client_id': 'google-client', **urls},
                'apple': {'client_id': 'com.example.aipoten', 'team_id': 'TEAM123456', 'key_id': 'KEY1234567', **urls}}

    def secrets(self):
        return {'oauth.google': self.google_secret, 'oauth.apple': private_pem(self.apple_key)}

    def close(self):
        self.process.kill()
        self.process.wait()

    def visit(self, url, who):
        """As a browser of `who` ("subject|e-mail|verified|name") goes from the authorization URL to our redirect URI: what it
        carries, {code, state, iss}."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(), NoRedirect())
        data = None
        for _ in range(12):
            try:
                answer = opener.open(urllib.request.Request(url, data), timeout=20)
            except urllib.error.HTTPError as error:
                answer = error
            page = answer.read().decode()
            if answer.status in (302, 303):
                url, data = urllib.parse.urljoin(url, answer.headers['location']), None
                if url.startswith(APP):
                    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
                continue
            assert answer.status == 200, page
            action = html.unescape(re.search(r'<form[^>]* action="([^"]+)"', page)[1])
            fields = {name: html.unescape(value) for name, value in
                      re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)}
            if action == APP:  # response_mode=form_post
                return fields
            if fields.get('prompt') == 'login':
                fields.update(login=who, password='any')
            url, data = urllib.parse.urljoin(url, action), urllib.parse.urlencode(fields).encode()
        raise AssertionError('the provider leads nowhere')


# --- ours --------------------------------------------------------------------------------------------------------------------

class Companies:
    """A test says what a code is worth (`grant`), and what goes wrong (`fault`); `asked` has what we were sent."""

    def __init__(self):
        self.key, self.other_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.ec_key = ec.generate_private_key(ec.SECP256R1())
        self.jwks = [rsa_jwk(self.key, 'k1')]
        self.client_secrets = {name: secrets.token_urlsafe(24) for name in ('google', 'kakao', 'naver')}
        self.lock = threading.Lock()
        self.forget()
        companies = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                companies.answer(self, {})

            def do_POST(self):
                length = int(self.headers.get('content-length', 0))
                companies.answer(self, dict(urllib.parse.parse_qsl(self.rfile.read(length).decode())))

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(('127.0.0.1', 0), Handler)
        self.base = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def forget(self):
        self.grants, self.tokens, self.faults = {}, {}, {}
        self.asked, self.hits = [], collections.Counter()

    def settings(self):
        google = {'client_id': 'google-client', 'authorization_url': f'{self.base}/google/auth', 'issuer': self.base,
                  'token_url': f'{self.base}/google/token', 'keys_url': f'{self.base}/google/keys'}
        return {'google': google, **{name: {
            'client_id': f'{name}-client', 'authorization_url': f'{self.base}/{name}/authorize',
            'token_url': f'{self.base}/{name}/token', 'user_url': f'{self.base}/{name}/me'} for name in ('kakao', 'naver')}}

    def secrets(self):
        return {f'oauth.{name}': secret for name, secret in self.client_secrets.items()}

    def grant(self, company, begun, worth):
        """A user of the company agreed: the code, for whoever shows the verifier of the challenge. `worth`: the ID token, or the
        body that tells who it is."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(begun['authorization_url']).query))
        assert query['client_id'] == f'{company}-client' and query['response_type'] == 'code'
        assert query['code_challenge_method'] == 'S256'
        code = secrets.token_urlsafe(24)
        self.grants[code] = {'company': company, 'query': query, 'worth': worth}
        return code

    def fault(self, path, status=200, body=b'', headers=None, delay=0):
        """From now on this path answers so."""
        self.faults[path] = (status, body, headers or {}, delay)

    def claims(self, begun, **changes):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(begun['authorization_url']).query))
        now = int(time.time())
        claims = {'iss': self.base, 'aud': 'google-client', 'sub': secrets.token_hex(8), 'iat': now, 'exp': now + 300,
                  'nonce': query['nonce'], 'email': f'{secrets.token_hex(6)}@gmail.example', 'email_verified': True, 'name': '김하나',
                  **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def id_token(self, claims, key=None, algorithm='RS256', kid='k1'):
        return jwt.encode(claims, key or self.key, algorithm, headers={'kid': kid})

    # --- its answers ---------------------------------------------------------------------------------------------------

    def answer(self, request, form):
        path = urllib.parse.urlsplit(request.path).path
        with self.lock:
            self.hits[path] += 1
            self.asked.append((path, form, dict(request.headers)))
            status, body, headers, delay = self.faults.get(path) or self.say(path, form, request.headers)
        if delay:
            time.sleep(delay)
        try:
            request.send_response(status)
            for name, value in {'content-length': len(body), 'content-type': 'application/json', **headers}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was too long, or came too late

    def say(self, path, form, headers):
        _, company, what = path.split('/', 2)
        if what == 'keys':
            return self.json({'keys': self.jwks})
        if what == 'token':
            return self.exchange(company, form)
        if what == 'me':
            worth = self.tokens.get((company, headers.get('authorization')))
            if worth is None:
                return self.json({'msg': 'this access token does not exist', 'code': -401}, 401)
            return self.json(worth)
        return self.json({}, 404)

    @staticmethod
    def json(value, status=200):
        return status, json.dumps(value, ensure_ascii=False).encode(), {}, 0

    def refuse(self, company, error):
        """Naver says it with status 200."""
        return self.json({'error': error, 'error_description': 'no', **({'error_code': 'KOE320'} if company == 'kakao' else {})},
                         200 if company == 'naver' else 400)

    def exchange(self, company, form):
        if (form.get('client_id'), form.get('client_secret')) != (f'{company}-client', self.client_secrets[company]):
            return self.json({'error': 'invalid_client'}, 401)
        grant = self.grants.pop(form.get('code'), None)
        right = grant is not None and grant['company'] == company and form.get('grant_type') == 'authorization_code'
        right = right and form.get('redirect_uri') == grant['query']['redirect_uri']
        right = right and b64(hashlib.sha256(form['code_verifier'].encode()).digest()) == grant['query']['code_challenge']
        if company == 'naver':
            right = right and form.get('state') == grant['query']['state']
        if not right:
            return self.refuse(company, 'invalid_request' if company == 'naver' else 'invalid_grant')
        token = secrets.token_urlsafe(24)
        answer = {'access_token': token, 'token_type': 'bearer', 'expires_in': 3600, 'refresh_token': 'r', 'more': {'x': [1]}}
        if company == 'google':
            return self.json({**answer, **({'id_token': grant['worth']} if grant['worth'] else {})})
        self.tokens[company, f'Bearer {token}'] = grant['worth']
        return self.json(answer)


def kakao_user(subject, email, valid=True, verified=True, **more):
    """developers.kakao.com, "Retrieve user information"."""
    return {'id': subject, 'connected_at': '2026-01-01T00:00:00Z', 'kakao_account': {
        'profile_nickname_needs_agreement': False, 'profile': {'nickname': '홍길동', 'is_default_nickname': False},
        'has_email': True, 'email_needs_agreement': False, 'is_email_valid': valid, 'is_email_verified': verified, 'email': email,
        **more}}


def naver_user(subject, email):
    """developers.naver.com, "Naver Login API reference"."""
    return {'resultcode': '00', 'message': 'success', 'response': {'id': subject, 'nickname': 'OpenAPI', 'name': '오픈 API',
                                                                   'email': email, 'gender': 'F', 'age': '40-49'}}


def start_with(system, secret_files):
    """Starts a system whose operator put these files into var/secrets before."""
    directory = os.path.join(system.var, 'secrets')
    os.makedirs(directory, mode=0o700, exist_ok=True)
    for name, text in secret_files.items():
        with open(os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='utf-8') as file:
            file.write(text + '\n')
    system.start()
