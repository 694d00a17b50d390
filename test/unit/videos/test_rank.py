"""The ranking (actors/videos/rank.c) against another one (harness/ranking.py): the same places, points and reasons for children and
videos by chance, among them many ties, short lists and borders."""
import os
import random
import subprocess

from harness.ranking import AREAS, CAUTION, DAY, EXCELLENT, GOOD, NAMES, NEEDS_OBSERVATION, ranked
from harness.system import BUILD

CASES = 3000
NOW = 20_000 * DAY


def child_by_chance(chance):
    areas = []
    for _ in AREAS:
        score = chance.choice((0, 3500, 4000, 5999, 6000, 8000, 10000, chance.randrange(10001)))
        level = EXCELLENT if score >= 8000 else GOOD if score >= 6000 else CAUTION if score >= 4000 else NEEDS_OBSERVATION
        areas.append((chance.random() < 0.9, score, NEEDS_OBSERVATION if chance.random() < 0.1 else level))
    return chance.randrange(4, 72), areas


def video_by_chance(chance, number, age):
    least = max(0, age + chance.randrange(-20, 6))
    return dict(zip(NAMES, (
        number, chance.choice((1, 2, 4, 8, 16, 32, chance.randrange(64))), least, least + chance.choice((0, 1, 2, 3, 6, 12, 24)),
        chance.choice((1, 5, 5, 5, 8, 9, 10)), chance.randrange(3), chance.choice((0, 0, 100, chance.randrange(5000))),
        chance.choice((0, 0, 40, chance.randrange(3000))), chance.choice((0, DAY, 2 * DAY)),
        chance.choice((0, 0, 0, NOW - 29 * DAY, NOW - 30 * DAY, NOW - 30 * DAY + 1, NOW - 31 * DAY)), chance.randrange(2),
        int(chance.random() < 0.1))))


def test_against_another_implementation():
    seed = int(os.environ.get('AIPOTEN_SEED') or random.randrange(10 ** 6))
    print(f'AIPOTEN_SEED={seed}')
    chance, cases, said = random.Random(seed), [], []
    for _ in range(CASES):
        age, areas = child_by_chance(chance)
        numbers = chance.sample(range(1, 60000), chance.choice((0, 3, 12, 60)))
        videos = [video_by_chance(chance, number, age) for number in numbers]
        cases.append((age, areas, videos))
        said += [age, NOW, *(int(value) for area in areas for value in area), len(videos)]
        said += [value for video in videos for value in video.values()]
    done = subprocess.run([os.path.join(BUILD, 'unit', 'unit-videos-ranker')], input=' '.join(map(str, said)), check=True, text=True,
                          stdout=subprocess.PIPE, timeout=60)
    lines = done.stdout.splitlines()
    assert len(lines) == CASES
    reasons = set()
    for line, case in zip(lines, cases):
        places = ranked(*case, NOW)
        assert line == ' '.join(':'.join(map(str, place)) for place in places), case
        reasons |= {place[3] for place in places}
    assert reasons == {0, 1, 2, 3, 4}  # chance has shown every one
