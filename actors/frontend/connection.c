/* connection: all connections in a list, and a hash table of the addresses they come from. A connection's
 * memory outlives its socket while requests of it are with actors: their answers give back what they counted.
 *
 * What always holds: an address's connections, requests with actors and bytes held are the sums of those of its connections; other
 * frontends see the number of connections in the segment (shm/crowd.h). */
#include "connection.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/panic.h"
#include "base/siphash.h"
#include "counters.h"
#include "crypto/hash.h"
#include "exchange.h"
#include "frames.h"
#include "shm/bans.h"
#include "shm/crowd.h"
#include "shm/rate.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>

enum {
    BUCKETS = 4096,
    PRESSED_IDLE = 5,     /* seconds: then an idle connection makes room, when there is little */
    CONNECTION_WINDOW = 10, /* seconds, of abuse.connections */
    LOOK_PARTS = 32,      /* of a look at all of them: it takes 0.8 s */
};

typedef struct client {
    address_t address;
    int64_t references;  /* of connection_t */
    int64_t connections; /* open ones */
    int64_t in_flight;
    size_t held;
    struct client *next;
} client_t;

static struct {
    const config_t *config;
    networks_t trusted;
    connection_t *first, *next_look;
    int64_t looked; /* clock_monotonic(): the look at some of them */
    int64_t count;
    size_t held;
    int slot; /* of the segment's tables */
    uint64_t bans;
    uint8_t hash_key[16];
    client_t *clients[BUCKETS];
} connections;

void connections_open(void)
{
    connections.config = &frontend.config;
    connections.slot = crowd_begin(frontend.segment, frontend.self);
    random_bytes(connections.hash_key, sizeof(connections.hash_key));
    const config_list_t *list = &frontend.config.listen.trusted_proxies;
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

static text_t address_key(const address_t *address)
{
    return (text_t){.data = (const char *)address->bytes, .length = sizeof(address->bytes)};
}

text_t connection_key(const connection_t *connection)
{
    insist(connection->client != NULL);
    return address_key(&connection->client->address);
}

static client_t **client_place(address_t address)
{
    uint64_t hash = siphash(connections.hash_key, address.bytes, sizeof(address.bytes));
    client_t **at = &connections.clients[hash % BUCKETS];
    while (*at != NULL && !address_equal((*at)->address, address))
        at = &(*at)->next;
    return at;
}

static client_t *client_take(address_t address)
{
    client_t **place = client_place(address), *client = *place;
    if (client == NULL) {
        client = *place = memory_zeroed(1, sizeof(*client));
        client->address = address;
    }
    client->references++;
    client->connections++;
    crowd_change(frontend.segment, connections.slot, address_key(&client->address), 1);
    return client;
}

static void client_give_back(client_t *client)
{
    if (client == NULL || --client->references > 0)
        return;
    insist(client->connections == 0 && client->in_flight == 0 && client->held == 0);
    client_t **place = client_place(client->address);
    insist(*place == client);
    *place = client->next;
    free(client);
}

bool connections_welcome(address_t peer)
{
    const config_t *config = connections.config;
    if (connections_trust(peer))
        return true;
    address_t client = address_client(peer);
    text_t key = address_key(&client);
    if (bans_until(frontend.segment, key, clock_monotonic()) != 0) {
        count(COUNTER_REJECTED_BANNED, 1);
        return false;
    }
    const client_t *known = *client_place(client);
    int64_t here = known != NULL ? known->connections : 0;
    if (here + crowd_elsewhere(frontend.segment, connections.slot, key) >= config->http.max_connections_address) {
        count(COUNTER_REJECTED_CONNECTIONS, 1);
        return false;
    }
    if (config->abuse.enabled && !rate_check(frontend.segment, "connect", key, config->abuse.connections,
                                     CONNECTION_WINDOW * CLOCK_SECOND, clock_now()).allowed) {
        count(COUNTER_REJECTED_CONNECTION_RATE, 1);
        return false;
    }
    return true;
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void keep(connection_t *connection, ssize_t change)
{
    connections.held += (size_t)change;
    if (connection->client != NULL)
        connection->client->held += (size_t)change;
}

static size_t held_of(const connection_t *connection)
{
    return connection->input + connection->owed + connection->bodies;
}

static void connection_free_if_done(connection_t *connection)
{
    if (connection->socket != NULL || connection->in_flight > 0)
        return;
    client_give_back(connection->client);
    free(connection->token);
    free(connection);
}

static void on_close(void *argument)
{
    connection_t *connection = argument;
    abuse_settle(connection);
    frames_forget(connection);
    keep(connection, -(ssize_t)held_of(connection));
    connection->input = connection->owed = connection->bodies = 0;
    connection->socket = NULL;
    if (connections.next_look == connection)
        connections.next_look = connection->next;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connections.first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connections.count--;
    count(COUNTER_CONNECTIONS, -1);
    if (connection->client != NULL) {
        connection->client->connections--;
        crowd_change(frontend.segment, connections.slot, connection_key(connection), -1);
    }
    connection_free_if_done(connection);
}

connection_t *connection_of_socket(h2o_socket_t *socket)
{
    return socket->on_close.cb == on_close ? socket->on_close.data : NULL;
}

void connection_open(h2o_socket_t *socket, address_t peer, bool tls, bool proxied)
{
    bool trusted = connections_trust(peer);
    int64_t now = clock_monotonic();
    connection_t *connection = memory_zeroed(1, sizeof(*connection));
    *connection = (connection_t){.socket = socket,
        .next = connections.first,
        .client = trusted ? NULL : client_take(address_client(peer)),
        .peer = peer,
        .tls = tls,
        .trusted = trusted,
        .proxied = proxied,
        .opened = now,
        .asked = now,
        .budget.drained = now};
    if (connections.first != NULL)
        connections.first->previous = connection;
    connections.first = connection;
    connections.count++;
    count(COUNTER_CONNECTIONS, 1);
    socket->on_close.cb = on_close;
    socket->on_close.data = connection;
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

void connection_condemn(connection_t *connection, bool gently)
{
    if (connection->socket == NULL)
        return;
    connection->condemned = true;
    if (!gently)
        shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

void connection_upgrade(connection_t *connection)
{
    connection->upgraded = true;
    connection->open = connection->unread = 0;
    connection->header_since = 0;
    keep(connection, -(ssize_t)held_of(connection));
    connection->input = connection->owed = connection->bodies = 0;
}

int64_t connection_sent(connection_t *connection)
{
    size_t before = connection->sent_before;
    connection->sent_before = connection->socket->bytes_written;
    return (int64_t)(connection->sent_before - before);
}

/* --- requests, and what they hold --------------------------------------------------------------------------------- */

void connection_hold(connection_t *connection)
{
    connection->in_flight++;
    if (connection->client != NULL)
        connection->client->in_flight++;
}

void connection_release(connection_t *connection)
{
    insist(connection->in_flight > 0);
    connection->in_flight--;
    if (connection->client != NULL)
        connection->client->in_flight--;
    connection_free_if_done(connection);
}

bool connection_is_full(const connection_t *connection)
{
    return connection->in_flight >= connections.config->http.max_pending_connection;
}

bool connection_address_is_full(const connection_t *connection)
{
    return connection->client != NULL && connection->client->in_flight >= connections.config->http.max_pending_address;
}

/* Too much for its address: this one ends. Too much altogether: the one that holds most. */
static void check_held(connection_t *connection)
{
    const config_t *config = connections.config;
    if (connection->client != NULL && connection->client->held > (size_t)config->abuse.memory_address)
        abuse_end(connection, ABUSE_MEMORY);
    if (connections.held <= (size_t)config->abuse.memory)
        return;
    connection_t *most = connection;
    for (connection_t *other = connections.first; other != NULL; other = other->next)
        if (!other->condemned && (most->condemned || held_of(other) > held_of(most)))
            most = other;
    abuse_end(most, ABUSE_MEMORY);
}

static void hold_bytes(connection_t *connection, size_t *part, size_t bytes)
{
    ssize_t change = (ssize_t)bytes - (ssize_t)*part;
    if (change == 0)
        return;
    *part = bytes;
    keep(connection, change);
    if (change > 0)
        check_held(connection);
}

void connection_hold_input(connection_t *connection, size_t bytes)
{
    hold_bytes(connection, &connection->input, bytes);
}

void connection_hold_body(connection_t *connection, ssize_t change)
{
    hold_bytes(connection, &connection->bodies, connection->bodies + (size_t)change);
}

void connection_ask(connection_t *connection, int64_t now)
{
    connection->asked = now;
    connection->open++;
    connection->pipelined++;
    connection->noise = 0;
    connection->header_since = 0;
    abuse_request(connection);
}

void connection_owe(connection_t *connection, size_t bytes)
{
    connection->unread++;
    hold_bytes(connection, &connection->owed, connection->owed + bytes);
}

/* Libh2o alone says when a request is gone: should it ever say so of one that we did not see begin, nothing is counted below 0; and
 * a connection without requests owes nothing. */
void connection_end_request(connection_t *connection, bool answered, size_t bytes)
{
    if (connection->open > 0)
        connection->open--;
    if (answered && connection->unread > 0)
        connection->unread--;
    if (connection->open == 0)
        connection->unread = 0;
    bool none = connection->open == 0 || bytes > connection->owed;
    hold_bytes(connection, &connection->owed, none ? 0 : answered ? connection->owed - bytes : connection->owed);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

/* libh2o closes such a connection when it finds its end. One that reads nothing just now has a request at
 * work and is told to close by its answer; HTTP/2 was told by GOAWAY. */
void connections_end_idle(void)
{
    for (connection_t *connection = connections.first; connection != NULL; connection = connection->next)
        if (!connection->http2 && !connection->upgraded && connection->in_flight == 0 && h2o_socket_is_reading(connection->socket) &&
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
    if (arriving && slow->now - (begin->tv_sec * CLOCK_SECOND + begin->tv_usec) >= slow->longest)
        abuse_end(connection_of(req), ABUSE_SLOW_BODY);
    return 0;
}

/* Over HTTP/2. */
static void cut_slow_bodies(h2o_context_t *context)
{
    struct timeval now = *h2o_get_timestamp(context, NULL, NULL);
    slow_t slow = {.now = now.tv_sec * CLOCK_SECOND + now.tv_usec,
        .longest = connections.config->http.idle_timeout * CLOCK_MILLISECOND};
    context->globalconf->http2.callbacks.foreach_request(context, cut_if_slow, &slow);
}

/* Is it a header that is arriving, or over HTTP/1 perhaps the body behind it? */
static bool header_is_slow(const connection_t *connection, int64_t before)
{
    const h2o_buffer_t *input = connection->socket->input;
    if (connection->tls && !connection->introduced)
        return connection->opened < before;
    return connection->header_since != 0 && connection->header_since < before &&
           (connection->http2 || memmem(input->bytes, input->size, "\r\n\r\n", 4) == NULL);
}

/* Over HTTP/1. */
static bool body_is_slow(const connection_t *connection, int64_t now)
{
    return !connection->http2 && connection->header_since != 0 &&
           now - connection->header_since > connections.config->http.idle_timeout * CLOCK_MILLISECOND;
}

static int64_t bytes_acknowledged(const connection_t *connection)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    if (getsockopt(h2o_socket_get_fd(connection->socket), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return (int64_t)info.tcpi_bytes_acked;
}

/* Answers wait all the time, and hardly any byte of them is taken. */
static bool reads_slowly(connection_t *connection, int64_t now)
{
    const config_t *config = connections.config;
    int64_t since = connection->unread_since, before = connection->unread_acknowledged;
    if (connection->unread == 0) {
        connection->unread_since = 0;
        return false;
    }
    if (since != 0 && now - since < config->http.send_timeout * CLOCK_MILLISECOND)
        return false;
    connection->unread_since = now;
    connection->unread_acknowledged = bytes_acknowledged(connection);
    return since != 0 && connection->unread_acknowledged - before < config->abuse.read_rate * (now - since) / CLOCK_SECOND;
}

/* Nothing was asked for longer than libh2o lets a connection be silent, and for longer than a request may take to arrive: what
 * comes are other frames, or bits of one. */
static bool makes_noise(const connection_t *connection, int64_t now)
{
    return connection->open == 0 && connection->in_flight == 0 &&
           now - connection->asked > 2 * connections.config->http.idle_timeout * CLOCK_MILLISECOND + CLOCK_SECOND;
}

static void look_at(connection_t *connection, bool crowded, int64_t now)
{
    int64_t header_before = now - connections.config->http.header_timeout * CLOCK_MILLISECOND;
    if (connection->condemned) {
        connection_condemn(connection, false); /* libh2o's goodbye finds no reader */
        return;
    }
    if (connection->upgraded)
        return;
    if (connection->open > 0)
        connection->asked = now;
    if (header_is_slow(connection, header_before))
        abuse_end(connection, ABUSE_SLOW_HEADER);
    else if (body_is_slow(connection, now))
        abuse_end(connection, ABUSE_SLOW_BODY);
    else if (reads_slowly(connection, now))
        abuse_end(connection, ABUSE_SLOW_READER);
    else if (makes_noise(connection, now))
        abuse_end(connection, ABUSE_NOISE);
    else if (crowded && connection->open == 0 && connection->client != NULL &&
             now - connection->asked > PRESSED_IDLE * CLOCK_SECOND)
        abuse_end(connection, ABUSE_IDLE);
}

void connections_look(h2o_context_t *context)
{
    cut_slow_bodies(context);
    if (connections.next_look == NULL)
        connections.next_look = connections.first;
    count_set(COUNTER_HELD_BYTES, (int64_t)connections.held);
}

void connections_look_on(void)
{
    int64_t now = clock_monotonic();
    bool crowded = connections.count >= connections.config->http.max_connections / 4 * 3;
    int64_t parts = loop_times(&connections.looked, now, CONNECTIONS_LOOK_ON);
    for (int64_t left = (connections.count / LOOK_PARTS + 1) * parts; left > 0 && connections.next_look != NULL; left--) {
        connection_t *connection = connections.next_look;
        connections.next_look = connection->next;
        look_at(connection, crowded, now);
    }
}

void connections_cut_banned(void)
{
    uint64_t version = bans_version(frontend.segment);
    int64_t now = clock_monotonic();
    if (version == connections.bans)
        return;
    connections.bans = version;
    for (connection_t *connection = connections.first; connection != NULL; connection = connection->next)
        if (connection->client != NULL && !connection->condemned &&
            bans_until(frontend.segment, connection_key(connection), now) != 0) {
            count(COUNTER_REJECTED_BANNED, 1);
            connection_condemn(connection, false);
        }
}
