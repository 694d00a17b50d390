"""The ranking (actors/videos/rank.c) against another one, written from product.md, section 5, in fractions and sorted lists: the
same places, points and reasons for children and videos by chance, among them many ties, short lists and borders."""
import fractions
import math
import os
import random
import subprocess

from harness.system import BUILD

CASES = 3000
AREAS = range(6)
EXCELLENT, GOOD, CAUTION, NEEDS_OBSERVATION = range(4)
PLACES = {NEEDS_OBSERVATION: 4, CAUTION: 3, GOOD: 1, EXCELLENT: 1}
DIFFICULTY = {NEEDS_OBSERVATION: (10, 4, 0), CAUTION: (8, 10, 3), GOOD: (4, 10, 7), EXCELLENT: (2, 6, 10)}
FITS, OLDER, YOUNGER, AGAIN, PRESCRIBED = range(5)
DAY = 86_400_000_000
NOW = 20_000 * DAY
NAMES = ('number', 'areas', 'min', 'max', 'priority', 'difficulty', 'views', 'completions', 'published', 'completed', 'viewed',
         'prescribed')


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


def points(age, score, level, video):
    span = video['max'] - video['min']
    terms = [fractions.Fraction(10000 - score, 200),
             fractions.Fraction(15 * (span + 2 - abs(2 * age - video['min'] - video['max'])), span + 2),
             fractions.Fraction(15 * (video['priority'] - 1), 9), DIFFICULTY[level][video['difficulty']],
             fractions.Fraction(5 * video['completions'], video['views'] + 20)]
    if not video['min'] <= age <= video['max']:
        terms[1] = 0
    history = 5 * video['prescribed'] - (20 if video['completed'] else 5 * video['viewed'])
    return min(100, max(0, sum(map(math.floor, terms)) + history))


def reason(age, video):
    if video['prescribed']:
        return PRESCRIBED
    if video['completed']:
        return AGAIN
    return OLDER if age < video['min'] else YOUNGER if age > video['max'] else FITS


def ranked(age, areas, videos):
    found = []
    left = [video for video in videos if not video['completed'] or video['completed'] <= NOW - 30 * DAY]
    for score, area in sorted((score, area) for area, (assessed, score, _) in enumerate(areas) if assessed):
        level = areas[area][2]
        here = [video for video in left if video['areas'] >> area & 1]
        left = [video for video in left if video not in here]
        rows = [(-points(age, score, level, video), -video['priority'], -video['published'], video['number'], video) for video in here]
        rows.sort(key=lambda row: row[:4])
        chosen = [row for row in rows if row[4]['min'] <= age <= row[4]['max']][:PLACES[level]]
        near = [row for row in rows if row not in chosen and not row[4]['min'] <= age <= row[4]['max']
                and row[4]['min'] - 3 <= age <= row[4]['max'] + 3]
        chosen = sorted(chosen + near[:PLACES[level] - len(chosen)], key=lambda row: row[:4])
        found += [f'{row[3]}:{area}:{-row[0]}:{reason(age, row[4])}' for row in chosen]
    return ' '.join(found)


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
    kinds = set()
    for line, case in zip(lines, cases):
        assert line == ranked(*case), case
        kinds |= {place.split(':')[3] for place in line.split()}
    assert kinds == set('01234')  # chance has shown every reason
