/* rank: see the header. Each term of P is a function of its own, named as product.md has it. Nothing can overflow: a counter is an
 * integer of PostgreSQL. */
#include "rank.h"
#include "../../shared/base/panic.h"
#include <stdlib.h>

static const struct {
    int places;
    int difficulty[RANK_DIFFICULTIES]; /* D of easy, medium, hard */
} levels[LEVELS] = {
    [LEVEL_EXCELLENT] = {1, {2, 6, 10}},
    [LEVEL_GOOD] = {1, {4, 10, 7}},
    [LEVEL_CAUTION] = {3, {8, 10, 3}},
    [LEVEL_NEEDS_OBSERVATION] = {4, {10, 4, 0}},
};

enum {
    SCORE_FULL = 10000, /* hundredths */
    AGE_POINTS = 15, PRIORITY_POINTS = 15, PRIORITY_MOST = 10, LIKED_POINTS = 5, LIKED_DOUBT = 20,
    PRESCRIBED_POINTS = 5, COMPLETED_POINTS = 20, VIEWED_POINTS = 5, POINTS_MOST = 100
};

#define DAY INT64_C(86400000000)

_Static_assert(RANK_PLACES_OF_AREA >= 4, "places of the level with most");

/* --- points ------------------------------------------------------------------------------------------------------- */

static bool fits(int age, const rank_video_t *video, int widened)
{
    return video->age_min - widened <= age && age <= video->age_max + widened;
}

static int age_points(int age, const rank_video_t *video)
{
    if (!fits(age, video, 0))
        return 0;
    int span = video->age_max - video->age_min, off = abs(2 * age - video->age_min - video->age_max);
    return AGE_POINTS * (span + 2 - off) / (span + 2);
}

/* More than five when there are more completions than views: then the sum is clamped. */
static int64_t liked_points(const rank_video_t *video)
{
    return LIKED_POINTS * video->completions / (video->views + LIKED_DOUBT);
}

static int history_points(const rank_video_t *video)
{
    int points = video->prescribed ? PRESCRIBED_POINTS : 0;
    if (video->completed_at != 0)
        return points - COMPLETED_POINTS;
    return video->viewed ? points - VIEWED_POINTS : points;
}

int rank_points(const rank_child_t *child, enum development_area area, const rank_video_t *video)
{
    insist(area < AREAS && child->areas[area].assessed);
    int score = child->areas[area].score;
    enum development_level level = child->areas[area].level;
    insist(score >= 0 && score <= SCORE_FULL && level < LEVELS && video->difficulty < RANK_DIFFICULTIES);
    int64_t points = (SCORE_FULL - score) / 200 + age_points(child->age, video) +
                     PRIORITY_POINTS * (video->priority - 1) / (PRIORITY_MOST - 1) +
                     levels[level].difficulty[video->difficulty] + liked_points(video) + history_points(video);
    return points < 0 ? 0 : points > POINTS_MOST ? POINTS_MOST : (int)points;
}

int rank_places(enum development_level level)
{
    insist(level < LEVELS);
    return levels[level].places;
}

/* --- order -------------------------------------------------------------------------------------------------------- */

/* Does `a` stand before `b` in their area? Never both ways, for ids differ. */
static bool before(const rank_place_t *a, const rank_place_t *b)
{
    if (a->points != b->points)
        return a->points > b->points;
    if (a->video->priority != b->video->priority)
        return a->video->priority > b->video->priority;
    if (a->video->published_at != b->video->published_at)
        return a->video->published_at > b->video->published_at;
    return memcmp(a->video->id.bytes, b->video->id.bytes, sizeof a->video->id.bytes) < 0;
}

/* The best so far, in order. */
typedef struct {
    rank_place_t places[RANK_PLACES_OF_AREA];
    int count;
} best_t;

/* Puts the place where it belongs among the best `most`, of which the last may fall out. */
static void best_add(best_t *best, rank_place_t place, int most)
{
    int at = best->count;
    if (at == most && !before(&place, &best->places[at - 1]))
        return;
    if (at == most)
        at--;
    else
        best->count++;
    for (; at > 0 && before(&place, &best->places[at - 1]); at--)
        best->places[at] = best->places[at - 1];
    best->places[at] = place;
}

/* The assessed areas, the weakest first; how many. */
static int areas_sort(const rank_child_t *child, enum development_area sorted[AREAS])
{
    int count = 0;
    for (int area = 0; area < AREAS; area++) {
        if (!child->areas[area].assessed)
            continue;
        int at = count++;
        for (; at > 0 && child->areas[sorted[at - 1]].score > child->areas[area].score; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = (enum development_area)area;
    }
    return count;
}

/* The place in `sorted` of the first area that the video trains; `count`: none. */
static int weakest(const rank_video_t *video, const enum development_area *sorted, int count)
{
    int at = 0;
    while (at < count && !(video->areas >> sorted[at] & 1))
        at++;
    return at;
}

static enum rank_reason reason_of(const rank_video_t *video, int age)
{
    if (video->prescribed)
        return RANK_PRESCRIBED;
    if (video->completed_at != 0)
        return RANK_AGAIN;
    if (age < video->age_min)
        return RANK_OLDER;
    return age > video->age_max ? RANK_YOUNGER : RANK_FITS;
}

int rank_videos(const rank_child_t *child, const rank_video_t *videos, int count, int64_t now, rank_place_t out[RANK_PLACES_MOST])
{
    enum development_area sorted[AREAS];
    int areas = areas_sort(child, sorted), filled = 0;
    best_t fitting[AREAS] = {{.count = 0}}, widened[AREAS] = {{.count = 0}};
    for (int i = 0; i < count; i++) {
        const rank_video_t *video = &videos[i];
        int at = weakest(video, sorted, areas);
        if (at == areas || !fits(child->age, video, RANK_WIDENED_MONTHS))
            continue;
        if (video->completed_at != 0 && now - video->completed_at < RANK_REST_DAYS * DAY)
            continue;
        rank_place_t place = {.video = video,
            .area = sorted[at],
            .reason = reason_of(video, child->age),
            .points = rank_points(child, sorted[at], video)};
        best_add(fits(child->age, video, 0) ? &fitting[at] : &widened[at], place, rank_places(child->areas[sorted[at]].level));
    }
    for (int at = 0; at < areas; at++) {
        int places = rank_places(child->areas[sorted[at]].level);
        for (int i = 0; i < widened[at].count && fitting[at].count < places; i++)
            best_add(&fitting[at], widened[at].places[i], places);
        memcpy(&out[filled], fitting[at].places, (size_t)fitting[at].count * sizeof *out);
        filled += fitting[at].count;
    }
    return filled;
}
