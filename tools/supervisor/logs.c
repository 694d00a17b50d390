#include "logs.h"
#include "../../shared/base/log.h"
#include "../../shared/base/memory.h"
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAST_WORDS_READ = 16384, COPY_CHUNK = 1 << 20 };

static const char supervisor_log[] = "supervisor.log";

static void log_name(const instance_t *instance, char *out, size_t out_size)
{
    snprintf(out, out_size, "%s.log", instance_name(instance));
}

int logs_open(instance_t *instance, char *error, size_t error_size)
{
    char name[80];
    log_name(instance, name, sizeof(name));
    int fd = openat(instance->supervisor->paths.log_fd, name,
        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        snprintf(error, error_size, "cannot write %s/%s: %s", instance->supervisor->paths.log, name,
            strerror(errno));
        return -1;
    }
    instance->log_start = lseek(fd, 0, SEEK_END);
    return fd;
}

int logs_redirect(const paths_t *paths, char *error, size_t error_size)
{
    int fd =
        openat(paths->log_fd, supervisor_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
        snprintf(error, error_size, "cannot write %s/%s: %s", paths->log, supervisor_log, strerror(errno));
        return -1;
    }
    close(fd);
    return 0;
}

/* Of a log line the words for people: "event: reason"; anything else as it is. */
static void words_of(text_t line, char *out, size_t out_size)
{
    char copy[LAST_WORDS_READ + 1];
    snprintf(copy, sizeof(copy), "%.*s", TEXT_ARG(line));
    json_t *object = json_loads(copy, 0, NULL);
    const char *event = json_string_value(json_object_get(object, "event"));
    const char *reason = json_string_value(json_object_get(object, "reason"));
    const char *what = json_string_value(json_object_get(object, "what"));
    if (event == NULL)
        snprintf(out, out_size, "%s", copy);
    else
        snprintf(out, out_size, "%s%s%s%s%s", event, what ? " " : "", what ? what : "", reason ? ": " : "",
            reason ? reason : "");
    json_decref(object);
}

static bool line_is_error(text_t line)
{
    return memmem(line.data, line.length, "\"level\":\"error\"", 15) != NULL ||
           memmem(line.data, line.length, "ERROR: ", 7) != NULL ||
           memmem(line.data, line.length, "runtime error: ", 15) != NULL;
}

/* "ready" explains no death. */
static bool line_is_calm(text_t line)
{
    return memmem(line.data, line.length, "\"level\":\"info\"", 14) != NULL ||
           memmem(line.data, line.length, "\"level\":\"debug\"", 15) != NULL;
}

void logs_last_words(const instance_t *instance, char *out, size_t out_size)
{
    char name[80], tail[LAST_WORDS_READ];
    out[0] = '\0';
    log_name(instance, name, sizeof(name));
    int fd = openat(instance->supervisor->paths.log_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    int64_t size = lseek(fd, 0, SEEK_END);
    int64_t from = size < instance->log_start ? 0 : instance->log_start; /* smaller: it was rotated */
    if (size - from > LAST_WORDS_READ)
        from = size - LAST_WORDS_READ;
    ssize_t length = pread(fd, tail, sizeof(tail), from);
    close(fd);
    text_t rest = {.data = tail, .length = length > 0 ? (size_t)length : 0}, line, last = {0},
           last_error = {0};
    while (text_split(&rest, '\n', &line)) {
        if (text_trim(line).length == 0)
            continue;
        if (!line_is_calm(line))
            last = line;
        if (line_is_error(line))
            last_error = line;
    }
    if (last.data != NULL)
        words_of(last_error.data != NULL ? last_error : last, out, out_size);
}

static void copy_name(const char *name, int number, char *out, size_t out_size)
{
    snprintf(out, out_size, "%s.%d", name, number);
}

static bool copy_contents(int from, int to)
{
    ssize_t copied;
    off_t offset = 0;
    while ((copied = copy_file_range(from, &offset, to, NULL, COPY_CHUNK, 0)) > 0)
        continue;
    return copied == 0;
}

static void rotate(supervisor_t *supervisor, const char *name)
{
    int directory = supervisor->paths.log_fd;
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        status.st_size < supervisor->config.log.max_size)
        return;
    char older[96], newer[96];
    for (int64_t number = supervisor->config.log.keep_files; number > 1; number--) {
        copy_name(name, (int)number, older, sizeof(older));
        copy_name(name, (int)number - 1, newer, sizeof(newer));
        renameat(directory, newer, directory, older);
    }
    copy_name(name, 1, newer, sizeof(newer));
    int from = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int to = supervisor->config.log.keep_files > 0
                 ? openat(directory, newer, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640)
                 : -1;
    bool copied = to >= 0 && from >= 0 && copy_contents(from, to);
    int reason = errno;
    if (from >= 0 && ftruncate(from, 0) != 0)
        reason = errno;
    log_event(copied || to < 0 ? LOG_INFO : LOG_WARNING, "rotated", LOG_S("file", name),
        LOG_S("reason", copied ? "size" : strerror(reason)));
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
}

void logs_rotate(supervisor_t *supervisor)
{
    char name[80];
    rotate(supervisor, supervisor_log);
    EACH_INSTANCE (supervisor, instance) {
        log_name(instance, name, sizeof(name));
        rotate(supervisor, name);
    }
}
