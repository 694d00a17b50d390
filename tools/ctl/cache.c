/* cache: what the cache in shared memory holds and did (read from the segment, even when processes hang), and
 * forgetting it, which the supervisor does. */
#include "../../shared/shm/cache.h"
#include "../../shared/actor/tags.h"
#include "client.h"
#include "command.h"

#include <string.h>

enum { ANSWER_MILLISECONDS = 10000 };

/* In the order in which they are shown. */
static const struct {
    const char *name;
    size_t offset;
    const char *meaning;
} counts[] = {
    {"hits", offsetof(cache_counts_t, hits), "looks that found a good answer"},
    {"stale", offsetof(cache_counts_t, stale), "looks that were given a public one a little over its time"},
    {"misses", offsetof(cache_counts_t, misses), "looks that found none"},
    {"waits", offsetof(cache_counts_t, waits), "looks that found another filling it"},
    {"fills", offsetof(cache_counts_t, fills), "answers filed"},
    {"outdated", offsetof(cache_counts_t, outdated), "not filed: a write came before them"},
    {"unadmitted", offsetof(cache_counts_t, unadmitted), "not filed: those of their size are used more"},
    {"too_large", offsetof(cache_counts_t, too_large), "not filed: too large, or too many tags"},
    {"evictions", offsetof(cache_counts_t, evictions), "good answers that gave way to others"},
    {"invalidations", offsetof(cache_counts_t, invalidations), "tags that writes changed"},
    {"deaths", offsetof(cache_counts_t, deaths), "instances whose end outdated what they own"},
    {"flushes", offsetof(cache_counts_t, flushes), "times all was forgotten"},
};

static int64_t count_of(const cache_stats_t *stats, size_t row)
{
    int64_t value;
    memcpy(&value, (const char *)&stats->counts + counts[row].offset, sizeof(value));
    return value;
}

/* Of all looks, those that were answered; 0 when there were none. */
static double hit_rate(const cache_stats_t *stats)
{
    int64_t hits = stats->counts.hits + stats->counts.stale, all = hits + stats->counts.misses;
    return all > 0 ? (double)hits / (double)all : 0;
}

static void totals(const cache_stats_t *stats, int64_t *entries, int64_t *bytes, int64_t *taken)
{
    *entries = *bytes = *taken = 0;
    for (int i = 0; i < CACHE_CLASSES; i++) {
        *entries += stats->classes[i].entries;
        *bytes += stats->classes[i].bytes;
        *taken += stats->classes[i].touched * stats->classes[i].slot_size;
    }
}

static void print_json(const cache_stats_t *stats)
{
    int64_t entries, bytes, taken;
    totals(stats, &entries, &bytes, &taken);
    json_t *answer = json_pack("{s:b s:I s:I s:I s:I s:I s:f}", "enabled", stats->enabled, "size",
        (json_int_t)stats->size, "taken", (json_int_t)taken, "entries", (json_int_t)entries, "bytes",
        (json_int_t)bytes, "sequence", (json_int_t)stats->sequence, "hit_rate", hit_rate(stats));
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        json_object_set_new(answer, counts[i].name, json_integer(count_of(stats, i)));
    json_t *classes = json_array();
    for (int i = 0; stats->enabled && i < CACHE_CLASSES; i++)
        json_array_append_new(classes,
            json_pack("{s:I s:I s:I s:I s:I s:I}", "slot_size", (json_int_t)stats->classes[i].slot_size, "slots",
                (json_int_t)stats->classes[i].slots, "touched", (json_int_t)stats->classes[i].touched, "entries",
                (json_int_t)stats->classes[i].entries, "bytes", (json_int_t)stats->classes[i].bytes, "outdated",
                (json_int_t)stats->classes[i].outdated));
    json_object_set_new(answer, "classes", classes);
    json_dumpf(answer, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(answer);
}

static void print_text(const cache_stats_t *stats)
{
    int64_t entries, bytes, taken;
    totals(stats, &entries, &bytes, &taken);
    printf("%lld answers, %.1f MB in %.1f MB that were taken of %.0f MB; %.1f %% of looks answered\n\n",
        (long long)entries, (double)bytes / 1e6, (double)taken / 1e6, (double)stats->size / 1e6,
        100 * hit_rate(stats));
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        printf("%-14s %12lld  %s\n", counts[i].name, (long long)count_of(stats, i), counts[i].meaning);
    printf("\n%10s %8s %8s %8s %12s %9s\n", "slots of", "slots", "touched", "answers", "bytes", "outdated");
    for (int i = 0; i < CACHE_CLASSES; i++)
        printf("%10lld %8lld %8lld %8lld %12lld %9lld\n", (long long)stats->classes[i].slot_size,
            (long long)stats->classes[i].slots, (long long)stats->classes[i].touched,
            (long long)stats->classes[i].entries, (long long)stats->classes[i].bytes,
            (long long)stats->classes[i].outdated);
}

enum exit_status run_cache(const invocation_t *invocation)
{
    enum exit_status status;
    segment_t *segment = segment_get(&status);
    if (segment == NULL)
        return status;
    cache_stats_t stats;
    cache_stats_read(cache_open(segment, NULL), &stats);
    if (invocation->given[OPTION_JSON])
        print_json(&stats);
    else if (!stats.enabled)
        printf("there is none: cache.size is 0, or the system was started by another build\n");
    else
        print_text(&stats);
    return CTL_OK;
}

/* --- flush -------------------------------------------------------------------------------------------------------- */

static enum exit_status tag_unknown(const char *tag)
{
    char names[256] = "";
    size_t length = 0;
    for (int i = 0; i < TAGS && length < sizeof(names); i++)
        length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s", i ? ", " : "", tag_name((enum tag)i));
    return complain(CTL_USAGE, "%s is no tag; tags are NAME or NAME:ID, with these names: %s", tag, names);
}

void cache_forget(void)
{
    client_t client;
    if (client_connect(&client))
        json_decref(client_ask(&client, json_pack("{s:s}", "request", "cache_flush"), ANSWER_MILLISECONDS));
    client_close(&client);
}

enum exit_status run_cache_flush(const invocation_t *invocation)
{
    client_t client;
    const char *tag = invocation->count > 0 ? invocation->arguments[0] : NULL;
    enum tag kind;
    uuid_t id;
    if (tag != NULL && !tag_read(text_of(tag), &kind, &id))
        return tag_unknown(tag);
    if (!client_connect(&client))
        return complain(CTL_NOT_RUNNING, "not running; next: aipotenctl start");
    json_t *request = json_pack("{s:s}", "request", "cache_flush");
    if (tag != NULL)
        json_object_set_new(request, "tag", json_string(tag));
    json_t *answer = client_ask(&client, request, ANSWER_MILLISECONDS);
    const char *error = json_string_value(json_object_get(answer, "error"));
    bool done = json_is_true(json_object_get(answer, "ok"));
    enum exit_status status =
        done ? CTL_OK
             : complain(CTL_FAILED, "%s", error != NULL ? error : "the supervisor does not answer; see var/log/supervisor.log");
    json_decref(answer);
    client_close(&client);
    return status;
}
