/* The kernel says who sent a datagram (SCM_CREDENTIALS); what does not come from the pid of an instance is
 * dropped. */
#include "notify.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "instance.h"
#include "reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 1024, MESSAGES_PER_TURN = 64 };

typedef struct {
    bool ready, alive, stopping;
    uint64_t schema;
    text_t status, reloaded;
} notice_t;

static void notice_read(text_t message, notice_t *notice)
{
    text_t line;
    *notice = (notice_t){.ready = false};
    while (text_split(&message, '\n', &line)) {
        if (text_equal(line, TEXT("READY=1")))
            notice->ready = true;
        else if (text_equal(line, TEXT("WATCHDOG=1")))
            notice->alive = true;
        else if (text_equal(line, TEXT("STOPPING=1")))
            notice->stopping = true;
        else if (text_starts_with(line, TEXT("STATUS=")))
            notice->status = (text_t){.data = line.data + 7, .length = line.length - 7};
        else if (text_starts_with(line, TEXT("X_RELOADED=")))
            notice->reloaded = (text_t){.data = line.data + 11, .length = line.length - 11};
        else if (text_starts_with(line, TEXT("X_SCHEMA="))) {
            char hex[20];
            snprintf(hex, sizeof(hex), "%.*s", (int)(line.length - 9), line.data + 9);
            notice->schema = strtoull(hex, NULL, 16);
        }
    }
}

/* Who says what it waits for is alive: its time to start begins anew. (How long it waits, it decides itself.)
 */
static void status_apply(instance_t *instance, text_t status)
{
    char before[sizeof(instance->status)];
    memcpy(before, instance->status, sizeof(before));
    snprintf(instance->status, sizeof(instance->status), "%.*s", TEXT_ARG(status));
    if (strcmp(before, instance->status) != 0)
        instance->told = false;
    if (instance_state(instance) == INSTANCE_STARTING && instance->killed == NULL)
        instance_set_deadline(instance);
}

static void notice_apply(instance_t *instance, const notice_t *notice)
{
    if (notice->status.data != NULL && text_is_utf8(notice->status))
        status_apply(instance, notice->status);
    if (notice->ready && instance_state(instance) == INSTANCE_STARTING) {
        atomic_store(
            &instance->row->schema, notice->schema); /* before the state: who sees READY sees it too */
        if (instance->successor) { /* roll.c says when it may serve */
            instance->reported = true;
            instance->deadline = 0;
        } else {
            instance_event(instance, EVENT_READY);
        }
    }
    if (notice->alive) {
        instance->alive = clock_monotonic();
        if (instance_state(instance) == INSTANCE_READY && instance->killed == NULL)
            instance_set_deadline(instance);
    }
    if (notice->reloaded.data != NULL && text_is_utf8(notice->reloaded))
        reload_answered(instance, notice->reloaded);
    if (notice->stopping)
        instance_event(instance, EVENT_LEAVE);
}

static instance_t *instance_of(supervisor_t *supervisor, pid_t pid)
{
    EACH_INSTANCE (supervisor, instance)
        if (instance->pid == pid && pid != 0)
            return instance;
    return NULL;
}

/* false: nothing more is there. */
static bool notice_receive(supervisor_t *supervisor, int fd)
{
    char bytes[MESSAGE_SIZE];
    union {
        char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 8)];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof(control.room)};
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return errno == EINTR;
    instance_t *instance = NULL;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head != NULL; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET)
            continue;
        if (head->cmsg_type == SCM_CREDENTIALS) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(head), sizeof(who));
            instance = instance_of(supervisor, who.pid);
        } else if (head->cmsg_type == SCM_RIGHTS) {
            /* Nobody is asked for descriptors: what is sent is closed. */
            for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= head->cmsg_len; at += sizeof(int)) {
                int sent;
                memcpy(&sent, CMSG_DATA(head) + at, sizeof(sent));
                close(sent);
            }
        }
    }
    if (instance == NULL || message.msg_flags & MSG_TRUNC) {
        log_event(LOG_WARNING, "notice_dropped",
            LOG_S("reason", instance == NULL ? "not from a child" : "too long"));
        return true;
    }
    notice_t notice;
    notice_read((text_t){.data = bytes, .length = (size_t)length}, &notice);
    notice_apply(instance, &notice);
    return true;
}

static int notify_fd = -1;

void notify_drain(supervisor_t *supervisor)
{
    for (int i = 0; i < MESSAGES_PER_TURN && notice_receive(supervisor, notify_fd); i++)
        continue;
}

static void notify_arrived(void *argument, int events)
{
    (void)events;
    notify_drain(argument);
}

int notify_open(supervisor_t *supervisor, char *error, size_t error_size)
{
    const paths_t *paths = &supervisor->paths;
    const int on = 1;
    struct sockaddr_un address = paths_socket(paths->ipc_fd, "notify");
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlinkat(paths->ipc_fd, "notify", 0);
    if (notify_fd < 0 || setsockopt(notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
        bind(notify_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        (paths->switch_user &&
            fchownat(paths->ipc_fd, "notify", paths->uid, paths->gid, AT_SYMLINK_NOFOLLOW) != 0)) {
        snprintf(error, error_size, "cannot make the socket %s/notify: %s", paths->ipc, strerror(errno));
        return -1;
    }
    supervisor->loop->watch(supervisor->loop, notify_fd, LOOP_READ, notify_arrived, supervisor);
    return 0;
}

void notify_parent(const char *message)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || path[0] == '\0' || strlen(path) >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&address, length) < 0)
        log_event(LOG_WARNING, "notify_failed", LOG_S("reason", strerror(errno)),
            LOG_S("next", "NOTIFY_SOCKET of our own environment does not listen"));
    close(fd);
}
