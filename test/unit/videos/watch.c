/* Which parts of a video were seen: merging as a table of cases, its bounds, and the text that PostgreSQL keeps. */
#include "../unit.h"
#include "../../../actors/videos/watch.h"
#include <stdio.h>

static arena_t *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(1 << 20, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

/* What was known and what came, one after the other, and what is known then. */
static const struct {
    const char *given;
    int duration;
    const char *merged;
    int seconds;
    bool complete;
} cases[] = {
    {"{}", 100, "{}", 0, false},
    {"{[0,30)}", 100, "{[0,30)}", 30, false},
    {"{[0,30),[30,60)}", 100, "{[0,60)}", 60, false},                  /* they meet */
    {"{[0,30),[31,60)}", 100, "{[0,30),[31,60)}", 59, false},          /* a second is missing */
    {"{[0,30),[10,20)}", 100, "{[0,30)}", 30, false},                  /* within */
    {"{[10,20),[0,30)}", 100, "{[0,30)}", 30, false},
    {"{[10,20),[15,40),[35,50)}", 100, "{[10,50)}", 40, false},        /* a chain */
    {"{[60,70),[0,10),[30,40)}", 100, "{[0,10),[30,40),[60,70)}", 30, false}, /* in any order */
    {"{[5,6),[5,6),[5,6)}", 100, "{[5,6)}", 1, false},                 /* again and again */
    {"{[0,90)}", 100, "{[0,90)}", 90, true},                           /* 90 % */
    {"{[0,89)}", 100, "{[0,89)}", 89, false},
    {"{[0,45),[55,100)}", 100, "{[0,45),[55,100)}", 90, true},         /* of all, not in one piece */
    {"{[50,500)}", 100, "{[50,100)}", 50, false},                      /* cut at the end */
    {"{[100,120),[150,160)}", 100, "{}", 0, false},                    /* behind it */
    {"{[0,1)}", 1, "{[0,1)}", 1, true},
    {"{[0,8)}", 9, "{[0,8)}", 8, false},                               /* 8/9 is less than 90 % */
    {"{[0,77760)}", 86400, "{[0,77760)}", 77760, true},                /* a whole day's video */
};

static void test_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        interval_seen_t seen[WATCH_MOST + WATCH_GIVEN_MOST];
        int count;
        assert_true(watch_read(text_of(cases[i].given), seen, ARRAY_SIZE(seen), &count));
        count = watch_merge(seen, count, cases[i].duration);
        text_t merged = watch_write(arena, seen, count);
        int seconds = watch_time(seen, count);
        if (!text_equal(merged, text_of(cases[i].merged)) || seconds != cases[i].seconds ||
            watch_is_complete(seconds, cases[i].duration) != cases[i].complete)
            fail_msg("%s of %d: %.*s, %d", cases[i].given, cases[i].duration, TEXT_ARG(merged), seconds);
    }
}

/* The same intervals in any order, and merged again, are the same. */
static void test_merge_is_a_union(void **state)
{
    (void)state;
    unsigned seed = 3;
    for (int round = 0; round < 500; round++) {
        interval_seen_t seen[40];
        bool second[200] = {0};
        int count = 1 + rand_r(&seed) % 40, seconds = 0;
        for (int i = 0; i < count; i++) {
            seen[i].start = rand_r(&seed) % 200;
            seen[i].end = seen[i].start + 1 + rand_r(&seed) % 30;
            for (int k = seen[i].start; k < seen[i].end && k < 180; k++)
                second[k] = true;
        }
        count = watch_merge(seen, count, 180);
        for (int k = 0; k < 200; k++)
            seconds += second[k];
        assert_int_equal(watch_time(seen, count), seconds);
        for (int i = 0; i < count; i++)
            assert_true(second[seen[i].start] && second[seen[i].end - 1] && !second[seen[i].end] &&
                        (i == 0 || seen[i - 1].end < seen[i].start));
        assert_int_equal(watch_merge(seen, count, 180), count);
    }
}

static void test_shortest_are_forgotten(void **state)
{
    (void)state;
    interval_seen_t seen[WATCH_MOST + WATCH_GIVEN_MOST];
    for (int i = 0; i < (int)ARRAY_SIZE(seen); i++) /* every third is one second long, the others two */
        seen[i] = (interval_seen_t){.start = i * 4, .end = i * 4 + (i % 3 == 0 ? 1 : 2)};
    int count = watch_merge(seen, ARRAY_SIZE(seen), 86400);
    assert_int_equal(count, WATCH_MOST);
    assert_int_equal(watch_time(seen, count), 2 * WATCH_MOST);
    for (int i = 1; i < count; i++)
        assert_true(seen[i - 1].end < seen[i].start);
}

static void test_text(void **state)
{
    (void)state;
    interval_seen_t seen[3];
    int count;
    static const char *const wrong[] = {"", "{", "}", "[0,1)", "{[0,1)", "{[0,1),}", "{[0,1]}", "{(0,1)}", "{[,1)}", "{[0,)}",
        "{[-1,1)}", "{[0,1)[2,3)}", "{[0,1)} ", "{[0,1),[2,3),[4,5),[6,7)}", "{[99999999999,1)}", "{[a,b)}"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (watch_read(text_of(wrong[i]), seen, ARRAY_SIZE(seen), &count))
            fail_msg("%s was read", wrong[i]);
    interval_seen_t most[WATCH_MOST];
    for (int i = 0; i < WATCH_MOST; i++)
        most[i] = (interval_seen_t){.start = INT32_MAX - 2, .end = INT32_MAX};
    interval_seen_t again[WATCH_MOST];
    assert_true(watch_read(watch_write(arena, most, WATCH_MOST), again, WATCH_MOST, &count));
    assert_int_equal(count, WATCH_MOST);
    assert_memory_equal(most, again, sizeof most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_is_a_union),
        cmocka_unit_test(test_shortest_are_forgotten),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
