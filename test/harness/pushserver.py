"""pushserver: a server of our own in the place of the push services: of browsers (whose messages it decrypts as a browser would), of
Firebase Cloud Messaging with its tokens, and of Apple. It answers as a test says."""
import base64
import json
import os
import struct
import threading
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .localserver import Handler, LocalServer


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def point(key):
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def hkdf(salt, secret, info, length):
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def claims(token, key):
    """Of a JWT that this public key vouches for."""
    said, _, signature = token.rpartition('.')
    signature = unb64(signature)
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, said.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        assert len(signature) == 64
        numbers = (int.from_bytes(signature[:32], 'big'), int.from_bytes(signature[32:], 'big'))
        key.verify(encode_dss_signature(*numbers), said.encode(), ec.ECDSA(hashes.SHA256()))
    head, body = said.split('.')
    return json.loads(unb64(head)), json.loads(unb64(body))


class Browser:
    """A subscription, and what only it can read (RFC 8291)."""

    def __init__(self, server, name):
        self.key, self.auth, self.endpoint = ec.generate_private_key(ec.SECP256R1()), os.urandom(16), f'{server.url}/web/{name}'

    def registration(self, **more):
        return {'platform': 'web', 'token': self.endpoint, 'keys': {'p256dh': b64(point(self.key.public_key())), 'auth': b64(self.auth)},
                **more}

    def open(self, body):
        salt, size, length = body[:16], struct.unpack('>I', body[16:20])[0], body[20]
        sender, text = body[21:21 + length], body[21 + length:]
        assert length == 65 and size == 4096 and len(text) <= size
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        secret = hkdf(self.auth, shared, b'WebPush: info\0' + point(self.key.public_key()) + sender, 32)
        key, nonce = hkdf(salt, secret, b'Content-Encoding: aes128gcm\0', 16), hkdf(salt, secret, b'Content-Encoding: nonce\0', 12)
        plain = AESGCM(key).decrypt(nonce, text, None)
        assert plain[-1] == 2
        return json.loads(plain[:-1])


class PushServer(LocalServer):
    """`got`: (path, headers, body) of all that came. `answers`: {path: [statuses or (status, body), …]}, then 201; after `held`'s event of
    the path."""

    def __init__(self):
        self.got, self.answers, self.held, self.lock = [], {}, {}, threading.Lock()
        self.fcm_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.apns_key = ec.generate_private_key(ec.SECP256R1())
        outer = self

        class Service(Handler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['content-length']))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with outer.lock:
                    outer.got.append((self.path, headers, body))
                    waiting = outer.answers.get(self.path)
                    answer = waiting.pop(0) if waiting else 201
                if self.path in outer.held:
                    outer.held[self.path].wait(60)
                status, said = answer if isinstance(answer, tuple) else (answer, b'{}')
                if self.path == '/token':
                    status, said = 200, json.dumps({'access_token': 'ya29.test', 'expires_in': 3599}).encode()
                self.answer(status, said)

        super().__init__(Service)

    def to(self, path):
        with self.lock:
            return [(headers, body) for where, headers, body in self.got if where == path]

    def web(self, browser):
        """What a browser was told, with the headers."""
        return [(headers, browser.open(body)) for headers, body in self.to(urllib.parse.urlsplit(browser.endpoint).path)]

    def settings(self):
        return {'subject': 'mailto:push@aipoten.example', 'web_hosts': '127.0.0.1 localhost', 'plain_loopback': True, 'timeout': '20s',
                'attempts': 3, 'retry_first': '200ms', 'retry_most': '1s',
                'fcm': {'url': self.url, 'token_url': f'{self.url}/token', 'project': 'aipoten-test',
                        'client_email': 'push@aipoten-test.iam.example'},
                'apns': {'url': self.url, 'topic': 'example.aipoten', 'team_id': 'TEAM123456', 'key_id': 'KEY1234567'}}

    def secrets(self):
        def pem(key):
            return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return {'push_fcm': pem(self.fcm_key), 'push_apns': pem(self.apns_key)}


__all__ = ['Browser', 'InvalidSignature', 'PushServer', 'b64', 'claims', 'point', 'unb64']
