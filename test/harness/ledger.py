"""ledger: every answer that traffic.py got, held against the database: what was answered 2xx stands exactly once with its event and
its effects, what was not is whole or not there, and only those noticed something whom killer.py excuses."""
import collections

from . import people
from .client import Client
from .mail import all_mails
from .traffic import CHILDREN, UNKNOWN
from .wait import wait_until

RECOVERY = 3  # seconds after PostgreSQL is back, three times what it takes on a quiet machine
SCHEMA = {'children.create': 'children', 'children.update': 'children', 'children.measure': 'children',
          'admin.users.update': 'accounts'}


def said(attempt):
    return f'{attempt.operation} -> {attempt.status} after {attempt.ended - attempt.began:.2f} s'


# --- who may have noticed --------------------------------------------------------------------------------------------------------

def excused(attempt, killer):
    """Its own connection's frontend was killed, or PostgreSQL was away while it ran."""
    if attempt.status == UNKNOWN:
        if attempt.frontend is not None:
            return attempt.frontend in killer.frontends()
        return any(killed.what == 'frontend' and attempt.opened <= killed.back and killed.at <= attempt.ended
                   for killed in killer.killed)
    return attempt.status == 503 and any(
        attempt.ended >= away and attempt.began <= back + RECOVERY for away, back in killer.away())


def recoveries(traffic, killer):
    """How long after each return of PostgreSQL the last 503 was begun that belongs to it, in seconds."""
    away = killer.away()
    for number, (_, back) in enumerate(away):
        following = away[number + 1][0] if number + 1 < len(away) else float('inf')
        late = [attempt.began for attempt in traffic.attempts if attempt.status == 503 and back < attempt.began < following]
        yield max(late) - back if late else 0.0


# --- what stands -----------------------------------------------------------------------------------------------------------------

def check_counts(database, traffic):
    """As many recorded calls of each kind as were answered 2xx, and at most those more of which no answer came."""
    done, doubtful = collections.Counter(), collections.Counter()
    for write in traffic.writes:
        if write.person is None:  # check_mails
            continue
        (done if 200 <= write.status < 300 else doubtful)[write.operation, write.person] += 1
    wrong = []
    for operation, person in {*done, *doubtful}:
        least = done[operation, person] + traffic.before[operation, person]
        recorded = sum(database.value(f'SELECT count(*) FROM {SCHEMA[operation]}.{table} WHERE operation = %s AND principal = %s',
                                      operation, person) for table in ('calls', 'keyed_calls'))
        if not least <= recorded <= least + doubtful[operation, person]:
            wrong.append((operation, person, least, recorded, doubtful[operation, person]))
    assert not wrong, wrong


def check_children(database, traffic):
    """Each that was registered once, with its guardian; each record of a call has its child, each child its record."""
    names = {write.what: write.status for write in traffic.of('children.create')}
    found = collections.Counter(row['name'] for row in database.rows(
        'SELECT name FROM children.children WHERE name = ANY(%s)', list(names)))
    assert [name for name, status in names.items() if status == 201 and found[name] != 1] == []
    assert [name for name, count in found.items() if count > 1] == []
    people_ids = traffic.writers
    assert database.rows('SELECT id FROM children.children c WHERE user_id = ANY(%s::uuid[]) AND NOT EXISTS (SELECT FROM '
                         'children.child_guardians g WHERE g.child_id = c.id AND g.user_id = c.user_id)', people_ids) == []
    for table, operation in (('children', 'children.create'), ('child_measurements', 'children.measure')):
        owner = 'user_id' if table == 'children' else '(SELECT user_id FROM children.children c WHERE c.id = child_id)'
        rows = database.value(f'SELECT count(*) FROM children.{table} WHERE {owner} = ANY(%s::uuid[])', people_ids)
        calls = database.value('SELECT (SELECT count(*) FROM children.calls WHERE operation = %s AND principal = ANY(%s::uuid[])) + '
                               '(SELECT count(*) FROM children.keyed_calls WHERE operation = %s AND principal = ANY(%s::uuid[]))',
                               operation, people_ids, operation, people_ids)
        assert rows == calls, (table, rows, calls)


def check_last_names(database, traffic):
    """A child's name is that of its last change, or of one after it of which no answer came."""
    possible = {}
    for write in traffic.of('children.update'):
        child, name = write.what
        possible[child] = ([] if write.status == 200 else possible.get(child, ['처음'])) + [name]
    now = {row['id']: row['name'] for row in database.rows(
        'SELECT id::text, name FROM children.children WHERE id = ANY(%s::uuid[])', list(possible))}
    assert [child for child, names in possible.items() if now.get(child) not in names] == []


def check_access_log(own, database, traffic):
    """Each change of a user stands once in the access log, in the order of its user's changes, and the chain is whole."""
    done = collections.Counter(write.what for write in traffic.of('admin.users.update') if write.status == 200)
    doubtful = collections.Counter(write.what for write in traffic.of('admin.users.update') if write.status != 200)
    assert sum(done.values()) > 0
    total = 0
    for user in {*done, *doubtful}:
        times = [row['read_at'] for row in database.rows(
            "SELECT read_at FROM admin.access_log WHERE record = %s AND operation = 'admin.users.update' ORDER BY position", user)]
        assert done[user] <= len(times) <= done[user] + doubtful[user], (user, done[user], len(times), doubtful[user])
        assert times == sorted(set(times)), f'the events of user {user} came in another order'
        total += len(times)
    assert total == database.value("SELECT count(*) FROM accounts.calls WHERE operation = 'admin.users.update' AND principal = %s",
                                   traffic.admin.id)
    own.ctl('audit', 'verify')


def check_mails(own, database, traffic):
    """Who was registered stands once and gets one mail; who was not gets none."""
    wait_until(lambda: database.value("SELECT count(*) FROM mailer.mail_jobs WHERE state IN ('waiting', 'sending')") == 0, 60,
               'all mails sent', every=0.2)
    statuses = {write.what: write.status for write in traffic.of('auth.register')}
    users = collections.Counter(row['email'] for row in database.rows(
        'SELECT email FROM accounts.users WHERE email = ANY(%s)', list(statuses)))
    mails = collections.Counter(mail['to'].addresses[0].addr_spec for mail in all_mails(own))
    assert list(statuses.values()).count(201) > 0
    assert [address for address, status in statuses.items() if status == 201 and users[address] != 1] == []
    wrong = [(address, statuses[address], users[address], mails[address]) for address in statuses if mails[address] != users[address]]
    assert wrong == []


def check_all(own, traffic, killer):
    statuses = collections.Counter(attempt.status for attempt in traffic.attempts)
    print(f'{len(traffic.writes) / traffic.took:.0f} writes a second for {traffic.took:.0f} s; answers {dict(statuses)}; killed',
          dict(collections.Counter(killed.what for killed in killer.killed)))
    wrong = [attempt for attempt in traffic.failures() if not excused(attempt, killer)]
    assert not wrong, (len(wrong), [said(attempt) for attempt in wrong[:10]])
    own.wait_ready(60)
    wait_until(lambda: own.ctl('events', '-j')['deliveries'] == [], 60, 'all events delivered', every=0.2)
    with own.database() as database:
        check_counts(database, traffic)
        check_children(database, traffic)
        check_last_names(database, traffic)
        check_access_log(own, database, traffic)
        check_mails(own, database, traffic)
    Client(own, people.demo(own, 'parent').token).get(CHILDREN).expect(200)
