"""report.html: what a parent prints and takes to a paediatrician says what the results say, to those who may see them, in Korean and
English, as a page that a strict parser reads and that asks nothing of anybody."""
import base64
import hashlib
import re
import uuid
import xml.etree.ElementTree as ElementTree

import pytest

from harness import attempts, browser, people, png
from harness.wait import wait_until

ASSESSMENTS = '/api/v1/assessments'
HTML, SVG = '{http://www.w3.org/1999/xhtml}', '{http://www.w3.org/2000/svg}'
NAMES = {'gross_motor': '대근육 운동', 'fine_motor': '소근육 운동', 'cognitive': '인지', 'language': '언어', 'social': '사회성', 'emotional': '정서'}
LEVELS = {'excellent': '우수', 'good': '양호', 'caution': '주의', 'needs_observation': '관찰 필요'}
AREAS = list(NAMES)


def text(element):
    return ' '.join(''.join(element.itertext()).split())


class Page:
    """The answer as a tree: it must be one for a parser of XML, too."""

    def __init__(self, answer):
        answer.expect(200)
        self.answer, self.tree = answer, ElementTree.fromstring(answer.body.decode('utf-8'))
        self.text = text(self.tree)

    def all(self, name, **attributes):
        attributes = {key.rstrip('_'): value for key, value in attributes.items()}
        return [element for element in self.tree.iter(name) if all(element.get(key) == value for key, value in attributes.items())]

    @property
    def areas(self):
        """Row by row: area, score, level, change, feedback, recommendation."""
        [table] = [table for section in self.all(HTML + 'section', class_='areas') for table in section.iter(HTML + 'table')]
        return [[text(cell) for cell in row] for row in table.find(HTML + 'tbody')]

    @property
    def answers(self):
        """[(question, answer)], marks left out."""
        found = [table for section in self.all(HTML + 'section', class_='answers') for table in section.iter(HTML + 'table')]
        return [tuple(text(cell).removeprefix('★ ') for cell in row) for table in found for row in table.find(HTML + 'tbody')]

    @property
    def facts(self):
        return [text(value) for value in self.all(HTML + 'dd')]

    def points(self, kind):
        """Of a shape in a drawing."""
        return [[tuple(map(float, point.split(','))) for point in shape.get('points').split()]
                for shape in self.tree.iter(SVG + kind) if shape.get('class') in ('this', 'line')]


def day(date):
    """As the Korean page writes it."""
    year, month, number = map(int, str(date).split('-'))
    return f'{year}년 {month}월 {number}일'


def young(database, person, **changes):
    """A child of 14 months, born in the 32nd week."""
    born = database.value("SELECT ((aipoten.app_now() AT TIME ZONE 'Asia/Seoul')::date - interval '14 months 3 days')::date")
    return person.child(birth_date=str(born), gestational_weeks=32, **changes)


def report(client, attempt, language=None):
    return client.get(f'{ASSESSMENTS}/{attempt}/report.html', headers={'accept-language': language})


def questions_of(client, attempt):
    return client.get(f'{ASSESSMENTS}/{attempt}').expect(200).data['questions']


def able(question):
    """An answer, and its words."""
    if question['answer_type'] == 'yes_no':
        return True, '네'
    if question['answer_type'] == 'scale':
        labels = question['scale']['labels']
        return question['scale']['min'] + len(labels) - 1, labels[-1]
    return question['options'][-1]['key'], question['options'][-1]['label']


@pytest.fixture(scope='module')
def told(shared_system):
    """(parent, child, attempt): all questions that the bank has for the child are answered, and the attempt is completed."""
    person = people.newcomer(shared_system)
    with shared_system.database() as database:
        child = young(database, person)
    attempt = person.client.post(ASSESSMENTS, {'child_id': child['id']}).expect(201).data
    answers = {question['id']: able(question)[0] for question in questions_of(person.client, attempt['id'])}
    attempts.save(person.client, attempt['id'], answers).expect(200)
    person.client.post(f'{ASSESSMENTS}/{attempt["id"]}/complete').expect(200)
    return person, child, attempt


def history(database, person, child, scores, days_apart=61):
    """Completed attempts with these scores, {area: hundredths}, the last of them today; their ids, oldest first."""
    made = []
    for i, areas in enumerate(scores):
        made.append(str(uuid.uuid4()))
        database.rows(
            'INSERT INTO assessments.development_assessments (id, child_id, user_id, assessment_date, age_in_months,'
            ' chronological_age_months, status, question_ids, expires_at, completed_at, created_at)'
            " SELECT %s, %s, %s, (t AT TIME ZONE 'Asia/Seoul')::date, 24, 26, 'completed', '{}', t, t, t"
            " FROM (SELECT aipoten.app_now() - %s * interval '1 day' AS t) AS when_", made[-1], child, person.id,
            (len(scores) - 1 - i) * days_apart)
        for area, score in areas.items():
            database.rows(
                'INSERT INTO assessments.assessment_results (id, assessment_id, category, score, level, answered, asked, feedback,'
                " recommendations, feedback_en, recommendations_en) VALUES (%s, %s, %s, %s, 'good', 5, 6, '느낌 <b>', '놀이 &amp;',"
                " 'seen', 'play')", str(uuid.uuid4()), made[-1], area, score / 100)
    return made


# --- what it says ---------------------------------------------------------------------------------------------------------------

def test_it_says_what_the_results_say(told):
    person, child, attempt = told
    page = Page(report(person.client, attempt['id']))
    results = person.client.get(f'{ASSESSMENTS}/{attempt["id"]}/results').expect(200).data
    assert [row[1:3] + row[4:] for row in page.areas] == [
        [f'{result["score"]:.2f}', LEVELS[result['level']], result['feedback'], result['recommendations']]
        for result in results['results']]
    for row, result in zip(page.areas, results['results']):
        assert row[0].startswith(NAMES[result['category']]) and row[0].endswith(f'{result["asked"]}개 중 {result["answered"]}개 답함')
        assert row[3] == '첫 결과'
    questions = questions_of(person.client, attempt['id'])
    assert page.answers == [(question['question_text'], able(question)[1]) for question in questions]
    assert page.facts == [child['name'], day(child['birth_date']), day(attempt['assessment_date']), '14개월', '12개월', '12개월']


def test_it_says_what_it_is_and_is_not(told):
    person, _, attempt = told
    page = Page(report(person.client, attempt['id']))
    assert '의사나 전문가의 진찰과 검사를 대신하지 않으며' in page.text and '인쇄하려면' in page.text
    assert '진단' not in page.text
    english = Page(report(person.client, attempt['id'], 'en'))
    assert 'It does not replace an examination' in english.text and 'To print' in english.text
    assert 'iagnos' not in english.text
    assert english.tree.get('lang') == 'en' and english.answer.header('content-language') == 'en'
    assert page.tree.get('lang') == 'ko' and page.answer.header('content-language') == 'ko'
    results = person.client.get(f'{ASSESSMENTS}/{attempt["id"]}/results', headers={'accept-language': 'en'}).expect(200).data
    assert [row[4:] for row in english.areas] == [[r['feedback'], r['recommendations']] for r in results['results']]


def test_drawings_name_themselves(told):
    person, _, attempt = told
    page = Page(report(person.client, attempt['id']))
    drawings = page.all(SVG + 'svg')
    assert len(drawings) == 2
    for drawing in drawings:
        names = drawing.get('aria-labelledby').split()
        told_by = [part for part in drawing.iter() if part.get('id') in names]
        assert drawing.get('role') == 'img' and len(told_by) == 2 and all(text(part) for part in told_by)
    assert all(head.get('scope') in ('row', 'col') for head in page.all(HTML + 'th'))


def test_what_is_worth_talking_about(database, newcomer):
    """Critical questions, plain and reversed, of each type: only what has the value 0 stands among them."""
    person = newcomer()
    child = person.child()['id']
    kinds = [('yes_no', False, False, True), ('yes_no', True, True, True), ('yes_no', False, True, False), ('scale', False, 0, True),
             ('scale', True, 3, True), ('scale', False, 1, False), ('multiple_choice', False, 'a', True),
             ('multiple_choice', True, 'c', True), ('multiple_choice', False, 'b', False), ('yes_no', False, None, False)]
    questions = attempts.make_questions(database, [{'category': 'social', 'answer_type': kind, 'reverse': reverse, 'is_critical': True,
                                                    'weight': 1 if answer is None else 1000}
                                                   for kind, reverse, answer, _ in kinds])
    attempt = attempts.make_attempt(database, person, child, questions)
    attempts.save(person.client, attempt, {question: kind[2] for question, kind in zip(questions, kinds) if kind[2] is not None}).expect(200)
    person.client.post(f'{ASSESSMENTS}/{attempt}/complete').expect(200)
    page = Page(report(person.client, attempt))
    [section] = page.all(HTML + 'section', class_='talk')
    items = [text(item) for item in section.iter(HTML + 'li')]
    assert [any(question in item for item in items) for question in questions] == [kind[3] for kind in kinds], items
    assert len(page.all(HTML + 'tr', class_='to-talk')) == sum(kind[3] for kind in kinds)
    assert page.answers[-1][1] == '답하지 않음'
    assert sum('★ 답 때문에' in row[-2] for row in page.areas) == 1
    assert [row[1] for row in page.areas].count('이번에는 결과가 없습니다.') == 5


def test_a_name_is_only_a_name(told, newcomer, database):
    person = newcomer()
    for name in ('<script>alert("1")</script>', '"\'><img src=x onerror=alert(1)>', '\u202eabc \u05e9\u05dc\u05d5\u05dd', '👨‍👩‍👧 하늘', '가' * 50,
                 '</style></bdi>&amp;{name}%s'):
        child = person.child(name=name)
        [attempt] = history(database, person, child['id'], [dict.fromkeys(AREAS, 6000)])
        page = Page(report(person.client, attempt))
        assert page.facts[0] == ' '.join(name.split())
        assert not [element for element in page.tree.iter() if element.tag in (HTML + 'script', HTML + 'img')
                    or any(key.startswith('on') or key == 'style' for key in element.keys())]
        assert page.areas[0][4:] == ['느낌 <b>', '놀이 &amp;']


def test_change_and_trend(newcomer, database):
    person = newcomer()
    child = person.child()['id']
    first = {'gross_motor': 5000, 'fine_motor': 4325, 'cognitive': 7999, 'language': 100}
    last = {'gross_motor': 5000, 'fine_motor': 10000, 'cognitive': 0, 'language': 650, 'social': 4000}
    ids = history(database, person, child, [first, last])
    page = Page(report(person.client, ids[1]))
    assert [row[3] if len(row) > 3 else None for row in page.areas] == ['0.00', '+56.75', '−79.99', '+5.50', '첫 결과', None]
    assert len(page.all(SVG + 'polyline')) == 4 and not page.points('polygon')
    assert Page(report(person.client, ids[0])).all(SVG + 'polyline') == [], 'what came later does not stand in it'


@pytest.mark.parametrize('count', [1, 2, 12, 24, 30])
def test_many_attempts(newcomer, database, count):
    person = newcomer()
    child = person.child()['id']
    ids = history(database, person, child, [{area: (i * 700 + k * 1300) % 10001 for k, area in enumerate(AREAS)}
                                           for i in range(count)], days_apart=3)
    page = Page(report(person.client, ids[-1]))
    drawn = min(count, 24)
    assert [len(line) for line in page.points('polyline')] == ([drawn] * 6 if drawn > 1 else [])
    assert all(0 <= x <= 580 and 0 <= y <= 206 for line in page.points('polyline') for x, y in line)
    assert ('가장 최근의 결과까지만' in page.text) == (count >= 24)
    assert [len(shape) for shape in page.points('polygon')] == [6]


# --- how it is sent -------------------------------------------------------------------------------------------------------------

def test_headers(told):
    person, _, attempt = told
    answer = report(person.client, attempt['id'])
    [style] = re.findall(r'<style>(.*?)</style>', answer.body.decode(), re.S)
    digest = base64.urlsafe_b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert answer.header('content-type') == 'text/html; charset=utf-8'
    assert answer.header('content-security-policy') == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    assert answer.header('cache-control') == 'no-store' and answer.header('etag') is None
    head = person.client.request('HEAD', f'{ASSESSMENTS}/{attempt["id"]}/report.html').expect(200)
    assert head.body == b'' and head.header('content-length') == str(len(answer.body))
    for name in ('content-type', 'content-security-policy', 'content-language', 'cache-control'):
        assert head.header(name) == answer.header(name)
    assert not re.search(rb'(src|href)\s*=|url\(|@import|<script', answer.body)
    refused = person.client.get(f'{ASSESSMENTS}/{uuid.uuid4()}/report.html').expect(404)
    assert refused.header('content-type') == 'application/json'
    assert refused.header('content-security-policy') == "default-src 'none'; frame-ancestors 'none'"


# --- who, and when --------------------------------------------------------------------------------------------------------------

def test_only_completed_ones(told, newcomer, database):
    person = newcomer()
    attempt = person.client.post(ASSESSMENTS, {'child_id': young(database, person)['id']}).expect(201).data['id']
    report(person.client, attempt).expect(409, 'INVALID_STATE')
    database.rows("UPDATE assessments.development_assessments SET expires_at = now() - interval '1 second' WHERE id = %s", attempt)
    report(person.client, attempt).expect(409, 'INVALID_STATE')
    owner, _, completed = told
    report(owner.client, completed['id'] + 'x').expect(400)


def test_who_may_read_it(told, client, newcomer, therapist, admin, database):
    person, child, attempt = told
    guardian = newcomer()
    database.rows("INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, 'guardian')", child['id'], guardian.id)
    report(guardian.client, attempt['id']).expect(200)
    report(client, attempt['id']).expect(401)
    for stranger in (newcomer(), therapist):
        report(stranger.client, attempt['id']).expect(404)
    before = len(reads(person, child))
    report(person.client, attempt['id']).expect(200)
    report(admin.client, attempt['id']).expect(200)
    wait_until(lambda: len(reads(person, child)) == before + 1, 20, "the admin's reading in the access log, and no other")


def reads(person, child):
    return person.client.get(f'/api/v1/children/{child["id"]}/access-log').expect(200).data


# --- as a person sees it ---------------------------------------------------------------------------------------------------------

BLUE = (0x24, 0x57, 0xd6)  # of what is drawn


@pytest.mark.long
def test_in_a_browser(told, tmp_path):
    """Chromium draws it under its own policy, fetches nothing else, and prints it on two sheets of A4."""
    if browser.chromium() is None:
        pytest.skip('no Chromium here: apt-get install chromium fonts-nanum')
    person, _, attempt = told
    for language in ('ko', 'en'):
        answer = report(person.client, attempt['id'], language)
        with browser.Shown(answer) as shown:
            path, said = browser.picture(shown, str(tmp_path))
            width, _, colours = png.colours(path)
            assert said == '' and width == 900
            assert colours[BLUE] > 500 and colours[(255, 255, 255)] > 100000, 'the style was not applied'
            sheets, (wide, high) = browser.paper(shown, str(tmp_path))
            assert sheets <= 2 and (round(wide), round(high)) == (595, 842)
            assert set(shown.asked) == {'/page'}


@pytest.mark.long
def test_a_browser_takes_no_other_style(told, tmp_path):
    """What the test above rests on: with another hash the page stays without its style, and the browser says why."""
    if browser.chromium() is None:
        pytest.skip('no Chromium here: apt-get install chromium fonts-nanum')
    person, _, attempt = told
    answer = report(person.client, attempt['id'])
    other = "default-src 'none'; style-src 'sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU='"
    with browser.Shown(answer, content_security_policy=other) as shown:
        path, said = browser.picture(shown, str(tmp_path))
        assert 'Content Security Policy' in said
        assert png.colours(path)[2][BLUE] < 500
