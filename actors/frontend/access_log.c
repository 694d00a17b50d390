/* access_log: lines are collected in a bounded buffer and written in batches between requests. What finds the
 * buffer full, or a full disk, is dropped and counted. A file over log.max_size is renamed to .1, .1 to .2,
 * and so on. */
#include "access_log.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/siphash.h"
#include "counters.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_LONGEST = 640,
    KEPT_BYTES = 1 << 20,
    BATCH_BYTES = 256 << 10,
    FLUSH_MILLISECONDS = 200,
    LOOK_AGAIN = 50
};

static struct {
    const config_t *config;
    uint8_t hash_key[16];
    char path[512];
    int fd;
    int64_t size;
    buffer_t kept;
    int64_t kept_lines;
    int64_t sample; /* requests until the next sampled one */
    int turns;      /* flushes until the file is looked at again */
    bool torn;      /* the last batch was written in part */
    bool warned;    /* about the fault that lasts */
} access_log = {.fd = -1};

/* --- lines -------------------------------------------------------------------------------------------------------- */

static char *put(char *at, const char *string)
{
    size_t length = strlen(string);
    memcpy(at, string, length);
    return at + length;
}

/* Operation names, path templates and trace ids hold nothing that JSON would escape. */
static char *put_text(char *at, const char *key, text_t text)
{
    at = put(at, key);
    if (text.data == NULL)
        return put(at, "null");
    *at++ = '"';
    memcpy(at, text.data, text.length);
    at += text.length;
    *at++ = '"';
    return at;
}

static char *put_number(char *at, const char *key, int64_t number)
{
    char digits[20];
    int count = 0;
    at = put(at, key);
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0 && count < 20);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_address(char *at, address_t client)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t hash = siphash(access_log.hash_key, client.bytes, sizeof(client.bytes));
    at = put(at, ",\"address\":\"");
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = hex[hash >> shift & 15];
    *at++ = '"';
    return at;
}

static char *put_line(char *at, const access_t *access)
{
    at = put(at, "{\"time\":\"");
    at += time_format(access->time, at);
    *at++ = '"';
    at = put_text(at, ",\"trace\":", access->trace);
    at = put_text(at, ",\"method\":", text_of(method_name(access->method)));
    at = put_text(at, ",\"operation\":", access->operation);
    at = put_text(at, ",\"path\":", access->path);
    at = put_number(at, ",\"status\":", access->status);
    at = put_number(at, ",\"bytes\":", access->bytes);
    at = put_number(at, ",\"us\":", access->microseconds);
    at = put_address(at, access->client);
    at = put(at, access->version >= 0x200 ? ",\"protocol\":\"h2\"" : ",\"protocol\":\"http/1.1\"");
    return put(at, access->tls ? ",\"tls\":true}\n" : ",\"tls\":false}\n");
}

static bool is_worth_a_line(const access_t *access)
{
    if (access->status >= 400 || access->writes ||
        access->microseconds >= access_log.config->log.slow_request * CLOCK_MILLISECOND)
        return true;
    if (--access_log.sample > 0)
        return false;
    access_log.sample = access_log.config->log.sample_one_in;
    return true;
}

void access_log_add(const access_t *access)
{
    if (!is_worth_a_line(access))
        return;
    size_t longest = LINE_LONGEST + access->trace.length + access->operation.length + access->path.length;
    if (access_log.kept.length + longest > KEPT_BYTES) {
        count(COUNTER_ACCESS_DROPPED, 1);
        return;
    }
    buffer_reserve(&access_log.kept, longest);
    char *begin = access_log.kept.data + access_log.kept.length;
    access_log.kept.length += (size_t)(put_line(begin, access) - begin);
    access_log.kept_lines++;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static void fault(const char *what)
{
    if (access_log.warned)
        return;
    access_log.warned = true;
    log_event(LOG_WARNING, "access_log_fault", LOG_S("what", what), LOG_S("reason", strerror(errno)),
        LOG_S("next", "make room, or correct the rights of the log directory; lines are dropped meanwhile"));
}

static void file_close(void)
{
    if (access_log.fd >= 0)
        close(access_log.fd);
    access_log.fd = -1;
}

static void file_open(void)
{
    struct stat status;
    access_log.fd = open(access_log.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (access_log.fd < 0 || fstat(access_log.fd, &status) != 0) {
        fault("open");
        file_close();
        return;
    }
    access_log.size = status.st_size;
}

static void file_rotate(void)
{
    char from[544], to[544];
    file_close();
    for (int64_t i = access_log.config->log.keep_files; i >= 1; i--) {
        if (i > 1)
            snprintf(from, sizeof(from), "%s.%lld", access_log.path, (long long)i - 1);
        else
            snprintf(from, sizeof(from), "%s", access_log.path);
        snprintf(to, sizeof(to), "%s.%lld", access_log.path, (long long)i);
        if (rename(from, to) != 0 && errno != ENOENT)
            fault("rotate");
    }
    file_open();
}

/* Was the file moved or removed by somebody else? */
static void file_look(void)
{
    struct stat here, there;
    if (access_log.fd >= 0 && fstat(access_log.fd, &here) == 0 && stat(access_log.path, &there) == 0 &&
        here.st_ino == there.st_ino && here.st_dev == there.st_dev)
        return;
    file_close();
    file_open();
}

static void batch_write(const char *data, size_t length, int64_t lines)
{
    ssize_t written = access_log.fd < 0 ? -1 : write(access_log.fd, data, length);
    if (written > 0)
        access_log.size += written;
    if (written == (ssize_t)length) {
        access_log.warned = access_log.torn = false;
        count(COUNTER_ACCESS_LINES, lines);
        return;
    }
    if (access_log.fd >= 0)
        fault("write");
    access_log.torn |= written > 0;
    count(COUNTER_ACCESS_DROPPED, lines);
}

/* A whole number of lines, at most BATCH_BYTES unless the first line alone is longer. */
static size_t batch_length(const buffer_t *kept)
{
    if (kept->length <= BATCH_BYTES)
        return kept->length;
    const char *end = memrchr(kept->data, '\n', BATCH_BYTES);
    return end ? (size_t)(end + 1 - kept->data) : kept->length;
}

static void flush_batch(void)
{
    buffer_t *kept = &access_log.kept;
    if (kept->length == 0)
        return;
    if (access_log.fd >= 0 && access_log.size > access_log.config->log.max_size)
        file_rotate();
    if (access_log.torn && access_log.fd >= 0 && write(access_log.fd, "\n", 1) == 1)
        access_log.torn = false;
    size_t length = batch_length(kept);
    int64_t lines = access_log.kept_lines;
    if (length < kept->length) {
        lines = 0;
        for (const char *at = kept->data; (at = memchr(at, '\n', (size_t)(kept->data + length - at))) != NULL;
             at++)
            lines++;
    }
    batch_write(kept->data, length, lines);
    buffer_consume(kept, length);
    access_log.kept_lines -= lines;
}

static void flush_on_time(void *argument)
{
    (void)argument;
    if (--access_log.turns <= 0) {
        access_log.turns = LOOK_AGAIN;
        file_look();
    }
    flush_batch();
}

void access_log_open(
    loop_t *loop, segment_t *segment, const config_t *config, const char *log_directory, int number)
{
    access_log.config = config;
    access_log.sample = 1;
    access_log.turns = LOOK_AGAIN;
    memcpy(access_log.hash_key, segment_hash_key(segment), sizeof(access_log.hash_key));
    snprintf(access_log.path, sizeof(access_log.path), "%s/access.%d.log", log_directory, number);
    file_open();
    loop->timer(loop, FLUSH_MILLISECONDS, flush_on_time, NULL);
}

void access_log_close(void)
{
    while (access_log.kept.length > 0)
        flush_batch();
    file_close();
    buffer_free(&access_log.kept);
}
