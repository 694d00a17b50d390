/* connection: all connections in a list, and a hash table of the addresses they come from. A connection's
 * memory outlives its socket while requests of it are with actors: their answers give back what they counted.
 */
#include "connection.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "base/siphash.h"
#include "counters.h"
#include "crypto/hash.h"
#include <stdlib.h>

enum { BUCKETS = 4096 };

typedef struct client {
    address_t address;
    int64_t connections;
    struct client *next;
} client_t;

static struct {
    const config_t *config;
    networks_t trusted;
    connection_t *first;
    int64_t count;
    uint8_t hash_key[16];
    client_t *clients[BUCKETS];
} connections;

void connections_open(const config_t *config)
{
    connections.config = config;
    random_bytes(connections.hash_key, sizeof(connections.hash_key));
    const config_list_t *list = &config->listen.trusted_proxies;
    for (int i = 0; i < list->count; i++) {
        if (connections.trusted.count == NETWORKS_MAX)
            panic("more trusted proxies than NETWORKS_MAX");
        if (!network_parse(text_of(list->items[i]), &connections.trusted.items[connections.trusted.count++]))
            panic("listen.trusted_proxies: %s passed the check and is no network", list->items[i]);
    }
}

bool connections_trust(address_t address)
{
    return networks_contain(&connections.trusted, address);
}

address_t connections_resolve(address_t peer, const text_t *forwarded, int count)
{
    return address_resolve(&connections.trusted, peer, forwarded, count);
}

int64_t connections_count(void)
{
    return connections.count;
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static client_t **client_place(address_t address)
{
    uint64_t hash = siphash(connections.hash_key, address.bytes, sizeof(address.bytes));
    client_t **at = &connections.clients[hash % BUCKETS];
    while (*at != NULL && !address_equal((*at)->address, address))
        at = &(*at)->next;
    return at;
}

/* NULL: it has as many as it may. */
static client_t *client_take(address_t address)
{
    client_t **place = client_place(address), *client = *place;
    if (client == NULL) {
        client = *place = memory_zeroed(1, sizeof(*client));
        client->address = address;
    }
    if (client->connections >= connections.config->http.max_connections_address)
        return NULL;
    client->connections++;
    return client;
}

static void client_give_back(client_t *client)
{
    if (client == NULL || --client->connections > 0)
        return;
    client_t **place = client_place(client->address);
    insist(*place == client);
    *place = client->next;
    free(client);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void connection_free_if_done(connection_t *connection)
{
    if (connection->socket == NULL && connection->in_flight == 0)
        free(connection);
}

static void on_close(void *argument)
{
    connection_t *connection = argument;
    connection->socket = NULL;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connections.first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connections.count--;
    count(COUNTER_CONNECTIONS, -1);
    client_give_back(connection->client);
    connection->client = NULL;
    connection_free_if_done(connection);
}

connection_t *connection_open(h2o_socket_t *socket, address_t peer, bool tls, bool proxied)
{
    bool trusted = connections_trust(peer);
    client_t *client = NULL;
    if (!trusted && (client = client_take(address_client(peer))) == NULL) {
        count(COUNTER_REFUSED_ADDRESS, 1);
        return NULL;
    }
    connection_t *connection = memory_zeroed(1, sizeof(*connection));
    *connection = (connection_t){.socket = socket,
        .next = connections.first,
        .client = client,
        .peer = peer,
        .tls = tls,
        .trusted = trusted,
        .proxied = proxied};
    if (connections.first != NULL)
        connections.first->previous = connection;
    connections.first = connection;
    connections.count++;
    count(COUNTER_CONNECTIONS, 1);
    socket->on_close.cb = on_close;
    socket->on_close.data = connection;
    return connection;
}

void connection_resolve(connection_t *connection)
{
    struct sockaddr_storage address;
    connection->proxied = false;
    if (h2o_socket_getpeername(connection->socket, (struct sockaddr *)&address) == 0)
        return;
    connection->peer = address_of_socket((const struct sockaddr *)&address);
    connection->trusted = connections_trust(connection->peer);
}

void connection_hold(connection_t *connection)
{
    connection->in_flight++;
}

void connection_release(connection_t *connection)
{
    insist(connection->in_flight > 0);
    connection->in_flight--;
    connection_free_if_done(connection);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

/* libh2o closes such a connection when it finds its end. One that reads nothing just now has a request at
 * work and is told to close by its answer; HTTP/2 was told by GOAWAY. */
void connections_end_idle(void)
{
    for (connection_t *connection = connections.first; connection != NULL; connection = connection->next)
        if (!connection->http2 && connection->in_flight == 0 && h2o_socket_is_reading(connection->socket) &&
            connection->socket->input->size == 0)
            shutdown(h2o_socket_get_fd(connection->socket), SHUT_RD);
}

typedef struct {
    int64_t now, longest; /* microseconds of the wall clock, as libh2o stamps its requests */
} slow_t;

static int cut_if_slow(h2o_req_t *req, void *argument)
{
    const slow_t *slow = argument;
    const struct timeval *begin = &req->timestamps.request_begin_at;
    bool arriving = begin->tv_sec != 0 && req->pathconf == NULL;
    if (!arriving || slow->now - (begin->tv_sec * CLOCK_SECOND + begin->tv_usec) < slow->longest)
        return 0;
    count(COUNTER_SLOW_CUT, 1);
    shutdown(h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)), SHUT_RDWR);
    return 0;
}

void connections_cut_slow(h2o_context_t *context)
{
    struct timeval now = *h2o_get_timestamp(context, NULL, NULL);
    slow_t slow = {.now = now.tv_sec * CLOCK_SECOND + now.tv_usec,
        .longest = connections.config->http.idle_timeout * CLOCK_MILLISECOND};
    context->globalconf->http2.callbacks.foreach_request(context, cut_if_slow, &slow);
}
