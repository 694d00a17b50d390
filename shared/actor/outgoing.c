/* outgoing: see the header. Requests stand in the memory of those who wait for them; a ticket says the place in the table and
 * is never given twice, so an answer that came too late finds nobody. */
#include "outgoing.h"
#include "registry.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include "../net/broker.h"

enum { TICK_MILLISECONDS = 50, OUTGOING_MAX = 1024 };

static struct {
    outgoing_t *places[OUTGOING_MAX];
    int16_t free[OUTGOING_MAX];
    int free_count;
    int64_t sent; /* tickets are sent · OUTGOING_MAX + place */
    /* Those that are done and have a coroutine waiting, in the order of their answers. They are resumed at the end of the turn,
     * so that no handler runs inside the loop that reads a link. */
    outgoing_t *done, **done_end;
    arena_t *arena; /* for reading a reply; emptied after each */
    buffer_t packed;
} outgoing;

static void settle(outgoing_t *out, enum outgoing_status status)
{
    int place = (int)(out->ticket % OUTGOING_MAX);
    insist(outgoing.places[place] == out);
    outgoing.places[place] = NULL;
    outgoing.free[outgoing.free_count++] = (int16_t)place;
    ((upstream_t *)out->upstream)->in_flight--;
    out->status = status;
    out->done = true;
    if (!out->waiting)
        return;
    out->next = NULL;
    *outgoing.done_end = out;
    outgoing.done_end = &out->next;
}

static bool resume_done(void *argument)
{
    (void)argument;
    bool any = outgoing.done != NULL;
    while (outgoing.done) {
        outgoing_t *out = outgoing.done;
        outgoing.done = out->next;
        if (!outgoing.done)
            outgoing.done_end = &outgoing.done;
        coroutine_resume(out->waiting);
    }
    return any;
}

static void on_arena_limit(void *argument)
{
    (void)argument;
    panic("the problems of one reply take too much memory");
}

static void on_reply(text_t packed)
{
    reply_t reply;
    static problems_t problems;
    problems.arena = outgoing.arena;
    problems.count = 0;
    bool good = message_read(&reply_message, packed, SOURCE_PEER, &reply, &problems);
    arena_reset(outgoing.arena);
    if (!good || reply.version != ENVELOPE_VERSION || reply.ticket < 0)
        return;
    outgoing_t *out = outgoing.places[reply.ticket % OUTGOING_MAX];
    if (!out || out->ticket != reply.ticket)
        return;
    out->status_code = (int)reply.status;
    if (out->body) {
        out->body->length = 0;
        buffer_add_text(out->body, reply.body);
    }
    settle(out, OUTGOING_ANSWERED);
}

static void on_lost(upstream_t *upstream)
{
    for (int i = 0; i < OUTGOING_MAX; i++)
        if (outgoing.places[i] && outgoing.places[i]->upstream == upstream)
            settle(outgoing.places[i], OUTGOING_LOST);
}

static void on_tick(void *argument)
{
    (void)argument;
    int64_t now = clock_monotonic();
    for (int i = 0; i < OUTGOING_MAX && outgoing.free_count < OUTGOING_MAX; i++)
        if (outgoing.places[i] && outgoing.places[i]->deadline <= now)
            settle(outgoing.places[i], OUTGOING_LATE);
}

void outgoing_open(loop_t *loop, process_t *process)
{
    for (int i = 0; i < OUTGOING_MAX; i++)
        outgoing.free[i] = (int16_t)(OUTGOING_MAX - 1 - i);
    outgoing.free_count = OUTGOING_MAX;
    outgoing.done_end = &outgoing.done;
    outgoing.arena = arena_create(64 << 10, on_arena_limit, NULL);
    loop->timer(loop, TICK_MILLISECONDS, on_tick, NULL);
    loop->add_turn_hook(loop, resume_done, NULL);
    broker_open(loop, process);
    broker_subscribe(TOPIC_INSTANCES, NULL);
    upstream_open(loop, process, registry_services, registry_service_count,
        &(upstream_events_t){.on_reply = on_reply, .on_lost = on_lost});
}

void outgoing_close(void)
{
    if (!outgoing.arena)
        return;
    upstream_close();
    broker_close();
    arena_destroy(&outgoing.arena);
    buffer_free(&outgoing.packed);
}

void outgoing_send(outgoing_t *out, const char *service, request_t *request, int64_t deadline, buffer_t *body)
{
    upstream_t *upstream = NULL;
    int index = upstream_service(service);
    *out = (outgoing_t){.deadline = deadline, .body = body, .status = OUTGOING_UNAVAILABLE, .done = true};
    int64_t left = (deadline - clock_monotonic()) / CLOCK_MILLISECOND;
    if (left <= 0)
        out->status = OUTGOING_LATE;
    if (index < 0 || left <= 0 || outgoing.free_count == 0 || upstream_choose(index, &upstream) != UPSTREAM_CHOSEN)
        return;
    int place = outgoing.free[--outgoing.free_count];
    out->done = false;
    out->ticket = outgoing.sent++ * OUTGOING_MAX + place;
    out->upstream = upstream;
    outgoing.places[place] = out;
    upstream->in_flight++;
    message_set(request, caller, text_of(context.actor->name));
    message_set(request, ticket, out->ticket);
    message_set(request, left, left);
    outgoing.packed.length = 0;
    message_pack(&request_message, request, &outgoing.packed);
    upstream_send(upstream, buffer_text(&outgoing.packed));
}

void outgoing_wait(outgoing_t *out)
{
    if (out->done)
        return;
    out->waiting = coroutine_current();
    insist(out->waiting != NULL);
    job_running(NULL);
    coroutine_suspend();
    insist(out->done);
}
