"""The access log: whoever was shown somebody else's data stands in it, its rows are chained, and aipotenctl audit verify names what
was done to them."""
import concurrent.futures
import hashlib
import json
import struct
import uuid

import pytest

from harness import people
from harness.client import Client
from harness.sealed import ring, unseal
from harness.system import Refused
from harness.wait import wait_until

AUDIT, USERS, CHILDREN = '/api/v1/admin/audit-logs', '/api/v1/admin/users', '/api/v1/children'
NOBODY = uuid.UUID(int=0)


@pytest.fixture(scope='module')
def own(start_system):
    return start_system()


@pytest.fixture
def admin(own):
    return people.demo(own, 'admin')


@pytest.fixture
def parent(own):
    return people.newcomer(own)


@pytest.fixture
def database(own):
    with own.database() as connection:
        yield connection


def path_of(child, rest=''):
    return f'{CHILDREN}/{child["id"]}{rest}'


def looks(person, child):
    return person.client.get(path_of(child, '/access-log')).expect(200).data


def wait_looks(person, child, count):
    return wait_until(lambda: len(found := looks(person, child)) >= count and found, 10)


def verify(system, *arguments):
    """(exit status, words) of audit verify."""
    try:
        return 0, system.ctl('audit', 'verify', *[argument for argument in arguments if argument])
    except Refused as refused:
        return refused.status, str(refused)


def settled(database):
    """Nothing is on its way to the log."""
    return wait_until(lambda: not database.value('SELECT count(*) FROM children.deliveries')
                      and not database.value('SELECT count(*) FROM accounts.deliveries'), 20)


# --- what stands in it ---------------------------------------------------------------------------------------------------------

def test_admin_reads_a_child(own, admin, parent):
    child = parent.child()
    admin.client.get(path_of(child)).expect(200)
    seen, = wait_looks(parent, child, 1)
    assert seen['reader_role'] == 'admin' and seen['operation'] == 'children.get'
    assert set(seen) == {'id', 'reader_role', 'operation', 'read_at'}, 'who it was and from where is not told'
    row, = admin.client.get(AUDIT, query={'record': child['id']}).expect(200).data
    assert row['reader'] == admin.id and row['record_kind'] == 'child' and row['records'] == 1
    assert row['id'] == seen['id'] and row['address'] == '127.0.0.1' and row['read_at'] == seen['read_at']
    admin.client.get(path_of(child, '/measurements')).expect(200)
    assert [look['operation'] for look in wait_looks(parent, child, 2)] == ['children.measurements', 'children.get']


def test_own_reads_are_not_logged(own, admin, parent, database):
    child = parent.child()
    for path in (path_of(child), path_of(child, '/measurements'), CHILDREN, path_of(child, '/access-log')):
        parent.client.get(path).expect(200)
    Client(own).get(path_of(child)).expect(401)
    people.newcomer(own).client.get(path_of(child)).expect(404)
    admin.client.get(path_of({'id': str(uuid.uuid4())})).expect(404)
    settled(database)
    assert looks(parent, child) == []
    assert admin.client.get(AUDIT, query={'record': child['id']}).data == []
    assert admin.client.get(AUDIT, query={'reader': parent.id}).data == []


def test_lists_are_reads_too(own, admin, parent, database):
    child = parent.child()
    before = admin.client.get(CHILDREN, query={'limit': 1, 'cursor': str(uuid.UUID(int=uuid.UUID(child['id']).int - 1))})
    assert [row['id'] for row in before.expect(200).data] == [child['id']]
    assert [look['operation'] for look in wait_looks(parent, child, 1)] == ['children.list']
    shown = len(admin.client.get(USERS, query={'limit': 7}).expect(200).data)
    admin.client.patch(f'{USERS}/{parent.id}', {'role': 'parent'}).expect(200)
    page = wait_until(lambda: [row for row in admin.client.get(AUDIT).data if row['operation'] == 'admin.users.list'], 10)[0]
    assert (page['record_kind'], page['record'], page['records']) == ('users', str(NOBODY), shown)
    user, = wait_until(lambda: admin.client.get(AUDIT, query={'record': parent.id}).data, 10)
    assert (user['record_kind'], user['operation']) == ('user', 'admin.users.update')


def test_audit_logs_are_filtered_and_paged(own, admin, parent):
    child = parent.child()
    for number in range(5):
        admin.client.get(path_of(child)).expect(200)
        wait_looks(parent, child, number + 1)
    query = {'record': child['id'], 'limit': 2}
    first = admin.client.get(AUDIT, query=query).expect(200)
    assert first.meta['total'] == 5 and len(first.data) == 2
    found, cursor = first.data, first.meta['next_cursor']
    while cursor:
        page = admin.client.get(AUDIT, query={**query, 'cursor': cursor}).expect(200)
        found, cursor = found + page.data, page.meta.get('next_cursor')
    positions = [row['position'] for row in found]
    assert len(found) == 5 and positions == sorted(positions, reverse=True)
    assert admin.client.get(AUDIT, query={**query, 'page': 3}).expect(200).data == found[4:]
    some = admin.client.get(AUDIT, query={'record': child['id'], 'from': found[3]['read_at'], 'to': found[1]['read_at']}).expect(200)
    assert some.data == found[2:4]
    assert admin.client.get(AUDIT, query={'record': child['id'], 'reader': parent.id}).expect(200).data == []
    for wrong in ({'from': 'yesterday'}, {'record': 'x'}, {'cursor': 'x'}, {'limit': 101}, {'colour': 'red'}):
        assert admin.client.get(AUDIT, query=wrong).expect(400).fields == list(wrong)
    pages = parent.client.get(path_of(child, '/access-log'), query={'limit': 4}).expect(200)
    rest = parent.client.get(path_of(child, '/access-log'), query={'limit': 4, 'cursor': pages.meta['next_cursor']}).expect(200)
    assert [row['id'] for row in pages.data + rest.data] == [row['id'] for row in found]


def test_only_guardians_see_who_looked(own, admin, parent, database):
    child = parent.child()
    stranger, guardian = people.newcomer(own), people.newcomer(own)
    stranger.client.get(path_of(child, '/access-log')).expect(404, 'NOT_FOUND')
    database.rows('INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, %s)', child['id'],
                  guardian.id, 'guardian')
    assert looks(guardian, child) == []
    parent.client.delete(path_of(child)).expect(200)
    parent.client.get(path_of(child, '/access-log')).expect(404)


def test_address_is_sealed(own, admin, parent, database):
    child = parent.child()
    admin.client.get(path_of(child)).expect(200)
    look, = wait_looks(parent, child, 1)
    value = database.value('SELECT address FROM admin.access_addresses WHERE id = %s', look['id'])
    assert b'127.0.0.1' not in bytes(value)
    assert unseal(ring(own.secret('data_keys.admin')), 'admin.access_addresses', 'address', look['id'], value) == '127.0.0.1'


def test_nothing_is_shown_that_is_not_logged(own, admin, parent, database):
    """The event is written before the answer leaves."""
    child = parent.child()
    database.rows('REVOKE INSERT ON children.events FROM aipoten_children')
    try:
        assert admin.client.request('GET', path_of(child), check=False).status == 500
        parent.client.get(path_of(child)).expect(200)
    finally:
        database.rows('GRANT INSERT ON children.events TO aipoten_children')
    admin.client.get(path_of(child)).expect(200)


# --- the chain -----------------------------------------------------------------------------------------------------------------

def chain_hash(before, row):
    """As shared/crypto/audit_chain.h describes it."""
    def text(value):
        return struct.pack('>q', len(value.encode())) + value.encode()

    def ident(value):
        return uuid.UUID(str(value)).bytes

    return hashlib.sha256(
        before + b'\1' + struct.pack('>q', row['position']) + ident(row['id']) + ident(row['reader']) + text(row['reader_role'])
        + text(row['record_kind']) + ident(row['record']) + struct.pack('>q', row['records']) + text(row['operation'])
        + struct.pack('>qq', row['read_us'], row['created_us'])).digest()


def rows_of(database):
    return database.rows('SELECT *, (extract(epoch FROM read_at) * 1000000)::bigint AS read_us,'
                         ' (extract(epoch FROM created_at) * 1000000)::bigint AS created_us FROM admin.access_log ORDER BY position')


def test_many_at_once_keep_the_chain(own, admin, parent, database):
    """Both instances append; every read is there once, without a gap."""
    children = [parent.child()['id'] for _ in range(4)]
    settled(database)
    count = database.value('SELECT position FROM admin.access_log_head')

    def read(number):
        client = Client(own, admin.token)
        try:
            return client.get(f'{CHILDREN}/{children[number % 4]}').status
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert list(pool.map(read, range(200))) == [200] * 200
    wait_until(lambda: database.value('SELECT position FROM admin.access_log_head') >= count + 200, 30)
    settled(database)
    rows, before = rows_of(database), bytes(32)
    assert [row['position'] for row in rows] == list(range(1, count + 201))
    for row in rows:
        before = chain_hash(before, row)
        assert before == bytes(row['hash'])
    times = {child: [row['read_us'] for row in rows if row['record'] == child] for child in children}
    assert [len(found) for found in times.values()] == [50] * 4
    status, said = verify(own)
    assert status == 0 and 'everything fits' in said and f'{count + 200}:{before.hex()}' in said


def test_actor_cannot_rewrite(own):
    with own.database('admin') as connection:
        for sql in ('UPDATE admin.access_log SET records = 2', 'DELETE FROM admin.access_log', 'TRUNCATE admin.access_log',
                    'DELETE FROM admin.access_log_head', 'UPDATE admin.anchors SET position = 1', 'DELETE FROM admin.anchors'):
            with pytest.raises(Exception, match='permission denied'):
                connection.rows(sql)


# --- what is done to it is found --------------------------------------------------------------------------------------------------

SWAP = """UPDATE admin.access_log SET position = CASE position WHEN {0} THEN 1000000001 ELSE 1000000002 END WHERE position IN ({0}, {1});
          UPDATE admin.access_log SET position = CASE position WHEN 1000000001 THEN {1} ELSE {0} END WHERE position > 1000000000"""
SPOILT = {
    'changed reader': ("UPDATE admin.access_log SET reader = gen_random_uuid() WHERE position = 5", {5: 'was changed'}),
    'changed time': ("UPDATE admin.access_log SET read_at = read_at - interval '1 day' WHERE position = 1", {1: 'was changed'}),
    'changed record': ("UPDATE admin.access_log SET record = gen_random_uuid() WHERE position IN (3, 8)",
                       {3: 'was changed', 8: 'was changed'}),
    'removed': ('DELETE FROM admin.access_log WHERE position = 6', {6: 'position 6 is missing'}),
    'removed several': ('DELETE FROM admin.access_log WHERE position BETWEEN 4 AND 6', {4: 'positions 4 to 6 are missing'}),
    'removed first': ('DELETE FROM admin.access_log WHERE position = 1', {1: 'position 1 is missing'}),
    'swapped': (SWAP.format(3, 8), {3: 'position 3 holds the row of position 8', 8: 'position 8 holds the row of position 3'}),
    'swapped neighbours': (SWAP.format(4, 5), {4: 'position 4 holds the row of position 5', 5: 'position 5 holds the row of position 4'}),
    'tail': ('DELETE FROM admin.access_log WHERE position > (SELECT position - 2 FROM admin.access_log_head)',
             {'tail': 'are missing at the end'}),
    'head': ('UPDATE admin.access_log_head SET hash = sha256(hash)', {'head': "the head's hash"}),
    'all': ('DELETE FROM admin.access_log', {1: 'are missing at the end'}),
}


@pytest.fixture
def filled(own, admin, parent, database):
    """Twelve rows at least, nothing under way; as it was again afterwards."""
    child = parent.child()
    for _ in range(12):
        admin.client.get(path_of(child)).expect(200)
    wait_looks(parent, child, 12)
    settled(database)
    database.rows('CREATE TABLE public.kept AS SELECT * FROM admin.access_log')
    head = database.row('SELECT position, hash FROM admin.access_log_head')
    yield head
    database.rows('BEGIN; DELETE FROM admin.access_log; INSERT INTO admin.access_log SELECT * FROM public.kept;'
                  ' DROP TABLE public.kept; COMMIT')
    database.rows('UPDATE admin.access_log_head SET position = %s, hash = %s', head['position'], head['hash'])
    database.rows('DELETE FROM admin.anchors')
    assert verify(own)[0] == 0


@pytest.mark.parametrize('what', SPOILT)
def test_verify_finds(own, database, filled, what):
    sql, expected = SPOILT[what]
    assert verify(own)[0] == 0
    database.rows(sql)
    status, said = verify(own, '-j')
    assert status == 1
    found = json.loads(said[said.index('{'):])
    head = filled['position']
    names = {'tail': head - 1, 'head': head}
    problems = {row['position']: row['problem'] for row in found['problems']}
    assert set(problems) == {names.get(position, position) for position in expected}, found
    for position, words in expected.items():
        assert words in problems[names.get(position, position)]
    status, said = verify(own)
    assert status == 1 and all(words in said for words in expected.values())


def test_whole_table_written_anew_is_found_by_anchors(own, database, filled):
    """Who rewrites rows with all hashes after them, and the head, meets the anchors; who rewrites those too, the one in the log."""
    mark = own.logs.mark()
    own.ctl('restart', 'admin', timeout=120)
    anchor = wait_until(lambda: database.row('SELECT * FROM admin.anchors'), 10)
    lines = wait_until(lambda: [json.loads(line) for text in own.logs.since(mark).values() for line in text.splitlines()
                                if '"audit_anchor"' in line], 10)
    kept = f'{lines[0]["position"]}:{lines[0]["hash"]}'
    assert kept == f'{anchor["position"]}:{bytes(anchor["hash"]).hex()}'
    assert verify(own)[0] == 0 and verify(own, kept)[0] == 0
    database.rows("UPDATE admin.access_log SET operation = 'children.list' WHERE position = 2")
    before = bytes(32)
    for row in rows_of(database):
        before = chain_hash(before, row)
        database.rows('UPDATE admin.access_log SET hash = %s WHERE position = %s', before, row['position'])
    database.rows('UPDATE admin.access_log_head SET hash = %s', before)
    status, said = verify(own)
    assert status == 1 and f'position {anchor["position"]} or before it was written anew' in said
    database.rows('UPDATE admin.anchors SET hash = %s', before)
    assert verify(own)[0] == 0, 'nothing inside the database tells'
    status, said = verify(own, kept)
    assert status == 1 and 'written anew after the anchor that was given' in said
    assert verify(own, '5')[0] == 1 and verify(own, f'{10 ** 9}:{"0" * 64}')[0] == 1


def test_addresses_follow_a_new_key(own, admin, parent, database):
    child = parent.child()
    admin.client.get(path_of(child)).expect(200)
    wait_looks(parent, child, 1)
    own.ctl('secrets', 'rotate', 'data_keys.admin', timeout=180)
    newest = own.secret('data_keys.admin').decode().split(':')[0].encode()
    stale = 'SELECT count(*) FROM admin.access_addresses WHERE substring(address FROM 2 FOR %s) <> %s'
    wait_until(lambda: database.value(stale, len(newest), newest) == 0, 30)
    row, = admin.client.get(AUDIT, query={'record': child['id']}).expect(200).data
    assert row['address'] == '127.0.0.1'
    assert verify(own)[0] == 0
