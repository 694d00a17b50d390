/* access_log: one NDJSON line for each request that is worth one: errors, writes, slow ones, and a sample of
 * the rest. Without personal data: no raw URL, no user, and of the address only a keyed hash (its key lives
 * as long as the segment). */
#pragma once
#include "address.h"
#include "base/config.h"
#include "base/loop.h"
#include "routing.h"
#include "shm/segment.h"

typedef struct {
    int64_t time;                  /* clock_now() of its beginning */
    text_t trace, operation, path; /* the path's template; data NULL: no route matched */
    enum method method;
    int status; /* 499: the client went away */
    int64_t bytes, microseconds;
    address_t client;
    int version; /* 0x101, 0x200 */
    bool tls, writes;
} access_t;

/* LOG_DIR/access.NUMBER.log. A file that cannot be opened is tried again; meanwhile lines are dropped and
 * counted. */
void access_log_open(loop_t *, segment_t *, const config_t *, const char *log_directory, int number);
/* Keeps the line for the next batch, if the request is worth one. Never waits. */
void access_log_add(const access_t *);
/* Writes what is kept; the last thing before the process ends. */
void access_log_close(void);
