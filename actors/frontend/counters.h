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
    COUNTER_ACCEPT_PAUSES,
    COUNTER_STEPPED_BACK,
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
    COUNTER_ADDRESS_FULL,
    COUNTER_BANS,
    COUNTER_HELD_BYTES,
    COUNTER_REJECTED_BANNED,
    COUNTER_REJECTED_CONNECTIONS,
    COUNTER_REJECTED_CONNECTION_RATE,
    COUNTER_REJECTED_RAPID_RESET,
    COUNTER_REJECTED_PING_FLOOD,
    COUNTER_REJECTED_SETTINGS_FLOOD,
    COUNTER_REJECTED_CONTINUATION_FLOOD,
    COUNTER_REJECTED_DATA_FLOOD,
    COUNTER_REJECTED_WINDOW_FLOOD,
    COUNTER_REJECTED_PRIORITY_FLOOD,
    COUNTER_REJECTED_FRAME_FLOOD,
    COUNTER_REJECTED_BAD_REQUESTS,
    COUNTER_REJECTED_HEADER_BOMB,
    COUNTER_REJECTED_PIPELINE,
    COUNTER_REJECTED_SLOW_HEADER,
    COUNTER_REJECTED_SLOW_BODY,
    COUNTER_REJECTED_SLOW_READER,
    COUNTER_REJECTED_MEMORY,
    COUNTER_REJECTED_NOISE,
    COUNTER_REJECTED_IDLE,
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
