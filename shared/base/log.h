/* log: structured lines (NDJSON) on standard error: time, level, service.instance, request id, event, key=value.
 * Personal data and secrets never stand in one. A warning says what to do next (field "next").
 *
 *     log_event(LOG_WARNING, "database_lost", LOG_S("reason", reason), LOG_S("next", "reconnecting"));
 */
#pragma once
#include "text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

typedef struct {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT } kind;
    text_t text;
    int64_t number;
} log_field_t;

#define LOG_S(k, string) ((log_field_t){.key = (k), .kind = LOG_FIELD_TEXT, .text = text_of(string)})
#define LOG_T(k, t) ((log_field_t){.key = (k), .kind = LOG_FIELD_TEXT, .text = (t)})
#define LOG_I(k, n) ((log_field_t){.key = (k), .kind = LOG_FIELD_INT, .number = (n)})

/* Who this process is; both are borrowed for its life. Before it, lines say "aipoten". */
void log_identify(const char *service, int instance);
/* "debug", "info", "warning" or "error"; false for anything else. */
bool log_set_level(const char *name);
/* The request whose handler runs now: its trace id stands in every line until it is cleared with an empty text. */
void log_set_request(text_t trace_id);
/* One write(2) of one line of at most 8 KB (longer ones are cut and say "truncated": true). Never waits for the reader: a line
 * that standard error does not take at once is dropped and counted. */
void log_write(enum log_level level, const char *event, const log_field_t *fields, size_t count);
/* Lines that were dropped, since the start. */
int64_t log_dropped(void);
#define log_event(level, event, ...)                                                                               \
    log_write(level, event, (log_field_t[]){{0}, ##__VA_ARGS__} + 1,                                               \
        sizeof((log_field_t[]){{0}, ##__VA_ARGS__}) / sizeof(log_field_t) - 1)
