/* scoring: values of answers, scores, levels, proration, critical items (product.md, section 4). */
#include "../unit.h"
#include "../../../actors/assessments/scoring.h"
#include "base/text.h"

enum { ITEMS = 12, UNANSWERED = -1000 };

#define YES(w) {.type = ANSWER_YES_NO, .weight = (w), .answer = 1}
#define NO(w) {.type = ANSWER_YES_NO, .weight = (w), .answer = 0}
#define SCALE(w, k) {.type = ANSWER_SCALE, .weight = (w), .scale_max = 3, .answer = (k)}
#define SCALE_OF(w, low, high, k) {.type = ANSWER_SCALE, .weight = (w), .scale_min = (low), .scale_max = (high), .answer = (k)}
#define OPTION(w, score) {.type = ANSWER_MULTIPLE_CHOICE, .weight = (w), .answer = (score)}
#define OPEN(w) {.type = ANSWER_YES_NO, .weight = (w), .answer = UNANSWERED}

static int items_take(const scoring_item_t *from, scoring_item_t *out, enum development_area area)
{
    int count = 0;
    for (; count < ITEMS && from[count].weight > 0; count++) {
        out[count] = from[count];
        out[count].area = area;
        out[count].answered = out[count].answer != UNANSWERED;
        out[count].missing = true; /* must be written in any case */
    }
    return count;
}

/* One area; score −1: too little was answered. */
static const struct {
    const char *what;
    scoring_item_t items[ITEMS];
    int score;
    enum development_level level;
    bool critical;
} cases[] = {
    {"the example of product.md", {YES(1000), SCALE(1500, 2), OPTION(1000, 500), SCALE(1500, 1)}, 6000, LEVEL_GOOD, false},
    {"79.996 prints 80.00 and is good", {YES(19999), NO(5001)}, 8000, LEVEL_GOOD, false},
    {"80 exactly", {YES(800), NO(200)}, 8000, LEVEL_EXCELLENT, false},
    {"79.99", {YES(7999), NO(2001)}, 7999, LEVEL_GOOD, false},
    {"79.995 rounds up", {YES(79995), NO(20005)}, 8000, LEVEL_GOOD, false},
    {"79.994 rounds down", {YES(79994), NO(20006)}, 7999, LEVEL_GOOD, false},
    {"60 exactly", {YES(600), NO(400)}, 6000, LEVEL_GOOD, false},
    {"59.996 prints 60.00 and is caution", {YES(14999), NO(10001)}, 6000, LEVEL_CAUTION, false},
    {"40 exactly", {YES(400), NO(600)}, 4000, LEVEL_CAUTION, false},
    {"39.996 prints 40.00 and needs observation", {YES(9999), NO(15001)}, 4000, LEVEL_NEEDS_OBSERVATION, false},
    {"all", {YES(1000), SCALE(500, 3), OPTION(1, 1000)}, 10000, LEVEL_EXCELLENT, false},
    {"nothing", {NO(1000), SCALE(500, 0), OPTION(1, 0)}, 0, LEVEL_NEEDS_OBSERVATION, false},
    {"0.005 rounds up to 0.01", {YES(5), NO(99995)}, 1, LEVEL_NEEDS_OBSERVATION, false},
    {"99.995 rounds up to 100.00", {YES(99995), NO(5)}, 10000, LEVEL_EXCELLENT, false},
    {"thirds: 33.333…", {SCALE(1000, 1)}, 3333, LEVEL_NEEDS_OBSERVATION, false},
    {"thirds: 66.666…", {SCALE(1000, 2)}, 6667, LEVEL_GOOD, false},
    {"three thirds are a whole", {SCALE(700, 1), SCALE(700, 2), SCALE(700, 3)}, 6667, LEVEL_GOOD, false},
    {"a sum of thirds that is 80 exactly", {SCALE(3000, 2), YES(2000)}, 8000, LEVEL_EXCELLENT, false},
    {"scale 1 to 5", {SCALE_OF(1000, 1, 5, 4)}, 7500, LEVEL_GOOD, false},
    {"scale 1 to 5, its least", {SCALE_OF(1000, 1, 5, 1)}, 0, LEVEL_NEEDS_OBSERVATION, false},
    {"scale −2 to 2", {SCALE_OF(1000, -2, 2, 1)}, 7500, LEVEL_GOOD, false},
    {"scale −2 to 2, its middle", {SCALE_OF(1000, -2, 2, 0)}, 5000, LEVEL_CAUTION, false},
    {"scale 0 to 1", {SCALE_OF(1000, 0, 1, 1)}, 10000, LEVEL_EXCELLENT, false},
    {"sevenths, nineteenths, twentieths", {SCALE_OF(1000, 0, 7, 3), SCALE_OF(1000, 0, 19, 6), SCALE_OF(1000, 0, 20, 13)}, 4648,
        LEVEL_CAUTION, false}, /* (3/7 + 6/19 + 13/20) / 3 = 3709/7980 */
    {"an option of 0.35", {OPTION(1000, 350), YES(1000)}, 6750, LEVEL_GOOD, false},
    {"reverse: yes is 0", {{.type = ANSWER_YES_NO, .weight = 1000, .answer = 1, .reverse = true}, YES(1000)}, 5000,
        LEVEL_CAUTION, false},
    {"reverse: never is 1",
        {{.type = ANSWER_SCALE, .weight = 1000, .scale_max = 3, .answer = 0, .reverse = true}}, 10000, LEVEL_EXCELLENT, false},
    {"reverse: 2 of 3 is a third",
        {{.type = ANSWER_SCALE, .weight = 1000, .scale_max = 3, .answer = 2, .reverse = true}}, 3333, LEVEL_NEEDS_OBSERVATION, false},
    {"reverse: 4 of 1 to 5 is a quarter",
        {{.type = ANSWER_SCALE, .weight = 1000, .scale_min = 1, .scale_max = 5, .answer = 4, .reverse = true}}, 2500,
        LEVEL_NEEDS_OBSERVATION, false},
    {"reverse: an option", {{.type = ANSWER_MULTIPLE_CHOICE, .weight = 1000, .answer = 200, .reverse = true}}, 8000,
        LEVEL_EXCELLENT, false},
    {"critical at 0", {{.type = ANSWER_YES_NO, .weight = 500, .critical = true}, YES(2000), YES(2000), YES(2000)}, 9231,
        LEVEL_NEEDS_OBSERVATION, true},
    {"critical above 0",
        {{.type = ANSWER_SCALE, .weight = 500, .scale_max = 3, .answer = 1, .critical = true}, YES(2000), YES(2000)}, 9259,
        LEVEL_EXCELLENT, false},
    {"critical, reverse: yes is the 0", {{.type = ANSWER_YES_NO, .weight = 500, .answer = 1, .critical = true, .reverse = true},
        YES(2000), YES(2000)}, 8889, LEVEL_NEEDS_OBSERVATION, true},
    {"critical, reverse: no is not",
        {{.type = ANSWER_YES_NO, .weight = 500, .answer = 0, .critical = true, .reverse = true}, YES(2000)}, 10000,
        LEVEL_EXCELLENT, false},
    {"critical, at the least of 1 to 5",
        {{.type = ANSWER_SCALE, .weight = 500, .scale_min = 1, .scale_max = 5, .answer = 1, .critical = true}, YES(2000)}, 8000,
        LEVEL_NEEDS_OBSERVATION, true},
    {"critical, unanswered", {{.type = ANSWER_YES_NO, .weight = 500, .answer = UNANSWERED, .critical = true}, YES(2000)}, 10000,
        LEVEL_EXCELLENT, false},
    {"20 % unanswered exactly: prorated", {YES(400), NO(400), OPEN(200)}, 5000, LEVEL_CAUTION, false},
    {"20.02 % unanswered", {YES(400), NO(399), OPEN(200)}, -1, 0, false},
    {"20 % in two items", {YES(800), OPEN(100), OPEN(100)}, 10000, LEVEL_EXCELLENT, false},
    {"more than 20 % in two items", {YES(800), OPEN(100), OPEN(101)}, -1, 0, false},
    {"weight counts, not how many", {YES(8000), OPEN(500), OPEN(500), OPEN(500), OPEN(500)}, 10000, LEVEL_EXCELLENT, false},
    {"one of six of equal weight", {YES(1000), YES(1000), YES(1000), YES(1000), NO(1000), OPEN(1000)}, 8000, LEVEL_EXCELLENT, false},
    {"one of five of equal weight", {YES(1000), YES(1000), YES(1000), NO(1000), OPEN(1000)}, 7500, LEVEL_GOOD, false},
    {"one of four of equal weight", {YES(1000), YES(1000), NO(1000), OPEN(1000)}, -1, 0, false},
    {"nothing answered", {OPEN(1000), OPEN(1000)}, -1, 0, false},
    {"largest weights", {YES(1000000), YES(1000000), NO(1000000)}, 6667, LEVEL_GOOD, false},
    {"smallest weight", {SCALE(1, 2)}, 6667, LEVEL_GOOD, false},
};

static void areas(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        scoring_item_t items[ITEMS];
        scoring_area_t got[AREAS];
        enum development_area area = (enum development_area)(i % AREAS);
        int count = items_take(cases[i].items, items, area);
        bool enough = scoring_run(items, count, got);
        if (enough != (cases[i].score >= 0))
            fail_msg("%s: %s", cases[i].what, enough ? "was enough" : "was too little");
        for (int k = 0; k < count; k++)
            if (items[k].missing != (!enough && !items[k].answered))
                fail_msg("%s: item %d", cases[i].what, k);
        if (!enough)
            continue;
        if (got[area].score != cases[i].score || got[area].level != cases[i].level || got[area].critical != cases[i].critical)
            fail_msg("%s: %d, level %d, critical %d", cases[i].what, got[area].score, (int)got[area].level, got[area].critical);
        assert_int_equal(got[area].asked, count);
        for (int k = 0; k < AREAS; k++)
            assert_true(k == (int)area || (got[k].asked == 0 && got[k].answered == 0 && got[k].score == 0));
    }
}

/* Each area by itself; one without questions has no result; only areas with too little are missing something. */
static void together(void **state)
{
    (void)state;
    scoring_item_t items[] = {
        {.area = AREA_LANGUAGE, .type = ANSWER_YES_NO, .weight = 1000, .answered = true, .answer = 1},
        {.area = AREA_EMOTIONAL, .type = ANSWER_SCALE, .weight = 1500, .scale_max = 3, .answered = true, .answer = 1},
        {.area = AREA_LANGUAGE, .type = ANSWER_YES_NO, .weight = 4000, .answered = true, .answer = 0, .critical = true},
        {.area = AREA_SOCIAL, .type = ANSWER_YES_NO, .weight = 800, .answered = true, .answer = 1},
        {.area = AREA_SOCIAL, .type = ANSWER_YES_NO, .weight = 200},
    };
    scoring_area_t got[AREAS];
    assert_true(scoring_run(items, ARRAY_SIZE(items), got));
    assert_int_equal(got[AREA_LANGUAGE].score, 2000);
    assert_true(got[AREA_LANGUAGE].critical);
    assert_int_equal(got[AREA_LANGUAGE].asked, 2);
    assert_int_equal(got[AREA_EMOTIONAL].score, 3333);
    assert_false(got[AREA_EMOTIONAL].critical);
    assert_int_equal(got[AREA_SOCIAL].score, 10000);
    assert_int_equal(got[AREA_SOCIAL].asked, 2);
    assert_int_equal(got[AREA_SOCIAL].answered, 1);
    assert_int_equal(got[AREA_GROSS_MOTOR].asked, 0);
    assert_int_equal(got[AREA_COGNITIVE].asked, 0);
    for (size_t i = 0; i < ARRAY_SIZE(items); i++)
        assert_false(items[i].missing);

    items[1].answered = false;
    assert_false(scoring_run(items, ARRAY_SIZE(items), got));
    for (size_t i = 0; i < ARRAY_SIZE(items); i++)
        assert_int_equal(items[i].missing, i == 1); /* not the fifth: its area has enough */

    assert_true(scoring_run(items, 0, got));
    for (int i = 0; i < AREAS; i++)
        assert_int_equal(got[i].asked, 0);
}

static void most_items(void **state)
{
    (void)state;
    static scoring_item_t items[SCORING_ITEMS_MOST];
    scoring_area_t got[AREAS];
    for (int i = 0; i < SCORING_ITEMS_MOST; i++)
        items[i] = (scoring_item_t){.area = AREA_SOCIAL, .type = ANSWER_SCALE, .weight = SCORING_WEIGHT_MOST, .scale_max = 20,
            .answered = true, .answer = 20};
    assert_true(scoring_run(items, SCORING_ITEMS_MOST, got));
    assert_int_equal(got[AREA_SOCIAL].score, 10000);
}

static void answers_fit(void **state)
{
    static const struct {
        scoring_item_t item;
        bool fits;
    } answers[] = {
        {YES(1), true}, {NO(1), true}, {{.type = ANSWER_YES_NO, .answer = 2}, false}, {{.type = ANSWER_YES_NO, .answer = -1}, false},
        {SCALE(1, 0), true}, {SCALE(1, 3), true}, {SCALE(1, 4), false}, {SCALE(1, -1), false},
        {SCALE_OF(1, 1, 5, 0), false}, {SCALE_OF(1, 1, 5, 1), true}, {SCALE_OF(1, 1, 5, 5), true}, {SCALE_OF(1, 1, 5, 6), false},
        {OPTION(1, 0), true}, {OPTION(1, 1000), true}, {OPTION(1, 1001), false}, {OPTION(1, -1), false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        if (scoring_answer_fits(&answers[i].item) != answers[i].fits)
            fail_msg("answer %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(areas), cmocka_unit_test(together), cmocka_unit_test(most_items),
        cmocka_unit_test(answers_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
