/* Which videos are recommended: each term of P as a table of cases, then the order, the places, the ties, and what is widened
 * (product.md, section 5). test_rank.py holds the whole against another implementation, by chance. */
#include "../unit.h"
#include "../../../actors/videos/rank.h"
#include "base/text.h"

#define DAY INT64_C(86400000000)
#define NOW (20000 * DAY)

/* The worked example: score 35, age 25; range 24 to 36, priority 8, easy, 100 views, 40 completions. */
static const rank_child_t example_child = {
    .age = 25, .areas[AREA_LANGUAGE] = {.assessed = true, .score = 3500, .level = LEVEL_NEEDS_OBSERVATION}};
static const rank_video_t example_video = {.areas = 1 << AREA_LANGUAGE,
    .age_min = 24,
    .age_max = 36,
    .priority = 8,
    .difficulty = RANK_EASY,
    .views = 100,
    .completions = 40};

static rank_video_t numbered(uint8_t number)
{
    rank_video_t video = example_video;
    video.id.bytes[15] = number;
    return video;
}

/* --- the terms ---------------------------------------------------------------------------------------------------- */

static void test_example(void **state)
{
    (void)state;
    assert_int_equal(rank_points(&example_child, AREA_LANGUAGE, &example_video), 58);
}

/* The example but for one thing: what it has then. 32 + 4 + 11 + 10 + 1. */
static void test_score(void **state)
{
    (void)state;
    static const struct {
        int score, points;
    } cases[] = {{3500, 58}, {3401, 58}, {3400, 59}, {3600, 58}, {3601, 57}, {0, 76}, {1, 75}, {9801, 26}, {9800, 27}, {10000, 26}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        rank_child_t child = example_child;
        child.areas[AREA_LANGUAGE].score = cases[i].score; /* the level is told: it stays */
        if (rank_points(&child, AREA_LANGUAGE, &example_video) != cases[i].points)
            fail_msg("score %d", cases[i].score);
    }
}

static void test_age(void **state)
{
    (void)state;
    static const struct {
        int age, min, max, points; /* of the term */
    } cases[] = {
        {25, 24, 36, 4}, {24, 24, 36, 2}, {36, 24, 36, 2}, {30, 24, 36, 15}, {31, 24, 36, 12}, {29, 24, 36, 12},
        {23, 24, 36, 0}, {37, 24, 36, 0}, {21, 24, 36, 0}, {39, 24, 36, 0}, /* widened */
        {30, 30, 30, 15}, {29, 30, 30, 0}, {31, 30, 30, 0},                 /* h = 0 */
        {30, 30, 31, 10}, {31, 30, 31, 10},                                 /* h = 1: 15·2/3 */
        {0, 0, 0, 15}, {0, 0, 71, 0}, {71, 0, 71, 0}, {35, 0, 71, 14}, {36, 0, 71, 14},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        rank_child_t child = example_child;
        rank_video_t video = example_video;
        child.age = cases[i].age;
        video.age_min = cases[i].min;
        video.age_max = cases[i].max;
        int points = rank_points(&child, AREA_LANGUAGE, &video) - 54;
        if (points != cases[i].points)
            fail_msg("age %d of %d to %d: %d", cases[i].age, cases[i].min, cases[i].max, points);
    }
}

static void test_priority(void **state)
{
    (void)state;
    static const int points[] = {0, 1, 3, 5, 6, 8, 10, 11, 13, 15}; /* ⌊15·(priority − 1)/9⌋ */
    for (int priority = 1; priority <= 10; priority++) {
        rank_video_t video = example_video;
        video.priority = priority;
        assert_int_equal(rank_points(&example_child, AREA_LANGUAGE, &video), 47 + points[priority - 1]);
    }
}

static void test_difficulty(void **state)
{
    (void)state;
    static const int points[LEVELS][RANK_DIFFICULTIES] = {
        [LEVEL_NEEDS_OBSERVATION] = {10, 4, 0}, [LEVEL_CAUTION] = {8, 10, 3}, [LEVEL_GOOD] = {4, 10, 7}, [LEVEL_EXCELLENT] = {2, 6, 10}};
    for (enum development_level level = 0; level < LEVELS; level++)
        for (enum rank_difficulty difficulty = 0; difficulty < RANK_DIFFICULTIES; difficulty++) {
            rank_child_t child = example_child;
            rank_video_t video = example_video;
            child.areas[AREA_LANGUAGE].level = level;
            video.difficulty = difficulty;
            assert_int_equal(rank_points(&child, AREA_LANGUAGE, &video), 48 + points[level][difficulty]);
        }
}

static void test_counters(void **state)
{
    (void)state;
    static const struct {
        int64_t views, completions;
        int points; /* of the whole */
    } cases[] = {{100, 40, 58}, {0, 0, 57}, {0, 3, 57}, {0, 4, 58}, {100, 23, 57}, {100, 24, 58}, {100, 100, 61}, {80, 100, 62},
        {1000000, 1000000, 61}, {0, 20, 62}, {0, 60, 72}, {0, 2147483647, 100}, {2147483647, 2147483647, 61}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        rank_video_t video = example_video;
        video.views = cases[i].views;
        video.completions = cases[i].completions;
        int points = rank_points(&example_child, AREA_LANGUAGE, &video);
        if (points != cases[i].points)
            fail_msg("%d views, %d completions: %d", (int)cases[i].views, (int)cases[i].completions, points);
    }
}

static void test_history(void **state)
{
    (void)state;
    static const struct {
        bool prescribed, completed, viewed;
        int points;
    } cases[] = {{false, false, false, 58}, {true, false, false, 63}, {false, true, false, 38}, {false, true, true, 38}, /* not both */
        {false, false, true, 53}, {true, true, true, 43}, {true, false, true, 58}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        rank_video_t video = example_video;
        video.prescribed = cases[i].prescribed;
        video.completed_at = cases[i].completed ? NOW - 40 * DAY : 0;
        video.viewed = cases[i].viewed;
        if (rank_points(&example_child, AREA_LANGUAGE, &video) != cases[i].points)
            fail_msg("case %zu", i);
    }
}

/* Neither below 0 nor above 100, and both can be reached. */
static void test_clamp(void **state)
{
    (void)state;
    rank_child_t child = {.age = 30, .areas[AREA_SOCIAL] = {true, 10000, LEVEL_EXCELLENT}};
    rank_video_t video = {.areas = 1 << AREA_SOCIAL, .age_min = 24, .age_max = 35, .priority = 1, .difficulty = RANK_EASY,
        .completed_at = NOW - 90 * DAY};
    assert_int_equal(rank_points(&child, AREA_SOCIAL, &video), 0);
    child.areas[AREA_SOCIAL].score = 0;
    child.areas[AREA_SOCIAL].level = LEVEL_NEEDS_OBSERVATION;
    video = (rank_video_t){.areas = 1 << AREA_SOCIAL, .age_min = 24, .age_max = 36, .priority = 10, .completions = 20, .prescribed = true};
    assert_int_equal(rank_points(&child, AREA_SOCIAL, &video), 100);
    video.completions = 40;
    assert_int_equal(rank_points(&child, AREA_SOCIAL, &video), 100);
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

static rank_place_t out[RANK_PLACES_MOST];

/* The last byte of each video's id, in order. */
static void assert_order(const rank_child_t *child, const rank_video_t *videos, int count, const char *expected)
{
    char found[RANK_PLACES_MOST * 4 + 1] = "";
    int places = rank_videos(child, videos, count, NOW, out);
    for (int i = 0; i < places; i++)
        sprintf(found + strlen(found), "%s%d", i ? " " : "", out[i].video->id.bytes[15]);
    assert_string_equal(found, expected);
}

static void test_places(void **state)
{
    (void)state;
    static const int places[LEVELS] = {[LEVEL_NEEDS_OBSERVATION] = 4, [LEVEL_CAUTION] = 3, [LEVEL_GOOD] = 1, [LEVEL_EXCELLENT] = 1};
    static const char *const orders[] = {"", "1", "", "1 2 3", "1 2 3 4"};
    rank_video_t videos[9];
    for (uint8_t i = 0; i < 9; i++)
        videos[8 - i] = numbered(i + 1); /* all alike: the ids decide */
    for (enum development_level level = 0; level < LEVELS; level++) {
        rank_child_t child = example_child;
        child.areas[AREA_LANGUAGE].level = level;
        assert_int_equal(rank_places(level), places[level]);
        assert_order(&child, videos, 9, orders[places[level]]);
    }
    assert_order(&example_child, videos, 2, "8 9");
    assert_order(&example_child, videos, 0, "");
}

static void test_ties(void **state)
{
    (void)state;
    rank_video_t videos[] = {numbered(9), numbered(8), numbered(7), numbered(6)};
    assert_order(&example_child, videos, 4, "6 7 8 9");
    videos[1].published_at = 2 * DAY; /* the newest first */
    videos[0].published_at = 1 * DAY;
    assert_order(&example_child, videos, 4, "8 9 6 7");
    videos[2].priority = 10; /* three points more by priority, three less by its views … */
    videos[2].views = 1000000;
    videos[2].viewed = false;
    videos[2].difficulty = RANK_EASY;
    assert_order(&example_child, videos, 4, "7 8 9 6");
    videos[2].prescribed = false;
    videos[2].viewed = true; /* 60 − 5 + … = 56: no tie, behind all */
    assert_int_equal(rank_points(&example_child, AREA_LANGUAGE, &videos[2]), 56);
    assert_order(&example_child, videos, 4, "8 9 6 7");
}

/* Equal points, and the higher priority wins although it is older and of a later id. */
static void test_tie_by_priority(void **state)
{
    (void)state;
    rank_video_t videos[] = {numbered(1), numbered(2)};
    videos[0].published_at = 5 * DAY;
    videos[1].priority = 9; /* 13 instead of 11 … */
    videos[1].completions = 0; /* … 0 instead of 1 … */
    videos[0].completions = 60; /* … and 2 instead of 1 */
    assert_int_equal(rank_points(&example_child, AREA_LANGUAGE, &videos[0]), 59);
    assert_int_equal(rank_points(&example_child, AREA_LANGUAGE, &videos[1]), 59);
    assert_order(&example_child, videos, 2, "2 1");
}

static void test_areas(void **state)
{
    (void)state;
    rank_child_t child = {.age = 30,
        .areas = {[AREA_GROSS_MOTOR] = {true, 9000, LEVEL_EXCELLENT},
            [AREA_COGNITIVE] = {true, 5000, LEVEL_CAUTION},
            [AREA_LANGUAGE] = {true, 5000, LEVEL_CAUTION},
            [AREA_SOCIAL] = {true, 6500, LEVEL_NEEDS_OBSERVATION}, /* a critical item */
            [AREA_EMOTIONAL] = {true, 1000, LEVEL_NEEDS_OBSERVATION}}}; /* fine_motor was not assessed */
    rank_video_t videos[] = {numbered(1), numbered(2), numbered(3), numbered(4), numbered(5), numbered(6), numbered(7)};
    videos[0].areas = 1 << AREA_GROSS_MOTOR;
    videos[1].areas = 1 << AREA_FINE_MOTOR; /* no area of the child */
    videos[2].areas = 1 << AREA_SOCIAL;
    videos[3].areas = 1 << AREA_LANGUAGE;
    videos[4].areas = 1 << AREA_COGNITIVE | 1 << AREA_LANGUAGE; /* equal scores: the order of the enum */
    videos[5].areas = (1 << AREAS) - 1;                    /* in all: stands in the weakest, once */
    videos[6].areas = 0;
    assert_order(&child, videos, 7, "6 5 4 3 1");
    assert_int_equal(out[0].area, AREA_EMOTIONAL);
    assert_int_equal(out[1].area, AREA_COGNITIVE);
    assert_int_equal(out[2].area, AREA_LANGUAGE);
    assert_int_equal(out[3].area, AREA_SOCIAL);
}

/* What finds no place in its weakest area does not come in by another one. */
static void test_only_in_the_weakest(void **state)
{
    (void)state;
    rank_child_t child = {.age = 30,
        .areas = {[AREA_LANGUAGE] = {true, 4500, LEVEL_CAUTION}, [AREA_SOCIAL] = {true, 7000, LEVEL_GOOD}}};
    rank_video_t videos[] = {numbered(1), numbered(2), numbered(3), numbered(4), numbered(5)};
    for (int i = 0; i < 4; i++)
        videos[i].areas = 1 << AREA_LANGUAGE | 1 << AREA_SOCIAL;
    videos[4].areas = 1 << AREA_SOCIAL;
    assert_order(&child, videos, 5, "1 2 3 5");
    assert_order(&child, videos, 4, "1 2 3");
}

static void test_widening(void **state)
{
    (void)state;
    rank_child_t child = example_child;
    child.areas[AREA_LANGUAGE].level = LEVEL_CAUTION; /* three places */
    rank_video_t videos[] = {numbered(1), numbered(2), numbered(3), numbered(4), numbered(5), numbered(6)};
    for (int i = 1; i < 5; i++)
        videos[i].priority = 10; /* more points than the first, which fits */
    videos[1].age_min = 28, videos[1].age_max = 30; /* by three months */
    videos[2].age_min = 10, videos[2].age_max = 22;
    videos[3].age_min = 29, videos[3].age_max = 30; /* by four: not at all */
    videos[4].age_min = 10, videos[4].age_max = 21;
    videos[5].areas = 1 << AREA_SOCIAL;
    assert_order(&child, videos, 6, "2 3 1"); /* in the order of points */
    assert_int_equal(out[0].reason, RANK_OLDER);
    assert_int_equal(out[1].reason, RANK_YOUNGER);
    assert_int_equal(out[2].reason, RANK_FITS);
    assert_int_equal(out[0].points, rank_points(&child, AREA_LANGUAGE, &videos[1]));
    videos[3].age_min = 25; /* now two fit: the better one of the others */
    videos[3].priority = 1;
    assert_order(&child, videos, 6, "2 1 4");
    videos[4].age_max = 25; /* three: none of them, whatever their points */
    videos[4].priority = 1;
    assert_order(&child, videos, 6, "1 4 5");
}

static void test_rest(void **state)
{
    (void)state;
    rank_video_t videos[] = {numbered(1), numbered(2), numbered(3), numbered(4)};
    videos[0].completed_at = NOW - RANK_REST_DAYS * DAY + 1; /* in the last thirty days: not */
    videos[1].completed_at = NOW - RANK_REST_DAYS * DAY;     /* just over: 20 points less */
    videos[2].viewed = true;
    videos[3].completed_at = NOW;
    videos[3].prescribed = true; /* neither */
    assert_order(&example_child, videos, 4, "3 2");
    assert_int_equal(out[0].points, 53);
    assert_int_equal(out[1].points, 38);
    assert_int_equal(out[1].reason, RANK_AGAIN);
    videos[1].prescribed = true;
    assert_order(&example_child, videos, 4, "3 2");
    assert_int_equal(out[1].reason, RANK_PRESCRIBED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example), cmocka_unit_test(test_score), cmocka_unit_test(test_age), cmocka_unit_test(test_priority),
        cmocka_unit_test(test_difficulty), cmocka_unit_test(test_counters), cmocka_unit_test(test_history),
        cmocka_unit_test(test_clamp), cmocka_unit_test(test_places), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_tie_by_priority), cmocka_unit_test(test_areas), cmocka_unit_test(test_only_in_the_weakest),
        cmocka_unit_test(test_widening), cmocka_unit_test(test_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
