"""The daily reminder of assessments that are due: at its hour of Seoul's day, once in a band of ages, by PostgreSQL's clock; nobody is
reminded who is gone, and nobody twice, whoever dies. What it says is seen where it ends: in the notifications."""
import datetime
import uuid

import pytest

from harness import faults, people
from harness.wait import wait_until

SEOUL = datetime.timezone(datetime.timedelta(hours=9))
HOUR = 10
DAY = datetime.datetime.now(SEOUL).date() + datetime.timedelta(days=2)  # the day of the first reminders


def back(months, days=0, of=None):
    """The date so many months and days before the day; never one that the month lacks."""
    of = of or DAY
    count = of.year * 12 + of.month - 1 - months
    year, month = divmod(count, 12)
    last = (datetime.date(year + (month == 11), (month + 1) % 12 + 1, 1) - datetime.timedelta(days=1)).day
    return datetime.date(year, month + 1, min(of.day, last)) - datetime.timedelta(days=days)


def shift_to(day, clock):
    """What makes every clock of a system that starts now show that moment of Seoul."""
    moment = datetime.datetime.combine(day, datetime.time.fromisoformat(clock), SEOUL)
    return {'AIPOTEN_CLOCK_SHIFT': str(int((moment - datetime.datetime.now(SEOUL)).total_seconds()))}


def passes(system, mark):
    return system.logs.events(mark, 'reminders')


class Family:
    """Children and their attempts as rows: dates are what counts here, and those of the interface are always today's."""

    def __init__(self, system):
        self.system, self.database = system, system.database()

    def reconnect(self):
        self.database.close()
        self.database = self.system.database()

    def rows(self, sql, *values):
        return self.database.rows(sql, *values)

    def user(self, status='active'):
        user = str(uuid.uuid4())
        self.rows("INSERT INTO accounts.users (id, email, password_hash, name, role, status, deleted_at) VALUES (%s, %s, 'x', '이부모',"
                           " 'parent', %s, CASE WHEN %s = 'deleted' THEN now() END)", user, f'{user}@example.com', status, status)
        return user

    def child(self, user, birth, completed=None, deleted=False, guardian=None, status='completed', forgotten=False):
        child = str(uuid.uuid4())
        self.rows("INSERT INTO children.children (id, user_id, name, birth_date, gender, deleted_at) VALUES (%s, %s, '김별', %s,"
                           " 'female', CASE WHEN %s THEN now() END)", child, user, birth, deleted)
        for who, relation in ((user, 'owner'), (guardian, 'guardian')):
            if who:
                self.rows('INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, %s)', child, who,
                                   relation)
        if completed:
            self.attempt(child, user, completed, status, forgotten)
        return child

    def attempt(self, child, user, on, status='completed', forgotten=False):
        at = datetime.datetime.combine(on, datetime.time(0, 30), SEOUL)  # the day before in UTC
        self.rows("""INSERT INTO assessments.development_assessments (id, child_id, user_id, assessment_date, age_in_months,
            chronological_age_months, status, question_ids, expires_at, created_at, completed_at, deleted_at)
            VALUES (%s, %s, %s, %s, 12, 12, %s, '{}', %s, %s, CASE WHEN %s = 'completed' THEN %s::timestamptz END,
            CASE WHEN %s THEN now() END)""", str(uuid.uuid4()), child, user, on, status, at + datetime.timedelta(days=14), at, status, at,
                           forgotten)

    def reminders(self):
        return self.rows("SELECT subject_id, user_id, message, created_at FROM notifications.notifications"
                                  " WHERE type = 'assessment_reminder' ORDER BY created_at")

    def reminded(self):
        """{child: how often}"""
        counts = {}
        for row in self.reminders():
            counts[row['subject_id']] = counts.get(row['subject_id'], 0) + 1
        return counts


@pytest.fixture(scope='module')
def own(start_system):
    """At eight in the morning of the day: nobody is reminded yet."""
    return start_system(demo=False, settings={'assessments': {'reminder_at': HOUR}}, environment=shift_to(DAY, '08:00'))


@pytest.fixture
def family(own):
    family = Family(own)
    yield family
    family.database.close()


def restart(family, day, clock):
    """The mark in the logs from which on what the system does is seen."""
    family.system.stop()
    family.system.environment.update(shift_to(day, clock))
    mark = family.system.logs.mark()
    family.system.start()
    family.reconnect()
    return mark


def test_reminders_of_some_days(own, family):
    """Those who are due, at ten, once; two months later those who are due again, or then."""
    user, gone, second = family.user(), family.user('deleted'), family.user()
    due = family.child(user, back(14), back(2))
    elder = family.child(user, back(36), back(6))
    shared = family.child(gone, back(14), back(3), guardian=second)
    others = [family.child(user, back(14), back(2, -1)),                # tomorrow
              family.child(user, back(40), back(5)),                    # of three years on, after six months
              family.child(user, back(14)),                             # never
              family.child(user, back(14), back(3), status='expired'),  # not to its end
              family.child(user, back(14), back(3), forgotten=True),
              family.child(user, back(72), back(7)),                    # no questions for it any more
              family.child(user, back(14), back(3), deleted=True),
              family.child(gone, back(14), back(3)),
              family.child(family.user('suspended'), back(14), back(3))]
    again = family.child(user, back(14), back(5))
    family.attempt(again, user, back(1))                                # since then
    assert family.reminders() == []

    mark = restart(family, DAY, '09:59:56')
    wait_until(lambda: len(passes(own, mark)) == 1 and len(family.reminders()) == 3, 40, 'the reminders of ten o’clock')
    assert {row['subject_id']: row['user_id'] for row in family.reminders()} == {due: user, elder: user, shared: second}
    assert {row['created_at'].astimezone(SEOUL).hour for row in family.reminders()} == {HOUR}
    assert '14개월' in next(row['message'] for row in family.reminders() if row['subject_id'] == due)

    later = DAY + datetime.timedelta(days=63)
    mark = restart(family, later, '15:00:00')  # the hour was missed: it is caught up with
    wait_until(lambda: passes(own, mark) and len(family.reminders()) > 3, 40, 'the reminders of two months later')
    wait_until(lambda: sum(family.reminded().values()) == 3 + passes(own, mark)[0]['children'], 20, 'all of them')
    counts = family.reminded()
    assert counts[due] == 2 and counts[shared] == 2 and counts[elder] == 1, 'the elder is in the same band, of six months'
    assert counts[others[0]] == 1 and counts[others[1]] == 1 and counts[again] == 1, 'who was not due then is now'
    assert not {*others[2:]} & set(counts)


def test_nobody_is_reminded_twice_whoever_dies(own, family):
    """The instance that reminds dies between the note of a reminder and its event, and after some of them: 130 children are in three
    transactions."""
    own.wait_ready()
    user, before = family.user(), family.reminded()
    day = DAY + datetime.timedelta(days=63)
    children = {family.child(user, back(10, of=day), back(3, of=day)) for _ in range(130)}
    pid = next(row['pid'] for row in own.instances('assessments') if row['instance'] == 1)
    mark = own.logs.mark()
    with faults.Fault(own, 'assessments', 'event.emitted', nth=70) as fault:
        own.kill(pid)  # the next one begins the day anew
        wait_until(fault.hit, 40, 'the death')
        assert len(children & set(family.reminded())) < len(children)
    wait_until(lambda: passes(own, mark), 40, 'the end of the pass')
    wait_until(lambda: children <= set(family.reminded()), 20, 'all reminders')
    assert family.reminded() == {**before, **dict.fromkeys(children, 1)}
    own.wait_ready()
    assert people.newcomer(own).child(), 'and all is well'
