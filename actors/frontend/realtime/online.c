/* online: see the header. */
#include "online.h"
#include "actor/operations.h"
#include "base/clock.h"
#include "base/panic.h"
#include "frontend/counters.h"
#include "frontend/relay.h"
#include "shm/presence.h"
#include <stdlib.h>

enum { BEAT = 1000 /* milliseconds */, PROBLEM_BYTES = 16 << 10 };

static struct {
    int slot;
    arena_t *arena;
} online;

/* --- what others may see ------------------------------------------------------------------------------------------ */

void online_enter(socket_t *socket)
{
    insist(!socket->online);
    socket->online = presence_change(frontend.segment, online.slot, socket->token.user, 1, socket->announced, clock_now());
    count(socket->online ? COUNTER_PRESENCE_SOCKETS : COUNTER_PRESENCE_FULL, 1);
}

void online_leave(socket_t *socket)
{
    if (!socket->online)
        return;
    socket->online = false;
    presence_change(frontend.segment, online.slot, socket->token.user, -1, -socket->announced, clock_now());
    count(COUNTER_PRESENCE_SOCKETS, -1);
}

static void set_announced(const event_t *event, bool announced)
{
    uuid_t therapist;
    socket_t *socket = event->socket;
    if (!api_uuid(event, "therapistId", &therapist))
        return;
    if (socket->token.role != ROLE_THERAPIST || !uuid_equal(therapist, socket->token.user)) {
        api_fail(event, ERROR_FORBIDDEN);
        return;
    }
    if (socket->online && socket->announced != announced)
        presence_change(frontend.segment, online.slot, therapist, 0, announced ? 1 : -1, clock_now());
    socket->announced = announced;
    api_succeed(event, TEXT("null"));
}

void online_announce(const event_t *event)
{
    set_announced(event, true);
}

void online_withdraw(const event_t *event)
{
    set_announced(event, false);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static bool answer_read(text_t body, presence_told_t *out)
{
    problems_t problems;
    problems.arena = online.arena;
    problems.count = 0;
    bool good = message_read(&presence_told_message, body, SOURCE_PEER, out, &problems);
    arena_reset(online.arena);
    return good;
}

static void tell(const event_t *event, const presence_told_t *told)
{
    static buffer_t json;
    char user[UUID_TEXT_SIZE], time[28];
    uuid_format(told->user, user);
    json.length = 0;
    buffer_format(&json, "{\"userId\":\"%s\",\"online\":%s,\"lastSeen\":", user, told->online ? "true" : "false");
    if (message_has(told, last_seen))
        buffer_format(&json, "\"%.*s\"}", (int)time_format(told->last_seen, time), time);
    else
        buffer_add_string(&json, "null}");
    api_succeed(event, buffer_text(&json));
}

static void on_answer(void *argument, int status, text_t body)
{
    event_t event;
    presence_told_t told;
    if (!api_waits(argument, &event))
        return;
    if (status == 404)
        api_fail(&event, ERROR_NOT_FOUND);
    else if (status == 200 && answer_read(body, &told))
        tell(&event, &told);
    else
        api_fail(&event, ERROR_UNAVAILABLE);
}

void online_ask(const event_t *event)
{
    presence_wish_t input = {0};
    uuid_t user;
    if (!api_uuid(event, "userId", &user))
        return;
    message_set(&input, user, user);
    api_ask(event, "notifications.presence", &presence_wish_message, &input, on_answer);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    panic("the problems of one answer take more than %d bytes", PROBLEM_BYTES);
}

static void on_beat_time(void *argument)
{
    (void)argument;
    presence_beat(frontend.segment, online.slot, clock_now());
}

void online_open(loop_t *loop)
{
    online.slot = presence_begin(frontend.segment, frontend.self);
    online.arena = arena_create(PROBLEM_BYTES, on_limit, NULL);
    on_beat_time(NULL);
    loop->timer(loop, BEAT, on_beat_time, NULL);
}
