"""attempts: questions whose score one knows, attempts at them, and what answers must come to, in fractions."""
import uuid
from fractions import Fraction

from . import questions

ASSESSMENTS = '/api/v1/assessments'
LONG_AGO = '2020-01-01T00:00:00Z'
# Columns of an attempt's questions with its answers, in order.
ANSWERED = """
SELECT q.id, q.category, q.answer_type, q.weight, q.reverse, q.is_critical, q.scale_min, q.scale_max, q.options, r.response
FROM assessments.development_assessments a CROSS JOIN unnest(a.question_ids) WITH ORDINALITY AS s (id, place)
    JOIN assessments.assessment_questions q ON q.id = s.id
    LEFT JOIN assessments.assessment_responses r ON r.assessment_id = a.id AND r.question_id = q.id
WHERE a.id = %s ORDER BY s.place"""


def make_questions(database, wanted):
    """Rows of questions ({'category', 'answer_type', 'weight' …} each); they are retired already, so that nobody else is asked them:
    an attempt keeps those it began with. Their ids."""
    return [questions.insert(database, order_index=place, retired_at=LONG_AGO, **columns) for place, columns in enumerate(wanted)]


def make_attempt(database, person, child, asked):
    """An attempt in progress at these questions."""
    attempt = str(uuid.uuid4())
    database.rows(
        'INSERT INTO assessments.development_assessments (id, child_id, user_id, assessment_date, age_in_months,'
        ' chronological_age_months, question_ids, expires_at)'
        " VALUES (%s, %s, %s, (aipoten.app_now() AT TIME ZONE 'Asia/Seoul')::date, 24, 24, %s::uuid[],"
        " aipoten.app_now() + interval '14 days')", attempt, child, person.id, asked)
    return attempt


def save(client, attempt, answers):
    """{question: response} in one call."""
    body = {'responses': [{'question_id': question, 'response': response} for question, response in answers.items()]}
    return client.post(f'{ASSESSMENTS}/{attempt}/responses', body)


def answers_by_chance(database, attempt, chance):
    """An answer to each question."""
    def one(question):
        if question['answer_type'] == 'yes_no':
            return chance.random() < 0.7
        if question['answer_type'] == 'scale':
            return chance.randint(question['scale_min'], question['scale_max'])
        return chance.choice(question['options'])['key']
    return {question['id']: one(question) for question in database.rows(ANSWERED, attempt)}


def value_of(question):
    response = question['response']
    if question['answer_type'] == 'yes_no':
        value = Fraction(int(response is True))
    elif question['answer_type'] == 'scale':
        value = Fraction(response - question['scale_min'], question['scale_max'] - question['scale_min'])
    else:
        value = Fraction(next(option['score'] for option in question['options'] if option['key'] == response), 1000)
    return 1 - value if question['reverse'] else value


def area_score(asked):
    """(score in hundredths, level, critical, answered, asked) of the questions of one area."""
    answered = [question for question in asked if question['response'] is not None]
    exact = 100 * sum(question['weight'] * value_of(question) for question in answered) / sum(q['weight'] for q in answered)
    critical = any(question['is_critical'] and value_of(question) == 0 for question in answered)
    level = 'excellent' if exact >= 80 else 'good' if exact >= 60 else 'caution' if exact >= 40 else 'needs_observation'
    return (int(exact * 100 + Fraction(1, 2)), 'needs_observation' if critical else level, critical, len(answered), len(asked))


def scores(database, attempt):
    """{area: area_score} of what stands in the database."""
    rows = database.rows(ANSWERED, attempt)
    by_area = {area: [row for row in rows if row['category'] == area] for area in questions.AREAS}
    return {area: area_score(found) for area, found in by_area.items() if found}


def told(results):
    """The same of an answer's results."""
    return {result['category']: (round(result['score'] * 100), result['level'], result['critical'], result['answered'],
                                 result['asked']) for result in results}


def kept(database, attempt):
    """The same of the rows of results."""
    rows = database.rows('SELECT * FROM assessments.assessment_results WHERE assessment_id = %s', attempt)
    assert len(rows) == len({row['category'] for row in rows})
    return {row['category']: (int(row['score'] * 100), row['level'], row['critical'], row['answered'], row['asked']) for row in rows}
