/* writing: see the header. */
#include "writing.h"
#include "base/clock.h"
#include "base/panic.h"
#include "frontend/loop_h2o.h"
#include "polling.h"
#include "websocket.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    SLICE = 200,       /* microseconds of a turn that may go into writing: requests of HTTP wait for no more */
    SLICE_STEP = 8,    /* sessions between two looks at the time */
    PAUSE = 400,       /* microseconds until the next slice: others have the processor more than half of the time */
    PACED_MOST = 1000, /* milliseconds of slices and pauses; what is not written by then has waited long enough */
};

static struct {
    loop_t *loop;
    session_t *dirty_first, *dirty_last, *closed;
    bool (*more)(void); /* queues some more; NULL: there is none */
    int64_t since;      /* clock_monotonic() when there was nothing to write last */
    bool pausing;
    int pause;          /* a timerfd, which ends the pause: the loop's timers count milliseconds */
} writing;

/* --- the list ----------------------------------------------------------------------------------------------------- */

static bool has_work(void)
{
    return writing.dirty_first != NULL || writing.more != NULL;
}

static void work_begin(void)
{
    if (!has_work())
        writing.since = clock_monotonic();
}

void writing_add(session_t *session)
{
    if (session->dirty)
        return;
    session->dirty = true;
    session->next = NULL;
    if (writing.dirty_last != NULL)
        writing.dirty_last->next = session;
    else {
        work_begin();
        writing.dirty_first = session;
    }
    writing.dirty_last = session;
    if (!writing.pausing)
        loop_h2o_again(writing.loop);
}

void writing_feed(bool (*more)(void))
{
    insist(writing.more == NULL || writing.more == more);
    work_begin();
    writing.more = more;
    if (!writing.pausing)
        loop_h2o_again(writing.loop);
}

static session_t *dirty_take(void)
{
    session_t *session = writing.dirty_first;
    if (session == NULL)
        return NULL;
    writing.dirty_first = session->next;
    if (writing.dirty_first == NULL)
        writing.dirty_last = NULL;
    session->dirty = false;
    session->next = NULL;
    return session;
}

static void bury(session_t *session)
{
    session->next = writing.closed;
    writing.closed = session;
}

void writing_end(session_t *session)
{
    if (!session->dirty) /* else it is in that list still */
        bury(session);
    loop_h2o_again(writing.loop);
}

/* --- slices ------------------------------------------------------------------------------------------------------- */

static void flush(session_t *session)
{
    if (session->websocket != NULL)
        websocket_flush(session->websocket);
    else
        polling_flush(session);
}

static void on_pause_over(void *argument, int events)
{
    uint64_t times;
    (void)argument, (void)events;
    if (read(writing.pause, &times, sizeof(times)) == sizeof(times))
        writing.pausing = false; /* the turn goes on with the list */
}

/* What is left of the list waits for the next slice. */
static void pause_begin(int64_t now)
{
    const struct itimerspec pause = {.it_value.tv_nsec = PAUSE * 1000};
    writing.pausing = now - writing.since < PACED_MOST * CLOCK_MILLISECOND &&
                       timerfd_settime(writing.pause, 0, &pause, NULL) == 0;
    if (!writing.pausing)
        loop_h2o_again(writing.loop);
}

static void write_to(session_t *session)
{
    if (session->closed)
        bury(session);
    else
        flush(session);
}

static void feed(void)
{
    if (!writing.more())
        writing.more = NULL;
}

/* For a slice of time. */
static void write_some(void)
{
    int64_t now = clock_monotonic(), until = now + SLICE;
    for (int i = 0; has_work() && (i % SLICE_STEP != 0 || i == 0 || (now = clock_monotonic()) < until); i++) {
        session_t *session = dirty_take();
        if (session != NULL)
            write_to(session);
        else
            feed();
    }
    if (has_work())
        pause_begin(now);
}

static bool on_turn(void *argument)
{
    session_t *session;
    (void)argument;
    if (has_work() && !writing.pausing)
        write_some();
    websockets_bury();
    while ((session = writing.closed) != NULL) {
        writing.closed = session->next;
        free(session);
    }
    return false;
}

void writing_feed_all(void)
{
    while (writing.more != NULL)
        feed();
}

void writing_open(loop_t *loop)
{
    writing.loop = loop;
    if ((writing.pause = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) < 0)
        panic("timerfd: %s", strerror(errno));
    loop->watch(loop, writing.pause, LOOP_READ, on_pause_over, NULL);
    loop->add_turn_hook(loop, on_turn, NULL);
}
