/* revocation: a set-associative table, zero-filled memory being an empty one. What always holds: once
 * revocation_set has returned, no reader finds an earlier time for that subject before `until`, whoever died
 * or was stopped in between.
 *
 * Writers of one set exclude each other by a word that names the holder's process; a holder that is gone is
 * replaced, and whoever cannot get the word in time raises the global time instead of waiting on. Readers
 * take no lock and never wait:
 * - An entry's words change in an order in which each intermediate state is an older one or refuses too much:
 *   an entry in use has its `until` raised first, then its `not_before`; both only grow. A free or long
 * expired entry first loses its subject, then gets its times, then its new subject.
 * - A subject is known by a keyed hash of 64 bits; two that collide share the later time, which at worst
 * makes somebody refresh a token. */
#include "revocation.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "../base/siphash.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

enum { WAYS = 8, HOLD_CHECK_EACH = 64 };

/* An entry is reused this long after it ended, so that processes need not agree on the time to the
 * microsecond. */
#define EXPIRED_SLACK (60 * CLOCK_SECOND)
#define HOLD_WAIT (20 * CLOCK_MILLISECOND)

typedef struct {
    _Alignas(64) _Atomic uint64_t subjects[WAYS]; /* 0: free */
    _Atomic int64_t not_before[WAYS], until[WAYS];
    _Atomic int32_t holder; /* the process that writes to this set; 0: none */
} set_t;

typedef struct {
    _Alignas(64) _Atomic int64_t global; /* not-before time of everybody */
    _Atomic uint64_t version;
    set_t sets[];
} table_t;

_Static_assert(sizeof(set_t) == 256, "four cache lines, the subjects in the first");

static table_t *table_get(const segment_t *segment, size_t *sets)
{
    size_t size;
    table_t *table = segment_revocation_table((segment_t *)(uintptr_t)segment, &size);
    insist(size >= sizeof(table_t) + sizeof(set_t));
    *sets = (size - sizeof(table_t)) / sizeof(set_t);
    return table;
}

static uint64_t subject_hash(const segment_t *segment, uuid_t subject)
{
    uint64_t hash = siphash(segment_hash_key(segment), subject.bytes, sizeof(subject.bytes));
    return hash ? hash : 1;
}

static set_t *set_of(table_t *table, size_t sets, uint64_t subject)
{
    return &table->sets[(subject >> 8) % sets];
}

/* Raises, never lowers. */
static void raise_to(_Atomic int64_t *word, int64_t value)
{
    int64_t old = atomic_load(word);
    while (old < value && !atomic_compare_exchange_weak(word, &old, value))
        ;
}

/* False when another living process held the set all the time. */
static bool set_hold(set_t *set)
{
    int32_t own = (int32_t)getpid();
    int64_t deadline = clock_monotonic() + HOLD_WAIT;

    for (int tries = 1;; tries++) {
        int32_t holder = 0;
        if (atomic_compare_exchange_strong(&set->holder, &holder, own))
            return true;
        if (tries % HOLD_CHECK_EACH == 0) {
            /* A dead holder may have been anywhere in its write: each state is good to go on from. */
            if (kill(holder, 0) != 0 && errno == ESRCH &&
                atomic_compare_exchange_strong(&set->holder, &holder, own))
                return true;
            if (clock_monotonic() > deadline)
                return false;
        }
        sched_yield();
    }
}

static void set_release(set_t *set)
{
    atomic_store(&set->holder, 0);
}

/* The subject's entry, or one that is free to become it; -1 when all of the set still matter. */
static int entry_find(set_t *set, uint64_t subject, int64_t now)
{
    int usable = -1;

    for (int i = 0; i < WAYS; i++) {
        uint64_t other = atomic_load(&set->subjects[i]);
        if (other == subject)
            return i;
        if (other == 0 || atomic_load(&set->until[i]) + EXPIRED_SLACK < now)
            usable = i;
    }
    return usable;
}

static void entry_write(set_t *set, int i, uint64_t subject, int64_t not_before, int64_t until)
{
    if (atomic_load(&set->subjects[i]) == subject) {
        raise_to(&set->until[i], until);
        raise_to(&set->not_before[i], not_before);
        return;
    }
    atomic_store(&set->subjects[i], 0);
    atomic_store(&set->until[i], until);
    atomic_store(&set->not_before[i], not_before);
    atomic_store(&set->subjects[i], subject);
}

void revocation_set(segment_t *segment, uuid_t subject, int64_t not_before, int64_t until)
{
    size_t sets;
    table_t *table = table_get(segment, &sets);
    uint64_t hash = subject_hash(segment, subject);
    set_t *set = set_of(table, sets, hash);
    int entry = -1;

    if (until > INT64_MAX - EXPIRED_SLACK)
        until = INT64_MAX - EXPIRED_SLACK;
    if (set_hold(set)) {
        entry = entry_find(set, hash, clock_now());
        if (entry >= 0)
            entry_write(set, entry, hash, not_before, until);
        set_release(set);
    }
    if (entry < 0)
        raise_to(&table->global, not_before);
    /* Last: who fills a cache under the new version has seen the entry. */
    atomic_fetch_add(&table->version, 1);
}

static int64_t subject_not_before(
    const segment_t *segment, table_t *table, size_t sets, uuid_t subject, int64_t now)
{
    uint64_t hash = subject_hash(segment, subject);
    set_t *set = set_of(table, sets, hash);
    int64_t latest = 0;

    for (int i = 0; i < WAYS; i++) {
        if (atomic_load(&set->subjects[i]) != hash)
            continue;
        int64_t not_before = atomic_load(&set->not_before[i]);
        if (atomic_load(&set->until[i]) >= now && not_before > latest)
            latest = not_before;
    }
    return latest;
}

int64_t revocation_not_before(segment_t *segment, uuid_t session, uuid_t user, int64_t now)
{
    size_t sets;
    table_t *table = table_get(segment, &sets);
    int64_t global = atomic_load(&table->global);
    int64_t of_session = subject_not_before(segment, table, sets, session, now);
    int64_t of_user = subject_not_before(segment, table, sets, user, now);
    int64_t latest = of_session > of_user ? of_session : of_user;

    return global > latest ? global : latest;
}

bool revocation_ended(segment_t *segment, uuid_t session, int64_t now)
{
    size_t sets;
    table_t *table = table_get(segment, &sets);
    return subject_not_before(segment, table, sets, session, now) != 0;
}

uint64_t revocation_version(const segment_t *segment)
{
    size_t sets;
    return atomic_load(&table_get(segment, &sets)->version);
}
