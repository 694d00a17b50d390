"""children: registering under consents, who may see and change a child, ages, measurements, paging, and what is sealed at rest.
Every answer is checked against the OpenAPI document by the client."""
import concurrent.futures
import datetime
import uuid

import pytest

from harness import people
from harness.client import Client
from harness.wait import wait_until

CHILDREN = '/api/v1/children'
SECRET_COLUMNS = ('medical_history', 'family_history', 'treatment_history', 'notes')
SOME_ID = '01990000-0000-7000-8000-000000000000'
HISTORIES = {'medical_history': '천식으로 두 번 입원', 'family_history': '할머니 당뇨', 'treatment_history': '언어 치료 6개월',
             'notes': '땅콩 알레르기'}
SEOUL = datetime.timezone(datetime.timedelta(hours=9))


def today():
    return datetime.datetime.now(SEOUL).date()


def path_of(child, more=''):
    return f'{CHILDREN}/{child if isinstance(child, str) else child["id"]}{more}'


def invite(database, child, person):
    database.rows('INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, %s)',
                  child['id'], person.id, 'guardian')


def years_ago(day, years):
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year - years, day=28)


# --- a child's life ------------------------------------------------------------------------------------------------------

def test_journey(newcomer, database):
    parent = newcomer()
    body = {**people.CHILD, **HISTORIES, 'current_height': 78.5, 'current_weight': 10.25}
    child = parent.client.post(CHILDREN, body).expect(201).data
    assert uuid.UUID(child['id']).version == 7
    assert {name: child[name] for name in body} == body
    assert child['created_at'] == child['updated_at']
    assert parent.client.get(path_of(child)).expect(200).data == child
    listed = parent.client.get(CHILDREN).expect(200)
    assert listed.data == [{name: value for name, value in child.items() if name not in SECRET_COLUMNS}]
    assert listed.meta == {'page': 1, 'limit': 20, 'total': 1}
    assert listed.header('cache-control') == 'no-store'
    changed = parent.client.patch(path_of(child), {'name': '김바다'}).expect(200).data
    assert changed == {**child, 'name': '김바다', 'updated_at': changed['updated_at']}
    assert changed['updated_at'] > child['updated_at']
    assert parent.client.delete(path_of(child)).expect(200).data is None
    parent.client.get(path_of(child)).expect(404, 'NOT_FOUND')
    parent.client.patch(path_of(child), {'name': '김하늘'}).expect(404)
    parent.client.delete(path_of(child)).expect(404)
    assert parent.client.get(CHILDREN).data == []
    row = database.row('SELECT * FROM children.children WHERE id = %s', child['id'])
    assert row['user_id'] == parent.id and row['deleted_at'] is not None and row['name'] == '' and row['gender'] == 'unknown'
    kept = {'id', 'user_id', 'name', 'birth_date', 'gender', 'created_at', 'updated_at', 'deleted_at'}
    assert all(row[name] is None for name in set(row) - kept)
    assert str(row['birth_date']) != child['birth_date']
    for table in ('child_guardians', 'child_measurements'):
        assert database.rows(f'SELECT FROM children.{table} WHERE child_id = %s', child['id']) == []


def test_least_of_a_child(newcomer):
    child = newcomer().client.post(CHILDREN, {'name': '이산', 'birth_date': str(today()), 'gender': 'unknown'}).expect(201).data
    assert child['chronological_age_months'] == child['corrected_age_months'] == child['used_age_months'] == 0
    assert all(child[name] is None for name in ('gestational_weeks', 'birth_weight', 'current_height', 'current_weight',
                                                *SECRET_COLUMNS))


# --- consents ------------------------------------------------------------------------------------------------------------

def test_consent_gate(newcomer, database):
    parent = newcomer(consents=False)
    refused = parent.client.post(CHILDREN, people.CHILD).expect(422, 'CONSENT_REQUIRED')
    assert refused.fields == ['child_guardian', 'child_health']
    parent.consent('child_health')
    assert parent.client.post(CHILDREN, people.CHILD).expect(422).fields == ['child_guardian']
    assert database.rows('SELECT FROM children.children WHERE user_id = %s', parent.id) == []
    parent.consent('child_guardian')
    child = parent.client.post(CHILDREN, people.CHILD).expect(201).data
    parent.consent('child_health', granted=False)
    assert parent.client.post(CHILDREN, people.CHILD).expect(422).fields == ['child_health']
    parent.client.get(path_of(child)).expect(200)
    parent.consent('child_health')
    parent.client.post(CHILDREN, people.CHILD).expect(201)


def test_consents_are_ones_own(newcomer):
    newcomer()
    newcomer(consents=False).client.post(CHILDREN, people.CHILD).expect(422, 'CONSENT_REQUIRED')


# --- ages ----------------------------------------------------------------------------------------------------------------

def months(birth, day):
    return 12 * (day.year - birth.year) + day.month - birth.month - (day.day < birth.day)


@pytest.mark.parametrize('days, weeks', [(0, 30), (40, 24), (200, 32), (430, 32), (430, 36), (430, 37), (430, None), (700, 28),
                                         (760, 28), (2500, 30)])
def test_ages(newcomer, days, weeks):
    birth = today() - datetime.timedelta(days=days)
    child = newcomer().child(birth_date=str(birth), gestational_weeks=weeks)
    day = today()
    chronological = months(birth, day)
    early = weeks is not None and weeks < 37 and chronological < 24
    due = birth + datetime.timedelta(weeks=40 - weeks if early else 0)
    corrected = max(0, months(due, day)) if early else chronological
    assert child['chronological_age_months'] == chronological
    assert child['corrected_age_months'] == child['used_age_months'] == corrected


# --- what is wrong with it -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('field, value', [
    ('name', ''), ('name', None), ('name', 7), ('name', '가' * 51), ('name', '두\n줄'),
    ('birth_date', None), ('birth_date', '2024-02-30'), ('birth_date', '2024-1-5'), ('birth_date', 20240115),
    ('birth_date', str(today() + datetime.timedelta(days=2))),
    ('birth_date', str(years_ago(today(), 19) - datetime.timedelta(days=3))),
    ('gender', None), ('gender', 'boy'), ('gender', 1),
    ('gestational_weeks', 19), ('gestational_weeks', 45), ('gestational_weeks', 32.5), ('gestational_weeks', '32'),
    ('birth_weight', 0), ('birth_weight', 0.19), ('birth_weight', 10.01), ('birth_weight', 1.855), ('birth_weight', 'heavy'),
    ('current_height', 19.9), ('current_height', 250.1), ('current_weight', -1), ('current_weight', 300.01),
    ('medical_history', 'x' * 5001), ('notes', ['a']), ('user_id', SOME_ID), ('id', SOME_ID),
    ('created_at', '2024-01-15T00:00:00Z')])
def test_wrong_field(parent, field, value):
    assert parent.client.post(CHILDREN, {**people.CHILD, field: value}).expect(400, 'VALIDATION_ERROR').fields == [field]


def test_all_wrong_fields_at_once(parent):
    body = {'name': '', 'birth_date': 'soon', 'gender': 'boy', 'gestational_weeks': 99, 'colour': 'red'}
    assert parent.client.post(CHILDREN, body).expect(400).fields == sorted(body)
    assert parent.client.post(CHILDREN, {}).expect(400).fields == ['birth_date', 'gender', 'name']


def test_bounds_that_are_right(newcomer):
    child = newcomer().child(birth_date=str(years_ago(today(), 19) + datetime.timedelta(days=2)), gestational_weeks=44,
                             birth_weight=0.2, current_height=250, current_weight=300, notes='나' * 5000, name='가' * 50)
    assert child['birth_weight'] == 0.2 and child['current_height'] == 250 and child['notes'] == '나' * 5000


@pytest.mark.parametrize('child', ['1', 'x' * 36, '01890000-0000-7000-8000-00000000000g'])
def test_wrong_id(parent, child):
    assert parent.client.get(path_of(child)).expect(400).fields == ['id']


# --- PATCH -----------------------------------------------------------------------------------------------------------------

def test_patch_null_clears_absent_keeps(newcomer):
    client = newcomer().client
    child = client.post(CHILDREN, {**people.CHILD, **HISTORIES, 'current_height': 78.5}).expect(201).data
    changes = {'gestational_weeks': None, 'medical_history': None, 'notes': '우유도', 'current_height': 80}
    changed = client.patch(path_of(child), changes).expect(200).data
    assert changed == {**child, **changes, 'updated_at': changed['updated_at'],
                       'corrected_age_months': changed['chronological_age_months'],
                       'used_age_months': changed['chronological_age_months']}
    assert client.patch(path_of(child), {}).expect(200).data == {
        **changed, 'updated_at': client.get(path_of(child)).data['updated_at']}
    empty = client.patch(path_of(child), {'notes': ''}).expect(200).data
    assert empty['notes'] == ''


@pytest.mark.parametrize('changes, fields', [
    ({'name': None}, ['name']), ({'birth_date': None, 'gender': None}, ['birth_date', 'gender']),
    ({'birth_date': '2999-01-01'}, ['birth_date']), ({'birth_date': '1999-01-01'}, ['birth_date']),
    ({'notes': 5, 'colour': 'red'}, ['colour', 'notes'])])
def test_patch_refused(newcomer, changes, fields):
    client = newcomer().client
    child = client.post(CHILDREN, people.CHILD).expect(201).data
    assert client.patch(path_of(child), changes).expect(400).fields == fields
    assert client.get(path_of(child)).data == child


def test_patch_birth_changes_ages(newcomer):
    parent = newcomer()
    child = parent.child()
    birth = today() - datetime.timedelta(days=430)
    changed = parent.client.patch(path_of(child), {'birth_date': str(birth), 'gestational_weeks': 40}).expect(200).data
    assert changed['used_age_months'] == months(birth, today())


def test_patches_at_once(newcomer):
    """Each changes another field; none is lost."""
    parent = newcomer()
    child = parent.child(medical_history=None)
    changes = [{'name': '김구름'}, {'gender': 'male'}, {'birth_weight': 2.5}, {'current_height': 81.5}, {'current_weight': 11.1},
               *({column: f'{column} 값'} for column in SECRET_COLUMNS)]

    def change(fields):
        client = Client(parent.system, parent.token)
        answer = client.patch(path_of(child), fields)
        client.close()
        return answer.status

    with concurrent.futures.ThreadPoolExecutor(len(changes)) as pool:
        assert list(pool.map(change, changes)) == [200] * len(changes)
    after = parent.client.get(path_of(child)).data
    for fields in changes:
        assert {name: after[name] for name in fields} == fields


def test_deletes_at_once(newcomer):
    parent = newcomer()
    child = parent.child()

    def delete(_):
        client = Client(parent.system, parent.token)
        answer = client.delete(path_of(child))
        client.close()
        return answer.status

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(delete, range(6))) == [200] + [404] * 5


# --- who may -----------------------------------------------------------------------------------------------------------------

def test_guardian(newcomer, database):
    owner, guardian, stranger = newcomer(), newcomer(), newcomer()
    child = owner.child(**HISTORIES)
    guardian.client.get(path_of(child)).expect(404)
    invite(database, child, guardian)
    assert guardian.client.get(path_of(child)).expect(200).data == child
    assert [row['id'] for row in guardian.client.get(CHILDREN).data] == [child['id']]
    guardian.client.patch(path_of(child), {'notes': '둘째 보호자'}).expect(200)
    guardian.client.post(path_of(child, '/measurements'), {'measured_on': str(today()), 'weight': 11.2}).expect(201)
    guardian.client.delete(path_of(child)).expect(403, 'FORBIDDEN')
    seen = owner.client.get(path_of(child)).expect(200).data
    assert seen['notes'] == '둘째 보호자' and seen['current_weight'] == 11.2
    for method, path, body in (('GET', '', None), ('PATCH', '', {'notes': 'x'}), ('DELETE', '', None), ('GET', '/measurements', None),
                               ('POST', '/measurements', {'measured_on': str(today()), 'weight': 9})):
        stranger.client.request(method, path_of(child, path), body).expect(404, 'NOT_FOUND')
    owner.client.delete(path_of(child)).expect(200)
    guardian.client.get(path_of(child)).expect(404)


def test_therapist_sees_nobody(newcomer, therapist):
    child = newcomer().child()
    therapist.client.get(path_of(child)).expect(404)
    therapist.client.get(path_of(child, '/measurements')).expect(404)
    for method, path, body in (('GET', CHILDREN, None), ('POST', CHILDREN, people.CHILD), ('PATCH', path_of(child), {'name': 'a'}),
                               ('DELETE', path_of(child), None)):
        therapist.client.request(method, path, body).expect(403, 'FORBIDDEN')


def test_admin_reads_and_is_logged(system, newcomer, admin):
    parent = newcomer()
    child = parent.child(name='로그에없음', **HISTORIES)
    mark = system.logs.mark()
    assert admin.client.get(path_of(child)).expect(200).data == child
    admin.client.get(path_of(child, '/measurements')).expect(200)
    admin.client.patch(path_of(child), {'name': 'a'}).expect(403)
    admin.client.delete(path_of(child)).expect(403)

    seen = wait_until(lambda: (rows := parent.client.get(path_of(child, '/access-log')).expect(200).data)[1:] and rows, 10)
    assert [row['operation'] for row in seen] == ['children.measurements', 'children.get']
    text = '\n'.join(system.logs.since(mark).values())
    for secret in ('로그에없음', *HISTORIES.values()):
        assert secret not in text


def test_nobody(system):
    client = Client(system)
    for method, path in (('GET', CHILDREN), ('POST', CHILDREN), ('GET', path_of(str(uuid.uuid4())))):
        client.request(method, path, {} if method == 'POST' else None).expect(401, 'UNAUTHENTICATED')


# --- lists -------------------------------------------------------------------------------------------------------------------

def walk(client, path, limit, **query):
    """All pages by cursor."""
    found, cursor, pages = [], None, 0
    while True:
        answer = client.get(path, query={**query, 'limit': limit, **({'cursor': cursor} if cursor else {})}).expect(200)
        found += answer.data
        pages += 1
        cursor = answer.meta.get('next_cursor')
        if not cursor:
            return found, pages
        assert len(answer.data) == limit


def test_paging(newcomer):
    parent = newcomer()
    ids = [parent.child(name=f'아이{number}')['id'] for number in range(5)]
    first = parent.client.get(CHILDREN, query={'limit': 2}).expect(200)
    assert [row['id'] for row in first.data] == ids[:2]
    assert {name: first.meta[name] for name in ('page', 'limit', 'total')} == {'page': 1, 'limit': 2, 'total': 5}
    last = parent.client.get(CHILDREN, query={'limit': 2, 'page': 3}).expect(200)
    assert [row['id'] for row in last.data] == ids[4:]
    assert last.meta == {'page': 3, 'limit': 2, 'total': 5}
    beyond = parent.client.get(CHILDREN, query={'limit': 2, 'page': 9}).expect(200)
    assert beyond.data == [] and beyond.meta['total'] == 5
    for limit in (1, 2, 3, 5, 100):
        found, pages = walk(parent.client, CHILDREN, limit)
        assert [row['id'] for row in found] == ids and pages == -(-5 // limit)


@pytest.mark.parametrize('query, field', [
    ({'page': 0}, 'page'), ({'page': 'x'}, 'page'), ({'page': 10001}, 'page'), ({'limit': 0}, 'limit'), ({'limit': 101}, 'limit'),
    ({'page': 101, 'limit': 100}, 'page'), ({'cursor': 'nonsense'}, 'cursor'), ({'cursor': ''}, 'cursor'), ({'colour': 'red'}, 'colour')])
def test_wrong_page(parent, query, field):
    assert parent.client.get(CHILDREN, query=query).expect(400).fields == [field]


def test_admin_list(admin, database):
    found, _ = walk(admin.client, CHILDREN, 100)
    ids = [row['id'] for row in found]
    assert ids == sorted(ids) and len(set(ids)) == len(ids)
    assert len(ids) >= database.value('SELECT count(*) FROM children.children WHERE deleted_at IS NULL')
    assert admin.client.get(CHILDREN, query={'limit': 3}).meta['total'] >= len(ids)


# --- measurements --------------------------------------------------------------------------------------------------------------

def test_measurements(newcomer):
    parent = newcomer()
    child = parent.child(birth_date='2024-01-15')
    path = path_of(child, '/measurements')

    def measure(day, **values):
        return parent.client.post(path, {'measured_on': day, **values})

    def now():
        row = parent.client.get(path_of(child)).data
        return row['current_height'], row['current_weight']

    first = measure('2024-06-15', height=66.5, weight=7.55, head_circumference=43.2).expect(201).data
    assert first['measured_on'] == '2024-06-15' and (first['height'], first['weight'], first['head_circumference']) == (66.5, 7.55, 43.2)
    assert now() == (66.5, 7.55)
    measure('2024-03-15', height=60, weight=6).expect(201)
    assert now() == (66.5, 7.55), 'an older one does not say how tall the child is'
    measure('2024-09-15', weight=8.8).expect(201)
    assert now() == (66.5, 8.8), 'what was not measured stays'
    measure('2024-09-15', weight=9).expect(409, 'CONFLICT')
    measure('2024-09-16', head_circumference=44).expect(201)
    assert now() == (66.5, 8.8)
    days = ['2024-09-16', '2024-09-15', '2024-06-15', '2024-03-15']
    listed = parent.client.get(path).expect(200)
    assert [row['measured_on'] for row in listed.data] == days and listed.meta == {'page': 1, 'limit': 20, 'total': 4}
    assert listed.data[1]['height'] is None and listed.data[2] == first
    for limit in (1, 2, 3, 4):
        assert [row['measured_on'] for row in walk(parent.client, path, limit)[0]] == days
    second = parent.client.get(path, query={'limit': 3, 'page': 2}).expect(200)
    assert [row['measured_on'] for row in second.data] == days[3:] and second.meta['total'] == 4
    assert parent.client.get(path, query={'cursor': 'x'}).expect(400).fields == ['cursor']


@pytest.mark.parametrize('body, fields', [
    ({'weight': 5}, ['measured_on']), ({'measured_on': '2024-06-15'}, ['body']),
    ({'measured_on': '2024-06-15', 'weight': None}, ['body']),
    ({'measured_on': str(today() + datetime.timedelta(days=2)), 'weight': 5}, ['measured_on']),
    ({'measured_on': '2024-01-14', 'weight': 5}, ['measured_on']),
    ({'measured_on': '2024-06-15', 'weight': 0, 'height': 19, 'head_circumference': 99}, ['head_circumference', 'height', 'weight'])])
def test_wrong_measurement(newcomer, body, fields):
    parent = newcomer()
    child = parent.child(birth_date='2024-01-15')
    assert parent.client.post(path_of(child, '/measurements'), body).expect(400).fields == fields
    assert parent.client.get(path_of(child, '/measurements')).data == []


# --- what is sealed ------------------------------------------------------------------------------------------------------------

def stored(database, child):
    row = database.row(f'SELECT {", ".join(SECRET_COLUMNS)} FROM children.children WHERE id = %s', child['id'])
    return {name: bytes(value) for name, value in row.items() if value is not None}


def key_id(value):
    return value[1:1 + value[0]].decode()


def test_sealed_columns_are_unreadable(system, newcomer, database):
    child = newcomer().child(**HISTORIES)
    newest = system.secret('data_keys.children').decode().split(':')[0]
    values = stored(database, child)
    assert set(values) == set(SECRET_COLUMNS)
    for column, value in values.items():
        assert HISTORIES[column].encode() not in value and key_id(value) == newest
        assert len(value) == 1 + len(newest) + 12 + len(HISTORIES[column].encode()) + 16
    table = database.value("SELECT string_agg(t::text, '') FROM children.children t WHERE id = %s", child['id'])
    for plain in HISTORIES.values():
        assert plain not in table and plain.encode().hex() not in table


def test_same_text_is_sealed_differently(newcomer, database):
    parent = newcomer()
    first, second = parent.child(notes='같은 글'), parent.child(notes='같은 글')
    assert stored(database, first)['notes'] != stored(database, second)['notes']


def test_sealed_values_are_bound_to_their_place(system, newcomer, database):
    """What is moved to another row or column, or altered, is not given out as if it belonged there."""
    parent = newcomer()
    child, other = parent.child(**HISTORIES), parent.child(**HISTORIES)
    values, foreign = stored(database, child), stored(database, other)
    bent = bytearray(values['notes'])
    bent[-20] ^= 1
    mark = system.logs.mark()
    for wrong in (foreign['notes'], values['medical_history'], bytes(bent), values['notes'][:-1], b'', b'\x02k'):
        database.rows('UPDATE children.children SET notes = %s WHERE id = %s', wrong, child['id'])
        parent.client.get(path_of(child), check=False).expect(500)
    database.rows('UPDATE children.children SET notes = %s WHERE id = %s', values['notes'], child['id'])
    assert parent.client.get(path_of(child)).expect(200).data == child
    wait_until(lambda: '"seal_broken"' in '\n'.join(system.logs.since(mark).values()), 10)


def test_key_rotation(start_system):
    """After a rotation what is there stays readable and is soon sealed with the new key, the demo data's too; then, and not
    before, the old key can go."""
    system = start_system()
    parent = people.newcomer(system)
    child, later = parent.child(**HISTORIES), parent.child(notes='나중')

    def ring():
        return system.secret('data_keys.children').decode().strip().split(',')

    def keys_in_use(database):
        rows = database.rows(f'SELECT {", ".join(SECRET_COLUMNS)} FROM children.children')
        return {key_id(bytes(value)) for row in rows for value in row.values() if value is not None}

    old = ring()
    with system.database() as database:
        assert keys_in_use(database) == {old[0].split(':')[0]}
        before = {str(row['id']): row['updated_at'] for row in database.rows('SELECT id, updated_at FROM children.children')}
        system.ctl('secrets', 'rotate', 'data_keys.children', timeout=180)
        new = ring()[0]
        assert ring() == [new, *old]
        assert parent.client.get(path_of(child)).expect(200).data == child
        said = system.ctl('secrets', 'retire', 'data_keys.children', timeout=90)
        assert f'{old[0].split(":")[0]} is dropped' in said
        assert ring() == [new] and keys_in_use(database) == {new.split(':')[0]}
        after = {str(row['id']): row['updated_at'] for row in database.rows('SELECT id, updated_at FROM children.children')}
        assert after == before, 'sealing anew is no change of the child'
    system.ctl('restart', 'children')
    assert parent.client.get(path_of(child)).expect(200).data == child
    assert parent.client.get(path_of(later)).expect(200).data['notes'] == '나중'
