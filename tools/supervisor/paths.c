#include "paths.h"
#include "spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool paths_join(char *out, size_t out_size, const char *directory, const char *name)
{
    size_t directory_length = strlen(directory), name_length = strlen(name);
    if (directory_length + name_length + 2 > out_size) {
        out[0] = '\0';
        return false;
    }
    memmove(out, directory, directory_length);
    out[directory_length] = '/';
    memcpy(out + directory_length + 1, name, name_length + 1);
    return true;
}

int paths_name(paths_t *paths, const char *var, char *error, size_t error_size)
{
    *paths = (paths_t){.run_fd = -1, .ipc_fd = -1, .log_fd = -1, .files_fd = -1, .mail_fd = -1};
    if (mkdir(var, 0755) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "cannot make the directory %s: %s", var, strerror(errno));
        return -1;
    }
    if (realpath(var, paths->var) == NULL) {
        snprintf(error, error_size, "cannot use the directory %s: %s", var, strerror(errno));
        return -1;
    }
    if (!paths_join(paths->run, PATH_MAX, paths->var, "run") ||
        !paths_join(paths->ipc, PATH_MAX, paths->run, "ipc") ||
        !paths_join(paths->log, PATH_MAX, paths->var, "log") ||
        !paths_join(paths->files, PATH_MAX, paths->var, "files") ||
        !paths_join(paths->mail, PATH_MAX, paths->var, "mail") ||
        !paths_join(paths->tls, PATH_MAX, paths->var, "tls") ||
        !paths_join(paths->secrets, PATH_MAX, paths->var, "secrets")) {
        snprintf(error, error_size, "the path %s is too long", paths->var);
        return -1;
    }
    return 0;
}

/* Containers often take it from root too. */
static bool may_trace(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{0}};
    return syscall(SYS_capget, &head, sets) == 0 && (sets[0].effective & 1u << CAP_SYS_PTRACE) != 0;
}

static int user_find(paths_t *paths, const char *user, char *error, size_t error_size)
{
    paths->switch_user = geteuid() == 0;
    paths->adoptable = !may_trace();
    paths->uid = geteuid();
    paths->gid = getegid();
    if (!paths->switch_user)
        return 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        snprintf(error, error_size,
            "there is no user %s for the child processes: useradd --system --shell /usr/sbin/nologin %s, or "
            "name another "
            "one in supervisor.user",
            user, user);
        return -1;
    }
    if (entry->pw_uid == 0) {
        snprintf(error, error_size, "supervisor.user is %s: no child process may run as root", user);
        return -1;
    }
    paths->uid = entry->pw_uid;
    paths->gid = entry->pw_gid;
    snprintf(paths->user, sizeof(paths->user), "%s", user);
    return 0;
}

/* Makes it when missing, gives it to its owner, and opens it; -1 with a reason. */
static int directory_open(
    const paths_t *paths, const char *path, mode_t mode, bool for_children, char *error, size_t error_size)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "cannot make the directory %s: %s", path, strerror(errno));
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, mode) != 0 ||
        (for_children && paths->switch_user && fchown(fd, paths->uid, paths->gid) != 0)) {
        snprintf(error, error_size, "cannot use the directory %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

int paths_open(paths_t *paths, const char *user, char *error, size_t error_size)
{
    if (user_find(paths, user, error, error_size) != 0)
        return -1;
    paths->run_fd = directory_open(paths, paths->run, 0755, false, error, error_size);
    if (paths->run_fd < 0)
        return -1;
    paths->ipc_fd = directory_open(paths, paths->ipc, 0700, true, error, error_size);
    if (paths->ipc_fd < 0)
        return -1;
    paths->log_fd = directory_open(paths, paths->log, 0755, true, error, error_size);
    if (paths->log_fd < 0)
        return -1;
    paths->files_fd = directory_open(paths, paths->files, 0700, true, error, error_size);
    if (paths->files_fd < 0)
        return -1;
    paths->mail_fd = directory_open(paths, paths->mail, 0700, true, error, error_size);
    if (paths->mail_fd < 0)
        return -1;
    bool by_path = !paths->switch_user &&
                   strlen(paths->ipc) + PATHS_NAME_ROOM < sizeof(((struct sockaddr_un *)0)->sun_path);
    if (by_path) {
        memcpy(paths->child_run, paths->ipc, PATH_MAX);
        memcpy(paths->child_log, paths->log, PATH_MAX);
        memcpy(paths->child_files, paths->files, PATH_MAX);
        memcpy(paths->child_mail, paths->mail, PATH_MAX);
    } else {
        snprintf(paths->child_run, PATH_MAX, "/proc/self/fd/%d", CHILD_IPC_FD);
        snprintf(paths->child_log, PATH_MAX, "/proc/self/fd/%d", CHILD_LOG_FD);
        snprintf(paths->child_files, PATH_MAX, "/proc/self/fd/%d", CHILD_FILES_FD);
        snprintf(paths->child_mail, PATH_MAX, "/proc/self/fd/%d", CHILD_MAIL_FD);
    }
    return 0;
}

void paths_clear_sockets(const paths_t *paths)
{
    int fd = openat(paths->ipc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (entry->d_type == DT_SOCK)
            unlinkat(paths->ipc_fd, entry->d_name, 0);
    if (directory != NULL)
        closedir(directory);
}

struct sockaddr_un paths_socket(int directory_fd, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory_fd, name);
    return address;
}
