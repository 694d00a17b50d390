#include "../unit.h"
#include "shm/priority.h"
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>


enum { NICE = 5, SLICE = 100000000 };

/* Of its session, by the kernel; NICE where it has no such thing. */
static int nice_of_session(void)
{
    int nice = NICE;
    FILE *file = fopen("/proc/self/autogroup", "r");
    if (file == NULL)
        return NICE;
    if (fscanf(file, "/autogroup-%*d nice %d", &nice) != 1)
        nice = NICE; /* none for this process: it stands in a control group */
    fclose(file);
    return nice;
}

/* Nanoseconds; 0 by kernels that know none. */
static uint64_t slice_of_self(void)
{
    uint64_t attributes[6] = {0};
    return syscall(SYS_sched_getattr, 0, attributes, sizeof(attributes), 0) == 0 ? attributes[3] : 0;
}

/* Does the kernel weigh sessions at all? */
static bool weighs_sessions(void)
{
    int enabled = 0;
    FILE *file = fopen("/proc/sys/kernel/sched_autogroup_enabled", "r");
    if (file == NULL)
        return false;
    if (fscanf(file, "%d", &enabled) != 1)
        enabled = 0;
    fclose(file);
    return enabled == 1;
}

/* In a process of its own: who was lowered cannot rise again without a privilege. The number of what is wrong. */
static int in_child(bool session)
{
    pid_t child = fork();
    if (child == 0) {
        int before = nice_of_session(), status = 0;
        bool knows_slices = slice_of_self() != 0;
        if (session)
            setsid();
        priority_prepare();
        if (getpriority(PRIO_PROCESS, 0) == NICE)
            status |= 16; /* too early: it begins as others do */
        priority_lower(NICE);
        if (getpriority(PRIO_PROCESS, 0) != NICE)
            status |= 1;
        if (nice_of_session() != (session ? NICE : before))
            status |= 2;
        /* With the policy that starves, only a weight of its own keeps it alive. */
        int policy = sched_getscheduler(0);
        if (policy != SCHED_OTHER && (policy != SCHED_IDLE || !session || !weighs_sessions()))
            status |= 4;
        if (policy == SCHED_OTHER && knows_slices && slice_of_self() != SLICE)
            status |= 8;
        _exit(status);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void lowered(void **state)
{
    (void)state;
    assert_int_equal(in_child(true), 0);
}

/* Run by hand, it is not the shell's session that is lowered. */
static void no_others(void **state)
{
    (void)state;
    assert_int_equal(in_child(false), 0);
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(lowered), cmocka_unit_test(no_others)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
