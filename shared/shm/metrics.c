/* metrics: rows and statuses. */
#include "metrics.h"
#include "../base/panic.h"
#include <stdio.h>

const char *const metrics_class_names[METRICS_CLASSES] = {
    [METRICS_2XX] = "2xx", [METRICS_3XX] = "3xx", [METRICS_4XX] = "4xx", [METRICS_5XX] = "5xx", [METRICS_ABANDONED] = "499"};

const int64_t metrics_bounds[METRICS_BOUNDS] = {10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
    500000, 1000000, 2500000, 5000000, 10000000};

static const struct {
    const char *name;
    int status; /* 0: the others of its class */
    enum metrics_class class;
} statuses[] = {
    {"2xx", 0, METRICS_2XX}, {"3xx", 0, METRICS_3XX}, {"4xx", 0, METRICS_4XX}, {"5xx", 0, METRICS_5XX},
    {"200", 200, METRICS_2XX}, {"201", 201, METRICS_2XX}, {"202", 202, METRICS_2XX}, {"204", 204, METRICS_2XX},
    {"206", 206, METRICS_2XX}, {"302", 302, METRICS_3XX}, {"303", 303, METRICS_3XX}, {"304", 304, METRICS_3XX},
    {"400", 400, METRICS_4XX}, {"401", 401, METRICS_4XX}, {"403", 403, METRICS_4XX}, {"404", 404, METRICS_4XX},
    {"405", 405, METRICS_4XX}, {"409", 409, METRICS_4XX}, {"413", 413, METRICS_4XX}, {"414", 414, METRICS_4XX},
    {"415", 415, METRICS_4XX}, {"422", 422, METRICS_4XX}, {"429", 429, METRICS_4XX}, {"431", 431, METRICS_4XX},
    {"499", METRICS_STATUS_ABANDONED, METRICS_ABANDONED}, {"500", 500, METRICS_5XX}, {"502", 502, METRICS_5XX},
    {"503", 503, METRICS_5XX}, {"504", 504, METRICS_5XX},
};
_Static_assert(ARRAY_SIZE(statuses) <= METRICS_STATUSES, "a place for each status");

enum { STATUS_MOST = 600, OTHERS = 4 };

/* Looked up for each request: of a status its place, of a fine bucket the coarse one. */
static uint8_t status_index[STATUS_MOST];
static uint8_t bound_of[HISTOGRAM_BUCKETS];

static void tables_fill(void)
{
    for (int status = 0; status < STATUS_MOST; status++) {
        int class = status / 100;
        status_index[status] = (uint8_t)(class < 2 ? METRICS_2XX : class - 2);
    }
    for (size_t i = OTHERS; i < ARRAY_SIZE(statuses); i++)
        status_index[statuses[i].status] = (uint8_t)i;
    for (int bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        int bound = 0;
        while (bound < METRICS_BOUNDS && histogram_upper(bucket) > metrics_bounds[bound])
            bound++;
        bound_of[bucket] = (uint8_t)bound;
    }
}

const metrics_block_t *metrics_block(segment_t *segment, int slot)
{
    const metrics_table_t *table = segment_metrics_table(segment);
    insist(slot >= 0 && slot < SEGMENT_INSTANCES);
    return atomic_load(&table->used[slot]) ? &table->blocks[slot] : NULL;
}

metrics_block_t *metrics_join(segment_t *segment, const segment_instance_t *self)
{
    metrics_table_t *table = segment_metrics_table(segment);
    ptrdiff_t slot = self - segment_instance(segment, 0);
    insist(slot >= 0 && slot < SEGMENT_INSTANCES);
    tables_fill();
    atomic_store(&table->used[slot], 1);
    return &table->blocks[slot];
}

int metrics_row(metrics_block_t *block, enum metrics_kind kind, text_t name)
{
    char cut[METRICS_NAME_SIZE];
    uint32_t count = atomic_load(&block->count);
    insist(kind > METRICS_NONE && kind < METRICS_KINDS && count <= METRICS_ROWS);
    snprintf(cut, sizeof(cut), "%.*s", TEXT_ARG(name));
    for (uint32_t i = 0; i < count; i++)
        if (block->kinds[i] == kind && strcmp(block->names[i], cut) == 0)
            return (int)i;
    if (count == METRICS_ROWS)
        return METRICS_ROWS - 1;
    if (count == METRICS_ROWS - 1)
        snprintf(cut, sizeof(cut), "other");
    memcpy(block->names[count], cut, sizeof(cut));
    block->kinds[count] = (uint8_t)kind;
    atomic_store_explicit(&block->count, count + 1, memory_order_release);
    return (int)count;
}

const char *metrics_status_name(int index)
{
    insist(index >= 0 && (size_t)index < ARRAY_SIZE(statuses));
    return statuses[index].name;
}

enum metrics_class metrics_status_class(int index)
{
    return index >= 0 && (size_t)index < ARRAY_SIZE(statuses) ? statuses[index].class : METRICS_CLASSES;
}

void metrics_count(metrics_block_t *block, int row, int status, int64_t microseconds)
{
    insist(row >= 0 && row < METRICS_ROWS && status >= 100 && status < STATUS_MOST);
    int index = status_index[status], bucket = histogram_bucket(microseconds);
    enum metrics_class class = statuses[index].class;
    metrics_row_t *counts = &block->rows[row];
    histogram_count(&counts->statuses[index], 1);
    histogram_count(&counts->classes[class].buckets[bound_of[bucket]], 1);
    histogram_count(&counts->classes[class].microseconds, microseconds > 0 ? (uint64_t)microseconds : 0);
    histogram_count(&block->histograms[row].buckets[bucket], 1);
}

uint64_t metrics_row_total(const metrics_row_t *row)
{
    uint64_t total = 0;
    for (int i = 0; i < METRICS_STATUSES; i++)
        total += atomic_load_explicit(&row->statuses[i], memory_order_relaxed);
    return total;
}
