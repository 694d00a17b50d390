/* top_look: reading the segment twice, and the difference. A slot's sums go on when its process changes (metrics.h); a process's own
 * counters begin at 0 again, and then the difference is what the new one has counted. */
#include "top.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/text.h"
#include "../../shared/shm/services.h"

#include <stdlib.h>

/* --- looking ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    bool prefix; /* all counters that begin so */
    size_t offset;
} counters[] = {
    {"pending", false, offsetof(top_instance_t, in_flight)},
    {"calls_in_flight", false, offsetof(top_instance_t, in_flight)},
    {"calls_queued", false, offsetof(top_instance_t, queued)},
    {"database_statements_", true, offsetof(top_instance_t, statements)},
    {"database_time_", true, offsetof(top_instance_t, statement_time)},
    {"cache_hits_", true, offsetof(top_instance_t, cache_hits)},
    {"cache_misses", false, offsetof(top_instance_t, cache_misses)},
    {"realtime_sessions", false, offsetof(top_instance_t, sockets)},
    {"realtime_shown", false, offsetof(top_instance_t, told)},
    {"hints_heard", false, offsetof(top_instance_t, broker.heard)},
    {"hints_told", false, offsetof(top_instance_t, broker.told)},
    {"link_dropped", false, offsetof(top_instance_t, broker.dropped)},
    {"hints_lost_told", false, offsetof(top_instance_t, broker.lost)},
    {"subscriptions", false, offsetof(top_instance_t, broker.subscriptions)},
    {"bridge_sent", false, offsetof(top_instance_t, broker.sent)},
    {"bridge_heard", false, offsetof(top_instance_t, broker.far_heard)},
    {"bridge_gaps", false, offsetof(top_instance_t, broker.gaps)},
};

static void counter_take(const segment_counter_t *counter, top_instance_t *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        size_t length = strlen(counters[i].name) + !counters[i].prefix; /* its NUL with it */
        if (strncmp(counter->name, counters[i].name, length) == 0)
            *(int64_t *)((char *)out + counters[i].offset) += atomic_load_explicit(&counter->value, memory_order_relaxed);
    }
}

static void instance_look(const segment_instance_t *row, top_instance_t *out)
{
    out->used = atomic_load(&row->used) && row->service >= 0 && row->service < service_count;
    out->service = row->service;
    out->number = row->number;
    out->pid = atomic_load(&row->pid);
    out->generation = atomic_load(&row->generation);
    out->state = (enum instance_state)atomic_load(&row->state);
    out->shown = out->pid != 0 && proc_read(out->pid, &out->proc);
    if (!now_get(row, &out->now) || out->pid == 0)
        out->now.operation[0] = '\0';
    uint32_t count = atomic_load_explicit(&row->counter_count, memory_order_acquire);
    for (uint32_t i = 0; i < count && i < SEGMENT_COUNTERS; i++)
        counter_take(&row->counters[i], out);
}

static uint64_t row_failed(const metrics_row_t *row)
{
    uint64_t failed = 0;
    for (int i = 0; i < METRICS_STATUSES; i++)
        if (metrics_status_class(i) == METRICS_5XX)
            failed += atomic_load_explicit(&row->statuses[i], memory_order_relaxed);
    return failed;
}

static top_operation_t *operation_find(top_look_t *look, const char *name)
{
    for (int i = 0; i < look->operation_count; i++)
        if (strcmp(look->operations[i].name, name) == 0)
            return &look->operations[i];
    if (look->operation_count == METRICS_ROWS)
        return NULL;
    top_operation_t *operation = &look->operations[look->operation_count++];
    memset(operation, 0, sizeof(*operation));
    snprintf(operation->name, sizeof(operation->name), "%s", name);
    return operation;
}

static void block_look(const metrics_block_t *block, top_look_t *look, top_instance_t *instance)
{
    uint32_t count = atomic_load_explicit(&block->count, memory_order_acquire);
    for (uint32_t i = 0; i < count && i < METRICS_ROWS; i++) {
        uint64_t answered = metrics_row_total(&block->rows[i]), failed;
        if (answered == 0)
            continue; /* reading what was never written would make it memory */
        failed = row_failed(&block->rows[i]);
        instance->answered += answered;
        instance->failed += failed;
        histogram_add(&instance->times, &block->histograms[i]);
        top_operation_t *operation =
            block->kinds[i] == METRICS_REQUESTS ? operation_find(look, block->names[i]) : NULL;
        if (operation == NULL)
            continue;
        operation->answered += answered;
        operation->failed += failed;
        histogram_add(&operation->times, &block->histograms[i]);
    }
}

void top_look(segment_t *segment, top_look_t *out)
{
    memset(out->instances, 0, sizeof(out->instances));
    out->operation_count = 0;
    out->alive = false;
    out->at = clock_monotonic();
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        top_instance_t *instance = &out->instances[slot];
        segment_instance_t *row = segment_instance(segment, slot);
        instance_look(row, instance);
        out->alive = out->alive || instance->shown;
        const metrics_block_t *block = metrics_block(segment, slot);
        if (block != NULL)
            block_look(block, out, instance);
    }
}

/* --- between two looks -------------------------------------------------------------------------------------------- */

static double seconds_between(const top_look_t *before, const top_look_t *after)
{
    int64_t took = after->at - before->at;
    return took > 0 ? (double)took / CLOCK_SECOND : 1;
}

static void times_take(const histogram_sum_t *before, const histogram_sum_t *after, histogram_sum_t *sum)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += after->buckets[i] - (before != NULL ? before->buckets[i] : 0);
}

static void percentiles_take(const histogram_sum_t *times, top_rates_t *out)
{
    bool any = histogram_total(times) > 0;
    out->p50 = any ? histogram_percentile(times, 0.5) : -1;
    out->p99 = any ? histogram_percentile(times, 0.99) : -1;
}

/* What a process's own counter has grown by. */
static int64_t grown(const top_instance_t *before, const top_instance_t *after, size_t offset)
{
    int64_t now = *(const int64_t *)((const char *)after + offset);
    bool same = before->generation == after->generation && before->used;
    return same ? now - *(const int64_t *)((const char *)before + offset) : now;
}
#define GROWN(before, after, member) grown((before), (after), offsetof(top_instance_t, member))

static double share_of(int64_t hits, int64_t misses)
{
    return hits + misses > 0 ? (double)hits / (double)(hits + misses) : -1;
}

static int64_t mean_of(int64_t sum, int64_t count)
{
    return count > 0 ? sum / count : -1;
}

static double cpu_of(const top_instance_t *before, const top_instance_t *after, double seconds)
{
    if (!after->shown || !before->shown || before->pid != after->pid)
        return 0;
    return (double)(after->proc.cpu - before->proc.cpu) / CLOCK_SECOND / seconds;
}

top_rates_t top_instance_rates(const top_look_t *before, const top_look_t *after, int slot, int64_t memory)
{
    const top_instance_t *old = &before->instances[slot], *new = &after->instances[slot];
    double seconds = seconds_between(before, after);
    histogram_sum_t times = {{0}};
    int64_t statements = GROWN(old, new, statements);
    top_rates_t rates = {.answered = new->answered - old->answered,
        .in_flight = new->in_flight,
        .queued = new->queued,
        .memory = memory,
        .cpu = cpu_of(old, new, seconds),
        .errors = (double)(new->failed - old->failed) / seconds,
        .statements = (double)statements / seconds,
        .statement_time = mean_of(GROWN(old, new, statement_time), statements),
        .hit_share = share_of(GROWN(old, new, cache_hits), GROWN(old, new, cache_misses))};
    rates.rate = (double)rates.answered / seconds;
    times_take(&old->times, &new->times, &times);
    percentiles_take(&times, &rates);
    return rates;
}

top_rates_t top_operation_rates(const top_look_t *before, const top_look_t *after, int index)
{
    const top_operation_t *new = &after->operations[index], *old = NULL;
    for (int i = 0; i < before->operation_count && old == NULL; i++)
        if (strcmp(before->operations[i].name, new->name) == 0)
            old = &before->operations[i];
    double seconds = seconds_between(before, after);
    histogram_sum_t times = {{0}};
    top_rates_t rates = {.answered = new->answered - (old != NULL ? old->answered : 0),
        .errors = (double)(new->failed - (old != NULL ? old->failed : 0)) / seconds};
    rates.rate = (double)rates.answered / seconds;
    times_take(old != NULL ? &old->times : NULL, &new->times, &times);
    percentiles_take(&times, &rates);
    return rates;
}

top_rates_t top_total_rates(const top_look_t *before, const top_look_t *after, int64_t memory)
{
    double seconds = seconds_between(before, after);
    histogram_sum_t times = {{0}};
    int64_t statements = 0, statement_time = 0, hits = 0, misses = 0;
    top_rates_t total = {.memory = memory};
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        const top_instance_t *old = &before->instances[slot], *new = &after->instances[slot];
        if (!new->used)
            continue;
        statements += GROWN(old, new, statements);
        statement_time += GROWN(old, new, statement_time);
        hits += GROWN(old, new, cache_hits);
        misses += GROWN(old, new, cache_misses);
        total.cpu += cpu_of(old, new, seconds);
        total.queued += new->queued;
        if (!services[new->service].listens)
            continue; /* what clients see, only frontends count */
        total.answered += new->answered - old->answered;
        total.errors += (double)(new->failed - old->failed) / seconds;
        total.in_flight += new->in_flight;
        times_take(&old->times, &new->times, &times);
    }
    total.rate = (double)total.answered / seconds;
    total.statements = (double)statements / seconds;
    total.statement_time = mean_of(statement_time, statements);
    total.hit_share = share_of(hits, misses);
    percentiles_take(&times, &total);
    return total;
}

top_realtime_t top_realtime(const top_look_t *before, const top_look_t *after)
{
    static const struct {
        size_t from, to;
    } rates[] = {
        {offsetof(top_instance_t, broker.heard), offsetof(top_realtime_t, heard)},
        {offsetof(top_instance_t, broker.told), offsetof(top_realtime_t, told)},
        {offsetof(top_instance_t, broker.dropped), offsetof(top_realtime_t, dropped)},
        {offsetof(top_instance_t, broker.lost), offsetof(top_realtime_t, lost)},
        {offsetof(top_instance_t, broker.sent), offsetof(top_realtime_t, sent)},
        {offsetof(top_instance_t, broker.far_heard), offsetof(top_realtime_t, far_heard)},
        {offsetof(top_instance_t, broker.gaps), offsetof(top_realtime_t, gaps)},
    };
    double seconds = seconds_between(before, after);
    top_realtime_t sum = {0};
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        const top_instance_t *old = &before->instances[slot], *new = &after->instances[slot];
        if (!new->used || new->pid == 0)
            continue; /* the sockets of a process that is gone are no more */
        sum.sockets += new->sockets;
        sum.shown += (double)GROWN(old, new, told) / seconds;
        if (strcmp(services[new->service].name, "broker") != 0)
            continue; /* others count what they dropped on their own links */
        sum.subscriptions += new->broker.subscriptions;
        for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
            *(double *)((char *)&sum + rates[i].to) += (double)grown(old, new, rates[i].from) / seconds;
    }
    return sum;
}
