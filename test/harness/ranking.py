"""ranking: what is recommended for a child, written once more from product.md, section 5, in fractions and sorted lists; what
actors/videos/rank.c is held against.

A child is its age and, for each area in the founding document's order, (assessed, score in hundredths, level); a video is a
dictionary of NAMES, times in microseconds. Levels, difficulties and reasons are their places in the lists."""
import fractions
import math

AREAS = ('gross_motor', 'fine_motor', 'cognitive', 'language', 'social', 'emotional')
LEVELS = ('excellent', 'good', 'caution', 'needs_observation')
EXCELLENT, GOOD, CAUTION, NEEDS_OBSERVATION = range(4)
DIFFICULTIES = ('easy', 'medium', 'hard')
REASONS = ('fits', 'older', 'younger', 'again', 'prescribed')
PLACES = {NEEDS_OBSERVATION: 4, CAUTION: 3, GOOD: 1, EXCELLENT: 1}
POINTS = {NEEDS_OBSERVATION: (10, 4, 0), CAUTION: (8, 10, 3), GOOD: (4, 10, 7), EXCELLENT: (2, 6, 10)}
DAY = 86_400_000_000
NAMES = ('number', 'areas', 'min', 'max', 'priority', 'difficulty', 'views', 'completions', 'published', 'completed', 'viewed',
         'prescribed')


def points(age, score, level, video):
    span = video['max'] - video['min']
    terms = [fractions.Fraction(10000 - score, 200),
             fractions.Fraction(15 * (span + 2 - abs(2 * age - video['min'] - video['max'])), span + 2),
             fractions.Fraction(15 * (video['priority'] - 1), 9), POINTS[level][video['difficulty']],
             fractions.Fraction(5 * video['completions'], video['views'] + 20)]
    if not video['min'] <= age <= video['max']:
        terms[1] = 0
    history = 5 * video['prescribed'] - (20 if video['completed'] else 5 * video['viewed'])
    return min(100, max(0, sum(map(math.floor, terms)) + history))


def reason(age, video):
    if video['prescribed']:
        return REASONS.index('prescribed')
    if video['completed']:
        return REASONS.index('again')
    return REASONS.index('older' if age < video['min'] else 'younger' if age > video['max'] else 'fits')


def ranked(age, areas, videos, now):
    """[(number, area, points, reason)], the first recommendation first."""
    found = []
    left = [video for video in videos if not video['completed'] or video['completed'] <= now - 30 * DAY]
    for score, area in sorted((score, area) for area, (assessed, score, _) in enumerate(areas) if assessed):
        level = areas[area][2]
        here = [video for video in left if video['areas'] >> area & 1]
        left = [video for video in left if not video['areas'] >> area & 1]
        rows = [(-points(age, score, level, video), -video['priority'], -video['published'], video['number'], video) for video in here]
        rows.sort(key=lambda row: row[:4])
        chosen = [row for row in rows if row[4]['min'] <= age <= row[4]['max']][:PLACES[level]]
        near = [row for row in rows if row[4]['min'] - 3 <= age < row[4]['min'] or row[4]['max'] < age <= row[4]['max'] + 3]
        chosen = sorted(chosen + near[:PLACES[level] - len(chosen)], key=lambda row: row[:4])
        found += [(row[3], area, -row[0], reason(age, row[4])) for row in chosen]
    return found


def facts(database, child):
    """The published videos with what is known of them for the child, as they stand in the database."""
    rows = database.rows('''SELECT v.id, v.areas, v.target_age_min, v.target_age_max, v.priority, v.difficulty, v.view_count,
        v.completion_count, (extract(epoch FROM v.published_at) * 1000000)::bigint AS published,
        coalesce((SELECT max((extract(epoch FROM i.completed_at) * 1000000)::bigint) FROM videos.user_video_interactions i
                  WHERE i.video_id = v.id AND i.child_id = %s), 0) AS completed,
        EXISTS (SELECT FROM videos.user_video_interactions i WHERE i.video_id = v.id AND i.child_id = %s) AS viewed,
        EXISTS (SELECT FROM videos.prescriptions p WHERE p.video_id = v.id AND p.child_id = %s) AS prescribed
        FROM videos.videos v WHERE v.is_published AND v.deleted_at IS NULL''', child, child, child)
    return [{'number': row['id'], 'areas': sum(1 << AREAS.index(area) for area in row['areas']), 'min': row['target_age_min'],
             'max': row['target_age_max'], 'priority': row['priority'], 'difficulty': DIFFICULTIES.index(row['difficulty']),
             'views': row['view_count'], 'completions': row['completion_count'], 'published': row['published'],
             'completed': row['completed'], 'viewed': row['viewed'], 'prescribed': row['prescribed']} for row in rows]
