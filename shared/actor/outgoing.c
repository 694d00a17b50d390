/* outgoing: see the header. Requests stand in a list by the memory of those who wait for them; a ticket that nobody waits for
 * any more is an answer that came too late. */
#include "outgoing.h"
#include "registry.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"

enum { TICK_MILLISECONDS = 20, OUTGOING_MAX = 1024 };

static struct {
    outgoing_t *list;
    int count;
    int64_t next_ticket;
    arena_t *arena; /* for reading a reply; emptied after each */
    buffer_t packed;
} outgoing;

static void finish(outgoing_t *out, enum outgoing_status status)
{
    outgoing_t **at = &outgoing.list;
    while (*at != out)
        at = &(*at)->next;
    *at = out->next;
    outgoing.count--;
    if (out->upstream)
        ((upstream_t *)out->upstream)->in_flight--;
    out->status = status;
    out->done = true;
}

/* Those that are done and have a coroutine waiting. They are resumed at the end of the turn, so that no handler runs inside
 * the loop that reads a link. */
static outgoing_t *finished[OUTGOING_MAX];
static int finished_count;

static void settle(outgoing_t *out, enum outgoing_status status)
{
    finish(out, status);
    if (out->waiting)
        finished[finished_count++] = out;
}

static bool resume_finished(void *argument)
{
    (void)argument;
    bool any = false;
    while (finished_count > 0) {
        coroutine_t *coroutine = finished[--finished_count]->waiting;
        coroutine_resume(coroutine);
        any = true;
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
    problems_t problems = {.arena = outgoing.arena};
    bool good = message_read(&reply_message, packed, SOURCE_PEER, &reply, &problems);
    arena_reset(outgoing.arena);
    if (!good || reply.version != ENVELOPE_VERSION)
        return;
    for (outgoing_t *out = outgoing.list; out; out = out->next)
        if (out->ticket == reply.ticket) {
            out->status_code = (int)reply.status;
            settle(out, OUTGOING_ANSWERED);
            return;
        }
}

static void on_lost(upstream_t *upstream)
{
    for (outgoing_t *out = outgoing.list, *next; out; out = next) {
        next = out->next;
        if (out->upstream == upstream)
            settle(out, OUTGOING_LOST);
    }
}

static void on_tick(void *argument)
{
    (void)argument;
    int64_t now = clock_monotonic();
    for (outgoing_t *out = outgoing.list, *next; out; out = next) {
        next = out->next;
        if (out->deadline <= now)
            settle(out, OUTGOING_LOST);
    }
}

void outgoing_open(loop_t *loop, process_t *process)
{
    outgoing.arena = arena_create(64 << 10, on_arena_limit, NULL);
    outgoing.next_ticket = 1;
    loop->timer(loop, TICK_MILLISECONDS, on_tick, NULL);
    loop->add_turn_hook(loop, resume_finished, NULL);
    upstream_open(loop, process, registry_services, registry_service_count,
        &(upstream_events_t){.on_reply = on_reply, .on_lost = on_lost});
}

void outgoing_close(void)
{
    if (!outgoing.arena)
        return;
    upstream_close();
    arena_destroy(&outgoing.arena);
    buffer_free(&outgoing.packed);
}

void outgoing_send(outgoing_t *out, const char *service, request_t *request, int64_t deadline)
{
    upstream_t *upstream = NULL;
    int index = upstream_service(service);
    *out = (outgoing_t){.deadline = deadline, .status = OUTGOING_UNAVAILABLE, .done = true};
    int64_t left = (deadline - clock_monotonic()) / CLOCK_MILLISECOND;
    if (index < 0 || left <= 0 || outgoing.count >= OUTGOING_MAX || upstream_choose(index, &upstream) != UPSTREAM_CHOSEN)
        return;
    out->done = false;
    out->ticket = outgoing.next_ticket++;
    out->upstream = upstream;
    out->next = outgoing.list;
    outgoing.list = out;
    outgoing.count++;
    upstream->in_flight++;
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
