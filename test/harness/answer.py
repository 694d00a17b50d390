"""answer: one HTTP answer, however it travelled."""
import json


class Answer:
    def __init__(self, status, headers, body, method='GET', path='/', version='1.1'):
        self.status, self.body, self.method, self.path, self.version = status, body, method, path, version
        self.headers = [(name.lower(), value) for name, value in headers]

    def header(self, name, default=None):
        """The only value of this header; several are a fault."""
        values = self.header_all(name)
        assert len(values) <= 1, f'{name} came {len(values)} times: {values}'
        return values[0] if values else default

    def header_all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def json(self):
        return json.loads(self.body.decode('utf-8'))

    @property
    def data(self):
        """Of a successful answer."""
        assert 200 <= self.status < 300, str(self)
        return self.json['data']

    @property
    def meta(self):
        assert 200 <= self.status < 300, str(self)
        return self.json.get('meta')

    @property
    def error(self):
        assert self.status >= 400, str(self)
        return self.json['error']

    @property
    def code(self):
        return self.error['code']

    @property
    def fields(self):
        """Names of the fields that were found wrong."""
        return sorted(detail['field'] for detail in self.error.get('details') or [])

    def expect(self, status, code=None):
        assert self.status == status, f'expected {status}: {self}'
        if code is not None:
            assert self.code == code, f'expected {code}: {self}'
        return self

    def __str__(self):
        return f'{self.method} {self.path} -> {self.status} {self.body[:2000].decode("utf-8", "replace")}'
