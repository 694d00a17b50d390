/* cached_far: see the header. What an answer is called in Redis is the same on all machines of one build: its operation, the rows that this
 * service answers (schema hash), its parameters as the frontend packed them, and the language where it matters. */
#include "cached_far.h"
#include "cached.h"
#include "../base/clock.h"
#include "../base/panic.h"

static struct {
    uint64_t schema;
    _Atomic int64_t *hits;
} far;

void cached_far_open(void)
{
    far.schema = actor_schema_hash(context.actor);
    far.hits = counter_declare(context.process.self, "cache_hits_redis", "answers", "answers taken from Redis, not made anew");
    second_open(context.loop, &context.process.config, context.cache, context.actor->name);
}

static text_t name_of(const job_t *job)
{
    static buffer_t name; /* reused: what follows copies it before anything suspends */
    const endpoint_t *endpoint = job->call.endpoint;
    name.length = 0;
    buffer_format(&name, "%016llx %s %d ", (unsigned long long)far.schema, endpoint->operation,
        endpoint->by_language ? (int)job->call.language : -1);
    buffer_add_text(&name, job->packed_params);
    return buffer_text(&name);
}

/* The tags, and for each owner among them the word for all of its tags. */
static text_t words_of(const job_t *job)
{
    static buffer_t words;
    words.length = 0;
    for (int i = 0; i < job->tag_count; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++)
            seen = strcmp(tag_owner(job->tags[j].tag), tag_owner(job->tags[i].tag)) == 0;
        tag_write(&words, job->tags[i].tag, job->tags[i].id);
        if (!seen)
            buffer_format(&words, " @%s", tag_owner(job->tags[i].tag));
        buffer_add_char(&words, ' ');
    }
    return buffer_text(&words);
}

/* Takes the answer's tags for the call's; false: this build does not know one, or this machine knows that one has changed since. */
static bool tags_take(job_t *job, const second_answer_t *answer)
{
    text_t rest = answer->words, word;
    while (rest.length > 0 && text_split(&rest, ' ', &word))
        if (word.length > 0 && word.data[0] != '@' && !cached_take(job, word))
            return false;
    for (int i = 0; i < job->tag_count; i++)
        if (!second_trusted(context.cache, answer, tag_place(context.cache, job->tags[i].tag, job->tags[i].id)))
            return false;
    return true;
}

static void reply_take(job_t *job, const second_answer_t *answer)
{
    arena_t *arena = job->call.arena;
    cache_entry_t *entry = arena_allocate(arena, sizeof(*entry));
    for (int i = 0; i < CACHE_FORMS; i++) {
        if (answer->bodies[i].data == NULL)
            continue;
        entry->bodies[i] = arena_copy(arena, answer->bodies[i]);
        entry->etags[i] = arena_copy(arena, answer->etags[i]);
    }
    job->far_entry = entry;
    job->status = 200;
    buffer_add_text(&job->body, entry->bodies[CACHE_IDENTITY]);
    job->holds_until = answer->until;
    counter_add(far.hits, 1);
}

static bool is_wanted(const job_t *job)
{
    return job->system == NULL && job->call.endpoint->cache == CACHE_PUBLIC && job->cache_key.length == sizeof(cache_key_t);
}

bool cached_far_fetch(job_t *job)
{
    second_answer_t answer;
    if (!is_wanted(job) || !second_ready())
        return false;
    bool found = second_fetch(name_of(job), &job->far_stamp, &answer);
    job_running(job); /* others ran meanwhile */
    bool good = found && tags_take(job, &answer);
    if (good)
        reply_take(job, &answer);
    else
        job->tag_count = 0;
    buffer_free(&answer.packed);
    return good;
}

/* Where a row says how old its answers may be, no tag tells of all that is in them: nowhere are they kept for longer. */
static int64_t holds_until(const job_t *job)
{
    int64_t seconds = job->call.endpoint->cache_seconds, until = clock_now() + seconds * CLOCK_SECOND;
    return seconds > 0 && until < job->holds_until ? until : job->holds_until;
}

void cached_far_store(const job_t *job, const cache_entry_t *entry)
{
    if (is_wanted(job) && job->far_entry == NULL && job->far_stamp.good)
        second_store(name_of(job), &job->far_stamp, words_of(job), entry, holds_until(job));
}
