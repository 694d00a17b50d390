/* loop_h2o: watchers are libh2o sockets that never read by themselves; they are taken off the loop by
 * exporting them, since closing one would close a descriptor that belongs to somebody else. Timers are our
 * own: libh2o's follow the wall clock, and stand still while that is set back. */
#include "loop_h2o.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include <errno.h>

enum { HOOKS_MAX = 32, SLEEP_LONGEST = 1000 };

typedef struct {
    loop_t face; /* first: a loop_t * is a loop_h2o_t * */
    h2o_evloop_t *evloop;
    loop_timer_t *timers;
    int64_t next_due;
    bool more; /* a hook has work left */
    int hook_count;
    struct {
        bool (*hook)(void *argument);
        void *argument;
    } hooks[HOOKS_MAX];
} loop_h2o_t;

struct loop_watch {
    h2o_socket_t *socket;
    int events;
    void (*on_ready)(void *argument, int events);
    void *argument;
};

struct loop_timer {
    int milliseconds;
    int64_t due;                     /* clock_monotonic() */
    void (*on_time)(void *argument); /* NULL: stopped */
    void *argument;
    struct loop_timer *next;
};

/* --- descriptors -------------------------------------------------------------------------------------------------- */

static void on_readable(h2o_socket_t *socket, const char *error)
{
    loop_watch_t *watch = socket->data;
    (void)error;
    watch->on_ready(watch->argument, LOOP_READ);
}

/* libh2o tells of writability once: it is asked again before the callback, which may remove the watch. */
static void on_writable(h2o_socket_t *socket, const char *error)
{
    loop_watch_t *watch = socket->data;
    (void)error;
    if (!(watch->events & LOOP_WRITE))
        return;
    h2o_socket_notify_write(socket, on_writable);
    watch->on_ready(watch->argument, LOOP_WRITE);
}

static void watch_change(loop_watch_t *watch, int events)
{
    watch->events = events;
    if ((events & LOOP_READ) && !h2o_socket_is_reading(watch->socket))
        h2o_socket_read_start(watch->socket, on_readable);
    else if (!(events & LOOP_READ) && h2o_socket_is_reading(watch->socket))
        h2o_socket_read_stop(watch->socket);
    if ((events & LOOP_WRITE) && !h2o_socket_is_writing(watch->socket))
        h2o_socket_notify_write(watch->socket, on_writable);
}

static loop_watch_t *watch_add(
    loop_t *loop, int fd, int events, void (*on_ready)(void *argument, int events), void *argument)
{
    loop_watch_t *watch = memory_zeroed(1, sizeof(*watch));
    watch->socket = h2o_evloop_socket_create(((loop_h2o_t *)loop)->evloop, fd, H2O_SOCKET_FLAG_DONT_READ);
    watch->socket->data = watch;
    watch->on_ready = on_ready;
    watch->argument = argument;
    watch_change(watch, events);
    return watch;
}

static void watch_remove(loop_watch_t **watch)
{
    h2o_socket_export_t exported;
    if (*watch == NULL)
        return;
    h2o_socket_t *socket = (*watch)->socket;
    if (h2o_socket_is_reading(socket))
        h2o_socket_read_stop(socket);
    socket->_cb.write = NULL; /* export insists that nothing is being written */
    if (h2o_socket_export(socket, &exported) != 0)
        panic("libh2o kept a descriptor");
    h2o_buffer_dispose(&exported.input);
    free(*watch);
    *watch = NULL;
}

/* --- timers ------------------------------------------------------------------------------------------------------- */

static loop_timer_t *timer_add(
    loop_t *face, int milliseconds, void (*on_time)(void *argument), void *argument)
{
    loop_h2o_t *loop = (loop_h2o_t *)face;
    insist(milliseconds > 0);
    loop_timer_t *timer = memory_zeroed(1, sizeof(*timer));
    *timer = (loop_timer_t){.milliseconds = milliseconds,
        .due = loop_due(clock_monotonic(), milliseconds, false),
        .on_time = on_time,
        .argument = argument,
        .next = loop->timers};
    loop->timers = timer;
    if (timer->due < loop->next_due)
        loop->next_due = timer->due;
    return timer;
}

/* It may be running just now: timers_run frees it. */
static void timer_stop(loop_timer_t **timer)
{
    if (*timer != NULL)
        (*timer)->on_time = NULL;
    *timer = NULL;
}

static void timers_run(loop_h2o_t *loop, int64_t now)
{
    for (loop_timer_t *timer = loop->timers; timer != NULL; timer = timer->next)
        if (timer->due <= now && timer->on_time != NULL) {
            timer->due = loop_due(now, timer->milliseconds, true);
            timer->on_time(timer->argument);
        }
    loop->next_due = INT64_MAX;
    for (loop_timer_t **at = &loop->timers; *at != NULL;) {
        loop_timer_t *timer = *at;
        if (timer->on_time == NULL) {
            *at = timer->next;
            free(timer);
            continue;
        }
        if (timer->due < loop->next_due)
            loop->next_due = timer->due;
        at = &timer->next;
    }
}

/* --- turns -------------------------------------------------------------------------------------------------------- */

static void add_turn_hook(loop_t *face, bool (*hook)(void *argument), void *argument)
{
    loop_h2o_t *loop = (loop_h2o_t *)face;
    if (loop->hook_count == HOOKS_MAX)
        panic("more turn hooks than HOOKS_MAX");
    loop->hooks[loop->hook_count].hook = hook;
    loop->hooks[loop->hook_count++].argument = argument;
}

loop_t *loop_h2o_create(h2o_evloop_t *evloop)
{
    loop_h2o_t *loop = memory_zeroed(1, sizeof(*loop));
    loop->evloop = evloop;
    loop->next_due = INT64_MAX;
    loop->face = (loop_t){.watch = watch_add,
        .watch_change = watch_change,
        .unwatch = watch_remove,
        .timer = timer_add,
        .timer_stop = timer_stop,
        .add_turn_hook = add_turn_hook};
    return &loop->face;
}

static int32_t wait_time(const loop_h2o_t *loop)
{
    /* What a hook wrote to a client has its completion waiting in the loop, which would sleep over it. */
    if (loop->more || loop->evloop->_pending_as_server != NULL || loop->evloop->_pending_as_client != NULL)
        return 0;
    int64_t left = loop->next_due - clock_monotonic();
    if (left <= 0)
        return 0;
    return left < SLEEP_LONGEST * CLOCK_MILLISECOND ? (int32_t)((left + CLOCK_MILLISECOND - 1) / CLOCK_MILLISECOND) : SLEEP_LONGEST;
}

/* The kernel had no room to watch one more descriptor: that connection is lost to its timeout, the others go
 * on. */
static void loop_fault(int error)
{
    if (error == EINTR)
        return;
    if (error != ENOSPC && error != ENOMEM)
        panic("the event loop: %s", strerror(error));
    log_event(LOG_ERROR, "loop_short_of_memory", LOG_S("reason", strerror(error)),
        LOG_S("next", "raise fs.epoll.max_user_watches, or lower http.max_connections"));
}

void loop_h2o_turn(loop_t *face)
{
    loop_h2o_t *loop = (loop_h2o_t *)face;
    if (h2o_evloop_run(loop->evloop, wait_time(loop)) != 0)
        loop_fault(errno);
    int64_t now = clock_monotonic();
    if (now >= loop->next_due)
        timers_run(loop, now);
    loop->more = false;
    for (int i = 0; i < loop->hook_count; i++) {
        bool more = loop->hooks[i].hook(loop->hooks[i].argument);
        loop->more |= more; /* a hook may ask for another turn by itself */
    }
}

void loop_h2o_again(loop_t *face)
{
    ((loop_h2o_t *)face)->more = true;
}
