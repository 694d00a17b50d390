/* realtime: the requests of Engine.IO: which transport, which session (https://socket.io/docs/v4/engine-io-protocol/). */
#include "realtime.h"
#include "frontend/query.h"
#include "frontend/response.h"
#include "base/panic.h"
#include "api.h"
#include "conformance.h"
#include "forward.h"
#include "polling.h"
#include "socket.h"
#include "websocket.h"

enum { QUERY_MOST = 2048, PROBLEM_BYTES = 64 << 10 };

static struct {
    const service_t *services[2];
    int service_count;
    destination_t destination;
    arena_t *arena;
} realtime;

const service_t *service_of_path(text_t path)
{
    for (int i = 0; i < realtime.service_count; i++) {
        text_t own = realtime.services[i]->path;
        if (text_equal(path, own) || text_equal(path, (text_t){own.data, own.length - 1}))
            return realtime.services[i];
    }
    return NULL;
}

const destination_t *realtime_destination(text_t path)
{
    return service_of_path(path) != NULL ? &realtime.destination : NULL;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

typedef struct {
    text_t version, transport, sid;
} wish_t;

static _Noreturn void on_arena_limit(void *argument)
{
    (void)argument;
    panic("the problems of one query take more than %d bytes", PROBLEM_BYTES);
}

/* False: the query is none that our clients make. */
static bool wish_read(text_t query, wish_t *out)
{
    static char scratch[QUERY_MOST];
    static query_t pairs;
    problems_t problems;
    problems.arena = realtime.arena;
    problems.count = 0;
    *out = (wish_t){.sid = {.data = NULL}};
    if (query.length > sizeof(scratch))
        return false;
    bool good = query.length == 0 || query_read(query, scratch, &pairs, &problems);
    arena_reset(realtime.arena);
    for (int i = 0; good && query.length > 0 && i < pairs.count; i++) {
        const pair_t *pair = &pairs.items[i];
        if (text_equal(pair->name, TEXT("EIO")))
            out->version = pair->value;
        else if (text_equal(pair->name, TEXT("transport")))
            out->transport = pair->value;
        else if (text_equal(pair->name, TEXT("sid")))
            out->sid = pair->value;
    }
    return good;
}

/* Browsers say whose page asks: ours, or one of those that may (cors.origins). What is no browser says nothing. */
static bool origin_is_fine(const exchange_t *exchange)
{
    text_t origin = exchange->headers[HEADER_ORIGIN];
    text_t host = text_of_iovec(exchange->req->input.authority);
    text_t scheme = exchange->secure ? TEXT("https://") : TEXT("http://");
    if (origin.data == NULL || exchange->origin.data != NULL)
        return true;
    return origin.length == scheme.length + host.length && text_starts_with(origin, scheme) &&
           text_equal_nocase((text_t){origin.data + scheme.length, host.length}, host);
}

static void handshake(exchange_t *exchange, const service_t *service, const wish_t *wish, bool by_websocket)
{
    asker_t asker = {.exchange = exchange};
    if (exchange->method != METHOD_GET)
        engine_fail(asker, ENGINE_BAD_METHOD);
    else if (!text_equal(wish->version, TEXT("4")))
        engine_fail(asker, ENGINE_BAD_VERSION);
    else if (!by_websocket)
        polling_begin(exchange, service);
    else if (!websocket_accept(exchange, service))
        engine_fail(asker, ENGINE_BAD_REQUEST);
}

static void go_on(exchange_t *exchange, const service_t *service, const wish_t *wish, bool by_websocket)
{
    asker_t asker = {.exchange = exchange};
    uint64_t owner = session_owner(wish->sid);
    session_t *session = session_find(service, wish->sid);
    bool elsewhere = owner != 0 && owner != frontend.generation;
    if (elsewhere && !by_websocket && (exchange->method == METHOD_GET || exchange->method == METHOD_POST)) {
        bool tells = exchange->method == METHOD_POST;
        text_t body = exchange->req->entity.base != NULL ? text_of_iovec(exchange->req->entity) : TEXT("");
        forward_poll(exchange, service, wish->sid, tells ? body : (text_t){.data = NULL});
        return;
    }
    if (session == NULL && !forward_reaches(wish->sid))
        engine_fail(asker, ENGINE_UNKNOWN_SID);
    else if (by_websocket && (exchange->method != METHOD_GET || !websocket_accept_probe(exchange, service, wish->sid)))
        engine_fail(asker, ENGINE_BAD_REQUEST);
    else if (by_websocket)
        return;
    else if (exchange->method == METHOD_GET)
        polling_ask(asker, session);
    else if (exchange->method == METHOD_POST)
        polling_tell(asker, session, text_of_iovec(exchange->req->entity));
    else
        engine_fail(asker, ENGINE_BAD_REQUEST);
}

static void answer(exchange_t *exchange)
{
    wish_t wish;
    asker_t asker = {.exchange = exchange};
    const service_t *service = service_of_path(exchange->path);
    if (!wish_read(exchange->query, &wish)) {
        engine_fail(asker, ENGINE_BAD_REQUEST);
        return;
    }
    bool by_websocket = text_equal(wish.transport, TEXT("websocket"));
    if (!by_websocket && !text_equal(wish.transport, TEXT("polling")))
        engine_fail(asker, ENGINE_UNKNOWN_TRANSPORT);
    else if (!origin_is_fine(exchange))
        engine_fail(asker, ENGINE_FORBIDDEN);
    else if (wish.sid.data == NULL)
        handshake(exchange, service, &wish, by_websocket);
    else
        go_on(exchange, service, &wish, by_websocket);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

void realtime_open(loop_t *loop)
{
    static const builtin_t row = {
        .operation = "realtime", .method = "GET", .path = "/socket.io/", .rate = RATE_POLL, .answer = answer};
    realtime.arena = arena_create(PROBLEM_BYTES, on_arena_limit, NULL);
    routing_builtin(&row, &realtime.destination);
    sessions_open(loop);
    forward_open(loop);
    if (!frontend.config.realtime.conformance) {
        realtime.services[realtime.service_count++] = &socket_service;
        topics_open();
        sockets_open(api_namespaces, api_namespace_count);
        api_open(loop);
        return;
    }
    realtime.services[realtime.service_count++] = &echo_service;
    realtime.services[realtime.service_count++] = &socket_service;
    conformance_open(loop);
    sockets_open(conformance_namespaces, conformance_namespace_count);
}

void realtime_close(void)
{
    forward_close();
}

void realtime_drain(void)
{
    sessions_drain();
}
