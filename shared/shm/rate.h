/* rate: request rates per client in shared memory, by the generic cell rate algorithm (GCRA, ITU-T I.371): one 64-bit
 * "theoretical arrival time" per bucket, changed by compare-and-swap, so all frontends count together without a lock. */
#pragma once
#include "segment.h"

typedef struct {
    bool allowed;
    int64_t limit;       /* requests per window, for RateLimit-Limit */
    int64_t remaining;   /* for RateLimit-Remaining */
    int64_t reset;       /* seconds until the bucket is full again, for RateLimit-Reset */
    int64_t retry_after; /* seconds, at least 1; only when refused */
} rate_result_t;

/* Counts one request of `key` (an address, an account) in `class` against `limit` per `window` microseconds, all of which
 * may come as one burst. Clients cannot aim at a bucket: the hash is keyed. When a set is full the bucket that empties
 * first gives way. */
rate_result_t rate_check(segment_t *, const char *class, text_t key, int64_t limit, int64_t window, int64_t now);
/* The same for `cost` requests at once, all or none of which are counted. */
rate_result_t rate_charge(
    segment_t *, const char *class, text_t key, int64_t cost, int64_t limit, int64_t window, int64_t now);
