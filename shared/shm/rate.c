/* rate: a set-associative table of GCRA buckets, zero-filled memory being an empty one. A bucket is two
 * words: the keyed hash of its client, and its theoretical arrival time. Each word changes by
 * compare-and-swap, the pair does not: when a bucket changes hands just while it is counted, one request is
 * counted for the wrong client. Nothing worse can come of it, whoever dies where, and nobody ever waits. A
 * time in the past is the same as no bucket. */
#include "rate.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "../base/siphash.h"

enum { WAYS = 8, NAME_MAX_SIZE = 320 };

typedef struct {
    _Atomic uint64_t client; /* 0: never used */
    _Atomic int64_t arrival; /* microseconds, as clock_now() */
} bucket_t;

typedef struct {
    _Alignas(64) bucket_t buckets[WAYS];
} set_t;

_Static_assert(sizeof(set_t) == 128, "two cache lines");

static uint64_t client_hash(segment_t *segment, const char *class, text_t key)
{
    char name[NAME_MAX_SIZE];
    size_t class_size = strlen(class) + 1; /* its NUL keeps ("a", "bc") and ("ab", "c") apart */

    insist(class_size < 64);
    if (key.length > sizeof(name) - class_size)
        key.length = sizeof(name) - class_size;
    memcpy(name, class, class_size);
    if (key.length > 0)
        memcpy(name + class_size, key.data, key.length);
    uint64_t hash = siphash(segment_hash_key(segment), name, class_size + key.length);
    return hash ? hash : 1;
}

/* The client's bucket; when it has none, the one of its set that empties first becomes it. */
static bucket_t *bucket_find(set_t *set, uint64_t client, int64_t now)
{
    for (;;) {
        bucket_t *victim = NULL;
        int64_t earliest = INT64_MAX;
        for (int i = 0; i < WAYS; i++) {
            bucket_t *bucket = &set->buckets[i];
            int64_t arrival = atomic_load(&bucket->arrival);
            if (atomic_load(&bucket->client) == client)
                return bucket;
            if (arrival < earliest) {
                earliest = arrival;
                victim = bucket;
            }
        }
        uint64_t former = atomic_load(&victim->client);
        if (former == client || !atomic_compare_exchange_strong(&victim->client, &former, client))
            continue;       /* somebody was quicker: look again */
        if (earliest > now) /* it was still in use; its debt is not ours */
            atomic_compare_exchange_strong(&victim->arrival, &earliest, now);
        return victim;
    }
}

static int64_t seconds_up(int64_t microseconds)
{
    return microseconds <= 0 ? 0 : (microseconds + CLOCK_SECOND - 1) / CLOCK_SECOND;
}

rate_result_t rate_charge(segment_t *segment, const char *class, text_t key, int64_t cost, int64_t limit,
    int64_t window, int64_t now)
{
    size_t size;
    set_t *sets = segment_rate_table(segment, &size);
    insist(cost > 0 && limit > 0 && window >= limit && window <= 366 * CLOCK_DAY && size >= sizeof(set_t));
    uint64_t client = client_hash(segment, class, key);
    bucket_t *bucket = bucket_find(&sets[(client >> 8) % (size / sizeof(set_t))], client, now);
    int64_t interval = window / limit, capacity = interval * limit;
    int64_t arrival = atomic_load(&bucket->arrival), start, next;

    do {
        /* So far ahead it can only be when the clock was put back: such a client starts anew. */
        start = arrival < now || arrival > now + capacity + window ? now : arrival;
        next = start + interval * cost;
        if (next - now > capacity)
            return (rate_result_t){.allowed = false,
                .limit = limit,
                .remaining = 0,
                .reset = seconds_up(start - now),
                .retry_after = seconds_up(next - now - capacity)};
    } while (!atomic_compare_exchange_weak(&bucket->arrival, &arrival, next));
    return (rate_result_t){.allowed = true,
        .limit = limit,
        .remaining = (capacity - (next - now)) / interval,
        .reset = seconds_up(next - now)};
}

rate_result_t rate_check(
    segment_t *segment, const char *class, text_t key, int64_t limit, int64_t window, int64_t now)
{
    return rate_charge(segment, class, key, 1, limit, window, now);
}
