/* outgoing: messages from this actor to others, and the coroutines that wait for their answers. The table is bounded; every
 * wait has a deadline; an instance that dies fails what it had. */
#pragma once
#include "internal.h"

enum outgoing_status {
    OUTGOING_ANSWERED,
    OUTGOING_UNAVAILABLE, /* no ready instance, or too many are under way: nothing was sent */
    OUTGOING_LOST,        /* the instance died with it: it may have been done */
    OUTGOING_LATE,        /* the deadline came first: it may have been done, or be done yet */
};

typedef struct outgoing {
    int status_code; /* HTTP status of the answer, when it was answered */
    enum outgoing_status status;
    bool done;
    int64_t deadline; /* clock_monotonic() */
    int64_t ticket;
    buffer_t *body; /* where the answer's body goes; NULL: it does not matter */
    void *upstream;
    coroutine_t *waiting;
    struct outgoing *next; /* of those that are done */
} outgoing_t;

/* Once, when the loop is there. */
void outgoing_open(loop_t *, process_t *);
void outgoing_close(void);
/* Sends; fills `out`, which must stay where it is, with `body`, until outgoing_wait returned. Sets the request's caller, ticket
 * and time left. */
void outgoing_send(outgoing_t *out, const char *service, request_t *request, int64_t deadline, buffer_t *body);
/* Suspends until it is answered or failed. */
void outgoing_wait(outgoing_t *out);
