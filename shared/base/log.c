/* log: one NDJSON line per event, by one write(2) to standard error, whoever reads that (the supervisor's log
 * files, a terminal, journald). A line never waits for its reader: what is not taken at once is dropped and
 * counted. The line is built in place without allocating, so that a process out of memory can still say so.
 */
#include "log.h"
#include "clock.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The tail holds what must stand after a cut: a closing quote, the mark, a brace and the line's end. */
enum { LINE_SIZE = 8192, LINE_TAIL = 32, REQUEST_SIZE = 65 };

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static enum log_level least = LOG_INFO;
static char identity[64] = "aipoten";
static char request[REQUEST_SIZE];
static int64_t dropped;
static bool torn; /* the last line was written in part: the next one begins with a line's end */

typedef struct {
    char bytes[LINE_SIZE];
    size_t length;
    bool cut; /* something did not fit; nothing is added after it */
} line_t;

/* All of it, or nothing. */
static void line_add(line_t *line, const char *bytes, size_t length)
{
    if (line->cut || line->length + length > LINE_SIZE - LINE_TAIL) {
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

static void line_add_string(line_t *line, const char *string)
{
    line_add(line, string, strlen(string));
}

/* One character of a JSON string (RFC 8259, section 7); *text moves on. What is no UTF-8 becomes U+FFFD. */
static void line_add_character(line_t *line, text_t *text)
{
    unsigned char c = (unsigned char)text->data[0];
    size_t length = text_utf8_next(*text);
    char escape[8];

    if (c == '"' || c == '\\')
        line_add(line, (char[]){'\\', (char)c}, 2);
    else if (c < 0x20)
        line_add(line, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", c));
    else if (length == 0)
        line_add_string(line, "\\ufffd");
    else
        line_add(line, text->data, length);
    length = length ? length : 1;
    text->data += length;
    text->length -= length;
}

static void line_add_text(line_t *line, text_t text)
{
    if (text.data == NULL) {
        line_add_string(line, "null");
        return;
    }
    line_add(line, "\"", 1);
    if (line->cut)
        return;
    while (text.length > 0 && !line->cut)
        line_add_character(line, &text);
    line->bytes[line->length++] = '"'; /* there is always room for it in the tail */
}

/* A pair that does not even fit to its value's first quote is left out whole, so that the line stays JSON. */
static void line_add_field(line_t *line, const log_field_t *field)
{
    size_t before = line->length;
    char number[24];

    line_add(line, ",", 1);
    line_add_text(line, text_of(field->key));
    line_add(line, ":", 1);
    size_t value = line->length;
    if (field->kind == LOG_FIELD_INT)
        line_add(line, number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)field->number));
    else
        line_add_text(line, field->text);
    if (line->cut && line->length == value)
        line->length = before;
}

static void line_begin(line_t *line, enum log_level level, const char *event)
{
    char time[28];

    line->length = 0;
    line->cut = false;
    if (torn)
        line_add(line, "\n", 1);
    time_format(clock_now(), time);
    line_add_string(line, "{\"time\":\"");
    line_add_string(line, time);
    line_add_string(line, "\",\"level\":\"");
    line_add_string(line, level_names[level]);
    line_add_string(line, "\",\"service\":");
    line_add_text(line, text_of(identity));
    if (request[0] != '\0') {
        line_add_string(line, ",\"request\":");
        line_add_text(line, text_of(request));
    }
    line_add_string(line, ",\"event\":");
    line_add_text(line, text_of(event));
}

static void line_end(line_t *line)
{
    static const char mark[] = ",\"truncated\":true";
    if (line->cut) {
        memcpy(line->bytes + line->length, mark, sizeof(mark) - 1);
        line->length += sizeof(mark) - 1;
    }
    line->bytes[line->length++] = '}';
    line->bytes[line->length++] = '\n';
}

/* Would a write of this length return at once? For a pipe, poll(2) promises only PIPE_BUF bytes. */
static bool output_ready(size_t length)
{
    struct pollfd output = {.fd = STDERR_FILENO, .events = POLLOUT};
    struct stat what;
    int unread, capacity;

    if (poll(&output, 1, 0) != 1 || !(output.revents & POLLOUT) || (output.revents & (POLLERR | POLLNVAL)))
        return false;
    if (length <= PIPE_BUF || fstat(STDERR_FILENO, &what) != 0 || !S_ISFIFO(what.st_mode))
        return true;
    capacity = fcntl(STDERR_FILENO, F_GETPIPE_SZ);
    if (capacity < 0 || ioctl(STDERR_FILENO, FIONREAD, &unread) != 0)
        return false;
    /* Two pages more, because the first and the last page of what is unread may be partly used. */
    return (size_t)capacity >= (size_t)unread + length + 2 * PIPE_BUF;
}

static void line_write(const line_t *line)
{
    ssize_t written = -1;

    if (output_ready(line->length))
        do
            written = write(STDERR_FILENO, line->bytes, line->length);
        while (written < 0 && errno == EINTR);
    if (written == (ssize_t)line->length) {
        torn = false;
        return;
    }
    dropped++;
    if (written > 0)
        torn = true;
}

void log_identify(const char *service, int instance)
{
    snprintf(identity, sizeof(identity), "%s.%d", service, instance);
}

bool log_set_level(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
        if (strcmp(name, level_names[i]) == 0) {
            least = (enum log_level)i;
            return true;
        }
    return false;
}

void log_set_request(text_t trace_id)
{
    size_t length = trace_id.length < REQUEST_SIZE ? trace_id.length : REQUEST_SIZE - 1;
    if (length > 0)
        memcpy(request, trace_id.data, length);
    request[length] = '\0';
}

void log_write(enum log_level level, const char *event, const log_field_t *fields, size_t count)
{
    static _Thread_local line_t line; /* not on a coroutine's small stack */
    int saved = errno;

    if (level < least)
        return;
    line_begin(&line, level, event);
    for (size_t i = 0; i < count; i++)
        line_add_field(&line, &fields[i]);
    line_end(&line);
    line_write(&line);
    errno = saved;
}

int64_t log_dropped(void)
{
    return dropped;
}
