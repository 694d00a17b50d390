/* link: ZeroMQ sockets on the loop, one outgoing batch per peer and turn. */
#include "link.h"
#include "../base/fault.h"
#include "../base/panic.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum {
    QUEUE_MESSAGES = 4096,          /* ZeroMQ's high-water mark, in batches */
    MESSAGE_BYTES_MAX = 64 << 20,   /* a larger message closes the connection that sent it */
    BATCH_BYTES = 4 << 20,          /* a batch that grows over this is sent before the turn ends */
    DRAIN_PER_TURN = 256,           /* batches read before other events have their turn */
    PEERS_MAX = 256,
    IDENTITY_MAX = 32,
    CLOSE_LINGER = 1000, /* milliseconds for the last replies to leave at a stop */
    BIN32 = 0xC6,        /* msgpack bin 32: the byte before a 4-byte length */
};

static void *context;
static int64_t dropped;

int64_t link_dropped(void)
{
    return dropped;
}

/* --- batches ------------------------------------------------------------------------------------------------------ */

static void batch_add(buffer_t *batch, text_t value)
{
    uint8_t head[5] = {BIN32, (uint8_t)(value.length >> 24), (uint8_t)(value.length >> 16), (uint8_t)(value.length >> 8),
        (uint8_t)value.length};
    buffer_reserve(batch, sizeof head + value.length);
    buffer_add(batch, head, sizeof head);
    buffer_add(batch, value.data, value.length);
}

/* Hands out each value; what is no run of bin values is dropped: a peer's fault. */
static void batch_split(const uint8_t *data, size_t length, link_receive_t receive, void *argument, uint32_t peer)
{
    size_t at = 0;
    while (length - at >= 5 && data[at] == BIN32) {
        size_t size = (size_t)data[at + 1] << 24 | (size_t)data[at + 2] << 16 | (size_t)data[at + 3] << 8 | data[at + 4];
        at += 5;
        if (size > length - at)
            break;
        receive(argument, (text_t){(const char *)data + at, size}, peer);
        at += size;
    }
    if (at != length)
        dropped++;
}

/* --- sockets ------------------------------------------------------------------------------------------------------ */

static void set_option(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) != 0)
        panic("zmq_setsockopt %d: %s", option, zmq_strerror(errno));
}

static void *socket_open(int type)
{
    if (!context && !(context = zmq_ctx_new()))
        panic("zmq_ctx_new: %s", zmq_strerror(errno));
    void *socket = zmq_socket(context, type);
    if (!socket)
        panic("zmq_socket: %s", zmq_strerror(errno));
    int64_t most = MESSAGE_BYTES_MAX;
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
    set_option(socket, ZMQ_SNDHWM, QUEUE_MESSAGES);
    set_option(socket, ZMQ_RCVHWM, QUEUE_MESSAGES);
    set_option(socket, ZMQ_LINGER, 0);
    return socket;
}

static int socket_descriptor(void *socket)
{
    int descriptor;
    size_t size = sizeof descriptor;
    if (zmq_getsockopt(socket, ZMQ_FD, &descriptor, &size) != 0)
        panic("ZMQ_FD: %s", zmq_strerror(errno));
    return descriptor;
}

static bool socket_readable(void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

/* The whole batch or nothing: false when it was dropped, because the queue is full. */
static bool socket_send(void *socket, buffer_t *batch)
{
    bool sent = zmq_send(socket, batch->data, batch->length, ZMQ_DONTWAIT) >= 0;
    dropped += !sent;
    batch->length = 0;
    fault_point("link.sent"); /* which thread of ZeroMQ has it now, or the kernel, is not known */
    return sent;
}

/* --- the caller's side -------------------------------------------------------------------------------------------- */

struct link_client {
    void *socket;
    loop_watch_t *watch;
    link_receive_t receive;
    void *argument;
    buffer_t batch;
    bool active; /* sent or received in this turn: ZMQ_EVENTS must be looked at before the loop sleeps */
    bool lost;   /* a batch was dropped, see link_client_lost */
    struct link_client *next;
};

static link_client_t *clients; /* one turn hook serves all of them */

static void client_drain(link_client_t *client)
{
    zmq_msg_t message;
    client->active = true;
    for (int i = 0; i < DRAIN_PER_TURN; i++) {
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, client->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&message);
            return;
        }
        batch_split(zmq_msg_data(&message), zmq_msg_size(&message), client->receive, client->argument, 0);
        zmq_msg_close(&message);
    }
}

static void client_ready(void *argument, int events)
{
    (void)events;
    client_drain(argument);
}

static bool clients_turn(void *argument)
{
    (void)argument;
    bool more = false;
    for (link_client_t *client = clients; client; client = client->next) {
        if (client->batch.length) {
            client->lost |= !socket_send(client->socket, &client->batch);
            client->active = true;
        }
        if (!client->active)
            continue;
        client->active = false;
        if (socket_readable(client->socket)) {
            client_drain(client);
            more = true;
        }
    }
    return more;
}

link_client_t *link_client_open(loop_t *loop, const char *endpoint, link_receive_t receive, void *argument)
{
    static bool hooked;
    if (!hooked) {
        loop->add_turn_hook(loop, clients_turn, NULL);
        hooked = true;
    }
    link_client_t *client = memory_zeroed(1, sizeof *client);
    *client = (link_client_t){.socket = socket_open(ZMQ_DEALER), .receive = receive, .argument = argument, .active = true};
    if (zmq_connect(client->socket, endpoint) != 0) {
        int error = errno;
        zmq_close(client->socket);
        free(client);
        errno = error;
        return NULL;
    }
    client->watch = loop->watch(loop, socket_descriptor(client->socket), LOOP_READ, client_ready, client);
    client->next = clients;
    clients = client;
    return client;
}

void link_client_send(link_client_t *client, text_t value)
{
    batch_add(&client->batch, value);
    client->active = true;
    if (client->batch.length >= BATCH_BYTES)
        client->lost |= !socket_send(client->socket, &client->batch);
}

bool link_client_lost(link_client_t *client)
{
    bool lost = client->lost;
    client->lost = false;
    return lost;
}

void link_client_close(loop_t *loop, link_client_t **link)
{
    link_client_t *client = *link;
    if (!client)
        return;
    *link = NULL;
    link_client_t **at = &clients;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    loop->unwatch(&client->watch);
    zmq_close(client->socket);
    buffer_free(&client->batch);
    free(client);
}

/* --- the actor's side --------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t identity[IDENTITY_MAX];
    size_t length;
    uint16_t generation;
    int64_t last_used; /* turn number */
    buffer_t batch;
    bool lost; /* a batch was dropped, see link_server_lost */
} peer_t;

struct link_server {
    void *socket;
    loop_watch_t *watch;
    link_receive_t receive;
    void *argument;
    peer_t peers[PEERS_MAX];
    int peer_count;
    int64_t turn;
    bool active;
    char endpoint[256];
};

/* The place of a peer, made when it is new; the one that was quiet longest gives way when all are taken. */
static uint32_t server_peer(link_server_t *server, const void *identity, size_t length)
{
    int oldest = 0;
    for (int i = 0; i < server->peer_count; i++) {
        peer_t *peer = &server->peers[i];
        if (peer->length == length && memcmp(peer->identity, identity, length) == 0) {
            peer->last_used = server->turn;
            return (uint32_t)peer->generation << 16 | (uint32_t)i;
        }
        if (peer->last_used < server->peers[oldest].last_used)
            oldest = i;
    }
    int index = server->peer_count < PEERS_MAX ? server->peer_count++ : oldest;
    peer_t *peer = &server->peers[index];
    peer->batch.length = 0;
    peer->generation++;
    peer->lost = false;
    peer->length = length;
    peer->last_used = server->turn;
    memcpy(peer->identity, identity, length);
    return (uint32_t)peer->generation << 16 | (uint32_t)index;
}

static bool server_receive(link_server_t *server)
{
    zmq_msg_t identity, message;
    zmq_msg_init(&identity);
    zmq_msg_init(&message);
    bool received = zmq_msg_recv(&identity, server->socket, ZMQ_DONTWAIT) >= 0;
    if (received && zmq_msg_more(&identity) && zmq_msg_recv(&message, server->socket, ZMQ_DONTWAIT) >= 0 &&
        zmq_msg_size(&identity) <= IDENTITY_MAX) {
        uint32_t peer = server_peer(server, zmq_msg_data(&identity), zmq_msg_size(&identity));
        batch_split(zmq_msg_data(&message), zmq_msg_size(&message), server->receive, server->argument, peer);
    }
    while (received && zmq_msg_more(&message)) /* more parts than two: a peer's fault */
        if (zmq_msg_recv(&message, server->socket, ZMQ_DONTWAIT) < 0)
            break;
    zmq_msg_close(&identity);
    zmq_msg_close(&message);
    return received;
}

static void server_drain(link_server_t *server)
{
    server->active = true;
    for (int i = 0; i < DRAIN_PER_TURN && server_receive(server); i++)
        ;
}

static void server_ready(void *argument, int events)
{
    (void)events;
    server_drain(argument);
}

static void peer_send(link_server_t *server, peer_t *peer)
{
    if (zmq_send(server->socket, peer->identity, peer->length, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        peer->lost |= !socket_send(server->socket, &peer->batch);
    } else {
        dropped++;
        peer->lost |= errno == EAGAIN; /* else it is gone */
    }
    peer->batch.length = 0;
    server->active = true;
}

bool link_server_lost(link_server_t *server, uint32_t *peer)
{
    for (int i = 0; i < server->peer_count; i++) {
        if (!server->peers[i].lost)
            continue;
        server->peers[i].lost = false;
        *peer = (uint32_t)server->peers[i].generation << 16 | (uint32_t)i;
        return true;
    }
    return false;
}

static void server_flush(link_server_t *server)
{
    for (int i = 0; i < server->peer_count; i++) {
        peer_t *peer = &server->peers[i];
        if (peer->batch.length)
            peer_send(server, peer);
    }
}

static bool server_turn(void *argument)
{
    link_server_t *server = argument;
    server->turn++;
    server_flush(server);
    if (!server->active)
        return false;
    server->active = false;
    if (!socket_readable(server->socket))
        return false;
    server_drain(server);
    return true;
}

link_server_t *link_server_open(loop_t *loop, const char *endpoint, link_receive_t receive, void *argument)
{
    link_server_t *server = memory_zeroed(1, sizeof *server);
    server->socket = socket_open(ZMQ_ROUTER);
    set_option(server->socket, ZMQ_ROUTER_MANDATORY, 1); /* what cannot be sent is counted, not lost in silence */
    server->receive = receive;
    server->argument = argument;
    server->active = true;
    if (zmq_bind(server->socket, endpoint) != 0) {
        int error = errno;
        zmq_close(server->socket);
        free(server);
        errno = error;
        return NULL;
    }
    snprintf(server->endpoint, sizeof server->endpoint, "%s", endpoint);
    server->watch = loop->watch(loop, socket_descriptor(server->socket), LOOP_READ, server_ready, server);
    loop->add_turn_hook(loop, server_turn, server);
    return server;
}

void link_server_send(link_server_t *server, uint32_t peer, text_t value)
{
    peer_t *to = &server->peers[peer & 0xFFFF];
    if ((peer & 0xFFFF) >= (uint32_t)server->peer_count || to->generation != peer >> 16) {
        dropped++;
        return;
    }
    batch_add(&to->batch, value);
    if (to->batch.length >= BATCH_BYTES)
        peer_send(server, to);
}

void link_server_close(loop_t *loop, link_server_t **link)
{
    link_server_t *server = *link;
    if (!server)
        return;
    *link = NULL;
    server_flush(server);
    loop->unwatch(&server->watch);
    set_option(server->socket, ZMQ_LINGER, CLOSE_LINGER);
    zmq_close(server->socket);
    zmq_ctx_term(context);
    context = NULL;
}
