#include "rig.h"
#include "base/clock.h"
#include "shm/bans.h"

#define S CLOCK_SECOND
#define NOW (INT64_C(1000) * S)

static void ends_by_itself(void **state)
{
    (void)state;
    uint64_t version = bans_version(segment);
    assert_int_equal(bans_until(segment, TEXT("10.0.0.1"), NOW), 0);
    assert_int_equal(bans_add(segment, TEXT("10.0.0.1"), NOW, 5 * S, 60 * S), NOW + 5 * S);
    assert_true(bans_version(segment) != version);
    assert_int_equal(bans_until(segment, TEXT("10.0.0.1"), NOW), NOW + 5 * S);
    assert_int_equal(bans_until(segment, TEXT("10.0.0.1"), NOW + 5 * S - 1), NOW + 5 * S);
    assert_int_equal(bans_until(segment, TEXT("10.0.0.1"), NOW + 5 * S), 0);
    assert_int_equal(bans_until(segment, TEXT("10.0.0.2"), NOW), 0);
}

/* Each soon after the other is twice as long, up to the most; after a while it begins anew. A ban that lasts is no new one. */
static void doubles(void **state)
{
    static const int64_t lengths[] = {5, 10, 20, 40, 60, 60, 60};
    int64_t now = NOW;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        assert_int_equal(bans_add(segment, TEXT("again"), now, 5 * S, 60 * S), now + lengths[i] * S);
        assert_int_equal(bans_add(segment, TEXT("again"), now + S, 5 * S, 60 * S), now + lengths[i] * S);
        now += lengths[i] * S + 59 * S;
    }
    assert_int_equal(bans_add(segment, TEXT("again"), now + 2 * S, 5 * S, 60 * S), now + 2 * S + 5 * S);
}

/* Far more than there is room for: those that end last are kept. */
static void gives_way(void **state)
{
    enum { MANY = 40000 };
    char key[16];
    int kept = 0;
    (void)state;
    bans_add(segment, TEXT("long"), NOW, 600 * S, 600 * S);
    for (int i = 0; i < MANY; i++) {
        int length = snprintf(key, sizeof(key), "%d", i);
        bans_add(segment, (text_t){key, (size_t)length}, NOW + i, 5 * S, 60 * S);
    }
    for (int i = 0; i < MANY; i++) {
        int length = snprintf(key, sizeof(key), "%d", i);
        kept += bans_until(segment, (text_t){key, (size_t)length}, NOW + MANY) != 0;
    }
    assert_true(kept > 4000 && kept < MANY);
    assert_int_equal(bans_until(segment, TEXT("long"), NOW + MANY), NOW + 600 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ends_by_itself, make),
        cmocka_unit_test_setup(doubles, make),
        cmocka_unit_test_setup(gives_way, make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
