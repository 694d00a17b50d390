/* exposition: one function for each kind of source. Samples of one family must stand together: what the processes declared
 * (segment.h) is gathered and sorted by family first. */
#include "exposition.h"
#include "../base/build.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "../base/proc.h"
#include "cache.h"
#include "metrics.h"
#include "services.h"
#include <stdio.h>
#include <stdlib.h>

enum { FAMILY_SIZE = 96 };

static void family_begin(buffer_t *out, const char *name, const char *type, const char *help)
{
    buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void seconds_add(buffer_t *out, int64_t microseconds)
{
    buffer_format(out, "%lld.%06lld", (long long)(microseconds / CLOCK_SECOND), (long long)(microseconds % CLOCK_SECOND));
}

/* --- instances ---------------------------------------------------------------------------------------------------- */

static bool row_is_used(const segment_instance_t *row)
{
    return atomic_load(&row->used) && row->service >= 0 && row->service < service_count;
}

static void labels_add(buffer_t *out, const char *family, const segment_instance_t *row)
{
    const char *service = services[row->service].name;
    buffer_format(out, "%s{service=\"%s\",process=\"%s.%d\"", family, service, service, row->number);
}

/* While an instance is renewed it stands twice in the table: who is READY speaks for it, the younger one of two that are. */
static bool row_speaks(segment_t *segment, const segment_instance_t *row)
{
    bool ready = atomic_load(&row->state) == INSTANCE_READY;
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        const segment_instance_t *other = segment_instance(segment, slot);
        if (other == row || !row_is_used(other) || other->service != row->service || other->number != row->number)
            continue;
        bool other_ready = atomic_load(&other->state) == INSTANCE_READY;
        if (other_ready != ready ? other_ready : atomic_load(&other->generation) > atomic_load(&row->generation))
            return false;
    }
    return true;
}

#define EACH_USED(segment, row)                                                                                        \
    for (int slot_##row = 0; slot_##row < SEGMENT_INSTANCES; slot_##row++)                                            \
        for (segment_instance_t *row = segment_instance(segment, slot_##row); row != NULL; row = NULL)                \
            if (row_is_used(row) && row_speaks(segment, row))

static void states_write(segment_t *segment, buffer_t *out)
{
    static const char family[] = "aipoten_instance_state";
    family_begin(out, family, "gauge", "1 for the state that the supervisor gives the instance");
    EACH_USED (segment, row)
        for (int state = 0; state < INSTANCE_STATES; state++) {
            labels_add(out, family, row);
            buffer_format(out, ",state=\"%s\"} %d\n", instance_state_name((enum instance_state)state),
                atomic_load(&row->state) == (uint32_t)state);
        }
}

static void starts_write(segment_t *segment, buffer_t *out)
{
    static const char start[] = "aipoten_process_start_time_seconds", busy[] = "aipoten_process_operation_seconds";
    family_begin(out, start, "gauge", "when the process was started, in seconds since 1970");
    EACH_USED (segment, row) {
        if (atomic_load(&row->pid) == 0)
            continue;
        labels_add(out, start, row);
        buffer_add_string(out, "} ");
        seconds_add(out, atomic_load(&row->started));
        buffer_add_char(out, '\n');
    }
    family_begin(out, busy, "gauge", "for how long the process has been at one step of a request without a pause; 0 when it rests");
    EACH_USED (segment, row) {
        segment_now_t now;
        if (atomic_load(&row->pid) == 0)
            continue;
        bool at_work = now_get(row, &now) && now.operation[0] != '\0';
        int64_t since = at_work ? clock_now() - now.since : 0;
        labels_add(out, busy, row);
        buffer_add_string(out, "} ");
        seconds_add(out, since > 0 ? since : 0);
        buffer_add_char(out, '\n');
    }
}

static void processes_write(segment_t *segment, buffer_t *out)
{
    static const char cpu[] = "aipoten_process_cpu_seconds_total", resident[] = "aipoten_process_resident_memory_bytes",
                      own[] = "aipoten_process_private_memory_bytes";
    proc_t all[SEGMENT_INSTANCES];
    bool shown[SEGMENT_INSTANCES] = {0};
    EACH_USED (segment, row) {
        pid_t pid = atomic_load(&row->pid);
        shown[slot_row] = pid != 0 && proc_read(pid, &all[slot_row]);
    }
    family_begin(out, cpu, "counter", "processor time of the process");
    for (int i = 0; i < SEGMENT_INSTANCES; i++)
        if (shown[i]) {
            labels_add(out, cpu, segment_instance(segment, i));
            buffer_add_string(out, "} ");
            seconds_add(out, all[i].cpu);
            buffer_add_char(out, '\n');
        }
    family_begin(out, resident, "gauge", "memory of the process that is in RAM, what it shares with others included");
    for (int i = 0; i < SEGMENT_INSTANCES; i++)
        if (shown[i]) {
            labels_add(out, resident, segment_instance(segment, i));
            buffer_format(out, "} %lld\n", (long long)all[i].resident);
        }
    family_begin(out, own, "gauge", "memory of the process alone that is in RAM: neither files nor shared memory");
    for (int i = 0; i < SEGMENT_INSTANCES; i++)
        if (shown[i]) {
            labels_add(out, own, segment_instance(segment, i));
            buffer_format(out, "} %lld\n", (long long)(all[i].resident - all[i].resident_shared));
        }
}

static void services_write(segment_t *segment, buffer_t *out)
{
    static const char starts[] = "aipoten_service_starts_total", deaths[] = "aipoten_service_deaths_total";
    family_begin(out, starts, "counter", "processes of the service that were started");
    for (int i = 0; i < service_count; i++)
        buffer_format(out, "%s{service=\"%s\"} %llu\n", starts, services[i].name,
            (unsigned long long)atomic_load(&segment_service(segment, i)->starts));
    family_begin(out, deaths, "counter", "processes of the service that ended without being told to");
    for (int i = 0; i < service_count; i++)
        buffer_format(out, "%s{service=\"%s\"} %llu\n", deaths, services[i].name,
            (unsigned long long)atomic_load(&segment_service(segment, i)->deaths));
}

static void build_write(buffer_t *out)
{
    static char id[BUILD_ID_SIZE];
    if (id[0] == '\0')
        build_id(id);
    family_begin(out, "aipoten_build_info", "gauge", "the build of the frontend that answers, as file(1) shows it");
    buffer_format(out, "aipoten_build_info{version=\"%s\",build=\"%s\",compiler=\"%s\"} 1\n", build_version, id, __VERSION__);
}

/* --- the cache ---------------------------------------------------------------------------------------------------- */

/* Sums since the segment was made, of all processes. */
static const struct {
    const char *family, *label, *help;
    size_t offset;
} cache_counts[] = {
    {"aipoten_cache_looks_total", "outcome=\"hit\"", "looks into the cache in shared memory, by what they gave",
        offsetof(cache_counts_t, hits)},
    {"aipoten_cache_looks_total", "outcome=\"stale\"", NULL, offsetof(cache_counts_t, stale)},
    {"aipoten_cache_looks_total", "outcome=\"miss\"", NULL, offsetof(cache_counts_t, misses)},
    {"aipoten_cache_looks_total", "outcome=\"wait\"", NULL, offsetof(cache_counts_t, waits)},
    {"aipoten_cache_fills_total", "outcome=\"filed\"", "answers that were to be filed there, by what became of them",
        offsetof(cache_counts_t, fills)},
    {"aipoten_cache_fills_total", "outcome=\"outdated\"", NULL, offsetof(cache_counts_t, outdated)},
    {"aipoten_cache_fills_total", "outcome=\"unadmitted\"", NULL, offsetof(cache_counts_t, unadmitted)},
    {"aipoten_cache_fills_total", "outcome=\"too_large\"", NULL, offsetof(cache_counts_t, too_large)},
    {"aipoten_cache_evicted_total", NULL, "good answers that gave way to others", offsetof(cache_counts_t, evictions)},
    {"aipoten_cache_invalidated_total", NULL, "tags that writes changed", offsetof(cache_counts_t, invalidations)},
    {"aipoten_cache_flushed_total", NULL, "times all was forgotten", offsetof(cache_counts_t, flushes)},
};

static void cache_write(segment_t *segment, buffer_t *out)
{
    static segment_t *opened;
    static cache_t *cache; /* only to read what it counts */
    cache_stats_t stats;
    int64_t entries = 0, bytes = 0;
    if (opened != segment)
        cache = cache_open(segment, NULL);
    opened = segment;
    cache_stats_read(cache, &stats);
    for (size_t i = 0; i < ARRAY_SIZE(cache_counts); i++) {
        int64_t value;
        memcpy(&value, (const char *)&stats.counts + cache_counts[i].offset, sizeof(value));
        if (cache_counts[i].help != NULL)
            family_begin(out, cache_counts[i].family, "counter", cache_counts[i].help);
        const char *label = cache_counts[i].label;
        buffer_format(out, label != NULL ? "%s{%s} %lld\n" : "%s%s %lld\n", cache_counts[i].family, label != NULL ? label : "",
            (long long)value);
    }
    for (int i = 0; i < CACHE_CLASSES; i++) {
        entries += stats.classes[i].entries;
        bytes += stats.classes[i].bytes;
    }
    family_begin(out, "aipoten_cache_entries", "gauge", "good answers that it holds");
    buffer_format(out, "aipoten_cache_entries %lld\n", (long long)entries);
    family_begin(out, "aipoten_cache_used_bytes", "gauge", "bodies and headers of these");
    buffer_format(out, "aipoten_cache_used_bytes %lld\n", (long long)bytes);
    family_begin(out, "aipoten_cache_size_bytes", "gauge", "its part of shared memory (cache.size)");
    buffer_format(out, "aipoten_cache_size_bytes %lld\n", (long long)stats.size);
}

/* --- what the processes declared ---------------------------------------------------------------------------------- */

/* Counters of these names are one family, and what follows the prefix (or stands in `value`) is its label. */
static const struct {
    const char *prefix, *value, *family, *label, *help;
} grouped[] = {
    {"rate_refused_", NULL, "aipoten_rate_limited_total", "class", "requests refused with 429, by the limit that they met"},
    {"cache_hits_", NULL, "aipoten_cache_hits_total", "level", "answers found in a cache, by its level"},
    {"database_statements_", NULL, "aipoten_database_statements_total", "lane", "statements and commits sent to PostgreSQL"},
    {"database_time_", NULL, "aipoten_database_time_seconds_total", "lane",
        "time that statements and commits took, as their callers waited for them"},
#define REJECTED "aipoten_rejected_total", "reason", "what was not let in, or not served, by reason"
    {"rejected_", NULL, REJECTED},
    {"pending_full", "pending_full", REJECTED},
    {"connection_full", "connection_full", REJECTED},
    {"instance_full", "instance_full", REJECTED},
    {"instance_lost", "instance_lost", REJECTED},
    {"no_instance", "no_instance", REJECTED},
    {"timeouts", "timeout", REJECTED},
    {"refused_address", "connections_of_address", REJECTED},
    {"slow_cut", "slow", REJECTED},
    {"protocol_errors", "protocol", REJECTED},
};

typedef struct {
    char family[FAMILY_SIZE];
    const char *type, *help, *label, *value; /* label NULL: none */
    const segment_instance_t *row;
    int64_t number;
    bool seconds; /* number is in microseconds */
    int order;
} sample_t;

static bool is_level(const segment_counter_t *counter)
{
    static const char *const units[] = {"now", "open", "key"};
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strcmp(counter->unit, units[i]) == 0)
            return true;
    /* The most there ever was; what reseal.c found the last time. */
    return strcmp(counter->name, "coroutine_stack") == 0 || strncmp(counter->name, "reseal_", 7) == 0;
}

/* True: it belongs to a group. */
static bool sample_group(sample_t *sample, const segment_counter_t *counter)
{
    for (size_t i = 0; i < ARRAY_SIZE(grouped); i++) {
        size_t length = strlen(grouped[i].prefix);
        bool fits = grouped[i].value != NULL ? strcmp(counter->name, grouped[i].prefix) == 0
                                             : strncmp(counter->name, grouped[i].prefix, length) == 0;
        if (!fits)
            continue;
        snprintf(sample->family, sizeof(sample->family), "%s", grouped[i].family);
        sample->label = grouped[i].label;
        sample->value = grouped[i].value != NULL ? grouped[i].value : counter->name + length;
        sample->help = grouped[i].help;
        return true;
    }
    return false;
}

static sample_t sample_of(const segment_instance_t *row, const segment_counter_t *counter, int order)
{
    bool level = is_level(counter);
    sample_t sample = {.type = level ? "gauge" : "counter",
        .help = counter->meaning[0] != '\0' ? counter->meaning : counter->name,
        .row = row,
        .number = atomic_load_explicit(&counter->value, memory_order_relaxed),
        .seconds = strcmp(counter->unit, "us") == 0,
        .order = order};
    if (!sample_group(&sample, counter))
        snprintf(sample.family, sizeof(sample.family), "aipoten_%s%s%s", counter->name, sample.seconds ? "_seconds" : "",
            level ? "" : "_total");
    for (char *c = sample.family; *c != '\0'; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9'))
            *c = '_';
    return sample;
}

static int compare_samples(const void *a, const void *b)
{
    const sample_t *one = a, *other = b;
    int families = strcmp(one->family, other->family);
    return families != 0 ? families : one->order - other->order;
}

static void sample_write(const sample_t *sample, buffer_t *out)
{
    labels_add(out, sample->family, sample->row);
    if (sample->label != NULL)
        buffer_format(out, ",%s=\"%s\"", sample->label, sample->value);
    buffer_add_string(out, "} ");
    if (sample->seconds)
        seconds_add(out, sample->number);
    else
        buffer_add_integer(out, sample->number);
    buffer_add_char(out, '\n');
}

static void counters_write(segment_t *segment, buffer_t *out)
{
    sample_t *samples = memory_allocate(sizeof(*samples) * SEGMENT_INSTANCES * SEGMENT_COUNTERS);
    int count = 0;
    EACH_USED (segment, row) {
        uint32_t declared = atomic_load_explicit(&row->counter_count, memory_order_acquire);
        for (uint32_t i = 0; i < declared && i < SEGMENT_COUNTERS; i++, count++)
            samples[count] = sample_of(row, &row->counters[i], count);
    }
    qsort(samples, (size_t)count, sizeof(*samples), compare_samples);
    for (int i = 0; i < count; i++) {
        if (i == 0 || strcmp(samples[i].family, samples[i - 1].family) != 0)
            family_begin(out, samples[i].family, samples[i].type, samples[i].help);
        sample_write(&samples[i], out);
    }
    free(samples);
}

/* --- requests and calls: sums over all blocks --------------------------------------------------------------------- */

typedef struct {
    const char *name; /* in a block: it stays */
    uint64_t statuses[METRICS_STATUSES];
    uint64_t buckets[METRICS_CLASSES][METRICS_BOUNDS + 1], microseconds[METRICS_CLASSES];
} total_t;

/* The total of this name; NULL: more names than one block can have, of several releases. */
static total_t *total_find(total_t *totals, int *count, const char *name)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(totals[i].name, name) == 0)
            return &totals[i];
    if (*count == METRICS_ROWS)
        return NULL;
    memset(&totals[*count], 0, sizeof(totals[0]));
    totals[*count].name = name;
    return &totals[(*count)++];
}

static void total_add(total_t *total, const metrics_row_t *row)
{
    for (int i = 0; i < METRICS_STATUSES; i++)
        total->statuses[i] += atomic_load_explicit(&row->statuses[i], memory_order_relaxed);
    for (int class = 0; class < METRICS_CLASSES; class++) {
        for (int i = 0; i <= METRICS_BOUNDS; i++)
            total->buckets[class][i] += atomic_load_explicit(&row->classes[class].buckets[i], memory_order_relaxed);
        total->microseconds[class] += atomic_load_explicit(&row->classes[class].microseconds, memory_order_relaxed);
    }
}

static int totals_read(segment_t *segment, enum metrics_kind kind, total_t *totals)
{
    int count = 0;
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        const metrics_block_t *block = metrics_block(segment, slot);
        uint32_t rows = block != NULL ? atomic_load_explicit(&block->count, memory_order_acquire) : 0;
        for (uint32_t i = 0; i < rows && i < METRICS_ROWS; i++) {
            total_t *total = block->kinds[i] == kind ? total_find(totals, &count, block->names[i]) : NULL;
            if (total != NULL)
                total_add(total, &block->rows[i]);
        }
    }
    return count;
}

static void statuses_write(const total_t *total, const char *family, buffer_t *out)
{
    for (int i = 0; i < METRICS_STATUSES; i++)
        if (total->statuses[i] > 0)
            buffer_format(out, "%s_total{operation=\"%s\",code=\"%s\"} %llu\n", family, total->name, metrics_status_name(i),
                (unsigned long long)total->statuses[i]);
}

/* Only classes that have occurred: most operations never had most of them. */
static void class_write(const total_t *total, enum metrics_class class, const char *family, buffer_t *out)
{
    char labels[128];
    uint64_t sum = 0, all = 0;
    for (int i = 0; i <= METRICS_BOUNDS; i++)
        all += total->buckets[class][i];
    if (all == 0)
        return;
    snprintf(labels, sizeof(labels), "operation=\"%s\",class=\"%s\"", total->name, metrics_class_names[class]);
    for (int i = 0; i < METRICS_BOUNDS; i++) {
        sum += total->buckets[class][i];
        buffer_format(out, "%s_seconds_bucket{%s,le=\"%g\"} %llu\n", family, labels, (double)metrics_bounds[i] / CLOCK_SECOND,
            (unsigned long long)sum);
    }
    buffer_format(out, "%s_seconds_bucket{%s,le=\"+Inf\"} %llu\n%s_seconds_sum{%s} ", family, labels, (unsigned long long)all,
        family, labels);
    seconds_add(out, (int64_t)total->microseconds[class]);
    buffer_format(out, "\n%s_seconds_count{%s} %llu\n", family, labels, (unsigned long long)all);
}

static void totals_write(segment_t *segment, enum metrics_kind kind, const char *counter, const char *counter_help,
    const char *histogram, const char *histogram_help, buffer_t *out)
{
    char family[FAMILY_SIZE];
    total_t *totals = memory_allocate(sizeof(*totals) * METRICS_ROWS);
    int count = totals_read(segment, kind, totals);
    snprintf(family, sizeof(family), "%s_total", counter);
    family_begin(out, family, "counter", counter_help);
    for (int i = 0; i < count; i++)
        statuses_write(&totals[i], counter, out);
    snprintf(family, sizeof(family), "%s_seconds", histogram);
    family_begin(out, family, "histogram", histogram_help);
    for (int i = 0; i < count; i++)
        for (int class = 0; class < METRICS_CLASSES; class++)
            class_write(&totals[i], (enum metrics_class)class, histogram, out);
    free(totals);
}

void exposition_write(segment_t *segment, buffer_t *out)
{
    build_write(out);
    totals_write(segment, METRICS_REQUESTS, "aipoten_http_requests", "requests of clients, by operation and status",
        "aipoten_http_request_duration", "time from a request to its answer, by operation and class of status", out);
    totals_write(segment, METRICS_CALLS, "aipoten_actor_calls", "calls that actors answered, by operation and status",
        "aipoten_actor_call_duration", "time from a call's arrival at its actor to its answer", out);
    services_write(segment, out);
    states_write(segment, out);
    starts_write(segment, out);
    processes_write(segment, out);
    cache_write(segment, out);
    counters_write(segment, out);
}
