"""videos: the public lists, their orders, filters and pages; what words find; views, bookmarks, completions and progress, also from
several devices at once; administration, and that what it changes shows at once. Every answer is checked against the OpenAPI
document by the client."""
import concurrent.futures
import http.client
import re
import unicodedata
import uuid

import pytest

from harness import events, people
from harness.client import Client
from harness.wait import wait_until

VIDEOS, ADMIN_VIDEOS, CATEGORIES = '/api/v1/videos', '/api/v1/admin/videos', '/api/v1/admin/categories'
LIVE = 'is_published AND deleted_at IS NULL'
UNKNOWN = '01890000-0000-7000-8000-000000000000'
SORTS = {'priority': 'priority DESC, published_at DESC, id DESC', 'newest': 'published_at DESC, id DESC',
         'popular': 'view_count DESC, published_at DESC, id DESC'}
COUNTERS = ('view_count', 'bookmark_count', 'completion_count')


def path_of(video, more=''):
    return f'{VIDEOS}/{video if isinstance(video, str) else video["id"]}{more}'


def description(**changes):
    """What an administrator says of a video that nobody else made; priority 1 keeps it from the first page of others."""
    mark = uuid.uuid4().hex
    return {'title': f'시험 영상 {mark}', 'description': '시험에 쓰는 영상입니다.', 'video_url': f'https://videos.example.com/watch/{mark}',
            'video_platform': 'youtube', 'duration': 100, 'target_age_min': 12, 'target_age_max': 36, 'difficulty': 'easy',
            'priority': 1, 'areas': ['language'], 'is_published': True, **changes}


@pytest.fixture
def new_video(admin):
    """Makes a published video; withdrawn at the end, so that it is in nobody's way."""
    made = []

    def make(**changes):
        made.append(admin.client.post(ADMIN_VIDEOS, description(**changes)).expect(201).data)
        return made[-1]
    yield make
    for video in made:
        admin.client.delete(f'{ADMIN_VIDEOS}/{video["id"]}')


@pytest.fixture
def video(new_video):
    return new_video()


@pytest.fixture
def anyone(system):
    return Client(system)


def counter(database, video, name):
    return database.value(f'SELECT {name} FROM videos.videos WHERE id = %s', video['id'])


def interactions(database, video):
    return database.rows('SELECT user_id, child_id, is_bookmarked, is_completed, watch_time, watched::text AS watched FROM'
                         ' videos.user_video_interactions WHERE video_id = %s ORDER BY id', video['id'])


def at_once(person, count, send):
    """The same person's devices, all at once; what each got."""
    def one(number):
        client = Client(person.system, person.token)
        try:
            return send(client, number)
        finally:
            client.close()
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


# --- lists ---------------------------------------------------------------------------------------------------------------

def ids(answer):
    return [row['id'] for row in answer.data]


def expected(database, condition='true', sort='priority'):
    return [row['id'] for row in database.rows(f'SELECT id FROM videos.videos v WHERE {LIVE} AND {condition} ORDER BY {SORTS[sort]}')]


def test_first_page(anyone, database):
    answer = anyone.get(VIDEOS).expect(200)
    assert ids(answer) == expected(database)[:20]
    meta = dict(answer.meta)
    assert meta.pop('next_cursor')
    assert meta == {'page': 1, 'limit': 20, 'total': database.value(f'SELECT count(*) FROM videos.videos WHERE {LIVE}')}
    assert 11_000 < len(answer.body) < 17_000
    row = answer.data[0]
    stored = database.row('SELECT * FROM videos.videos WHERE id = %s', row['id'])
    for name in set(row) - {'id', 'published_at', *COUNTERS}:
        assert row[name] == stored[name], name
    assert re.search('[가-힣]', row['title']) and row['categories'][0]['name'].endswith('놀이')


@pytest.mark.parametrize('sort', SORTS)
def test_orders_and_pages(anyone, database, sort):
    """By pages and by cursors everything comes, in its order, once."""
    wanted = expected(database, 'target_age_min <= 30 AND target_age_max >= 30', sort)
    assert len(wanted) > 30
    paged = [ids(anyone.get(VIDEOS, query={'sort': sort, 'age': 30, 'limit': 7, 'page': page}).expect(200))
             for page in range(1, len(wanted) // 7 + 2)]
    assert sum(paged, []) == wanted
    found, query = [], {'sort': sort, 'age': 30, 'limit': 7}
    while True:
        answer = anyone.get(VIDEOS, query=query).expect(200)
        found += ids(answer)
        if not answer.meta.get('next_cursor'):
            break
        query['cursor'] = answer.meta['next_cursor']
    assert found == wanted


AREA = "EXISTS (SELECT FROM videos.video_development_areas a WHERE a.video_id = v.id AND a.area = '{}')"
CATEGORY = ("EXISTS (SELECT FROM videos.video_category_mapping m JOIN videos.video_categories c ON c.id = m.category_id"
            " WHERE m.video_id = v.id AND c.slug = '{}')")


@pytest.mark.parametrize('query, condition', [
    ({'age': 12}, '12 BETWEEN target_age_min AND target_age_max'),
    ({'age': 66}, '66 BETWEEN target_age_min AND target_age_max'),
    ({'age': 240}, 'false'),
    ({'area': 'language'}, AREA.format('language')),
    ({'difficulty': 'hard'}, "difficulty = 'hard'"),
    ({'category': 'music-play'}, CATEGORY.format('music-play')),
    ({'category': 'no-such-play'}, 'false'),
    ({'age': 24, 'area': 'fine_motor', 'difficulty': 'easy'},
     "24 BETWEEN target_age_min AND target_age_max AND difficulty = 'easy' AND " + AREA.format('fine_motor')),
    ({'category': 'art-play', 'area': 'emotional', 'sort': 'newest'}, CATEGORY.format('art-play') + ' AND ' + AREA.format('emotional')),
])
def test_filters(anyone, database, query, condition):
    answer = anyone.get(VIDEOS, query={'limit': 100, **query}).expect(200)
    wanted = expected(database, condition, query.get('sort', 'priority'))
    assert ids(answer) == wanted[:100] and answer.meta['total'] == len(wanted)
    assert wanted or condition == 'false'


@pytest.mark.parametrize('query, field', [
    ({'age': -1}, 'age'), ({'age': 'two'}, 'age'), ({'area': 'knees'}, 'area'), ({'difficulty': '쉬움'}, 'difficulty'),
    ({'sort': 'price'}, 'sort'), ({'category': 'Ab'}, 'category'), ({'limit': 101}, 'limit'), ({'page': 0}, 'page'),
    ({'cursor': 'xyz'}, 'cursor'), ({'cursor': 'A' * 43}, 'cursor'), ({'q': '가' * 101}, 'q'), ({'colour': 'red'}, 'colour')])
def test_wrong_queries(anyone, query, field):
    if query == {'cursor': 'A' * 43}:
        assert anyone.get(VIDEOS, query=query).expect(200).data == []  # behind rank 0 at the beginning of time
    else:
        assert anyone.get(VIDEOS, query=query).expect(400, 'VALIDATION_ERROR').fields == [field]


def test_cursor_of_no_row(anyone):
    """Ranks and times that no row can have are refused before PostgreSQL meets them."""
    for wrong in ('_' * 43, '____' * 10 + '_w8', 'AAAA'):
        anyone.get(VIDEOS, query={'cursor': wrong}).expect(400)


def test_categories(anyone, database):
    rows = anyone.get(f'{VIDEOS}/categories').expect(200).data
    assert [row['slug'] for row in rows][:8] == [
        'physical-play', 'language-play', 'sensory-play', 'art-play', 'music-play', 'role-play', 'discovery-play', 'outdoor-play']
    for row in rows[:2]:
        answer = anyone.get(f'{VIDEOS}/categories/{row["slug"]}', query={'limit': 5, 'sort': 'newest'}).expect(200)
        assert ids(answer) == expected(database, CATEGORY.format(row['slug']), 'newest')[:5]
        assert all(row in video['categories'] for video in answer.data)
    anyone.get(f'{VIDEOS}/categories/no-such-play').expect(404, 'NOT_FOUND')
    anyone.get(f'{VIDEOS}/categories/Wrong').expect(400)


def test_detail(anyone, database):
    first = anyone.get(VIDEOS, query={'limit': 1}).data[0]
    detail = anyone.get(path_of(first)).expect(200).data
    assert {name: detail[name] for name in first if name not in COUNTERS} == {
        name: first[name] for name in first if name not in COUNTERS}
    assert detail['embed_code'].startswith('<iframe ') and detail['play_method'] and detail['expected_effects']
    hidden = database.value('SELECT id FROM videos.videos WHERE NOT is_published LIMIT 1')
    for video in (hidden, UNKNOWN):
        anyone.get(path_of(video)).expect(404, 'NOT_FOUND')
    anyone.get(path_of('bookmark')).expect(400)  # no static path, so an id


def test_lists_show_what_the_tables_say(database):
    """Those columns stand twice: as tables and, for lists, in the video's row."""
    assert not database.rows(f"""
        SELECT v.id FROM videos.videos v
        WHERE deleted_at IS NULL AND (
           v.areas::jsonb IS DISTINCT FROM coalesce(
                  (SELECT jsonb_agg(a.area ORDER BY a.id) FROM videos.video_development_areas a WHERE a.video_id = v.id), '[]')
           OR v.tags::jsonb IS DISTINCT FROM coalesce(
                  (SELECT jsonb_agg(t.tag_name ORDER BY t.id) FROM videos.video_tags t WHERE t.video_id = v.id), '[]')
           OR v.categories::jsonb IS DISTINCT FROM coalesce(
                  (SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'slug', c.slug) ORDER BY c.created_at, c.id)
                   FROM videos.video_category_mapping m JOIN videos.video_categories c ON c.id = m.category_id
                   WHERE m.video_id = v.id), '[]')
           OR v.searched <> v.title || coalesce(
                  (SELECT ' ' || string_agg(t.tag_name, ' ' ORDER BY t.id) FROM videos.video_tags t WHERE t.video_id = v.id), ''))""")


# --- what words find -------------------------------------------------------------------------------------------------------

TITLE, TAGS = '쫑긋 토끼풀 머리띠 엮기 DIY', ['봄나들이', '손끝힘']


@pytest.fixture(scope='module')
def searched(shared_system):
    admin = people.demo(shared_system, 'admin')
    made = [admin.client.post(ADMIN_VIDEOS, description(title=title, tags=tags)).expect(201).data
            for title, tags in ((TITLE, TAGS), ('풀밭에서 토닥토닥 띠 두르기', ['머리카락']))]
    yield made
    for video in made:
        admin.client.delete(f'{ADMIN_VIDEOS}/{video["id"]}')


WORDS = [
    ('쫑', True), ('쫑긋', True), ('토끼풀', True), ('풀', True), ('끼풀머', True), ('풀 머리띠', True), ('엮기 토끼', True),
    ('ㅌㄲㅍ', True), ('ㅉㄱㅌㄲㅍ', True), ('ㅁㄹㄸ ㅇㄱ', True), ('ㅉ', True), ('토ㄲㅍ', True), ('ㅌ끼풀', True), ('머리ㄸ엮', True),
    ('diy', True), ('DiY', True), ('엮기diy', True), ('봄나들이', True), ('ㅅㄲㅎ', True), ('손끝 토끼', True),
    ('쫒', False), ('토끼띠', False), ('토끼불', False), ('ㅌㄱㅍ', False), ('ㅌㄲㄹ', False), ('머ㄹ띠ㅇㄴ', False), ('쫑긋 하마', False),
    ('끼토', False), ("토끼' OR true --", False), ('%', False), ('토_풀', False), ('{토끼}', False), ('\\', False),
    # All its pairs are there, but not one after the other: 머리, 리띠, 띠두 of two videos.
    ('머리띠두', False)]


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_words(anyone, searched, form):
    for q, found in WORDS:
        answer = anyone.get(VIDEOS, query={'q': unicodedata.normalize(form, q), 'limit': 100, 'sort': 'newest'}).expect(200)
        assert (searched[0]['id'] in ids(answer)) == found, q
        assert answer.meta['total'] >= len(answer.data)


def test_consonants_of_another_keyboard(anyone, searched):
    assert searched[0]['id'] in ids(anyone.get(VIDEOS, query={'q': 'ᄐᄁᄑ'}))  # U+1110 …, conjoining


def test_words_with_filters_and_orders(anyone, database, searched):
    assert ids(anyone.get(VIDEOS, query={'q': ' 토끼풀 ', 'age': 24, 'area': 'language'})) == [searched[0]['id']]
    assert ids(anyone.get(VIDEOS, query={'q': '토끼풀', 'age': 60})) == []
    for sort in SORTS:
        wanted = expected(database, "strpos(searched, '쌓기') > 0", sort)
        assert wanted and ids(anyone.get(VIDEOS, query={'q': '쌓기', 'limit': 100, 'sort': sort})) == wanted
        found, query = [], {'q': 'ㅆㄱ', 'limit': 3, 'sort': sort}
        while True:
            answer = anyone.get(VIDEOS, query=query).expect(200)
            found += ids(answer)
            if not answer.meta.get('next_cursor'):
                break
            query['cursor'] = answer.meta['next_cursor']
        assert [row for row in found if row in wanted] == wanted and len(set(found)) == len(found)


def test_blank_words_are_none(anyone):
    assert anyone.get(VIDEOS, query={'q': '  '}).expect(200).meta['total'] == anyone.get(VIDEOS).meta['total']


def test_search_uses_its_index(database):
    database.rows('SET enable_seqscan = off')
    for q in ('쌓', '쌓기', 'ㅆㄱ', '블ㄹ 쌓'):
        plan = '\n'.join(row['QUERY PLAN'] for row in database.rows(
            f"EXPLAIN SELECT FROM videos.videos v WHERE {LIVE} AND aipoten.search_keys(v.searched) @> (SELECT aipoten.search_terms(%s))", q))
        assert 'idx_videos_searched' in plan, plan


def test_initials(database):
    assert database.value("SELECT aipoten.initials('블록 Aㄱ힣가')") == 'ㅂㄹ Aㄱㅎㄱ'
    assert database.value("SELECT aipoten.search_form(%s)", unicodedata.normalize('NFD', ' 블록\tABC ')) == '블록abc'
    assert set(database.value("SELECT aipoten.search_keys('블록')")) == {'블', 'ㅂ', '록', 'ㄹ', '블록', '블ㄹ', 'ㅂ록', 'ㅂㄹ'}
    assert database.value("SELECT aipoten.search_terms('블록쌓 ㄱ')") == ['블록', '록쌓', 'ㄱ']
    assert database.value("SELECT aipoten.search_keys('')") == database.value("SELECT aipoten.search_terms(' ')") == []


# --- views -----------------------------------------------------------------------------------------------------------------

def test_view_counts_once_in_half_an_hour(newcomer, video, database, anyone):
    viewer = newcomer()
    assert viewer.client.post(path_of(video, '/view'), {}).expect(200).data == {'video_id': video['id'], 'counted': True, 'view_count': 1}
    assert viewer.client.post(path_of(video, '/view'), {}).expect(200).data['counted'] is False
    assert anyone.get(path_of(video)).data['view_count'] == 1
    for passed, counted in (('29 minutes', False), ('1 minute', True), ('29 minutes', False)):
        database.rows(f"UPDATE videos.video_views SET counted_at = counted_at - interval '{passed}' WHERE video_id = %s", video['id'])
        assert viewer.client.post(path_of(video, '/view'), {}).data['counted'] is counted, passed
    assert anyone.get(path_of(video)).data['view_count'] == counter(database, video, 'view_count') == 2
    assert [row['user_id'] for row in interactions(database, video)] == [viewer.id]


def test_views_of_nobody_count_by_address(system, video, database):
    def look(address):
        client = Client(system)
        client.connection = http.client.HTTPConnection('127.0.0.1', system.http_port, timeout=30, source_address=(address, 0))
        counted = client.post(path_of(video, '/view'), {}).expect(200).data['counted']
        client.close()
        return counted
    assert [look('127.0.0.7'), look('127.0.0.7'), look('127.0.0.8')] == [True, False, True]
    assert counter(database, video, 'view_count') == 2 and interactions(database, video) == []


def test_devices_at_once_count_once(newcomer, video, database):
    viewer = newcomer()
    answers = at_once(viewer, 8, lambda client, _: client.post(path_of(video, '/view'), {}).expect(200).data['counted'])
    assert sorted(answers) == [False] * 7 + [True] and counter(database, video, 'view_count') == 1


def test_view_again_with_its_key_is_the_same_view(newcomer, video, database):
    viewer, key = newcomer(), {'idempotency-key': uuid.uuid4().hex}
    first = viewer.client.post(path_of(video, '/view'), {}, headers=key).expect(200).data
    assert viewer.client.post(path_of(video, '/view'), {}, headers=key).expect(200).data == first
    assert first['counted'] and counter(database, video, 'view_count') == 1


# --- bookmarks -------------------------------------------------------------------------------------------------------------

def test_bookmarks(newcomer, new_video, admin, database, anyone):
    reader = newcomer()
    first, second = new_video(), new_video()
    for video in (first, second):
        assert reader.client.post(path_of(video, '/bookmark')).expect(200).data == {
            'video_id': video['id'], 'is_bookmarked': True, 'bookmark_count': 1}
    assert reader.client.post(path_of(first, '/bookmark')).expect(200).data['bookmark_count'] == 1
    assert anyone.get(path_of(first)).data['bookmark_count'] == 1
    listed = reader.client.get(f'{VIDEOS}/bookmarks').expect(200)
    assert ids(listed) == [second['id'], first['id']] and listed.meta == {'page': 1, 'limit': 20, 'total': 2}
    page = reader.client.get(f'{VIDEOS}/bookmarks', query={'limit': 1}).expect(200)
    assert ids(page) == [second['id']] and page.meta['total'] == 2
    assert ids(reader.client.get(f'{VIDEOS}/bookmarks', query={'limit': 1, 'cursor': page.meta['next_cursor']})) == [first['id']]
    admin.client.patch(f'{ADMIN_VIDEOS}/{second["id"]}', {'is_published': False}).expect(200)
    assert ids(reader.client.get(f'{VIDEOS}/bookmarks')) == [first['id']]
    reader.client.post(path_of(second, '/bookmark')).expect(404)
    assert reader.client.delete(path_of(second, '/bookmark')).expect(200).data == {
        'video_id': second['id'], 'is_bookmarked': False, 'bookmark_count': 0}
    reader.client.delete(path_of(second, '/bookmark')).expect(404)
    assert reader.client.delete(path_of(first, '/bookmark')).expect(200).data['bookmark_count'] == 0
    assert reader.client.delete(path_of(first, '/bookmark')).expect(200).data['is_bookmarked'] is False
    assert reader.client.get(f'{VIDEOS}/bookmarks').data == [] and counter(database, first, 'bookmark_count') == 0


def test_bookmarks_at_once(newcomer, video, database):
    """Set and removed by many devices: the counter is what the row says."""
    reader = newcomer()
    at_once(reader, 8, lambda client, number: (client.post if number % 2 else client.delete)(path_of(video, '/bookmark')).expect(200))
    row, = interactions(database, video)
    assert counter(database, video, 'bookmark_count') == int(row['is_bookmarked'])


# --- completions and progress ------------------------------------------------------------------------------------------------

def test_completions(newcomer, video, database, anyone):
    parent, stranger = newcomer(), newcomer()
    child, other = parent.child()['id'], stranger.child()['id']
    complete = path_of(video, '/complete')
    assert parent.client.post(complete, {}).expect(200).data == {'video_id': video['id'], 'first': True, 'completion_count': 1}
    assert parent.client.post(complete, {}).expect(200).data == {'video_id': video['id'], 'first': False, 'completion_count': 1}
    assert parent.client.post(complete, {'child_id': child}).expect(200).data['first'] is True
    assert parent.client.post(complete, {'child_id': None}).expect(200).data['first'] is False
    for action in ('/complete', '/view'):
        parent.client.post(path_of(video, action), {'child_id': other}).expect(404, 'NOT_FOUND')
        parent.client.post(path_of(video, action), {'child_id': 'x'}).expect(400)
    parent.client.request('PUT', path_of(video, '/progress'), {'intervals': [], 'child_id': other}).expect(404, 'NOT_FOUND')
    anyone.post(path_of(video, '/view'), {'child_id': child}).expect(401)
    assert anyone.get(path_of(video)).data['completion_count'] == counter(database, video, 'completion_count') == 2
    assert [(row['child_id'], row['is_completed']) for row in interactions(database, video)] == [(None, True), (child, True)]


def test_completions_at_once(newcomer, video, database):
    answers = at_once(newcomer(), 8, lambda client, _: client.post(path_of(video, '/complete'), {}).expect(200).data['first'])
    assert sorted(answers) == [False] * 7 + [True] and counter(database, video, 'completion_count') == 1


def put(client, video, *intervals, **more):
    body = {'intervals': [{'start': start, 'end': end} for start, end in intervals], **more}
    return client.request('PUT', path_of(video, '/progress'), body)


def test_progress(newcomer, video, database):
    parent = newcomer()
    first = put(parent.client, video, (0, 30), (20, 40), (60, 70)).expect(200).data
    assert first == {'video_id': video['id'], 'child_id': None, 'duration': 100, 'watch_time': 50, 'is_completed': False,
                     'intervals': [{'start': 0, 'end': 40}, {'start': 60, 'end': 70}]}
    assert put(parent.client, video).expect(200).data == first
    assert put(parent.client, video, (40, 60)).data['watch_time'] == 70
    assert put(parent.client, video, (70, 89)).data['is_completed'] is False
    assert counter(database, video, 'completion_count') == 0
    done = put(parent.client, video, (89, 500)).expect(200).data
    assert done['watch_time'] == 100 and done['is_completed'] and done['intervals'] == [{'start': 0, 'end': 100}]
    assert put(parent.client, video, (0, 5)).data['is_completed'] and counter(database, video, 'completion_count') == 1
    assert parent.client.post(path_of(video, '/complete'), {}).data['first'] is False
    child = parent.child()['id']
    assert put(parent.client, video, (0, 10), child_id=child).expect(200).data['watch_time'] == 10
    assert [(row['child_id'], row['watched']) for row in interactions(database, video)] == [(None, '{[0,100)}'), (child, '{[0,10)}')]


def test_progress_of_devices_at_once(newcomer, video, database):
    parent = newcomer()
    at_once(parent, 9, lambda client, number: put(client, video, (number * 10, number * 10 + 10)).expect(200))
    row, = interactions(database, video)
    assert row['watched'] == '{[0,90)}' and row['watch_time'] == 90 and row['is_completed']
    assert counter(database, video, 'completion_count') == 1


@pytest.mark.parametrize('body, fields', [
    ({}, ['intervals']), ({'intervals': [{'start': 5, 'end': 5}]}, ['intervals.0.end']),
    ({'intervals': [{'start': 0, 'end': 1}, {'start': 9, 'end': 3}]}, ['intervals.1.end']),
    ({'intervals': [{'start': -1, 'end': 3}]}, ['intervals.0.start']), ({'intervals': [{'start': 1.5, 'end': 3}]}, ['intervals.0.start']),
    ({'intervals': [{'start': 0, 'end': 1}] * 101}, ['intervals']), ({'intervals': [[0, 1]]}, ['intervals.0'])])
def test_wrong_progress(parent, video, body, fields):
    assert parent.client.request('PUT', path_of(video, '/progress'), body).expect(400).fields == fields


def test_history(newcomer, new_video):
    parent = newcomer()
    child = parent.child()['id']
    first, second = new_video(), new_video()
    parent.client.post(path_of(first, '/view'), {}).expect(200)
    put(parent.client, second, (0, 50), child_id=child).expect(200)
    parent.client.post(path_of(first, '/complete'), {}).expect(200)
    parent.client.post(path_of(second, '/bookmark')).expect(200)  # no watching
    listed = parent.client.get(f'{VIDEOS}/me').expect(200)
    assert [(row['video_id'], row['child_id'], row['watch_time'], row['is_completed']) for row in listed.data] == [
        (first['id'], None, 0, True), (second['id'], child, 50, False)]
    assert listed.data[0]['title'] == first['title'] and listed.meta['total'] == 2
    for query, wanted in (({'child_id': child}, [second]), ({'is_completed': 'true'}, [first]), ({'is_completed': 'false'}, [second])):
        assert [row['video_id'] for row in parent.client.get(f'{VIDEOS}/me', query=query).data] == [row['id'] for row in wanted]
    page = parent.client.get(f'{VIDEOS}/me', query={'limit': 1})
    assert [row['video_id'] for row in parent.client.get(
        f'{VIDEOS}/me', query={'limit': 1, 'cursor': page.meta['next_cursor']}).data] == [second['id']]


def test_a_deleted_child_watched_nothing(newcomer, video, database):
    """Nor with its other guardian; what they watched without it stays."""
    owner, guardian = newcomer(), newcomer()
    child, other = owner.child()['id'], owner.child()['id']
    database.rows("INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, 'guardian')", child, guardian.id)
    for person, watchers in ((owner, ({'child_id': child}, {'child_id': other}, {})), (guardian, ({'child_id': child}, {}))):
        for watcher in watchers:
            put(person.client, video, (0, 10), **watcher).expect(200)
    owner.client.delete(f'/api/v1/children/{child}').expect(200)
    wait_until(lambda: len(interactions(database, video)) == 3, 20, 'that it is forgotten')
    assert {(row['user_id'], row['child_id']) for row in interactions(database, video)} == {
        (owner.id, other), (owner.id, None), (guardian.id, None)}


@pytest.mark.parametrize('method, what, body', [
    ('POST', '/view', {}), ('POST', '/complete', {}), ('PUT', '/progress', {'intervals': [{'start': 0, 'end': 10}]})])
def test_watched_while_the_child_is_deleted(system, newcomer, video, database, method, what, body):
    """The call knew the child; when it is written, nobody would remove it any more."""
    parent = newcomer()
    child = parent.child()['id']
    with system.database() as other, concurrent.futures.ThreadPoolExecutor(1) as pool:
        other.connection.autocommit = False
        other.rows('LOCK TABLE videos.user_video_interactions')
        watched = pool.submit(parent.client.request, method, path_of(video, what), {**body, 'child_id': child})
        wait_until(lambda: database.value('SELECT count(*) FROM pg_locks WHERE NOT granted'), 30, 'that it is being written')
        parent.client.with_token(parent.token).delete(f'/api/v1/children/{child}').expect(200)
        other.connection.commit()
        watched.result().expect(404)
    wait_until(lambda: not database.value('SELECT count(*) FROM children.deliveries WHERE aggregate = %s', child), 30, 'the event')
    assert interactions(database, video) == [] and counter(database, video, 'completion_count') == 0


def test_published_while_it_is_looked_at(system, newcomer, new_video, database):
    """For the first of the call's statements it was not there, and for the second it is."""
    parent, video = newcomer(), new_video(is_published=False)
    child = parent.child()['id']
    with system.database() as other, concurrent.futures.ThreadPoolExecutor(1) as pool:
        other.connection.autocommit = False
        other.rows('LOCK TABLE videos.video_views')
        view = pool.submit(parent.client.post, path_of(video, '/view'), {'child_id': child})
        wait_until(lambda: view.done() or database.value('SELECT count(*) FROM pg_locks WHERE NOT granted'), 30, 'the second statement')
        other.rows('UPDATE videos.videos SET is_published = true, published_at = now() WHERE id = %s', video['id'])
        other.connection.commit()
        view.result().expect(404)
    parent.client.post(path_of(video, '/view'), {'child_id': child}).expect(200)


# --- administration: videos ----------------------------------------------------------------------------------------------------

def seen_everywhere(system, video, wanted):
    """By each frontend, again and again: a kept connection stays with one of them."""
    for _ in range(6):
        client = Client(system)
        answer = client.get(path_of(video))
        assert answer.status == (200 if wanted else 404)
        for name, value in (wanted or {}).items():
            assert answer.data[name] == value
        client.close()


def test_life_of_a_video(system, admin, anyone, newcomer, database):
    category = admin.client.post(CATEGORIES, {'name': '시험 놀이', 'slug': f'trial-{uuid.uuid4().hex[:8]}'}).expect(201).data
    body = description(is_published=False, priority=10, tags=['비밀', '새로움', '비밀'], areas=['social', 'language'],
                       category_ids=[category['id'], category['id']], play_method='마주 앉습니다.',
                       embed_code='<iframe src="https://videos.example.com/embed/x"></iframe>')
    made = admin.client.post(ADMIN_VIDEOS, body).expect(201).data
    assert {name: made[name] for name in body if name not in ('tags', 'category_ids')} == {
        name: body[name] for name in body if name not in ('tags', 'category_ids')}
    assert made['tags'] == ['비밀', '새로움'] and made['published_at'] is None
    assert made['categories'] == [{'id': category['id'], 'name': '시험 놀이', 'slug': category['slug']}]
    assert admin.client.get(f'{ADMIN_VIDEOS}/{made["id"]}').expect(200).data == made
    assert made['id'] in ids(admin.client.get(ADMIN_VIDEOS, query={'is_published': 'false', 'limit': 1}))
    seen_everywhere(system, made, None)
    assert made['id'] not in ids(anyone.get(VIDEOS))

    shown = admin.client.patch(f'{ADMIN_VIDEOS}/{made["id"]}', {'is_published': True}).expect(200).data
    assert shown == {**made, 'is_published': True, 'published_at': shown['published_at'], 'updated_at': shown['updated_at']}
    seen_everywhere(system, made, {'title': made['title']})
    assert ids(anyone.get(VIDEOS))[0] == made['id']
    parent = newcomer()
    parent.client.post(path_of(made, '/bookmark')).expect(200)

    changes = {'title': f'바꾼 제목 {uuid.uuid4().hex}', 'play_method': None, 'tags': [], 'areas': ['cognitive']}
    changed = admin.client.patch(f'{ADMIN_VIDEOS}/{made["id"]}', changes).expect(200).data
    assert changed == {**shown, **changes, 'updated_at': changed['updated_at'], 'bookmark_count': 1}
    seen_everywhere(system, made, changes)
    assert anyone.get(VIDEOS).data[0]['title'] == changes['title']
    assert ids(anyone.get(VIDEOS, query={'q': changes['title']})) == [made['id']]
    assert ids(anyone.get(VIDEOS, query={'q': made['title']})) == []

    admin.client.delete(f'{CATEGORIES}/{category["id"]}').expect(409, 'IN_USE')
    assert admin.client.delete(f'{ADMIN_VIDEOS}/{made["id"]}').expect(200).data is None
    seen_everywhere(system, made, None)
    assert made['id'] not in ids(anyone.get(VIDEOS))
    for method in ('GET', 'DELETE'):
        admin.client.request(method, f'{ADMIN_VIDEOS}/{made["id"]}').expect(404)
    admin.client.patch(f'{ADMIN_VIDEOS}/{made["id"]}', {'title': '없음'}).expect(404)
    parent.client.post(path_of(made, '/view'), {}).expect(404)
    assert parent.client.get(f'{VIDEOS}/bookmarks').data == []
    assert len(interactions(database, made)) == 1 and database.value('SELECT deleted_at IS NOT NULL FROM videos.videos WHERE id = %s',
                                                                     made['id'])
    admin.client.delete(f'{CATEGORIES}/{category["id"]}').expect(200)


@pytest.mark.parametrize('changes, fields', [
    ({'title': ''}, ['title']), ({'title': None}, ['title']), ({'video_url': 'http://videos.example.com/x'}, ['video_url']),
    ({'video_url': 'javascript:alert(1)'}, ['video_url']), ({'thumbnail_url': 'https://'}, ['thumbnail_url']),
    ({'embed_code': '<script src="https://x.example.com"></script>'}, ['embed_code']),
    ({'embed_code': '<iframe src="https://a.example.com" onload="x()"></iframe>'}, ['embed_code']),
    ({'target_age_min': 40}, ['target_age_max']), ({'target_age_max': 300}, ['target_age_max']), ({'duration': 0}, ['duration']),
    ({'priority': 11}, ['priority']), ({'areas': []}, ['areas']), ({'areas': ['knees']}, ['areas.0']), ({'areas': [7]}, ['areas.0']),
    ({'tags': ['', 'a']}, ['tags.0']), ({'tags': [{'tag': 'a'}]}, ['tags.0']), ({'category_ids': ['x']}, ['category_ids.0']),
    ({'category_ids': [UNKNOWN]}, ['category_ids']), ({'view_count': 5}, ['view_count']),
    ({'video_url': 'ftp://x', 'embed_code': 'x', 'target_age_min': 40}, ['embed_code', 'target_age_max', 'video_url'])])
def test_wrong_video(admin, database, changes, fields):
    before = database.value('SELECT count(*) FROM videos.videos')
    assert admin.client.post(ADMIN_VIDEOS, description(**changes)).expect(400, 'VALIDATION_ERROR').fields == fields
    assert database.value('SELECT count(*) FROM videos.videos') == before


def test_patches_at_once(new_video, admin):
    """Each changes another field or list; none is lost, and lists show the last of each."""
    video = new_video(tags=['하나'])
    changes = [{'title': f'함께 {uuid.uuid4().hex}'}, {'tags': ['둘', '셋']}, {'areas': ['emotional', 'social']}, {'duration': 77},
               {'precautions': '조심하세요.'}, {'difficulty': 'hard'}]
    at_once(admin, len(changes), lambda client, number: client.patch(f'{ADMIN_VIDEOS}/{video["id"]}', changes[number]).expect(200))
    after = admin.client.get(f'{ADMIN_VIDEOS}/{video["id"]}').data
    for fields in changes:
        assert {name: after[name] for name in fields} == fields


def test_patch_refused(new_video, admin):
    video = new_video()
    for changes, fields in (({}, ['body']), ({'title': None}, ['title']), ({'target_age_max': 3}, ['target_age_max']),
                            ({'areas': None}, ['areas']), ({'category_ids': [UNKNOWN]}, ['category_ids'])):
        assert admin.client.patch(f'{ADMIN_VIDEOS}/{video["id"]}', changes).expect(400).fields == fields
    assert admin.client.get(f'{ADMIN_VIDEOS}/{video["id"]}').data == video


def test_admins_list(admin, new_video, database):
    video = new_video(title=f'관리 목록 {uuid.uuid4().hex}', is_published=False)
    listed = admin.client.get(ADMIN_VIDEOS, query={'limit': 3}).expect(200)
    assert ids(listed)[0] == video['id']
    assert listed.meta['total'] == database.value('SELECT count(*) FROM videos.videos WHERE deleted_at IS NULL')
    following = admin.client.get(ADMIN_VIDEOS, query={'limit': 3, 'cursor': listed.meta['next_cursor']}).expect(200)
    assert ids(following) == [row['id'] for row in database.rows(
        'SELECT id FROM videos.videos WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 3 OFFSET 3')]
    assert ids(admin.client.get(ADMIN_VIDEOS, query={'q': video['title']})) == [video['id']]
    assert video['id'] not in ids(admin.client.get(ADMIN_VIDEOS, query={'is_published': 'true'}))


# --- administration: categories --------------------------------------------------------------------------------------------------

def test_life_of_a_category(admin, anyone, new_video):
    slug = f'kind-{uuid.uuid4().hex[:8]}'
    category = admin.client.post(CATEGORIES, {'name': '나들이', 'slug': slug}).expect(201).data
    assert category == {'id': category['id'], 'name': '나들이', 'slug': slug, 'videos': 0, 'created_at': category['created_at']}
    admin.client.post(CATEGORIES, {'name': '다른 나들이', 'slug': slug}).expect(409, 'CONFLICT')
    assert admin.client.post(CATEGORIES, {'name': '', 'slug': 'A b'}).expect(400).fields == ['name', 'slug']
    assert category['id'] in ids(anyone.get(f'{VIDEOS}/categories'))
    video = new_video(category_ids=[category['id']])
    assert ids(anyone.get(f'{VIDEOS}/categories/{slug}')) == [video['id']]
    renamed = admin.client.patch(f'{CATEGORIES}/{category["id"]}', {'name': '소풍'}).expect(200).data
    assert renamed == {**category, 'name': '소풍', 'videos': 1}
    assert anyone.get(f'{VIDEOS}/categories/{slug}').data[0]['categories'][0]['name'] == '소풍'
    assert anyone.get(path_of(video)).data['categories'][0]['name'] == '소풍'
    admin.client.patch(f'{CATEGORIES}/{category["id"]}', {'slug': 'art-play'}).expect(409, 'CONFLICT')
    admin.client.patch(f'{CATEGORIES}/{UNKNOWN}', {'name': '없음'}).expect(404)
    assert admin.client.patch(f'{CATEGORIES}/{category["id"]}', {}).expect(400).fields == ['body']
    admin.client.delete(f'{CATEGORIES}/{category["id"]}').expect(409, 'IN_USE')
    admin.client.patch(f'{ADMIN_VIDEOS}/{video["id"]}', {'category_ids': []}).expect(200)
    assert admin.client.delete(f'{CATEGORIES}/{category["id"]}').expect(200).data is None
    admin.client.delete(f'{CATEGORIES}/{category["id"]}').expect(404)
    anyone.get(f'{VIDEOS}/categories/{slug}').expect(404)
    assert category['id'] not in ids(anyone.get(f'{VIDEOS}/categories'))


def test_a_category_and_its_video_are_changed_at_once(system, admin, new_video):
    """A transaction of ours holds the video until both changes wait: neither then waits for the other in a circle."""
    category = admin.client.post(CATEGORIES, {'name': '나들이', 'slug': f'kind-{uuid.uuid4().hex[:8]}'}).expect(201).data
    video = new_video(category_ids=[category['id']])

    def retries():
        return sum(row['value'] for number, _ in enumerate(system.pids('videos'), 1)
                   for row in system.ctl('counters', '-j', f'videos.{number}')['counters'] if row['name'] == 'calls_retried')

    def waiting():
        return watching.value('SELECT count(*) FROM pg_locks WHERE NOT granted')

    before, other_admin = retries(), admin.client.with_token(admin.token)
    with system.database() as held, system.database() as watching, concurrent.futures.ThreadPoolExecutor(2) as pool:
        held.connection.autocommit = False
        held.rows('SELECT FROM videos.videos WHERE id = %s FOR UPDATE', video['id'])
        one = pool.submit(admin.client.patch, f'{ADMIN_VIDEOS}/{video["id"]}', {'title': '나란히'})
        wait_until(lambda: waiting() == 1, 20, 'the video to wait', every=0.02)
        other = pool.submit(other_admin.patch, f'{CATEGORIES}/{category["id"]}', {'name': '소풍'})
        wait_until(lambda: waiting() == 2, 20, 'the category to wait', every=0.02)
        held.connection.rollback()
        assert one.result(30).expect(200).data['title'] == '나란히' and other.result(30).expect(200).data['name'] == '소풍'
    seen = admin.client.get(f'{ADMIN_VIDEOS}/{video["id"]}').expect(200).data
    assert (seen['title'], seen['categories'][0]['name']) == ('나란히', '소풍')
    assert retries() == before, 'one of them was a deadlock\'s victim'


def locked_in_order(system, videos, work):
    """`work` has written the first of two videos, which a transaction of ours holds, when it waits for it: and not the second one, which
    PostgreSQL comes upon before. Who goes by their ids meets nobody half-way."""
    first, second = sorted(videos)
    with system.database() as held, system.database() as watching, concurrent.futures.ThreadPoolExecutor(1) as pool:
        held.connection.autocommit = False
        held.rows('UPDATE videos.videos SET updated_at = updated_at WHERE id = %s', first)
        done = pool.submit(work)
        wait_until(lambda: watching.value('SELECT count(*) FROM pg_locks WHERE NOT granted') == 1, 20, 'that it waits', every=0.02)
        free = watching.rows('SELECT id FROM videos.videos WHERE id = %s FOR UPDATE SKIP LOCKED', second)
        held.connection.commit()
        done.result(30)
    assert free, 'the second one was locked before the first'


def stand_behind(database, video):
    """Its row comes after the others in the table."""
    database.rows('UPDATE videos.videos SET updated_at = updated_at WHERE id = %s', video)


def test_a_category_locks_its_videos_in_order(system, database, admin, new_video):
    category = admin.client.post(CATEGORIES, {'name': '차례', 'slug': f'kind-{uuid.uuid4().hex[:8]}'}).expect(201).data['id']
    videos = sorted(new_video(category_ids=[category])['id'] for _ in range(2))
    stand_behind(database, videos[0])
    database.rows('DELETE FROM videos.video_category_mapping WHERE video_id = %s', videos[0])
    database.rows('INSERT INTO videos.video_category_mapping (video_id, category_id) VALUES (%s, %s)', videos[0], category)
    client = admin.client.with_token(admin.token)
    locked_in_order(system, videos, lambda: client.patch(f'{CATEGORIES}/{category}', {'name': '순서'}).expect(200))


def test_an_erasure_locks_videos_in_order(system, database, new_video, newcomer):
    person = newcomer()
    videos = sorted(new_video()['id'] for _ in range(2))
    for video in reversed(videos):
        person.client.post(f'{VIDEOS}/{video}/bookmark').expect(200)
    stand_behind(database, videos[0])

    def erase():
        events.emit(system, database, 'accounts', 'videos', 'user.erased', person.id, {'user': uuid.UUID(person.id)})
        wait_until(lambda: not database.value('SELECT count(*) FROM videos.user_video_interactions WHERE user_id = %s', person.id), 30,
                   'that nothing is left')
    locked_in_order(system, videos, erase)
    assert [row['bookmark_count'] for row in
            database.rows('SELECT bookmark_count FROM videos.videos WHERE id = ANY (%s::uuid[])', videos)] == [0, 0]


# --- demo data -------------------------------------------------------------------------------------------------------------------

def test_demo_videos(database):
    rows = database.rows("SELECT * FROM videos.videos WHERE created_at < '2026-01-02'")
    assert len(rows) == 200 and sum(not row['is_published'] for row in rows) == 20
    assert len({row['title'] for row in rows}) == 200
    assert min(row['target_age_min'] for row in rows) >= 4 and max(row['target_age_max'] for row in rows) <= 71
    assert {row['difficulty'] for row in rows} == {'easy', 'medium', 'hard'}
    for row in rows:
        texts = [row[name] for name in ('title', 'description', 'play_method', 'materials_needed', 'expected_effects', 'precautions')]
        assert all(re.fullmatch("[가-힣0-9 .,'?]+", text) for text in texts), texts
        assert row['areas'] and len(row['tags']) >= 2
