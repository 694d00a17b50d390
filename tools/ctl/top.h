/* top: what one look at the running system found, and what two of them tell together. Read from shared memory and /proc only: no
 * process is asked anything, so one that hangs is seen like the others. */
#pragma once
#include "../../shared/base/memory.h"
#include "../../shared/base/proc.h"
#include "../../shared/shm/metrics.h"
#include <jansson.h>

/* A row of the instance table as it was. */
typedef struct {
    bool used;
    int service, number;
    pid_t pid; /* 0: none */
    uint64_t generation;
    enum instance_state state;
    bool shown; /* /proc tells of it */
    proc_t proc;
    segment_now_t now; /* operation empty: it rests */
    int64_t in_flight, queued, statements, statement_time, cache_hits, cache_misses; /* its own counters */
    int64_t sockets, told;                                                           /* a frontend's, of realtime */
    struct {
        int64_t heard, told, dropped, lost, subscriptions, sent, far_heard, gaps;
    } broker; /* a broker's */
    uint64_t answered, failed;                                                       /* sums of its slot (metrics.h) */
    histogram_sum_t times;
} top_instance_t;

/* An operation's requests, of all frontends together. */
typedef struct {
    char name[METRICS_NAME_SIZE];
    uint64_t answered, failed;
    histogram_sum_t times;
} top_operation_t;

typedef struct {
    int64_t at; /* clock_monotonic() */
    top_instance_t instances[SEGMENT_INSTANCES];
    top_operation_t operations[METRICS_ROWS];
    int operation_count;
    bool alive; /* any process at all */
} top_look_t;

/* What happened between two looks. Rates are per second, times microseconds, shares 0 to 1, negative: nothing to tell. */
typedef struct {
    double rate, errors, statements, cpu /* 1: one processor */, hit_share;
    int64_t p50, p99, statement_time, in_flight, queued, memory;
    uint64_t answered;
} top_rates_t;

/* Realtime of all frontends together, and what the broker of this machine carries; likewise per second. */
typedef struct {
    int64_t sockets, subscriptions;
    double shown; /* events that sockets were told */
    double heard, told, dropped, lost; /* hints; lost: times that somebody was told that some may be */
    double sent, far_heard, gaps;      /* messages to the brokers of other machines and from them; what was missing of these */
} top_realtime_t;

void top_look(segment_t *, top_look_t *out);
/* `memory` is taken as it is given. The instance of a slot; an operation; all frontends with what all processes use. */
top_rates_t top_instance_rates(const top_look_t *before, const top_look_t *after, int slot, int64_t memory);
top_rates_t top_operation_rates(const top_look_t *before, const top_look_t *after, int operation);
top_rates_t top_total_rates(const top_look_t *before, const top_look_t *after, int64_t memory);
top_realtime_t top_realtime(const top_look_t *before, const top_look_t *after);

/* --- top_view.c: a frame of it ------------------------------------------------------------------------------------ */

typedef struct {
    const top_look_t *before, *after;
    const int64_t *memory; /* by slot, bytes; negative: not known */
    int columns, rows;     /* of the terminal; 0: as many as there are */
} top_frame_t;

/* Lines of text, each with '\n'; one that begins with TOP_BOLD stands out. None is longer than `columns`. */
enum { TOP_BOLD = '\1' };
void top_text(const top_frame_t *, buffer_t *out);
json_t *top_json(const top_frame_t *);
