/* builtin: health, readiness, and the OpenAPI document. */
#include "builtin.h"
#include "crypto/hash.h"
#include "response.h"
#include "upstream.h"

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

/* {"status": …, "services": {"accounts": {"ready": 2}, …}}; `skewed` where instances are left out for having other rows. */
static void add_services(buffer_t *json, const char *status)
{
    buffer_format(json, "{\"status\":\"%s\",\"services\":{", status);
    for (int i = 0; i < route_service_count; i++) {
        int skewed, ready = upstream_ready_count(i, &skewed);
        buffer_format(json, "%s\"%s\":{\"ready\":%d", i > 0 ? "," : "", route_services[i].service, ready);
        if (skewed > 0)
            buffer_format(json, ",\"skewed\":%d", skewed);
        buffer_add_string(json, "}");
    }
    buffer_add_string(json, "}}");
}

static void answer_readyz(exchange_t *exchange)
{
    static buffer_t json;
    bool ready = is_ready();
    json.length = 0;
    if (ready) {
        buffer_add_string(&json, "{\"success\":true,\"data\":");
    } else {
        /* The error envelope, and beside the error what is missing. */
        error_json(&json, ERROR_UNAVAILABLE, exchange->language, NULL);
        json.length--;
        buffer_add_string(&json, ",\"data\":");
        response_header(exchange, &H2O_TOKEN_RETRY_AFTER->buf, TEXT("1"));
    }
    add_services(&json, ready ? "ready" : frontend_draining ? "draining" : "unavailable");
    buffer_add_string(&json, "}");
    response_send(exchange, ready ? 200 : 503, TYPE_JSON, nothing, response_copy(exchange, buffer_text(&json)));
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
    {.operation = "frontend.healthz", .method = "GET", .path = "/healthz", .rate = RATE_NONE, .answer = answer_healthz},
    {.operation = "frontend.readyz", .method = "GET", .path = "/readyz", .rate = RATE_NONE, .answer = answer_readyz},
    {.operation = "frontend.openapi", .method = "GET", .path = "/api/v1/openapi.json", .rate = RATE_API,
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
