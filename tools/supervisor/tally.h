/* tally: the arithmetic of dying: how long to wait before the next try, and when to give up for a while. No
 * clock and no process in here. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { TALLY_MOST = 128 };

/* The early deaths of a service within the last window. All zero is an empty one. */
typedef struct {
    int64_t times[TALLY_MOST]; /* a ring */
    int next;
} tally_t;

/* Counts a death at `now`; true when there were more than `intensity` within `window` (microseconds), this
 * one included. */
bool tally_add(tally_t *, int64_t now, int64_t window, int64_t intensity);
void tally_clear(tally_t *);
/* The wait after the n-th early death in a row (1, 2 …): first, 2·first, 4·first … at most `most`. */
int64_t backoff_wait(int deaths, int64_t first, int64_t most);
