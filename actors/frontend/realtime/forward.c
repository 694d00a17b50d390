/* forward: see the header. Each frontend listens at its own endpoint of the instance table, and opens a link to another one when the
 * first poll for it comes. What is under way stands in a table with deadlines (pending.h); whose client goes away meanwhile is told to
 * the owner, who ends the session then: what its answer carried is lost, and the client knows that it must come back. */
#include "forward.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "frontend/counters.h"
#include "frontend/loop_h2o.h"
#include "frontend/pending.h"
#include "frontend/response.h"
#include "polling.h"
#include "wire/link.h"
#include <errno.h>
#include <stdlib.h>

enum {
    PASS_VERSION = 1,
    PASSED_MOST = 32768,
    OWNERS_MOST = 64,
    TICK = 100, /* milliseconds */
    SLACK = 5,  /* seconds that an answer may take longer than a ping */
    PROBLEM_BYTES = 16 << 10,
    REFUSED = 409,
    TAKERS_MOST = 256, /* that wait until a session may go */
    TAKE_MOST = 2000,  /* milliseconds that they wait */
};

enum pass { PASS_ASK, PASS_TELL, PASS_GONE, PASS_PROBE, PASS_TAKE };

#define PASSED(FIELD)                                                                                              \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(integer, kind, .required = true)                                                                         \
    FIELD(integer, ticket, .required = true)                                                                       \
    FIELD(text, path, .required = true)                                                                            \
    FIELD(text, sid, .required = true)                                                                             \
    FIELD(bytes, body, .nullable = true)
MESSAGE_POSITIONAL(passed, PASSED);

#define PASS_ANSWER(FIELD)                                                                                         \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(integer, ticket, .required = true)                                                                       \
    FIELD(integer, status, .required = true)                                                                       \
    FIELD(text, type, .required = true)                                                                            \
    FIELD(bytes, body, .required = true)
MESSAGE_POSITIONAL(pass_answer, PASS_ANSWER);

typedef struct {
    uint64_t generation; /* 0: a free place */
    link_client_t *link;
} owner_t;

/* Something that was passed on and is not answered yet. */
typedef struct {
    owner_t *owner;
    const service_t *service;
    char sid[SID_SIZE];
    void (*done)(void *argument, text_t answer); /* NULL: a poll's */
    void *argument;
} under_way_t;

typedef struct {
    int64_t ticket;
} guard_t;

/* Another frontend that wants a session of ours, which cannot go just now. */
typedef struct {
    const service_t *service;
    char sid[SID_SIZE];
    uint32_t peer;
    int64_t ticket;
    int64_t until; /* clock_monotonic() */
} taker_t;

static struct {
    loop_t *loop;
    link_server_t *server;
    owner_t owners[OWNERS_MOST];
    pending_t table;
    taker_t takers[TAKERS_MOST];
    int taker_count;
    arena_t *arena;
    buffer_t packed;
} forward;

static const text_t nothing = {.data = NULL};

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    panic("the problems of one passed poll take more than %d bytes", PROBLEM_BYTES);
}

static bool read_one(const message_t *message, text_t packed, void *out)
{
    problems_t problems;
    problems.arena = forward.arena;
    problems.count = 0;
    bool good = message_read(message, packed, SOURCE_PEER, out, &problems);
    arena_reset(forward.arena);
    return good;
}

/* --- owners ------------------------------------------------------------------------------------------------------- */

static const segment_instance_t *instance_of(uint64_t generation)
{
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        segment_instance_t *row = segment_instance(frontend.segment, slot);
        int state = atomic_load(&row->state);
        if (atomic_load(&row->used) && row->service == frontend.self->service && atomic_load(&row->generation) == generation &&
            (state == INSTANCE_READY || state == INSTANCE_DRAINING || state == INSTANCE_STARTING))
            return row;
    }
    return NULL;
}

bool forward_reaches(text_t sid)
{
    uint64_t generation = session_owner(sid);
    return generation != 0 && generation != frontend.generation && instance_of(generation) != NULL;
}

static void on_answer(void *argument, text_t value, uint32_t peer);

/* NULL: there is no such frontend any more. */
static owner_t *owner_of(uint64_t generation)
{
    char endpoint[512];
    owner_t *place = NULL;
    for (int i = 0; i < OWNERS_MOST; i++) {
        if (forward.owners[i].generation == generation)
            return &forward.owners[i];
        if (forward.owners[i].generation == 0 && place == NULL)
            place = &forward.owners[i];
    }
    const segment_instance_t *row = instance_of(generation);
    if (row == NULL || place == NULL || generation == frontend.generation)
        return NULL;
    segment_endpoint(row, frontend.run_directory, endpoint, sizeof(endpoint));
    link_client_t *link = link_client_open(forward.loop, endpoint, on_answer, NULL);
    if (link == NULL)
        return NULL;
    *place = (owner_t){.generation = generation, .link = link};
    return place;
}

/* --- passing on --------------------------------------------------------------------------------------------------- */

static void pass(const under_way_t *one, enum pass kind, int64_t ticket, text_t body)
{
    passed_t passed = {0};
    message_set(&passed, version, PASS_VERSION);
    message_set(&passed, kind, kind);
    message_set(&passed, ticket, ticket);
    message_set(&passed, path, one->service->path);
    message_set(&passed, sid, text_of(one->sid));
    if (body.data != NULL)
        message_set(&passed, body, body);
    forward.packed.length = 0;
    message_pack(&passed_message, &passed, &forward.packed);
    link_client_send(one->owner->link, buffer_text(&forward.packed));
    loop_h2o_again(forward.loop);
}

/* NULL: its owner is gone, or too much is under way. */
static pending_entry_t *pass_begin(const service_t *service, text_t sid, int64_t *ticket)
{
    const config_t *config = &frontend.config;
    owner_t *owner = owner_of(session_owner(sid));
    int64_t most = config->realtime.ping_interval + config->realtime.ping_timeout;
    if (owner == NULL)
        return NULL;
    pending_entry_t *entry =
        pending_take(&forward.table, clock_monotonic() + most * CLOCK_MILLISECOND + SLACK * CLOCK_SECOND, ticket);
    if (entry == NULL)
        return NULL;
    under_way_t *one = memory_zeroed(1, sizeof(*one));
    *one = (under_way_t){.owner = owner, .service = service};
    memcpy(one->sid, sid.data, SID_SIZE - 1);
    entry->question = one;
    return entry;
}

/* Its client went away. */
static void on_request_gone(void *argument)
{
    pending_entry_t *entry = pending_find(&forward.table, ((const guard_t *)argument)->ticket);
    if (entry == NULL)
        return;
    under_way_t *one = entry->question;
    response_abandoned(entry->exchange);
    pass(one, PASS_GONE, pending_ticket(&forward.table, entry), nothing);
    pending_release(&forward.table, entry);
    free(one);
}

void forward_poll(exchange_t *exchange, const service_t *service, text_t sid, text_t body)
{
    int64_t ticket;
    pending_entry_t *entry = pass_begin(service, sid, &ticket);
    if (entry == NULL) {
        engine_fail((asker_t){.exchange = exchange}, ENGINE_UNKNOWN_SID);
        return;
    }
    count(COUNTER_REALTIME_PASSED, 1);
    entry->exchange = exchange;
    guard_t *guard = h2o_mem_alloc_shared(&exchange->req->pool, sizeof(*guard), on_request_gone);
    guard->ticket = ticket;
    pass(entry->question, body.data != NULL ? PASS_TELL : PASS_ASK, ticket, body);
}

static bool pass_wish(
    enum pass kind, const service_t *service, text_t sid, void (*done)(void *argument, text_t answer), void *argument)
{
    int64_t ticket;
    pending_entry_t *entry = pass_begin(service, sid, &ticket);
    if (entry == NULL)
        return false;
    under_way_t *one = entry->question;
    one->done = done;
    one->argument = argument;
    pass(one, kind, ticket, nothing);
    return true;
}

bool forward_probe(const service_t *service, text_t sid, void (*done)(void *argument, text_t answer), void *argument)
{
    return pass_wish(PASS_PROBE, service, sid, done, argument);
}

bool forward_take(const service_t *service, text_t sid, void (*done)(void *argument, text_t answer), void *argument)
{
    return pass_wish(PASS_TAKE, service, sid, done, argument);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void finish(pending_entry_t *entry, int status, text_t type, text_t body)
{
    under_way_t one = *(under_way_t *)entry->question;
    exchange_t *exchange = entry->exchange;
    free(entry->question);
    pending_release(&forward.table, entry);
    if (one.done != NULL)
        one.done(one.argument, status == 200 ? body : nothing);
    else if (status == 0)
        engine_fail((asker_t){.exchange = exchange}, ENGINE_UNKNOWN_SID);
    else
        response_send(exchange, status, response_copy(exchange, type), nothing, response_copy(exchange, body));
}

static void on_answer(void *argument, text_t value, uint32_t peer)
{
    pass_answer_t answer;
    (void)argument, (void)peer;
    if (!read_one(&pass_answer_message, value, &answer) || answer.version != PASS_VERSION || answer.status < 200 || answer.status > 599)
        return;
    pending_entry_t *entry = pending_find(&forward.table, answer.ticket);
    if (entry != NULL)
        finish(entry, (int)answer.status, answer.type, answer.body);
}

/* Those of an owner that is gone, or all that are late. */
static void give_up(const owner_t *owner, int64_t now)
{
    for (pending_entry_t *entry = pending_first(&forward.table), *next; entry != NULL; entry = next) {
        next = pending_next(&forward.table, entry);
        const under_way_t *one = entry->question;
        if (owner != NULL ? one->owner == owner : entry->deadline <= now)
            finish(entry, 0, nothing, nothing);
        else if (owner == NULL)
            break; /* they stand in the order of their deadlines */
    }
}

static void takers_look(void);

static void on_time(void *argument)
{
    static uint64_t seen;
    uint64_t version = segment_version(frontend.segment);
    (void)argument;
    give_up(NULL, clock_monotonic());
    takers_look();
    if (version == seen)
        return;
    seen = version;
    for (int i = 0; i < OWNERS_MOST; i++) {
        owner_t *owner = &forward.owners[i];
        if (owner->generation == 0 || instance_of(owner->generation) != NULL)
            continue;
        give_up(owner, 0);
        link_client_close(forward.loop, &owner->link);
        owner->generation = 0;
    }
}

/* --- the owner's side --------------------------------------------------------------------------------------------- */

void forward_answer(uint32_t peer, int64_t ticket, int status, text_t type, text_t body)
{
    pass_answer_t answer = {0};
    message_set(&answer, version, PASS_VERSION);
    message_set(&answer, ticket, ticket);
    message_set(&answer, status, status);
    message_set(&answer, type, type);
    message_set(&answer, body, body);
    forward.packed.length = 0;
    message_pack(&pass_answer_message, &answer, &forward.packed);
    link_server_send(forward.server, peer, buffer_text(&forward.packed));
    loop_h2o_again(forward.loop);
}

static void lend(session_t *session, uint32_t peer, int64_t ticket)
{
    if (session == NULL || session->websocket != NULL || session->probing != NULL || session->service->pack == NULL) {
        forward_answer(peer, ticket, REFUSED, TEXT(""), TEXT(""));
        return;
    }
    forward_answer(peer, ticket, 200, TEXT(""), TEXT("3probe"));
    polling_release(session);
}

/* False: not just now; the taker was not answered. */
static bool give(const taker_t *taker, bool hurry)
{
    static buffer_t state;
    session_t *session = session_find(taker->service, text_of(taker->sid));
    state.length = 0;
    if (session == NULL || session->released <= clock_monotonic() || session->websocket != NULL || session->service->pack == NULL) {
        forward_answer(taker->peer, taker->ticket, REFUSED, TEXT(""), TEXT(""));
        return true;
    }
    bool good = session_pack(session, hurry, &state);
    if (!good && !hurry)
        return false;
    forward_answer(taker->peer, taker->ticket, good ? 200 : REFUSED, TEXT(""), good ? buffer_text(&state) : TEXT(""));
    session->moved = good;
    if (good)
        session_close(session, "went to another frontend");
    return true;
}

/* `sid` is a session's of ours, or was: it has its length. */
static void give_soon(const service_t *service, text_t sid, uint32_t peer, int64_t ticket)
{
    taker_t taker = {
        .service = service, .peer = peer, .ticket = ticket, .until = clock_monotonic() + TAKE_MOST * CLOCK_MILLISECOND};
    memcpy(taker.sid, sid.data, SID_SIZE - 1);
    if (give(&taker, forward.taker_count == TAKERS_MOST))
        return;
    forward.takers[forward.taker_count++] = taker;
    count(COUNTER_REALTIME_WAITED, 1);
}

static void takers_look(void)
{
    int64_t now = clock_monotonic();
    int left = 0;
    for (int i = 0; i < forward.taker_count; i++)
        if (!give(&forward.takers[i], forward.takers[i].until <= now))
            forward.takers[left++] = forward.takers[i];
    forward.taker_count = left;
}

static void on_passed(void *argument, text_t value, uint32_t peer)
{
    passed_t passed;
    (void)argument;
    if (!read_one(&passed_message, value, &passed) || passed.version != PASS_VERSION)
        return;
    const service_t *service = service_of_path(passed.path);
    session_t *session = service != NULL ? session_find(service, passed.sid) : NULL;
    asker_t asker = {.peer = peer, .ticket = passed.ticket};
    switch (passed.kind) {
    case PASS_ASK:
        polling_ask(asker, session);
        break;
    case PASS_TELL:
        polling_tell(asker, session, passed.body);
        break;
    case PASS_GONE:
        if (session != NULL)
            polling_lost(session, asker);
        break;
    case PASS_PROBE:
        lend(session, peer, passed.ticket);
        break;
    case PASS_TAKE:
        if (session != NULL)
            give_soon(service, passed.sid, peer, passed.ticket);
        else
            forward_answer(peer, passed.ticket, REFUSED, TEXT(""), TEXT(""));
        break;
    default:
        break;
    }
}

void forward_open(loop_t *loop)
{
    char endpoint[512];
    forward.loop = loop;
    forward.arena = arena_create(PROBLEM_BYTES, on_limit, NULL);
    pending_create(&forward.table, PASSED_MOST);
    segment_endpoint(frontend.self, frontend.run_directory, endpoint, sizeof(endpoint));
    forward.server = link_server_open(loop, endpoint, on_passed, NULL);
    if (forward.server == NULL) {
        log_event(LOG_ERROR, "endpoint_refused", LOG_S("endpoint", endpoint), LOG_S("reason", strerror(errno)),
            LOG_S("next", "see whether the run directory exists and the path is short enough for a socket"));
        exit(EXIT_CONFIG);
    }
    loop->timer(loop, TICK, on_time, NULL);
}

void forward_close(void)
{
    for (int i = 0; i < OWNERS_MOST; i++)
        if (forward.owners[i].generation != 0)
            link_client_close(forward.loop, &forward.owners[i].link);
    link_server_close(forward.loop, &forward.server);
}
