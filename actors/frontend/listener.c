/* listener: accepts one connection a turn from each socket. The sockets are shared by all frontends, and
 * whoever is quick would otherwise take a whole burst alone; who has more connections than another one steps
 * back for a moment first (spread.c). At http.max_connections accepting pauses, so that the others take what
 * comes; also when the process has no descriptor left, and while it is held back by `aipotenctl drain`. */
#include "listener.h"
#include "address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "connection.h"
#include "counters.h"
#include "exchange.h"
#include "spread.h"
#include <errno.h>
#include <netinet/tcp.h>

enum {
    RESUME_MILLISECONDS = 50,
    REFUSALS_MOST = 64,        /* in a turn: those that may not connect keep nobody waiting who may */
    RECEIVE_BUFFER = 128 << 10 /* the kernel doubles it: what one turn may find of one connection, and what thousands hold */
};

typedef struct {
    h2o_socket_t *socket; /* NULL: not listened on */
    h2o_accept_ctx_t accept, accept_proxied;
    bool tls, paused;
} listener_t;

static listener_t listeners[2];
static loop_t *listener_loop;
static loop_timer_t *step_back; /* running: others were given the way */
static spread_t spread;

static void pause_all(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(listeners); i++)
        if (listeners[i].socket != NULL && !listeners[i].paused) {
            h2o_socket_read_stop(listeners[i].socket);
            listeners[i].paused = true;
        }
}

static void pause_accepting(const char *reason)
{
    count(COUNTER_ACCEPT_PAUSES, 1);
    log_event(LOG_WARNING, "accept_paused", LOG_S("reason", reason),
        LOG_I("connections", connections_count()),
        LOG_S("next", "start more frontends (aipotenctl scale), or raise http.max_connections"));
    pause_all();
}

/* Has the frontend there, which may be of another build, this counter where we have it? */
static bool counts_same(const segment_instance_t *row, enum counter counter)
{
    return atomic_load(&row->counter_count) > (uint32_t)counter &&
           strcmp(row->counters[counter].name, frontend.self->counters[counter].name) == 0;
}

/* The frontends, as their own counters say; this one is none of its peers. */
static int peers_read(spread_peer_t peers[static SEGMENT_INSTANCES])
{
    _Static_assert((int)SPREAD_PEERS_MAX == (int)SEGMENT_INSTANCES, "a place for each row of the table");
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        const segment_instance_t *row = segment_instance(frontend.segment, slot);
        peers[slot] = (spread_peer_t){.ready = false};
        if (row == frontend.self || !atomic_load(&row->used) || row->service != frontend.self->service ||
            !counts_same(row, COUNTER_CONNECTIONS) || !counts_same(row, COUNTER_ACCEPTED))
            continue;
        peers[slot] = (spread_peer_t){.ready = atomic_load(&row->state) == INSTANCE_READY,
            .connections = atomic_load(&row->counters[COUNTER_CONNECTIONS].value),
            .accepted = atomic_load(&row->counters[COUNTER_ACCEPTED].value)};
    }
    return SEGMENT_INSTANCES;
}

static void resume_all(void);

static void on_step_back_time(void *argument)
{
    spread_peer_t peers[SEGMENT_INSTANCES];
    (void)argument;
    listener_loop->timer_stop(&step_back);
    spread_look(&spread, peers, peers_read(peers), clock_monotonic());
    resume_all();
}

/* True: this connection is left to another frontend. */
static bool give_way(void)
{
    spread_peer_t peers[SEGMENT_INSTANCES];
    if (!spread_gives_way(&spread, peers, peers_read(peers), connections_count(), clock_monotonic()))
        return false;
    count(COUNTER_STEPPED_BACK, 1);
    pause_all();
    if (step_back == NULL)
        step_back = listener_loop->timer(listener_loop, SPREAD_MILLISECONDS, on_step_back_time, NULL);
    return true;
}

static void take(listener_t *listener, int fd, address_t peer)
{
    static const int on = 1;
    bool proxied = !listener->tls && frontend.config.listen.proxy_protocol && connections_trust(peer);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    h2o_socket_t *socket =
        h2o_evloop_socket_create(listener->accept.ctx->loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    count(COUNTER_ACCEPTED, 1);
    connection_open(socket, peer, listener->tls, proxied);
    h2o_accept(proxied ? &listener->accept_proxied : &listener->accept, socket);
}

/* At once and without a word, which costs us least: by RST. */
static void refuse(int fd)
{
    static const struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
}

/* The next connection that may be one; -1: there is none. */
static int accept_welcome(h2o_socket_t *socket, address_t *peer)
{
    for (int i = 0; i < REFUSALS_MOST; i++) {
        struct sockaddr_storage from;
        socklen_t length = sizeof(from);
        int fd = accept4(h2o_socket_get_fd(socket), (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return -1;
        *peer = address_of_socket((const struct sockaddr *)&from);
        if (connections_welcome(*peer))
            return fd;
        refuse(fd);
    }
    errno = EAGAIN;
    return -1;
}

static void on_connection(h2o_socket_t *socket, const char *error)
{
    address_t peer;
    if (error != NULL)
        return;
    if (connections_count() >= frontend.config.http.max_connections) {
        pause_accepting("http.max_connections");
        return;
    }
    if (give_way())
        return;
    int fd = accept_welcome(socket, &peer);
    if (fd >= 0)
        take(socket->data, fd, peer);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause_accepting(strerror(errno));
}

/* Held back by `aipotenctl drain`: the row says DRAINING, and no signal came. */
static bool is_held(void)
{
    return atomic_load(&frontend.self->state) == INSTANCE_DRAINING;
}

static void resume_all(void)
{
    if (frontend_draining || connections_count() >= frontend.config.http.max_connections || is_held())
        return;
    for (size_t i = 0; i < ARRAY_SIZE(listeners); i++)
        if (listeners[i].paused) {
            listeners[i].paused = false;
            h2o_socket_read_start(listeners[i].socket, on_connection);
        }
}

static void on_resume_time(void *argument)
{
    (void)argument;
    if (!frontend_draining && is_held())
        pause_all();
    else if (step_back == NULL)
        resume_all();
}

static void listener_open(listener_t *listener, h2o_context_t *context, int fd, SSL_CTX *tls)
{
    static const int receive = RECEIVE_BUFFER;
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive)); /* what it accepts inherits it */
    listener->tls = tls != NULL;
    listener->accept =
        (h2o_accept_ctx_t){.ctx = context, .hosts = context->globalconf->hosts, .ssl_ctx = tls};
    listener->accept_proxied = listener->accept;
    listener->accept_proxied.expect_proxy_line = 1;
    listener->socket = h2o_evloop_socket_create(context->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->socket->data = listener;
    h2o_socket_read_start(listener->socket, on_connection);
}

void listeners_open(h2o_context_t *context, loop_t *loop, SSL_CTX *tls)
{
    insist(tls != NULL || frontend.https_fd < 0);
    listener_loop = loop;
    listener_open(&listeners[0], context, frontend.https_fd, tls);
    listener_open(&listeners[1], context, frontend.http_fd, NULL);
    loop->timer(loop, RESUME_MILLISECONDS, on_resume_time, NULL);
}

SSL_CTX *listeners_use(SSL_CTX *tls)
{
    SSL_CTX *former = listeners[0].accept.ssl_ctx;
    listeners[0].accept.ssl_ctx = listeners[0].accept_proxied.ssl_ctx = tls;
    return former;
}

void listeners_close(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(listeners); i++) {
        if (listeners[i].socket == NULL)
            continue;
        listeners[i].paused = false;
        h2o_socket_close(listeners[i].socket);
        listeners[i].socket = NULL;
    }
}
