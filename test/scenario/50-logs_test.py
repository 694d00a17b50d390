"""No log holds personal data or secrets: ours, PostgreSQL's, Redis's. Shown by values that stand nowhere else."""
import json
import os

from harness import people
from harness.client import Client


def test_logs_hold_no_personal_data(system):
    mark = system.logs.mark()
    secret = {'name': '비밀이름하나', 'phone': '010-8765-4321', 'password': 'xyzzy-plugh-31', 'email': 'Very.Secret.Person@example.com'}
    body = people.registration(**secret)
    client = Client(system)
    client.post('/api/v1/auth/register', body).expect(201)
    client.post('/api/v1/auth/register', body).expect(409, 'EMAIL_TAKEN')  # a violated constraint names the value to PostgreSQL
    client.post('/api/v1/auth/login', {'email': secret['email'], 'password': 'plover-wrong-77'}).expect(401)
    person = people.log_in(system, secret['email'], secret['password']).consent()
    child = person.child(name='비밀아이둘', notes='비밀메모셋', medical_history='비밀병력넷')
    path = f'/api/v1/children/{child["id"]}'
    person.client.get(path).expect(200)
    person.client.patch(path, {'notes': 5, 'name': '비밀아이다섯'}).expect(400)
    person.client.post(f'{path}/measurements', {'measured_on': '2025-01-02', 'height': 71.5}).expect(201)
    person.client.post(f'{path}/measurements', {'measured_on': '2025-01-02', 'height': 71.5}).expect(409)
    people.demo(system, 'admin').client.get('/api/v1/admin/users', query={'q': secret['email']}).expect(200)
    person.client.get(f'/api/v1/children?cursor={secret["email"]}').expect(400)
    refreshed = client.post('/api/v1/auth/refresh', {'refresh_token': person.refresh_token}).expect(200).data
    client.post('/api/v1/auth/refresh', {'refresh_token': person.refresh_token}).expect(401)

    hidden = [*secret.values(), secret['email'].lower(), secret['phone'].replace('-', ''), 'plover-wrong-77', '비밀아이둘', '비밀메모셋',
              '비밀병력넷', '비밀아이다섯', person.token, person.refresh_token, refreshed['access_token'], refreshed['refresh_token'],
              system.kept['POSTGRES_PASSWORD'], system.kept['REDIS_PASSWORD'], system.secret('db.accounts').decode().strip(),
              *(key.split(':')[1] for key in system.secret('jwt_keys').decode().strip().split(','))]
    said = system.logs.since(mark)
    assert any(name.endswith('.log') and 'postgres' in name for name in said), 'PostgreSQL logged nothing: is it looked for?'
    found = [f'{value} in {path}' for path, text in said.items() for value in hidden if value in text]
    assert not found, '\n'.join(found)


def test_our_logs_are_ndjson(system):
    """Each line an object with time, level, service and event; the access log besides."""
    Client(system).get('/api/v1/nothing').expect(404)
    directory = os.path.join(system.var, 'log')
    lines = 0
    for name in sorted(os.listdir(directory)):
        if name.split('.')[0] in ('migrate', 'config') or not name.endswith('.log'):
            continue
        with open(os.path.join(directory, name), encoding='utf-8') as file:
            for line in file:
                row = json.loads(line)
                assert row['time'].endswith('Z') and (row.keys() >= {'level', 'service', 'event'} or 'status' in row), (name, line)
                lines += 1
    assert lines > 10
