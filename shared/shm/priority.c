/* priority: three things, none of which needs a privilege.
 *
 * nice(2). The same for the session, because kernels with autogroups (sched(7)) weigh processes of different sessions by nothing
 * else, and each instance is a session of its own. And a long slice (sched_setattr(2)): who wakes up runs at once before whom it
 * would have to wait for otherwise, if its own slice is shorter (EEVDF, Linux 6.12; kernels before take no notice). */
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

/* The kernel lets all the unprivileged together do so ten times a second. */
static bool session_lower(int nice)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", nice), fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT; /* it has none */
    ssize_t written = -1;
    for (int i = 0; i < TRIES && (written = write(fd, text, (size_t)length)) < 0 && errno == EAGAIN; i++)
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MILLISECONDS * 1000000L}, NULL);
    int reason = errno;
    close(fd);
    errno = reason;
    return written == length;
}

void priority_lower(int nice)
{
    const attributes_t attributes = {.size = sizeof(attributes), .policy = SCHED_OTHER, .nice = nice, .runtime = SLICE};
    if (setpriority(PRIO_PROCESS, 0, nice) != 0)
        tell("process");
    /* Of a session that is not its own, it must leave the others alone. */
    if (getsid(0) == getpid() && !session_lower(nice))
        tell("session");
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
        tell("slice");
}
