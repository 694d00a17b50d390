/* outgoing: messages from this actor to others, and the coroutines that wait for their answers. The table is bounded; every
 * wait has a deadline; an instance that dies fails what it had. */
#pragma once
#include "internal.h"

enum outgoing_status {
    OUTGOING_ANSWERED,
    OUTGOING_UNAVAILABLE, /* no ready instance, or the table is full: nothing was sent */
    OUTGOING_LOST,        /* the instance died with it, or the deadline came: it may have been done */
};

typedef struct outgoing {
    int status_code; /* HTTP status of the answer, when it was answered */
    enum outgoing_status status;
    bool done;
    int64_t deadline; /* clock_monotonic() */
    int64_t ticket;
    void *upstream;
    coroutine_t *waiting;
    struct outgoing *next;
} outgoing_t;

/* Once, when the loop is there. */
void outgoing_open(loop_t *, process_t *);
void outgoing_close(void);
/* Sends; fills `out`, which must stay where it is until outgoing_wait returned. Sets the request's ticket and time left. */
void outgoing_send(outgoing_t *out, const char *service, request_t *request, int64_t deadline);
/* Suspends until it is answered or failed. */
void outgoing_wait(outgoing_t *out);
