/* What always holds for a child: it never runs as root, cannot gain privileges, leaves no core file, has a
 * session of its own (a Ctrl-C in the supervisor's terminal does not reach it), and inherits the descriptors
 * below and no others.
 *
 * The program is opened before the privileges go and executed by its descriptor, so its path need not be
 * reachable for the children's user. */
#include "spawn.h"
#include "bundle.h"
#include "instance.h"
#include "logs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ENVIRONMENT_MOST = 64, FILES_MOST = 65536, FIRST_SPARE_FD = 32 };

/* Inherited words beside AIPOTEN_…; never DATABASE_URL, which has the migrator's password. */
static const char *const passed_on[] = {
    "PATH", "LANG", "LC_ALL", "TZ", "REDIS_URL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};

typedef struct {
    char *variables[ENVIRONMENT_MOST + 1];
    int count;
} environment_t;

static void environment_add(environment_t *environment, const char *name, const char *value)
{
    if (environment->count == ENVIRONMENT_MOST)
        return;
    size_t size = strlen(name) + strlen(value) + 2;
    char *variable = memory_allocate(size);
    snprintf(variable, size, "%s=%s", name, value);
    environment->variables[environment->count++] = variable;
}

static void environment_add_number(environment_t *environment, const char *name, int number)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", number);
    environment_add(environment, name, text);
}

static void environment_inherit(environment_t *environment)
{
    for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
        if (getenv(passed_on[i]) != NULL)
            environment_add(environment, passed_on[i], getenv(passed_on[i]));
    for (char **variable = environ; *variable != NULL && environment->count < ENVIRONMENT_MOST - 16;
         variable++)
        if (strncmp(*variable, "AIPOTEN_", 8) == 0)
            environment->variables[environment->count++] = memory_string(*variable);
}

static void environment_make(environment_t *environment, const instance_t *instance)
{
    const supervisor_t *supervisor = instance->supervisor;
    const service_t *service = &services[instance->service];
    char notify[PATH_MAX];
    paths_join(notify, sizeof(notify), supervisor->paths.child_run, "notify");
    /* Ours first: getenv(3) takes the first of two. */
    environment_add(environment, "AIPOTEN_SERVICE", service->name);
    environment_add_number(environment, "AIPOTEN_INSTANCE", instance->number);
    environment_add_number(environment, "AIPOTEN_SLOT", instance->slot);
    environment_add(environment, "AIPOTEN_RUN", supervisor->paths.child_run);
    environment_add(environment, "AIPOTEN_LOG_DIR", supervisor->paths.child_log);
    environment_add(environment, "AIPOTEN_FILES_DIR", supervisor->paths.child_files);
    environment_add(environment, "AIPOTEN_MAIL_DIR", supervisor->paths.child_mail);
    environment_add(environment, "NOTIFY_SOCKET", notify);
    environment_add_number(environment, "AIPOTEN_SEGMENT_FD", CHILD_SEGMENT_FD);
    environment_add_number(environment, "AIPOTEN_CONFIG_FD", CHILD_CONFIG_FD);
    environment_add_number(environment, "AIPOTEN_SECRETS_FD", CHILD_SECRETS_FD);
    environment_add_number(environment, "AIPOTEN_SUPERVISOR_UID", (int)geteuid());
    bool listens = service->listens;
    environment_add_number(
        environment, "AIPOTEN_HTTPS_FD", listens && supervisor->https_fd >= 0 ? CHILD_HTTPS_FD : -1);
    environment_add_number(
        environment, "AIPOTEN_HTTP_FD", listens && supervisor->http_fd >= 0 ? CHILD_HTTP_FD : -1);
    if (supervisor->paths.adoptable)
        environment_add(environment, "AIPOTEN_ADOPTABLE", "1");
    environment_inherit(environment);
    environment->variables[environment->count] = NULL;
}

static void environment_free(environment_t *environment)
{
    for (int i = 0; i < environment->count; i++)
        free(environment->variables[i]);
}

static int program_open(const supervisor_t *supervisor, const char *program, char *error, size_t error_size)
{
    char path[PATH_MAX];
    struct stat status;
    int fd = -1;
    if (paths_join(path, sizeof(path), supervisor->program_directory, program))
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        snprintf(error, error_size, "cannot open the program %s: %s", path, strerror(errno));
        return -1;
    }
    if (supervisor->paths.switch_user && (status.st_mode & S_IXOTH) == 0) {
        snprintf(error, error_size, "user %s may not execute %s: chmod a+rx %s", supervisor->paths.user, path,
            path);
        close(fd);
        return -1;
    }
    return fd;
}

/* --- in the child, between fork and exec -------------------------------------------------------------------------- */

static bool privileges_drop(const paths_t *paths)
{
    if (paths->switch_user &&
        (setgroups(0, NULL) != 0 || setresgid(paths->gid, paths->gid, paths->gid) != 0 ||
            setresuid(paths->uid, paths->uid, paths->uid) != 0))
        return false;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool limits_set(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return false;
    files.rlim_cur = files.rlim_max < FILES_MOST ? files.rlim_max : FILES_MOST;
    return setrlimit(RLIMIT_NOFILE, &files) == 0 && setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0;
}

static void signals_reset(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
}

/* All sources are moved out of the way first, so that no target is overwritten before it was copied. */
static bool descriptors_place(const int sources[CHILD_FD_END])
{
    int spare[CHILD_FD_END];
    for (int fd = 0; fd < CHILD_FD_END; fd++) {
        spare[fd] = sources[fd] < 0 ? -1 : fcntl(sources[fd], F_DUPFD_CLOEXEC, FIRST_SPARE_FD);
        if (sources[fd] >= 0 && spare[fd] < 0)
            return false;
    }
    for (int fd = 0; fd < CHILD_FD_END; fd++) {
        if (spare[fd] < 0)
            close(fd);
        else if (dup2(spare[fd], fd) != fd)
            return false;
    }
    return true;
}

static _Noreturn void child_run(const instance_t *instance, const int sources[CHILD_FD_END], int program,
    int report, char *const *environment)
{
    char *const arguments[] = {(char *)instance_name(instance), NULL};
    /* Both above the places that descriptors_place fills. */
    program = fcntl(program, F_DUPFD_CLOEXEC, FIRST_SPARE_FD);
    report = fcntl(report, F_DUPFD_CLOEXEC, FIRST_SPARE_FD);
    setsid();
    umask(027);
    signals_reset();
    if (program >= 0 && descriptors_place(sources) && limits_set() &&
        privileges_drop(&instance->supervisor->paths))
        fexecve(program, arguments, environment);
    int reason = errno;
    if (write(report, &reason, sizeof(reason)) != sizeof(reason))
        _exit(126);
    _exit(127);
}

/* --- in the supervisor -------------------------------------------------------------------------------------------- */

uint64_t process_start_ticks(pid_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, line, sizeof(line) - 1);
    close(fd);
    if (length <= 0)
        return 0;
    line[length] = '\0';
    char *rest = strrchr(line, ')'); /* the name before it may hold anything */
    if (rest == NULL || rest[1] != ' ' || rest[2] == 'Z' || rest[2] == 'X')
        return 0;
    /* proc(5): the state is field 3, starttime field 22. */
    rest += 2;
    for (int field = 3; field < 22 && rest != NULL; field++) {
        rest = strchr(rest, ' ');
        rest = rest != NULL ? rest + 1 : NULL;
    }
    return rest != NULL ? strtoull(rest, NULL, 10) : 0;
}

/* fork, and wait until the child is the program or has said why not. */
static int child_start(instance_t *instance, const int sources[CHILD_FD_END], int program,
    char *const *environment, char *error, size_t error_size)
{
    int report[2], reason = 0;
    if (pipe2(report, O_CLOEXEC) != 0) {
        snprintf(error, error_size, "pipe: %s", strerror(errno));
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0)
        child_run(instance, sources, program, report[1], environment);
    close(report[1]);
    ssize_t told = pid < 0 ? 0 : read(report[0], &reason, sizeof(reason));
    close(report[0]);
    if (pid < 0 || told == sizeof(reason)) {
        snprintf(error, error_size, "cannot start %s: %s", services[instance->service].program,
            strerror(pid < 0 ? errno : reason));
        if (pid > 0)
            waitpid(pid, NULL, 0);
        return -1;
    }
    instance->pid = pid;
    instance->pidfd = pidfd_open(pid, 0);
    instance->start_ticks = process_start_ticks(pid);
    atomic_store(&instance->row->pid, pid);
    return 0;
}

int spawn(instance_t *instance, char *error, size_t error_size)
{
    const supervisor_t *supervisor = instance->supervisor;
    const service_t *service = &services[instance->service];
    int program = program_open(supervisor, service->program, error, error_size);
    if (program < 0)
        return -1;
    int result = -1, secrets = bundle_make(supervisor, service, error, error_size);
    int log = secrets < 0 ? -1 : logs_open(instance, error, error_size);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log >= 0 && null >= 0) {
        const int sources[CHILD_FD_END] = {null, log, log, [CHILD_SEGMENT_FD] = supervisor->segment_fd,
            [CHILD_CONFIG_FD] = supervisor->config_fd, [CHILD_SECRETS_FD] = secrets,
            [CHILD_IPC_FD] = supervisor->paths.ipc_fd, [CHILD_LOG_FD] = supervisor->paths.log_fd,
            [CHILD_HTTPS_FD] = service->listens ? supervisor->https_fd : -1,
            [CHILD_HTTP_FD] = service->listens ? supervisor->http_fd : -1,
            [CHILD_FILES_FD] = supervisor->paths.files_fd,
            [CHILD_MAIL_FD] = supervisor->paths.mail_fd};
        environment_t environment = {.count = 0};
        environment_make(&environment, instance);
        result = child_start(instance, sources, program, environment.variables, error, error_size);
        environment_free(&environment);
    }
    const int used[] = {program, secrets, log, null};
    for (size_t i = 0; i < ARRAY_SIZE(used); i++)
        if (used[i] >= 0)
            close(used[i]);
    return result;
}
