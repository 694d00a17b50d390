/* stream: jobs in a Redis Stream with a consumer group (architecture.md, "Redis"). An entry is the id of a row that holds the job:
 * nothing is lost with Redis, because whoever owns the rows adds an id again that was not fetched. So an id may be there twice,
 * or for a job that is done; its row decides. */
#pragma once
#include "redis.h"

typedef struct {
    const char *key, *group;
} stream_t;

typedef struct {
    char entry[48]; /* for stream_done */
    char id[48];    /* empty: there was none */
} stream_item_t;

/* All inside a coroutine; false: Redis is not there or refuses, which was logged. */
bool stream_add(redis_t *, const stream_t *, text_t id, int64_t deadline);
/* Entries that are not done. */
bool stream_length(redis_t *, const stream_t *, int64_t *length, int64_t deadline);
/* The next entry; waits up to `milliseconds` for one, on a connection of its own. */
bool stream_take(redis_t *, const stream_t *, const char *consumer, int milliseconds, stream_item_t *out);
/* One that somebody took `idle` milliseconds ago and did not finish: who took it is dead. */
bool stream_take_over(redis_t *, const stream_t *, const char *consumer, int64_t idle, stream_item_t *out, int64_t deadline);
bool stream_done(redis_t *, const stream_t *, const stream_item_t *, int64_t deadline);
