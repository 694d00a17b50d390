/* histogram: how long things took, in buckets that never change: up to 100 µs one for each microsecond, then ninety for each
 * power of ten, so that the middle of a bucket is never more than 5 % away from what was counted there. A bucket includes its upper
 * bound; the round numbers of Prometheus' `le` are such bounds, so that what is told there is exact. Durations are microseconds.
 *
 * One writer for each histogram, any number of readers, relaxed atomics: no lock, and a writer that dies leaves a histogram that
 * is good. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 10 + 7 * 90 + 1 /* the last: over 100 seconds */ };

typedef struct {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram_t;

static inline int histogram_bucket(int64_t microseconds)
{
    if (microseconds > 100000000)
        return HISTOGRAM_BUCKETS - 1;
    uint32_t n = microseconds > 1 ? (uint32_t)microseconds - 1 : 0; /* so that a bucket has its upper bound */
    if (n < 100)
        return (int)n;
    if (n < 1000)
        return (int)(90 + n / 10);
    if (n < 10000)
        return (int)(180 + n / 100);
    if (n < 100000)
        return (int)(270 + n / 1000);
    if (n < 1000000)
        return (int)(360 + n / 10000);
    if (n < 10000000)
        return (int)(450 + n / 100000);
    return (int)(540 + n / 1000000);
}
/* The largest duration that this bucket counts; INT64_MAX for the last one. */
int64_t histogram_upper(int bucket);

static inline void histogram_count(_Atomic uint64_t *count, uint64_t amount)
{
    /* One writer: no locked instruction is needed. */
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + amount, memory_order_relaxed);
}

/* What was counted, read at one moment and added up over several histograms. */
typedef struct {
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram_sum_t;

void histogram_add(histogram_sum_t *, const histogram_t *);
uint64_t histogram_total(const histogram_sum_t *);
/* The duration that `share` (0.99) of all were not longer than, at most 5 % off; 0 when nothing was counted. */
int64_t histogram_percentile(const histogram_sum_t *, double share);
