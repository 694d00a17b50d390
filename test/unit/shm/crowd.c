#include "rig.h"
#include "shm/crowd.h"

static void adds_up(void **state)
{
    (void)state;
    int first = crowd_begin(segment, start(3, INSTANCE_STARTING)), second = crowd_begin(segment, start(5, INSTANCE_READY));
    int third = crowd_begin(segment, start(6, INSTANCE_DRAINING));
    assert_int_equal(first, 3);
    assert_int_equal(second, 5);
    for (int i = 0; i < 70000; i++)
        crowd_change(segment, first, TEXT("a"), 1);
    crowd_change(segment, second, TEXT("a"), 1);
    crowd_change(segment, third, TEXT("b"), 1);
    assert_int_equal(crowd_elsewhere(segment, first, TEXT("a")), 1);
    assert_int_equal(crowd_elsewhere(segment, second, TEXT("a")), 70000);
    assert_int_equal(crowd_elsewhere(segment, third, TEXT("a")), 70001);
    assert_int_equal(crowd_elsewhere(segment, third, TEXT("b")), 0);
    for (int i = 0; i < 70000; i++)
        crowd_change(segment, first, TEXT("a"), -1);
    assert_int_equal(crowd_elsewhere(segment, third, TEXT("a")), 1);
}

/* A killed instance counts nowhere: not while it is down, not when another one has its row, not in that one's own table. */
static void dies(void **state)
{
    (void)state;
    segment_instance_t *row = start(3, INSTANCE_READY);
    int killed = crowd_begin(segment, row), other = crowd_begin(segment, start(5, INSTANCE_READY));
    crowd_change(segment, killed, TEXT("a"), 1);
    assert_int_equal(crowd_elsewhere(segment, other, TEXT("a")), 1);
    atomic_store(&row->state, INSTANCE_BACKOFF);
    assert_int_equal(crowd_elsewhere(segment, other, TEXT("a")), 0);
    start(3, INSTANCE_STARTING);
    assert_int_equal(crowd_elsewhere(segment, other, TEXT("a")), 0);
    assert_int_equal(crowd_begin(segment, row), killed);
    assert_int_equal(crowd_elsewhere(segment, other, TEXT("a")), 0);
    crowd_change(segment, killed, TEXT("a"), 1);
    assert_int_equal(crowd_elsewhere(segment, other, TEXT("a")), 1);
}

/* Thousands of addresses: hardly one seems to have more than it has. */
static void collides_rarely(void **state)
{
    enum { ADDRESSES = 2000 };
    char key[16];
    int wrong = 0;
    (void)state;
    int one = crowd_begin(segment, start(0, INSTANCE_READY)), other = crowd_begin(segment, start(1, INSTANCE_READY));
    for (int i = 0; i < ADDRESSES; i++) {
        int length = snprintf(key, sizeof(key), "%d", i);
        crowd_change(segment, one, (text_t){key, (size_t)length}, 1);
    }
    for (int i = 0; i < ADDRESSES; i++) {
        int length = snprintf(key, sizeof(key), "%d", i);
        int64_t seen = crowd_elsewhere(segment, other, (text_t){key, (size_t)length});
        assert_true(seen >= 1);
        wrong += seen > 1;
    }
    assert_true(wrong < ADDRESSES / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(adds_up, make),
        cmocka_unit_test_setup(dies, make),
        cmocka_unit_test_setup(collides_rarely, make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
