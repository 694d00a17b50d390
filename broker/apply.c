/* apply: names become places of this segment. What this build does not know could be anything. */
#include "apply.h"
#include "base/log.h"
#include "shm/cache.h"
#include "shm/services.h"

static cache_t *cache;
static struct {
    _Atomic int64_t *tags, *services, *all;
} counters;

void apply_open(process_t *process)
{
    segment_instance_t *self = process->self;
    cache = cache_open(process->segment, self);
    counters.tags = counter_declare(self, "bridge_tags", "tags", "stale on another machine, so here");
    counters.services = counter_declare(self, "bridge_owners", "actors", "one of its instances ended on another machine");
    counters.all = counter_declare(self, "bridge_flushes", "times", "the cache was emptied: something may not have been heard");
}

void apply_all(const char *why)
{
    cache_flush(cache);
    counter_add(counters.all, 1);
    log_event(LOG_INFO, "cache_emptied", LOG_S("why", why));
}

void apply(const stale_t *stale)
{
    if (stale->all) {
        apply_all("told");
        return;
    }
    for (int i = 0; i < stale->service_count; i++) {
        if (service_find(stale->services[i]) < 0) {
            apply_all("unknown actor");
            return;
        }
        cache_owner_died(cache, stale->services[i]);
        counter_add(counters.services, 1);
    }
    for (int i = 0; i < stale->tag_count; i++)
        cache_invalidate_named(cache, stale->tags[i].name, &stale->tags[i].id);
    counter_add(counters.tags, stale->tag_count);
}
