"""Questions as administrators change them: versions, what is refused, lists and pages; that every frontend asks the new ones at
once, and that an attempt keeps those that it began with. Every answer is checked against the OpenAPI document by the client."""
import concurrent.futures
import datetime
import itertools
import uuid

import pytest

from harness import questions
from harness.client import Client

ATTEMPTS = '/api/v1/assessments'
ADMIN, PUBLIC = '/api/v1/admin/assessments/questions', '/api/v1/assessments/questions'
UNKNOWN = '01890000-0000-7000-8000-000000000000'
AREAS = ['gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional']
OPTIONS = [{'key': 'a', 'label': '아직 못 해요', 'score': 0}, {'key': 'b', 'label': '가끔 "이렇게" \\ 해요', 'score': 0.45},
           {'key': 'c', 'label': '잘해요', 'score': 1}]
AGE = 70  # where these tests ask


def description(**changes):
    return {'category': 'social', 'age_range_start': AGE, 'age_range_end': AGE, 'answer_type': 'yes_no',
            'question_text': f'시험에 쓰는 질문 {uuid.uuid4().hex[:12]}인가요?', **changes}


@pytest.fixture
def new_question(admin):
    """Makes a question; whatever became of it is asked no more at the end."""
    made = []

    def make(**changes):
        made.append(admin.client.post(ADMIN, description(**changes)).expect(201).data)
        return made[-1]
    yield make
    for question in made:
        for version in admin.client.get(ADMIN, query={'lineage': question['id'], 'retired': 'false'}).data:
            admin.client.delete(f'{ADMIN}/{version["id"]}').expect(200)


@pytest.fixture
def asked(system):
    """What every frontend asks at an age: {id: question}, the same at each."""
    clients = [Client(system) for _ in range(12)]

    def ask(age=AGE):
        answers = [client.get(PUBLIC, query={'age': age}).expect(200).data for client in clients]
        assert all(answer == answers[0] for answer in answers[1:])
        return {question['id']: question for question in answers[0]}
    yield ask
    for client in clients:
        client.close()


def change(admin, question, **fields):
    return admin.client.patch(f'{ADMIN}/{question["id"]}', fields)


# --- what is asked ------------------------------------------------------------------------------------------------------------

def test_every_age_has_its_questions(system, database):
    for age in (4, 24, 41, 71):
        data = Client(system).get(PUBLIC, query={'age': age}).expect(200).data
        live = database.rows('SELECT id FROM assessments.assessment_questions WHERE retired_at IS NULL'
                             ' AND %s BETWEEN age_range_start AND age_range_end', age)
        assert {question['id'] for question in data} == {str(row['id']) for row in live} and len(data) >= 36
        for area in AREAS:
            assert sum(question['category'] == area for question in data) >= 6
        assert {question['answer_type'] for question in data} == {'yes_no', 'scale', 'multiple_choice'}
        assert not {key for question in data for key in question} & {'weight', 'is_critical', 'reverse', 'score'}
        assert not {key for question in data for option in question['options'] or [] for key in option} - {'key', 'label'}


def test_new_question_is_asked_at_once_everywhere(asked, new_question):
    before = asked()
    question = new_question(weight=1.5, is_critical=True)
    assert question['version'] == 1 and question['lineage'] == question['id'] and question['retired_at'] is None
    assert question['weight'] == 1.5 and question['is_critical'] and not question['reverse']
    after = asked()
    assert set(after) == {*before, question['id']}
    assert after[question['id']]['question_text'] == question['question_text']
    assert question['id'] not in asked(AGE - 5)


def test_new_version_takes_the_place_of_the_one_before(admin, asked, new_question):
    first = new_question(answer_type='multiple_choice', options=OPTIONS, weight=0.125, order_index=7)
    second = change(admin, first, question_text='다르게 묻는 질문인가요?').expect(200).data
    assert second['id'] != first['id'] and second['lineage'] == first['id'] and second['version'] == 2
    kept = set(first) - {'id', 'version', 'question_text', 'created_at'}
    assert {name: second[name] for name in kept} == {name: first[name] for name in kept}
    now = asked()
    assert first['id'] not in now and now[second['id']]['question_text'] == '다르게 묻는 질문인가요?'
    history = admin.client.get(ADMIN, query={'lineage': first['id']}).expect(200).data
    assert {row['id']: row['retired_at'] is None for row in history} == {first['id']: False, second['id']: True}
    old = admin.client.get(f'{ADMIN}/{first["id"]}').expect(200).data
    assert old == {**first, 'retired_at': old['retired_at']} and old['retired_at'], 'what it asked stays as it was'
    assert change(admin, first, weight=1).expect(409).code == 'INVALID_STATE'
    assert admin.client.delete(f'{ADMIN}/{first["id"]}').expect(409).code == 'INVALID_STATE'
    assert asked() == now


def test_retired_question_is_asked_no_more(admin, asked, new_question):
    question = new_question()
    assert question['id'] in asked()
    assert admin.client.delete(f'{ADMIN}/{question["id"]}').expect(200).data is None
    assert question['id'] not in asked()
    assert admin.client.get(f'{ADMIN}/{question["id"]}').expect(200).data['retired_at']
    assert admin.client.delete(f'{ADMIN}/{question["id"]}').expect(409).code == 'INVALID_STATE'


def test_question_moves_to_another_age(admin, asked, new_question):
    question = new_question()
    moved = change(admin, question, age_range_start=20, age_range_end=21).expect(200).data
    assert question['id'] not in asked() and moved['id'] not in asked() and moved['id'] in asked(21)


def test_versions_written_at_the_same_time_follow_each_other(system, admin, database, new_question):
    question = new_question()
    clients = [Client(system, admin.token) for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda pair: pair[1].patch(f'{ADMIN}/{question["id"]}', {'weight': 1 + pair[0] / 10}),
                                enumerate(clients)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    assert database.rows('SELECT version, retired_at IS NULL AS live FROM assessments.assessment_questions WHERE lineage = %s'
                         ' ORDER BY version', question['id']) == [{'version': 1, 'live': False}, {'version': 2, 'live': True}]


# --- ways to answer -----------------------------------------------------------------------------------------------------------

def test_scale_has_steps_and_labels(admin, asked, new_question):
    usual = new_question(answer_type='scale')
    assert usual['scale'] == {'min': 0, 'max': 3, 'labels': None} and usual['options'] is None
    assert len(asked()[usual['id']]['scale']['labels']) == 4, 'the usual ones'
    own = new_question(answer_type='scale', scale={'min': 1, 'max': 3, 'labels': ['전혀 "안" 해요', '가끔 해요', '늘 해요']})
    assert own['scale'] == {'min': 1, 'max': 3, 'labels': ['전혀 "안" 해요', '가끔 해요', '늘 해요']}
    assert asked()[own['id']]['scale'] == own['scale']
    kept = change(admin, own, weight=2).expect(200).data
    assert kept['scale'] == own['scale']
    assert change(admin, kept, scale=None).expect(200).data['scale'] == usual['scale']


def test_options_keep_order_and_scores(admin, asked, new_question):
    question = new_question(answer_type='multiple_choice', options=OPTIONS)
    assert question['options'] == OPTIONS and question['scale'] is None
    assert asked()[question['id']]['options'] == [{'key': o['key'], 'label': o['label']} for o in OPTIONS]
    turned = change(admin, question, options=OPTIONS[::-1]).expect(200).data
    assert turned['options'] == OPTIONS[::-1]


def test_what_belonged_to_the_former_type_goes_with_it(admin, new_question):
    question = new_question(answer_type='multiple_choice', options=OPTIONS)
    scale = change(admin, question, answer_type='scale').expect(200).data
    assert scale['options'] is None and scale['scale'] == {'min': 0, 'max': 3, 'labels': None}
    plain = change(admin, scale, answer_type='yes_no').expect(200).data
    assert plain['options'] is None and plain['scale'] is None
    assert fields(change(admin, plain, answer_type='multiple_choice')) == ['options']
    assert change(admin, plain, answer_type='multiple_choice', options=OPTIONS[1:]).expect(200).data['options'] == OPTIONS[1:]


def fields(answer):
    """What a 400 names."""
    return answer.expect(400).fields


def options(*pairs, score=1):
    return {'answer_type': 'multiple_choice', 'options': [{'key': k, 'label': l, 'score': score} for k, l in pairs]}


@pytest.mark.parametrize('wrong, named', [
    ({'category': 'musical'}, ['category']),
    ({'category': None}, ['category']),
    ({'age_range_start': 3}, ['age_range_start']),
    ({'age_range_end': 72}, ['age_range_end']),
    ({'age_range_start': AGE + 1}, ['age_range_end']),
    ({'question_text': ''}, ['question_text']),
    ({'question_text': '가' * 301}, ['question_text']),
    ({'question_text': '두 줄\n인가요?'}, ['question_text']),
    ({'answer_type': 'free_text'}, ['answer_type']),
    ({'weight': 0}, ['weight']),
    ({'weight': 10.001}, ['weight']),
    ({'weight': 1.0005}, ['weight']),
    ({'weight': '1'}, ['weight']),
    ({'order_index': -1}, ['order_index']),
    ({'reverse': 'no'}, ['reverse']),
    ({'scale': {'min': 0, 'max': 3}}, ['scale']),
    ({'options': OPTIONS}, ['options']),
    ({'answer_type': 'scale', 'options': OPTIONS}, ['options']),
    ({'answer_type': 'multiple_choice', 'options': OPTIONS, 'scale': {'min': 0, 'max': 3}}, ['scale']),
    ({'answer_type': 'multiple_choice'}, ['options']),
    ({'answer_type': 'multiple_choice', 'options': None}, ['options']),
    (options(('a', '하나')), ['options']),
    (options(*[(key, f'답 {key}') for key in 'abcdefg']), ['options']),
    (options(('a', '하나'), ('a', '둘')), ['options.1.key']),
    (options(('a', '하나'), ('b', '하나')), ['options.1.label']),
    (options(('a', '하나'), ('b', '둘'), score=0), ['options.1.score']),
    (options(('a', '하나'), ('b', '둘'), score=1.001), ['options.0.score', 'options.1.score']),
    (options(('a b', '하나'), ('b', '둘')), ['options.0.key']),
    (options(('a', ''), ('b', '둘')), ['options.0.label']),
    ({'answer_type': 'scale', 'scale': {'min': 3, 'max': 3}}, ['scale.max']),
    ({'answer_type': 'scale', 'scale': {'min': 0}}, ['scale.max']),
    ({'answer_type': 'scale', 'scale': {'min': 0, 'max': 21}}, ['scale.max']),
    ({'answer_type': 'scale', 'scale': {'min': -1, 'max': 3}}, ['scale.min']),
    ({'answer_type': 'scale', 'scale': {'min': 0, 'max': 2, 'labels': ['하나', '둘']}}, ['scale.labels']),
    ({'answer_type': 'scale', 'scale': {'min': 0, 'max': 1, 'labels': ['하나', '둘', '셋']}}, ['scale.labels']),
    ({'age_range_start': 60, 'age_range_end': 50, 'options': OPTIONS}, ['age_range_end', 'options']),
    ({'is_asked': True}, ['is_asked']),
])
def test_what_cannot_be_asked_is_refused(admin, database, new_question, wrong, named):
    count = 'SELECT count(*) FROM assessments.assessment_questions'
    question, before = new_question(), database.value(count)
    assert fields(admin.client.post(ADMIN, {**description(), **wrong})) == named
    assert fields(change(admin, question, **wrong)) == named
    assert database.value(count) == before and database.value(
        'SELECT retired_at FROM assessments.assessment_questions WHERE id = %s', question['id']) is None


def test_missing_fields_and_empty_changes(admin, new_question):
    assert fields(admin.client.post(ADMIN, {})) == ['age_range_end', 'age_range_start', 'answer_type', 'category', 'question_text']
    assert fields(change(admin, new_question())) == ['body']
    for path in (f'{ADMIN}/{UNKNOWN}', f'{ADMIN}/no-id'):
        status = 404 if path.endswith(UNKNOWN) else 400
        for answer in (admin.client.get(path), admin.client.patch(path, {'weight': 1}), admin.client.delete(path)):
            answer.expect(status)


def test_no_more_are_asked_than_anybody_answers(admin, database, new_question):
    elsewhere = new_question(age_range_start=50, age_range_end=50)
    there = database.value('SELECT count(*) FROM assessments.assessment_questions WHERE retired_at IS NULL'
                           ' AND %s BETWEEN age_range_start AND age_range_end', AGE)
    made = [questions.insert(database, ages=(AGE, AGE)) for _ in range(199 - there)]
    try:
        last = new_question()
        count = 'SELECT count(*) FROM assessments.assessment_questions'
        before = database.value(count)
        admin.client.post(ADMIN, description()).expect(409, 'CONFLICT')
        change(admin, elsewhere, age_range_start=40, age_range_end=AGE).expect(409, 'CONFLICT')
        assert database.value(count) == before
        assert admin.client.get(f'{ADMIN}/{elsewhere["id"]}').expect(200).data['retired_at'] is None
        change(admin, last, weight=2).expect(200)
    finally:
        database.rows('DELETE FROM assessments.assessment_questions WHERE id::text = ANY (%s)', made)


# --- lists --------------------------------------------------------------------------------------------------------------------

ORDER = f"ORDER BY array_position(ARRAY{AREAS}, category), age_range_start, order_index, id"
FILTERS = [({}, 'true'), ({'category': 'language'}, "category = 'language'"), ({'age': 24}, '24 BETWEEN age_range_start AND age_range_end'),
           ({'answer_type': 'scale'}, "answer_type = 'scale'"), ({'retired': 'true'}, 'retired_at IS NOT NULL'),
           ({'retired': 'false', 'age': 4, 'category': 'social'}, "retired_at IS NULL AND age_range_start = 4 AND category = 'social'")]


@pytest.mark.parametrize('query, where', FILTERS)
def test_list_follows_filters(admin, database, new_question, query, where):
    change(admin, new_question(), weight=2).expect(200)
    wanted = [str(row['id']) for row in database.rows(f'SELECT id FROM assessments.assessment_questions WHERE {where} {ORDER}')]
    assert wanted
    first = admin.client.get(ADMIN, query={**query, 'limit': 100}).expect(200)
    assert first.meta['total'] == len(wanted) and [row['id'] for row in first.data] == wanted[:100]


def test_pages_and_cursors_walk_the_same_list(admin, database):
    query = {'category': 'cognitive', 'limit': 25}
    by_page = [admin.client.get(ADMIN, query={**query, 'page': page}).expect(200).data for page in range(1, 5)]
    by_cursor, cursor = [], {}
    for _ in range(4):
        answer = admin.client.get(ADMIN, query={**query, **cursor}).expect(200)
        by_cursor.append(answer.data)
        cursor = {'cursor': answer.meta['next_cursor']}
    assert by_cursor == by_page and len({row['id'] for row in itertools.chain(*by_page)}) == 100
    assert fields(admin.client.get(ADMIN, query={'cursor': 'x'})) == ['cursor']
    assert fields(admin.client.get(ADMIN, query={'age': 3})) == ['age']
    assert admin.client.get(ADMIN, query={'cursor': UNKNOWN}).expect(200).data == []


# --- attempts -----------------------------------------------------------------------------------------------------------------

def birth_at(months):
    """Of a child who is that many months old today."""
    today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=9))).date()
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return datetime.date(year, month + 1, min(today.day, 28)).isoformat()


def begin(person, months=AGE):
    child = person.child(birth_date=birth_at(months), gestational_weeks=40)
    return person.client.post(ATTEMPTS, {'child_id': child['id']}).expect(201).data


def respond(person, attempt, *asked):
    return person.client.post(f'{ATTEMPTS}/{attempt["id"]}/responses', {'responses': [
        {'question_id': question['id'], 'response': questions.answer(question)} for question in asked]})


def texts(attempt):
    return {question['id']: question['question_text'] for question in attempt['questions']}


def test_an_attempt_keeps_the_questions_that_it_began_with(system, admin, newcomer, new_question):
    """One is changed, one retired, one added while it is open: it shows, takes and is completed with those that it began with."""
    changed, retired = new_question(), new_question(answer_type='multiple_choice', options=OPTIONS)
    parent = newcomer()
    attempt = begin(parent)
    assert {changed['id'], retired['id']} <= set(texts(attempt))
    next_version = change(admin, changed, question_text='이제는 다르게 물어보나요?').expect(200).data
    admin.client.delete(f'{ADMIN}/{retired["id"]}').expect(200)
    added = new_question()

    seen = parent.client.get(f'{ATTEMPTS}/{attempt["id"]}').expect(200).data
    assert texts(seen) == texts(attempt) and seen['asked'] == attempt['asked']
    for foreign in (next_version, added):
        answer = respond(parent, attempt, {**foreign, 'answer_type': 'yes_no'})
        assert answer.expect(400).fields == ['responses.0.question_id']
    respond(parent, attempt, *seen['questions']).expect(200)
    done = parent.client.post(f'{ATTEMPTS}/{attempt["id"]}/complete').expect(200).data
    social = next(row for row in done['results'] if row['category'] == 'social')
    assert social['asked'] == social['answered'] == sum(question['category'] == 'social' for question in seen['questions'])
    assert texts(parent.client.get(f'{ATTEMPTS}/{attempt["id"]}').expect(200).data) == texts(attempt), 'afterwards too'

    fresh = texts(begin(newcomer()))
    assert {next_version['id'], added['id']} <= set(fresh) and not {changed['id'], retired['id']} & set(fresh)
    assert fresh[next_version['id']] == '이제는 다르게 물어보나요?'


def test_attempts_that_begin_while_questions_change_have_each_once(system, admin, newcomer, new_question):
    """Whatever the moment: an attempt has exactly one version of a question that is changed again and again, and it can be answered."""
    question = new_question()
    parents = [newcomer() for _ in range(4)]
    versions = [question]
    with concurrent.futures.ThreadPoolExecutor(len(parents)) as pool:
        begun = [pool.submit(lambda one=one: [begin(one) for _ in range(3)]) for one in parents]
        while not all(future.done() for future in begun):
            versions.append(change(admin, versions[-1], weight=1 + len(versions) % 5).expect(200).data)
    new_versions = {version['id'] for version in versions}
    for person, future in zip(parents, begun):
        for attempt in future.result():
            mine = [asked for asked in attempt['questions'] if asked['id'] in new_versions]
            assert len(mine) == 1
            respond(person, attempt, *mine).expect(200)
