/* response: what every answer has is prepared once, in two lists (over TLS with HSTS, and without), and
 * pushed into libh2o's header list without being looked at again. */
#include "response.h"
#include "access_log.h"
#include "base/clock.h"
#include "base/panic.h"
#include "cached.h"
#include "counters.h"
#include "hpack.h"
#include "wire/envelope.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLICY = 0 /* the place of Content-Security-Policy in both lists */, CONSTANTS_MAX = 8, HEADERS_RESERVED = 20, ABANDONED = 499,
    FILE_NAME_MOST = 128, FILE_PIECE = 64 << 10 };

/* Its address marks our responses; their bodies are complete when they are sent. */
static h2o_generator_t generator;

/* Names that libh2o does not know; see names_open. */
enum name {
    NAME_CSP,
    NAME_NOSNIFF,
    NAME_REFERRER,
    NAME_RATE_LIMIT,
    NAME_RATE_REMAINING,
    NAME_RATE_RESET,
    NAME_CREDENTIALS,
    NAME_EXPOSE,
    NAME_REQUEST_ID,
    NAMES
};
static const char *const name_texts[NAMES] = {
    [NAME_CSP] = "content-security-policy",
    [NAME_NOSNIFF] = "x-content-type-options",
    [NAME_REFERRER] = "referrer-policy",
    [NAME_RATE_LIMIT] = "ratelimit-limit",
    [NAME_RATE_REMAINING] = "ratelimit-remaining",
    [NAME_RATE_RESET] = "ratelimit-reset",
    [NAME_CREDENTIALS] = "access-control-allow-credentials",
    [NAME_EXPOSE] = "access-control-expose-headers",
    [NAME_REQUEST_ID] = "x-request-id",
};
static const h2o_iovec_t *names[NAMES];

static const text_t exposed_headers =
    TEXT("ETag, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id");

static struct {
    h2o_header_t items[CONSTANTS_MAX];
    size_t count;
} constants, constants_secure;
static char hsts[64];
static int no_operation; /* counts the answers to requests that mean none */

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return status < 400 ? "OK" : "Error";
}

static h2o_header_t header_of(const h2o_iovec_t *name, const char *value)
{
    return (h2o_header_t){
        .name = (h2o_iovec_t *)(uintptr_t)name, .value = h2o_iovec_init(value, strlen(value))};
}

/* The free places behind libh2o's own tokens: a token's name is compared by its address and never copied. */
static void names_open(void)
{
    for (int i = 0; i < NAMES; i++) {
        insist(h2o__num_tokens < H2O_MAX_TOKENS);
        h2o_token_t *token = &h2o__tokens[h2o__num_tokens++];
        *token = (h2o_token_t){.buf = h2o_iovec_init(name_texts[i], strlen(name_texts[i]))};
        names[i] = &token->buf;
    }
    hpack_fleeting(names[NAME_REQUEST_ID]);
    hpack_fleeting(names[NAME_RATE_REMAINING]);
    hpack_fleeting(names[NAME_RATE_RESET]);
    hpack_fleeting(&H2O_TOKEN_ETAG->buf);
}

void responses_open(void)
{
    names_open();
    no_operation = counters_operation((text_t){.data = NULL});
    constants.items[POLICY] = header_of(names[NAME_CSP], "default-src 'none'; frame-ancestors 'none'");
    constants.items[1] = header_of(names[NAME_NOSNIFF], "nosniff");
    constants.items[2] = header_of(names[NAME_REFERRER], "no-referrer");
    constants.count = 3;
    responses_configure(&frontend.config);
}

void responses_configure(const config_t *config)
{
    constants_secure = constants;
    if (config->security.hsts_max_age > 0) {
        snprintf(hsts, sizeof(hsts), "max-age=%lld; includeSubDomains",
            (long long)(config->security.hsts_max_age / 1000));
        constants_secure.items[constants_secure.count++] =
            header_of(&H2O_TOKEN_STRICT_TRANSPORT_SECURITY->buf, hsts);
    }
}

void response_header(exchange_t *exchange, const h2o_iovec_t *name, text_t value)
{
    h2o_req_t *req = exchange->req;
    h2o_vector_reserve(&req->pool, &req->res.headers, req->res.headers.size + 1);
    req->res.headers.entries[req->res.headers.size++] = (h2o_header_t){
        .name = (h2o_iovec_t *)(uintptr_t)name, .value = {(char *)(uintptr_t)value.data, value.length}};
}

text_t response_copy(exchange_t *exchange, text_t text)
{
    char *copy = h2o_mem_alloc_pool(&exchange->req->pool, text.length);
    h2o_memcpy(copy, text.data, text.length);
    return (text_t){.data = copy, .length = text.length};
}

static text_t number_text(exchange_t *exchange, int64_t number)
{
    char digits[20], *at = digits + sizeof(digits);
    insist(number >= 0);
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return response_copy(exchange, (text_t){.data = at, .length = (size_t)(digits + sizeof(digits) - at)});
}

static void rate_headers(exchange_t *exchange)
{
    const rate_result_t *rate = &exchange->limits.tightest;
    if (!exchange->limits.counted)
        return;
    response_header(exchange, names[NAME_RATE_LIMIT], number_text(exchange, rate->limit));
    response_header(exchange, names[NAME_RATE_REMAINING], number_text(exchange, rate->remaining));
    response_header(exchange, names[NAME_RATE_RESET], number_text(exchange, rate->reset));
}

static bool has_header(const h2o_req_t *req, const h2o_token_t *token)
{
    return h2o_find_header(&req->res.headers, token, -1) != -1;
}

/* Whoever may read it; a cache must know that the answer depends on who asks, also when it is nobody. */
static void cors_headers(exchange_t *exchange)
{
    if (frontend.config.cors.origins.count > 0 && !has_header(exchange->req, H2O_TOKEN_VARY))
        response_header(exchange, &H2O_TOKEN_VARY->buf, TEXT("Origin"));
    if (exchange->origin.data == NULL)
        return;
    response_header(exchange, &H2O_TOKEN_ACCESS_CONTROL_ALLOW_ORIGIN->buf, exchange->origin);
    response_header(exchange, names[NAME_CREDENTIALS], TEXT("true"));
    response_header(exchange, names[NAME_EXPOSE], exposed_headers);
}

void response_common_headers(exchange_t *exchange)
{
    h2o_headers_t *headers = &exchange->req->res.headers;
    h2o_vector_reserve(&exchange->req->pool, headers, headers->size + HEADERS_RESERVED);
    if (!has_header(exchange->req, H2O_TOKEN_CACHE_CONTROL))
        response_header(exchange, &H2O_TOKEN_CACHE_CONTROL->buf, TEXT("no-store"));
    const h2o_header_t *constant = exchange->secure ? constants_secure.items : constants.items;
    size_t count = exchange->secure ? constants_secure.count : constants.count;
    if (exchange->own_policy) /* of two, a browser keeps both */
        constant += POLICY + 1, count -= POLICY + 1;
    memcpy(headers->entries + headers->size, constant, count * sizeof(*constant));
    headers->size += count;
    response_header(exchange, names[NAME_REQUEST_ID], exchange->trace);
    rate_headers(exchange);
    cors_headers(exchange);
}

static void file_proceed(h2o_generator_t *, h2o_req_t *);

bool response_is_ours(const h2o_req_t *req)
{
    return req->_generator == &generator || (req->_generator != NULL && req->_generator->proceed == file_proceed);
}

/* --- an actor's headers ------------------------------------------------------------------------------------------- */

static void add_from_actor(void *argument, text_t name, text_t value)
{
    exchange_t *exchange = argument;
    if (text_equal(name, TEXT(REPLY_FILE_HEADER)))
        return; /* a word to us */
    value = response_copy(exchange, value);
    for (size_t i = 0; i < value.length; i++)
        if ((unsigned char)value.data[i] < ' ' && value.data[i] != '\t')
            return; /* a line break would end the header: what an actor sends is checked there, and here once
                       more */
    exchange->own_policy |= text_equal(name, TEXT(REPLY_POLICY_HEADER));
    const h2o_token_t *token = h2o_lookup_token(name.data, name.length);
    if (token != NULL) {
        response_header(exchange, &token->buf, value);
        return;
    }
    h2o_iovec_t *copy = h2o_mem_alloc_pool(&exchange->req->pool, sizeof(*copy));
    text_t text = response_copy(exchange, name);
    *copy = h2o_iovec_init(text.data, text.length);
    response_header(exchange, copy, value);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void finish(exchange_t *exchange, int status, size_t bytes)
{
    static const enum counter classes[] = {COUNTER_STATUS_2XX, COUNTER_STATUS_2XX, COUNTER_STATUS_2XX,
        COUNTER_STATUS_3XX, COUNTER_STATUS_4XX, COUNTER_STATUS_5XX};
    int64_t duration = clock_monotonic() - exchange->started;
    const destination_t *destination = exchange->destination;
    exchange->answered = true;
    cached_end_fill(cached_take_fill(exchange));
    count(status == ABANDONED ? COUNTER_ABANDONED : classes[status / 100 % 6], 1);
    count(COUNTER_MICROSECONDS, duration);
    count(COUNTER_BYTES_OUT, (int64_t)bytes);
    count_answer(destination != NULL ? destination->answers : no_operation, status, duration);
    access_log_add(&(access_t){.time = exchange->now,
        .trace = exchange->trace,
        .operation = destination ? destination->operation : (text_t){.data = NULL},
        .path = destination ? destination->path : (text_t){.data = NULL},
        .method = exchange->method,
        .status = status,
        .bytes = (int64_t)bytes,
        .microseconds = duration,
        .client = exchange->client,
        .version = exchange->req->version,
        .tls = exchange->connection->tls,
        .writes = destination != NULL && destination->writes});
}

/* What some statuses owe the client, when whoever answered did not say it: a challenge (RFC 9110, 15.5.2), a
 * time to come back. */
static void owed_headers(exchange_t *exchange, int status)
{
    if (status == 401 && !has_header(exchange->req, H2O_TOKEN_WWW_AUTHENTICATE))
        response_header(exchange, &H2O_TOKEN_WWW_AUTHENTICATE->buf, TEXT("Bearer realm=\"aipoten\""));
    if (status == 503 && !has_header(exchange->req, H2O_TOKEN_RETRY_AFTER))
        response_header(exchange, &H2O_TOKEN_RETRY_AFTER->buf, TEXT("1"));
    if (status == 429 && !has_header(exchange->req, H2O_TOKEN_RETRY_AFTER)) /* an actor's limit, which counts by days */
        response_header(exchange, &H2O_TOKEN_RETRY_AFTER->buf, TEXT("3600"));
}

/* Status and headers; `length` of the body, SIZE_MAX: there is none. */
static void head_make(exchange_t *exchange, int status, text_t type, text_t packed_headers, size_t length)
{
    h2o_req_t *req = exchange->req;
    insist(!exchange->answered);
    req->res.status = status;
    req->res.reason = reason_of(status);
    req->res.content_length = length;
    if (packed_headers.length > 0)
        pairs_walk(packed_headers, add_from_actor, exchange);
    if (length != SIZE_MAX && !has_header(req, H2O_TOKEN_CONTENT_TYPE))
        response_header(exchange, &H2O_TOKEN_CONTENT_TYPE->buf, type);
    owed_headers(exchange, status);
    response_common_headers(exchange);
    if (frontend_draining)
        req->http1_is_persistent = 0;
}

size_t response_owed(const h2o_req_t *req)
{
    size_t length = req->res.content_length == SIZE_MAX ? 0 : req->res.content_length;
    if (!response_is_ours(req))
        return length;
    if (method_of(text_of_iovec(req->input.method)) == METHOD_HEAD)
        return 0;
    return req->_generator == &generator || length < FILE_PIECE ? length : FILE_PIECE;
}

void response_send(exchange_t *exchange, int status, text_t type, text_t packed_headers, text_t body)
{
    h2o_req_t *req = exchange->req;
    bool bodiless = status == 204 || status == 304;
    head_make(exchange, status, type, packed_headers, bodiless ? SIZE_MAX : body.length);
    bool with_body = !bodiless && exchange->method != METHOD_HEAD && body.length > 0;
    finish(exchange, status, with_body ? body.length : 0);
    h2o_iovec_t bytes = {(char *)(uintptr_t)body.data, body.length};
    h2o_start_response(req, &generator);
    connection_owe(exchange->connection, response_owed(req));
    h2o_send(req, &bytes, with_body ? 1 : 0, H2O_SEND_STATE_FINAL);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

typedef struct file {
    h2o_generator_t generator;
    struct file *next, *previous;
    h2o_req_t *req;
    int fd;
    size_t left;
    int64_t moved_at; /* clock_monotonic() of the last piece */
    char *piece;      /* what libh2o is sending */
} file_t;

static file_t *files; /* those that are open */

static void on_file_gone(void *argument)
{
    file_t *file = argument;
    close(file->fd);
    if (file->previous != NULL)
        file->previous->next = file->next;
    else
        files = file->next;
    if (file->next != NULL)
        file->next->previous = file->previous;
}

/* The next piece, when the one before is on its way. */
static void file_proceed(h2o_generator_t *self, h2o_req_t *req)
{
    file_t *file = (file_t *)self;
    ssize_t length = read(file->fd, file->piece, file->left < FILE_PIECE ? file->left : FILE_PIECE);
    if (length <= 0) { /* shorter than it was: the client must see that something is missing */
        h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
        return;
    }
    file->left -= (size_t)length;
    file->moved_at = clock_monotonic();
    h2o_iovec_t bytes = {file->piece, (size_t)length};
    h2o_send(req, &bytes, 1, file->left > 0 ? H2O_SEND_STATE_IN_PROGRESS : H2O_SEND_STATE_FINAL);
}

/* What an actor calls its files: nothing that leads out of their directory, whoever thought of it. */
static bool file_name_is_sound(text_t name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '-' && c != '.')))
            return false;
    }
    return name.length > 0 && name.length < FILE_NAME_MOST;
}

/* -1: there is none. */
static int file_open(text_t name, size_t *size)
{
    char path[PATH_MAX];
    struct stat status;
    insist(file_name_is_sound(name));
    int length = snprintf(path, sizeof(path), "%s/%.*s", frontend.files_directory, TEXT_ARG(name));
    int fd = length < (int)sizeof(path) ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        *size = (size_t)status.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

void response_file(exchange_t *exchange, text_t type, text_t packed_headers, text_t name)
{
    h2o_req_t *req = exchange->req;
    size_t size;
    int fd = file_open(name, &size);
    if (fd < 0) {
        response_error(exchange, ERROR_NOT_FOUND, NULL);
        return;
    }
    file_t *file = h2o_mem_alloc_shared(&req->pool, sizeof(*file), on_file_gone);
    *file = (file_t){.generator = {.proceed = file_proceed},
        .next = files,
        .req = req,
        .fd = fd,
        .left = size,
        .moved_at = clock_monotonic()};
    if (files != NULL)
        files->previous = file;
    files = file;
    head_make(exchange, 200, type, packed_headers, size);
    bool with_body = exchange->method != METHOD_HEAD;
    finish(exchange, 200, with_body ? size : 0);
    h2o_start_response(req, &file->generator);
    connection_owe(exchange->connection, response_owed(req));
    if (with_body) {
        file->piece = h2o_mem_alloc_pool(&req->pool, FILE_PIECE);
        file_proceed(&file->generator, req);
    } else
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

void responses_cut_slow(void)
{
    int64_t before = clock_monotonic() - frontend.config.http.idle_timeout * CLOCK_MILLISECOND;
    for (const file_t *file = files; file != NULL; file = file->next) {
        if (file->moved_at >= before)
            continue;
        abuse_end(connection_of(file->req), ABUSE_SLOW_READER);
    }
}

void response_error(exchange_t *exchange, enum error_code code, const problems_t *problems)
{
    static buffer_t json;
    json.length = 0;
    error_json(&json, code, exchange->language, problems);
    text_t none = {.data = NULL};
    response_send(
        exchange, errors[code].status, TYPE_JSON, none, response_copy(exchange, buffer_text(&json)));
}

void response_unavailable(exchange_t *exchange, enum error_code code, int64_t retry_after)
{
    response_header(exchange, &H2O_TOKEN_RETRY_AFTER->buf, number_text(exchange, retry_after));
    response_error(exchange, code, NULL);
}

void response_foreign(exchange_t *exchange, size_t bytes)
{
    count(COUNTER_FOREIGN_ERRORS, 1);
    connection_owe(exchange->connection, response_owed(exchange->req));
    abuse_count(exchange->connection, ABUSE_REQUESTS, 1);
    finish(exchange, exchange->req->res.status, bytes);
}

void response_switched(exchange_t *exchange)
{
    finish(exchange, 101, 0);
    connection_owe(exchange->connection, 0); /* until it is written (connection_upgrade): who does not read it is closed as others are */
}

void response_abandoned(exchange_t *exchange)
{
    if (!exchange->answered)
        finish(exchange, ABANDONED, 0);
}
