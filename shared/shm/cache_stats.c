/* cache_stats: what the cache holds and did, for aipotenctl and /metrics; reads only. */
#include "../base/clock.h"
#include "cache_internal.h"

static void counts_sum(const cache_t *cache, cache_counts_t *out)
{
    int64_t sums[sizeof(cache_counts_t) / sizeof(int64_t)] = {0};
    for (int row = 0; row < STAT_ROWS; row++)
        for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
            sums[i] += atomic_load_explicit(&cache->head->stats[row].counts[i], memory_order_relaxed);
    memcpy(out, sums, sizeof(sums));
}

/* Slots that were never used are not read: that alone would make the kernel give them memory. */
static void class_read(const cache_t *cache, int number, int64_t now, cache_stats_t *out)
{
    const class_t *class = &cache->classes[number];
    uint64_t touched = atomic_load(&cache->head->classes[number].touched);
    touched = touched < class->slots ? touched : class->slots;
    out->classes[number].slot_size = class->data_size;
    out->classes[number].slots = class->slots;
    out->classes[number].touched = (int64_t)touched;
    for (uint64_t i = 0; i < touched; i++) {
        slot_meta_t meta;
        if (!slot_read(class, &class->heads[i], NULL, &meta))
            continue;
        if (!meta_good(cache, &meta) || now >= (meta.public ? meta.stale_until : meta.expires)) {
            out->classes[number].outdated++;
            continue;
        }
        out->classes[number].entries++;
        out->classes[number].bytes += meta.header_length;
        for (int form = 0; form < CACHE_FORMS; form++)
            out->classes[number].bytes += meta.lengths[form];
    }
}

void cache_stats_read(const cache_t *cache, cache_stats_t *out)
{
    *out = (cache_stats_t){.enabled = cache->head != NULL};
    if (cache->head == NULL)
        return;
    out->size = (int64_t)cache->head->size;
    out->sequence = atomic_load(&cache->head->sequence);
    counts_sum(cache, &out->counts);
    int64_t now = clock_monotonic();
    for (int number = 0; number < CACHE_CLASSES; number++)
        class_read(cache, number, now, out);
}
