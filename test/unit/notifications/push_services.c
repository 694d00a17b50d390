/* How many workers a push service may hold. */
#include "../unit.h"
#include "../../../actors/notifications/push_services.h"
#include <stdlib.h>

static void test_cases(void **state)
{
    (void)state;
    static const struct {
        int holds;
        bool silent;
        int free, without;
        bool may;
    } cases[] = {
        /* a first one, always; but none is none */
        {0, false, 12, 5, true}, {0, false, 1, 5, true}, {0, false, 1, 0, true}, {0, false, 0, 0, false},
        /* further ones, as long as the others can have theirs */
        {1, false, 11, 5, true}, {3, false, 6, 5, true}, {3, false, 5, 5, false}, {1, false, 5, 5, false}, {1, false, 1, 0, true},
        {1, false, 0, 0, false}, {1, false, 1, -1, true},
        {4, false, 8, 0, false}, {5, false, 8, 0, false}, /* all that one may have */
        /* who is silent has one, and leaves two */
        {0, true, 12, 5, true}, {0, true, 3, 0, true}, {0, true, 2, 0, false}, {0, true, 1, 0, false}, {1, true, 11, 0, false},
        {4, true, 8, 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (push_service_may_hold(cases[i].holds, cases[i].silent, cases[i].free, cases[i].without) != cases[i].may)
            fail_msg("case %zu", i);
}

enum { SERVICES_MOST = 20, STEPS = 20000 };

static struct {
    int count, holds[SERVICES_MOST], free;
    bool silent[SERVICES_MOST];
} all;

static bool may(int service)
{
    int without = 0;
    for (int i = 0; i < all.count; i++)
        without += i != service && all.holds[i] == 0;
    return push_service_may_hold(all.holds[service], all.silent[service], all.free, without);
}

/* Someone claims, answers, or gives up. */
static void step(void)
{
    int service = rand() % all.count;
    if (rand() % 2 && may(service)) {
        all.holds[service]++;
        all.free--;
    } else if (all.holds[service] > 0 && rand() % 3 == 0) {
        all.holds[service]--;
        all.free++;
        all.silent[service] = rand() % 2;
    }
}

/* Whatever the others do, and whatever is known of them. */
static void test_each_has_a_worker(void **state)
{
    (void)state;
    srand(1);
    for (all.count = 1; all.count <= SERVICES_MOST; all.count++) {
        all.free = PUSH_WORKERS;
        for (int i = 0; i < all.count; i++)
            all.holds[i] = all.silent[i] = 0;
        for (int i = 0; i < STEPS; i++) {
            step();
            assert_true(all.free >= 0);
            for (int j = 0; j < all.count && all.count <= PUSH_WORKERS; j++)
                if (all.holds[j] == 0 && !all.silent[j] && !may(j))
                    fail_msg("%d services, step %d: none is left", all.count, i);
        }
    }
}

/* What is known to be silent leaves some, also when more are named than there are workers. */
static void test_the_silent_leave_some(void **state)
{
    (void)state;
    all.count = SERVICES_MOST;
    all.free = PUSH_WORKERS;
    for (int i = 0; i < all.count; i++) {
        all.holds[i] = 0;
        all.silent[i] = true;
    }
    for (int i = 0; i < all.count; i++)
        if (may(i)) {
            all.holds[i]++;
            all.free--;
        }
    assert_int_equal(all.free, PUSH_SPEAKING_KEEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases), cmocka_unit_test(test_each_has_a_worker), cmocka_unit_test(test_the_silent_leave_some)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
