/* sockets: many Socket.IO clients over WebSocket in one process, as light as they can be, so that what is measured is the server.
 *
 *     bench-sockets ADDRESS PORT plain|tls COUNT AT_ONCE TOKENS
 *
 * Connects COUNT sockets from ADDRESS (127.0.0.N) to 127.0.0.1:PORT, AT_ONCE of them at a time; socket i says the token of line i of TOKENS, whose lines
 * are taken again from the beginning when there are fewer. Each answers pings. Writes lines, times in microseconds of CLOCK_MONOTONIC:
 *
 *     open COUNT TIME             all are connected (Socket.IO's CONNECT was answered)
 *     got SOCKET TIME PACKET      an event came: the packet from its "42" on, its first 300 bytes
 *     gone SOCKET TIME WHY        a connection ended; it is not made again
 *
 * Ends when its standard input, a pipe, does. Engine.IO protocol 4, Socket.IO protocol 5. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BYTES = 16384, EVENTS = 256, SHOWN = 300, TOKEN_MOST = 4096, STANDARD_INPUT = 1 << 30 };

enum state { CLOSED, CONNECTING, GREETING /* TLS */, UPGRADING, OPENING /* Engine.IO, then Socket.IO */, OPEN };

struct client {
    int fd;
    enum state state;
    SSL *tls;
    uint32_t have; /* bytes of an incomplete frame or answer */
    char *rest;
};

static struct client *clients;
static char **tokens;
static int count, token_count, at_once, begun, opened, ended, poller;
static struct sockaddr_in from, to;
static SSL_CTX *context;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
}

static _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "sockets: %s: %s\n", what, errno != 0 ? strerror(errno) : "wrong");
    exit(1);
}

static int index_of(const struct client *client)
{
    return (int)(client - clients);
}

static void client_start(void);

/* Another one begins in its place, if it was among those that begin. */
static void client_end(struct client *client, const char *why)
{
    bool beginning = client->state != OPEN;
    printf("gone %d %lld %s\n", index_of(client), (long long)now(), why);
    if (client->tls != NULL)
        SSL_free(client->tls);
    close(client->fd);
    free(client->rest);
    *client = (struct client){.fd = -1};
    ended++;
    if (beginning)
        client_start();
}

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

/* What is small always fits into a fresh socket's buffer; else the client ends. */
static bool client_write(struct client *client, const char *bytes, size_t length)
{
    int sent = client->tls != NULL ? SSL_write(client->tls, bytes, (int)length) : (int)write(client->fd, bytes, length);
    if (sent == (int)length)
        return true;
    client_end(client, "write");
    return false;
}

/* > 0: so many bytes; 0: nothing there; -1: it ended. */
static int client_read(struct client *client, char *to_bytes, size_t room)
{
    if (client->tls == NULL) {
        ssize_t got = read(client->fd, to_bytes, room);
        return got > 0 ? (int)got : got < 0 && errno == EAGAIN ? 0 : -1;
    }
    int got = SSL_read(client->tls, to_bytes, (int)room);
    if (got > 0)
        return got;
    int error = SSL_get_error(client->tls, got);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* A text frame, masked with zeros, as clients must (RFC 6455, 5.3). */
static bool packet_send(struct client *client, const char *text)
{
    static char frame[TOKEN_MOST + 64];
    size_t length = strlen(text), head = 2;
    frame[0] = (char)0x81;
    if (length < 126) {
        frame[1] = (char)(0x80 | length);
    } else {
        frame[1] = (char)(0x80 | 126);
        frame[2] = (char)(length >> 8);
        frame[3] = (char)length;
        head = 4;
    }
    memset(frame + head, 0, 4);
    memcpy(frame + head + 4, text, length);
    return client_write(client, frame, head + 4 + length);
}

/* --- protocol ------------------------------------------------------------------------------------------------------- */

static bool packet_take(struct client *client, const char *packet, size_t length)
{
    static char connect[TOKEN_MOST + 32];
    if (length >= 1 && packet[0] == '2')
        return packet_send(client, "3");
    if (length >= 1 && packet[0] == '0') {
        snprintf(connect, sizeof(connect), "40{\"token\":\"%s\"}", tokens[index_of(client) % token_count]);
        return packet_send(client, connect);
    }
    if (length >= 2 && packet[0] == '4' && packet[1] == '0' && client->state == OPENING) {
        client->state = OPEN;
        if (++opened == count)
            printf("open %d %lld\n", count, (long long)now());
        client_start();
        return true;
    }
    if (length >= 2 && packet[0] == '4' && packet[1] == '2') {
        printf("got %d %lld %.*s\n", index_of(client), (long long)now(), (int)(length < SHOWN ? length : SHOWN), packet);
        return true;
    }
    client_end(client, length >= 2 && packet[0] == '4' && packet[1] == '4' ? "refused" : "told to go");
    return false;
}

/* Bytes used of the beginning; 0: more are needed; -1: it ended. */
static int frame_take(struct client *client, const char *bytes, size_t have)
{
    const uint8_t *head = (const uint8_t *)bytes;
    if (have < 2)
        return 0;
    size_t length = head[1] & 127, at = 2;
    if (length == 126) {
        if (have < 4)
            return 0;
        length = (size_t)head[2] << 8 | head[3];
        at = 4;
    } else if (length == 127) {
        client_end(client, "a frame of more than 64 KB");
        return -1;
    }
    if (have < at + length)
        return 0;
    int kind = head[0] & 15;
    if (kind == 8) {
        client_end(client, "closed");
        return -1;
    }
    if (kind == 1 && !packet_take(client, bytes + at, length))
        return -1;
    return (int)(at + length);
}

static int upgrade_take(struct client *client, const char *bytes, size_t have)
{
    const char *end = memmem(bytes, have, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    if (have < 12 || memcmp(bytes + 9, "101", 3) != 0) {
        char why[40];
        snprintf(why, sizeof(why), "answered %.3s", have >= 12 ? bytes + 9 : "?");
        client_end(client, why);
        return -1;
    }
    client->state = OPENING;
    return (int)(end + 4 - bytes);
}

static void client_take(struct client *client, const char *bytes, size_t have)
{
    size_t at = 0;
    while (at < have) {
        int used = client->state == UPGRADING ? upgrade_take(client, bytes + at, have - at) : frame_take(client, bytes + at, have - at);
        if (used < 0)
            return;
        if (used == 0)
            break;
        at += (size_t)used;
    }
    free(client->rest);
    client->have = (uint32_t)(have - at);
    client->rest = client->have > 0 ? memcpy(malloc(client->have), bytes + at, client->have) : NULL;
}

static void client_upgrade(struct client *client)
{
    char request[300];
    int length = snprintf(request, sizeof(request),
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ntohs(to.sin_port));
    client->state = UPGRADING;
    client_write(client, request, (size_t)length);
}

static void client_connected(struct client *client)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        client_end(client, strerror(error));
        return;
    }
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (uint32_t)index_of(client)};
    epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &wanted);
    if (context == NULL) {
        client_upgrade(client);
        return;
    }
    client->tls = SSL_new(context);
    SSL_set_fd(client->tls, client->fd);
    SSL_set_connect_state(client->tls);
    client->state = GREETING;
}

static bool client_greet(struct client *client)
{
    int done = SSL_do_handshake(client->tls);
    if (done == 1) {
        client_upgrade(client);
        return client->state == UPGRADING;
    }
    int error = SSL_get_error(client->tls, done);
    ERR_clear_error();
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        client_end(client, "TLS");
    return false;
}

static void client_ready(struct client *client)
{
    static char bytes[BYTES * 5];
    if (client->state == CONNECTING)
        client_connected(client);
    if (client->state == GREETING && !client_greet(client))
        return;
    while (client->state == UPGRADING || client->state == OPENING || client->state == OPEN) {
        if (client->have > 0)
            memcpy(bytes, client->rest, client->have);
        int got = client_read(client, bytes + client->have, BYTES);
        if (got == 0)
            return;
        if (got < 0) {
            client_end(client, "ended");
            return;
        }
        bool all = got < BYTES && client->tls == NULL; /* else it is asked again for nothing */
        client_take(client, bytes, client->have + (size_t)got);
        if (all)
            return;
    }
}

/* --- many ----------------------------------------------------------------------------------------------------------- */

static void client_start(void)
{
    if (begun == count)
        return;
    static const int on = 1;
    struct client *client = &clients[begun++];
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* A port is found at connect: those of an earlier crowd, in TIME_WAIT to another server, are free for this one. */
    if (client->fd < 0 || setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) != 0 ||
        bind(client->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
        refuse("socket");
    client->state = CONNECTING;
    if (connect(client->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        client_end(client, strerror(errno));
        return;
    }
    struct epoll_event wanted = {.events = EPOLLOUT, .data.u32 = (uint32_t)index_of(client)};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &wanted) != 0)
        refuse("epoll_ctl");
}

static void tokens_read(const char *path)
{
    static char line[TOKEN_MOST];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        refuse(path);
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        tokens = realloc(tokens, (size_t)(token_count + 1) * sizeof(*tokens));
        tokens[token_count++] = strdup(line);
    }
    fclose(file);
    if (token_count == 0)
        refuse(path);
}

static void open_all(char **argv)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    from = (struct sockaddr_in){.sin_family = AF_INET};
    to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    if (inet_pton(AF_INET, argv[1], &from.sin_addr) != 1)
        refuse(argv[1]);
    if (strcmp(argv[3], "tls") == 0) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    }
    count = atoi(argv[4]);
    at_once = atoi(argv[5]);
    tokens_read(argv[6]);
    clients = calloc((size_t)count, sizeof(*clients));
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = STANDARD_INPUT};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &wanted) != 0)
        refuse("standard input must be a pipe");
    for (int i = 0; i < at_once; i++)
        client_start();
}

int main(int argc, char **argv)
{
    if (argc != 7)
        refuse("ADDRESS PORT plain|tls COUNT AT_ONCE TOKENS");
    open_all(argv);
    struct epoll_event events[EVENTS];
    while (ended < count) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.u32 == STANDARD_INPUT)
                return 0;
            if (clients[events[i].data.u32].fd >= 0)
                client_ready(&clients[events[i].data.u32]);
            if (i % 8 == 7)
                sched_yield(); /* clients are other machines' work: whoever wakes up here need not wait for the kernel's tick */
        }
        fflush(stdout);
    }
    return 0;
}
