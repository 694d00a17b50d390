#include "monitor.h"
#include "base/panic.h"
#include "crypto/hash.h"
#include "request_headers.h"
#include "response.h"
#include "shm/exposition.h"

static struct {
    networks_t networks;
    text_t token;
} monitor;

static void network_add(const char *text)
{
    if (monitor.networks.count == NETWORKS_MAX)
        panic("metrics.addresses has more networks than NETWORKS_MAX");
    if (!network_parse(text_of(text), &monitor.networks.items[monitor.networks.count++]))
        panic("metrics.addresses: %s passed the check and is no network", text);
}

void monitor_open(void)
{
    const config_list_t *list = &frontend.config.metrics.addresses;
    monitor.token = process_secret("metrics_token");
    if (frontend.config.metrics.loopback) {
        network_add("127.0.0.0/8");
        network_add("::1");
    }
    for (int i = 0; i < list->count; i++)
        network_add(list->items[i]);
}

/* A proxy on this machine that we are not told of would make all the world look like this machine: what proxies add betrays it,
 * and HTTP/1.0, which nginx speaks to whom it asks unless it is told otherwise, and which adds nothing by itself. */
static bool is_forwarded(exchange_t *exchange)
{
    static const char *const betraying[] = {"x-forwarded-for", "forwarded", "via", "x-forwarded-proto", "x-real-ip"};
    if (exchange->connection->trusted || exchange->req->version < 0x101)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(betraying); i++)
        if (request_header_value(exchange, text_of(betraying[i])).data != NULL)
            return true;
    return false;
}

static bool has_token(const exchange_t *exchange)
{
    text_t given = exchange->headers[HEADER_AUTHORIZATION], scheme = TEXT("Bearer ");
    if (given.length <= scheme.length || !text_equal_nocase((text_t){given.data, scheme.length}, scheme))
        return false;
    given = text_trim((text_t){given.data + scheme.length, given.length - scheme.length});
    return secret_equal(given, monitor.token);
}

void monitor_answer(exchange_t *exchange)
{
    static buffer_t text;
    bool near = networks_contain(&monitor.networks, exchange->connection->peer) && !is_forwarded(exchange);
    if (!near && !has_token(exchange)) {
        response_error(exchange, ERROR_NOT_FOUND, NULL);
        return;
    }
    text.length = 0;
    exposition_write(frontend.segment, &text);
    response_send(exchange, 200, TEXT("text/plain; version=0.0.4; charset=utf-8"), (text_t){.data = NULL},
        response_copy(exchange, buffer_text(&text)));
}
