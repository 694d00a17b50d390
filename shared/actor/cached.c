/* cached: see the header. */
#include "cached.h"
#include "cached_far.h"
#include "forms.h"
#include "unsure.h"
#include "../base/clock.h"
#include "../base/fault.h"
#include "../base/panic.h"
#include "../crypto/etag.h"
#include "../net/broker.h"
#include <stdlib.h>

enum { TAGS_AT_FIRST = 8 };

/* --- tags --------------------------------------------------------------------------------------------------------- */

void cached_begin(job_t *job)
{
    job->tag_count = 0;
    job->tag_room = 0;
    job->tags = NULL;
    job->wrote = false;
    job->holds_until = INT64_MAX;
    job->far_stamp = (second_stamp_t){.good = false};
    job->far_entry = NULL;
    job->stamp = cache_stamp(context.cache);
}

/* Does it change things, as opposed to reading them? */
static bool changes(const job_t *job)
{
    return job->system != NULL || (job->call.endpoint != NULL && job->call.endpoint->writes);
}

static void tag_add(job_t *job, enum tag tag, uuid_t id)
{
    for (int i = 0; i < job->tag_count; i++)
        if (job->tags[i].tag == tag && uuid_equal(job->tags[i].id, id))
            return;
    if (job->tag_count == job->tag_room) {
        int room = job->tag_room ? 2 * job->tag_room : TAGS_AT_FIRST;
        job_tag_t *larger = arena_allocate(job->call.arena, (size_t)room * sizeof(*larger));
        if (job->tag_count > 0)
            memcpy(larger, job->tags, (size_t)job->tag_count * sizeof(*larger));
        job->tags = larger;
        job->tag_room = room;
    }
    job->tags[job->tag_count++] = (job_tag_t){.tag = tag, .id = id};
}

void call_tag(call_t *call, enum tag tag, uuid_t id)
{
    job_t *job = job_of(call);
    if (changes(job)) {
        if (strcmp(tag_owner(tag), context.actor->name) != 0)
            panic("%s is not the owner of the tag %s: only %s may say that it changed", context.actor->name, tag_name(tag),
                tag_owner(tag));
        tag_add(job, tag, id);
    } else if (call->endpoint->cache) {
        tag_add(job, tag, id);
    }
}

void call_cache_until(call_t *call, int64_t time)
{
    job_t *job = job_of(call);
    if (time < job->holds_until)
        job->holds_until = time;
}

static void tags_write(const job_tag_t *tags, int count, char separator, buffer_t *out)
{
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_char(out, separator);
        tag_write(out, tags[i].tag, tags[i].id);
    }
}

text_t cached_tags(const job_t *job)
{
    static buffer_t text; /* reused: nothing here suspends */
    text.length = 0;
    bool shown = changes(job) || (job->call.endpoint != NULL && job->call.endpoint->cache == CACHE_PUBLIC);
    if (shown)
        tags_write(job->tags, job->tag_count, ' ', &text);
    return text.length > 0 ? buffer_text(&text) : (text_t){.data = NULL};
}

bool cached_take(job_t *job, text_t all)
{
    text_t one;
    while (all.length > 0 && text_split(&all, ' ', &one)) {
        enum tag tag;
        uuid_t id;
        if (!tag_read(one, &tag, &id))
            return false;
        tag_add(job, tag, id);
    }
    return true;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

/* Reused: nothing between this and the last use suspends. Not in the arena, as nothing is from COMMIT on: its limit ends a call, which
 * then would be told 503 and nobody that it changed anything; and once the handler's run is over there is nothing to go back to. */
static cache_tag_t *places(const job_tag_t *tags, int count)
{
    static cache_tag_t *all;
    static int room;
    if (count > room) {
        free(all);
        room = count;
        all = memory_zeroed((size_t)room, sizeof(*all));
    }
    for (int i = 0; i < count; i++)
        all[i] = tag_place(context.cache, tags[i].tag, tags[i].id);
    return all;
}

void cached_tell(const job_tag_t *tags, int count)
{
    static buffer_t text; /* reused, as places */
    if (count == 0)
        return;
    cache_invalidate(context.cache, places(tags, count), count);
    for (int i = 0; i < count; i++)
        broker_stale(tag_name(tags[i].tag), tags[i].id);
    text.length = 0;
    tags_write(tags, count, ' ', &text);
    second_changed(buffer_text(&text));
}

void cached_changed(const job_t *job)
{
    if (job->tag_count == 0 || !changes(job))
        return;
    fault_point("cache.before_invalidation");
    cached_tell(job->tags, job->tag_count);
    fault_point("cache.after_invalidation");
}

void cached_tell_all(void)
{
    cache_owner_died(context.cache, context.actor->name);
    broker_stale_all_of(context.actor->name);
    second_changed_all();
}

void cached_committed(const job_t *job, enum db_status status)
{
    if (status == DB_OK || status == DB_UNKNOWN)
        cached_changed(job);
    if (status == DB_UNKNOWN && changes(job))
        unsure_add(job);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* Until when it may be given, by the monotonic clock. */
static int64_t expiry(const job_t *job, int64_t now)
{
    const endpoint_t *endpoint = job->call.endpoint;
    const config_t *config = &context.process.config;
    int64_t life = endpoint->cache_seconds ? endpoint->cache_seconds * CLOCK_SECOND : config->cache.max_age * CLOCK_MILLISECOND;
    if (config->cluster.enabled && life > config->cluster.public_most * CLOCK_MILLISECOND)
        life = config->cluster.public_most * CLOCK_MILLISECOND;
    if (job->holds_until < INT64_MAX) {
        int64_t left = job->holds_until - clock_now();
        life = left < life ? left : life;
    }
    return now + life;
}

static void form_add(job_t *job, cache_entry_t *entry, enum cache_form form, text_t body)
{
    static const char marks[CACHE_FORMS] = {[CACHE_GZIP] = 'g', [CACHE_BROTLI] = 'b'};
    const call_t *call = &job->call;
    bool personal = call->endpoint->cache == CACHE_PERSONAL;
    text_t user = {(const char *)call->principal.user.bytes, sizeof(uuid_t)}, none = {.data = NULL};
    static char etags[CACHE_FORMS][ETAG_SIZE]; /* reused, as places */
    /* Of the identity's bytes in each form: they differ by their mark. */
    etag_make(personal ? user : none, buffer_text(&job->body), marks[form], etags[form]);
    entry->bodies[form] = body;
    entry->etags[form] = text_of(etags[form]);
}

static void forms_add(job_t *job, cache_entry_t *entry)
{
    static buffer_t gzip, brotli; /* reused: nothing here suspends */
    const config_t *config = &context.process.config;
    text_t body = buffer_text(&job->body);
    if (job->far_entry != NULL) { /* compressed where it was made */
        memcpy(entry->bodies, job->far_entry->bodies, sizeof(entry->bodies));
        memcpy(entry->etags, job->far_entry->etags, sizeof(entry->etags));
        return;
    }
    form_add(job, entry, CACHE_IDENTITY, body);
    size_t from = (size_t)(job->call.endpoint->cache == CACHE_PUBLIC ? config->cache.compress_from
                                                                      : config->cache.compress_personal_from);
    gzip.length = brotli.length = 0;
    if (body.length >= from && form_gzip(body, &gzip))
        form_add(job, entry, CACHE_GZIP, buffer_text(&gzip));
    if (body.length >= from && form_brotli(body, &brotli))
        form_add(job, entry, CACHE_BROTLI, buffer_text(&brotli));
}

void cached_file(job_t *job)
{
    static buffer_t header; /* reused: nothing here suspends */
    const endpoint_t *endpoint = job->call.endpoint;
    if (job->cache_key.length != sizeof(cache_key_t) || !endpoint->cache || job->status != 200 || job->header_count > 0)
        return;
    if (job->wrote)
        panic("%s writes, and its answers come from the cache: its row contradicts its handler", endpoint->operation);
    int64_t now = clock_monotonic();
    cache_entry_t entry = {.stamp = job->stamp,
        .tags = places(job->tags, job->tag_count),
        .tag_count = job->tag_count,
        .filled = now,
        .expires = expiry(job, now),
        .public = endpoint->cache == CACHE_PUBLIC};
    if (entry.expires <= now || job->tag_count > CACHE_TAGS_MAX)
        return;
    memcpy(&entry.key, job->cache_key.data, sizeof(entry.key));
    entry.stale_until = entry.expires + (job->holds_until == INT64_MAX ? context.process.config.cache.stale * CLOCK_MILLISECOND : 0);
    header.length = 0;
    if (entry.public)
        tags_write(job->tags, job->tag_count, ',', &header);
    entry.headers = buffer_text(&header);
    forms_add(job, &entry);
    fault_point("cache.before_filing");
    cache_put(context.cache, &entry);
    cached_far_store(job, &entry);
    fault_point("cache.after_filing");
}
