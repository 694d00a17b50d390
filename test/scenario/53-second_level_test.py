"""Public answers in Redis: taken from there when shared memory has none any more, never once they were changed, and nothing fails
without it. What Redis itself does to them is unit/net/second_level.c."""
import os
import subprocess

import pytest

from harness import people
from harness.client import Client
from harness.wait import wait_until

VIDEOS, ADMIN_VIDEOS = '/api/v1/videos', '/api/v1/admin/videos'


@pytest.fixture(scope='module')
def own(start_system):
    """Shared memory forgets at once; Redis does not."""
    return start_system(settings={'cache': {'max_age': '1s', 'stale': 0}})


@pytest.fixture
def video(own):
    """One of the demo's."""
    return Client(own).get(f'{VIDEOS}?limit=1').expect(200).data[0]['id']


def taken_from_redis(system):
    return sum(row['value'] for row in system.ctl('counters', '-j', 'videos')['counters'] if row['name'] == 'cache_hits_redis')


def read(system, video):
    answer = Client(system).get(f'{VIDEOS}/{video}').expect(200)
    return answer.data, answer.header('etag'), answer.header('cache-tag')


def test_what_was_made_once_is_taken_from_redis(own, video):
    first = read(own, video)
    before = taken_from_redis(own)

    def again():
        assert read(own, video) == first
        return taken_from_redis(own) > before
    wait_until(again, 20, 'an answer from Redis', every=0.2)


def redis(own, *command):
    kept = own.kept
    done = subprocess.run(['redis-cli', '-h', '127.0.0.1', '-p', kept['REDIS_PORT'], *command], capture_output=True, text=True,
                          env={**os.environ, 'REDISCLI_AUTH': kept['REDIS_PASSWORD']}, check=True, timeout=20)
    return done.stdout.split()


def test_counters_in_a_list_are_no_older_for_it(own):
    """A list says how old it may be, for no tag tells of the counters in it."""
    known = set(redis(own, '--scan', '--pattern', 'aipoten:cache:*'))

    def made():
        Client(own).get(f'{VIDEOS}?limit=7').expect(200)
        return set(redis(own, '--scan', '--pattern', 'aipoten:cache:*')) - known - {'aipoten:cache:tags'}
    made = wait_until(made, 20, 'the list in Redis', every=0.2)
    lives = [int(redis(own, 'PTTL', key)[0]) for key in made]
    assert lives and all(life <= 60_000 for life in lives)


def test_what_was_changed_is_not(own, video):
    admin = people.demo(own, 'admin').client
    for number in range(3):
        read(own, video)
        admin.patch(f'{ADMIN_VIDEOS}/{video}', {'title': f'바뀐 제목 {number}'}).expect(200)
        before = taken_from_redis(own)

        def again():
            assert read(own, video)[0]['title'] == f'바뀐 제목 {number}'
            return taken_from_redis(own) > before
        wait_until(again, 20, 'the new answer from Redis', every=0.2)


def test_a_flush_reaches_it(own, video):
    """What was changed by hand shows after `cache flush`."""
    read(own, video)
    with own.database() as database:
        database.value("UPDATE videos.videos SET title = '손으로 바꿈' WHERE id = %s RETURNING id", video)
    own.ctl('cache', 'flush', f'video:{video}')
    assert read(own, video)[0]['title'] == '손으로 바꿈'


def test_without_redis(own, video):
    first = read(own, video)
    own.services('redis_stop')
    admin = people.demo(own, 'admin').client
    admin.patch(f'{ADMIN_VIDEOS}/{video}', {'title': '레디스 없이'}).expect(200)
    assert read(own, video)[0]['title'] == '레디스 없이' != first[0]['title']
    own.services('redis_start')
    before = taken_from_redis(own)

    def again():
        assert read(own, video)[0]['title'] == '레디스 없이'
        return taken_from_redis(own) > before
    wait_until(again, 30, 'an answer from Redis', every=0.2)
