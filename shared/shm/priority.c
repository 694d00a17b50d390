/* priority: four things, none of which needs a privilege.
 *
 * nice(2). The same for the session, because kernels with autogroups (sched(7)) weigh processes of different sessions by nothing
 * else, and each instance is a session of its own. A long slice (sched_setattr(2)): who wakes up runs at once before whom it
 * would have to wait for otherwise, if its own slice is shorter (EEVDF, Linux 6.12; kernels before take no notice).
 *
 * And SCHED_IDLE where the session's own weight decides how much the process gets: then the kernel lets those who wake up choose its
 * processor as if nobody were there, and not queue up on another. Without a group of its own that policy would starve the
 * process whenever all processors are busy. */
#include "priority.h"
#include "../base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SLICE = 100 * 1000 * 1000 /* nanoseconds; the longest */, TRIES = 20, RETRY_MILLISECONDS = 50 };

/* The kernel's first struct sched_attr; not every libc has one. */
typedef struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} attributes_t;
_Static_assert(sizeof(attributes_t) == 48, "SCHED_ATTR_SIZE_VER0");

static void tell(const char *what)
{
    log_event(LOG_WARNING, "priority", LOG_S("of", what), LOG_S("reason", strerror(errno)),
        LOG_S("next", "it runs, and may delay others more than it should while it hashes"));
}

static struct {
    int fd;     /* where the session's weight is written; -1: there is none, or none of its own */
    int reason; /* errno why not; 0: it need not */
    bool weighs;
} session = {.fd = -1};

/* The kernel lets all the unprivileged together do so ten times a second. */
static bool session_lower(int nice)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", nice);
    errno = session.reason;
    if (session.fd < 0)
        return errno == 0;
    ssize_t written = -1;
    for (int i = 0; i < TRIES && (written = write(session.fd, text, (size_t)length)) < 0 && errno == EAGAIN; i++)
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MILLISECONDS * 1000000L}, NULL);
    int reason = errno;
    close(session.fd);
    session.fd = -1;
    errno = reason;
    return written == length;
}

/* Does the file begin with that? */
static bool file_begins(const char *path, const char *begin)
{
    char text[8];
    FILE *file = fopen(path, "re");
    bool does = file != NULL && fgets(text, sizeof(text), file) != NULL && strncmp(text, begin, strlen(begin)) == 0;
    if (file != NULL)
        fclose(file);
    return does;
}

/* Is "a,b,c" with such a part? */
static bool has_part(const char *list, const char *part)
{
    size_t length = strlen(part);
    for (const char *p = list; p != NULL; p = strchr(p, ','), p = p != NULL ? p + 1 : NULL)
        if (strncmp(p, part, length) == 0 && (p[length] == ',' || p[length] == '\0'))
            return true;
    return false;
}

/* Of each line "ID:CONTROLLERS:PATH" (cgroups(7)) that says who gets how much processor, is the path the root's? A container calls its
 * own group the root: of version 1 only the true one has the file cgroup.sane_behavior, of version 2 only groups that are not have
 * cgroup.events. */
static bool in_root_control_group(void)
{
    char line[512];
    bool root = true;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return errno == ENOENT; /* a kernel without them */
    while (root && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        bool first = has_part(controllers + 1, "cpu"); /* version 1 */
        if (first || controllers[1] == '\0')
            root = strcmp(path, "/") == 0 && (!first || access("/sys/fs/cgroup/cpu/cgroup.sane_behavior", F_OK) == 0);
    }
    fclose(file);
    return root && access("/sys/fs/cgroup/cgroup.events", F_OK) != 0;
}

/* Does the weight of its session decide how much the process gets? */
static bool session_weighs(void)
{
    return file_begins("/proc/sys/kernel/sched_autogroup_enabled", "1") &&
           file_begins("/proc/self/autogroup", "/autogr") && in_root_control_group();
}

void priority_prepare(void)
{
    /* Of a session that is not its own, it must leave the others alone. */
    if (getsid(0) != getpid())
        return;
    session.fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    session.reason = session.fd >= 0 || errno == ENOENT /* a kernel without them */ ? 0 : errno;
    session.weighs = session.fd >= 0 && session_weighs();
}

void priority_lower(int nice)
{
    attributes_t attributes = {.size = sizeof(attributes), .policy = SCHED_OTHER, .nice = nice, .runtime = SLICE};
    if (setpriority(PRIO_PROCESS, 0, nice) != 0)
        tell("process");
    if (!session_lower(nice))
        tell("session");
    else if (session.weighs)
        attributes.policy = SCHED_IDLE;
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
        tell("slice");
}
