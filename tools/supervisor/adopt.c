#include "adopt.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/memory.h"
#include "instance.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* One line of the state file whose process may still run. */
typedef struct {
    char service[32];
    int number, slot;
    pid_t pid;
    int pidfd; /* -1: it is gone */
    uint64_t ticks;
    bool wanted, leaving, held;
    int64_t restarts, log_start;
} heir_t;

typedef struct {
    heir_t list[SEGMENT_INSTANCES];
    int count;
} heirs_t;

/* --- the state file ----------------------------------------------------------------------------------------------- */

void state_save(supervisor_t *supervisor)
{
    if (!supervisor->dirty)
        return;
    supervisor->dirty = false;
    json_t *list = json_array();
    EACH_INSTANCE (supervisor, instance)
        if (!instance->leaving || instance->pid != 0)
            json_array_append_new(
                list, json_pack("{s:s s:i s:i s:i s:I s:b s:b s:b s:I s:I}", "service",
                          services[instance->service].name, "instance", instance->number, "slot",
                          instance->slot, "pid", (int)instance->pid, "ticks",
                          (json_int_t)instance->start_ticks, "wanted", instance->wanted, "leaving",
                          instance->leaving || instance->stand_in || instance->successor, "held", instance->held, "restarts",
                          (json_int_t)instance->restarts, "log", (json_int_t)instance->log_start));
    json_t *state = json_pack("{s:i s:I s:o}", "supervisor", (int)getpid(), "uid", (json_int_t)supervisor->paths.uid, "instances", list);
    int fd = openat(
        supervisor->paths.run_fd, "state.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool saved = fd >= 0 && json_dumpfd(state, fd, JSON_COMPACT) == 0;
    if (fd >= 0)
        close(fd);
    if (!saved || renameat(supervisor->paths.run_fd, "state.new", supervisor->paths.run_fd, "state") != 0)
        log_event(LOG_ERROR, "state_not_saved", LOG_S("reason", strerror(errno)),
            LOG_S("next", "a later supervisor could not adopt what runs now; see whether the disk is full"));
    json_decref(state);
}

void state_remove(const supervisor_t *supervisor)
{
    unlinkat(supervisor->paths.run_fd, "state", 0);
}

static uid_t process_owner(pid_t pid)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    return stat(path, &status) == 0 ? status.st_uid : (uid_t)-1;
}

/* The process itself, held by a descriptor; -1: it is gone, or its pid is another's now. A process that is
 * not dumpable belongs to root in /proc. */
static int process_hold(uid_t user, pid_t pid, uint64_t ticks)
{
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return -1;
    uid_t owner = process_owner(pid);
    if (process_start_ticks(pid) == ticks && ticks != 0 && (owner == user || owner == 0))
        return pidfd;
    close(pidfd);
    return -1;
}

static void heirs_read(const supervisor_t *supervisor, heirs_t *heirs)
{
    int fd = openat(supervisor->paths.run_fd, "state", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    json_t *state = fd < 0 ? NULL : json_loadfd(fd, 0, NULL), *entry;
    if (fd >= 0)
        close(fd);
    size_t index;
    /* Who wrote it may have read another configuration: aipotenctl stop knows none when no supervisor runs. */
    const json_t *uid = json_object_get(state, "uid");
    uid_t user = uid != NULL ? (uid_t)json_integer_value(uid) : supervisor->paths.uid;
    heirs->count = 0;
    json_array_foreach (json_object_get(state, "instances"), index, entry) {
        if (heirs->count == SEGMENT_INSTANCES)
            break;
        heir_t *heir = &heirs->list[heirs->count];
        const char *service;
        int wanted, leaving, held;
        json_int_t ticks, restarts, log_start;
        *heir = (heir_t){.pidfd = -1};
        if (json_unpack(entry, "{s:s s:i s:i s:i s:I s:b s:b s:b s:I s:I}", "service", &service, "instance",
                &heir->number, "slot", &heir->slot, "pid", &heir->pid, "ticks", &ticks, "wanted", &wanted,
                "leaving", &leaving, "held", &held, "restarts", &restarts, "log", &log_start) != 0)
            continue;
        snprintf(heir->service, sizeof(heir->service), "%s", service);
        heir->ticks = (uint64_t)ticks;
        heir->wanted = wanted && !leaving;
        heir->leaving = leaving;
        heir->held = held;
        heir->restarts = restarts;
        heir->log_start = log_start;
        if (heir->pid > 0)
            heir->pidfd = process_hold(user, heir->pid, heir->ticks);
        heirs->count++;
    }
    json_decref(state);
}

/* --- taking over -------------------------------------------------------------------------------------------------- */

/* In a process that became the children's user: it may look into them where we, root without CAP_SYS_PTRACE,
 * may not. */
static _Noreturn void helper_run(const supervisor_t *supervisor, const heir_t *heir, int number, int socket)
{
    const paths_t *paths = &supervisor->paths;
    int fd = -1;
    if (setgroups(0, NULL) == 0 && setresgid(paths->gid, paths->gid, paths->gid) == 0 &&
        setresuid(paths->uid, paths->uid, paths->uid) == 0)
        fd = pidfd_getfd(heir->pidfd, number, 0);
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.room = {0}};
    struct iovec part = {.iov_base = "", .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof(control.room)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(int));
    _exit(fd >= 0 && sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : 1);
}

static int helper_take(const supervisor_t *supervisor, const heir_t *heir, int number)
{
    int pair[2], fd = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    pid_t helper = fork();
    if (helper == 0)
        helper_run(supervisor, heir, number, pair[1]);
    close(pair[1]);
    char byte;
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof(control.room)};
    if (helper > 0 && recvmsg(pair[0], &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message) != NULL)
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    close(pair[0]);
    if (helper > 0)
        waitpid(helper, NULL, 0);
    errno = EPERM;
    return fd;
}

static int descriptor_take(const supervisor_t *supervisor, const heir_t *heir, int number)
{
    int fd = pidfd_getfd(heir->pidfd, number, 0);
    if (fd < 0 && errno == EPERM && supervisor->paths.switch_user)
        fd = helper_take(supervisor, heir, number);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static bool segment_take(supervisor_t *supervisor, const heirs_t *heirs, char *error, size_t error_size)
{
    if (supervisor->segment_fd >= 0) { /* from the one that became us (handover.h) */
        supervisor->segment = segment_attach(supervisor->segment_fd, error, error_size);
        if (supervisor->segment != NULL)
            supervisor->cache = cache_open(supervisor->segment, NULL);
        return supervisor->segment != NULL;
    }
    snprintf(error, error_size, "no process gave it");
    for (int i = 0; i < heirs->count && supervisor->segment == NULL; i++) {
        int fd =
            heirs->list[i].pidfd < 0 ? -1 : descriptor_take(supervisor, &heirs->list[i], CHILD_SEGMENT_FD);
        if (fd < 0)
            continue;
        supervisor->segment = segment_attach(fd, error, error_size);
        if (supervisor->segment == NULL) {
            close(fd);
            continue;
        }
        supervisor->segment_fd = fd;
        supervisor->cache = cache_open(supervisor->segment, NULL);
    }
    return supervisor->segment != NULL;
}

static int listener_take(const supervisor_t *supervisor, const heir_t *heir, int number)
{
    int fd = descriptor_take(supervisor, heir, number), listening = 0;
    socklen_t size = sizeof(listening);
    if (fd < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening)
        return fd;
    close(fd);
    return -1;
}

/* A frontend that drains has closed its copy; any other gives it. False: one lives, none gave them. */
static bool listeners_take(supervisor_t *supervisor, const heirs_t *heirs)
{
    const config_t *config = &supervisor->config;
    bool one_lives = false;
    for (int i = 0; i < heirs->count; i++) {
        const heir_t *heir = &heirs->list[i];
        int service = service_find(heir->service);
        if (heir->pidfd < 0 || service < 0 || !services[service].listens)
            continue;
        one_lives = true;
        if (config->listen.https_port != 0 && supervisor->https_fd < 0)
            supervisor->https_fd = listener_take(supervisor, heir, CHILD_HTTPS_FD);
        if (config->listen.http_port != 0 && supervisor->http_fd < 0)
            supervisor->http_fd = listener_take(supervisor, heir, CHILD_HTTP_FD);
    }
    return !one_lives || ((config->listen.https_port == 0 || supervisor->https_fd >= 0) &&
                             (config->listen.http_port == 0 || supervisor->http_fd >= 0));
}

/* Sockets of other addresses than the configuration has now: they go on, for connections in progress would be
 * lost. */
static void listeners_compare(int fd, int64_t port, const char *setting)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size = sizeof(address);
    if (fd < 0 || getsockname(fd, &address.any, &size) != 0)
        return;
    int64_t bound = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
    if (bound != port)
        log_event(LOG_WARNING, "listen_kept", LOG_S("setting", setting), LOG_I("listening", bound),
            LOG_I("configured", port), LOG_S("next", "aipotenctl stop, then aipotenctl start"));
}

static bool row_fits(supervisor_t *supervisor, const heir_t *heir)
{
    int service = service_find(heir->service);
    if (service < 0 || heir->slot < 0 || heir->slot >= SEGMENT_INSTANCES)
        return false;
    const segment_instance_t *row = segment_instance(supervisor->segment, heir->slot);
    return atomic_load(&row->used) && row->service == service && row->number == heir->number;
}

/* It died while nobody looked. */
static void lost_tell(instance_t *instance, const heir_t *heir)
{
    death_t *death = &instance->last_death;
    *death =
        (death_t){.time = clock_now(), .number = heir->number, .pid = heir->pid, .cause = "no supervisor"};
    snprintf(death->service, sizeof(death->service), "%s", heir->service);
    history_add(death);
    cache_instance_died(instance->supervisor->cache, instance->slot);
    atomic_store(&instance->row->pid, 0);
    atomic_store(&instance->row->database_connections, 0);
    atomic_store(&instance->row->state, INSTANCE_DOWN);
}

static void heir_adopt(supervisor_t *supervisor, heir_t *heir)
{
    instance_t *instance = &supervisor->instances[heir->slot];
    segment_instance_t *row = segment_instance(supervisor->segment, heir->slot);
    int64_t now = clock_monotonic();
    *instance = (instance_t){.supervisor = supervisor,
        .row = row,
        .slot = heir->slot,
        .service = service_find(heir->service),
        .number = heir->number,
        .wanted = heir->wanted,
        .leaving = heir->leaving,
        .held = heir->held,
        .restarts = heir->restarts,
        .log_start = heir->log_start,
        .pid = heir->pid,
        .pidfd = heir->pidfd,
        .start_ticks = heir->ticks,
        .adopted = true,
        .alive = now,
        .launched = now - (clock_now() - atomic_load(&row->started))};
    enum instance_state state = instance_state(instance);
    if (heir->pidfd < 0) {
        instance->pid = 0;
        instance->adopted = false;
        if (heir->pid != 0)
            lost_tell(instance, heir);
        else
            atomic_store(
                &row->state, INSTANCE_DOWN); /* back-off and failures begin anew with a new supervisor */
        return;
    }
    instance->ready = state == INSTANCE_STARTING ? 0 : instance->launched;
    instance_watch(instance);
    instance_set_deadline(instance);
    if (!heir->wanted && (state == INSTANCE_STARTING || state == INSTANCE_READY))
        instance_event(instance, EVENT_STOP);
    log_event(LOG_INFO, "adopted", LOG_S("instance", instance_name(instance)), LOG_I("pid", heir->pid));
}

/* Rows of processes that the state file does not know: started in the turn in which the supervisor died. */
static void rows_sweep(supervisor_t *supervisor)
{
    struct stat own, theirs;
    fstat(supervisor->segment_fd, &own);
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        segment_instance_t *row = segment_instance(supervisor->segment, slot);
        pid_t pid = atomic_load(&row->pid);
        const instance_t *instance = &supervisor->instances[slot];
        if (!atomic_load(&row->used) || (instance->row != NULL && instance->pid == pid && pid != 0))
            continue;
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, CHILD_SEGMENT_FD);
        int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
        if (pidfd >= 0 && stat(path, &theirs) == 0 && theirs.st_ino == own.st_ino &&
            theirs.st_dev == own.st_dev) {
            log_event(LOG_WARNING, "stray_killed", LOG_I("pid", pid), LOG_S("next", "it is started again"));
            pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        }
        if (pidfd >= 0)
            close(pidfd);
        cache_instance_died(supervisor->cache, slot);
        atomic_store(&row->pid, 0);
        atomic_store(&row->database_connections, 0);
        atomic_store(&row->state, INSTANCE_DOWN);
        if (instance->row == NULL)
            atomic_store(&row->used, 0);
    }
    segment_touch(supervisor->segment);
}

/* --- when it cannot be -------------------------------------------------------------------------------------------- */

static bool heir_is(const heir_t *heir, bool listens)
{
    int service = service_find(heir->service);
    return heir->pidfd >= 0 && (service >= 0 && services[service].listens) == listens;
}

/* Waits until all of them are gone or it is `until`. */
static void heirs_wait(heirs_t *heirs, bool listens, int64_t until)
{
    for (int i = 0; i < heirs->count; i++) {
        heir_t *heir = &heirs->list[i];
        struct pollfd ended = {.fd = heir->pidfd, .events = POLLIN};
        int64_t left = (until - clock_monotonic()) / CLOCK_MILLISECOND;
        if (heir_is(heir, listens) && poll(&ended, 1, left > 0 ? (int)left : 0) == 1) {
            close(heir->pidfd);
            heir->pidfd = -1;
        }
    }
}

static void heirs_signal(const heirs_t *heirs, bool listens, int number)
{
    for (int i = 0; i < heirs->count; i++)
        if (heir_is(&heirs->list[i], listens))
            pidfd_send_signal(heirs->list[i].pidfd, number, NULL, 0);
}

/* Frontends first, so that what they have under way is still answered. */
static void heirs_end(const supervisor_t *supervisor, heirs_t *heirs)
{
    for (int listens = 1; listens >= 0; listens--) {
        heirs_signal(heirs, listens, SIGTERM);
        heirs_wait(heirs, listens,
            clock_monotonic() + supervisor->config.supervisor.stop_timeout * CLOCK_MILLISECOND);
        heirs_signal(heirs, listens, SIGKILL);
        heirs_wait(heirs, listens, clock_monotonic() + 5 * CLOCK_SECOND);
    }
}

/* Gives back what was taken. */
static void forget(supervisor_t *supervisor)
{
    int *const fds[] = {&supervisor->segment_fd, &supervisor->https_fd, &supervisor->http_fd};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
    supervisor->segment = NULL; /* stays mapped: this happens once in a process's life */
}

static int heirs_alive(const heirs_t *heirs)
{
    int alive = 0;
    for (int i = 0; i < heirs->count; i++)
        alive += heirs->list[i].pidfd >= 0;
    return alive;
}

int adopt_end(supervisor_t *supervisor)
{
    heirs_t heirs;
    heirs_read(supervisor, &heirs);
    int alive = heirs_alive(&heirs);
    heirs_end(supervisor, &heirs);
    return alive;
}

bool adopt(supervisor_t *supervisor)
{
    heirs_t heirs;
    char error[256];
    heirs_read(supervisor, &heirs);
    int alive = heirs_alive(&heirs);
    if (alive == 0)
        return false;
    bool fits = segment_take(supervisor, &heirs, error, sizeof(error));
    if (fits && !listeners_take(supervisor, &heirs)) {
        snprintf(error, sizeof(error), "the listening sockets cannot be taken over: %s", strerror(errno));
        fits = false;
    }
    for (int i = 0; fits && i < heirs.count; i++)
        if (heirs.list[i].pidfd >= 0 && !row_fits(supervisor, &heirs.list[i])) {
            snprintf(error, sizeof(error), "its table of services is another one");
            fits = false;
        }
    if (!fits) {
        log_event(LOG_WARNING, "not_adopted", LOG_S("reason", error), LOG_I("processes", alive),
            LOG_S("next", "they are stopped, and all starts anew"));
        heirs_end(supervisor, &heirs);
        forget(supervisor);
        return false;
    }
    listeners_compare(supervisor->https_fd, supervisor->config.listen.https_port, "listen.https_port");
    listeners_compare(supervisor->http_fd, supervisor->config.listen.http_port, "listen.http_port");
    for (int i = 0; i < heirs.count; i++)
        if (row_fits(supervisor, &heirs.list[i]))
            heir_adopt(supervisor, &heirs.list[i]);
    rows_sweep(supervisor);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue; /* children of the one that became us that died in between: told as lost above */
    return true;
}
