/* yielding: the alarms come while the work lasts, and no longer. */
#include "../unit.h"
#include "base/yielding.h"
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <time.h>

/* Whether a signal came within the 100 ms. */
static bool interrupted(void)
{
    return nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL) != 0 && errno == EINTR;
}

/* Among others of its group who yields would starve. */
static void only_if_idle(void **state)
{
    (void)state;
    assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}), 0);
    yielding_begin();
    assert_false(interrupted());
    yielding_end();
}

static void while_it_lasts(void **state)
{
    (void)state;
    assert_int_equal(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}), 0);
    for (int round = 0; round < 3; round++) {
        assert_false(interrupted());
        yielding_begin();
        for (int i = 0; i < 10; i++)
            assert_true(interrupted());
        yielding_end();
    }
    assert_false(interrupted());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_if_idle), cmocka_unit_test(while_it_lasts)};
    return cmocka_run_group_tests_name("base/yielding", tests, NULL, NULL);
}
