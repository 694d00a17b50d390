/* cached: see the header. */
#include "cached.h"
#include "../base/panic.h"

enum { TAGS_AT_FIRST = 8 };

void cached_begin(job_t *job)
{
    job->tag_count = 0;
    job->tag_room = 0;
    job->tags = NULL;
    job->holds_until = INT64_MAX;
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
    insist(tag < TAGS);
    if (!changes(job)) {
        if (call->endpoint != NULL && call->endpoint->cache)
            tag_add(job, tag, id);
        return;
    }
    if (strcmp(tag_rows[tag].owner, context.actor->name) != 0)
        panic("%s is not the owner of the tag %s: only %s may say that it changed", context.actor->name, tag_rows[tag].name,
            tag_rows[tag].owner);
    tag_add(job, tag, id);
}

void call_cache_until(call_t *call, int64_t time)
{
    job_t *job = job_of(call);
    if (time < job->holds_until)
        job->holds_until = time;
}

text_t cached_tags(const job_t *job)
{
    static buffer_t text; /* reused: nothing here suspends */
    text.length = 0;
    for (int i = 0; i < job->tag_count; i++) {
        char id[UUID_TEXT_SIZE];
        buffer_format(&text, "%s%s", i ? " " : "", tag_rows[job->tags[i].tag].name);
        if (uuid_is_zero(job->tags[i].id))
            continue;
        uuid_format(job->tags[i].id, id);
        buffer_format(&text, ":%s", id);
    }
    return text.length > 0 ? buffer_text(&text) : (text_t){.data = NULL};
}

static bool tag_take(job_t *job, text_t id_part)
{
    text_t name;
    uuid_t id = {{0}};
    text_split(&id_part, ':', &name);
    if (id_part.data != NULL && uuid_parse(id_part, &id) != 0)
        return false;
    for (int i = 0; i < TAGS; i++)
        if (text_equal(name, text_of(tag_rows[i].name))) {
            tag_add(job, (enum tag)i, id);
            return true;
        }
    return false;
}

bool cached_take(job_t *job, text_t all)
{
    text_t one;
    bool good = true;
    while (all.length > 0 && good && text_split(&all, ' ', &one))
        good = tag_take(job, one);
    return good;
}
