/* supervisor: starts the processes of aipoten, keeps them running, and answers aipotenctl.
 *
 *     supervisor [--config FILE] [--detach | --end]
 *
 * In the foreground it shows the start on standard output and then only logs (var/log/supervisor.log,
 * NDJSON); with --detach it returns when the system is READY, or says why it is not and exits 1; with
 * --end it only ends what a supervisor that died left running. SIGTERM and SIGINT stop everything in order.
 * SIGHUP is aipotenctl reload. When it dies its children serve on; the next one adopts them (adopt.h). Exit status: 0 stopped as told, 1
 * could not start, 2 usage, 78 the configuration is wrong.
 *
 * Environment: AIPOTEN_VAR, DATABASE_URL (the migrator's: the roles' own URLs are made from it), REDIS_URL,
 * AIPOTEN_ROOT, and what shared/base/config.c names. */
#include "supervisor.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/memory.h"
#include "../../shared/crypto/secrets.h"
#include "../../shared/shm/process.h"
#include "adopt.h"
#include "certificate.h"
#include "control.h"
#include "handover.h"
#include "home.h"
#include "instance.h"
#include "listeners.h"
#include "logs.h"
#include "notify.h"
#include "plan.h"
#include "progress.h"
#include "reload.h"
#include "roll.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HOUSEKEEPING_MILLISECONDS = 5000, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static supervisor_t the = {.config_fd = -1, .segment_fd = -1, .https_fd = -1, .http_fd = -1, .lock_fd = -1};
static loop_timer_t *alarm_timer;
static int64_t alarm_at;
static int detached_pipe = -1; /* the waiting parent gets our status of the start here */

/* A sentence on the person's terminal, and the end. */
static _Noreturn void refuse(int status, const char *sentence)
{
    fflush(stdout);
    dprintf(STDOUT_FILENO, "aipoten: %s\n", sentence);
    if (detached_pipe >= 0 && write(detached_pipe, &status, sizeof(status)) < 0)
        status = EXIT_FAILED;
    exit(status);
}

/* --- becoming the one supervisor ---------------------------------------------------------------------------------- */

static void lock_take(const paths_t *paths)
{
    char sentence[PATH_MAX + 128], pid[16] = "";
    int fd = the.lock_fd >= 0 ? the.lock_fd : openat(paths->run_fd, "supervisor.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        snprintf(
            sentence, sizeof(sentence), "cannot write %s/supervisor.lock: %s", paths->run, strerror(errno));
        refuse(EXIT_FAILED, sentence);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t length = read(fd, pid, sizeof(pid) - 1);
        pid[length > 0 ? strcspn(pid, "\n") : 0] = '\0';
        snprintf(sentence, sizeof(sentence),
            "a supervisor (pid %s) runs already for %s; see aipotenctl status", pid, paths->var);
        refuse(EXIT_FAILED, sentence);
    }
    int length = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)length, 0) != length)
        refuse(EXIT_FAILED, "cannot write supervisor.lock: is the disk full?");
    the.lock_fd = fd;
    /* The descriptor stays open: it is the lock. The other file is for whoever wants to know whether we died:
     * an orderly end removes it. */
    int other =
        openat(paths->run_fd, "supervisor.pid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (other < 0 || write(other, pid, (size_t)length) != length)
        refuse(EXIT_FAILED, "cannot write supervisor.pid: is the disk full?");
    close(other);
}

/* The parent waits for the outcome of the start; we go on in a session of our own. */
static void detach(void)
{
    int report[2], status = EXIT_FAILED;
    if (pipe2(report, O_CLOEXEC) != 0)
        refuse(EXIT_FAILED, strerror(errno));
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        refuse(EXIT_FAILED, strerror(errno));
    if (pid > 0) {
        close(report[1]);
        if (read(report[0], &status, sizeof(status)) != sizeof(status))
            dprintf(STDOUT_FILENO, "aipoten: the supervisor died; see supervisor.log in the log directory\n");
        _exit(status);
    }
    close(report[0]);
    detached_pipe = report[1];
    setsid();
}

static void detach_finish(int status)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (write(detached_pipe, &status, sizeof(status)) < 0)
        log_event(LOG_WARNING, "detach_failed", LOG_S("reason", strerror(errno)));
    close(detached_pipe);
    detached_pipe = -1;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close(null);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static void alarm_rings(void *argument)
{
    (void)argument; /* the turn hook does the rest */
}

static void alarm_set(void)
{
    int64_t first = plan_deadline(&the), other = control_deadline();
    if (first == 0 || (other != 0 && other < first))
        first = other;
    int64_t now = clock_monotonic();
    if (first == alarm_at && first > now)
        return;
    the.loop->timer_stop(&alarm_timer);
    alarm_at = first;
    if (first != 0) /* rounded up: never ring a little too early, again and again */
        alarm_timer = the.loop->timer(the.loop,
            first > now ? (int)((first - now + CLOCK_MILLISECOND - 1) / CLOCK_MILLISECOND) : 1, alarm_rings,
            NULL);
}

/* Who waits for an instance looks at the table at once when the broker says so. SIGURG does nothing to a process that has not got
 * so far as to handle it. */
static void news_tell(void)
{
    static uint64_t told;
    uint64_t version = segment_version(the.segment);
    if (version == told)
        return;
    told = version;
    EACH_INSTANCE (&the, instance)
        if (services[instance->service].told && instance->pid != 0)
            pidfd_send_signal(instance->pidfd, SIGURG, NULL, 0); /* one that has ended just now will be seen to */
}

static bool reload_waits;
static void told_to_reload(void *argument);

static bool turn(void *argument)
{
    (void)argument;
    plan_step(&the);
    if (reload_waits && !roll_active())
        told_to_reload(NULL);
    progress_step(&the);
    control_step(&the);
    news_tell();
    state_save(&the);
    if (the.heir != NULL)
        handover_run(&the);
    if (detached_pipe >= 0 && the.was_ready && (the.exit_status == 0 || the.ended))
        detach_finish(the.exit_status);
    if (the.ended)
        loop_ev_stop(the.loop);
    else
        alarm_set();
    return false;
}

static void housekeeping(void *argument)
{
    (void)argument;
    logs_rotate(&the);
}

static void told_to_stop(void *argument)
{
    (void)argument;
    notify_parent("STOPPING=1\n");
    plan_stop_all(&the);
}

/* By a signal, which cannot be answered: while what runs is being replaced it waits for the end of that (see turn), for it may
 * change which instances there are. */
static void told_to_reload(void *argument)
{
    char error[512];
    (void)argument;
    reload_waits = roll_active();
    if (reload_waits)
        log_event(LOG_INFO, "reload_waits", LOG_S("reason", "a restart or an upgrade is under way"));
    else if (!the.stopping && reload_begin(&the, error, sizeof(error)) != 0)
        log_event(LOG_ERROR, "reload_refused", LOG_S("reason", error), LOG_S("next", "mend it; what runs stays as it is"));
}

/* --- the start ---------------------------------------------------------------------------------------------------- */

static void usage(FILE *out)
{
    fprintf(out, "usage: supervisor [--config FILE] [--detach | --end]\n"
                 "  --config FILE  the configuration, default h2o-conf/development.yaml\n"
                 "  --detach       return when the system is ready, leave it running\n"
                 "  --end          end the processes that a supervisor left when it died\n");
}

static void options_read(int count, char **arguments)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
        {"detach", no_argument, NULL, 'd'}, {"end", no_argument, NULL, 'e'}, {"help", no_argument, NULL, 'h'},
        {0}};
    int option;
    while ((option = getopt_long(count, arguments, "c:deh", options, NULL)) != -1) {
        if (option == 'c')
            the.config_path = optarg;
        else if (option == 'd')
            the.detached = true;
        else if (option == 'e')
            the.ending = true;
        else {
            usage(option == 'h' ? stdout : stderr);
            exit(option == 'h' ? 0 : EXIT_USAGE);
        }
    }
    if (optind < count) {
        usage(stderr);
        exit(EXIT_USAGE);
    }
}

static void config_find(void)
{
    static char path[PATH_MAX], root[PATH_MAX];
    if (the.config_path == NULL) {
        home_root(root);
        paths_join(path, sizeof(path), root, "h2o-conf/development.yaml");
        the.config_path = path;
    } else if (realpath(the.config_path, path) != NULL) {
        the.config_path = path; /* `restart` reads it again, wherever we stand then */
    }
}

/* Everything that can be refused is refused before anything is touched. */
static void prepare(void)
{
    char var[PATH_MAX], error[PATH_MAX + 256];
    config_find();
    if (plan_configure(&the, error, sizeof(error)) != 0)
        refuse(EXIT_CONFIG, error);
    log_set_level(the.config.log.level);
    home_programs(the.program_directory);
    home_var(var);
    if (paths_name(&the.paths, var, error, sizeof(error)) != 0)
        refuse(EXIT_FAILED, error);
    if (paths_open(&the.paths, the.config.supervisor.user, error, sizeof(error)) != 0)
        refuse(EXIT_CONFIG, error);
    the.database_url = getenv("DATABASE_URL");
    if (!the.ending && (the.database_url == NULL || the.database_url[0] == '\0'))
        refuse(EXIT_CONFIG,
            "DATABASE_URL is not set (postgresql://user:password@host:port/database); tools/run sets it up");
    if (the.detached && !the.ending)
        detach();
    lock_take(&the.paths);
    if (logs_redirect(&the.paths, error, sizeof(error)) != 0)
        refuse(EXIT_FAILED, error);
}

static void open_all(void)
{
    char error[PATH_MAX + 256];
    history_open(the.paths.run_fd);
    if (secrets_ensure(the.paths.secrets, error, sizeof(error)) != 0 ||
        certificate_ensure(&the.config, the.paths.tls, error, sizeof(error)) != 0)
        refuse(EXIT_FAILED, error);
    the.loop = loop_ev_create();
    bool adopted = adopt(&the);
    if (!adopted) {
        paths_clear_sockets(&the.paths);
        the.segment = segment_create_with_cache(&the.segment_fd, (size_t)the.config.cache.size);
        if (the.segment == NULL)
            refuse(EXIT_FAILED, strerror(errno));
        cache_format(the.segment);
        the.cache = cache_open(the.segment, NULL);
    }
    if (notify_open(&the, error, sizeof(error)) != 0 || listeners_open(&the, error, sizeof(error)) != 0 ||
        plan_populate(&the, error, sizeof(error)) != 0 || control_open(&the, error, sizeof(error)) != 0)
        refuse(EXIT_FAILED, error);
    log_event(LOG_INFO, "started", LOG_I("pid", getpid()), LOG_S("config", the.config_path),
        LOG_S("adopted", adopted ? "yes" : "no"));
}

/* Descriptors of whoever started us are not for our children; nor are our secrets for a core file. */
static void harden(void)
{
    struct rlimit files;
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
#ifndef AIPOTEN_TEST /* LeakSanitizer stops its own process by ptrace */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* After an orderly end. */
static void files_remove(void)
{
    state_remove(&the);
    unlinkat(the.paths.run_fd, "control.sock", 0);
    unlinkat(the.paths.run_fd, "supervisor.pid", 0);
}

int main(int count, char **arguments)
{
    the.started = clock_monotonic();
    log_identify("supervisor", 1);
    harden();
    options_read(count, arguments);
    if (handover_take(&the))
        the.detached = false; /* it was, or was not, long ago */
    prepare();
    if (the.ending) {
        printf("%d processes ended\n", adopt_end(&the));
        files_remove();
        return 0;
    }
    open_all();
    static const int stop_signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < ARRAY_SIZE(stop_signals); i++)
        loop_ev_signal(the.loop, stop_signals[i], told_to_stop, NULL);
    loop_ev_signal(the.loop, SIGHUP, told_to_reload, NULL);
    the.loop->add_turn_hook(the.loop, turn, NULL);
    the.loop->timer(the.loop, HOUSEKEEPING_MILLISECONDS, housekeeping, NULL);
    loop_ev_run(the.loop);
    files_remove();
    if (detached_pipe >= 0)
        detach_finish(the.exit_status);
    log_event(LOG_INFO, "stopped", LOG_I("pid", getpid()));
    return the.exit_status;
}
