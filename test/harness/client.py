"""client: HTTP/1.1 with keep-alive over the plain or the TLS port. Every answer is checked against the OpenAPI document and
the error envelope unless check=False; so a scenario cannot get an undocumented answer without noticing."""
import http.client
import json
import ssl
import urllib.parse

from .answer import Answer

TIMEOUT = 30


def insecure_tls(protocols):
    """The certificate was made at first run and is signed by nobody."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(protocols)
    return context


class Client:
    def __init__(self, system, token=None, tls=False, check=True, language=None, headers=None):
        self.system, self.token, self.tls, self.check, self.language = system, token, tls, check, language
        self.extra = dict(headers or {})
        self.connection = None

    def with_token(self, token):
        return Client(self.system, token, self.tls, self.check, self.language, self.extra)

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection('127.0.0.1', self.system.https_port, timeout=TIMEOUT,
                                               context=insecure_tls(['http/1.1']))
        return http.client.HTTPConnection('127.0.0.1', self.system.http_port, timeout=TIMEOUT)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    @staticmethod
    def answer_of(response, method, path):
        return Answer(response.status, response.getheaders(), response.read(), method, path)

    def exchange(self, method, path, body, headers):
        """On a kept connection that the server closed meanwhile, once more on a new one, as every HTTP client does."""
        kept = self.connection is not None
        self.connection = self.connection or self.connect()
        try:
            self.connection.request(method, path, body=body, headers=headers)
            return self.answer_of(self.connection.getresponse(), method, path)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if not kept:
                raise
            return self.exchange(method, path, body, headers)
        except Exception:
            self.close()
            raise

    def request(self, method, path, body=None, *, raw=None, query=None, headers=None, token=None, check=None):
        """body: an object that becomes JSON; raw: bytes as they are. A header given as None is left out."""
        send = {'accept': 'application/json', **self.extra}
        token = token if token is not None else self.token
        if token:
            send['authorization'] = f'Bearer {token}'
        if self.language:
            send['accept-language'] = self.language
        if body is not None:
            raw = json.dumps(body, ensure_ascii=False).encode()
            send['content-type'] = 'application/json'
        send.update({name.lower(): value for name, value in (headers or {}).items()})
        if query:
            path += '?' + urllib.parse.urlencode(query)
        answer = self.exchange(method, path, raw, {name: value for name, value in send.items() if value is not None})
        if self.check if check is None else check:
            self.system.openapi.check(answer)
        return answer

    def get(self, path, **options):
        return self.request('GET', path, **options)

    def post(self, path, body=None, **options):
        return self.request('POST', path, body, **options)

    def patch(self, path, body=None, **options):
        return self.request('PATCH', path, body, **options)

    def delete(self, path, **options):
        return self.request('DELETE', path, **options)
