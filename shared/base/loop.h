/* loop: the few watchers that the shared library needs, over libev in actors (loop_ev.c) and over h2o's loop in the
 * frontend (actors/frontend/loop_h2o.c). One loop per process (architecture.md, rule 1).
 *
 * A turn is one pass over the ready events. What must happen once per turn (one ZeroMQ message per peer, one pipeline
 * Sync) registers a turn hook; hooks run in the order of registration, after the events and before the loop sleeps.
 * A hook that returns true has found more work: the loop runs another turn without sleeping. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct loop loop_t;
typedef struct loop_watch loop_watch_t;
typedef struct loop_timer loop_timer_t;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_STEP = 25 /* milliseconds */ };

struct loop {
    loop_watch_t *(*watch)(loop_t *, int fd, int events, void (*on_ready)(void *argument, int events), void *argument);
    void (*watch_change)(loop_watch_t *, int events); /* events may be 0: kept, but silent */
    void (*unwatch)(loop_watch_t **);                 /* never closes the descriptor */
    /* Repeats each `milliseconds` until it is stopped. Those of a multiple of LOOP_STEP are due together with all others of that kind,
     * and so up to a step later the first time: a process that has nothing to do wakes up once for all of them. */
    loop_timer_t *(*timer)(loop_t *, int milliseconds, void (*on_time)(void *argument), void *argument);
    void (*timer_stop)(loop_timer_t **);
    void (*add_turn_hook)(loop_t *, bool (*hook)(void *argument), void *argument);
};

/* For those who make loops: when a timer of `milliseconds` is due, begun or (`again`) run at `now`; microseconds of clock_monotonic(). */
int64_t loop_due(int64_t now, int milliseconds, bool again);
/* For those who do a part of something at each time of such a timer: how many times have come since this was asked last. When turns are
 * long some of them are left out. */
int64_t loop_times(int64_t *last, int64_t now, int milliseconds);

/* The libev loop of an actor. loop_ev_run returns after loop_ev_stop. */
loop_t *loop_ev_create(void);
void loop_ev_run(loop_t *);
void loop_ev_stop(loop_t *);
/* Calls on_signal from the loop, not from the signal's context. */
void loop_ev_signal(loop_t *, int signal_number, void (*on_signal)(void *argument), void *argument);
