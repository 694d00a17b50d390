"""Bugs of the outbox and the record of calls that a review found."""
import random
import threading
import time
import uuid

import pytest

from harness import people
from harness.client import Client
from harness.killer import Killer
from harness.wait import wait_until

ROW = 30000
RESTART = 240


@pytest.fixture(scope='module')
def own(start_system):
    return start_system()


def read(own, child, times=1):
    client = Client(own, people.demo(own, 'admin').token)
    for _ in range(times):
        client.get(f'/api/v1/children/{child["id"]}').expect(200)
    client.close()


def test_a_long_row_of_one_aggregate_stops_nobody(own):
    """Every round compared all that were due with one another: from some ten thousand on it took longer than a statement may."""
    aggregate, other = str(uuid.uuid4()), people.newcomer(own).child()
    with own.database() as database:
        database.rows("""
            WITH e AS (INSERT INTO children.events (id, type, aggregate, body)
                       SELECT gen_random_uuid(), 'record.read', %s, 'nobody can open this' FROM generate_series(1, %s) RETURNING position)
            INSERT INTO children.deliveries (subscriber, position, aggregate, waits)
            SELECT 'admin', position, %s, position > min(position) OVER () FROM e""", aggregate, ROW, aggregate)
        try:
            read(own, other)
            wait_until(lambda: database.value('SELECT count(*) FROM admin.access_log WHERE record = %s', other['id']) == 1, 10,
                       'the event of somebody else')
            assert database.value('SELECT count(*) FROM children.deliveries WHERE aggregate = %s AND attempts > 0', aggregate) <= 1
        finally:
            database.rows('DELETE FROM children.deliveries WHERE aggregate = %s', aggregate)


def test_positions_of_an_aggregate_come_in_the_order_of_commits(own):
    """Two who emitted for one record at once could commit in the other order than they were numbered."""
    child = people.newcomer(own).child()
    people.demo(own, 'admin')
    with own.database() as database:
        database.rows('BEGIN')
        database.rows("SELECT pg_advisory_xact_lock(hashtextextended('children ' || %s, 0))", child['id'])
        reader = threading.Thread(target=read, args=(own, child))
        reader.start()
        with own.database() as other:
            wait_until(lambda: other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1, 10,
                       'somebody who waits for the record')
        assert reader.is_alive()
        database.rows('COMMIT')
        reader.join(10)
        assert not reader.is_alive()
        wait_until(lambda: database.value('SELECT count(*) FROM admin.access_log WHERE record = %s', child['id']) == 1, 10)


def test_the_next_is_due_when_the_one_before_it_is_done_or_given_up(own):
    """Many readers of one record at once: emitting and finishing meet at every moment, and nobody may be left waiting."""
    child = people.newcomer(own).child()
    people.demo(own, 'admin')
    threads = [threading.Thread(target=read, args=(own, child, 25)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with own.database() as database:
        wait_until(lambda: database.value('SELECT count(*) FROM children.deliveries') == 0, 20, 'an empty outbox')
        assert database.value('SELECT count(*) FROM admin.access_log WHERE record = %s', child['id']) == 100


def test_a_key_that_waiting_events_need_is_not_retired(own):
    child = people.newcomer(own).child()
    own.ctl('stop', 'admin')
    read(own, child)
    own.ctl('secrets', 'rotate', 'data_keys.children', timeout=RESTART)
    assert '1 events that are not delivered yet need an older key' in own.ctl('secrets', 'retire', 'data_keys.children', check=False,
                                                                             timeout=90)
    own.ctl('start', 'admin')
    with own.database() as database:
        wait_until(lambda: database.value('SELECT count(*) FROM admin.access_log WHERE record = %s', child['id']) == 1, 30)
    # What the admin actor remembers of the events that it took, for a month, keeps none of its own keys.
    own.ctl('secrets', 'rotate', 'data_keys.admin', timeout=RESTART)
    assert 'dropped' in own.ctl('secrets', 'retire', 'data_keys.admin', timeout=90)


def test_what_postgresql_forgets_is_delivered_again(start_system):
    """Neither what a dispatcher settles nor what the access log appends waits for the disk."""
    own = start_system(settings={'supervisor': {'intensity': 1000, 'backoff_first': '100ms', 'backoff_most': '200ms'}})
    child, ending, answered = people.newcomer(own).child(), threading.Event(), []
    admin, killer = people.demo(own, 'admin'), Killer(own, random.Random(), ('postgres', 'backend'))
    with own.database() as database:
        database.rows("""
            CREATE TABLE public.emitted (id uuid, aggregate uuid);
            CREATE FUNCTION public.emitted_add() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
                AS $$ BEGIN INSERT INTO public.emitted VALUES (NEW.id, NEW.aggregate); RETURN NULL; END $$;
            CREATE TRIGGER emitted AFTER INSERT ON children.events FOR EACH ROW EXECUTE FUNCTION public.emitted_add()""")

    def reader():
        client = Client(own, admin.token, check=False)
        while not ending.is_set():
            answered.append(client.get(f'/api/v1/children/{child["id"]}').status)

    threads = [threading.Thread(target=reader, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for what in ('backend', 'postgres', 'backend', 'postgres'):
        time.sleep(1.5)
        killer.strike(what)
    time.sleep(1)
    ending.set()
    for thread in threads:
        thread.join(30)
    assert answered.count(200) > 50
    with own.database() as database:
        wait_until(lambda: database.value('SELECT count(*) FROM children.deliveries') == 0, 60, 'an empty outbox', every=0.2)
        emitted = database.value('SELECT count(*) FROM public.emitted WHERE aggregate = %s', child['id'])
        assert database.value('SELECT count(*) FROM admin.access_log WHERE record = %s', child['id']) == emitted
        assert emitted >= answered.count(200)
    own.ctl('audit', 'verify')


@pytest.mark.long
def test_clock_set_back_forgets_no_call(start_system):
    """Two hours back, the partition of what is now the future is one that seems to have passed."""
    own = start_system(environment={'AIPOTEN_CLOCK_SHIFT': '7200'})
    person = people.newcomer(own)
    person.child()
    with own.database() as database:
        kept = database.rows('SELECT slot, id FROM children.calls WHERE principal = %s', person.id)
        assert kept
    own.stop()
    own.environment['AIPOTEN_CLOCK_SHIFT'] = '0'
    own.start()
    passed = int(time.time()) // 3600 - 3
    with own.database() as database:
        old = f'{passed * 3600000:012x}70008000000000000000'
        database.rows("INSERT INTO children.calls (slot, id, operation, body_hash, answer) VALUES (%s, %s, 'children.create', '', '')",
                      passed % 6, old)
        wait_until(lambda: not database.value('SELECT count(*) FROM children.calls WHERE id = %s', old), 120, 'the tidying', every=1)
        assert database.rows('SELECT slot, id FROM children.calls WHERE principal = %s', person.id) == kept


@pytest.mark.long
def test_clock_set_back_puts_no_delivery_off(own):
    """What was taken or tried before is due at a time that is hours away now."""
    child = people.newcomer(own).child()
    own.ctl('stop', 'admin')
    read(own, child)
    with own.database() as database:
        database.rows("UPDATE children.deliveries SET next_at = now() + interval '2 hours' WHERE aggregate = %s", child['id'])
        own.ctl('start', 'admin')
        wait_until(lambda: database.value('SELECT count(*) FROM admin.access_log WHERE record = %s', child['id']) == 1, 120,
                   'the event', every=0.5)
