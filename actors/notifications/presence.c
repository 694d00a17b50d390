/* presence: who may know that somebody is online, and when they last were (product.md, section 8: privacy first).
 *
 * Oneself, all of it. An administrator, all of anybody, which the access log shows. Of therapists, when they have announced it
 * (therapist_online) and last had: guardians of the children that they work with, and the other party of a consultation. Nobody else,
 * and of nobody else: that is a 404, as if there were no such user.
 *
 * What this machine knows lies in shared memory; what others know, and what was before the last start, in Redis, which may be away: then
 * this machine's word is all. */
#include "notifications.h"
#include "../../shared/actor/operations.h"
#include "../../shared/actor/record_read.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/net/presence_far.h"

enum { REDIS_WAIT = 200, RECORD_WAIT = 2000 /* milliseconds; of what is exported or erased, for which nobody waits */ };

static redis_t *redis; /* NULL: this machine is alone */

void presence_open(call_t *call)
{
    const config_t *config = call_config(call);
    if (redis != NULL || config->redis.url[0] == '\0')
        return;
    redis = redis_open(call_loop(call), config->redis.url);
    if (redis == NULL)
        log_event(LOG_ERROR, "redis_url", LOG_S("next", "redis.url must be like redis://user:password@127.0.0.1:6379/0"));
}

static int64_t later(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

static presence_t presence_everywhere(call_t *call, uuid_t user, int wait)
{
    presence_t far = {.online = false}, here = presence_of(call_segment(call), user, clock_now());
    if (redis == NULL || !redis_ready(redis))
        return here;
    call_leave(call);
    bool told = presence_far_ask(redis, call_config(call), user, clock_monotonic() + wait * CLOCK_MILLISECOND, &far);
    call_return(call);
    if (!told)
        return here;
    return (presence_t){.online = here.online || far.online,
        .announced = here.announced || far.announced,
        .seen = later(here.seen, far.seen),
        .announced_seen = later(here.announced_seen, far.announced_seen)};
}

const void *presence_held(call_t *call, uuid_t user)
{
    presence_t presence = presence_everywhere(call, user, RECORD_WAIT);
    personal_presence_t *held = arena_allocate(call->arena, sizeof *held);
    *held = (personal_presence_t){0};
    message_set(held, user, user);
    message_set(held, online, presence.online);
    if (presence.seen > 0)
        message_set(held, last_seen, presence.seen);
    else
        message_set_null(held, last_seen);
    if (presence.announced_seen > 0)
        message_set(held, announced_last, presence.announced_seen);
    else
        message_set_null(held, announced_last);
    return presence.seen > 0 || presence.announced_seen > 0 ? held : NULL;
}

void presence_erase(call_t *call, uuid_t user)
{
    presence_forget(call_segment(call), user);
    if (redis == NULL)
        return;
    call_leave(call);
    bool forgotten =
        presence_far_forget(redis, call_config(call), user, clock_monotonic() + RECORD_WAIT * CLOCK_MILLISECOND);
    call_return(call);
    if (!forgotten)
        call_fail(call, ERROR_UNAVAILABLE); /* and is told again */
}

static void reply_presence(call_t *call, uuid_t user, bool online, int64_t seen)
{
    presence_told_t told = {0};
    int64_t oldest = clock_now() - call_config(call)->realtime.presence_keep * CLOCK_MILLISECOND;
    message_set(&told, user, user);
    message_set(&told, online, online);
    if (seen > oldest)
        message_set(&told, last_seen, seen);
    else
        message_set_null(&told, last_seen);
    reply_value(call, &told);
}

void presence_ask(call_t *call)
{
    const presence_wish_t *in = call->input;
    bool own = uuid_equal(in->user, call->principal.user), admin = call->principal.role == ROLE_ADMIN;
    const rows_t *rows = db_query(call, &SQL_presence_related, bind_uuid(in->user), bind_uuid(call->principal.user));
    const presence_related_t *row = row_or_404(call, rows);
    if (!own && !admin && !row->related)
        call_fail(call, ERROR_NOT_FOUND);
    presence_t presence = presence_everywhere(call, in->user, REDIS_WAIT);
    if (admin && !own)
        record_read_emit(call, "user", in->user, 1);
    if (own || admin)
        reply_presence(call, in->user, presence.online, presence.seen);
    else
        reply_presence(call, in->user, presence.announced, presence.announced_seen);
}
