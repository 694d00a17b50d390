"""contract: every answer against the OpenAPI document that the same system serves.

An answer is checked for: an operation with this path and method; a documented status; the documented content type; its body
by the schema (JSON Schema 2020-12, formats included); the headers that every answer carries; and, for errors, the envelope
of the founding document."""
import datetime
import json
import re
import urllib.parse
import uuid

import jsonschema

from .answer import Answer

ERROR_ENVELOPE = {
    'type': 'object', 'required': ['success', 'error'], 'additionalProperties': False,
    'properties': {
        'success': {'const': False},
        'error': {
            'type': 'object', 'required': ['code', 'message'], 'additionalProperties': False,
            'properties': {
                'code': {'type': 'string', 'pattern': '^[A-Z][A-Z_]+$'},
                'message': {'type': 'string', 'minLength': 2},
                'details': {'type': 'array', 'items': {
                    'type': 'object', 'required': ['field', 'message'],
                    'properties': {'field': {'type': 'string'},
                                   'message': {'type': 'string', 'minLength': 2}}}}}}}}

formats = jsonschema.FormatChecker(formats=())


@formats.checks('uuid', raises=ValueError)
def is_uuid(value):
    return not isinstance(value, str) or str(uuid.UUID(value)) == value


@formats.checks('date', raises=ValueError)
def is_date(value):
    return not isinstance(value, str) or bool(datetime.date.fromisoformat(value))


@formats.checks('date-time', raises=ValueError)
def is_time(value):
    """RFC 3339 in UTC."""
    return not isinstance(value, str) or (
        re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z', value) is not None
        and bool(datetime.datetime.fromisoformat(value[:19])))


@formats.checks('email')
def is_email(value):
    return not isinstance(value, str) or value.count('@') == 1


METHODS = ('get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace')


class Operation:
    def __init__(self, method, template, row):
        self.method, self.template, self.row = method.upper(), template, row
        self.id = row.get('operationId')
        pattern = re.sub(r'\\\{[^}]+\\\}', '[^/]+', re.escape(template))
        self.pattern = re.compile(pattern + '/?')
        self.parameters = template.count('{')


class Contract:
    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver('', document)
        self.operations = [
            Operation(method, template, row) for template, item in document['paths'].items()
            for method, row in item.items() if method in METHODS]
        self.seen = {}  # (operation id, status): how often

    @staticmethod
    def fetch(system):
        from .client import Client
        answer = Client(system, check=False).get('/api/v1/openapi.json').expect(200)
        return Contract(answer.json)

    def resolve(self, value):
        while isinstance(value, dict) and '$ref' in value:
            value = self.resolver.resolve(value['$ref'])[1]
        return value

    def find(self, method, path):
        """(operation or None, methods that the path has): static paths win over parameters."""
        path = urllib.parse.urlsplit(path).path
        on_path = sorted((row for row in self.operations if row.pattern.fullmatch(path)), key=lambda row: row.parameters)
        if not on_path:
            return None, []
        on_path = [row for row in on_path if row.template == on_path[0].template]
        methods = sorted(row.method for row in on_path)
        return next((row for row in on_path if row.method == method), None), methods

    def schema_errors(self, schema, value):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver, format_checker=formats)
        return [f'{"/".join(map(str, error.absolute_path)) or "the whole"}: {error.message}'
                for error in validator.iter_errors(value)]

    def check(self, answer: Answer):
        problems = list(self.problems(answer))
        assert not problems, f'{answer}\nis not as documented:\n  ' + '\n  '.join(problems)
        return answer

    def problems(self, answer):
        yield from self.header_problems(answer)
        head = answer.method == 'HEAD'
        if answer.status >= 400 and not head:
            yield from self.error_problems(answer)
        if answer.status >= 500 and answer.status not in (503, 504):
            yield f'status {answer.status}'
        operation, methods = self.find('GET' if head else answer.method, answer.path)
        if operation is None:
            yield from self.nowhere_problems(answer, methods)
            return
        self.seen[operation.id, answer.status] = self.seen.get((operation.id, answer.status), 0) + 1
        documented = operation.row['responses']
        row = self.resolve(documented.get(str(answer.status)) or documented.get(f'{answer.status // 100}XX')
                           or documented.get('default'))
        if row is None:
            yield f'{operation.id} documents no status {answer.status}, only {", ".join(documented)}'
            return
        yield from self.body_problems(answer, row, head)

    def body_problems(self, answer, row, head):
        content = row.get('content')
        if not content or head:
            if answer.body:
                yield 'a body where none is documented'
            return
        kind = (answer.header('content-type') or '').split(';')[0].strip().lower()
        if kind not in content:
            yield f'content type {kind!r} is not documented, only {", ".join(content)}'
            return
        if kind.endswith('json'):
            schema = content[kind].get('schema', {})
            yield from self.schema_errors(schema, json.loads(answer.body.decode('utf-8')))

    def nowhere_problems(self, answer, methods):
        """Paths and methods that no operation has: 404; 405 with Allow; OPTIONS is answered everywhere."""
        if answer.method == 'OPTIONS' and methods and answer.status == 204:
            return
        expected = 405 if methods else 404
        if answer.status not in (expected, 400, 413, 414, 429, 431, 501, 503):
            yield f'status {answer.status} where {expected} was to come'
        if answer.status == 405:
            allowed = {name.strip() for name in (answer.header('allow') or '').split(',')}
            if not set(methods) <= allowed:
                yield f'Allow names {sorted(allowed)}, the path has {methods}'

    def error_problems(self, answer):
        kind = (answer.header('content-type') or '').split(';')[0]
        if kind != 'application/json':
            yield f'an error as {kind!r}'
            return
        yield from self.schema_errors(ERROR_ENVELOPE, json.loads(answer.body.decode('utf-8')))
        if answer.status in (429, 503) and not (answer.header('retry-after') or '').isdigit():
            yield f'{answer.status} without Retry-After in seconds'
        if answer.status == 401 and not answer.header('www-authenticate'):
            yield '401 without WWW-Authenticate (RFC 9110, 15.5.2)'

    def header_problems(self, answer):
        if answer.header('x-content-type-options') != 'nosniff':
            yield 'no X-Content-Type-Options: nosniff'
        for name in ('content-security-policy', 'referrer-policy', 'x-request-id'):
            if not answer.header(name):
                yield f'no {name}'
