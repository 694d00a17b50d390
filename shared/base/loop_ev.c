/* loop_ev: the loop of loop.h over libev. Turn hooks run in libev's prepare step: after all callbacks of the
 * last turn, right before it would sleep. When they still have work after HOOK_ROUNDS rounds, or after HOOK_TIME,
 * an idle watcher keeps libev from sleeping, so that descriptors and timers get their turn in between.
 *
 * A watcher may be removed from inside any callback, its own too: libev drops its pending events when it is
 * stopped, and nothing here looks at a watcher after its callback. */
#include "loop.h"
#include "clock.h"
#include "memory.h"
#include "panic.h"
#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

enum { HOOKS_MAX = 32, HOOK_ROUNDS = 8 };
#define HOOK_TIME CLOCK_MILLISECOND /* a password's hash takes fifty of them: nothing else may wait for eight in a row */

typedef struct loop_signal {
    ev_signal signal;
    void (*on_signal)(void *argument);
    void *argument;
    struct loop_signal *next;
} loop_signal_t;

typedef struct loop_ev {
    loop_t face; /* first: a loop_t * is a loop_ev_t * */
    struct ev_loop *ev;
    ev_prepare before_sleep;
    ev_idle no_sleep;
    bool stopped;
    int hook_count;
    struct {
        bool (*hook)(void *argument);
        void *argument;
    } hooks[HOOKS_MAX];
    loop_signal_t *signals;
    struct loop_ev *older;
} loop_ev_t;

/* Loops live as long as the process. */
static loop_ev_t *newest;

struct loop_watch {
    ev_io io;
    struct ev_loop *ev;
    void (*on_ready)(void *argument, int events);
    void *argument;
};

struct loop_timer {
    ev_timer timer;
    struct ev_loop *ev;
    int milliseconds;
    void (*on_time)(void *argument);
    void *argument;
};

static int ev_events(int events)
{
    return (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
}

static void io_ready(struct ev_loop *ev, ev_io *io, int revents)
{
    loop_watch_t *watch = (loop_watch_t *)io;
    (void)ev;
    if (revents & EV_ERROR)
        panic("libev refused descriptor %d", io->fd);
    watch->on_ready(
        watch->argument, (revents & EV_READ ? LOOP_READ : 0) | (revents & EV_WRITE ? LOOP_WRITE : 0));
}

static loop_watch_t *loop_watch(
    loop_t *loop, int fd, int events, void (*on_ready)(void *argument, int events), void *argument)
{
    loop_watch_t *watch = memory_zeroed(1, sizeof(*watch));

    insist(fd >= 0);
    watch->ev = ((loop_ev_t *)loop)->ev;
    watch->on_ready = on_ready;
    watch->argument = argument;
    ev_io_init(&watch->io, io_ready, fd, ev_events(events));
    if (events != 0)
        ev_io_start(watch->ev, &watch->io);
    return watch;
}

static void loop_watch_change(loop_watch_t *watch, int events)
{
    int wanted = ev_events(events);

    if (ev_is_active(&watch->io) ? (watch->io.events & (EV_READ | EV_WRITE)) == wanted : wanted == 0)
        return;
    ev_io_stop(watch->ev, &watch->io);
    ev_io_set(&watch->io, watch->io.fd, wanted);
    if (wanted != 0)
        ev_io_start(watch->ev, &watch->io);
}

static void loop_unwatch(loop_watch_t **watch)
{
    if (*watch == NULL)
        return;
    ev_io_stop((*watch)->ev, &(*watch)->io);
    free(*watch);
    *watch = NULL;
}

/* The steps of two processes do not fall together: all of a machine at once would be in the way of its requests. */
int64_t loop_due(int64_t now, int milliseconds, bool again)
{
    int64_t step = LOOP_STEP * CLOCK_MILLISECOND, due = now + milliseconds * CLOCK_MILLISECOND;
    if (milliseconds % LOOP_STEP != 0)
        return due;
    int64_t phase = getpid() * INT64_C(7919) % step, over = (due - phase) % step; /* 7919: a prime, so that neighbours lie apart */
    if (again) /* early or late by less than half a step, it keeps its place */
        return over < step / 2 ? due - over : due - over + step;
    return over == 0 ? due : due - over + step;
}

int64_t loop_times(int64_t *last, int64_t now, int milliseconds)
{
    int64_t step = milliseconds * CLOCK_MILLISECOND, times = (now - *last) / step;
    *last += times * step;
    return times;
}

static void timer_arm(loop_timer_t *timer, bool again)
{
    int64_t now = clock_monotonic();
    /* libev counts from the start of the turn; a long callback before us would shorten the time. */
    ev_now_update(timer->ev);
    timer->timer.repeat = (double)(loop_due(now, timer->milliseconds, again) - now) / (double)CLOCK_SECOND;
    ev_timer_again(timer->ev, &timer->timer);
}

static void timer_due(struct ev_loop *ev, ev_timer *timer, int revents)
{
    loop_timer_t *own = (loop_timer_t *)timer;
    (void)ev;
    (void)revents;
    timer_arm(own, true);
    own->on_time(own->argument);
}

static loop_timer_t *loop_timer(
    loop_t *loop, int milliseconds, void (*on_time)(void *argument), void *argument)
{
    loop_timer_t *timer = memory_zeroed(1, sizeof(*timer));

    timer->milliseconds = milliseconds > 0 ? milliseconds : 1;
    timer->ev = ((loop_ev_t *)loop)->ev;
    timer->on_time = on_time;
    timer->argument = argument;
    ev_init(&timer->timer, timer_due);
    timer_arm(timer, false);
    return timer;
}

static void loop_timer_stop(loop_timer_t **timer)
{
    if (*timer == NULL)
        return;
    ev_timer_stop((*timer)->ev, &(*timer)->timer);
    free(*timer);
    *timer = NULL;
}

static void loop_add_turn_hook(loop_t *loop, bool (*hook)(void *argument), void *argument)
{
    loop_ev_t *own = (loop_ev_t *)loop;
    insist(own->hook_count < HOOKS_MAX);
    own->hooks[own->hook_count].hook = hook;
    own->hooks[own->hook_count].argument = argument;
    own->hook_count++;
}

static bool hooks_run(loop_ev_t *loop)
{
    bool more = false;
    for (int i = 0; i < loop->hook_count; i++)
        more |= loop->hooks[i].hook(loop->hooks[i].argument);
    return more;
}

static void before_sleep(struct ev_loop *ev, ev_prepare *prepare, int revents)
{
    loop_ev_t *loop = prepare->data;
    int64_t until = clock_monotonic() + HOOK_TIME;
    bool more = hooks_run(loop);
    (void)revents;

    for (int round = 1; more && round < HOOK_ROUNDS && clock_monotonic() < until; round++)
        more = hooks_run(loop);
    if (more)
        ev_idle_start(ev, &loop->no_sleep);
    else
        ev_idle_stop(ev, &loop->no_sleep);
}

static void no_sleep(struct ev_loop *ev, ev_idle *idle, int revents)
{
    (void)ev;
    (void)idle;
    (void)revents;
}

loop_t *loop_ev_create(void)
{
    loop_ev_t *loop = memory_zeroed(1, sizeof(*loop));

    loop->face = (loop_t){.watch = loop_watch,
        .watch_change = loop_watch_change,
        .unwatch = loop_unwatch,
        .timer = loop_timer,
        .timer_stop = loop_timer_stop,
        .add_turn_hook = loop_add_turn_hook};
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (loop->ev == NULL)
        panic("libev: no epoll");
    ev_prepare_init(&loop->before_sleep, before_sleep);
    loop->before_sleep.data = loop;
    ev_prepare_start(loop->ev, &loop->before_sleep);
    ev_idle_init(&loop->no_sleep, no_sleep);
    loop->older = newest;
    newest = loop;
    return &loop->face;
}

void loop_ev_run(loop_t *loop)
{
    loop_ev_t *own = (loop_ev_t *)loop;
    if (!own->stopped)
        ev_run(own->ev, 0);
    own->stopped = false;
}

void loop_ev_stop(loop_t *loop)
{
    loop_ev_t *own = (loop_ev_t *)loop;
    own->stopped = true;
    ev_break(own->ev, EVBREAK_ALL);
}

static void signal_caught(struct ev_loop *ev, ev_signal *signal, int revents)
{
    loop_signal_t *own = (loop_signal_t *)signal;
    (void)ev;
    (void)revents;
    own->on_signal(own->argument);
}

void loop_ev_signal(loop_t *loop, int signal_number, void (*on_signal)(void *argument), void *argument)
{
    loop_ev_t *own = (loop_ev_t *)loop;
    loop_signal_t *signal = memory_zeroed(1, sizeof(*signal));

    signal->on_signal = on_signal;
    signal->argument = argument;
    signal->next = own->signals;
    own->signals = signal;
    ev_signal_init(&signal->signal, signal_caught, signal_number);
    ev_signal_start(own->ev, &signal->signal);
}
