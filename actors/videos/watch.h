/* watch: which parts of a video were seen. Pure: intervals in whole seconds, [start, end). */
#pragma once
#include "../../shared/base/memory.h"

enum {
    WATCH_MOST = 200, /* intervals that are kept of one video */
    WATCH_GIVEN_MOST = 100 /* and that may come at a time */
};

typedef struct {
    int start, end;
} interval_seen_t;

/* Makes of `count` intervals the same seconds in order, without overlaps: cut to 0 … duration, joined where they meet. When more
 * than WATCH_MOST are left the shortest of them are forgotten. The new count. */
int watch_merge(interval_seen_t *intervals, int count, int duration);
/* Seconds of merged intervals. */
int watch_time(const interval_seen_t *merged, int count);
/* 90 % (product.md, section 5). */
bool watch_is_complete(int watch_time, int duration);

/* PostgreSQL's int4multirange, "{[0,30),[45,60)}", as it writes it. false: it is none, or has more than `most`. */
bool watch_read(text_t multirange, interval_seen_t *out, int most, int *count);
text_t watch_write(arena_t *, const interval_seen_t *merged, int count);
