"""The database as it is made: ownership by grants, migrations, demo data. What is tried on ownership is derived from the
catalog, so that a new table is covered by being there."""
import hmac
import itertools
import json
import os
import re
import shutil
import subprocess
import uuid

import psycopg2
import pytest
from cryptography.exceptions import InvalidTag
from psycopg2 import errors

from harness.cluster import Cluster
from harness.sealed import ring, unseal
from harness.system import BUILD, ROOT
from harness.wait import wait_until

# Who may read what another owns: the published views, each named here on purpose.
PUBLISHED = {('accounts.current_consents', 'aipoten_children'), ('accounts.guardian_facts', 'aipoten_children'),
             ('accounts.address_digests', 'aipoten_mailer'),
             ('children.guardians', 'aipoten_admin'), ('children.guardians', 'aipoten_videos'),
             ('children.guardians', 'aipoten_assessments'), ('children.ages', 'aipoten_assessments'),
             ('children.names', 'aipoten_assessments'), ('accounts.current_consents', 'aipoten_assessments'),
             ('aipoten.therapist_relations', 'aipoten_assessments'),
             ('accounts.current_consents', 'aipoten_videos'), ('aipoten.therapist_relations', 'aipoten_videos'),
             ('accounts.recipients', 'aipoten_notifications'), ('aipoten.call_parties', 'aipoten_notifications'),
             ('accounts.active_users', 'aipoten_assessments'), ('children.guardians', 'aipoten_notifications'),
             ('aipoten.therapist_relations', 'aipoten_notifications'), ('assessments.completions', 'aipoten_videos')}
EMPTY = {'aipoten.therapist_relations', 'aipoten.call_parties'}  # until the migrations of matching and consultations make them anew
BY_USE = {'assessments.completions'}  # demo data has none


# --- ownership: the running system's database ---------------------------------------------------------------------------------

@pytest.fixture
def roles(database):
    """The actors: roles aipoten_NAME with a schema NAME."""
    found = [row['rolname'] for row in database.rows(
        "SELECT rolname FROM pg_roles JOIN pg_namespace ON 'aipoten_' || nspname = rolname ORDER BY 1")]
    assert {'aipoten_accounts', 'aipoten_children'} <= set(found)
    return found


@pytest.fixture
def relations(database):
    """Every table and view of ours, with its kind and columns; those that PostgreSQL itself fills come last."""
    return database.rows("""
        SELECT n.nspname AS schema, format('%I.%I', n.nspname, c.relname) AS name, c.relkind = 'v' AS view,
               array_agg(quote_ident(a.attname) ORDER BY a.attidentity = 'a', a.attnum) AS columns
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
          AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
        GROUP BY 1, 2, 3 ORDER BY 2""")


def refused(connection, sql):
    try:
        connection.rows(sql)
    except (errors.InsufficientPrivilege, errors.WrongObjectType, errors.ObjectNotInPrerequisiteState):
        # The last two: nobody can truncate a view, nor write into one that is no table's.
        return True
    except psycopg2.Error:
        return False
    return False


def attempts(relation):
    """One statement of each kind, none of which would change a row."""
    name, column = relation['name'], relation['columns'][0]
    return (f'SELECT 1 FROM {name} LIMIT 0',
            f'INSERT INTO {name} ({column}) SELECT {column} FROM {name} WHERE false',
            f'INSERT INTO {name} DEFAULT VALUES',
            f'UPDATE {name} SET {column} = NULL WHERE false',
            f'DELETE FROM {name} WHERE false',
            f'TRUNCATE {name}',
            f'DO $$ BEGIN LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE; END $$')


def role_name(role):
    return role.removeprefix('aipoten_')


def test_foreign_tables_are_refused(system, roles, relations):
    tried = 0
    for role, relation in itertools.product(roles, relations):
        if relation['schema'] == role_name(role) or (relation['name'], role) in PUBLISHED:
            continue
        with system.database(role_name(role)) as connection:
            for sql in attempts(relation):
                assert refused(connection, sql), f'{role} may: {sql}'
                tried += 1
    assert tried > 30


def test_own_tables_are_readable(system, roles, relations):
    """The other half of the trial above: what is refused there is refused for being foreign."""
    for role, relation in itertools.product(roles, relations):
        if relation['schema'] == role_name(role):
            with system.database(role_name(role)) as connection:
                assert not refused(connection, attempts(relation)[0])


def test_published_views_are_readable(system, database, relations):
    views = [relation['name'] for relation in relations if relation['view']]
    for name, role in PUBLISHED:
        assert name in views
        with system.database(role_name(role)) as connection:
            rows = connection.rows(f'SELECT * FROM {name} LIMIT 5')
            assert name in BY_USE or bool(rows) != (name in EMPTY)
        assert [kind for kind in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
                if database.value('SELECT has_table_privilege(%s, %s, %s)', role, name, kind)] == ['SELECT']


def test_no_role_creates_anything(system, roles, database):
    schemas = [row['nspname'] for row in database.rows(
        "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'")]
    assert {'accounts', 'aipoten', 'children', 'public'} <= set(schemas)
    for role in roles:
        with system.database(role_name(role)) as connection:
            for schema in schemas:
                assert refused(connection, f'CREATE TABLE {schema}.mine (id int)'), f'{role} makes tables in {schema}'
                assert refused(connection, f'CREATE FUNCTION {schema}.mine() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$')
            assert refused(connection, 'CREATE TEMPORARY TABLE mine (id int)')
            assert refused(connection, 'CREATE SCHEMA mine')
            assert refused(connection, 'CREATE ROLE mine')


def test_roles_are_only_logins(database, roles):
    for row in database.rows('SELECT * FROM pg_roles WHERE rolname = ANY (%s)', roles):
        assert row['rolcanlogin'] and 0 < row['rolconnlimit'] <= 90, row
        assert not any(row[name] for name in ('rolsuper', 'rolcreaterole', 'rolcreatedb', 'rolreplication', 'rolbypassrls')), row
    assert not database.rows('SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE rolname = ANY (%s)', roles)
    assert not database.rows('SELECT FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE rolname = ANY (%s)', roles)


def test_public_may_nothing(database):
    """PUBLIC is everybody who can log in to the server. PostgreSQL's own schemas are left out."""
    assert not database.rows("""
        SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace,
            LATERAL aclexplode(relacl) WHERE grantee = 0 AND nspname !~ '^(pg_|information_schema$)'
        UNION ALL SELECT nspname FROM pg_namespace, LATERAL aclexplode(nspacl)
            WHERE grantee = 0 AND nspname !~ '^(pg_|information_schema$)'
        UNION ALL SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace,
            LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner)))
            WHERE grantee = 0 AND nspname !~ '^(pg_|information_schema$)'
        UNION ALL SELECT datname FROM pg_database, LATERAL aclexplode(datacl)
            WHERE grantee = 0 AND datname = current_database()""")


def test_what_is_kept_for_good_cannot_be_removed(system):
    with system.database('accounts') as connection:
        for sql in ('UPDATE accounts.consents SET granted = true', 'DELETE FROM accounts.consents', 'DELETE FROM accounts.users'):
            assert refused(connection, sql), sql
    with system.database('children') as connection:
        assert refused(connection, 'DELETE FROM children.children')


def test_each_foreign_key_has_an_index(database):
    """Or what is looked for by the row it hangs on reads the whole table."""
    assert not database.rows("""
        SELECT conrelid::regclass::text AS relation, conname FROM pg_constraint k
        WHERE contype = 'f' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1])""")


def test_clock_is_shifted_by_its_setting(system, roles):
    for role in roles:
        with system.database(role_name(role)) as connection:
            assert connection.value('SELECT aipoten.app_now() = now()')
            connection.rows("SET aipoten.clock_shift = '90.5'")
            assert connection.value('SELECT extract(epoch FROM aipoten.app_now() - now())::float8') == 90.5
            connection.rows("SET aipoten.clock_shift = ''")
            assert connection.value('SELECT aipoten.app_now() = now()')


def test_newest_consent_counts(database):
    someone = database.value("SELECT id FROM accounts.users WHERE email = 'parent@example.com'")
    current = "SELECT version, granted FROM accounts.current_consents WHERE kind = 'sharing' AND user_id = %s"
    database.rows('BEGIN')
    try:
        database.rows("""
            INSERT INTO accounts.consents (id, user_id, kind, version, granted, created_at)
            SELECT gen_random_uuid(), %s, 'sharing', version, version = 3, now() + version * interval '1 second'
            FROM generate_series(1, 3) AS version""", someone)
        assert database.rows(current, someone) == [{'version': 3, 'granted': True}]
        database.rows('SET LOCAL enable_seqscan = off')
        plan = '\n'.join(row['QUERY PLAN'] for row in database.rows('EXPLAIN ' + current, someone))
        assert 'idx_consents_newest' in plan
    finally:
        database.rows('ROLLBACK')


def test_hangul_is_found_by_one_and_two_syllables(database):
    assert database.value("SELECT aipoten.bigrams('김민A')") == ['김', '김민', '민', '민a', 'a']
    for part in ('지', '지혜'):
        plan = '\n'.join(row['QUERY PLAN'] for row in database.rows(
            f"SET enable_seqscan = off; EXPLAIN SELECT FROM accounts.users WHERE aipoten.bigrams(name) @> aipoten.bigrams('{part}')"))
        assert 'idx_users_name_bigrams' in plan
        assert database.value('SELECT count(*) FROM accounts.users WHERE aipoten.bigrams(name) @> aipoten.bigrams(%s)', part)


# --- migrations: databases of their own --------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def cluster():
    cluster = Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.destroy()


class Release:
    """A copy of schema/ with one database and one directory of secrets."""

    def __init__(self, cluster, directory):
        self.cluster, self.name = cluster, cluster.make_database()
        self.root, self.var = str(directory), str(directory / 'var')
        self.migrations = os.path.join(self.root, 'schema', 'migrations')
        shutil.copytree(os.path.join(ROOT, 'schema'), os.path.join(self.root, 'schema'))
        os.mkdir(self.var)

    def path(self, name):
        return os.path.join(self.migrations, name)

    def newest(self):
        return max(os.listdir(self.migrations))

    def write(self, name, sql):
        """A migration after the newest; its file's name."""
        file = f'{int(self.newest()[:4]) + 1:04d}_{name}.sql'
        with open(self.path(file), 'w', encoding='utf-8') as out:
            out.write(sql)
        return file

    def begin(self, *arguments, **environment):
        return subprocess.Popen(
            [os.path.join(BUILD, 'bin', 'aipotenctl'), 'db', *arguments], cwd=self.root, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
                **os.environ, 'AIPOTEN_ROOT': self.root, 'AIPOTEN_VAR': self.var,
                'DATABASE_URL': self.cluster.url(self.name), **environment})

    def db(self, *arguments, fails=False, **environment):
        process = self.begin(*arguments, **environment)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == (1 if fails else 0), said
        return said

    def value(self, sql):
        with self.cluster.database(self.name) as database:
            return database.value(sql)

    def rows(self, sql):
        with self.cluster.database(self.name) as database:
            return database.rows(sql)

    def secret(self, name):
        with open(os.path.join(self.var, 'secrets', name), 'rb') as file:
            return file.read()


@pytest.fixture
def release(cluster, tmp_path):
    return Release(cluster, tmp_path)


@pytest.fixture
def migrated(release):
    release.db('migrate')
    return release


def test_migrate_makes_everything_once(release):
    said = release.db('migrate')
    files = sorted(os.listdir(release.migrations))
    assert [f'applied {file[:-4]}' in said for file in files] == [True] * len(files)
    assert 'nothing to do' in release.db('migrate')
    rows = release.rows('SELECT number, name, checksum, applied_at, duration FROM aipoten.migrations ORDER BY number')
    assert [f'{row["number"]:04d}_{row["name"]}.sql' for row in rows] == files
    hashes = subprocess.run(['sha256sum', *files], cwd=release.migrations, capture_output=True, text=True, check=True).stdout
    assert [row['checksum'] for row in rows] == [line.split()[0] for line in hashes.splitlines()]


def test_a_later_actor_gets_by_one_call_what_every_actor_has(migrated):
    with migrated.cluster.database('postgres') as database:
        database.rows("CREATE ROLE aipoten_later LOGIN PASSWORD 'later'")
    migrated.write('later', "SELECT aipoten.make_actor('later');")
    migrated.db('migrate')

    def records(actor):
        return migrated.rows(f"""
            SELECT relname, relkind::text, ARRAY(SELECT privilege_type FROM aclexplode(relacl)
                WHERE grantee = 'aipoten_{actor}'::regrole ORDER BY 1) AS may
            FROM pg_class WHERE relnamespace = '{actor}'::regnamespace AND relname LIKE '%calls%' ORDER BY 1""")
    assert len(records('later')) > 10 and records('later') == records('children') == records('accounts')
    with migrated.cluster.database(migrated.name, 'aipoten_later', 'later') as connection:
        connection.rows("INSERT INTO later.calls (slot, id, operation, body_hash, answer)"
                        " VALUES (0, gen_random_uuid(), 'later.one', '', '')")
        assert connection.value('SELECT created_at FROM later.calls')
        connection.rows('TRUNCATE later.calls_0')
        assert refused(connection, 'CREATE TABLE later.mine (id int)') and refused(connection, "SELECT aipoten.make_calls('later')")


def test_status_tells_where_it_stands(migrated):
    file = migrated.write('more', 'CREATE TABLE accounts.more (id int);')
    said = migrated.db('status')
    assert re.search(r'0001_foundation +applied', said) and re.search(file[:-4] + ' +pending', said)
    migrated.db('migrate')
    assert 'pending' not in migrated.db('status')


def test_dry_run_does_nothing(release):
    said = release.db('migrate', '--dry-run')
    assert 'would apply 0001_foundation' in said and 'would apply ' + release.newest()[:-4] in said
    assert not release.value("SELECT count(*) FROM pg_namespace WHERE nspname IN ('aipoten', 'accounts')")


def test_changed_file_is_refused(migrated):
    with open(migrated.path('0002_accounts.sql'), 'a', encoding='utf-8') as file:
        file.write('-- a remark\n')
    later = migrated.write('later', 'CREATE TABLE accounts.later (id int);')
    said = migrated.db('migrate', fails=True)
    assert '0002_accounts' in said and 'changed after it was applied' in said and later[:-4] not in said
    assert migrated.value("SELECT to_regclass('accounts.later')") is None
    assert '0002_accounts' in migrated.db('status', fails=True)


def test_unknown_newer_one_is_refused(migrated):
    os.remove(migrated.path(migrated.newest()))
    assert 'newer release' in migrated.db('migrate', fails=True)


@pytest.mark.parametrize('name, words', [
    ('{after_next:04d}_far.sql', 'no migration {next:04d} before {after_next:04d}_far'),
    ('{newest:04d}_again.sql', 'two migrations {newest:04d}'),
    ('fast.sql', 'not named as a migration'),
    ('{next:04d}_Upper.sql', 'not named as a migration'),
])
def test_odd_files_are_refused(migrated, name, words):
    newest = int(migrated.newest()[:4])
    numbers = {'newest': newest, 'next': newest + 1, 'after_next': newest + 2}
    with open(migrated.path(name.format(**numbers)), 'w', encoding='utf-8') as file:
        file.write('SELECT 1;')
    assert words.format(**numbers) in migrated.db('migrate', fails=True)


def test_failing_migration_leaves_nothing(migrated):
    file = migrated.write('broken', 'CREATE TABLE accounts.half (id int);\n-- 한글\nCREATE TABEL x;\n')
    said = migrated.db('migrate', fails=True)
    assert file[:-4] in said and 'line 3' in said and 'TABEL' in said
    assert migrated.value("SELECT to_regclass('accounts.half')") is None
    assert re.search(file[:-4] + ' +pending', migrated.db('status'))


@pytest.mark.parametrize('sql', ['COMMIT;', 'COMMIT; BEGIN;', 'ROLLBACK;'])
def test_migration_must_not_end_its_transaction(migrated, sql):
    migrated.write('ends', sql)
    assert 'ended its transaction' in migrated.db('migrate', fails=True)


def test_two_migrators_take_turns(release):
    release.write('slow', 'SELECT pg_sleep(1.5); CREATE TABLE accounts.once (id int);')
    both = [release.begin('migrate') for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum('applied 0001_foundation' in words for words in said) == 1
    assert sum('nothing to do' in words for words in said) == 1


def test_second_migrator_waits_until_its_deadline(migrated):
    migrated.write('slow', 'SELECT pg_sleep(4);')
    first = migrated.begin('migrate')
    wait_until(lambda: migrated.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                                      '(SELECT oid FROM pg_database WHERE datname = current_database())'), 10)
    assert 'nothing was done' in migrated.db('migrate', '--timeout', '1', fails=True)
    assert first.communicate(timeout=60) and first.returncode == 0


def test_locked_table_is_asked_for_again(migrated):
    migrated.write('column', 'ALTER TABLE accounts.users ADD COLUMN nickname text;')
    with migrated.cluster.database(migrated.name) as holder:
        holder.rows('BEGIN; LOCK TABLE accounts.users IN SHARE MODE')
        process = migrated.begin('migrate')
        said = iter(process.stdout.readline, '')
        assert 'tables that are in use' in next(line for line in said if 'waits for' in line)
        holder.rows('COMMIT')
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    assert migrated.value("SELECT count(*) FROM pg_attribute WHERE attname = 'nickname'") == 1


def test_killed_migrator_leaves_nothing(migrated):
    file = migrated.write('killed', 'CREATE TABLE accounts.half (id int); SELECT pg_sleep(30);')
    process = migrated.begin('migrate')
    active = f"SELECT pid FROM pg_stat_activity WHERE datname = '{migrated.name}' AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"
    pid = wait_until(lambda: migrated.value(active), 10)
    process.kill()
    process.communicate()
    migrated.value(f'SELECT pg_terminate_backend({pid})')
    wait_until(lambda: not migrated.value(active), 10)
    os.remove(migrated.path(file))
    assert 'nothing to do' in migrated.db('migrate')
    assert migrated.value("SELECT to_regclass('accounts.half')") is None


def test_passwords_follow_the_secrets_and_never_reach_the_server(migrated):
    for role in ('accounts', 'children'):
        password = migrated.secret(f'db.{role}').decode().strip()
        assert len(password) >= 20
        migrated.cluster.database(migrated.name, f'aipoten_{role}', password).close()
        assert migrated.value(f"SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'aipoten_{role}'")
        assert password not in migrated.cluster.logged()
        assert password not in migrated.db('migrate')
    with open(os.path.join(migrated.var, 'secrets', 'db.children'), 'w', encoding='ascii') as file:
        file.write('another-password-of-sufficient-length')
    migrated.db('migrate')
    migrated.cluster.database(migrated.name, 'aipoten_children', 'another-password-of-sufficient-length').close()


def test_powerful_role_is_refused(migrated):
    with migrated.cluster.database('postgres') as database:
        database.rows('ALTER ROLE aipoten_children CREATEDB')
        try:
            assert 'more rights than an actor may have' in migrated.db('migrate', fails=True)
        finally:
            database.rows('ALTER ROLE aipoten_children NOCREATEDB')


def problems(release):
    return json.loads(release.db('check', '-j', fails=True))['problems']


def test_check_finds_nothing_where_all_fits(migrated, system):
    assert 'fits' in migrated.db('check') and json.loads(migrated.db('check', '-j')) == {'fits': True, 'problems': []}
    # What the tests before have made of the shared system is right, too.
    assert system.ctl('db', 'check', '-j') == {'fits': True, 'problems': []}


def test_check_finds_nothing_in_what_was_deleted(system, admin, newcomer):
    """A video that had a category and a bookmark, a child that watched it, its parent's account. (Erased ones: 48-erasure.)"""
    category = admin.client.post('/api/v1/admin/categories', {'name': '지울 놀이', 'slug': f'gone-{uuid.uuid4().hex[:8]}'}).expect(201).data
    video = admin.client.post('/api/v1/admin/videos', {
        'title': '지울 영상', 'description': '지워집니다.', 'video_url': 'https://videos.example.com/watch/gone', 'video_platform': 'vimeo',
        'duration': 60, 'target_age_min': 12, 'target_age_max': 24, 'difficulty': 'easy', 'priority': 1, 'areas': ['language'],
        'category_ids': [category['id']], 'is_published': True}).expect(201).data
    assert video['categories']
    person = newcomer()
    child = person.child()
    person.client.post(f'/api/v1/videos/{video["id"]}/bookmark').expect(200)
    person.client.request('PUT', f'/api/v1/videos/{video["id"]}/progress', {'child_id': child['id'], 'intervals': [{'start': 0, 'end': 60}]}).expect(200)
    person.client.delete(f'/api/v1/children/{child["id"]}').expect(200)
    person.client.delete('/api/v1/users/me', body={'current_password': person.password}).expect(200)
    admin.client.delete(f'/api/v1/admin/videos/{video["id"]}').expect(200)
    admin.client.delete(f'/api/v1/admin/categories/{category["id"]}').expect(200)
    assert system.ctl('db', 'check', '-j') == {'fits': True, 'problems': []}


def test_check_finds_migrations(migrated):
    file = migrated.write('later', 'CREATE TABLE accounts.later (id int);')
    assert problems(migrated) == [f'migrations wait, 1 of them from {file[:-4]} on: aipotenctl db migrate']
    with open(migrated.path('0002_accounts.sql'), 'a', encoding='utf-8') as changed:
        changed.write('-- a remark\n')
    problem, = problems(migrated)
    assert '0002_accounts' in problem and 'changed after it was applied' in problem
    assert 'MIGRATION' not in migrated.db('check', fails=True)


def test_check_finds_roles(migrated):
    with migrated.cluster.database('postgres') as database:
        database.rows('ALTER ROLE aipoten_children CREATEDB; ALTER ROLE aipoten_mailer PASSWORD $$another$$; ALTER ROLE aipoten_videos NOLOGIN')
        try:
            found = problems(migrated)
        finally:
            database.rows('ALTER ROLE aipoten_children NOCREATEDB; ALTER ROLE aipoten_videos LOGIN')
    assert [line.split(' ')[1] for line in found if line.startswith('role ')] == ['aipoten_children', 'aipoten_mailer', 'aipoten_videos']
    assert 'more rights' in found[0] and migrated.secret('db.mailer').decode() not in str(found)
    migrated.db('migrate')
    migrated.db('check')


def test_check_finds_what_postgresql_does_not_use_and_copies_that_differ(migrated):
    migrated.rows("""
        ALTER TABLE videos.videos DISABLE TRIGGER ALL;
        ALTER TABLE videos.video_views ADD CONSTRAINT odd CHECK (video_id <> viewer) NOT VALID, OWNER TO aipoten_videos;
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'notifications.idx_push_jobs_service'::regclass;
        INSERT INTO accounts.users (id, email, password_hash, name, role)
        VALUES (gen_random_uuid(), 'x@example.com', 'x', '가', 'parent');
        INSERT INTO notifications.counters (user_id, seq, unread) SELECT id, 3, 3 FROM accounts.users""")
    words = ['1 users whose number of unread', 'constraint odd of videos.video_views', 'CONCURRENTLY notifications.idx_push_jobs_service',
             'triggers of videos.videos are off', 'videos.video_views belongs to aipoten_videos']
    found = problems(migrated)
    assert [[word for word in words if word in line] for line in sorted(found)] == [[word] for word in words]


def test_wrong_databases_are_named(cluster, release):
    assert 'DATABASE_URL' in release.db('status', fails=True, DATABASE_URL='oracle://someone:secret-word@host/x')
    said = release.db('migrate', fails=True, DATABASE_URL='postgresql://someone:secret-word@127.0.0.1:1/x')
    assert 'could not connect' in said and 'secret-word' not in said
    assert 'secret-word' not in release.db('migrate', fails=True, DATABASE_URL='postgresql://someone:secret-word@[::1/x')
    release.name = cluster.make_database("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    assert 'UTF8' in release.db('migrate', fails=True)


# --- demo data ----------------------------------------------------------------------------------------------------------------

COUNTS = """SELECT (SELECT count(*) FROM accounts.users) AS users, (SELECT count(*) FROM children.children) AS children,
                   (SELECT count(*) FROM children.child_guardians WHERE relation = 'owner') AS owners"""
# Everything but what is sealed or salted.
FINGERPRINTS = (
    "SELECT md5(string_agg(md5((u.*)::text), '' ORDER BY id)) FROM (SELECT id, email, name, role, status, language,"
    ' email_verified_at, created_at FROM accounts.users) u',
    "SELECT md5(string_agg(md5((c.*)::text), '' ORDER BY id)) FROM (SELECT id, user_id, name, birth_date, gender,"
    ' gestational_weeks, birth_weight, current_height, current_weight, medical_history IS NULL, created_at'
    ' FROM children.children) c',
    "SELECT md5(string_agg(md5((m.*)::text), '' ORDER BY id)) FROM children.child_measurements m",
    "SELECT md5(string_agg(md5((c.*)::text), '' ORDER BY id)) FROM accounts.consents c",
    "SELECT md5(string_agg(md5((g.*)::text), '' ORDER BY child_id, user_id)) FROM children.child_guardians g",
    "SELECT md5(string_agg(md5((v.*)::text), '' ORDER BY id)) FROM videos.videos v",
    "SELECT md5(string_agg(video_id::text || tag_name, '' ORDER BY id)) FROM videos.video_tags",
    "SELECT md5(string_agg(md5((q.*)::text), '' ORDER BY id)) FROM assessments.assessment_questions q",
)


@pytest.fixture(scope='module')
def demo(cluster, tmp_path_factory):
    release = Release(cluster, tmp_path_factory.mktemp('demo'))
    release.db('migrate')
    release.db('demo', '--users', '300', '--children', '480', '--videos', '150')
    return release


def test_demo_has_the_sizes_asked_for(demo):
    assert demo.rows(COUNTS) == [{'users': 300, 'children': 480, 'owners': 480}]


def test_demo_loads_once(demo):
    for sizes in ((), ('--users', '300'), ('--users', '300', '--children', '480', '--videos', '150')):
        assert 'already' in demo.db('demo', *sizes)
    assert 'start over' in demo.db('demo', '--users', '301', fails=True)
    assert 'start over' in demo.db('demo', '--videos', '151', fails=True)
    assert demo.value('SELECT count(*) FROM videos.videos') == 150
    assert demo.rows(COUNTS)[0]['users'] == 300


def test_demo_is_the_same_everywhere(demo, release):
    release.db('migrate')
    release.db('demo', '--users', '300', '--children', '480', '--videos', '150')
    for sql in FINGERPRINTS:
        assert demo.value(sql) == release.value(sql), sql


def test_demo_videos_come_to_demo_data_without_any(release):
    """As that of an earlier release; but not beside videos that somebody made."""
    release.db('migrate')
    release.db('demo', '--users', '3', '--children', '2', '--videos', '1')
    release.rows('TRUNCATE videos.videos, videos.video_categories CASCADE; UPDATE aipoten.demo_data SET videos = NULL')
    assert 'loaded 20 videos' in release.db('demo', '--videos', '20')
    assert release.value('SELECT count(*) FROM videos.videos') == release.value('SELECT videos FROM aipoten.demo_data') == 20
    release.rows('UPDATE aipoten.demo_data SET videos = NULL')
    assert 'videos of its own' in release.db('demo')
    assert 'to 1000000 videos' in release.db('demo', '--videos', '1000001', fails=True)


def test_demo_asks_six_questions_of_each_area_at_every_age(demo):
    assert demo.value("""SELECT count(*) FROM (SELECT FROM generate_series(4, 71) AS age JOIN assessments.assessment_questions q
        ON age BETWEEN q.age_range_start AND q.age_range_end WHERE q.retired_at IS NULL GROUP BY age, q.category
        HAVING count(*) >= 6) AS well_asked""") == 68 * 6
    assert demo.value('SELECT questions FROM aipoten.demo_data') == demo.value(
        'SELECT count(*) FROM assessments.assessment_questions WHERE version = 1 AND lineage = id')
    assert demo.value("""SELECT count(*) FROM assessments.assessment_questions, jsonb_array_elements(options) AS o
        WHERE NOT (o ->> 'score')::integer BETWEEN 0 AND 1000 OR o ->> 'key' !~ '^[a-f]$' OR o ->> 'label' = ''""") == 0


def test_demo_questions_come_to_demo_data_without_any(release):
    """As that of an earlier release; but not beside questions that somebody wrote."""
    release.db('migrate')
    release.db('demo', '--users', '3', '--children', '2', '--videos', '1')
    count = release.value('SELECT questions FROM aipoten.demo_data')
    release.rows('TRUNCATE assessments.assessment_questions CASCADE; UPDATE aipoten.demo_data SET questions = NULL')
    assert f'loaded {count} questions' in release.db('demo')
    assert 'questions' not in release.db('demo')
    release.rows('UPDATE aipoten.demo_data SET questions = NULL')
    assert 'questions of its own' in release.db('demo')
    assert release.value('SELECT count(*) FROM assessments.assessment_questions') == count


def test_demo_accounts(demo):
    rows = demo.rows("""
        SELECT email, role, status, email_verified_at IS NOT NULL AS verified, count(c.id) AS children,
               count(*) FILTER (WHERE gestational_weeks = 32) AS early
        FROM accounts.users u LEFT JOIN children.children c ON c.user_id = u.id
        WHERE email IN ('parent@example.com', 'therapist@example.com', 'admin@example.com') GROUP BY 1, 2, 3, 4 ORDER BY 1""")
    common = {'status': 'active', 'verified': True}
    assert rows == [
        {'email': 'admin@example.com', 'role': 'admin', 'children': 0, 'early': 0, **common},
        {'email': 'parent@example.com', 'role': 'parent', 'children': 2, 'early': 1, **common},
        {'email': 'therapist@example.com', 'role': 'therapist', 'children': 0, 'early': 0, **common}]
    assert demo.rows("SELECT left(password_hash, 7) AS kind, count(*) FROM accounts.users GROUP BY password_hash") == [
        {'kind': '$2b$10$', 'count': 300}]  # one hash for all: 300 would take a quarter of a minute
    assert demo.value("SELECT count(*) FROM accounts.users WHERE role = 'admin'") == 1
    assert demo.value("SELECT count(*) FROM accounts.users WHERE role = 'therapist'") > 15


def test_demo_parents_have_consented(demo):
    assert not demo.rows("""
        SELECT FROM accounts.users u CROSS JOIN unnest(ARRAY['terms', 'privacy', 'child_health', 'child_guardian']) AS kind
        WHERE role = 'parent' AND NOT EXISTS (
            SELECT FROM accounts.current_consents c WHERE c.user_id = u.id AND c.kind = kind AND granted)""")


def test_demo_phones_open_and_are_indexed(demo):
    keys, index_key = ring(demo.secret('data_keys.accounts')), demo.secret('index_key')
    rows = demo.rows('SELECT id, phone, phone_index FROM accounts.users')
    for row in rows:
        phone = unseal(keys, 'accounts.users', 'phone', row['id'], row['phone'])
        assert re.fullmatch(r'010-\d{4}-\d{4}', phone)
        assert hmac.digest(index_key, phone.replace('-', '').encode(), 'sha256') == bytes(row['phone_index'])
    with pytest.raises(InvalidTag):
        unseal(keys, 'accounts.users', 'phone', rows[0]['id'], rows[1]['phone'])


def test_demo_histories_open(demo):
    keys, opened = ring(demo.secret('data_keys.children')), 0
    for column in ('medical_history', 'family_history', 'treatment_history', 'notes'):
        for row in demo.rows(f'SELECT id, {column} AS value FROM children.children WHERE {column} IS NOT NULL'):
            text = unseal(keys, 'children.children', column, row['id'], row['value'])
            assert re.search('[가-힣]', text)
            opened += 1
    assert opened > 100


def test_demo_families_are_plausible(demo):
    assert not demo.rows("""
        SELECT c.name, u.name FROM children.children c JOIN accounts.users u ON u.id = c.user_id
        WHERE left(c.name, 1) <> left(u.name, 1) OR u.role <> 'parent' OR c.created_at < u.created_at
           OR c.created_at < c.birth_date OR c.birth_date > now()""")
    assert not demo.rows("SELECT FROM accounts.users WHERE name !~ '^[가-힣]{2,4}$' OR lower(email) NOT LIKE '%@example.com'")
    assert not demo.rows("""
        SELECT FROM (SELECT height - lag(height) OVER w AS more, measured_on - lag(measured_on) OVER w AS days
                     FROM children.child_measurements WINDOW w AS (PARTITION BY child_id ORDER BY measured_on)) g
        WHERE more < 0 AND days > 30""")
    # Row ids carry the time of their row.
    assert not demo.rows("""
        SELECT FROM accounts.users WHERE ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint
            <> floor(extract(epoch FROM created_at) * 1000)::bigint OR substr(id::text, 15, 1) <> '7'""")


def test_demo_needs_a_migrated_empty_database(release):
    assert 'db migrate' in release.db('demo', fails=True)
    release.db('migrate')
    release.rows("INSERT INTO accounts.users (id, email, name, role) VALUES (gen_random_uuid(), 'real@example.org', '나', 'parent')")
    assert 'users of its own' in release.db('demo', fails=True)
    assert release.rows(COUNTS)[0]['users'] == 1


@pytest.mark.parametrize('sizes, words', [(('2', '2'), '3 to 1000000 users'), (('10', '1000'), 'to 44 children')])
def test_demo_sizes_have_bounds(migrated, sizes, words):
    assert words in migrated.db('demo', '--users', sizes[0], '--children', sizes[1], fails=True)
