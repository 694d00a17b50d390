/* What was lost between brokers is noticed: with the next news or the next beat, and never later. */
#include "../unit.h"
#include "broker/sequence.h"

static sequences_t others;

static uuid_t broker(int number)
{
    uuid_t id = {{0}};
    memcpy(id.bytes, &number, sizeof(number));
    return id;
}

static int empty(void **state)
{
    (void)state;
    others.count = 0;
    return 0;
}

static void test_run(void **state)
{
    static const struct {
        int64_t number;
        bool is_news;
        enum sequence_verdict verdict;
    } steps[] = {
        {0, false, SEQUENCE_STRANGER}, /* its first beat */
        {1, true, SEQUENCE_NEXT},
        {1, false, SEQUENCE_KNOWN},
        {2, true, SEQUENCE_NEXT},
        {3, true, SEQUENCE_NEXT},
        {5, true, SEQUENCE_GAP}, /* 4 is missing */
        {6, true, SEQUENCE_NEXT}, /* told once */
        {7, false, SEQUENCE_GAP}, /* 7 is missing, and nothing came after it */
        {7, false, SEQUENCE_KNOWN},
        {8, true, SEQUENCE_NEXT},
        {8, true, SEQUENCE_GAP}, /* twice? */
        {2, false, SEQUENCE_GAP}, /* backwards? */
        {3, true, SEQUENCE_NEXT},
        {INT64_MAX, true, SEQUENCE_GAP}, /* anybody who may publish can say this */
        {INT64_MIN, true, SEQUENCE_GAP}, /* there is no number after the largest */
        {INT64_MIN + 1, true, SEQUENCE_NEXT},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        assert_int_equal(sequence_take(&others, broker(1), steps[i].number, steps[i].is_news, (int64_t)i), steps[i].verdict);
    assert_int_equal(others.count, 1);
}

static void test_each_its_own(void **state)
{
    (void)state;
    assert_int_equal(sequence_take(&others, broker(1), 5, true, 1), SEQUENCE_STRANGER); /* we came in the middle */
    assert_int_equal(sequence_take(&others, broker(2), 0, false, 2), SEQUENCE_STRANGER);
    assert_int_equal(sequence_take(&others, broker(1), 6, true, 3), SEQUENCE_NEXT);
    assert_int_equal(sequence_take(&others, broker(2), 1, true, 4), SEQUENCE_NEXT);
    assert_int_equal(sequence_take(&others, broker(1), 8, true, 5), SEQUENCE_GAP);
    assert_int_equal(sequence_take(&others, broker(2), 1, false, 6), SEQUENCE_KNOWN);
}

/* The one that is silent longest gives way, and is a stranger when it comes back. */
static void test_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < SEQUENCE_BROKERS_MAX; i++)
        assert_int_equal(sequence_take(&others, broker(i), 1, true, i), SEQUENCE_STRANGER);
    assert_int_equal(sequence_take(&others, broker(0), 2, true, 1000), SEQUENCE_NEXT);
    assert_int_equal(sequence_take(&others, broker(777), 1, true, 1001), SEQUENCE_STRANGER); /* in the place of 1 */
    assert_int_equal(others.count, SEQUENCE_BROKERS_MAX);
    assert_int_equal(sequence_take(&others, broker(0), 3, true, 1002), SEQUENCE_NEXT);
    assert_int_equal(sequence_take(&others, broker(2), 2, true, 1003), SEQUENCE_NEXT);
    assert_int_equal(sequence_take(&others, broker(1), 2, true, 1004), SEQUENCE_STRANGER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_run, empty), cmocka_unit_test_setup(test_each_its_own, empty),
        cmocka_unit_test_setup(test_bounded, empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
