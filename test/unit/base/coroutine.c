/* coroutine: order of switches, many at a time, reuse of stacks, non-local exits inside one. */
#include "../unit.h"
#include "base/coroutine.h"

enum { MANY = 32 };

static char trace[64];

static void mark(char c)
{
    trace[strlen(trace)] = c;
}

static coroutine_t *suspended[MANY];

static void two_steps(void *argument)
{
    mark('a');
    *(coroutine_t **)argument = coroutine_current();
    coroutine_suspend();
    mark('c');
}

static void test_order(void **state)
{
    (void)state;
    coroutine_t *self = NULL;
    memset(trace, 0, sizeof trace);
    coroutine_start(two_steps, &self);
    mark('b');
    assert_null(coroutine_current());
    assert_int_equal(coroutine_count(), 1);
    coroutine_resume(self);
    mark('d');
    assert_string_equal(trace, "abcd");
    assert_int_equal(coroutine_count(), 0);
}

static void count_down(void *argument)
{
    int number = (int)(intptr_t)argument;
    volatile char local[2048]; /* each has its own stack: nobody else may touch this */
    memset((char *)local, number, sizeof local);
    for (int i = 0; i < number; i++) {
        suspended[number] = coroutine_current();
        coroutine_suspend();
        for (size_t j = 0; j < sizeof local; j++)
            assert_int_equal(local[j], number);
    }
    suspended[number] = NULL;
}

static void test_many(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) { /* the second round runs on the stacks of the first */
        for (int i = 0; i < MANY; i++) {
            assert_true(coroutine_available());
            coroutine_start(count_down, (void *)(intptr_t)i);
        }
        for (int left = MANY; left > 0;) {
            left = 0;
            for (int i = 0; i < MANY; i++)
                if (suspended[i]) {
                    coroutine_resume(suspended[i]);
                    left++;
                }
        }
        assert_int_equal(coroutine_count(), 0);
    }
}

static void hold(void *argument)
{
    suspended[(int)(intptr_t)argument] = coroutine_current();
    coroutine_suspend();
    suspended[(int)(intptr_t)argument] = NULL;
}

static void test_bound(void **state)
{
    (void)state;
    int started = 0;
    while (coroutine_available() && started < MANY)
        coroutine_start(hold, (void *)(intptr_t)started++);
    assert_int_equal(started, MANY);
    assert_false(coroutine_available());
    coroutine_resume(suspended[3]);
    assert_true(coroutine_available());
    for (int i = 0; i < MANY; i++)
        if (suspended[i])
            coroutine_resume(suspended[i]);
}

static jmp_buf back;

static void deep(int levels)
{
    char filler[64];
    memset(filler, levels, sizeof filler);
    if (levels > 0)
        deep(levels - 1);
    if (filler[5] == 0) /* the deepest comes here first */
        _longjmp(back, 7);
}

static void jumps(void *argument)
{
    if (_setjmp(back) == 0)
        deep(20);
    *(coroutine_t **)argument = coroutine_current();
    coroutine_suspend();
    if (_setjmp(back) == 0)
        deep(10);
    mark('j');
}

static void test_jump_inside(void **state)
{
    (void)state;
    coroutine_t *self = NULL;
    memset(trace, 0, sizeof trace);
    coroutine_start(jumps, &self);
    coroutine_resume(self);
    assert_string_equal(trace, "j");
}

static void use_stack(void *argument)
{
    volatile char deep[100000];
    (void)argument;
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = 1;
}

static void test_peak(void **state)
{
    (void)state;
    size_t before = coroutine_stack_peak();
    assert_true(before > 0 && before < 64 * 1024);
    coroutine_start(use_stack, NULL);
    size_t peak = coroutine_stack_peak();
    assert_true(peak >= 100000 && peak < 100000 + 32 * 1024);
}

int main(void)
{
    coroutine_configure(MANY, 256 * 1024);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_jump_inside),
        cmocka_unit_test(test_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
