/* Invariant: `deaths` are JSON objects, oldest first, HISTORY_MOST at most; the file has the same and is
 * written anew when it has twice as many lines. */
#include "history.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    json_t *deaths;
    int run_fd;
    int lines; /* in the file */
} history;

static void complain(const char *what)
{
    log_event(LOG_WARNING, "history_failed", LOG_S("what", what), LOG_S("reason", strerror(errno)),
        LOG_S("next", "deaths are kept in memory only; see whether the disk is full"));
}

static void keep(json_t *death)
{
    json_array_append_new(history.deaths, death);
    if (json_array_size(history.deaths) > HISTORY_MOST)
        json_array_remove(history.deaths, 0);
}

void history_open(int run_fd)
{
    history.run_fd = run_fd;
    history.deaths = json_array();
    int fd = openat(run_fd, "history", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL)
        return;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0) {
        history.lines++;
        json_t *death = json_loads(line, 0, NULL);
        if (json_is_object(death))
            keep(death);
        else
            json_decref(death); /* a line torn by a full disk */
    }
    free(line);
    fclose(file);
}

static bool line_write(int fd, const json_t *death)
{
    char *text = json_dumps(death, JSON_COMPACT);
    size_t length = strlen(text);
    text[length] = '\n'; /* in the place of the NUL: the length goes with it */
    bool whole = write(fd, text, length + 1) == (ssize_t)(length + 1);
    free(text);
    return whole;
}

static void file_rewrite(void)
{
    int fd =
        openat(history.run_fd, "history.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        complain("opening");
        return;
    }
    bool whole = true;
    size_t index;
    json_t *death;
    json_array_foreach (history.deaths, index, death)
        whole = whole && line_write(fd, death);
    close(fd);
    if (!whole || renameat(history.run_fd, "history.new", history.run_fd, "history") != 0)
        complain("writing");
    history.lines = (int)json_array_size(history.deaths);
}

void history_add(const death_t *death)
{
    json_t *object = death_to_json(death);
    keep(object);
    if (++history.lines > 2 * HISTORY_MOST) {
        file_rewrite();
        return;
    }
    int fd = openat(history.run_fd, "history", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0 || !line_write(fd, object))
        complain("writing");
    if (fd >= 0)
        close(fd);
}

json_t *history_list(int most)
{
    json_t *list = json_array();
    for (size_t i = json_array_size(history.deaths); i > 0 && (int)json_array_size(list) < most; i--)
        json_array_append(list, json_array_get(history.deaths, i - 1));
    return list;
}

static json_t *string_or_null(const char *string)
{
    json_t *value = string[0] != '\0' ? json_string(string) : NULL; /* NULL too when it is no UTF-8 */
    return value != NULL ? value : json_null();
}

json_t *death_to_json(const death_t *death)
{
    char time[28], described[256];
    time_format(death->time, time);
    death_describe(death, described, sizeof(described));
    json_t *object = json_pack("{s:s s:s s:i s:i s:f s:s s:o}", "time", time, "service", death->service,
        "instance", death->number, "pid", (int)death->pid, "uptime",
        (double)(death->uptime / CLOCK_MILLISECOND) / 1000.0, "cause", death->cause, "what",
        json_string(described));
    json_object_set_new(
        object, "signal", death->known && death->signal ? json_integer(death->signal) : json_null());
    json_object_set_new(
        object, "status", death->known && !death->signal ? json_integer(death->status) : json_null());
    json_object_set_new(object, "operation", string_or_null(death->operation));
    json_object_set_new(object, "call", string_or_null(death->call));
    json_object_set_new(object, "trace", string_or_null(death->trace));
    json_object_set_new(object, "log", string_or_null(death->log));
    return object;
}

void death_describe(const death_t *death, char *out, size_t out_size)
{
    char how[128];
    if (!death->known)
        snprintf(how, sizeof(how), "status unknown (it was adopted)");
    else if (death->signal)
        snprintf(how, sizeof(how), "signal %d (%s)", death->signal, strsignal(death->signal));
    else
        snprintf(how, sizeof(how), "exit status %d", death->status);
    bool plain = strcmp(death->cause, "crash") == 0 || strcmp(death->cause, "exit") == 0;
    snprintf(out, out_size, "%s%s%s after %.1f s%s%s", plain ? "" : death->cause, plain ? "" : ": ", how,
        (double)death->uptime / CLOCK_SECOND, death->operation[0] ? ", in " : "", death->operation);
}
