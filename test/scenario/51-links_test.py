"""The link checker: a video whose link fails on three days leaves recommendations, and admins are told, once; it is back when the link
answers again, or is another one. A server of our own is asked, and the days are made to pass."""
import json
import uuid

import pytest

from harness import faults, people
from harness.localserver import Handler, LocalServer
from harness.wait import wait_until

ADMIN_VIDEOS = '/api/v1/admin/videos'


class Links(LocalServer):
    """`statuses`: of each path, else 200; a status of 0 is no answer. `asked`: the paths, in their order."""

    def __init__(self):
        self.statuses, self.asked = {}, []
        outer = self

        class Linked(Handler):
            def do_GET(self):
                outer.asked.append(self.path)
                status = outer.statuses.get(self.path, 200)
                if status:
                    self.answer(status)

        super().__init__(Linked)


@pytest.fixture(scope='module')
def links():
    links = Links()
    yield links
    links.stop()


@pytest.fixture(scope='module')
def own(start_system, links):
    """It begins to look when none of the demo's links is due."""
    settings = {'links': {'check': False, 'look': '50ms', 'pause': '10ms', 'timeout': '2s', 'plain_loopback': True,
                          'youtube': f'{links.url}/oembed?', 'vimeo': f'{links.url}/vimeo?a=b'},
                'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'}}
    system = start_system(settings=settings)
    with system.database() as database:
        database.rows("UPDATE videos.videos SET url_last_checked_at = now() + interval '1 day'")
    settings['links']['check'] = True
    system.write_config(settings)
    system.ctl('reload')
    return system


@pytest.fixture
def database(own):
    with own.database() as connection:
        yield connection


@pytest.fixture
def video(own, links, database):
    """Recommended for a child of its own; its link is path `video.path` of the server."""
    return Video(own, links, database)


class Video:
    def __init__(self, own, links, database, platform='other'):
        mark = uuid.uuid4().hex
        self.own, self.database, self.path = own, database, f'/{mark}'
        self.admin, self.mother = people.demo(own, 'admin').client, people.newcomer(own)
        made = self.admin.post(ADMIN_VIDEOS, {
            'title': f'링크 {mark}', 'description': '시험', 'video_url': f'https://videos.example.com/{mark}', 'video_platform': platform,
            'duration': 100, 'target_age_min': 12, 'target_age_max': 36, 'difficulty': 'easy', 'priority': 1, 'areas': ['language']})
        self.id = made.expect(201).data['id']
        self.child = self.mother.child()['id']
        self.database.rows("""WITH attempt AS (
                INSERT INTO assessments.development_assessments (id, child_id, user_id, assessment_date, age_in_months,
                    chronological_age_months, status, question_ids, expires_at, completed_at)
                VALUES (gen_random_uuid(), %s, %s, current_date, 25, 25, 'completed', '{}', now() + interval '1 day', now())
                RETURNING id, child_id)
            INSERT INTO videos.recommended_videos (id, assessment_id, child_id, video_id, development_area, area_level,
                recommendation_reason, reason_code, reason_parameters, priority_score, position)
            SELECT gen_random_uuid(), id, child_id, %s, 'language', 'good', '까닭', 'fits',
                   '{"age": 25, "age_min": 12, "age_max": 36, "difficulty": "easy"}', 50, 1
            FROM attempt""", self.child, self.mother.id, self.id)
        # No administrator may name such a link; and what is not published is not looked at.
        self.database.rows('UPDATE videos.videos SET video_url = %s, is_published = true, published_at = now() WHERE id = %s',
                           links.url + self.path, self.id)
        wait_until(lambda: any(path.endswith(mark) for path in links.asked), 30, 'the first look')

    def seen(self):
        return self.admin.get(f'{ADMIN_VIDEOS}/{self.id}').expect(200).data

    def recommended(self):
        return [row['video_id'] for row in self.mother.client.get('/api/v1/videos/recommended', query={'child_id': self.child}).expect(200).data]

    def day_passes(self):
        """Then it is due."""
        self.database.rows("""UPDATE videos.videos SET url_last_checked_at = now() - interval '1 day', url_failed_on = url_failed_on - 1
                              WHERE id = %s""", self.id)


def broadcasts(database, video):
    return database.rows('SELECT * FROM notifications.broadcasts WHERE link_url = %s', f'/admin/videos/{video.id}')


def failed_days(video, count):
    wait_until(lambda: video.seen()['url_failed_days'] == count, 30, f'{count} days of failures', every=0.02)


def test_three_days(own, links, video, database):
    assert video.recommended() == [video.id]
    links.statuses[video.path] = 404
    version = database.value('SELECT version FROM videos.catalogue')
    for day in (1, 2, 3):
        assert video.seen()['is_alive'] and video.recommended() == [video.id] and broadcasts(database, video) == []
        video.day_passes()
        failed_days(video, day)
    assert not video.seen()['is_alive'] and video.recommended() == []
    assert database.value('SELECT version FROM videos.catalogue') != version, 'who ranks still remembers it'
    video.mother.client.get(f'/api/v1/videos/{video.id}').expect(200)  # it is still there for who looks for it
    told, = wait_until(lambda: broadcasts(database, video), 20, 'the word to admins')
    assert (told['role'], told['created_by']) == ('admin', None) and video.seen()['title'] in told['message']
    wait_until(lambda: any(row['link_url'] == told['link_url'] for row in video.admin.get('/api/v1/notifications').expect(200).data), 30,
               'that an admin has it')
    assert [row['id'] for row in video.admin.get('/api/v1/admin/notifications/broadcasts').expect(200).data][0] == told['id']
    video.day_passes()
    failed_days(video, 4)
    assert len(broadcasts(database, video)) == 1, 'once is enough'
    links.statuses.pop(video.path)
    video.day_passes()
    failed_days(video, 0)
    assert video.seen()['is_alive'] and video.recommended() == [video.id]


def test_one_day_counts_once(links, video, database):
    """Also when it is looked at twice in it: an administrator's correction asks anew."""
    links.statuses[video.path] = 404
    video.day_passes()
    failed_days(video, 1)
    for count in (3, 4):
        database.rows('UPDATE videos.videos SET url_last_checked_at = NULL WHERE id = %s', video.id)
        wait_until(lambda count=count: links.asked.count(video.path) == count, 30, 'another look')
    other = Video(video.own, links, database)
    assert other.id != video.id  # its first look came after the last one of this
    failed_days(video, 1)


def test_a_good_day_between(links, video):
    links.statuses[video.path] = 410
    video.day_passes()
    failed_days(video, 1)
    video.day_passes()
    failed_days(video, 2)
    links.statuses[video.path] = 302
    video.day_passes()
    failed_days(video, 0)


@pytest.mark.parametrize('status, days', [(401, 0), (403, 0), (429, 0), (503, 0), (0, 1), (400, 1)])
def test_what_fails(own, links, video, database, status, days):
    """Who does not like us, or has troubles, says nothing of the video; who does not answer is not there, when others do."""
    links.statuses[video.path] = status
    video.day_passes()
    wait_until(lambda: links.asked.count(video.path) >= 2, 30, 'the second look')
    Video(own, links, database)  # its first look came after what the second one of this has told was kept
    assert video.seen()['url_failed_days'] == days


def test_who_refers_to_it_keeps_nobody_waiting(own, links, video):
    """Whose open transaction recommends it: it is looked at all the same, and what was found is kept."""
    links.statuses[video.path] = 404
    with own.database() as other:
        other.connection.autocommit = False
        other.rows('SELECT FROM videos.videos WHERE id = %s FOR KEY SHARE', video.id)  # as a foreign key does
        video.day_passes()
        failed_days(video, 1)


@pytest.mark.parametrize('platform, question', [('youtube', '/oembed?url='), ('vimeo', '/vimeo?a=b&url=')])
def test_platforms_are_asked_their_own_way(own, links, database, platform, question):
    """Their pages say 200 of a video that is gone."""
    video = Video(own, links, database, platform)
    path = next(path for path in links.asked if path.endswith(video.path[1:]))
    links.statuses[path] = 404
    video.day_passes()
    failed_days(video, 1)
    assert video.path not in links.asked and path == question + links.url.replace(':', '%3A').replace('/', '%2F') + '%2F' + video.path[1:]


def refusals_told(own, mark):
    lines = [line for text in own.logs.since(mark).values() for line in text.splitlines() if '"links_refused"' in line]
    return [json.loads(line) for line in lines]


def test_a_platform_that_refuses_us_loses_no_video(own, links, database):
    """Not for days; what had failed before stays as it was, and the log tells of it once."""
    videos = [Video(own, links, database, 'vimeo') for _ in range(2)]
    paths = [next(path for path in links.asked if path.endswith(video.path[1:])) for video in videos]
    links.statuses[paths[0]] = 404
    videos[0].day_passes()
    failed_days(videos[0], 1)
    mark = own.logs.mark()
    links.statuses.update(dict.fromkeys(paths, 403))
    for day in range(1, 5):
        for video in videos:
            video.day_passes()
        wait_until(lambda day=day: [links.asked.count(path) for path in paths] == [day + 2, day + 1], 30, f'the looks of day {day}')
    entry, = wait_until(lambda: refusals_told(own, mark), 20, 'the word in the log')
    assert (entry['platform'], entry['in_a_row'], entry['reason']) == ('vimeo', 5, 'status 403')
    assert [(video.seen()['url_failed_days'], video.seen()['is_alive']) for video in videos] == [(1, True), (0, True)]
    links.statuses.update(dict.fromkeys(paths, 200))
    videos[0].day_passes()
    failed_days(videos[0], 0)
    wait_until(lambda: links.asked.count(paths[1]) == 6, 30, 'that the other is asked again, now that there are answers')
    Video(own, links, database)  # what that told is kept
    assert (videos[1].seen()['url_failed_days'], len(refusals_told(own, mark))) == (0, 1)


@pytest.mark.parametrize('platform, status', [('youtube', 401), ('youtube', 403), ('vimeo', 403)])
def test_a_private_video_is_dead(own, links, database, platform, status):
    """Its service answers for others before and after, and forbids it twice."""
    private = Video(own, links, database, platform)
    path = next(path for path in links.asked if path.endswith(private.path[1:]))
    links.statuses[path] = status
    for day in (1, 2, 3):
        looks = links.asked.count(path)
        private.day_passes()
        wait_until(lambda looks=looks: links.asked.count(path) > looks, 30, 'the look of the day')
        assert private.seen()['url_failed_days'] == day - 1, 'alone it says nothing'
        Video(own, links, database, platform)
        failed_days(private, day)
        assert links.asked.count(path) == looks + 2
    assert not private.seen()['is_alive']
    wait_until(lambda: broadcasts(database, private), 20, 'the word to admins')
    links.statuses.pop(path)
    private.day_passes()
    failed_days(private, 0)


def test_what_was_found_is_kept_though_the_database_refuses(links, video, database):
    """A serialization failure, more often than a transaction is tried again: it is not asked twice, and the day counts."""
    links.statuses[video.path] = 404
    database.rows("""CREATE SEQUENCE videos.test_refused;
        GRANT USAGE ON videos.test_refused TO aipoten_videos;
        CREATE FUNCTION videos.test_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('videos.test_refused') <= 6 THEN
                RAISE 'not now' USING ERRCODE = 'serialization_failure';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER test_refuse BEFORE UPDATE OF url_failed_days ON videos.videos
            FOR EACH ROW WHEN (NEW.url_failed_days > OLD.url_failed_days) EXECUTE FUNCTION videos.test_refuse()""")
    try:
        video.day_passes()
        failed_days(video, 1)
        assert database.value('SELECT last_value FROM videos.test_refused') == 7
    finally:
        database.rows('DROP TRIGGER test_refuse ON videos.videos; DROP FUNCTION videos.test_refuse; DROP SEQUENCE videos.test_refused')
    assert links.asked.count(video.path) == 2


def test_another_link_begins_anew(video, database):
    database.rows("""UPDATE videos.videos SET url_failed_days = 3, url_failed_on = current_date, video_url = 'https://videos.example.com/one'
                     WHERE id = %s""", video.id)
    video.admin.patch(f'{ADMIN_VIDEOS}/{video.id}', {'title': '다른 이름', 'is_published': False}).expect(200)
    assert not video.seen()['is_alive']
    video.admin.patch(f'{ADMIN_VIDEOS}/{video.id}', {'video_url': 'https://videos.example.com/another'}).expect(200)
    seen = video.seen()
    assert (seen['url_failed_days'], seen['url_last_checked_at'], seen['is_alive']) == (0, None, True)


def test_a_death_asks_nobody_twice(own, links, video):
    """Whoever took a link and died leaves it for the next day; the word to admins comes with what is kept, or not at all."""
    with faults.Fault(own, 'videos', 'links.taken') as fault:
        video.database.rows("UPDATE videos.videos SET url_last_checked_at = now() - interval '1 day' WHERE id = %s", video.id)
        wait_until(fault.hit, 30, 'the death')
    own.wait_ready()
    Video(own, links, video.database)  # it goes on
    assert links.asked.count(video.path) == 1
