"""questions: what assessments ask in tests. Where no demo data has a bank of them, a few are made, for every age."""
import json
import uuid

AREAS = ('gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional')
OPTIONS = [{'key': 'a', 'label': '아직 못해요', 'score': 0}, {'key': 'b', 'label': '도와주면 해요', 'score': 500},
           {'key': 'c', 'label': '혼자 해요', 'score': 1000}]


def insert(database, category='language', answer_type='yes_no', ages=(4, 71), **columns):
    """One question; its id."""
    question = str(uuid.uuid4())
    row = {'id': question, 'lineage': question, 'category': category, 'age_range_start': ages[0], 'age_range_end': ages[1],
           'question_text': f'시험 질문 {question}', 'answer_type': answer_type, **columns}
    if answer_type == 'scale':
        row = {'scale_min': 0, 'scale_max': 3, **row}
    if answer_type == 'multiple_choice':
        row = {'options': json.dumps(OPTIONS), **row}
    database.rows(f'INSERT INTO assessments.assessment_questions ({", ".join(row)}) VALUES ({", ".join(["%s"] * len(row))})',
                  *row.values())
    return question


def ensure(system, database):
    """Questions of each type and area for every age from 4 to 71 months."""
    if database.value('SELECT count(*) FROM assessments.assessment_questions WHERE retired_at IS NULL AND age_range_end <= 71'):
        return
    for area in AREAS:
        for place, answer_type in enumerate(('yes_no', 'scale', 'multiple_choice')):
            insert(database, area, answer_type, order_index=place)
    system.ctl('cache', 'flush')


def answer(question):
    """One that fits."""
    return {'yes_no': lambda: True, 'scale': lambda: question['scale']['max'],
            'multiple_choice': lambda: question['options'][-1]['key']}[question['answer_type']]()
