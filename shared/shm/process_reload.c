#include "process_reload.h"
#include "../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FDS_MOST = 2, MESSAGE_SIZE = 64 };

typedef struct {
    int64_t number;
    int fds[FDS_MOST]; /* configuration, secrets; -1: none */
    int count;
    uid_t sender;
} order_t;

static struct {
    process_t *process;
    process_reloaded_t on_reload;
    uid_t supervisor;
    int fd;
} reload = {.fd = -1};

void process_reload_name(const char *service, const segment_instance_t *instance, char *out, size_t out_size)
{
    snprintf(out, out_size, "%s.%d.%llu.reload", service, instance->number,
        (unsigned long long)atomic_load(&instance->generation));
}

/* Without it the process runs all the same: the operator is told that it does not answer. */
void process_reload_bind(process_t *process)
{
    static const int on = 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[96];
    const char *supervisor = getenv("AIPOTEN_SUPERVISOR_UID");
    reload.process = process;
    reload.supervisor = supervisor != NULL ? (uid_t)strtoul(supervisor, NULL, 10) : getuid();
    process_reload_name(process->service, process->self, name, sizeof(name));
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", process->run_directory, name);
    reload.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (length < (int)sizeof(address.sun_path) && reload.fd >= 0 &&
        setsockopt(reload.fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
        bind(reload.fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return;
    log_event(LOG_WARNING, "reload_unheard", LOG_S("reason", strerror(errno)),
        LOG_S("next", "aipotenctl restart instead of reload"));
    if (reload.fd >= 0)
        close(reload.fd);
    reload.fd = -1;
}

static void descriptors_take(const struct cmsghdr *head, order_t *order)
{
    for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= head->cmsg_len; at += sizeof(int)) {
        int fd;
        memcpy(&fd, CMSG_DATA(head) + at, sizeof(fd));
        if (order->count < FDS_MOST)
            order->fds[order->count++] = fd;
        else
            close(fd);
    }
}

static void order_close(order_t *order)
{
    for (int i = 0; i < order->count; i++)
        close(order->fds[i]);
}

/* False: nothing more is there. */
static bool order_receive(order_t *order)
{
    char bytes[MESSAGE_SIZE + 1];
    union {
        char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * FDS_MOST)];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = MESSAGE_SIZE};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof(control.room)};
    *order = (order_t){.fds = {-1, -1}, .sender = (uid_t)-1};
    ssize_t length = recvmsg(reload.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return false;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head != NULL; head = CMSG_NXTHDR(&message, head)) {
        struct ucred who;
        if (head->cmsg_level != SOL_SOCKET)
            continue;
        if (head->cmsg_type == SCM_RIGHTS)
            descriptors_take(head, order);
        else if (head->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&who, CMSG_DATA(head), sizeof(who));
            order->sender = who.uid;
        }
    }
    bytes[length] = '\0';
    order->number = strtoll(bytes, NULL, 10);
    return true;
}

static bool apply(const order_t *order, char *error, size_t error_size)
{
    config_t fresh;
    const char *reason = NULL;
    process_secrets_t *secrets = NULL;
    if (order->count == 0) {
        snprintf(error, error_size, "no configuration came");
        return false;
    }
    if (config_load_fd(order->fds[0], "configuration", &fresh, error, error_size) != 0)
        return false;
    if (order->count > 1 && (secrets = process_secrets_read(order->fds[1], &reason)) == NULL) {
        snprintf(error, error_size, "secrets: %s", reason);
        return false;
    }
    bool good = reload.on_reload == NULL || reload.on_reload(&fresh, secrets, error, error_size);
    process_secrets_free(&secrets);
    if (!good)
        return false;
    config_take_live(&reload.process->config, &fresh);
    log_set_level(reload.process->config.log.level);
    return true;
}

static void on_order(void *argument, int events)
{
    (void)argument;
    (void)events;
    char error[256] = "";
    order_t order;
    while (order_receive(&order)) {
        if (order.sender != reload.supervisor) {
            log_event(LOG_WARNING, "reload_refused", LOG_S("reason", "not from the supervisor"));
        } else {
            bool good = apply(&order, error, sizeof(error));
            log_event(good ? LOG_INFO : LOG_ERROR, good ? "reloaded" : "reload_refused", LOG_I("number", order.number),
                LOG_S("reason", error));
            process_notify_reloaded(order.number, good ? "" : error);
        }
        order_close(&order);
    }
}

void process_reload_watch(loop_t *loop, process_reloaded_t on_reload)
{
    reload.on_reload = on_reload;
    if (reload.fd < 0)
        return;
    loop->watch(loop, reload.fd, LOOP_READ, on_order, NULL);
    on_order(NULL, LOOP_READ); /* what came before */
}
