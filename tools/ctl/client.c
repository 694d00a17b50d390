#include "client.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/memory.h"
#include "../supervisor/home.h"
#include "../supervisor/paths.h"
#include "../supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MOST = 4 << 20, CHUNK = 16384 };

/* var/run; -1: there is none. */
static int run_directory(void)
{
    char var[PATH_MAX], run[PATH_MAX];
    home_var(var);
    return paths_join(run, sizeof(run), var, "run") ? open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

bool client_connect(client_t *client)
{
    *client = (client_t){.fd = -1, .received_fd = -1};
    int directory = run_directory();
    if (directory < 0)
        return false;
    struct sockaddr_un address = paths_socket(directory, "control.sock");
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected =
        client->fd >= 0 && connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    close(directory);
    if (!connected)
        client_close(client);
    return connected;
}

void client_close(client_t *client)
{
    if (client->fd >= 0)
        close(client->fd);
    if (client->received_fd >= 0)
        close(client->received_fd);
    client->fd = client->received_fd = -1;
    free(client->rest);
    client->rest = NULL;
    client->length = 0;
}

static bool send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* More bytes of the answer, and the descriptor that may come with them; 0 at the end, -1 when it did not come
 * in time. */
static ssize_t receive(client_t *client, int64_t until)
{
    struct pollfd ready = {.fd = client->fd, .events = POLLIN};
    int64_t left = (until - clock_monotonic()) / CLOCK_MILLISECOND;
    if (poll(&ready, 1, left > 0 ? (int)left : 0) <= 0)
        return -1;
    client->rest = memory_resize(client->rest, client->length + CHUNK);
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = client->rest + client->length, .iov_len = CHUNK};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof(control.room)};
    ssize_t length = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC);
    if (length <= 0)
        return 0;
    client->length += (size_t)length;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        memcpy(&client->received_fd, CMSG_DATA(head), sizeof(int));
    return length;
}

json_t *client_ask(client_t *client, json_t *take_request, int milliseconds)
{
    int64_t until = clock_monotonic() + milliseconds * CLOCK_MILLISECOND;
    char *text = json_dumps(take_request, JSON_COMPACT);
    json_decref(take_request);
    bool sent = text != NULL && send_all(client->fd, text, strlen(text)) && send_all(client->fd, "\n", 1);
    free(text);
    if (!sent)
        return NULL;
    for (;;) {
        char *end = client->length > 0 ? memchr(client->rest, '\n', client->length) : NULL;
        if (end != NULL) {
            size_t length = (size_t)(end - client->rest);
            json_t *answer = json_loadb(client->rest, length, 0, NULL);
            memmove(client->rest, end + 1, client->length - length - 1);
            client->length -= length + 1;
            return answer;
        }
        if (client->length > ANSWER_MOST || receive(client, until) <= 0)
            return NULL;
    }
}

bool client_wait_end(client_t *client, int milliseconds)
{
    int64_t until = clock_monotonic() + milliseconds * CLOCK_MILLISECOND;
    for (;;) {
        ssize_t length = receive(client, until);
        if (length <= 0)
            return length == 0;
        client->length = 0;
    }
}

/* What the supervisor writes down for its successor; NULL: nothing. */
static json_t *state_read(void)
{
    int directory = run_directory(),
        fd = directory < 0 ? -1 : openat(directory, "state", O_RDONLY | O_CLOEXEC);
    json_t *state = fd < 0 ? NULL : json_loadfd(fd, 0, NULL);
    if (fd >= 0)
        close(fd);
    if (directory >= 0)
        close(directory);
    return state;
}

int client_segment(void)
{
    json_t *state = state_read(), *entry;
    int fd = -1;
    size_t index;
    json_array_foreach (json_object_get(state, "instances"), index, entry) {
        char path[64];
        json_int_t pid = json_integer_value(json_object_get(entry, "pid"));
        snprintf(path, sizeof(path), "/proc/%lld/fd/%d", (long long)pid, CHILD_SEGMENT_FD);
        if (fd < 0 && pid > 0)
            fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    json_decref(state);
    return fd;
}

bool client_orphans(void)
{
    json_t *state = state_read(), *entry;
    bool found = false;
    size_t index;
    json_array_foreach (json_object_get(state, "instances"), index, entry) {
        json_int_t pid = json_integer_value(json_object_get(entry, "pid"));
        found = found || (pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM));
    }
    json_decref(state);
    return found;
}
