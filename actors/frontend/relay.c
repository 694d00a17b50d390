/* relay: the pending table's entries stand for exchanges. What always holds: an entry's connection and
 * upstream count it once, until it is released; an exchange is answered at most once, by its answer, its
 * deadline or the loss of its instance, whichever comes first.
 *
 * When an instance is lost, what it had is sent to another one at once, under the same call id and within the deadline: a read
 * may be done twice, a write cannot be (shared/actor/once.h). While a service has no instance but had one a moment ago, its
 * requests are held, for http.patience at most: what dies is back sooner. */
#include "relay.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/panic.h"
#include "cached.h"
#include "counters.h"
#include "pending.h"
#include "response.h"
#include "net/broker.h"
#include "net/upstream.h"
#include "wire/link.h"
#include <stdlib.h>

enum { EXPIRE_MILLISECONDS = 50, RETRY_SOON = 1, PROBLEM_BYTES = 64 << 10, PACKED_KEPT = 256 << 10 };

static struct {
    pending_t pending;
    arena_t *arena;  /* for reading a reply; emptied after each */
    buffer_t packed; /* the envelope being built */
    bool busy;       /* the instance's row says what was sent in this turn */
    int held;        /* entries without an upstream */
} relay;

typedef struct {
    int64_t ticket;
} guard_t;

/* What was asked by relay_ask. */
typedef struct {
    uuid_t call;
    void (*on_answer)(void *argument, int status, text_t body);
    void *argument;
} asked_t;

/* The place is free again, on all three accounts. */
static void entry_release(pending_entry_t *entry)
{
    if (entry->upstream != NULL)
        ((upstream_t *)entry->upstream)->in_flight--;
    else
        relay.held--;
    connection_t *connection = entry->connection;
    fill_t *fill = entry->fill;
    pending_release(&relay.pending, entry);
    if (connection != NULL)
        connection_release(connection);
    cached_end_fill(fill);
    count(COUNTER_PENDING, -1);
}

/* libh2o disposes of the request: answered, reset, or its connection closed. The actor works on, so the place
 * stays taken. */
static void on_request_gone(void *argument)
{
    pending_entry_t *entry = pending_find(&relay.pending, ((const guard_t *)argument)->ticket);
    if (entry == NULL)
        return;
    exchange_t *exchange = entry->exchange;
    entry->exchange = NULL;
    if (exchange != NULL)
        response_abandoned(exchange);
}

/* --- towards the actor -------------------------------------------------------------------------------------------- */

static void refuse(exchange_t *exchange, enum counter reason)
{
    count(reason, 1);
    response_unavailable(exchange, ERROR_UNAVAILABLE, RETRY_SOON);
}

static void pack(request_t *request)
{
    if (relay.packed.capacity > PACKED_KEPT)
        buffer_free(&relay.packed);
    relay.packed.length = 0;
    message_pack(&request_message, request, &relay.packed);
}

static void entry_send(pending_entry_t *entry, upstream_t *upstream, exchange_t *exchange)
{
    entry->upstream = upstream;
    upstream->in_flight++;
    now_set(frontend.self, exchange->destination->operation, exchange->call, exchange->trace);
    relay.busy = true;
    fault_point("relay.before_send");
    upstream_send(upstream, buffer_text(&relay.packed));
}

static int64_t patience(void)
{
    return frontend.config.http.patience * CLOCK_MILLISECOND;
}

/* Until on_turn finds an instance for it, or its patience ends. */
static void entry_hold(pending_entry_t *entry, exchange_t *exchange)
{
    entry->upstream = NULL;
    exchange->held_at = clock_monotonic();
    relay.held++;
    count(COUNTER_HELD, 1);
}

void relay_send(exchange_t *exchange, request_t *request)
{
    upstream_t *upstream;
    connection_t *connection = exchange->connection;
    if (connection_is_full(connection)) {
        refuse(exchange, COUNTER_CONNECTION_FULL);
        return;
    }
    if (connection_address_is_full(connection)) {
        refuse(exchange, COUNTER_ADDRESS_FULL);
        return;
    }
    int service = exchange->destination->service;
    enum upstream_choice choice = upstream_choose(service, &upstream);
    bool hold = choice == UPSTREAM_NONE_READY && upstream_coming_back(service, patience());
    if (choice != UPSTREAM_CHOSEN && !hold) {
        refuse(exchange, choice == UPSTREAM_NONE_READY ? COUNTER_NO_INSTANCE : COUNTER_INSTANCE_FULL);
        return;
    }
    int64_t ticket, timeout = frontend.config.http.request_timeout;
    pending_entry_t *entry =
        pending_take(&relay.pending, exchange->started + timeout * CLOCK_MILLISECOND, &ticket);
    if (entry == NULL) {
        refuse(exchange, COUNTER_PENDING_FULL);
        return;
    }
    entry->exchange = exchange;
    entry->connection = connection;
    entry->fill = cached_take_fill(exchange);
    connection_hold(connection);
    count(COUNTER_PENDING, 1);
    guard_t *guard = h2o_mem_alloc_shared(&exchange->req->pool, sizeof(*guard), on_request_gone);
    guard->ticket = ticket;
    message_set(request, ticket, ticket);
    message_set(request, left, timeout);
    pack(request);
    exchange->packed = response_copy(exchange, buffer_text(&relay.packed));
    if (hold)
        entry_hold(entry, exchange);
    else
        entry_send(entry, upstream, exchange);
}

/* --- our own questions -------------------------------------------------------------------------------------------- */

static void question_answer(asked_t *asked, int status, text_t body)
{
    asked_t copy = *asked;
    free(asked);
    copy.on_answer(copy.argument, status, body);
}

static void question_pack(const question_t *question, uuid_t call, int64_t ticket)
{
    static buffer_t input;
    char trace[UUID_TEXT_SIZE];
    request_t request = {0};
    input.length = 0;
    message_pack(question->input_message, question->input, &input);
    uuid_format(call, trace);
    message_set(&request, version, ENVELOPE_VERSION);
    message_set(&request, ticket, ticket);
    message_set(&request, call_id, call);
    message_set(&request, trace, text_of(trace));
    message_set(&request, operation, text_of(question->operation));
    message_set(&request, left, frontend.config.http.request_timeout);
    message_set(&request, user, question->principal->user);
    message_set(&request, session, question->principal->session);
    message_set(&request, role, question->principal->role);
    message_set(&request, language, question->language);
    if (question->address.data != NULL)
        message_set(&request, address, question->address);
    message_set(&request, resent, false);
    message_set(&request, caller, TEXT("frontend"));
    message_set(&request, body_kind, BODY_FIELDS);
    message_set(&request, body, buffer_text(&input));
    pack(&request);
}

bool relay_ask(const question_t *question, void (*on_answer)(void *argument, int status, text_t body), void *argument)
{
    upstream_t *upstream;
    int64_t ticket, deadline = clock_monotonic() + frontend.config.http.request_timeout * CLOCK_MILLISECOND;
    int service = upstream_service(question->service);
    if (service < 0 || upstream_choose(service, &upstream) != UPSTREAM_CHOSEN)
        return false;
    pending_entry_t *entry = pending_take(&relay.pending, deadline, &ticket);
    if (entry == NULL)
        return false;
    asked_t *asked = memory_allocate(sizeof(*asked));
    *asked = (asked_t){.call = uuid_new(), .on_answer = on_answer, .argument = argument};
    entry->question = asked;
    entry->upstream = upstream;
    upstream->in_flight++;
    count(COUNTER_PENDING, 1);
    question_pack(question, asked->call, ticket);
    upstream_send(upstream, buffer_text(&relay.packed));
    return true;
}

/* --- from the actor ----------------------------------------------------------------------------------------------- */

/* Reads an envelope into the arena; false when it is none. */
static bool envelope_read(const message_t *message, text_t packed, void *out)
{
    problems_t problems;
    problems.arena = relay.arena;
    problems.count = 0;
    bool good = message_read(message, packed, SOURCE_PEER, out, &problems);
    arena_reset(relay.arena);
    return good;
}

static void on_reply(text_t packed)
{
    reply_t reply;
    if (!envelope_read(&reply_message, packed, &reply) || reply.version != ENVELOPE_VERSION ||
        reply.status < 200 || reply.status > 599) {
        count(COUNTER_BAD_REPLIES, 1);
        return;
    }
    pending_entry_t *entry = pending_find(&relay.pending, reply.ticket);
    if (entry == NULL) {
        count(COUNTER_LATE_REPLIES, 1);
        return;
    }
    exchange_t *exchange = entry->exchange;
    asked_t *asked = entry->question;
    if ((exchange != NULL && !uuid_equal(exchange->call, reply.call_id)) ||
        (asked != NULL && !uuid_equal(asked->call, reply.call_id))) {
        count(COUNTER_BAD_REPLIES, 1);
        return;
    }
    fault_point("relay.answered");
    entry_release(entry);
    if (asked != NULL)
        question_answer(asked, (int)reply.status, reply.body);
    if (exchange == NULL)
        return;
    text_t file = reply.headers.length > 0 ? pairs_get(reply.headers, TEXT(REPLY_FILE_HEADER)) : (text_t){.data = NULL};
    if (file.data != NULL)
        response_file(exchange, TYPE_JSON, reply.headers, file);
    else if (exchange->destination->cache != CACHE_NEVER && reply.status == 200)
        cached_reply(exchange, &reply);
    else
        response_send(
            exchange, (int)reply.status, TYPE_JSON, reply.headers, response_copy(exchange, reply.body));
    fault_point("relay.responded");
}

/* --- when it takes too long, or the actor dies -------------------------------------------------------------------- */

static void on_expire_time(void *argument)
{
    (void)argument;
    int64_t now = clock_monotonic();
    pending_entry_t *entry;
    while ((entry = pending_first(&relay.pending)) != NULL && entry->deadline <= now) {
        exchange_t *exchange = entry->exchange;
        asked_t *asked = entry->question;
        entry_release(entry);
        if (asked != NULL)
            question_answer(asked, 0, (text_t){.data = NULL});
        if (exchange == NULL)
            continue;
        count(COUNTER_TIMEOUTS, 1);
        response_unavailable(exchange, ERROR_TIMEOUT, RETRY_SOON);
    }
    count_set(COUNTER_LINK_DROPPED, link_dropped());
    count_set(COUNTER_LOG_DROPPED, log_dropped());
}

/* The same call once more, under the same ticket, with what is left of its time. `again`: an instance may have begun it. */
static bool send_again(pending_entry_t *entry, exchange_t *exchange, bool again, int64_t now)
{
    upstream_t *upstream;
    request_t request;
    int64_t left = (entry->deadline - now) / CLOCK_MILLISECOND;
    if (left <= 0 || upstream_choose(exchange->destination->service, &upstream) != UPSTREAM_CHOSEN)
        return false;
    if (!envelope_read(&request_message, exchange->packed, &request))
        panic("an envelope of ours cannot be read again");
    message_set(&request, left, left);
    message_set(&request, resent, request.resent || again);
    pack(&request);
    if (entry->upstream != NULL)
        ((upstream_t *)entry->upstream)->in_flight--;
    else
        relay.held--;
    exchange->held_at = 0;
    entry_send(entry, upstream, exchange);
    return true;
}

/* Holds what was with a lost instance, when there is no other one now. It stays marked as begun. */
static bool hold_again(pending_entry_t *entry, exchange_t *exchange)
{
    request_t request;
    if (!upstream_coming_back(exchange->destination->service, patience()))
        return false;
    if (!envelope_read(&request_message, exchange->packed, &request))
        panic("an envelope of ours cannot be read again");
    message_set(&request, resent, true);
    pack(&request);
    exchange->packed = response_copy(exchange, buffer_text(&relay.packed));
    ((upstream_t *)entry->upstream)->in_flight--;
    entry_hold(entry, exchange);
    return true;
}

/* Sends what is held to whoever is ready now; gives up what was held too long. */
static void release_held(int64_t now)
{
    for (pending_entry_t *entry = pending_first(&relay.pending), *next; entry != NULL && relay.held > 0; entry = next) {
        next = pending_next(&relay.pending, entry);
        if (entry->upstream != NULL)
            continue;
        exchange_t *exchange = entry->exchange;
        if (exchange != NULL && send_again(entry, exchange, false, now))
            continue;
        if (exchange != NULL && now - exchange->held_at < patience())
            continue;
        entry_release(entry);
        if (exchange != NULL)
            refuse(exchange, COUNTER_NO_INSTANCE);
    }
}

static void on_lost(upstream_t *upstream)
{
    int64_t now = clock_monotonic(), resent = 0, failed = 0;
    for (pending_entry_t *entry = pending_first(&relay.pending), *next; entry != NULL; entry = next) {
        next = pending_next(&relay.pending, entry);
        if (entry->upstream != upstream)
            continue;
        exchange_t *exchange = entry->exchange;
        /* A request may be why its instances die: what lost http.losses_most gets no other one. */
        bool again = exchange != NULL && ++exchange->losses < frontend.config.http.losses_most;
        if (again && (send_again(entry, exchange, true, now) || hold_again(entry, exchange))) {
            count(COUNTER_RESENT, 1);
            resent++;
            continue;
        }
        asked_t *asked = entry->question;
        entry_release(entry);
        if (asked != NULL)
            question_answer(asked, 0, (text_t){.data = NULL});
        failed += exchange != NULL;
        if (exchange != NULL)
            refuse(exchange, COUNTER_INSTANCE_LOST);
    }
    if (resent + failed > 0)
        log_event(LOG_INFO, "instance_lost", LOG_S("service", route_services[upstream->service].service),
            LOG_I("resent", resent), LOG_I("failed", failed));
}

/* After each turn: nothing is being worked on. */
static bool on_turn(void *argument)
{
    (void)argument;
    if (relay.busy)
        now_set(frontend.self, TEXT(""), (uuid_t){{0}}, TEXT(""));
    relay.busy = false;
    if (relay.held > 0)
        release_held(clock_monotonic());
    return false;
}

static _Noreturn void on_arena_limit(void *argument)
{
    (void)argument;
    panic("the problems of one envelope take more than %d bytes", PROBLEM_BYTES);
}

void relay_open(loop_t *loop, process_t *process)
{
    pending_create(&relay.pending, (uint32_t)process->config.http.max_pending);
    relay.arena = arena_create(PROBLEM_BYTES, on_arena_limit, NULL);
    loop->timer(loop, EXPIRE_MILLISECONDS, on_expire_time, NULL);
    loop->add_turn_hook(loop, on_turn, NULL);
    broker_open(loop, process);
    broker_subscribe(TOPIC_INSTANCES, NULL);
    upstream_open(loop, process, route_services, route_service_count,
        &(upstream_events_t){.on_reply = on_reply, .on_lost = on_lost});
}

void relay_close(void)
{
    upstream_close();
    broker_close();
    pending_destroy(&relay.pending);
    arena_destroy(&relay.arena);
    buffer_free(&relay.packed);
}
