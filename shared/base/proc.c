#include "proc.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool file_read(pid_t pid, const char *name, char *out, size_t out_size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%lld/%s", (long long)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, out, out_size - 1);
    close(fd);
    if (length <= 0)
        return false;
    out[length] = '\0';
    return true;
}

bool proc_read(pid_t pid, proc_t *out)
{
    char text[1024];
    unsigned long long user, system;
    long long resident, shared;
    if (!file_read(pid, "stat", text, sizeof(text)))
        return false;
    const char *rest = strrchr(text, ')'); /* its name may hold anything */
    if (rest == NULL || sscanf(rest, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &out->state, &user, &system) != 3)
        return false;
    if (!file_read(pid, "statm", text, sizeof(text)) || sscanf(text, "%*d %lld %lld", &resident, &shared) != 2)
        return false;
    int64_t page = sysconf(_SC_PAGESIZE), ticks = sysconf(_SC_CLK_TCK);
    out->cpu = (int64_t)(user + system) * (1000000 / ticks);
    out->resident = resident * page;
    out->resident_shared = shared * page;
    return true;
}
