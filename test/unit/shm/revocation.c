#include "rig.h"
#include "base/clock.h"
#include "shm/revocation.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MINUTE (60 * CLOCK_SECOND)

/* revocation.c's layout, for the tests that make a holder die: sets of 256 bytes after a head of 64. */
enum { HEAD = 64, SET = 256, HOLDER = 192 };

static int64_t of_user(uuid_t user, int64_t now)
{
    return revocation_not_before(segment, uuid_random(), user, now);
}

static void basics(void **state)
{
    int64_t now = clock_now();
    uuid_t user = uuid_new(), session = uuid_new(), other = uuid_new();
    uint64_t version = revocation_version(segment);
    (void)state;
    assert_int_equal(revocation_not_before(segment, session, user, now), 0);
    revocation_set(segment, session, now, now + 15 * MINUTE);
    assert_true(revocation_version(segment) > version);
    assert_true(revocation_not_before(segment, session, user, now) == now);
    assert_int_equal(revocation_not_before(segment, other, user, now), 0);
    assert_true(revocation_ended(segment, session, now));
    assert_false(revocation_ended(segment, session, now + 16 * MINUTE));
    /* The later of both counts; a time is never lowered. */
    revocation_set(segment, user, now + 5, now + 15 * MINUTE);
    assert_true(revocation_not_before(segment, session, user, now) == now + 5);
    assert_true(revocation_not_before(segment, other, user, now) == now + 5);
    assert_false(revocation_ended(segment, other, now));
    revocation_set(segment, user, now - 7, now + MINUTE);
    assert_true(revocation_not_before(segment, other, user, now + 10 * MINUTE) == now + 5);
    revocation_set(segment, user, now + 9, now + MINUTE);
    assert_true(revocation_not_before(segment, other, user, now + 15 * MINUTE) == now + 9);
    /* Forgotten after its time. */
    assert_int_equal(revocation_not_before(segment, session, user, now + 16 * MINUTE), 0);
    revocation_set(segment, other, now, INT64_MAX);
    assert_true(of_user(other, INT64_MAX - CLOCK_DAY) == now);
}

/* Ended entries give their places: a year of them leaves the global time where it was. */
static void reuse(void **state)
{
    int64_t now = clock_now();
    (void)state;
    for (int i = 0; i < 300000; i++)
        revocation_set(segment, uuid_random(), now - 20 * MINUTE, now - 5 * MINUTE);
    assert_int_equal(of_user(uuid_random(), now), 0);
    /* Five thousand that matter fit. */
    uuid_t subjects[5000];
    for (int i = 0; i < 5000; i++) {
        subjects[i] = uuid_random();
        revocation_set(segment, subjects[i], now + i, now + 15 * MINUTE);
    }
    for (int i = 0; i < 5000; i++)
        assert_true(of_user(subjects[i], now) >= now + i);
}

/* Too many that matter: nobody slips through, everybody refreshes. */
static void overflow(void **state)
{
    enum { MANY = 60000 };
    static uuid_t subjects[MANY];
    int64_t now = clock_now();
    (void)state;
    for (int i = 0; i < MANY; i++) {
        subjects[i] = uuid_random();
        revocation_set(segment, subjects[i], now + i, now + 15 * MINUTE);
        assert_true(of_user(subjects[i], now) >= now + i);
    }
    for (int i = 0; i < MANY; i++)
        assert_true(of_user(subjects[i], now) >= now + i);
    assert_true(of_user(uuid_random(), now) > 0);
}

static void holders_set(pid_t pid)
{
    size_t size;
    char *table = segment_revocation_table(segment, &size);
    for (size_t at = HEAD; at + SET <= size; at += SET)
        atomic_store((_Atomic int32_t *)(void *)(table + at + HOLDER), pid);
}

/* Every set is held by a process that is gone. */
static void dead_holder(void **state)
{
    uuid_t subjects[200];
    int64_t now = clock_now(), before = of_user(uuid_random(), now);
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    holders_set(child);
    for (int i = 0; i < 200; i++) {
        subjects[i] = uuid_random();
        revocation_set(segment, subjects[i], now, now + MINUTE);
    }
    for (int i = 0; i < 200; i++)
        assert_true(of_user(subjects[i], now) == now);
    assert_true(of_user(uuid_random(), now) == before); /* without raising the global time */
    holders_set(0);
}

/* Every set is held by a process that lives but does not go on: nobody waits for it, and nobody slips
 * through. */
static void stuck_holder(void **state)
{
    int64_t now = clock_now(), begin = clock_monotonic();
    uuid_t subject = uuid_random();
    (void)state;
    holders_set(getppid());
    revocation_set(segment, subject, now, now + MINUTE);
    assert_true(clock_monotonic() - begin < CLOCK_SECOND);
    assert_true(of_user(subject, now) == now);
    assert_true(of_user(uuid_random(), now) == now); /* the global time was raised */
    holders_set(0);
}

/* What the writers of the next test have finished: written after revocation_set returned. */
typedef struct {
    _Atomic uint64_t count;
    struct {
        uuid_t subject;
        int64_t not_before;
    } done[20000];
} journal_t;

static void write_forever(journal_t *journal, int64_t now)
{
    for (uint64_t i = 0; i < ARRAY_SIZE(journal->done); i++) {
        uuid_t subject = i % 3 ? uuid_random() : journal->done[i / 2].subject;
        int64_t not_before = now + (int64_t)i;
        /* A third of them ended long ago, so that places are reused all the time. */
        int64_t until = i % 3 == 1 ? now - 10 * MINUTE : now + 15 * MINUTE;
        revocation_set(segment, subject, not_before, until);
        journal->done[i].subject = subject;
        journal->done[i].not_before = until > now ? not_before : 0;
        atomic_store(&journal->count, i + 1);
    }
    pause();
}

/* Writers are killed anywhere, readers look on: what was set and returned is found by all, at once and for
 * ever. */
static void killed_writers(void **state)
{
    enum { WRITERS = 3, ROUNDS = 12 };
    journal_t *journals =
        mmap(NULL, sizeof(journal_t) * WRITERS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(journals != MAP_FAILED);
    int64_t now = clock_now();
    uint64_t checked = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t writers[WRITERS];
        for (int i = 0; i < WRITERS; i++) {
            atomic_store(&journals[i].count, 0);
            if ((writers[i] = fork()) == 0) {
                write_forever(&journals[i], now);
                _exit(0);
            }
        }
        int64_t end = clock_monotonic() + 20 * CLOCK_MILLISECOND + round * 3 * CLOCK_MILLISECOND;
        while (clock_monotonic() < end)
            for (int i = 0; i < WRITERS; i++) {
                uint64_t count = atomic_load(&journals[i].count);
                if (count > 0 && of_user(journals[i].done[count - 1].subject, now) <
                                     journals[i].done[count - 1].not_before)
                    fail_msg("a returned entry was not there");
            }
        for (int i = 0; i < WRITERS; i++)
            kill(writers[i], SIGKILL);
        for (int i = 0; i < WRITERS; i++)
            waitpid(writers[i], NULL, 0);
        for (int i = 0; i < WRITERS; i++)
            for (uint64_t k = 0; k < atomic_load(&journals[i].count); k++, checked++)
                if (of_user(journals[i].done[k].subject, now) < journals[i].done[k].not_before)
                    fail_msg("entry %llu of writer %d is lost", (unsigned long long)k, i);
    }
    assert_true(checked > 100);
    munmap(journals, sizeof(journal_t) * WRITERS);
}

/* Threads that set the same few subjects: the latest time wins. */
static uuid_t contested[16];

static void *contest(void *argument)
{
    int64_t now = *(int64_t *)argument;
    for (int i = 0; i < 5000; i++)
        revocation_set(segment, contested[i % 16], now + i, now + 15 * MINUTE);
    return NULL;
}

static void threads(void **state)
{
    pthread_t ids[4];
    int64_t now = clock_now();
    uint64_t version = revocation_version(segment);
    (void)state;
    for (int i = 0; i < 16; i++)
        contested[i] = uuid_random();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, contest, &now), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(ids[i], NULL);
    for (int i = 0; i < 16; i++)
        assert_true(of_user(contested[i], now) >= now + 4984);
    assert_true(revocation_version(segment) == version + 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(basics, make),
        cmocka_unit_test_setup(reuse, make), cmocka_unit_test_setup(dead_holder, make),
        cmocka_unit_test_setup(stuck_holder, make), cmocka_unit_test_setup(killed_writers, make),
        cmocka_unit_test_setup(threads, make), cmocka_unit_test_setup(overflow, make)};
    return cmocka_run_group_tests_name("shm/revocation", tests, NULL, NULL);
}
