#include "rig.h"
#include "base/clock.h"
#include "shm/rate.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MINUTE (60 * CLOCK_SECOND)
#define NOW (INT64_C(1767225600) * CLOCK_SECOND)

static void burst(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        rate_result_t result = rate_check(segment, "api", TEXT("10.0.0.1"), 100, MINUTE, NOW);
        assert_true(result.allowed);
        assert_int_equal(result.limit, 100);
        assert_int_equal(result.remaining, 99 - i);
        assert_int_equal(result.reset, (i + 1) * 600 / 1000 + ((i + 1) * 600 % 1000 != 0));
        assert_int_equal(result.retry_after, 0);
    }
    rate_result_t refused = rate_check(segment, "api", TEXT("10.0.0.1"), 100, MINUTE, NOW);
    assert_false(refused.allowed);
    assert_int_equal(refused.remaining, 0);
    assert_int_equal(refused.retry_after, 1);
    assert_int_equal(refused.reset, 60);
    /* Refusals cost nothing: one interval later one is allowed, and one only. */
    for (int i = 0; i < 1000; i++)
        assert_false(rate_check(segment, "api", TEXT("10.0.0.1"), 100, MINUTE, NOW + 599999).allowed);
    assert_true(rate_check(segment, "api", TEXT("10.0.0.1"), 100, MINUTE, NOW + 600000).allowed);
    assert_false(rate_check(segment, "api", TEXT("10.0.0.1"), 100, MINUTE, NOW + 600000).allowed);
    /* A minute later all of it. */
    for (int i = 0; i < 100; i++)
        assert_true(rate_check(segment, "api", TEXT("10.0.0.1"), 100, MINUTE, NOW + 2 * MINUTE).allowed);
    assert_false(rate_check(segment, "api", TEXT("10.0.0.1"), 100, MINUTE, NOW + 2 * MINUTE).allowed);
}

static void lumps(void **state)
{
    (void)state;
    assert_int_equal(rate_charge(segment, "lump", TEXT("a"), 60, 100, MINUTE, NOW).remaining, 40);
    assert_false(rate_charge(segment, "lump", TEXT("a"), 41, 100, MINUTE, NOW).allowed);
    assert_int_equal(rate_charge(segment, "lump", TEXT("a"), 40, 100, MINUTE, NOW).remaining, 0);
    assert_false(rate_check(segment, "lump", TEXT("a"), 100, MINUTE, NOW).allowed);
    assert_false(rate_charge(segment, "lump", TEXT("b"), 101, 100, MINUTE, NOW).allowed);
}

static void apart(void **state)
{
    (void)state;
    /* Other clients, other classes; a class and a key do not run into each other. */
    for (int i = 0; i < 5; i++)
        assert_true(rate_check(segment, "login", TEXT("10.0.0.1"), 5, MINUTE, NOW).allowed);
    rate_result_t refused = rate_check(segment, "login", TEXT("10.0.0.1"), 5, MINUTE, NOW);
    assert_false(refused.allowed);
    assert_int_equal(refused.retry_after, 12);
    assert_true(rate_check(segment, "login", TEXT("10.0.0.2"), 5, MINUTE, NOW).allowed);
    assert_true(rate_check(segment, "log", TEXT("in10.0.0.1"), 1, MINUTE, NOW).allowed);
    assert_true(rate_check(segment, "logi", TEXT("n10.0.0.1"), 1, MINUTE, NOW).allowed);
    assert_true(rate_check(segment, "x", (text_t){0}, 1, MINUTE, NOW).allowed);
    assert_false(rate_check(segment, "x", TEXT(""), 1, MINUTE, NOW).allowed);
    /* A key of any length. */
    char key[2000];
    memset(key, 'k', sizeof(key));
    assert_true(rate_check(segment, "long", (text_t){key, sizeof(key)}, 1, MINUTE, NOW).allowed);
    assert_false(rate_check(segment, "long", (text_t){key, sizeof(key)}, 1, MINUTE, NOW).allowed);
}

/* Limits that do not divide their window allow exactly so many. */
static void uneven(void **state)
{
    static const int64_t limits[] = {1, 3, 7, 11, 13, 999, 1000000};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        char key[32];
        int64_t allowed = 0;
        int length = snprintf(key, sizeof(key), "uneven %zu", i);
        while (rate_check(segment, "api", (text_t){key, (size_t)length}, limits[i], MINUTE, NOW).allowed)
            allowed++;
        assert_int_equal(allowed, limits[i]);
    }
}

/* The clock put back by an hour locks nobody out. */
static void clock_back(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        rate_check(segment, "api", TEXT("back"), 100, MINUTE, NOW);
    assert_false(rate_check(segment, "api", TEXT("back"), 100, MINUTE, NOW - CLOCK_SECOND).allowed);
    assert_true(rate_check(segment, "api", TEXT("back"), 100, MINUTE, NOW - 3600 * CLOCK_SECOND).allowed);
}

/* More clients than the table has places: everybody is served, an abuser who keeps on stays known for most of
 * the time. */
static void crowd(void **state)
{
    (void)state;
    char key[32];
    int64_t refused_strangers = 0, allowed_abuse = 0;
    for (int i = 0; i < 400000; i++) {
        int length = snprintf(key, sizeof(key), "stranger %d", i);
        refused_strangers +=
            !rate_check(segment, "api", (text_t){key, (size_t)length}, 100, MINUTE, NOW + i).allowed;
        if (i % 10 == 0)
            allowed_abuse += rate_check(segment, "api", TEXT("abuser"), 100, MINUTE, NOW + i).allowed;
    }
    assert_int_equal(refused_strangers, 0);
    assert_true(allowed_abuse < 110);
}

/* Several processes count one client together, without losing or inventing a request. */
static void processes(void **state)
{
    enum { PROCESSES = 4, TRIES = 50000, LIMIT = 30000 };
    _Atomic int64_t *allowed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    (void)state;
    assert_true(allowed != MAP_FAILED);
    /* The bucket is there before they start. */
    assert_true(rate_check(segment, "api", TEXT("shared"), LIMIT, MINUTE, NOW).allowed);
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            for (int k = 0; k < TRIES; k++)
                if (rate_check(segment, "api", TEXT("shared"), LIMIT, MINUTE, NOW).allowed)
                    atomic_fetch_add(allowed, 1);
            _exit(0);
        }
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(atomic_load(allowed), LIMIT - 1);
    munmap((void *)(uintptr_t)allowed, 4096);
}

/* Threads that fight for the places of a full table. */
static void *fight(void *argument)
{
    char key[32];
    int64_t refused = 0;
    for (int i = 0; i < 100000; i++) {
        int length =
            snprintf(key, sizeof(key), "fighter %d", (i * 7919 + (int)(intptr_t)argument * 31) % 300000);
        refused +=
            !rate_check(segment, "fight", (text_t){key, (size_t)length}, 1000, MINUTE, NOW + i).allowed;
    }
    return (void *)(intptr_t)refused;
}

static void threads(void **state)
{
    enum { THREADS = 4 };
    pthread_t ids[THREADS];
    (void)state;
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, fight, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *refused;
        pthread_join(ids[i], &refused);
        assert_null(refused);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(burst), cmocka_unit_test(lumps),
        cmocka_unit_test(apart),
        cmocka_unit_test(uneven), cmocka_unit_test(clock_back), cmocka_unit_test(processes),
        cmocka_unit_test(crowd), cmocka_unit_test(threads)};
    return cmocka_run_group_tests_name("shm/rate", tests, make, NULL);
}
