/* actors/accounts/user_state.c: every state with every step. */
#include "../unit.h"
#include "../../../actors/accounts/messages.h"

static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        enum user_step step;
        const char *to; /* NULL: no way */
    } cases[] = {
        {"active", STEP_SUSPEND, "suspended"},
        {"active", STEP_REINSTATE, "active"},
        {"active", STEP_DELETE, "deleted"},
        {"active", STEP_RESTORE, NULL},
        {"active", STEP_ERASE, NULL},
        {"active", STEP_FORGET, NULL},
        {"suspended", STEP_SUSPEND, "suspended"},
        {"suspended", STEP_REINSTATE, "active"},
        {"suspended", STEP_DELETE, "deleted"},
        {"suspended", STEP_RESTORE, NULL},
        {"suspended", STEP_ERASE, NULL},
        {"suspended", STEP_FORGET, NULL},
        {"deleted", STEP_SUSPEND, NULL},
        {"deleted", STEP_REINSTATE, NULL},
        {"deleted", STEP_DELETE, NULL},
        {"deleted", STEP_RESTORE, "active"},
        {"deleted", STEP_ERASE, "erasing"},
        {"deleted", STEP_FORGET, NULL},
        {"erasing", STEP_SUSPEND, NULL},
        {"erasing", STEP_REINSTATE, NULL},
        {"erasing", STEP_DELETE, NULL},
        {"erasing", STEP_RESTORE, NULL},
        {"erasing", STEP_ERASE, NULL},
        {"erasing", STEP_FORGET, "erased"},
        {"erased", STEP_SUSPEND, NULL},
        {"erased", STEP_REINSTATE, NULL},
        {"erased", STEP_DELETE, NULL},
        {"erased", STEP_RESTORE, NULL},
        {"erased", STEP_ERASE, NULL},
        {"erased", STEP_FORGET, NULL},
    };
    assert_int_equal(ARRAY_SIZE(cases), USER_STATUSES * USER_STEPS);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        enum user_status from = (enum user_status)(i / USER_STEPS);
        assert_string_equal(user_statuses[from], cases[i].from);
        assert_int_equal(cases[i].step, i % USER_STEPS);
        enum user_status to = user_state_next(from, cases[i].step);
        assert_int_equal(to == USER_NO_WAY, cases[i].to == NULL);
        if (cases[i].to)
            assert_string_equal(user_statuses[to], cases[i].to);
    }
    assert_null(user_statuses[USER_STATUSES]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
