/* requests: what aipotenctl may ask, one row each. */
#pragma once
#include "plan.h"
#include "supervisor.h"

/* What a client waits for; the answer is given later. */
typedef struct {
    enum { WAIT_NOTHING, WAIT_READY, WAIT_DOWN, WAIT_RELOADED } what;
    target_t target;
    int64_t deadline; /* clock_monotonic() */
    int failures;     /* restart_failures when the restart or roll began; -1: it waits for none */
} wait_t;

/* The answer, a new object; NULL: *wait was filled. *send_fd >= 0: this descriptor goes with the answer, then
 * it is closed. */
json_t *request_run(supervisor_t *, const json_t *request, wait_t *wait, int *send_fd);
/* The answer to a wait whose time has come; NULL: not yet. */
json_t *request_wait_over(supervisor_t *, const wait_t *);
/* {"ok": false, "error": …} */
json_t *request_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
