/* request_headers: libh2o has already looked up the names it knows; those are found by their index, the
 * others by their length first. */
#include "request_headers.h"
#include "base/panic.h"
#include "trace.h"

enum { FORWARDED_MAX = 8, FIELD_OVERHEAD = 4 /* colon, space, line end: as HTTP/1 sends it */ };

static const char *const names[REQUEST_HEADERS] = {
    [HEADER_ACCEPT_ENCODING] = "accept-encoding",
    [HEADER_ACCEPT_LANGUAGE] = "accept-language",
    [HEADER_AUTHORIZATION] = "authorization",
    [HEADER_CONTENT_TYPE] = "content-type",
    [HEADER_IF_NONE_MATCH] = "if-none-match",
    [HEADER_ORIGIN] = "origin",
    [HEADER_TRACEPARENT] = "traceparent",
    [HEADER_REQUEST_ID] = "x-request-id",
    [HEADER_IDEMPOTENCY_KEY] = "idempotency-key",
    [HEADER_PREFLIGHT_METHOD] = "access-control-request-method",
    [HEADER_FORWARDED_FOR] = "x-forwarded-for",
    [HEADER_FORWARDED_PROTO] = "x-forwarded-proto",
};

enum { NAME_LONGEST = 32 };
static uint8_t by_token[H2O_MAX_TOKENS];   /* header + 1; 0: not read */
static uint8_t by_length[NAME_LONGEST][4]; /* same, of names that are no tokens */

void request_headers_open(void)
{
    for (int i = 0; i < REQUEST_HEADERS; i++) {
        size_t length = strlen(names[i]), place = 0;
        const h2o_token_t *token = h2o_lookup_token(names[i], length);
        if (token != NULL) {
            by_token[token - h2o__tokens] = (uint8_t)(i + 1);
            continue;
        }
        insist(length < NAME_LONGEST);
        while (by_length[length][place] != 0)
            insist(++place < sizeof(by_length[length]));
        by_length[length][place] = (uint8_t)(i + 1);
    }
}

static int header_index(const h2o_iovec_t *name)
{
    if (h2o_iovec_is_token(name))
        return by_token[(const h2o_token_t *)(const void *)name - h2o__tokens] - 1;
    if (name->len >= NAME_LONGEST)
        return -1;
    for (const uint8_t *at = by_length[name->len]; at < by_length[name->len] + 4 && *at != 0; at++)
        if (memcmp(names[*at - 1], name->base, name->len) == 0)
            return *at - 1;
    return -1;
}

size_t request_headers_read(exchange_t *exchange)
{
    const h2o_headers_t *headers = &exchange->req->headers;
    size_t bytes = 0;
    for (size_t i = 0; i < headers->size; i++) {
        const h2o_header_t *header = &headers->entries[i];
        bytes += header->name->len + header->value.len + FIELD_OVERHEAD;
        int index = header_index(header->name);
        if (index >= 0 && exchange->headers[index].data == NULL)
            exchange->headers[index] = text_of_iovec(header->value);
    }
    return bytes;
}

text_t request_header_value(exchange_t *exchange, text_t name)
{
    if (text_equal(name, TEXT("host"))) /* h2o keeps it, as HTTP/2's :authority, beside the fields */
        return text_of_iovec(exchange->req->authority);
    const h2o_headers_t *headers = &exchange->req->headers;
    const char *separator = text_equal(name, TEXT("cookie")) ? "; " : ", ";
    h2o_iovec_t all = {NULL, 0};
    for (ssize_t at = -1; (at = h2o_find_header_by_str(headers, name.data, name.length, at)) != -1;) {
        h2o_iovec_t value = headers->entries[at].value;
        all = all.base == NULL ? value
                               : h2o_concat(&exchange->req->pool, all, h2o_iovec_init(separator, 2), value);
    }
    return text_of_iovec(all);
}

static bool is_field(text_t line, text_t name)
{
    return line.length > name.length && line.data[name.length] == ':' &&
           text_equal_nocase((text_t){line.data, name.length}, name);
}

/* Counts the fields that say where the body ends, and who is asked, in the lines of a head. */
static bool head_is_clear(text_t head)
{
    text_t line;
    int lengths = 0, hosts = 0;
    text_split(&head, '\n', &line); /* the request line */
    while (text_split(&head, '\n', &line)) {
        if (line.length == 0 || line.data[0] == '\r')
            break;
        lengths += is_field(line, TEXT("content-length")) || is_field(line, TEXT("transfer-encoding"));
        hosts += is_field(line, TEXT("host"));
        if (line.data[0] == ' ' || line.data[0] == '\t')
            return false; /* a line that goes on (RFC 9112, 5.2) */
    }
    return lengths <= 1 && hosts <= 1;
}

bool request_head_is_clear(const exchange_t *exchange)
{
    h2o_req_t *req = exchange->req;
    if (req->version >= 0x200)
        return true;
    const h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
    return head_is_clear((text_t){.data = input->bytes, .length = input->size});
}

/* Gathers all X-Forwarded-For fields; only asked for when a trusted proxy sent one. */
static address_t client_behind(exchange_t *exchange)
{
    text_t fields[FORWARDED_MAX];
    int count = 0;
    const h2o_headers_t *headers = &exchange->req->headers;
    for (ssize_t at = -1; (at = h2o_find_header(headers, H2O_TOKEN_X_FORWARDED_FOR, at)) != -1;) {
        if (count == FORWARDED_MAX) /* the last ones were written by those nearest to us */
            memmove(fields, fields + 1, (size_t)--count * sizeof(*fields));
        fields[count++] = text_of_iovec(headers->entries[at].value);
    }
    return connections_resolve(exchange->connection->peer, fields, count);
}

void request_client(exchange_t *exchange)
{
    connection_t *connection = exchange->connection;
    if (connection->proxied)
        connection_resolve(connection);
    exchange->client = connection->peer;
    exchange->secure = connection->tls;
    /* An upgrade to h2c went through the proxy: what follows is the client's own word, unseen by the proxy. */
    if (connection->trusted && exchange->req->version >= 0x200 &&
        h2o_find_header(&exchange->req->headers, H2O_TOKEN_HTTP2_SETTINGS, -1) != -1)
        connection->trusted = false;
    if (!connection->trusted)
        return;
    if (exchange->headers[HEADER_FORWARDED_FOR].data != NULL)
        exchange->client = client_behind(exchange);
    if (text_equal_nocase(exchange->headers[HEADER_FORWARDED_PROTO], TEXT("https")))
        exchange->secure = true;
}

void request_trace(exchange_t *exchange)
{
    exchange->trace = trace_of(exchange->headers[HEADER_TRACEPARENT], exchange->headers[HEADER_REQUEST_ID]);
    if (exchange->trace.data == NULL)
        exchange->trace = trace_new(exchange->call, exchange->trace_bytes);
}

text_t request_origin(const exchange_t *exchange)
{
    text_t origin = exchange->headers[HEADER_ORIGIN];
    const config_list_t *allowed = &frontend.config.cors.origins;
    for (int i = 0; origin.data != NULL && i < allowed->count; i++)
        if (text_equal(origin, text_of(allowed->items[i])))
            return origin;
    return (text_t){.data = NULL};
}
