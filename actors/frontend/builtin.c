/* builtin: health, readiness, what is counted (monitor.c), and the OpenAPI document. */
#include "builtin.h"
#include "crypto/hash.h"
#include "monitor.h"
#include "response.h"
#include "net/upstream.h"

static const text_t nothing = {.data = NULL};
static char openapi_etag[19]; /* quoted, 16 hexadecimal digits */

/* The process is up: it could answer. */
static void answer_healthz(exchange_t *exchange)
{
    response_send(exchange, 200, TYPE_JSON, nothing, TEXT("{\"success\":true,\"data\":{\"status\":\"ok\"}}"));
}

static bool is_ready(void)
{
    int skewed;
    for (int i = 0; i < route_service_count; i++)
        if (upstream_ready_count(i, &skewed) == 0)
            return false;
    return !frontend_draining;
}

/* {"status": "ready", "services": {"accounts": {"ready": 2}, …}} */
static void add_services(buffer_t *json)
{
    int skewed;
    buffer_add_string(json, "{\"success\":true,\"data\":{\"status\":\"ready\",\"services\":{");
    for (int i = 0; i < route_service_count; i++)
        buffer_format(json, "%s\"%s\":{\"ready\":%d}", i > 0 ? "," : "", route_services[i].service,
            upstream_ready_count(i, &skewed));
    buffer_add_string(json, "}}}");
}

static void add_detail(buffer_t *json, const char *service, const char *message)
{
    if (json->data[json->length - 1] == '}')
        buffer_add_char(json, ',');
    buffer_format(json, "{\"field\":\"%s\",\"message\":\"%s\"}", service, message);
}

/* The error envelope; its details name each service that is missing. */
static void add_missing(buffer_t *json, enum language language)
{
    static const char *const none[] = {
        [LANGUAGE_KO] = "준비된 인스턴스가 없습니다.", [LANGUAGE_EN] = "No instance is ready."};
    static const char *const other[] = {[LANGUAGE_KO] = "다른 버전의 인스턴스만 있습니다.",
        [LANGUAGE_EN] = "Its instances are of another version."};
    static const char *const stopping[] = {
        [LANGUAGE_KO] = "종료 중입니다.", [LANGUAGE_EN] = "It is stopping."};
    buffer_format(json, "{\"success\":false,\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"details\":[",
        errors[ERROR_UNAVAILABLE].code, errors[ERROR_UNAVAILABLE].message[language]);
    for (int i = 0; i < route_service_count; i++) {
        int skewed;
        if (upstream_ready_count(i, &skewed) == 0)
            add_detail(json, route_services[i].service, (skewed > 0 ? other : none)[language]);
    }
    if (frontend_draining)
        add_detail(json, "frontend", stopping[language]);
    buffer_add_string(json, "]}}");
}

static void answer_readyz(exchange_t *exchange)
{
    static buffer_t json;
    bool ready = is_ready();
    json.length = 0;
    if (ready)
        add_services(&json);
    else
        add_missing(&json, exchange->language);
    if (!ready)
        response_header(exchange, &H2O_TOKEN_RETRY_AFTER->buf, TEXT("1"));
    response_send(
        exchange, ready ? 200 : 503, TYPE_JSON, nothing, response_copy(exchange, buffer_text(&json)));
}

/* If-None-Match: "*", or a list of tags, compared weakly (RFC 9110, 13.1.2). */
static bool matches_etag(text_t list, text_t etag)
{
    text_t tag;
    while (text_split(&list, ',', &tag)) {
        tag = text_trim(tag);
        if (text_starts_with(tag, TEXT("W/")))
            tag = (text_t){.data = tag.data + 2, .length = tag.length - 2};
        if (text_equal(tag, etag) || text_equal(tag, TEXT("*")))
            return true;
    }
    return false;
}

static void answer_openapi(exchange_t *exchange)
{
    text_t etag = text_of(openapi_etag), tags = exchange->headers[HEADER_IF_NONE_MATCH];
    response_header(exchange, &H2O_TOKEN_ETAG->buf, etag);
    response_header(exchange, &H2O_TOKEN_CACHE_CONTROL->buf, TEXT("public, max-age=300"));
    bool same = tags.data != NULL && matches_etag(tags, etag);
    response_send(exchange, same ? 304 : 200, TYPE_JSON, nothing,
        (text_t){.data = openapi_json, .length = openapi_json_length});
}

const builtin_t builtins[] = {
    {.operation = "system.healthz",
        .method = "GET",
        .path = "/healthz",
        .rate = RATE_NONE,
        .answer = answer_healthz},
    {.operation = "system.readyz",
        .method = "GET",
        .path = "/readyz",
        .rate = RATE_NONE,
        .answer = answer_readyz},
    {.operation = "system.metrics",
        .method = "GET",
        .path = "/metrics",
        .rate = RATE_API,
        .answer = monitor_answer},
    {.operation = "system.openapi",
        .method = "GET",
        .path = "/api/v1/openapi.json",
        .rate = RATE_API,
        .answer = answer_openapi},
};
const int builtin_count = ARRAY_SIZE(builtins);

void builtins_open(void)
{
    static const char hex[] = "0123456789abcdef";
    digest_t digest = hash_sha256((text_t){.data = openapi_json, .length = openapi_json_length});
    openapi_etag[0] = openapi_etag[17] = '"';
    for (int i = 0; i < 16; i++)
        openapi_etag[1 + i] = hex[digest.bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
}
