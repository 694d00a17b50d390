/* Bounds: CLIENTS_MOST clients (one more is closed at once), REQUEST_MOST bytes a request, IDLE_SECONDS for a
 * request to come or an answer to be taken. */
#include "control.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/memory.h"
#include "requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLIENTS_MOST = 32, REQUEST_MOST = 64 << 10, IDLE_SECONDS = 10 };

typedef struct {
    supervisor_t *supervisor;
    int fd; /* -1: free */
    loop_watch_t *watch;
    buffer_t in, out;
    int send_fd; /* goes with the first byte of out; -1: none */
    int64_t deadline;
    wait_t wait;
} client_t;

static client_t clients[CLIENTS_MOST];
static int control_fd = -1;

static void client_close(client_t *client)
{
    client->supervisor->loop->unwatch(&client->watch);
    close(client->fd);
    client->fd = -1;
    if (client->send_fd >= 0)
        close(client->send_fd);
    client->send_fd = -1;
    buffer_free(&client->in);
    buffer_free(&client->out);
}

static ssize_t client_send(client_t *client)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.room = {0}};
    struct iovec part = {.iov_base = client->out.data, .iov_len = client->out.length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (client->send_fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &client->send_fd, sizeof(int));
    }
    return sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* False: the client is gone. */
static bool client_flush(client_t *client)
{
    while (client->out.length > 0) {
        ssize_t sent = client_send(client);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN) {
            client_close(client);
            return false;
        }
        if (sent < 0)
            break;
        if (client->send_fd >= 0)
            close(client->send_fd);
        client->send_fd = -1;
        buffer_consume(&client->out, (size_t)sent);
    }
    client->supervisor->loop->watch_change(
        client->watch, LOOP_READ | (client->out.length > 0 ? LOOP_WRITE : 0));
    return true;
}

static void client_answer(client_t *client, json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    buffer_add_string(&client->out, text != NULL ? text : "{\"ok\":false,\"error\":\"no answer\"}");
    buffer_add_char(&client->out, '\n');
    free(text);
    client->wait.what = WAIT_NOTHING;
    client->deadline = clock_monotonic() + IDLE_SECONDS * CLOCK_SECOND;
    client_flush(client);
}

static void client_request(client_t *client, text_t line)
{
    json_error_t problem;
    json_t *request = json_loadb(line.data, line.length, JSON_REJECT_DUPLICATES, &problem);
    json_t *answer = json_is_object(request)
                         ? request_run(client->supervisor, request, &client->wait, &client->send_fd)
                         : request_refuse("the request is no JSON object: %s", problem.text);
    json_decref(request);
    if (answer != NULL)
        client_answer(client, answer);
}

/* A request at a time: what comes while one waits stays in the buffer. */
static void client_requests(client_t *client)
{
    while (client->fd >= 0 && client->wait.what == WAIT_NOTHING && client->out.length == 0) {
        const char *end = client->in.length > 0 ? memchr(client->in.data, '\n', client->in.length) : NULL;
        if (end == NULL)
            return;
        size_t length = (size_t)(end - client->in.data);
        char *line = memory_allocate(length + 1);
        memcpy(line, client->in.data, length);
        buffer_consume(&client->in, length + 1);
        client_request(client, (text_t){.data = line, .length = length});
        free(line);
    }
}

static void client_ready(void *argument, int events)
{
    client_t *client = argument;
    char bytes[4096];
    if (events & LOOP_WRITE && !client_flush(client))
        return;
    if (!(events & LOOP_READ))
        return;
    ssize_t length = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0 || client->in.length + (size_t)length > REQUEST_MOST) {
        client_close(client);
        return;
    }
    buffer_add(&client->in, bytes, (size_t)length);
    client_requests(client);
}

static bool peer_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void control_accept(void *argument, int events)
{
    supervisor_t *supervisor = argument;
    (void)events;
    int fd = accept4(control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    client_t *client = NULL;
    for (int i = 0; i < CLIENTS_MOST && client == NULL; i++)
        client = clients[i].fd < 0 ? &clients[i] : NULL;
    if (client == NULL || !peer_allowed(fd)) {
        log_event(LOG_WARNING, "control_refused",
            LOG_S("reason", client == NULL ? "too many clients" : "another user"));
        close(fd);
        return;
    }
    *client = (client_t){.supervisor = supervisor,
        .fd = fd,
        .send_fd = -1,
        .deadline = clock_monotonic() + IDLE_SECONDS * CLOCK_SECOND};
    client->watch = supervisor->loop->watch(supervisor->loop, fd, LOOP_READ, client_ready, client);
}

void control_step(supervisor_t *supervisor)
{
    int64_t now = clock_monotonic();
    for (int i = 0; i < CLIENTS_MOST; i++) {
        client_t *client = &clients[i];
        if (client->fd < 0)
            continue;
        json_t *answer =
            client->wait.what != WAIT_NOTHING ? request_wait_over(supervisor, &client->wait) : NULL;
        if (answer != NULL)
            client_answer(client, answer);
        else if (client->wait.what == WAIT_NOTHING && now >= client->deadline && !supervisor->stopping)
            client_close(client);
        if (client->fd >= 0)
            client_requests(client);
    }
}

int64_t control_deadline(void)
{
    int64_t first = 0;
    for (int i = 0; i < CLIENTS_MOST; i++) {
        const client_t *client = &clients[i];
        int64_t deadline = client->wait.what != WAIT_NOTHING ? client->wait.deadline : client->deadline;
        if (client->fd >= 0 && (first == 0 || deadline < first))
            first = deadline;
    }
    return first;
}

int control_open(supervisor_t *supervisor, char *error, size_t error_size)
{
    struct sockaddr_un address = paths_socket(supervisor->paths.run_fd, "control.sock");
    for (int i = 0; i < CLIENTS_MOST; i++)
        clients[i].fd = -1;
    unlinkat(supervisor->paths.run_fd, "control.sock", 0); /* of a supervisor that died; we hold the lock */
    control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177);
    bool bound = control_fd >= 0 &&
                 bind(control_fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                 listen(control_fd, CLIENTS_MOST) == 0;
    int reason = errno;
    umask(mask);
    if (!bound) {
        snprintf(error, error_size, "cannot make the socket %s/control.sock: %s", supervisor->paths.run,
            strerror(reason));
        return -1;
    }
    supervisor->loop->watch(supervisor->loop, control_fd, LOOP_READ, control_accept, supervisor);
    return 0;
}
