/* counters: what this frontend counts, in its row of the segment, each with its unit and meaning. */
#pragma once
#include "base/text.h"
#include "shm/metrics.h"

enum counter {
    COUNTER_REQUESTS,
    COUNTER_STATUS_2XX,
    COUNTER_STATUS_3XX,
    COUNTER_STATUS_4XX,
    COUNTER_STATUS_5XX,
    COUNTER_ABANDONED,
    COUNTER_MICROSECONDS,
    COUNTER_BYTES_OUT,
    COUNTER_CONNECTIONS,
    COUNTER_ACCEPTED,
    COUNTER_REFUSED_ADDRESS,
    COUNTER_ACCEPT_PAUSES,
    COUNTER_STEPPED_BACK,
    COUNTER_SLOW_CUT,
    COUNTER_PENDING,
    COUNTER_PENDING_FULL,
    COUNTER_CONNECTION_FULL,
    COUNTER_INSTANCE_FULL,
    COUNTER_NO_INSTANCE,
    COUNTER_RESENT,
    COUNTER_HELD,
    COUNTER_INSTANCE_LOST,
    COUNTER_TIMEOUTS,
    COUNTER_LATE_REPLIES,
    COUNTER_BAD_REPLIES,
    COUNTER_LINK_DROPPED,
    COUNTER_TOKEN_HITS,
    COUNTER_TOKEN_MISSES,
    COUNTER_TOKEN_REFUSED,
    COUNTER_TOKENS_CACHED,
    COUNTER_RATE_REFUSED,
    COUNTER_RATE_REFUSED_API, /* the limits one by one, in the order of limits.c */
    COUNTER_RATE_REFUSED_LOGIN,
    COUNTER_RATE_REFUSED_ACCOUNT,
    COUNTER_RATE_REFUSED_PASSWORD,
    COUNTER_RATE_REFUSED_UPLOAD,
    COUNTER_RATE_REFUSED_MAIL,
    COUNTER_CACHE_HITS,
    COUNTER_CACHE_STALE,
    COUNTER_CACHE_MISSES,
    COUNTER_CACHE_WAITS,
    COUNTER_CACHE_WAITING,
    COUNTER_CACHE_NOT_MODIFIED,
    COUNTER_ACCESS_LINES,
    COUNTER_ACCESS_DROPPED,
    COUNTER_LOG_DROPPED,
    COUNTER_FOREIGN_ERRORS,
    COUNTERS
};

extern _Atomic int64_t *counters[COUNTERS];
/* Declares all of them; before anything else here runs. */
void counters_declare(segment_t *, segment_instance_t *self);
/* The row that counts the answers of an operation, by status and time; data NULL: of requests that mean none. */
int counters_operation(text_t operation);
void count_answer(int row, int status, int64_t microseconds);
static inline void count(enum counter counter, int64_t amount)
{
    counter_add(counters[counter], amount);
}
static inline void count_set(enum counter counter, int64_t value)
{
    atomic_store_explicit(counters[counter], value, memory_order_relaxed);
}
