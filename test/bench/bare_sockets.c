/* bare_sockets: the limit of what is said to many sockets: a server of Socket.IO that does nothing but write.
 *
 *     bench-bare-sockets PORT SELF PROCESSES
 *
 * Number SELF, from 0 on, of so many processes that share 127.0.0.1:PORT. Says "listening", and accepts whoever comes, by WebSocket alone
 * and without TLS; asks for no token, and never pings. A line of standard input is an order, a Socket.IO packet behind a tab, and comes
 * when the one before it was carried out:
 *
 *     all   PACKET          one frame, made once, to each socket; the packet has at least 126 bytes here and below
 *     each  BEFORE{}AFTER   to each socket a frame of its own, with a number in it that no other socket of the processes gets
 *
 * Each frame is one write(2), one socket after the other; there is no queue, and nobody pauses. Ends when standard input does, and with 1
 * when something cannot be written at once and whole. What always holds: between two writes nothing is done but to put in the number, so
 * that what a frontend costs beyond this is its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKETS_MAX = 1 << 17, BACKLOG = 1024, EVENTS = 256, READ = 8192, SHORT = 126, HEAD = 4, NUMBER = 16 };

enum state { NONE, UPGRADING, OPENING /* Engine.IO is open, Socket.IO not yet */, OPEN };

static uint8_t states[SOCKETS_MAX]; /* by descriptor */
static int last, self, processes, poller;

static _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "bare_sockets: %s: %s\n", what, errno != 0 ? strerror(errno) : "wrong");
    exit(1);
}

/* --- writing -------------------------------------------------------------------------------------------------------- */

static void write_whole(int fd, const char *bytes, size_t length)
{
    errno = 0;
    if (write(fd, bytes, length) != (ssize_t)length)
        refuse("a write that is not whole");
}

/* The head of a text frame, unmasked, of at least SHORT bytes (RFC 6455, 5.2); the packet is behind it already. */
static size_t frame_close(char *frame, size_t length)
{
    frame[0] = (char)0x81;
    frame[1] = SHORT;
    frame[2] = (char)(length >> 8);
    frame[3] = (char)length;
    return HEAD + length;
}

static void write_all(const char *packet, size_t length)
{
    static char frame[HEAD + PIPE_BUF];
    memcpy(frame + HEAD, packet, length);
    size_t whole = frame_close(frame, length);
    for (int fd = 0; fd <= last; fd++)
        if (states[fd] == OPEN)
            write_whole(fd, frame, whole);
}

static void write_each(const char *packet, size_t length)
{
    static char frame[HEAD + PIPE_BUF + NUMBER];
    const char *place = memmem(packet, length, "{}", 2);
    if (place == NULL)
        refuse("each: no {}");
    size_t before = (size_t)(place - packet), after = length - before - 2;
    memcpy(frame + HEAD, packet, before);
    for (int fd = 0, number = self; fd <= last; fd++) {
        if (states[fd] != OPEN)
            continue;
        size_t digits = (size_t)snprintf(frame + HEAD + before, NUMBER, "%d", number);
        memcpy(frame + HEAD + before + digits, place + 2, after);
        write_whole(fd, frame, frame_close(frame, before + digits + after));
        number += processes;
    }
}

static void obey(void)
{
    char order[PIPE_BUF];
    ssize_t length = read(STDIN_FILENO, order, sizeof(order)) - 1; /* whole: a pipe parts nothing that is no longer */
    if (length < 0)
        exit(0);
    if (length < SHORT + 7 || memchr(order, '\n', (size_t)length + 1) != order + length)
        refuse("not one order, or a short one");
    if (memcmp(order, "all\t", 4) == 0)
        write_all(order + 4, (size_t)length - 4);
    else if (memcmp(order, "each\t", 5) == 0)
        write_each(order + 5, (size_t)length - 5);
    else
        refuse("an order that is neither all nor each");
}

/* --- connections ---------------------------------------------------------------------------------------------------- */

/* Of less than SHORT bytes. */
static void packet_send(int fd, const char *packet)
{
    char frame[2 + SHORT];
    int length = snprintf(frame, sizeof(frame), "\x81%c%s", (int)strlen(packet), packet);
    write_whole(fd, frame, (size_t)length);
}

/* RFC 6455, 4.2.2: the key, and behind it what only those know who speak WebSocket. */
static void upgrade(int fd, char *request)
{
    static const char name[] = "\r\nsec-websocket-key: ", magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char *key = strcasestr(request, name), text[100], answer[300];
    unsigned char hash[SHA_DIGEST_LENGTH], accept[2 * SHA_DIGEST_LENGTH];
    if (key == NULL || strstr(request, "\r\n\r\n") == NULL)
        refuse("a request that is no upgrade, or in parts");
    key += strlen(name);
    int length = snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(key, "\r"), key, magic);
    if (length >= (int)sizeof(text))
        refuse("sec-websocket-key");
    SHA1((unsigned char *)text, (size_t)length, hash);
    EVP_EncodeBlock(accept, hash, sizeof(hash));
    length = snprintf(answer, sizeof(answer),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n\r\n",
        accept);
    write_whole(fd, answer, (size_t)length);
    packet_send(fd,
        "0{\"sid\":\"bare\",\"upgrades\":[],\"pingInterval\":86400000,\"pingTimeout\":86400000,\"maxPayload\":100000}");
}

/* CONNECT, the only packet that a client has to say, in a masked frame of one of the two shorter lengths. */
static void connect_take(int fd, const char *bytes, size_t length)
{
    size_t head = length > 1 && (bytes[1] & 127) == 126 ? 4 : 2;
    const char *mask = bytes + head, *packet = mask + 4;
    if (length < head + 6 || (uint8_t)bytes[0] != 0x81 || (packet[0] ^ mask[0]) != '4' || (packet[1] ^ mask[1]) != '0')
        refuse("a packet that is no CONNECT");
    packet_send(fd, "40{\"sid\":\"bare\"}");
}

/* What a client says here is small, and waited for before it says more: it comes in one piece. */
static void on_readable(int fd)
{
    static char bytes[READ];
    ssize_t got = read(fd, bytes, sizeof(bytes) - 1);
    if (got <= 0) {
        states[fd] = NONE;
        close(fd);
        return;
    }
    bytes[got] = '\0';
    if (states[fd] == UPGRADING)
        upgrade(fd, bytes);
    else if (states[fd] == OPENING)
        connect_take(fd, bytes, (size_t)got);
    else
        refuse("a client that says more than CONNECT");
    states[fd]++;
}

static void watch(int fd)
{
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted) != 0)
        refuse("epoll_ctl");
}

static void on_connection(int listener)
{
    static const int on = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 || fd >= SOCKETS_MAX)
        refuse("accept4");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    states[fd] = UPGRADING;
    last = fd > last ? fd : last;
    watch(fd);
}

/* The kernel spreads the clients among the processes. */
static int listener_open(const char *port)
{
    static const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0)
        refuse("listening");
    return fd;
}

static int open_all(char **argv)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    self = atoi(argv[2]);
    processes = atoi(argv[3]);
    int listener = listener_open(argv[1]);
    poller = epoll_create1(EPOLL_CLOEXEC);
    watch(listener);
    watch(STDIN_FILENO);
    puts("listening");
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    if (argc != 4)
        refuse("PORT SELF PROCESSES");
    int listener = open_all(argv);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                on_connection(listener);
            else if (events[i].data.fd == STDIN_FILENO)
                obey();
            else
                on_readable(events[i].data.fd);
        }
    }
}
