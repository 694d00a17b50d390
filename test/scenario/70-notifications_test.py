"""notifications: everybody is told once, in order, by the channels they want; and who has seen one can ask for all that came since.
What asks for them are events, made here as the actors to come will make them."""
import concurrent.futures
import datetime
import uuid

import pytest

from harness.emit import Emitter
from harness.wait import wait_until

NOTIFICATIONS = '/api/v1/notifications'
TYPES = ['assessment_reminder', 'new_video', 'matching_update', 'consultation_reminder', 'payment', 'refund', 'report',
         'schedule_change', 'settlement', 'therapist_approval', 'system']


@pytest.fixture
def emitter(system):
    return Emitter(system)


class Teller:
    def __init__(self, emitter, database):
        self.emitter, self.database = emitter, database

    def tell(self, person, number=1, kind='system', aggregate=None, **changes):
        """Asks for one; it comes when it comes."""
        self.emitter.emit(self.database, 'notification.requested', aggregate or str(uuid.uuid4()), {
            'user': uuid.UUID(person.id), 'type': TYPES.index(kind), 'title': f'알림 {number}', 'message': f'{number}번째 말',
            **changes})

    def told(self, person, count):
        return wait_until(lambda: [row for row in [self.rows(person)] if len(row) >= count], 20, f'{count} notifications')[0]

    def rows(self, person):
        return self.database.rows('SELECT * FROM notifications.notifications WHERE user_id = %s ORDER BY seq', person.id)


@pytest.fixture
def teller(emitter, database):
    return Teller(emitter, database)


def test_one(newcomer, teller):
    person, aggregate = newcomer(), str(uuid.uuid4())
    teller.tell(person, 1, 'matching_update', aggregate, title_en='Word', message_en='First word', link_url='/matching/1')
    teller.tell(person, 2, aggregate=aggregate)
    teller.told(person, 2)
    answer = person.client.get(NOTIFICATIONS).expect(200)
    assert [row['title'] for row in answer.data] == ['알림 2', '알림 1'] and answer.header('cache-control') == 'no-store'
    assert answer.meta == {'page': 1, 'limit': 20, 'total': 2, 'unread': 2}
    first = answer.data[1]
    assert uuid.UUID(first['id']).version == 7
    assert (first['type'], first['message'], first['link_url'], first['is_read'], first['read_at'], first['seq']) == (
        'matching_update', '1번째 말', '/matching/1', False, None, 1)
    english = person.client.get(NOTIFICATIONS, headers={'accept-language': 'en'}).expect(200).data
    assert [(row['title'], row['message']) for row in english] == [('알림 2', '2번째 말'), ('Word', 'First word')]

    read = person.client.patch(f'{NOTIFICATIONS}/{first["id"]}/read').expect(200).data
    assert read['is_read'] and read['read_at'] and read['unread'] == 1
    assert person.client.patch(f'{NOTIFICATIONS}/{first["id"]}/read').expect(200).data == read, 'reading twice is reading once'
    unread = person.client.get(f'{NOTIFICATIONS}?unread=true').expect(200)
    assert [row['title'] for row in unread.data] == ['알림 2'] and unread.meta['unread'] == 1

    person.client.delete(f'{NOTIFICATIONS}/{unread.data[0]["id"]}').expect(200)
    person.client.delete(f'{NOTIFICATIONS}/{unread.data[0]["id"]}').expect(404)
    person.client.patch(f'{NOTIFICATIONS}/{unread.data[0]["id"]}/read').expect(404)
    left = person.client.get(NOTIFICATIONS).expect(200)
    assert [row['id'] for row in left.data] == [first['id']] and left.meta['unread'] == 0
    gone = teller.rows(person)[1]
    assert (gone['title'], gone['message'], gone['link_url']) == ('', '', None) and gone['deleted_at']


def test_pages_and_catching_up(newcomer, teller):
    person, aggregate = newcomer(), str(uuid.uuid4())
    for number in range(1, 26):
        teller.tell(person, number, aggregate=aggregate)
    rows = teller.told(person, 25)
    assert [row['title'] for row in rows] == [f'알림 {number}' for number in range(1, 26)], 'in the order in which they were asked for'
    assert [row['seq'] for row in rows] == list(range(1, 26))
    seen, cursor = [], ''
    while cursor is not None:
        page = person.client.get(f'{NOTIFICATIONS}?limit=10{cursor}').expect(200)
        seen += [row['seq'] for row in page.data]
        cursor = f'&cursor={page.meta["next_cursor"]}' if 'next_cursor' in page.meta else None
    assert seen == list(range(25, 0, -1))
    assert [row['seq'] for row in person.client.get(f'{NOTIFICATIONS}?limit=10&page=3').expect(200).data] == [5, 4, 3, 2, 1]
    person.client.get(f'{NOTIFICATIONS}?cursor=x').expect(400)

    after, seen = person.client.get(f'{NOTIFICATIONS}?limit=10&after={rows[4]["id"]}').expect(200), []
    assert after.meta['total'] == 20
    while True:
        seen += [row['seq'] for row in after.data]
        if 'next_cursor' not in after.meta:
            break
        after = person.client.get(
            f'{NOTIFICATIONS}?limit=10&after={rows[4]["id"]}&cursor={after.meta["next_cursor"]}').expect(200)
    assert seen == list(range(6, 26))
    person.client.delete(f'{NOTIFICATIONS}/{rows[23]["id"]}').expect(200)
    answer = person.client.get(f'{NOTIFICATIONS}?after={rows[23]["id"]}').expect(200)
    assert [row['seq'] for row in answer.data] == [25], 'after one that was deleted elsewhere meanwhile'
    assert person.client.get(f'{NOTIFICATIONS}?after={rows[24]["id"]}').expect(200).data == []
    newcomer().client.get(f'{NOTIFICATIONS}?after={rows[0]["id"]}').expect(404)

    assert person.client.patch(f'{NOTIFICATIONS}/read-all').expect(200).data == {'changed': 24, 'unread': 0}
    assert person.client.patch(f'{NOTIFICATIONS}/read-all').expect(200).data == {'changed': 0, 'unread': 0}
    assert person.client.get(NOTIFICATIONS).expect(200).meta['unread'] == 0


def test_numbers_are_exact_whoever_reads_meanwhile(newcomer, teller, database, system):
    """Written, read, deleted and read all at once: seq has no hole and no double, unread is what is not read."""
    person = newcomer()

    def busy(number):
        client = type(person.client)(system, person.token)
        for _ in range(12):
            rows = client.get(f'{NOTIFICATIONS}?unread=true&limit=5').expect(200).data
            if rows and number == 0:
                client.patch(f'{NOTIFICATIONS}/{rows[0]["id"]}/read')
            elif rows and number == 1:
                client.delete(f'{NOTIFICATIONS}/{rows[-1]["id"]}')
            elif number == 2:
                client.patch(f'{NOTIFICATIONS}/read-all').expect(200)
        client.close()

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        work = [pool.submit(busy, number) for number in range(3)]
        for number in range(60):
            teller.tell(person, number)
        for one in work:
            one.result()
    rows = teller.told(person, 60)
    assert [row['seq'] for row in rows] == list(range(1, 61))
    unread = sum(not row['is_read'] and row['deleted_at'] is None for row in rows)
    assert database.row('SELECT seq, unread FROM notifications.counters WHERE user_id = %s', person.id) == {'seq': 60, 'unread': unread}
    assert person.client.get(NOTIFICATIONS).expect(200).meta['unread'] == unread


def test_assessment_due(newcomer, teller, emitter, database):
    person = newcomer()
    child = person.child()['id']
    for last in (None, int(datetime.datetime(2026, 1, 1).timestamp() * 1e6)):
        emitter.emit(database, 'assessment.due', child, {'child': uuid.UUID(child), 'user': uuid.UUID(person.id), 'age': 24,
                                                         'last_completed_at': last})
    teller.told(person, 2)
    later, first = person.client.get(NOTIFICATIONS).expect(200).data
    assert first['type'] == later['type'] == 'assessment_reminder' and first['link_url'] == f'/assessments?child_id={child}'
    assert '24개월' in first['message'] and '첫 발달 체크' in first['message'] and '달라졌는지' in later['message']
    assert '24 months' in person.client.get(NOTIFICATIONS, headers={'accept-language': 'en'}).data[1]['message']
    person.client.delete(f'/api/v1/children/{child}').expect(200)
    wait_until(lambda: person.client.get(NOTIFICATIONS).expect(200).meta == {'page': 1, 'limit': 20, 'total': 0, 'unread': 0}, 20,
               'nothing about a child that is gone', every=0.1)


def test_nobody_is_told_who_left(newcomer, teller, emitter, database):
    person, aggregate = newcomer(), str(uuid.uuid4())
    database.rows("UPDATE accounts.users SET status = 'suspended' WHERE id = %s", person.id)
    teller.tell(person, aggregate=aggregate)
    wait_until(lambda: emitter.waiting(database) == 0, 20, 'the event')
    assert teller.rows(person) == []
