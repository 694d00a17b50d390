/* seen: one coroutine looks at the tables now and then and tells what is new in batches; how far it is in each table is all that it
 * remembers, so that there is no queue. What was not taken is read again. What is told is what is true when it is told: in whichever
 * order changes come, the last word is right. */
#include "seen.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "net/presence_far.h"

enum {
    LOOK_MILLISECONDS = 200,
    BATCH = 200,      /* users of one script: a few milliseconds of Redis */
    BEATS_IN_LEASE = 5,
    AGAIN_IN_KEEP = 2, /* who stays online for weeks is told of again before the keys end */
    TELLER_SIZE = UUID_TEXT_SIZE,
};

static struct {
    segment_t *segment;
    presence_far_t far;
    char teller[TELLER_SIZE];
    presence_cursor_t cursors[SEGMENT_INSTANCES];
    coroutine_t *idle; /* the telling coroutine while it has nothing to do */
    bool due;
    int64_t heard_until; /* of the erased */
    int64_t beat_at, again_at; /* clock_monotonic() */
    struct {
        _Atomic int64_t *told, *unsure, *again;
    } counters;
} seen;

static bool has_news(void)
{
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        if (presence_changed(seen.segment, slot, &seen.cursors[slot]))
            return true;
    return false;
}

static void tell_all_again(void)
{
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        seen.cursors[slot] = (presence_cursor_t){0};
    seen.again_at = clock_monotonic() + seen.far.config->realtime.presence_keep / AGAIN_IN_KEEP * CLOCK_MILLISECOND;
    counter_add(seen.counters.again, 1);
}

/* False: Redis did not take it. */
static bool beat(void)
{
    presence_heard_t heard;
    if (!presence_far_beat(&seen.far, seen.heard_until, &heard))
        return false;
    seen.heard_until = heard.until;
    for (int i = 0; i < heard.erased_count; i++)
        presence_forget(seen.segment, heard.erased[i]);
    seen.beat_at = clock_monotonic() + seen.far.config->realtime.presence_lease / BEATS_IN_LEASE * CLOCK_MILLISECOND;
    if (!heard.known || clock_monotonic() >= seen.again_at)
        tell_all_again();
    return true;
}

/* Some of what is new in the table. *more: there may be more of it. */
static bool tell_some(int slot, bool *more)
{
    static buffer_t lines; /* one coroutine */
    uuid_t user;
    int count = 0;
    presence_cursor_t before = seen.cursors[slot];
    lines.length = 0;
    while (count < BATCH && presence_next(seen.segment, slot, &seen.cursors[slot], &user)) {
        presence_t presence = presence_of(seen.segment, user, clock_now());
        presence_far_add(&lines, user, &presence);
        count++;
    }
    *more = count == BATCH;
    if (count == 0 || presence_far_tell(&seen.far, buffer_text(&lines))) {
        counter_add(seen.counters.told, count);
        return true;
    }
    if (seen.cursors[slot].until != 0) /* else it begins anew, as of somebody's end meanwhile */
        seen.cursors[slot] = before;
    counter_add(seen.counters.unsure, count);
    return false;
}

static void look(void)
{
    if (clock_monotonic() >= seen.beat_at && !beat())
        return;
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        for (bool more = true; more;)
            if (!tell_some(slot, &more))
                return;
}

static void tell(void *argument)
{
    (void)argument;
    for (;;) {
        while (seen.due && redis_ready(seen.far.redis)) {
            seen.due = false;
            look();
        }
        seen.idle = coroutine_current();
        coroutine_suspend();
    }
}

/* After each turn. */
static bool turn(void *argument)
{
    (void)argument;
    coroutine_t *idle = seen.idle;
    if (idle == NULL || !seen.due || !redis_ready(seen.far.redis))
        return false;
    seen.idle = NULL;
    coroutine_resume(idle);
    return true; /* what was written leaves in the next turn */
}

static void on_look_time(void *argument)
{
    (void)argument;
    seen.due = true;
}

void seen_instance_ended(int slot)
{
    seen.cursors[slot] = (presence_cursor_t){0};
}

void seen_hurry(void)
{
    seen.due = true;
}

bool seen_is_idle(void)
{
    return seen.far.redis == NULL || !redis_ready(seen.far.redis) || (seen.idle != NULL && !seen.due && !has_news());
}

void seen_open(loop_t *loop, process_t *process)
{
    segment_instance_t *self = process->self;
    const config_t *config = &process->config;
    seen.far.redis = config->redis.url[0] != '\0' ? redis_open(loop, config->redis.url) : NULL;
    if (seen.far.redis == NULL)
        return;
    seen.segment = process->segment;
    seen.far.config = config;
    seen.far.teller = seen.teller;
    uuid_format(uuid_random(), seen.teller);
    seen.counters.told = counter_declare(self, "presence_told", "users", "told to Redis: online, or no longer");
    seen.counters.unsure = counter_declare(self, "presence_unsure", "users", "told without an answer of Redis, so told again");
    seen.counters.again = counter_declare(self, "presence_again", "times", "all were told again: Redis had forgotten, or in time");
    loop->timer(loop, LOOK_MILLISECONDS, on_look_time, NULL);
    loop->add_turn_hook(loop, turn, NULL);
    coroutine_start(tell, NULL);
}
