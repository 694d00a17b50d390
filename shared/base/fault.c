/* fault: see the header. */
#include "fault.h"

#ifdef AIPOTEN_TEST
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    ino_t file; /* whose order this is */
    struct timespec written;
    char point[64];
    int left; /* times until it happens */
} armed;

/* A file that was not seen before begins the count anew. */
static void order_read(int fd, const struct stat *file)
{
    char text[128];
    ssize_t length = read(fd, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    armed.file = file->st_ino;
    armed.written = file->st_mtim;
    armed.left = 0;
    if (sscanf(text, "%63s %d", armed.point, &armed.left) != 2)
        armed.point[0] = '\0';
}

void fault_point(const char *name)
{
    const char *run = getenv("AIPOTEN_RUN"), *service = getenv("AIPOTEN_SERVICE");
    char path[512], hit[520];
    if (!run || !service)
        return;
    snprintf(path, sizeof path, "%s/fault.%s", run, service);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    struct stat file;
    if (fstat(fd, &file) == 0 && (file.st_ino != armed.file || file.st_mtim.tv_sec != armed.written.tv_sec ||
                                     file.st_mtim.tv_nsec != armed.written.tv_nsec))
        order_read(fd, &file);
    close(fd);
    if (strcmp(name, armed.point) != 0 || armed.left-- != 1)
        return;
    snprintf(hit, sizeof hit, "%s.hit", path);
    if (rename(path, hit) == 0)
        kill(getpid(), SIGKILL);
}
#endif
