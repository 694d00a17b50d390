/* What always holds: the configuration in force for what starts is that of the last reload that was not refused; each process is
 * told until it has answered or the time is over, so a datagram that is lost, or came before its socket, does no harm. */
#include "reload.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/shm/process_reload.h"
#include "bundle.h"
#include "certificate.h"
#include "instance.h"
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AGAIN_MILLISECONDS = 100, ANSWER_SECONDS = 10 };

static struct {
    int64_t number;
    int64_t again, until; /* clock_monotonic(); 0: nobody is waited for */
    json_t *settings;     /* {"applied": [names], "at_restart": …, "at_start": …} */
    char refused[512];    /* by whom, and why */
    int socket;
} reload = {.socket = -1};

int64_t reload_number(void)
{
    return reload.number;
}

int64_t reload_deadline(void)
{
    return reload.again;
}

static bool must_answer(const instance_t *instance)
{
    enum instance_state state = instance_state(instance);
    return instance->pid != 0 && instance->reloaded < reload.number &&
           (state == INSTANCE_STARTING || state == INSTANCE_READY || instance->held);
}

static void note_difference(void *settings, const char *name, enum config_reach reach)
{
    static const char *const keys[] = {
        [CONFIG_LIVE] = "applied", [CONFIG_AT_RESTART] = "at_restart", [CONFIG_AT_START] = "at_start"};
    json_array_append_new(json_object_get(settings, keys[reach]), json_string(name));
}

/* Frontends get their secrets anew: the certificate and its key are among them. */
static void tell(supervisor_t *supervisor, const instance_t *instance)
{
    char name[96], text[32], error[256] = "";
    int fds[2] = {supervisor->config_fd, -1}, count = 1;
    if (services[instance->service].listens) {
        fds[1] = bundle_make(supervisor, &services[instance->service], error, sizeof(error));
        if (fds[1] < 0) {
            log_event(LOG_ERROR, "reload_failed", LOG_S("instance", instance_name(instance)), LOG_S("reason", error),
                LOG_S("next", "mend it, then aipotenctl reload"));
            return;
        }
        count = 2;
    }
    process_reload_name(services[instance->service].name, instance->row, name, sizeof(name));
    struct sockaddr_un address = paths_socket(supervisor->paths.ipc_fd, name);
    union {
        char room[CMSG_SPACE(sizeof(fds))];
        struct cmsghdr align;
    } control = {.room = {0}};
    struct iovec part = {.iov_base = text, .iov_len = (size_t)snprintf(text, sizeof(text), "%lld", (long long)reload.number)};
    struct msghdr message = {.msg_name = &address,
        .msg_namelen = sizeof(address),
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(head), fds, (size_t)count * sizeof(int));
    if (sendmsg(reload.socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_event(LOG_DEBUG, "reload_unheard", LOG_S("instance", instance_name(instance)), LOG_S("reason", strerror(errno)));
    if (fds[1] >= 0)
        close(fds[1]);
}

static void tell_all(supervisor_t *supervisor)
{
    EACH_INSTANCE (supervisor, instance)
        if (must_answer(instance))
            tell(supervisor, instance);
    reload.again = clock_monotonic() + AGAIN_MILLISECONDS * CLOCK_MILLISECOND;
}

int reload_begin(supervisor_t *supervisor, char *error, size_t error_size)
{
    config_t former = supervisor->config, fresh;
    if (reload.socket < 0)
        reload.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (reload.socket < 0) {
        snprintf(error, error_size, "socket: %s", strerror(errno));
        return -1;
    }
    if (certificate_ensure(&supervisor->config, supervisor->paths.tls, error, error_size) != 0 ||
        plan_configure(supervisor, error, error_size) != 0)
        return -1;
    /* As the file has it: plan_configure kept what the sockets were made from. */
    if (config_load_fd(supervisor->config_fd, supervisor->config_path, &fresh, error, error_size) != 0)
        return -1;
    json_decref(reload.settings);
    reload.settings = json_pack("{s:[] s:[] s:[]}", "applied", "at_restart", "at_start");
    config_compare(&former, &fresh, note_difference, reload.settings);
    log_set_level(supervisor->config.log.level);
    reload.number++;
    reload.refused[0] = '\0';
    reload.until = clock_monotonic() + ANSWER_SECONDS * CLOCK_SECOND;
    log_event(LOG_INFO, "reload", LOG_I("number", reload.number),
        LOG_I("applied", (int64_t)json_array_size(json_object_get(reload.settings, "applied"))),
        LOG_I("at_restart", (int64_t)json_array_size(json_object_get(reload.settings, "at_restart"))),
        LOG_I("at_start", (int64_t)json_array_size(json_object_get(reload.settings, "at_start"))));
    tell_all(supervisor);
    return 0;
}

void reload_answered(instance_t *instance, text_t answer)
{
    text_t number, reason = answer;
    int64_t value;
    if (!text_split(&reason, ' ', &number) || !text_to_int(number, &value) || value != reload.number)
        return;
    instance->reloaded = value;
    if (reason.length == 0)
        return;
    snprintf(reload.refused, sizeof(reload.refused), "%s: %.*s", instance_name(instance), TEXT_ARG(reason));
    log_event(LOG_ERROR, "reload_refused", LOG_S("instance", instance_name(instance)), LOG_T("reason", reason),
        LOG_S("next", "it goes on with what it had; mend it, then aipotenctl reload"));
}

static const instance_t *first_silent(supervisor_t *supervisor)
{
    EACH_INSTANCE (supervisor, instance)
        if (must_answer(instance))
            return instance;
    return NULL;
}

void reload_step(supervisor_t *supervisor)
{
    if (reload.until == 0)
        return;
    const instance_t *silent = first_silent(supervisor);
    if (silent == NULL || clock_monotonic() >= reload.until) {
        reload.until = reload.again = 0;
        if (silent != NULL && reload.refused[0] == '\0') {
            snprintf(reload.refused, sizeof(reload.refused), "%s has not answered", instance_name(silent));
            log_event(LOG_ERROR, "reload_unheard", LOG_S("instance", instance_name(silent)),
                LOG_S("next", "aipotenctl restart --rolling"));
        }
    } else if (clock_monotonic() >= reload.again) {
        tell_all(supervisor);
    }
}

json_t *reload_outcome(supervisor_t *supervisor)
{
    if (reload.until != 0 && first_silent(supervisor) != NULL)
        return NULL;
    json_t *outcome = json_pack("{s:b s:O}", "ok", reload.refused[0] == '\0', "settings", reload.settings);
    if (reload.refused[0] != '\0')
        json_object_set_new(outcome, "error", json_string(reload.refused));
    return outcome;
}
