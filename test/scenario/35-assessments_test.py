"""assessments: what is asked at an age, attempts from beginning to expiry, answers from one device and several, notes, the history, who
may see what, and what is left of a deleted child. Every answer is checked against the OpenAPI document by the client."""
import concurrent.futures
import datetime
import random
import threading

import pytest

from harness import people, questions
from harness.client import Client
from harness.sealed import ring, unseal
from harness.wait import wait_until

ASSESSMENTS = '/api/v1/assessments'
UNKNOWN = '01890000-0000-7000-8000-000000000000'
SEOUL = datetime.timezone(datetime.timedelta(hours=9))
NEVER_ASKED = (200, 200)


def path_of(attempt, more=''):
    return f'{ASSESSMENTS}/{attempt["id"]}{more}'


def months_ago(months, days=0):
    """The day on which somebody was born who is so many months and days old today, in Seoul."""
    today = datetime.datetime.now(SEOUL).date()
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    while True:
        try:
            return (datetime.date(year, month + 1, today.day) - datetime.timedelta(days)).isoformat()
        except ValueError:  # no such day: completed on the 1st of the next month
            year, month = divmod(year * 12 + month + 1, 12)
            today = today.replace(day=1)


@pytest.fixture(autouse=True)
def bank(system, database):
    questions.ensure(system, database)


@pytest.fixture
def mother(newcomer):
    return newcomer()


@pytest.fixture
def child(mother):
    return mother.child(birth_date=months_ago(24), gestational_weeks=40)


def begin(person, child):
    return person.client.post(ASSESSMENTS, {'child_id': child['id']}).expect(201).data


@pytest.fixture
def attempt(mother, child):
    return begin(mother, child)


def of_type(attempt, answer_type):
    return next(question for question in attempt['questions'] if question['answer_type'] == answer_type)


def respond(person, attempt, *answers, **single):
    return person.client.post(path_of(attempt, '/responses'), single or {'responses': list(answers)})


def put(question, response=None):
    return {'question_id': question['id'], 'response': questions.answer(question) if response is None else response}


def answers_of(person, attempt):
    found = person.client.get(path_of(attempt)).expect(200).data['questions']
    return {question['id']: question['response'] for question in found if question['response'] is not None}


def run_out(system, database, attempt):
    """Time passes, behind the cache's back."""
    database.rows("UPDATE assessments.development_assessments SET expires_at = now() - interval '1 second' WHERE id = %s",
                  attempt['id'])
    system.ctl('cache', 'flush')


# --- questions ----------------------------------------------------------------------------------------------------------------

def test_questions_of_an_age(system, client, database):
    found = client.get(f'{ASSESSMENTS}/questions', query={'age': 24}).expect(200)
    expected = [row['id'] for row in database.rows(
        "SELECT id FROM assessments.assessment_questions WHERE retired_at IS NULL AND 24 BETWEEN age_range_start AND age_range_end"
        " ORDER BY array_position(%s, category), order_index, id", list(questions.AREAS))]
    assert [question['id'] for question in found.data] == expected and len(expected) >= 18
    for question in found.data:
        assert set(question) == {'id', 'category', 'question_text', 'answer_type', 'scale', 'options', 'order_index'}
        assert (question['scale'] is not None) == (question['answer_type'] == 'scale')
        assert (question['options'] is not None) == (question['answer_type'] == 'multiple_choice')
        assert all(set(option) == {'key', 'label'} for option in question['options'] or [])
        if question['scale']:
            assert len(question['scale']['labels']) == question['scale']['max'] - question['scale']['min'] + 1
    assert found.header('cache-control').startswith('public') and found.header('cache-tag') == 'questions'
    client.get(f'{ASSESSMENTS}/questions', query={'age': 24}, headers={'if-none-match': found.header('etag')}).expect(304)


@pytest.mark.parametrize('age, status, code', [
    (3, 422, 'AGE_NOT_SUPPORTED'), (4, 200, None), (71, 200, None), (72, 422, 'AGE_NOT_SUPPORTED'), (0, 422, 'AGE_NOT_SUPPORTED'),
    (-1, 400, 'VALIDATION_ERROR'), ('x', 400, 'VALIDATION_ERROR'), (10**12, 400, 'VALIDATION_ERROR')])
def test_questions_by_age(client, age, status, code):
    client.get(f'{ASSESSMENTS}/questions', query={'age': age}).expect(status, code)


def test_questions_need_an_age(client):
    client.get(f'{ASSESSMENTS}/questions').expect(400, 'VALIDATION_ERROR')


# --- beginning ----------------------------------------------------------------------------------------------------------------

def test_start(mother, child, database):
    attempt = begin(mother, child)
    today = datetime.datetime.now(SEOUL).date().isoformat()
    assert (attempt['status'], attempt['assessment_date'], attempt['child_id'], attempt['user_id']) == (
        'in_progress', today, child['id'], mother.id)
    assert (attempt['age_in_months'], attempt['chronological_age_months'], attempt['corrected_age_months']) == (24, 24, None)
    assert attempt['notes'] is None and attempt['completed_at'] is None
    asked = mother.client.get(f'{ASSESSMENTS}/questions', query={'age': 24}).data
    assert [{**question, 'response': None} for question in asked] == attempt['questions']
    assert (attempt['answered'], attempt['asked']) == (0, len(asked))
    lasts = datetime.datetime.fromisoformat(attempt['expires_at']) - datetime.datetime.fromisoformat(attempt['created_at'])
    assert abs(lasts - datetime.timedelta(days=14)) < datetime.timedelta(seconds=5)
    assert mother.client.get(path_of(attempt)).expect(200).data == attempt


def test_questions_are_frozen(mother, child, database):
    """What is asked of others meanwhile, in whatever words, changes nothing of an attempt."""
    question = questions.insert(database)
    attempt = begin(mother, child)
    assert question in [asked['id'] for asked in attempt['questions']]
    database.rows('UPDATE assessments.assessment_questions SET retired_at = now() WHERE id = %s', question)
    newer = questions.insert(database)
    try:
        assert mother.client.get(path_of(attempt)).data['questions'] == attempt['questions']
        respond(mother, attempt, question_id=question, response=True).expect(200)
        respond(mother, attempt, question_id=newer, response=True).expect(400, 'VALIDATION_ERROR')
        assert answers_of(mother, attempt) == {question: True}
    finally:
        database.rows('UPDATE assessments.assessment_questions SET retired_at = now() WHERE id = %s', newer)


def test_more_questions_than_are_shown(mother, database):
    """Copied in by hand, past what an administrator may add: an attempt has as many as can be shown and scored."""
    copies = database.rows("""INSERT INTO assessments.assessment_questions (id, lineage, version, category, age_range_start, age_range_end,
            question_text, answer_type, weight, order_index)
        SELECT gen_random_uuid(), gen_random_uuid(), 1, 'social', 51, 51, question_text, answer_type, weight, 1000
        FROM (SELECT * FROM assessments.assessment_questions WHERE answer_type = 'yes_no' LIMIT 1) AS q, generate_series(1, 1100)
        RETURNING id""")
    try:
        attempt = begin(mother, mother.child(birth_date=months_ago(51), gestational_weeks=40))
        assert attempt['asked'] == len(attempt['questions']) == 500
        refused = mother.client.post(path_of(attempt, '/complete')).expect(422)
        assert refused.error['details']
    finally:
        database.rows('UPDATE assessments.assessment_questions SET retired_at = now() WHERE id = ANY (%s::uuid[])',
                      [row['id'] for row in copies])


def test_second_attempt_names_the_open_one(mother, child, attempt):
    refused = mother.client.post(ASSESSMENTS, {'child_id': child['id']}).expect(409, 'CONFLICT')
    assert [detail['field'] for detail in refused.error['details']] == [attempt['id']]
    begin(mother, mother.child(birth_date=months_ago(30)))  # another child's is its own


def test_parallel_starts(system, mother, child):
    """One of many at once begins it; all others learn which it is."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Client(system, mother.token).post(ASSESSMENTS, {'child_id': child['id']}), range(8)))
    begun = [answer for answer in found if answer.status == 201]
    assert len(begun) == 1
    for answer in found:
        if answer is not begun[0]:
            assert [detail['field'] for detail in answer.expect(409, 'CONFLICT').error['details']] == [begun[0].data['id']]


@pytest.mark.parametrize('months, days, weeks, status', [
    (4, 0, 40, 201), (3, 20, 40, 422), (71, 20, 40, 201), (72, 0, 40, 422), (0, 0, None, 422),
    (5, 0, 30, 422),   # 70 days early: not yet four corrected months
    (7, 0, 30, 201),   # four
    (5, 28, 36, 201),  # 28 days early: five months either way, and corrected all the same
    (23, 20, 30, 201), (24, 0, 30, 201)])
def test_ages(mother, months, days, weeks, status):
    child = mother.child(birth_date=months_ago(months, days), gestational_weeks=weeks)
    answer = mother.client.post(ASSESSMENTS, {'child_id': child['id']})
    if status == 422:
        answer.expect(422, 'AGE_NOT_SUPPORTED')
        return
    attempt = answer.expect(201).data
    seen = mother.client.get(f'/api/v1/children/{child["id"]}').data
    assert attempt['age_in_months'] == seen['used_age_months']
    assert attempt['chronological_age_months'] == seen['chronological_age_months'] == months
    assert attempt['corrected_age_months'] == (seen['corrected_age_months'] if weeks < 37 and months < 24 else None)


def test_children_that_are_not_there(mother, newcomer, child):
    for body, status, code in (({'child_id': UNKNOWN}, 404, 'NOT_FOUND'), ({}, 400, 'VALIDATION_ERROR'),
                               ({'child_id': 'x'}, 400, 'VALIDATION_ERROR'), ({'child_id': None}, 400, 'VALIDATION_ERROR')):
        mother.client.post(ASSESSMENTS, body).expect(status, code)
    newcomer().client.post(ASSESSMENTS, {'child_id': child['id']}).expect(404, 'NOT_FOUND')


# --- answers ------------------------------------------------------------------------------------------------------------------

def test_one_answer_and_several(mother, attempt):
    first = attempt['questions'][0]
    said = respond(mother, attempt, **put(first)).expect(200).data
    assert (said['assessment_id'], said['answered'], said['asked']) == (attempt['id'], 1, attempt['asked'])
    assert [category['category'] for category in said['categories']] == list(questions.AREAS)
    assert {category['category']: category['answered'] for category in said['categories']} == {
        area: int(area == first['category']) for area in questions.AREAS}
    said = respond(mother, attempt, *map(put, attempt['questions'])).expect(200).data
    assert said['answered'] == said['asked'] == sum(category['asked'] for category in said['categories'])
    assert answers_of(mother, attempt) == {question['id']: questions.answer(question) for question in attempt['questions']}
    assert mother.client.get(path_of(attempt)).data['answered'] == attempt['asked']


def test_later_answers_take_the_place_of_earlier_ones(mother, attempt, database):
    question, scale, choice = (of_type(attempt, name) for name in ('yes_no', 'scale', 'multiple_choice'))
    for answers in ((True, 0, 'a'), (False, 3, 'c')):
        respond(mother, attempt, *(put(*pair) for pair in zip((question, scale, choice), answers))).expect(200)
        assert answers_of(mother, attempt) == dict(zip((question['id'], scale['id'], choice['id']), answers))
    assert database.value('SELECT count(*) FROM assessments.assessment_responses WHERE assessment_id = %s', attempt['id']) == 3


BAD = [  # type of the question, response, what is said of it in English
    ('yes_no', 1, 'Must be true or false.'), ('yes_no', 'true', 'Must be true or false.'),
    ('scale', True, 'Must be a whole number.'), ('scale', '1', 'Must be a whole number.'), ('scale', 4, 'Must be at most 3.'),
    ('scale', -1, 'Must be at least 0.'), ('scale', 1.5, None), ('scale', 2**62, 'Must be at most 3.'), ('scale', 2**64, None),
    ('multiple_choice', 'zz', 'This value cannot be chosen.'), ('multiple_choice', 0, 'Must be a string.'),
    ('multiple_choice', '', 'This value cannot be chosen.'), ('multiple_choice', '"a', 'This value cannot be chosen.'),
    ('multiple_choice', 'a b', 'This value cannot be chosen.'), ('multiple_choice', 'k' * 51, 'Must have at most 50 characters.'),
    ('yes_no', None, 'Must not be null.'), ('yes_no', [], None), ('yes_no', {'a': 1}, None)]


@pytest.mark.parametrize('answer_type, response, sentence', BAD)
def test_answers_that_do_not_fit(mother, attempt, answer_type, response, sentence):
    """Alone, and among good ones, of which none is put then."""
    question = of_type(attempt, answer_type)
    other = next(asked for asked in attempt['questions'] if asked is not question)
    bad = {'question_id': question['id'], 'response': response}
    english = {'accept-language': 'en'}
    for body, field in ((bad, 'response'), ({'responses': [put(other), bad]}, 'responses.1.response')):
        refused = mother.client.post(path_of(attempt, '/responses'), body, headers=english).expect(400, 'VALIDATION_ERROR')
        if sentence:
            assert [(detail['field'], detail['message']) for detail in refused.error['details']] == [(field, sentence)]
    assert answers_of(mother, attempt) == {}


def test_questions_that_are_not_asked(mother, attempt, database):
    """One that nobody knows, and one of another band: both are named, beside each other."""
    foreign = questions.insert(database, ages=NEVER_ASKED)
    good = put(attempt['questions'][0])
    refused = respond(mother, attempt, good, {'question_id': UNKNOWN, 'response': True},
                      {'question_id': foreign, 'response': True}).expect(400, 'VALIDATION_ERROR')
    assert [detail['field'] for detail in refused.error['details']] == ['responses.1.question_id', 'responses.2.question_id']
    assert answers_of(mother, attempt) == {}


@pytest.mark.parametrize('make', [
    lambda good: {}, lambda good: {'responses': []}, lambda good: {'responses': [good, good]},
    lambda good: {**good, 'responses': [good]}, lambda good: {'question_id': good['question_id']},
    lambda good: {'response': True}, lambda good: {'responses': [good] * 201}, lambda good: {'responses': good},
    lambda good: {'responses': [{**good, 'other': 1}]}, lambda good: {'responses': [{}]}, lambda good: {'responses': None},
    lambda good: {**good, 'question_id': 'x'}])
def test_bad_bodies(mother, attempt, make):
    mother.client.post(path_of(attempt, '/responses'), make(put(attempt['questions'][0]))).expect(400, 'VALIDATION_ERROR')
    assert answers_of(mother, attempt) == {}


def test_several_devices_at_once(system, mother, attempt):
    """Eight devices answer everything in orders of their own, one by one and in heaps: no answer is lost, and none waits for ever."""
    def device(number):
        client, shuffled = Client(system, mother.token), list(attempt['questions'])
        random.Random(number).shuffle(shuffled)
        heap = 1 + number % 3 * 4
        for start in range(0, len(shuffled), heap):
            answers = [put(question) for question in shuffled[start:start + heap]]
            client.post(path_of(attempt, '/responses'), {'responses': answers}).expect(200)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(device, range(8)))
    assert answers_of(mother, attempt) == {question['id']: questions.answer(question) for question in attempt['questions']}


# --- notes --------------------------------------------------------------------------------------------------------------------

def test_notes(system, mother, attempt, database):
    changed = mother.client.patch(path_of(attempt), {'notes': '오늘은 졸려 했어요'}).expect(200).data
    assert changed['notes'] == '오늘은 졸려 했어요' == mother.client.get(path_of(attempt)).data['notes']
    stored = database.value('SELECT notes FROM assessments.development_assessments WHERE id = %s', attempt['id'])
    assert '졸려'.encode() not in bytes(stored)
    keys = ring(system.secret('data_keys.assessments'))
    assert unseal(keys, 'assessments.development_assessments', 'notes', attempt['id'], stored) == '오늘은 졸려 했어요'
    mother.client.patch(path_of(attempt), {}).expect(400, 'VALIDATION_ERROR')
    mother.client.patch(path_of(attempt), {'notes': 'ㄱ' * 2001}).expect(400, 'VALIDATION_ERROR')
    mother.client.patch(path_of(attempt), {'status': 'completed'}).expect(400, 'VALIDATION_ERROR')
    assert mother.client.patch(path_of(attempt), {'notes': None}).expect(200).data['notes'] is None


# --- expiry -------------------------------------------------------------------------------------------------------------------

def test_expired(system, mother, child, attempt, database):
    """It is expired everywhere at once, and makes way for another one."""
    run_out(system, database, attempt)
    assert mother.client.get(path_of(attempt)).data['status'] == 'expired'
    for status, ids in (('expired', [attempt['id']]), ('in_progress', []), ('completed', [])):
        found = mother.client.get(ASSESSMENTS, query={'child_id': child['id'], 'status': status}).expect(200).data
        assert [row['id'] for row in found] == ids
    respond(mother, attempt, put(attempt['questions'][0])).expect(409, 'INVALID_STATE')
    mother.client.patch(path_of(attempt), {'notes': '늦었어요'}).expect(409, 'INVALID_STATE')
    again = begin(mother, child)
    assert database.value('SELECT status FROM assessments.development_assessments WHERE id = %s', attempt['id']) == 'expired'
    assert [row['id'] for row in mother.client.get(ASSESSMENTS, query={'child_id': child['id']}).data] == [again['id'], attempt['id']]


def test_parallel_starts_after_expiry(system, mother, child, attempt, database):
    run_out(system, database, attempt)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Client(system, mother.token).post(ASSESSMENTS, {'child_id': child['id']}).status, range(8)))
    assert sorted(found) == [201] + [409] * 7


def test_begun_while_the_one_before_is_completed(system, mother, child, attempt, database):
    """It ran out just when it was completed: who begins another one waits for that, and is not told that nothing can be asked."""
    run_out(system, database, attempt)
    with system.database() as other, concurrent.futures.ThreadPoolExecutor(1) as pool:
        other.connection.autocommit = False
        other.rows('SELECT FROM assessments.development_assessments WHERE id = %s FOR NO KEY UPDATE', attempt['id'])
        started = pool.submit(mother.client.post, ASSESSMENTS, {'child_id': child['id']})
        wait_until(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"), 30, 'it waits')
        other.rows("UPDATE assessments.development_assessments SET status = 'completed', completed_at = now() WHERE id = %s",
                   attempt['id'])
        other.connection.commit()
        started.result().expect(201)


# --- deaths, and what time does -----------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def own(start_system):
    """A system of one's own to kill and break, which also forgets what expired five minutes ago."""
    system = start_system(demo=False, settings={'retention': {'every': '1s', 'assessments': '5m'}, 'supervisor': {
        'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'}})
    with system.database() as database:
        questions.ensure(system, database)
    return system


def insist(call, seconds=40):
    """As an app does: what could not be served is asked again. It must come to an end, and never be a 500."""
    def once():
        try:
            answer = call()
        except OSError:
            return None
        assert answer.status != 500, str(answer)
        return answer if answer.status < 500 else None
    return wait_until(once, seconds, every=0.05)


def test_killed_while_answers_come(own):
    """Four devices begin and answer while every instance dies again and again, and PostgreSQL once: there is one attempt, and what
    was answered with 200 is there."""
    mother = people.newcomer(own)
    child, ending = mother.child(birth_date=months_ago(24), gestational_weeks=40), threading.Event()

    def device(number):
        client = Client(own, mother.token)
        answer = insist(lambda: client.post(ASSESSMENTS, {'child_id': child['id']}))
        assert answer.status in (201, 409)
        attempt = {'id': answer.data['id'] if answer.status == 201 else answer.error['details'][0]['field']}
        asked = insist(lambda: client.get(path_of(attempt))).expect(200).data['questions']
        for question in asked if number % 2 else asked[::-1]:
            insist(lambda: client.post(path_of(attempt, '/responses'), put(question))).expect(200)
        return attempt['id']

    def killer():
        killed = 0
        while not ending.wait(0.3):
            for pid in own.pids('assessments')[:1]:
                own.kill(pid)
                killed += 1
        return killed

    def restart():
        own.services('postgres_stop')
        own.services('postgres_start')
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        deaths, found = pool.submit(killer), [pool.submit(device, number) for number in range(4)]
        try:
            pool.submit(restart).result()
            ids = {device.result() for device in found}
        finally:
            ending.set()
        assert deaths.result() > 0
    own.wait_ready(60)
    attempt, = ids
    seen = insist(lambda: mother.client.get(path_of({'id': attempt}))).expect(200).data
    assert seen['answered'] == seen['asked'] and [question['response'] for question in seen['questions']] == [
        questions.answer(question) for question in seen['questions']]
    assert [row['id'] for row in insist(lambda: mother.client.get(ASSESSMENTS)).data] == [attempt]


def test_unfinished_ones_are_forgotten(own):
    """A time after they expired, with their answers; completed ones stay."""
    mother, kept = people.newcomer(own), []
    with own.database() as database:
        for status in ('in_progress', 'expired', 'completed', 'in_progress'):
            attempt = begin(mother, mother.child(birth_date=months_ago(24), gestational_weeks=40))
            respond(mother, attempt, put(attempt['questions'][0])).expect(200)
            kept.append(attempt['id'])
            database.rows("UPDATE assessments.development_assessments SET status = %s, completed_at = CASE WHEN %s = 'completed' THEN"
                          " now() END, expires_at = now() - %s * interval '1 minute' WHERE id = %s", status, status,
                          10 if len(kept) < 4 else 0, attempt['id'])
        wait_until(lambda: database.value('SELECT count(*) FROM assessments.development_assessments WHERE id = ANY (%s::uuid[])',
                                          kept) == 2, 30)
        assert {row['id'] for row in mother.client.get(ASSESSMENTS).expect(200).data} == {kept[2], kept[3]}
        left = database.rows('SELECT assessment_id FROM assessments.assessment_responses WHERE assessment_id = ANY (%s::uuid[])', kept)
        assert {row['assessment_id'] for row in left} == {kept[2], kept[3]}


def test_after_fourteen_days(own):
    """On every clock of the system: the attempt is expired, the child is older, and the next attempt is for that age."""
    mother = people.newcomer(own)
    child = mother.child(birth_date=months_ago(24, 20), gestational_weeks=40)
    attempt = begin(mother, child)
    respond(mother, attempt, put(attempt['questions'][0])).expect(200)
    own.stop()
    own.environment['AIPOTEN_CLOCK_SHIFT'] = str(14 * 86400 + 5)
    own.start()
    mother = people.log_in(own, mother.email, mother.password)
    assert mother.client.get(path_of(attempt)).expect(200).data['status'] == 'expired'
    respond(mother, attempt, put(attempt['questions'][0])).expect(409, 'INVALID_STATE')
    again = begin(mother, child)
    assert (attempt['age_in_months'], again['age_in_months']) == (24, 25)
    day = datetime.date.fromisoformat
    assert (day(again['assessment_date']) - day(attempt['assessment_date'])).days in (14, 15)


# --- the history --------------------------------------------------------------------------------------------------------------

@pytest.fixture
def history(mother, child, database):
    """Five attempts of a child, on five days in March, and one of another: ids, oldest first."""
    found = []
    for day in range(1, 6):
        attempt = begin(mother, child)
        found.append(attempt['id'])
        database.rows("UPDATE assessments.development_assessments SET status = 'completed', completed_at = now(),"
                      " assessment_date = make_date(2025, 3, %s) WHERE id = %s", day, attempt['id'])
    return found, begin(mother, mother.child(birth_date=months_ago(30)))['id']


def listed(person, **query):
    return [row['id'] for row in person.client.get(ASSESSMENTS, query=query).expect(200).data]


def pages(person, **query):
    while query is not None:
        page = person.client.get(ASSESSMENTS, query=query).expect(200)
        yield page
        query = {**query, 'cursor': page.meta['next_cursor']} if 'next_cursor' in page.meta else None


def test_history(mother, child, history):
    ids, other = history
    newest_first = ids[::-1]
    assert listed(mother, child_id=child['id']) == newest_first and listed(mother) == [other, *newest_first]
    assert listed(mother, status='completed') == newest_first and listed(mother, status='in_progress') == [other]
    assert listed(mother, child_id=child['id'], **{'from': '2025-03-02', 'to': '2025-03-04'}) == ids[3:0:-1]
    assert listed(mother, child_id=child['id'], to='2025-03-01') == ids[:1]
    first = mother.client.get(ASSESSMENTS, query={'child_id': child['id'], 'limit': 2}).expect(200)
    assert first.meta['total'] == 5 and [row['id'] for row in first.data] == newest_first[:2]
    assert listed(mother, child_id=child['id'], limit=2, page=3) == newest_first[4:]
    rows = [row for page in pages(mother, child_id=child['id'], limit=2) for row in page.data]
    assert [row['id'] for row in rows] == newest_first and all('notes' not in row for row in rows)


@pytest.mark.parametrize('query', [{'status': 'done'}, {'from': '2025-02-30'}, {'child_id': 'x'}, {'cursor': 'x'}, {'limit': 101}])
def test_bad_queries(mother, query):
    mother.client.get(ASSESSMENTS, query=query).expect(400, 'VALIDATION_ERROR')


def test_history_shows_what_was_just_done(mother, child):
    """It comes from the cache, until something changes."""
    assert listed(mother) == [] == listed(mother, child_id=child['id'])
    attempt = begin(mother, child)
    assert listed(mother) == [attempt['id']] == listed(mother, child_id=child['id'])
    respond(mother, attempt, put(attempt['questions'][0])).expect(200)
    assert [row['answered'] for row in mother.client.get(ASSESSMENTS).data] == [1]
    younger = mother.child(birth_date=months_ago(8))
    assert listed(mother, child_id=younger['id']) == []
    second = begin(mother, younger)
    assert listed(mother) == [second['id'], attempt['id']]
    mother.client.delete(f'/api/v1/children/{younger["id"]}').expect(200)
    assert listed(mother) == [attempt['id']]


# --- who may see it -----------------------------------------------------------------------------------------------------------

def operations_read(database, child, reader):
    return [row['operation'] for row in database.rows(
        "SELECT operation FROM admin.access_log WHERE record = %s AND record_kind = 'child' AND reader = %s ORDER BY position",
        child['id'], reader.id)]


def test_others_see_nothing(newcomer, therapist, child, attempt):
    for person in (newcomer(), therapist):
        person.client.get(path_of(attempt)).expect(404, 'NOT_FOUND')
        person.client.get(ASSESSMENTS, query={'child_id': child['id']}).expect(404, 'NOT_FOUND')
        assert listed(person) == []
    stranger = newcomer()
    respond(stranger, attempt, put(attempt['questions'][0])).expect(404, 'NOT_FOUND')
    stranger.client.patch(path_of(attempt), {'notes': '남의 것'}).expect(404, 'NOT_FOUND')


def test_second_guardian_goes_on(mother, newcomer, child, attempt, database):
    father = newcomer()
    database.rows("INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, 'guardian')", child['id'],
                  father.id)
    respond(father, attempt, put(attempt['questions'][0])).expect(200)
    respond(mother, attempt, put(attempt['questions'][1])).expect(200)
    assert len(answers_of(father, attempt)) == 2
    refused = father.client.post(ASSESSMENTS, {'child_id': child['id']}).expect(409, 'CONFLICT')
    assert refused.error['details'][0]['field'] == attempt['id']


def test_admin_sees_and_is_written_down(admin, mother, child, attempt, database):
    mother.client.patch(path_of(attempt), {'notes': '비밀 아님'}).expect(200)
    assert admin.client.get(path_of(attempt)).expect(200).data['notes'] == '비밀 아님'
    assert listed(admin, child_id=child['id']) == [attempt['id']]
    assert any(attempt['id'] in [row['id'] for row in page.data] for page in pages(admin, limit=100))
    wait_until(lambda: sorted(operations_read(database, child, admin)) == ['assessments.get', 'assessments.list', 'assessments.list'], 20)
    seen = mother.client.get(f'/api/v1/children/{child["id"]}/access-log').expect(200).data
    assert {row['operation'] for row in seen} == {'assessments.get', 'assessments.list'}
    admin.client.patch(path_of(attempt), {'notes': ''}).expect(403)
    assert listed(admin, child_id=child['id'], status='completed') == [] and admin.client.get(ASSESSMENTS, query={'limit': 1}).meta['total']
    admin.client.get(ASSESSMENTS, query={'child_id': UNKNOWN}).expect(404, 'NOT_FOUND')


@pytest.fixture
def relations(system):
    """relations(therapist, child, days): the view of matching, which knows this one alone; empty again at the end."""
    columns = 'therapist_user_id, child_id, ends_at'

    def replace(select):
        with system.database() as database:
            database.rows(f'CREATE OR REPLACE VIEW aipoten.therapist_relations AS SELECT {select}')

    def make(therapist, child, days=1):
        replace(f"'{therapist.id}'::uuid AS therapist_user_id, '{child['id']}'::uuid AS child_id,"
                f" aipoten.app_now() + {days} * interval '1 day' AS ends_at")
    yield make
    replace(', '.join(f'NULL::{"timestamptz" if name == "ends_at" else "uuid"} AS {name}' for name in columns.split(', '))
            + ' WHERE false')


def test_therapist_by_relation_and_consent(mother, therapist, child, attempt, database, relations):
    """Neither alone, nor a relation that has ended; each reading is written down."""
    def seen():
        status = therapist.client.get(path_of(attempt)).status
        assert therapist.client.get(ASSESSMENTS, query={'child_id': child['id']}).status == status
        therapist.client.get(path_of(attempt) + '/results').expect(409 if status == 200 else 404)  # there are none yet
        return status == 200
    mother.consent('sharing')
    assert not seen()
    relations(therapist, child)
    assert seen() and listed(therapist) == [attempt['id']]
    mother.consent('sharing', granted=False)
    assert not seen() and listed(therapist) == []
    mother.consent('sharing')
    assert seen()
    relations(therapist, child, days=-1)
    assert not seen()
    wait_until(lambda: operations_read(database, child, therapist) == [
        'assessments.get', 'assessments.list', 'assessments.list', 'assessments.get', 'assessments.list'], 20)


def test_consent_is_the_owners(mother, newcomer, therapist, child, attempt, database, relations):
    father = newcomer()
    database.rows("INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, 'guardian')", child['id'],
                  father.id)
    father.consent('sharing')
    relations(therapist, child)
    therapist.client.get(path_of(attempt)).expect(404, 'NOT_FOUND')


# --- what is forgotten --------------------------------------------------------------------------------------------------------

def test_deleted_child(mother, admin, child, attempt, database):
    respond(mother, attempt, put(attempt['questions'][0])).expect(200)
    mother.client.patch(path_of(attempt), {'notes': '남지 않는다'}).expect(200)
    mother.client.delete(f'/api/v1/children/{child["id"]}').expect(200)
    for person in (mother, admin):
        person.client.get(path_of(attempt)).expect(404, 'NOT_FOUND')
        person.client.get(ASSESSMENTS, query={'child_id': child['id']}).expect(404, 'NOT_FOUND')
    mother.client.post(ASSESSMENTS, {'child_id': child['id']}).expect(404, 'NOT_FOUND')
    respond(mother, attempt, put(attempt['questions'][0])).expect(404, 'NOT_FOUND')
    row = wait_until(lambda: database.row('SELECT * FROM assessments.development_assessments WHERE id = %s AND deleted_at IS NOT NULL',
                                          attempt['id']), 20)
    assert (row['notes'], row['question_ids'], row['age_in_months']) == (None, '{}', 0)
    assert not database.value('SELECT count(*) FROM assessments.assessment_responses WHERE assessment_id = %s', attempt['id'])


def test_begun_while_the_child_is_deleted(system, mother, child, database):
    """Whoever is first: nothing is left that says how old the child was."""
    of_child = 'SELECT count(*) FROM assessments.development_assessments WHERE child_id = %s AND deleted_at IS NULL'
    with system.database() as other, concurrent.futures.ThreadPoolExecutor(1) as pool:
        other.connection.autocommit = False
        other.rows('INSERT INTO assessments.development_assessments (id, child_id, user_id, assessment_date, age_in_months,'
                   ' chronological_age_months, question_ids, expires_at)'
                   " VALUES (gen_random_uuid(), %s, %s, '2026-01-01', 24, 24, '{}', 'infinity')", child['id'], mother.id)
        started = pool.submit(mother.client.post, ASSESSMENTS, {'child_id': child['id']})
        wait_until(lambda: database.value('SELECT count(*) FROM pg_locks WHERE NOT granted'), 30, 'it waits')
        mother.client.with_token(mother.token).delete(f'/api/v1/children/{child["id"]}').expect(200)
        wait_until(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 1 or not database.value(
            "SELECT count(*) FROM children.deliveries WHERE subscriber = 'assessments' AND aggregate = %s", child['id']), 30)
        other.connection.rollback()
        assert started.result().status in (201, 404)
    wait_until(lambda: not database.value('SELECT count(*) FROM children.deliveries WHERE aggregate = %s', child['id']), 30)
    assert database.value(of_child, child['id']) == 0
