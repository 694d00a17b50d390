/* child: a process for the supervisor's tests. What it does stands in $AIPOTEN_CHILD_PLANS/SERVICE.NUMBER,
 * words separated by spaces; without a file it becomes READY and lives. It writes what it found at its start
 * to SERVICE.NUMBER.seen there. */
#include "base/clock.h"
#include "base/log.h"
#include "shm/process_reload.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BEAT_MILLISECONDS = 100 };

static process_t process;
static key_ring_t ring;
static char plan[256];
static volatile sig_atomic_t told_to_stop;

static bool planned(const char *word)
{
    return strstr(plan, word) != NULL;
}

static void on_stop(int number)
{
    (void)number;
    told_to_stop = 1;
}

static FILE *plan_file(const char *suffix, const char *mode)
{
    char path[512];
    const char *directory = getenv("AIPOTEN_CHILD_PLANS");
    snprintf(path, sizeof(path), "%s/%s.%d%s", directory ? directory : "/nonexistent", process.service,
        process.number, suffix);
    return fopen(path, mode);
}

static bool socket_listens(int fd)
{
    int listening = 0;
    socklen_t size = sizeof(listening);
    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

static void tell_what_is_seen(void)
{
    FILE *file = plan_file(".seen", "w");
    struct rlimit core, files;
    char endpoint[256];
    if (file == NULL)
        return;
    getrlimit(RLIMIT_CORE, &core);
    getrlimit(RLIMIT_NOFILE, &files);
    segment_endpoint(process.self, process.run_directory, endpoint, sizeof(endpoint));
    fprintf(file,
        "uid %d\nno_new_privs %d\ncore %lld\nfiles %lld\nhttps %d\nhttp %d\nendpoint %s\nsession "
        "%d\nmigrator %d\n",
        (int)getuid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), (long long)core.rlim_cur,
        (long long)files.rlim_cur, socket_listens(process.https_fd), socket_listens(process.http_fd),
        endpoint, getsid(0) == getpid(), getenv("DATABASE_URL") != NULL);
    if (process.https_fd >= 0) {
        text_t key = process_secret("tls_key"), certificate = process_secret("tls_certificate");
        fprintf(file, "pem %d %d\n", text_starts_with(key, TEXT("-----BEGIN PRIVATE KEY-----\n")),
            text_starts_with(certificate, TEXT("-----BEGIN CERTIFICATE-----\n")));
    } else {
        fprintf(file, "url %.*s\ntoken_key %zu\n", TEXT_ARG(process_secret("database_url")),
            process_secret("token_key").length);
    }
    fclose(file);
}

/* A loop of one watcher: it is asked after each beat. */
static void (*reload_ready)(void *argument, int events);
static void *reload_argument;

static loop_watch_t *watch(
    loop_t *loop, int fd, int events, void (*on_ready)(void *argument, int events), void *argument)
{
    (void)loop, (void)fd, (void)events;
    reload_ready = on_ready;
    reload_argument = argument;
    return NULL;
}

static bool on_reload(const config_t *fresh, const process_secrets_t *secrets, char *error, size_t error_size)
{
    FILE *file = plan_file(".reloaded", "w");
    if (file == NULL)
        return false;
    fprintf(file, "level %s\nidle %lld\nrate %d\n", fresh->log.level, (long long)fresh->http.idle_timeout, fresh->rate.enabled);
    if (secrets != NULL)
        fprintf(file, "certificate %.*s\n", 40, process_secrets_get(secrets, "tls_certificate").data + 28);
    fclose(file);
    if (planned("refuse"))
        snprintf(error, error_size, "as planned");
    return !planned("refuse");
}

static void live(void)
{
    _Atomic int64_t *count =
        counter_declare(process.self, "child.beats", "beats", "How often the child has woken");
    while (!told_to_stop || planned("stubborn")) {
        poll(NULL, 0, BEAT_MILLISECONDS);
        counter_add(count, 1);
        if (reload_ready != NULL && !planned("deaf"))
            reload_ready(reload_argument, LOOP_READ);
        if (!planned("mute"))
            process_notify_watchdog();
        if (planned("die"))
            abort();
    }
}

int main(void)
{
    process_join(&process);
    FILE *file = plan_file("", "r");
    if (file != NULL) {
        if (fgets(plan, sizeof(plan), file) == NULL)
            plan[0] = '\0';
        fclose(file);
    }
    signal(SIGTERM, on_stop);
    if (planned("config"))
        return EXIT_CONFIG;
    if (strcmp(process.service, "children") != 0)
        process_ring("jwt_keys", &ring);
    if (planned("misfit")) {
        log_event(LOG_ERROR, "statement_misfit", LOG_S("reason", "column names differ"));
        return 1;
    }
    tell_what_is_seen();
    if (planned("slow")) {
        process_notify_status("waiting for the database");
        for (int i = 0; i < 20 && !told_to_stop; i++)
            poll(NULL, 0, BEAT_MILLISECONDS);
    }
    if (planned("never"))
        for (;;)
            pause();
    if (planned("busy")) /* first: a test may kill whatever is READY */
        now_set(process.self, TEXT("test.operation"), uuid_random(), TEXT("trace-1"));
    loop_t loop = {.watch = watch};
    process_reload_watch(&loop, on_reload);
    process_notify_ready(planned("rows") ? UINT64_C(0x5678) : UINT64_C(0x1234));
    live();
    process_notify_stopping();
    return 0;
}
