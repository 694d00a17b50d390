/* retention: what an actor may not, or need not, keep for ever. Every row of its table names something and how long it stays;
 * the first instance looks every retention.every and takes away what is older, a bounded batch at a time, each in a transaction of
 * its own. What it took away stands in the log and in the counter retention_removed. */
#pragma once
#include "call.h"
#include <stddef.h>

enum { RETENTION_BATCH = 500 };

typedef struct retention {
    const char *what;             /* "sessions": for the log */
    size_t keep;                  /* offsetof(config_t, …) of a duration: how long it stays */
    const statement_t *statement; /* of lane write: deletes what became useless before $1, $2 rows at most */
    /* Instead of a statement, where more is to be done: the number of rows it took, `most` at most. */
    int64_t (*step)(call_t *, int64_t before, int64_t most);
} retention_t;

/* A chore: one batch. Milliseconds until the next one. */
int64_t retention_step(call_t *);
