"""mixed: 2,000 requests a second of all kinds over TLS, open loop: what a visitor waits while everybody else is there."""
import itertools
import json

import gauge
import openloop
from harness import people
from openloop import Stream

RATE, PARENTS, CHILDREN_EACH = 2000, 4, 2
# 60 % lists, 15 % details, 10 % children, 10 % other reads with a token, 5 % writes
LISTS, DETAILS, CHILDREN, OTHERS, WRITES = (int(RATE * part) for part in (0.60, 0.15, 0.10, 0.10, 0.05))
CHANGE = json.dumps({'notes': '낯선 곳에서 많이 웁니다.'}, ensure_ascii=False)
SEEN = json.dumps({'intervals': [{'start': 0, 'end': 40}]})
AGES, PAGES, VIDEOS_SEEN = range(0, 61, 3), (1, 2), 300


class Crowd:
    """Parents with children, and the videos that are there."""

    def __init__(self, bench):
        self.system = bench.system
        self.parents = [people.newcomer(self.system) for _ in range(PARENTS)]
        self.children = [[parent.child(name=f'김하늘{number}')['id'] for number in range(CHILDREN_EACH)] for parent in self.parents]
        self.videos = self.video_ids()

    def video_ids(self):
        found = []
        for page in itertools.count(1):
            data = self.parents[0].client.get('/api/v1/videos', query={'limit': 100, 'page': page}).expect(200).data
            found += [row['id'] for row in data]
            if len(data) < 100 or len(found) >= VIDEOS_SEEN:
                return found[:VIDEOS_SEEN]

    def lists(self):
        return [f'/api/v1/videos?age={age}&page={page}&limit=20' for age in AGES for page in PAGES]

    def reads(self):
        """What anybody may read."""
        yield Stream('lists', LISTS, 8, self.lists())
        yield Stream('details', DETAILS, 4, self.watched())

    def own(self):
        """Each parent's own; what is written are the children and videos that are read."""
        for parent, children in zip(self.parents, self.children):
            token = (f'authorization: Bearer {parent.token}',)
            own = [f'/api/v1/children/{child}' for child in children]
            yield Stream('children', CHILDREN / PARENTS, 2, ['/api/v1/children'], token)
            yield Stream('other reads', OTHERS / PARENTS, 2, ['/api/v1/users/me', '/api/v1/videos/me', '/api/v1/videos/bookmarks', *own,
                                                               *(f'{path}/measurements' for path in own)], token)
            for method, paths, body in (('PATCH', own, CHANGE), ('PUT', [f'{video}/progress' for video in self.watched()], SEEN),
                                        ('POST', [f'{video}/view' for video in self.watched()], '{}')):
                yield Stream('writes', WRITES / PARENTS / 3, 1, paths, token, method, body)

    def watched(self):
        return [f'/api/v1/videos/{video}' for video in self.videos]


def run(bench):
    report, seconds = bench.report, bench.options.minute
    if not bench.has('/api/v1/videos'):
        report.note('no mixed requests: this build has no videos')
        return
    crowd = Crowd(bench)
    streams = [*crowd.reads(), *crowd.own()]
    with bench.system.database() as database:
        postmaster = gauge.postmaster_of(database)
    outcome = openloop.run(f'https://127.0.0.1:{bench.system.https_port}', streams, seconds, gauge.own_pids(bench.system), postmaster)
    for name, latencies in outcome.latencies.items():
        report.say(f'  {name:<12} {openloop.words(latencies)}')
    everything = openloop.together(outcome)
    report.say(f'  {"all":<12} {openloop.words(everything)}; {outcome.bad} bad, {outcome.missing} never sent; CPU each: '
               f'server {outcome.cpu.server:.1f} us, PostgreSQL {outcome.cpu.postgres:.1f} us')
    work = f'{RATE:,}/s mixed, open loop, {seconds} s'
    report.figure(work, 'p99', [gauge.percentile(everything, 0.99)], 10, most=True, unit=' ms', bad=outcome.bad,
                  missing=outcome.missing)
    report.figure(work, 'answers that were not 2xx or never came', [outcome.bad], 0, most=True, missing=outcome.missing)
