/* request: the way of one request, a check after the other; the first that fails answers. Buffers are the
 * process's own and used again for each request, since a request never waits here. */
#include "request.h"
#include "auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "counters.h"
#include "body_field.h"
#include "cached.h"
#include "query.h"
#include "realtime/realtime.h"
#include "relay.h"
#include "request_headers.h"
#include "response.h"
#include "wire/json.h"

enum { ARENA_BYTES = 16 << 20, BUFFER_KEPT = 256 << 10, IDEMPOTENCY_KEY_LONGEST = 255 };

static struct {
    buffer_t params, headers, body;
    char *scratch; /* decoded parameters: as long as a URL, or a form, can be */
    size_t scratch_size;
    query_t query;
    problems_t problems;
} requests;

static const text_t nothing = {.data = NULL};

/* --- what went wrong ---------------------------------------------------------------------------------------------- */

/* Each of these answers and gives false, so that a check can end by it. */
static bool fail(exchange_t *exchange, enum error_code code)
{
    response_error(exchange, code, NULL);
    return false;
}

static bool fail_problems(exchange_t *exchange)
{
    response_error(exchange, ERROR_VALIDATION, &requests.problems);
    return false;
}

static bool fail_field(exchange_t *exchange, text_t field, enum problem_kind kind, int64_t bound)
{
    problem_add(&requests.problems, field, kind, NULL, bound);
    return fail_problems(exchange);
}

static bool fail_rate(exchange_t *exchange)
{
    response_unavailable(exchange, ERROR_RATE_LIMITED, exchange->limits.tightest.retry_after);
    return false;
}

static bool fail_token(exchange_t *exchange, const char *reason)
{
    static const char absent[] = "Bearer realm=\"aipoten\"";
    static const char refused[] = "Bearer realm=\"aipoten\", error=\"invalid_token\"";
    if (reason != NULL)
        log_event(LOG_DEBUG, "token_refused", LOG_T("request", exchange->trace), LOG_S("reason", reason));
    response_header(exchange, &H2O_TOKEN_WWW_AUTHENTICATE->buf, text_of(reason ? refused : absent));
    return fail(exchange, ERROR_UNAUTHENTICATED);
}

/* --- the checks, in their order ----------------------------------------------------------------------------------- */

/* Cuts path and query apart; the absolute form (RFC 9112, 3.2.2) loses its scheme and authority. */
static void target_split(exchange_t *exchange)
{
    text_t target = text_of_iovec(exchange->req->input.path);
    const char *slashes =
        target.length > 0 && target.data[0] != '/' ? memmem(target.data, target.length, "://", 3) : NULL;
    if (slashes != NULL) {
        const char *end = target.data + target.length,
                   *path = memchr(slashes + 3, '/', (size_t)(end - slashes - 3));
        target = path ? (text_t){.data = path, .length = (size_t)(end - path)} : TEXT("/");
    }
    exchange->path = exchange->query = nothing;
    text_split(&target, '?', &exchange->path);
    exchange->query = target;
}

static bool check_size(exchange_t *exchange, size_t header_bytes)
{
    const config_t *config = &frontend.config;
    if (exchange->req->input.path.len > (size_t)config->http.max_url)
        return fail(exchange, ERROR_URI_TOO_LONG);
    if (header_bytes > (size_t)config->http.max_header)
        return fail(exchange, ERROR_HEADERS_TOO_LARGE);
    if (exchange->req->entity.len > (size_t)config->http.max_body)
        return fail(exchange, ERROR_PAYLOAD_TOO_LARGE);
    return true;
}

/* A method that the path does not have, or OPTIONS, which every path has. */
static bool answer_other_method(exchange_t *exchange)
{
    static const h2o_iovec_t allow_methods = {H2O_STRLIT("access-control-allow-methods")},
                             allow_headers = {H2O_STRLIT("access-control-allow-headers")},
                             max_age = {H2O_STRLIT("access-control-max-age")};
    static char seconds[24];
    response_header(exchange, &H2O_TOKEN_ALLOW->buf, exchange->resource->allow);
    if (exchange->method != METHOD_OPTIONS)
        return fail(exchange, ERROR_METHOD_NOT_ALLOWED);
    if (exchange->origin.data != NULL && exchange->headers[HEADER_PREFLIGHT_METHOD].data != NULL) {
        snprintf(seconds, sizeof(seconds), "%lld", (long long)(frontend.config.cors.max_age / 1000));
        response_header(exchange, &allow_methods, exchange->resource->allow);
        response_header(exchange, &allow_headers,
            TEXT("Accept-Language, Authorization, Content-Type, Idempotency-Key, If-None-Match, Traceparent, "
                 "X-CSRF-Token, "
                 "X-Request-Id"));
        response_header(exchange, &max_age, text_of(seconds));
    }
    response_send(exchange, 204, nothing, nothing, nothing);
    return false;
}

static void find_route(exchange_t *exchange)
{
    match_t match;
    exchange->destination = realtime_destination(exchange->path);
    if (exchange->destination != NULL)
        return;
    exchange->resource = routing_find(exchange->path, &match);
    memcpy(exchange->params, match.params, (size_t)match.param_count * sizeof(match.params[0]));
    enum method method = exchange->method == METHOD_HEAD ? METHOD_GET : exchange->method;
    if (exchange->resource != NULL && method < METHOD_ROUTED)
        exchange->destination = exchange->resource->by_method[method];
}

static bool check_rate(exchange_t *exchange)
{
    enum rate_class class = exchange->destination != NULL ? exchange->destination->rate : RATE_API;
    if (exchange->method == METHOD_OPTIONS && exchange->resource != NULL)
        class = RATE_NONE; /* a browser's question, answered from memory */
    return limits_address(&exchange->limits, class, address_client(exchange->client), exchange->now) ||
           fail_rate(exchange);
}

static bool check_token(exchange_t *exchange)
{
    const char *reason = NULL;
    unsigned roles = exchange->destination->roles;
    enum auth_result result =
        auth_check(exchange->headers[HEADER_AUTHORIZATION], exchange->now, &exchange->token, &reason);
    if (result != AUTH_OK)
        exchange->token = (token_t){.role = ROLE_NONE};
    if (roles == ANYONE)
        return true; /* an expired token must not hinder its own refresh */
    if (result != AUTH_OK)
        return fail_token(exchange, reason);
    if (!(roles >> exchange->token.role & 1))
        return fail(exchange, ERROR_FORBIDDEN);
    enum rate_class class = exchange->destination->rate;
    if (class == RATE_UPLOAD && !limits_upload(&exchange->limits, exchange->token.user, exchange->now))
        return fail_rate(exchange);
    if (class == RATE_MAIL && !limits_mail(&exchange->limits, exchange->token.user, exchange->now))
        return fail_rate(exchange);
    return true;
}

/* --- the envelope's parts ----------------------------------------------------------------------------------------- */

/* Room for what is decoded: never longer than it was encoded. */
static char *scratch(size_t size)
{
    if (requests.scratch_size < size) {
        requests.scratch = memory_resize(requests.scratch, size);
        requests.scratch_size = size;
    }
    return requests.scratch;
}

static void pairs_of_query(buffer_t *out, const query_t *query)
{
    for (int i = 0; i < query->count; i++)
        pairs_add(out, query->items[i].name, query->items[i].value);
}

/* Parameters of the path, then of the query, as one map of strings. */
static bool build_params(exchange_t *exchange)
{
    const destination_t *destination = exchange->destination;
    problems_t *problems = &requests.problems;
    buffer_t *out = &requests.params;
    out->length = 0;
    requests.query.count = 0;
    char *room = scratch(exchange->path.length + exchange->query.length + 1);
    if (exchange->query.length > 0)
        query_read(exchange->query, room, &requests.query, problems);
    room += exchange->query.length;
    if (destination->param_count + requests.query.count == 0)
        return problems->count == 0 || fail_problems(exchange);
    pairs_begin(out, destination->param_count + requests.query.count);
    for (int i = 0; i < destination->param_count; i++) {
        text_t value, name = destination->params[i];
        enum problem_kind kind = percent_decode(exchange->params[i], false, room, &value);
        room += exchange->params[i].length;
        if (kind == PROBLEM_KINDS && query_has(&requests.query, name))
            kind = PROBLEM_DUPLICATE;
        if (kind != PROBLEM_KINDS)
            problem_add(problems, name, kind, NULL, 0);
        else
            pairs_add(out, name, value);
    }
    pairs_of_query(out, &requests.query);
    return problems->count == 0 || fail_problems(exchange);
}

static bool build_headers(exchange_t *exchange)
{
    const destination_t *destination = exchange->destination;
    text_t values[DESTINATION_HEADERS_MAX];
    int count = 0;
    requests.headers.length = 0;
    for (int i = 0; i < destination->header_count; i++) {
        values[i] = request_header_value(exchange, destination->headers[i]);
        if (values[i].data != NULL && !text_is_utf8(values[i]))
            return fail_field(exchange, destination->headers[i], PROBLEM_ENCODING, 0);
        count += values[i].data != NULL;
    }
    if (count == 0)
        return true;
    pairs_begin(&requests.headers, count);
    for (int i = 0; i < destination->header_count; i++)
        if (values[i].data != NULL)
            pairs_add(&requests.headers, destination->headers[i], values[i]);
    return true;
}

/* "application/json; charset=utf-8" is application/json. */
static bool is_type(text_t type, text_t wanted)
{
    text_t name = nothing;
    text_split(&type, ';', &name);
    return name.data != NULL && text_equal_nocase(text_trim(name), wanted);
}

/* A request without a body stands for an empty object: the actor names each field it misses. */
static bool build_fields(exchange_t *exchange)
{
    text_t json = text_of_iovec(exchange->req->entity), type = exchange->headers[HEADER_CONTENT_TYPE];
    if (json.length == 0) {
        buffer_add_char(&requests.body, (char)0x80);
        return true;
    }
    if (!is_type(type, TEXT("application/json")))
        return fail(exchange, ERROR_UNSUPPORTED_MEDIA_TYPE);
    return json_to_msgpack(
               json, (int)frontend.config.http.max_json_depth, &requests.body, &requests.problems) ||
           fail_problems(exchange);
}

static bool build_form(exchange_t *exchange)
{
    text_t form = text_of_iovec(exchange->req->entity);
    if (!is_type(exchange->headers[HEADER_CONTENT_TYPE], TEXT("application/x-www-form-urlencoded")))
        return fail(exchange, ERROR_UNSUPPORTED_MEDIA_TYPE);
    if (!query_read(form, scratch(form.length + 1), &requests.query, &requests.problems))
        return fail_problems(exchange);
    pairs_begin(&requests.body, requests.query.count);
    pairs_of_query(&requests.body, &requests.query);
    return true;
}

static bool build_body(exchange_t *exchange)
{
    if (requests.body.capacity > BUFFER_KEPT)
        buffer_free(&requests.body);
    requests.body.length = 0;
    switch (exchange->destination->body) {
    case BODY_FIELDS:
        return build_fields(exchange);
    case BODY_FORM:
        return build_form(exchange);
    case BODY_RAW:
    case BODY_NONE:
        break;
    }
    return true;
}

static bool check_account(exchange_t *exchange)
{
    text_t field = exchange->destination->rate_field;
    if (field.data == NULL)
        return true;
    text_t value = body_string(buffer_text(&requests.body), field);
    bool good = exchange->destination->rate == RATE_LOGIN
                    ? limits_account(&exchange->limits, value, exchange->now)
                    : value.data == NULL || limits_password(&exchange->limits, exchange->token.user, exchange->now);
    return good || fail_rate(exchange);
}

static bool check_idempotency_key(exchange_t *exchange)
{
    text_t key = exchange->headers[HEADER_IDEMPOTENCY_KEY];
    if (key.data == NULL)
        return true;
    bool good = key.length > 0 && key.length <= IDEMPOTENCY_KEY_LONGEST;
    for (size_t i = 0; good && i < key.length; i++)
        good = key.data[i] > ' ' && key.data[i] < 127;
    return good || fail_field(exchange, TEXT("Idempotency-Key"), PROBLEM_FORMAT, 0);
}

static void send_envelope(exchange_t *exchange)
{
    const destination_t *destination = exchange->destination;
    char address[ADDRESS_TEXT];
    request_t request = {0};
    message_set(&request, version, ENVELOPE_VERSION);
    message_set(&request, call_id, exchange->call);
    message_set(&request, trace, exchange->trace);
    message_set(&request, operation, destination->operation);
    /* An answer that is everybody's cannot depend on who asks. */
    message_set(&request, role, destination->cache == CACHE_PUBLIC ? ROLE_NONE : exchange->token.role);
    message_set(&request, language, exchange->language);
    message_set(&request, body_kind, destination->body);
    message_set(&request, resent, false);
    if (exchange->token.role != ROLE_NONE && destination->cache != CACHE_PUBLIC) {
        message_set(&request, user, exchange->token.user);
        message_set(&request, session, exchange->token.session);
    }
    size_t length = address_format(exchange->client, address);
    if (length > 0)
        message_set(&request, address, (text_t){address, length});
    if (exchange->headers[HEADER_IDEMPOTENCY_KEY].data != NULL)
        message_set(&request, idempotency_key, exchange->headers[HEADER_IDEMPOTENCY_KEY]);
    if (requests.headers.length > 0)
        message_set(&request, headers, buffer_text(&requests.headers));
    if (requests.params.length > 0)
        message_set(&request, params, buffer_text(&requests.params));
    if (destination->body == BODY_RAW)
        message_set(&request, body,
            (text_t){
                exchange->req->entity.base ? exchange->req->entity.base : "", exchange->req->entity.len});
    else if (destination->body != BODY_NONE)
        message_set(&request, body, buffer_text(&requests.body));
    text_t cache_key = cached_key(exchange);
    if (cache_key.data != NULL)
        message_set(&request, cache_key, cache_key);
    relay_send(exchange, &request);
}

/* --- the way ------------------------------------------------------------------------------------------------------ */

exchange_t *request_exchange(h2o_req_t *req)
{
    exchange_t *exchange = h2o_mem_alloc_pool(&req->pool, sizeof(*exchange));
    memset(exchange, 0, sizeof(*exchange));
    exchange->req = req;
    exchange->connection = connection_of(req);
    exchange->started = clock_monotonic();
    connection_ask(exchange->connection, exchange->started);
    exchange->now = clock_now();
    exchange->call = uuid_new(); /* its time says how long its record is kept (actor/once.c) */
    exchange->method = method_of(text_of_iovec(req->input.method));
    return exchange;
}

/* HTTP/1.1 wants a Host (RFC 9112, 3.2); libh2o fills in its own. */
static bool check_host(exchange_t *exchange)
{
    const h2o_req_t *req = exchange->req;
    bool missing =
        req->version == 0x101 && req->input.authority.base == req->hostconf->authority.hostport.base;
    return !missing || fail_field(exchange, TEXT("Host"), PROBLEM_REQUIRED, 0);
}

/* Nothing that follows such a request is believed: the connection ends. */
static bool check_framing(exchange_t *exchange)
{
    if (request_head_is_clear(exchange))
        return true;
    exchange->req->http1_is_persistent = 0;
    return fail_field(exchange, TEXT("header"), PROBLEM_FORMAT, 0);
}

size_t request_introduce(exchange_t *exchange)
{
    size_t header_bytes = request_headers_read(exchange);
    request_client(exchange);
    request_trace(exchange);
    exchange->language = language_of(exchange->headers[HEADER_ACCEPT_LANGUAGE]);
    exchange->origin = request_origin(exchange);
    exchange->connection->http2 = exchange->req->version >= 0x200;
    return header_bytes;
}

static void ask(exchange_t *exchange)
{
    if (build_params(exchange) && build_headers(exchange) && build_body(exchange) && check_account(exchange))
        send_envelope(exchange);
}

static void answer(exchange_t *exchange, size_t header_bytes)
{
    target_split(exchange);
    find_route(exchange);
    /* Whatever comes is counted before it is looked at closer. */
    if (!check_rate(exchange) || !check_size(exchange, header_bytes) || !check_framing(exchange) ||
        !check_host(exchange))
        return;
    if (exchange->resource == NULL && exchange->destination == NULL) {
        fail(exchange, ERROR_NOT_FOUND);
        return;
    }
    if (exchange->destination == NULL) {
        answer_other_method(exchange);
        return;
    }
    if (exchange->destination->builtin != NULL) {
        exchange->destination->builtin->answer(exchange);
        return;
    }
    if (check_token(exchange) && check_idempotency_key(exchange) && !cached_answer(exchange))
        ask(exchange);
}

void request_continue(exchange_t *exchange)
{
    requests.problems.count = 0;
    if (!cached_answer(exchange))
        ask(exchange);
    if (requests.problems.count > 0)
        arena_reset(requests.problems.arena);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    (void)handler;
    exchange_t *exchange = request_exchange(req);
    count(COUNTER_REQUESTS, 1);
    if (req->version < 0x200 && exchange->connection->pipelined > frontend.config.abuse.pipelined) {
        req->http1_is_persistent = 0;
        abuse_strike(exchange->connection, ABUSE_PIPELINE);
    }
    requests.problems.count = 0;
    answer(exchange, request_introduce(exchange));
    if (requests.problems.count > 0)
        arena_reset(requests.problems.arena);
    return 0;
}

/* Libh2o disposes of a request, answered or not. */
static void on_disposed(h2o_logger_t *logger, h2o_req_t *req)
{
    h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
    connection_t *connection = socket != NULL ? connection_of_socket(socket) : NULL;
    (void)logger;
    if (connection != NULL)
        connection_end_request(connection, req->_generator != NULL, response_owed(req));
}

static _Noreturn void on_arena_limit(void *argument)
{
    (void)argument;
    panic("the problems of one request take more than %d bytes", ARENA_BYTES);
}

void requests_open(h2o_pathconf_t *path)
{
    requests.problems.arena = arena_create(ARENA_BYTES, on_arena_limit, NULL);
    request_headers_open();
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_request;
    h2o_create_logger(path, sizeof(h2o_logger_t))->log_access = on_disposed;
}
