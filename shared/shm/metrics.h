/* metrics: how many requests of each operation were answered with which status, and how long they took. A part of the segment with
 * a block for each slot of the instance table: its process alone writes it, everybody reads it, also when the process hangs.
 *
 * A block is never emptied: the next process of its slot counts on, and what a dead one had counted stays. So the sums over all
 * blocks only grow as long as the segment lives, whoever dies. Rows have names, because builds of different releases may run side by
 * side. Only what was used takes memory. */
#pragma once
#include "histogram.h"
#include "segment.h"

enum { METRICS_ROWS = 256, METRICS_NAME_SIZE = 48, METRICS_STATUSES = 32, METRICS_BOUNDS = 19 };

/* What a row counts: requests of clients (frontends), or calls (actors). */
enum metrics_kind { METRICS_NONE, METRICS_REQUESTS, METRICS_CALLS, METRICS_KINDS };

enum metrics_class { METRICS_2XX, METRICS_3XX, METRICS_4XX, METRICS_5XX, METRICS_ABANDONED, METRICS_CLASSES };
enum { METRICS_STATUS_ABANDONED = 499 };
extern const char *const metrics_class_names[METRICS_CLASSES];
/* Upper bounds in microseconds, for Prometheus; one more bucket is for what is longer. */
extern const int64_t metrics_bounds[METRICS_BOUNDS];

typedef struct {
    _Atomic uint64_t statuses[METRICS_STATUSES]; /* metrics_status_name says which */
    struct {
        _Atomic uint64_t buckets[METRICS_BOUNDS + 1]; /* not cumulative */
        _Atomic uint64_t microseconds;                /* their sum */
    } classes[METRICS_CLASSES];
} metrics_row_t;

typedef struct {
    _Atomic uint32_t count;
    uint8_t kinds[METRICS_ROWS];
    char names[METRICS_ROWS][METRICS_NAME_SIZE]; /* written once, before `count` includes it */
    _Alignas(64) metrics_row_t rows[METRICS_ROWS];
    _Alignas(64) histogram_t histograms[METRICS_ROWS];
} metrics_block_t;

typedef struct metrics_table {
    _Atomic uint32_t used[SEGMENT_INSTANCES]; /* a process has had this block */
    _Alignas(4096) metrics_block_t blocks[SEGMENT_INSTANCES];
} metrics_table_t;

/* The block of a slot; NULL: no process ever had it, and even reading would make it memory. */
const metrics_block_t *metrics_block(segment_t *, int slot);
/* A process's own block; before its first metrics_count. */
metrics_block_t *metrics_join(segment_t *, const segment_instance_t *self);
/* The row of this name, made when it is not there; the last one is for all that find no place. The name is cut at its field's size. */
int metrics_row(metrics_block_t *, enum metrics_kind, text_t name);
/* "404"; "4xx" for statuses that have no place of their own, so that nobody can invent any. */
const char *metrics_status_name(int index);
/* METRICS_CLASSES: nothing has this place. */
enum metrics_class metrics_status_class(int index);

/* The writer's side: a handful of loads and stores. Statuses are 100 to 599. */
void metrics_count(metrics_block_t *, int row, int status, int64_t microseconds);
/* A reader's: everything that a row ever counted. */
uint64_t metrics_row_total(const metrics_row_t *);
