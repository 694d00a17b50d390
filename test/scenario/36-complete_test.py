"""From answers to results: complete, results. What an attempt comes to is reckoned here in fractions, from what stands in PostgreSQL
(harness.attempts)."""
import datetime
import random
import threading
import time

import pytest

from harness import attempts, faults, people, ranking
from harness.attempts import ASSESSMENTS, kept, make_attempt, make_questions, save, scores, told
from harness.client import Client
from harness.killer import seed_of_run
from harness.questions import AREAS, ensure
from harness.wait import wait_until
from harness.workers import Workers

UNKNOWN = '01890000-0000-7000-8000-000000000000'
# product.md, section 4: yes (w 1), scale 2 (w 1.5), option 0.5 (w 1), scale 1 (w 1.5) → 3.0/5.0 = 60.00, good.
EXAMPLE = [({'answer_type': 'yes_no', 'weight': 1000}, True), ({'answer_type': 'scale', 'weight': 1500}, 2),
           ({'answer_type': 'multiple_choice', 'weight': 1000}, 'b'), ({'answer_type': 'scale', 'weight': 1500}, 1)]


def complete(client, attempt, **options):
    return client.post(f'{ASSESSMENTS}/{attempt}/complete', **options)


def results(client, attempt, **options):
    return client.get(f'{ASSESSMENTS}/{attempt}/results', **options)


def example(database, person, child, answers=None, area='language'):
    """An attempt at the example's four questions, all answered, or as `answers` says."""
    questions = make_questions(database, [{**question, 'category': area} for question, _ in EXAMPLE])
    attempt = make_attempt(database, person, child, questions)
    given = [answer for _, answer in EXAMPLE] if answers is None else answers
    given = {question: answer for question, answer in zip(questions, given) if answer is not None}
    if given:
        save(person.client, attempt, given).expect(200)
    return attempt, questions


@pytest.fixture
def someone(newcomer):
    return newcomer()


# --- what it comes to ---------------------------------------------------------------------------------------------------------

def test_worked_example(database, someone):
    child = someone.child()['id']
    attempt, _ = example(database, someone, child)
    answer = complete(someone.client, attempt).expect(200).data
    assert answer['status'] == 'completed' and answer['child_id'] == child and answer['id'] == attempt
    assert told(answer['results']) == {'language': (6000, 'good', False, 4, 4)} == kept(database, attempt)
    shown = results(someone.client, attempt).expect(200).data
    assert told(shown['results']) == told(answer['results'])
    assert shown['results'][0] == {**answer['results'][0], 'change': None}
    row = database.row('SELECT status, completed_at FROM assessments.development_assessments WHERE id = %s', attempt)
    assert row['status'] == 'completed' and row['completed_at'] is not None


@pytest.mark.parametrize('age', [4, 5, 11, 12, 23, 24, 35, 36, 41, 66, 71])
def test_each_age(system, database, someone, age):
    """Started, answered, completed, looked at, with the questions of the age."""
    ensure(system, database)
    today = database.value("SELECT (aipoten.app_now() AT TIME ZONE 'Asia/Seoul')::date")
    months = today.year * 12 + today.month - 1 - age
    born = f'{months // 12:04d}-{months % 12 + 1:02d}-{min(today.day, 28):02d}'
    child = someone.child(birth_date=born, gestational_weeks=40)['id']
    attempt = someone.client.post(ASSESSMENTS, {'child_id': child}).expect(201).data['id']
    seed = seed_of_run()
    save(someone.client, attempt, attempts.answers_by_chance(database, attempt, random.Random(seed))).expect(200)
    answer = complete(someone.client, attempt).expect(200).data
    assert [result['category'] for result in answer['results']] == list(AREAS)
    assert told(answer['results']) == scores(database, attempt) == kept(database, attempt)
    assert answer['age_in_months'] == age
    assert told(results(someone.client, attempt).expect(200).data['results']) == told(answer['results'])


def test_critical_reverse_and_other_scales(database, someone):
    questions = make_questions(database, [
        {'category': 'social', 'answer_type': 'yes_no', 'weight': 500, 'is_critical': True},
        {'category': 'social', 'answer_type': 'yes_no', 'weight': 2000},
        {'category': 'emotional', 'answer_type': 'scale', 'weight': 1000, 'scale_min': 1, 'scale_max': 5, 'reverse': True},
        {'category': 'cognitive', 'answer_type': 'yes_no', 'weight': 19999},
        {'category': 'cognitive', 'answer_type': 'yes_no', 'weight': 5001}])
    attempt = make_attempt(database, someone, someone.child()['id'], questions)
    save(someone.client, attempt, dict(zip(questions, [False, True, 2, True, False]))).expect(200)
    answer = complete(someone.client, attempt).expect(200).data
    assert told(answer['results']) == {'social': (8000, 'needs_observation', True, 2, 2), 'emotional': (7500, 'good', False, 1, 1),
                                       'cognitive': (8000, 'good', False, 2, 2)} == kept(database, attempt)


def test_words_in_both_languages(database, someone):
    attempt, _ = example(database, someone, someone.child()['id'])
    english = Client(someone.system, someone.token, language='en')
    answers = {'ko': complete(someone.client, attempt).expect(200).data, 'en': complete(english, attempt).expect(200).data}
    shown = {'ko': results(someone.client, attempt).expect(200).data, 'en': results(english, attempt).expect(200).data}
    row = database.row('SELECT * FROM assessments.assessment_results WHERE assessment_id = %s', attempt)
    for language, suffix in (('ko', ''), ('en', '_en')):
        for told_one in (answers[language]['results'][0], shown[language]['results'][0]):
            assert told_one['feedback'] == row['feedback' + suffix] and told_one['recommendations'] == row['recommendations' + suffix]
    assert row['feedback'] != row['feedback_en'] and row['feedback_en'].isascii() and not row['feedback'].isascii()


# --- too few answers ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('answers, missing', [
    ([None, None, None, None], [0, 1, 2, 3]),
    ([True, 2, None, None], [2, 3]),
    ([True, None, 'b', 1], [1]),  # 1.5 of 5 are more than a fifth
    ([None, 2, 'b', 1], []),      # 1 of 5 is a fifth
])
def test_what_is_missing(database, someone, answers, missing):
    attempt, questions = example(database, someone, someone.child()['id'], answers)
    answer = complete(someone.client, attempt)
    if not missing:
        answer.expect(200)
        assert told(answer.data['results']) == scores(database, attempt)
        return
    answer.expect(422, 'UNPROCESSABLE')
    assert answer.fields == sorted(questions[place] for place in missing)
    assert kept(database, attempt) == {}
    assert database.value('SELECT status FROM assessments.development_assessments WHERE id = %s', attempt) == 'in_progress'
    save(someone.client, attempt, {questions[place]: EXAMPLE[place][1] for place in missing}).expect(200)
    complete(someone.client, attempt).expect(200)


def test_areas_with_enough_miss_nothing(database, someone):
    questions = make_questions(database, [{'category': 'language', 'answer_type': 'yes_no', 'weight': 4000},
                                          {'category': 'language', 'answer_type': 'yes_no', 'weight': 1000},
                                          {'category': 'social', 'answer_type': 'yes_no'}])
    attempt = make_attempt(database, someone, someone.child()['id'], questions)
    save(someone.client, attempt, {questions[0]: True}).expect(200)
    assert complete(someone.client, attempt).expect(422, 'UNPROCESSABLE').fields == [questions[2]]


# --- once -----------------------------------------------------------------------------------------------------------------------

def test_twice_is_the_same(database, someone):
    attempt, questions = example(database, someone, someone.child()['id'])
    first = complete(someone.client, attempt).expect(200)
    assert complete(someone.client, attempt).expect(200).body == first.body
    save(someone.client, attempt, {questions[0]: False}).expect(409, 'INVALID_STATE')
    assert complete(someone.client, attempt).expect(200).body == first.body
    assert kept(database, attempt) == scores(database, attempt)


def test_a_question_that_is_not_there_any_more(database, someone):
    """Deleted by hand: the others count, and nobody dies of it."""
    attempt, _ = example(database, someone, someone.child()['id'])
    database.rows('UPDATE assessments.development_assessments SET question_ids = gen_random_uuid() || question_ids WHERE id = %s', attempt)
    complete(someone.client, attempt).expect(200)
    assert kept(database, attempt) == scores(database, attempt)


def test_eight_at_once(database, someone):
    attempt, _ = example(database, someone, someone.child()['id'])
    ready, answers = threading.Barrier(8), []

    def one():
        client = Client(someone.system, someone.token)
        ready.wait()
        answers.append(complete(client, attempt))
        client.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * 8 and len({answer.body for answer in answers}) == 1
    assert kept(database, attempt) == {'language': (6000, 'good', False, 4, 4)}


class Answering(Workers):
    """Devices that answer the same attempt, each its own questions, again and again, until it is completed."""

    def __init__(self, person, attempt, parts):
        super().__init__()
        self.person, self.attempt, self.acknowledged, self.strange = person, attempt, {}, []
        for part in parts:
            self.start_with(self.work, part)

    def work(self, questions):
        client, value = Client(self.person.system, self.person.token), False
        while not self.ending.is_set():
            for question in questions:
                value = not value
                answer = save(client, self.attempt, {question: value})
                if answer.status == 200:
                    self.acknowledged[question] = value
                elif answer.status == 409 and answer.code == 'INVALID_STATE':
                    return
                else:
                    self.strange.append(str(answer))
        client.close()


def test_another_device_answers_meanwhile(database, someone):
    """What was acknowledged before is in the score; nothing comes into the answers afterwards."""
    child = someone.child()['id']
    for _ in range(5):
        questions = make_questions(database, [{'category': area, 'answer_type': 'yes_no'} for area in AREAS for _ in range(4)])
        attempt = make_attempt(database, someone, child, questions)
        with Answering(someone, attempt, [questions[0::3], questions[1::3], questions[2::3]]) as devices:
            wait_until(lambda: len(devices.acknowledged) == len(questions), 60, 'an answer to each question')
            answer = complete(someone.client, attempt).expect(200)
            for thread in devices.threads:
                thread.join(60)
        assert devices.strange == []
        assert told(answer.data['results']) == kept(database, attempt) == scores(database, attempt)
        assert {row['id']: row['response'] for row in database.rows(attempts.ANSWERED, attempt)} == devices.acknowledged


# --- refused --------------------------------------------------------------------------------------------------------------------

def test_expired(database, someone):
    attempt, _ = example(database, someone, someone.child()['id'])
    database.rows("UPDATE assessments.development_assessments SET expires_at = aipoten.app_now() - interval '1 second' WHERE id = %s",
                  attempt)
    complete(someone.client, attempt).expect(409, 'INVALID_STATE')
    assert kept(database, attempt) == {}
    database.rows("UPDATE assessments.development_assessments SET status = 'expired' WHERE id = %s", attempt)
    complete(someone.client, attempt).expect(409, 'INVALID_STATE')
    results(someone.client, attempt).expect(409, 'INVALID_STATE')


def test_others(database, someone, newcomer, therapist, admin, client):
    attempt, _ = example(database, someone, someone.child()['id'])
    stranger = newcomer()
    for path in (attempt, UNKNOWN):
        complete(stranger.client, path).expect(404)
        results(stranger.client, path).expect(404)
    complete(client, attempt).expect(401)
    complete(therapist.client, attempt).expect(403)
    complete(admin.client, attempt).expect(403)
    assert kept(database, attempt) == {}
    results(someone.client, attempt).expect(409, 'INVALID_STATE')
    complete(someone.client, attempt).expect(200)
    complete(stranger.client, attempt).expect(404)
    results(stranger.client, attempt).expect(404)
    results(therapist.client, attempt).expect(404)
    results(client, attempt).expect(401)


def test_deleted_child(database, someone):
    child = someone.child()['id']
    attempt, _ = example(database, someone, child)
    complete(someone.client, attempt).expect(200)
    results(someone.client, attempt).expect(200)
    someone.client.delete(f'/api/v1/children/{child}').expect(200)
    complete(someone.client, attempt).expect(404)
    results(someone.client, attempt).expect(404)


# --- results --------------------------------------------------------------------------------------------------------------------

def test_change_and_series(database, someone):
    child, made = someone.child()['id'], []
    for area, answers in (('language', [False, 0, 'a', 0]), ('language', [True, 3, 'c', 3]), ('social', [True, 2, 'b', 1]),
                          ('language', [True, 2, 'b', 1])):
        attempt, _ = example(database, someone, child, answers, area)
        made.append((attempt, area, complete(someone.client, attempt).expect(200).data))
    changes = [[result['change'] for result in results(someone.client, attempt).expect(200).data['results']] for attempt, _, _ in made]
    assert changes == [[None], [100], [None], [None]]  # the attempt before has no result of the area: nothing to compare
    last = results(someone.client, made[3][0]).expect(200).data
    assert [point['assessment_id'] for point in last['series']] == [attempt for attempt, _, _ in made]
    assert [(score['category'], score['score'], score['level']) for point in last['series'] for score in point['scores']] == [
        ('language', 0, 'needs_observation'), ('language', 100, 'excellent'), ('social', 60, 'good'), ('language', 60, 'good')]
    assert [point['completed_at'] for point in last['series']] == [answer['completed_at'] for _, _, answer in made]
    first = results(someone.client, made[0][0]).expect(200).data  # what came later is not in it
    assert [point['assessment_id'] for point in first['series']] == [made[0][0]]


def test_times_rise_when_clocks_do_not(database, someone):
    """The attempt before was completed by a machine whose clock is ahead."""
    child = someone.child()['id']
    row = 'SELECT completed_at FROM assessments.development_assessments WHERE id = %s'
    first, _ = example(database, someone, child)
    complete(someone.client, first).expect(200)
    database.rows("UPDATE assessments.development_assessments SET completed_at = completed_at + interval '1 hour' WHERE id = %s", first)
    second, _ = example(database, someone, child)
    answer = complete(someone.client, second).expect(200).data
    assert database.value(row, second) - database.value(row, first) == datetime.timedelta(microseconds=1)
    assert complete(someone.client, second).expect(200).data == answer
    series = results(someone.client, second).expect(200).data['series']
    assert [point['assessment_id'] for point in series] == [first, second] and series[1]['completed_at'] == answer['completed_at']


def test_the_series_ends(database, someone):
    child, made = someone.child()['id'], []
    for _ in range(26):
        attempt, _ = example(database, someone, child)
        complete(someone.client, attempt).expect(200)
        made.append(attempt)
    series = results(someone.client, made[-1]).expect(200).data['series']
    assert [point['assessment_id'] for point in series] == made[-24:]


def test_kept_in_the_cache_until_it_changes(system, database, someone, newcomer):
    child, guardian = someone.child()['id'], newcomer()
    attempt, _ = example(database, someone, child)
    complete(someone.client, attempt).expect(200)
    first = results(someone.client, attempt).expect(200)
    database.rows("UPDATE assessments.assessment_results SET feedback = '바뀐 글' WHERE assessment_id = %s", attempt)
    assert results(someone.client, attempt).expect(200).body == first.body  # by hand: the cache cannot know
    assert first.header('cache-control') == 'no-store'
    database.rows("INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, 'guardian')", child, guardian.id)
    system.ctl('cache', 'flush')
    assert results(guardian.client, attempt).expect(200).data['results'][0]['feedback'] == '바뀐 글'
    someone.client.delete(f'/api/v1/children/{child}/guardians/{guardian.id}').expect(200)
    results(guardian.client, attempt).expect(404)


def test_reading_by_others_is_told(database, someone, admin):
    child = someone.child()['id']
    attempt, _ = example(database, someone, child)
    complete(someone.client, attempt).expect(200)
    results(someone.client, attempt).expect(200)
    for _ in range(2):
        results(admin.client, attempt).expect(200)
    said = wait_until(lambda: [row for row in database.rows('SELECT * FROM admin.access_log WHERE record = %s', child)
                               if row['operation'] == 'assessments.results'][1:], 30, 'both readings in the access log')
    assert len(said) == 1 and str(said[0]['reader']) == admin.id


# --- deaths -----------------------------------------------------------------------------------------------------------------------

POINTS = [point for point in faults.points() if point.split('.')[0] in ('complete', 'direct', 'call', 'event', 'once')]
# Each event that is committed leaves a row here, which no dispatcher deletes.
COUNT_EVENTS = """
CREATE TABLE public.completed (id uuid, aggregate uuid);
CREATE FUNCTION public.completed_add() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN IF NEW.type = 'assessment.completed' THEN INSERT INTO public.completed VALUES (NEW.id, NEW.aggregate); END IF;
          RETURN NULL; END $$;
CREATE TRIGGER completed AFTER INSERT ON assessments.events FOR EACH ROW EXECUTE FUNCTION public.completed_add();
"""
CANDIDATES = 50
NOTHING_WAITS = 'SELECT NOT EXISTS (SELECT FROM assessments.deliveries)'


@pytest.fixture(scope='module')
def own(start_system):
    system = start_system(settings={'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'},
                                    'http': {'patience': '10s', 'request_timeout': '20s'}, 'videos': {'candidates': CANDIDATES}})
    with system.database() as database:
        database.rows(COUNT_EVENTS)
    return system


@pytest.fixture(scope='module')
def own_parent(own):
    return people.newcomer(own)


def judge(database, person, child, attempt, answer):
    """Once, whole, and the same when it is completed again."""
    assert told(answer.data['results']) == kept(database, attempt) == scores(database, attempt)
    again = Client(person.system, person.token)
    assert complete(again, attempt).expect(200).body == answer.body
    again.close()
    assert database.value('SELECT count(*) FROM public.completed WHERE aggregate = %s', child) == 1


@pytest.mark.parametrize('point', POINTS)
def test_death_at(own, own_parent, point):
    """Of the actor, and of the one that recommends by the event; the client gets its answer all the same."""
    hit = []
    with own.database() as database:
        for service in ('assessments', 'videos'):
            child = own_parent.child()['id']
            attempt, _ = example(database, own_parent, child)
            client = Client(own, own_parent.token)
            with faults.Fault(own, service, point) as fault:
                answer = complete(client, attempt).expect(200)
                hit += [service] * fault.hit()
            client.close()
            judge(database, own_parent, child, attempt, answer)
            own.wait_ready(30)
        print(point, hit)
        assert hit or not point.startswith('complete.'), f'nothing that this test does reaches {point}'
        wait_until(lambda: database.value(NOTHING_WAITS), 60, 'an empty outbox', every=0.1)


def test_of_more_videos_those_of_the_highest_priority(own, own_parent):
    """Are remembered (videos.candidates): one beyond them, which would have all points there are, is not recommended."""
    with own.database() as database:
        child = own_parent.child()['id']
        attempt, _ = example(database, own_parent, child, [False, 0, 'b', 2])
        among = sorted(ranking.facts(database, child), key=lambda video: (-video['priority'], -video['published'], video['number']))
        beyond = next(video for video in among[CANDIDATES:] if video['areas'] >> AREAS.index('language') & 1
                      and video['min'] <= 24 <= video['max'])
        database.rows('UPDATE videos.videos SET completion_count = 10000 WHERE id = %s', beyond['number'])
        assert told(complete(own_parent.client, attempt).expect(200).data['results'])['language'][:2] == (3000, 'needs_observation')
        areas = [(area == 'language', 3000, ranking.NEEDS_OBSERVATION) for area in AREAS]
        wait_until(lambda: database.value(NOTHING_WAITS), 60, 'an empty outbox', every=0.1)
        stored = [(row['video_id'], row['priority_score']) for row in database.rows(
            'SELECT video_id, priority_score FROM videos.recommended_videos WHERE child_id = %s ORDER BY position', child)]
        now = time.time_ns() // 1000
        assert stored == [(number, points) for number, _, points, _ in ranking.ranked(24, areas, among[:CANDIDATES], now)] != []
        assert ranking.ranked(24, areas, ranking.facts(database, child), now)[0][0] == beyond['number'] not in dict(stored)


def test_postgres_restarts_meanwhile(own, own_parent):
    """Who was told 503 tries again; who was told 200 was told what stands there."""
    with own.database() as database:
        made = []
        for _ in range(24):
            child = own_parent.child()['id']
            made.append((child, example(database, own_parent, child)[0]))
    answers, refused, began = {}, [], threading.Event()

    def one(part):
        client = Client(own, own_parent.token)
        for child, attempt in part:
            ends = time.monotonic() + 60
            while time.monotonic() < ends:
                answer = complete(client, attempt)
                began.set()
                if answer.status == 200:
                    answers[attempt] = answer
                    break
                refused.append(answer.expect(503, 'UNAVAILABLE'))
                time.sleep(0.02)
        client.close()

    threads = [threading.Thread(target=one, args=(made[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    began.wait(30)
    own.services('postgres_stop')
    own.postgres_back()
    for thread in threads:
        thread.join(90)
    print(len(refused), 'refused')
    with own.database() as database:
        for child, attempt in made:
            judge(database, own_parent, child, attempt, answers[attempt])
