#include "handover.h"
#include "../../shared/base/log.h"
#include "../../shared/base/memory.h"
#include "adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Its value: the descriptors' numbers. Gone from the environment before any child is started. */
static const char variable[] = "AIPOTEN_HANDOVER";

int handover_prepare(supervisor_t *supervisor, const char *directory, char *error, size_t error_size)
{
    char path[PATH_MAX];
    if (directory[0] != '/') {
        snprintf(error, error_size, "%s is no absolute path", directory);
        return -1;
    }
    for (int i = -1; i < service_count; i++) {
        const char *program = i < 0 ? "supervisor" : services[i].program;
        if (paths_join(path, sizeof(path), directory, program) && access(path, X_OK) == 0)
            continue;
        snprintf(error, error_size, "%s is not there, or no program: build the release first; what runs stays as it is", path);
        return -1;
    }
    supervisor->heir = memory_string(directory);
    return 0;
}

static void descriptors_keep(const supervisor_t *supervisor, bool keep)
{
    const int fds[] = {supervisor->lock_fd, supervisor->segment_fd, supervisor->https_fd, supervisor->http_fd};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (fds[i] >= 0)
            fcntl(fds[i], F_SETFD, keep ? 0 : FD_CLOEXEC);
}

void handover_run(supervisor_t *supervisor)
{
    char path[PATH_MAX], value[64];
    char *const arguments[] = {"supervisor", "--config", (char *)supervisor->config_path, NULL};
    paths_join(path, sizeof(path), supervisor->heir, "supervisor");
    snprintf(value, sizeof(value), "%d %d %d %d", supervisor->lock_fd, supervisor->segment_fd, supervisor->https_fd,
        supervisor->http_fd);
    supervisor->dirty = true;
    state_save(supervisor); /* with the start times and flags of this moment */
    log_event(LOG_INFO, "handover", LOG_S("to", path));
    fflush(stdout);
    setenv(variable, value, 1);
    /* Said or not until now: by itself a release in another directory would look for its own `var`, find nothing there, make
     * secrets and processes of its own, and leave ours to themselves. */
    setenv("AIPOTEN_VAR", supervisor->paths.var, 1);
    descriptors_keep(supervisor, true);
    execv(path, arguments);
    int reason = errno;
    descriptors_keep(supervisor, false);
    unsetenv(variable);
    log_event(LOG_ERROR, "handover_failed", LOG_S("to", path), LOG_S("reason", strerror(reason)),
        LOG_S("next", "nothing has changed; see whether it is a program of this machine"));
    free((char *)supervisor->heir);
    supervisor->heir = NULL;
}

bool handover_take(supervisor_t *supervisor)
{
    const char *value = getenv(variable);
    int *const fds[] = {&supervisor->lock_fd, &supervisor->segment_fd, &supervisor->https_fd, &supervisor->http_fd};
    int numbers[ARRAY_SIZE(fds)];
    if (value == NULL)
        return false;
    bool good = sscanf(value, "%d %d %d %d", &numbers[0], &numbers[1], &numbers[2], &numbers[3]) == (int)ARRAY_SIZE(fds);
    unsetenv(variable);
    for (size_t i = 0; good && i < ARRAY_SIZE(fds); i++)
        if (numbers[i] > STDERR_FILENO && fcntl(numbers[i], F_SETFD, FD_CLOEXEC) == 0)
            *fds[i] = numbers[i];
    return good && supervisor->lock_fd >= 0;
}
