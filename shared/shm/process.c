/* process: joining the system as a child of the supervisor. Owns the process's copy of its secrets, which
 * lives until the end and never reaches a core file.
 *
 * The text of the secrets' descriptor: a line "name=value" for each; in a value "\n" stands for a line feed
 * and "\\" for a backslash, so a value may be any bytes.
 *
 * Who may look into the process: nobody. Only where the supervisor has no CAP_SYS_PTRACE (AIPOTEN_ADOPTABLE)
 * it stays traceable by its own user, because pidfd_getfd(2) asks for that and the next supervisor needs the
 * segment and the listening sockets. Where the supervisor is an ordinary user, that user can read the
 * secrets' files anyway. */
#include "process.h"
#include "process_reload.h"
#include "../base/log.h"
#include "../base/panic.h"
#include "priority.h"
#include "services.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { SECRETS_SIZE = 1 << 20, SECRETS_MOST = 16, NOTIFY_SIZE = 512 };

/* Names and values point into one mapping that is not dumped. */
typedef struct {
    text_t name, value;
} secret_t;

struct process_secrets {
    void *memory;
    size_t length;
    secret_t list[SECRETS_MOST];
    int count;
};

static process_secrets_t secrets; /* of the start */

static segment_instance_t *joined; /* this process's row */

static struct {
    int fd;
    struct sockaddr_un address;
    socklen_t address_length;
    char ready[64]; /* what READY said; each WATCHDOG repeats it for a supervisor that came later */
} notify = {.fd = -1};

static _Noreturn void join_refuse(const char *what, const char *reason)
{
    log_event(LOG_ERROR, "join_failed", LOG_S("what", what), LOG_S("reason", reason),
        LOG_S("next", "start it by the supervisor: aipotenctl start"));
    exit(EXIT_CONFIG);
}

static const char *join_environment(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL || value[0] == '\0')
        join_refuse(name, "not in the environment");
    return value;
}

static int64_t join_number(const char *name, int64_t least, int64_t most)
{
    int64_t number;
    if (!text_to_int(text_of(join_environment(name)), &number) || number < least || number > most)
        join_refuse(name, "not a number in its range");
    return number;
}

/* An inherited descriptor, closed in whatever this process may execute. */
static int join_descriptor(const char *name)
{
    int fd = (int)join_number(name, 0, INT32_MAX);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        join_refuse(name, strerror(errno));
    return fd;
}

static int join_listener(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' || strcmp(value, "-1") == 0 ? -1 : join_descriptor(name);
}

static void join_guard(void)
{
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (getenv("AIPOTEN_ADOPTABLE") != NULL)
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
#ifndef AIPOTEN_TEST /* LeakSanitizer stops its own process by ptrace */
    else
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Takes the escapes out where they stand; the new length. */
static size_t secret_unescape(char *value, size_t length)
{
    size_t out = 0;
    for (size_t in = 0; in < length; in++) {
        char c = value[in];
        if (c == '\\' && in + 1 < length) {
            in++;
            c = value[in] == 'n' ? '\n' : value[in];
        }
        value[out++] = c;
    }
    return out;
}

/* Fills `out` from the text at the descriptor; NULL, or why it cannot be. */
static const char *secrets_parse(int fd, process_secrets_t *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_size > SECRETS_SIZE)
        return "not readable, or too long";
    out->length = (size_t)status.st_size + 1;
    out->memory = mmap(NULL, out->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (out->memory == MAP_FAILED)
        return strerror(errno);
    madvise(out->memory, out->length, MADV_DONTDUMP);
    if (pread(fd, out->memory, out->length - 1, 0) != status.st_size)
        return "shorter than it says";

    text_t rest = {.data = out->memory, .length = out->length - 1}, line;
    while (text_split(&rest, '\n', &line)) {
        const char *sign = memchr(line.data, '=', line.length);
        if (sign == NULL)
            continue;
        if (out->count == SECRETS_MOST)
            return "more secrets than a process can have";
        text_t name = {.data = line.data, .length = (size_t)(sign - line.data)};
        char *value = (char *)sign + 1;
        size_t value_length = secret_unescape(value, line.length - name.length - 1);
        value[value_length] = '\0'; /* where the line's end was, or the byte beyond the text */
        out->list[out->count++] = (secret_t){.name = name, .value = {.data = value, .length = value_length}};
    }
    return NULL;
}

static void join_secrets(int fd)
{
    const char *reason = secrets_parse(fd, &secrets);
    if (reason != NULL)
        join_refuse("AIPOTEN_SECRETS_FD", reason);
    close(fd);
}

process_secrets_t *process_secrets_read(int fd, const char **reason)
{
    process_secrets_t *fresh = memory_zeroed(1, sizeof(*fresh));
    *reason = secrets_parse(fd, fresh);
    if (*reason != NULL)
        process_secrets_free(&fresh);
    return fresh;
}

text_t process_secrets_get(const process_secrets_t *from, const char *name)
{
    for (int i = 0; i < from->count; i++)
        if (text_equal(from->list[i].name, text_of(name)))
            return from->list[i].value;
    return (text_t){.data = NULL};
}

void process_secrets_free(process_secrets_t **take_secrets)
{
    process_secrets_t *old = *take_secrets;
    *take_secrets = NULL;
    if (old == NULL)
        return;
    if (old->memory != NULL && old->memory != MAP_FAILED) {
        explicit_bzero(old->memory, old->length);
        munmap(old->memory, old->length);
    }
    free(old);
}

static void join_notify(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0')
        return;
    size_t length = strlen(path);
    if (length >= sizeof(notify.address.sun_path))
        join_refuse("NOTIFY_SOCKET", "longer than a socket's path can be");
    notify.address.sun_family = AF_UNIX;
    memcpy(notify.address.sun_path, path, length + 1);
    if (path[0] == '@')
        notify.address.sun_path[0] = '\0'; /* sd_notify(3): an abstract socket */
    notify.address_length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '@' ? 0 : 1));
    notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify.fd < 0)
        join_refuse("NOTIFY_SOCKET", strerror(errno));
    /* A supervisor that does not read must not stop us. */
    setsockopt(
        notify.fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_usec = 200000}, sizeof(struct timeval));
}

static int nice_when_ready; /* 0: as it is */

void process_join(process_t *process)
{
    *process = (process_t){.https_fd = -1, .http_fd = -1};
    process->service = join_environment("AIPOTEN_SERVICE");
    process->number = (int)join_number("AIPOTEN_INSTANCE", 1, INT16_MAX);
    log_identify(process->service, process->number);
    int service = service_find(process->service);
    if (service >= 0)
        nice_when_ready = services[service].nice;
    if (nice_when_ready)
        priority_prepare();
    join_guard();
    prctl(PR_SET_NAME, process->service, 0, 0,
        0); /* executed by descriptor, it would be called by a number in ps(1) */
    process->run_directory = join_environment("AIPOTEN_RUN");
    process->log_directory = join_environment("AIPOTEN_LOG_DIR");
    process->files_directory = join_environment("AIPOTEN_FILES_DIR");
    process->mail_directory = join_environment("AIPOTEN_MAIL_DIR");
    join_notify();

    char error[512];
    if (config_load_fd(join_descriptor("AIPOTEN_CONFIG_FD"), "configuration", &process->config, error,
            sizeof(error)) != 0)
        join_refuse("AIPOTEN_CONFIG_FD", error);
    if (!log_set_level(process->config.log.level))
        join_refuse("log.level", process->config.log.level);
    process->segment = segment_attach(join_descriptor("AIPOTEN_SEGMENT_FD"), error, sizeof(error));
    if (process->segment == NULL)
        join_refuse("AIPOTEN_SEGMENT_FD", error);
    process->self =
        segment_instance(process->segment, (int)join_number("AIPOTEN_SLOT", 0, SEGMENT_INSTANCES - 1));
    joined = process->self;
    process->generation = atomic_load(&process->self->generation);
    if (!atomic_load(&process->self->used) || process->generation == 0 ||
        process->self->number != process->number)
        join_refuse("AIPOTEN_SLOT", "the instance table has another row there");
    join_secrets(join_descriptor("AIPOTEN_SECRETS_FD"));
    process_reload_bind(process);
    process->https_fd = join_listener("AIPOTEN_HTTPS_FD");
    process->http_fd = join_listener("AIPOTEN_HTTP_FD");
}

text_t process_secret(const char *name)
{
    text_t value = process_secrets_get(&secrets, name);
    if (value.data == NULL)
        join_refuse(name, "this secret was not given");
    return value;
}

static void ring_counter(const char *prefix, const char *ring, char out[static RING_COUNTER_SIZE])
{
    snprintf(out, RING_COUNTER_SIZE, "%s%s", prefix, ring);
    for (char *c = out; *c != '\0'; c++)
        if (*c == '.') /* data_keys.children */
            *c = '_';
}

void ring_counter_first(const char *ring, char out[static RING_COUNTER_SIZE])
{
    ring_counter("key_first_", ring, out);
}

void ring_counter_newest(const char *ring, char out[static RING_COUNTER_SIZE])
{
    ring_counter("key_newest_", ring, out);
}

void process_ring(const char *name, key_ring_t *out)
{
    char counter[RING_COUNTER_SIZE];
    if (key_ring_parse(process_secret(name), out) != 0)
        join_refuse(name, "no ring of keys; put its backup back");
    insist(joined != NULL);
    ring_counter_first(name, counter);
    atomic_store(
        counter_declare(joined, counter, "key", "number of the ring's first key, which seals or signs"),
        key_number(out->keys[0].id));
    ring_counter_newest(name, counter);
    atomic_store(counter_declare(joined, counter, "key", "number of the newest key that this process knows"),
        key_ring_newest(out));
}

void process_secret_add(buffer_t *out, const char *name, text_t value)
{
    buffer_add_string(out, name);
    buffer_add_char(out, '=');
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] == '\n')
            buffer_add_string(out, "\\n");
        else if (value.data[i] == '\\')
            buffer_add_string(out, "\\\\");
        else
            buffer_add_char(out, value.data[i]);
    }
    buffer_add_char(out, '\n');
}

static void notify_send(const char *message)
{
    if (notify.fd < 0)
        return;
    /* Lost when no supervisor runs just now: the next WATCHDOG repeats READY. */
    ssize_t sent = sendto(notify.fd, message, strlen(message), MSG_NOSIGNAL,
        (const struct sockaddr *)&notify.address, notify.address_length);
    if (sent < 0 && errno != ECONNREFUSED && errno != ENOENT)
        log_event(LOG_WARNING, "notify_failed", LOG_S("reason", strerror(errno)),
            LOG_S("next", "see whether the supervisor runs: aipotenctl status"));
}

void process_notify_ready(uint64_t schema_hash)
{
    if (nice_when_ready)
        priority_lower(nice_when_ready);
    nice_when_ready = 0;
    snprintf(
        notify.ready, sizeof(notify.ready), "READY=1\nX_SCHEMA=%016llx\n", (unsigned long long)schema_hash);
    notify_send(notify.ready);
}

void process_notify_waiting(const char *status)
{
    char message[256];
    snprintf(message, sizeof(message), "STATUS=%s\nEXTEND_TIMEOUT_USEC=1000000\nWATCHDOG=1\n", status);
    notify_send(message);
}

void process_notify_status(const char *status)
{
    char message[NOTIFY_SIZE];
    snprintf(message, sizeof(message), "STATUS=%s\n", status);
    notify_send(message);
}

void process_notify_watchdog(void)
{
    char message[NOTIFY_SIZE];
    snprintf(message, sizeof(message), "%sWATCHDOG=1\n", notify.ready);
    notify_send(message);
}

void process_notify_stopping(void)
{
    notify_send("STOPPING=1\n");
}

void process_notify_reloaded(int64_t number, const char *reason)
{
    char message[NOTIFY_SIZE];
    snprintf(message, sizeof(message), "X_RELOADED=%lld %s\n", (long long)number, reason);
    notify_send(message);
}
