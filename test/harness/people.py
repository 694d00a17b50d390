"""people: who talks to a system in tests: the demo accounts, and new ones made through the API itself."""
import itertools
import uuid

from .client import Client

PASSWORD = 'aipoten-demo-1'
DEMO = {'parent': 'parent@example.com', 'therapist': 'therapist@example.com', 'admin': 'admin@example.com'}
CHILD = {'name': '김하늘', 'birth_date': '2024-01-15', 'gender': 'female', 'gestational_weeks': 32, 'birth_weight': 1.85,
         'medical_history': '없음'}

numbers = itertools.count(1)


class Person:
    """Someone who is logged in: `client` speaks with the token, `login` is the answer of the log-in."""

    def __init__(self, system, email, password, login):
        self.system, self.email, self.password, self.login = system, email, password, login
        self.token, self.refresh_token = login['access_token'], login.get('refresh_token')
        self.id, self.role = login['user']['id'], login['user']['role']
        self.client = Client(system, self.token)

    def consent(self, *kinds, granted=True):
        for kind in kinds or ('terms', 'privacy', 'child_health', 'child_guardian'):
            self.client.post('/api/v1/consents', {'kind': kind, 'granted': granted}).expect(201)
        return self

    def child(self, **changes):
        """A new child of this parent, who has consented."""
        return self.client.post('/api/v1/children', {**CHILD, **changes}).expect(201).data


def log_in(system, email, password=PASSWORD, **more):
    answer = Client(system).post('/api/v1/auth/login', {'email': email, 'password': password, **more}).expect(200)
    return Person(system, email, password, answer.data)


def demo(system, role):
    """The demo account of a role, logged in once per system."""
    if role not in system.people:
        system.people[role] = log_in(system, DEMO[role])
    return system.people[role]


def registration(role='parent', **changes):
    return {'email': f'test.{next(numbers)}.{uuid.uuid4().hex[:8]}@example.com', 'password': 'correct horse 1',
            'name': '이테스트', 'phone': f'010-{next(numbers):04d}-{uuid.uuid4().int % 10000:04d}', 'role': role, **changes}


def newcomer(system, role='parent', consents=True):
    """Somebody new, registered and logged in; a parent with the consents that children ask for."""
    body = registration(role)
    Client(system).post('/api/v1/auth/register', body).expect(201)
    person = log_in(system, body['email'], body['password'])
    return person.consent() if consents and role == 'parent' else person


def another_admin(system):
    """An administrator of one's own, made as the interface allows: another one changes the role."""
    person = newcomer(system, consents=False)
    demo(system, 'admin').client.patch(f'/api/v1/admin/users/{person.id}', {'role': 'admin'}).expect(200)
    return log_in(system, person.email, person.password)
