#include "../unit.h"
#include "base/clock.h"
#include "base/loop.h"
#include <signal.h>
#include <unistd.h>

typedef struct {
    loop_t *loop;
    loop_watch_t *watch, *other;
    loop_timer_t *timer, *limit;
    int ends[2];
    int ready, ticks, hooks, signals;
    int last_events;
    int more; /* how often the hook finds work */
} rig_t;

static void give_up(void *argument)
{
    (void)argument;
    fail_msg("the loop waited too long");
}

static void rig_make(rig_t *rig)
{
    *rig = (rig_t){.loop = loop_ev_create()};
    assert_int_equal(pipe(rig->ends), 0);
    rig->limit = rig->loop->timer(rig->loop, 10000, give_up, NULL);
}

static void rig_free(rig_t *rig)
{
    rig->loop->timer_stop(&rig->limit);
    assert_null(rig->limit);
    close(rig->ends[0]);
    close(rig->ends[1]);
}

static void read_one(void *argument, int events)
{
    rig_t *rig = argument;
    char byte;
    rig->last_events = events;
    assert_int_equal(read(rig->ends[0], &byte, 1), 1);
    if (++rig->ready == 3)
        loop_ev_stop(rig->loop);
}

static void write_one(void *argument)
{
    rig_t *rig = argument;
    rig->ticks++;
    assert_int_equal(write(rig->ends[1], "x", 1), 1);
}

static void watching(void **state)
{
    rig_t rig;
    (void)state;
    rig_make(&rig);
    rig.watch = rig.loop->watch(rig.loop, rig.ends[0], LOOP_READ, read_one, &rig);
    rig.timer = rig.loop->timer(rig.loop, 1, write_one, &rig);
    loop_ev_run(rig.loop);
    assert_int_equal(rig.ready, 3);
    assert_true(rig.ticks >= 3);
    assert_int_equal(rig.last_events, LOOP_READ);
    rig.loop->timer_stop(&rig.timer);
    rig.loop->unwatch(&rig.watch);
    assert_null(rig.watch);
    rig.loop->unwatch(&rig.watch);
    rig.loop->timer_stop(&rig.timer);
    rig_free(&rig);
}

static void both_directions(void *argument, int events)
{
    rig_t *rig = argument;
    rig->last_events |= events;
    rig->ready++;
    if (rig->ready == 5)
        rig->loop->watch_change(rig->watch, 0); /* silent, though it is still writable */
}

static void tick_to_stop(void *argument)
{
    rig_t *rig = argument;
    if (++rig->ticks == 5)
        loop_ev_stop(rig->loop);
}

static void changing(void **state)
{
    rig_t rig;
    (void)state;
    rig_make(&rig);
    /* Nothing asked for at first. */
    rig.watch = rig.loop->watch(rig.loop, rig.ends[1], 0, both_directions, &rig);
    rig.timer = rig.loop->timer(rig.loop, 2, tick_to_stop, &rig);
    loop_ev_run(rig.loop);
    assert_int_equal(rig.ready, 0);
    rig.ticks = 0;
    rig.loop->watch_change(rig.watch, LOOP_WRITE);
    rig.loop->watch_change(rig.watch, LOOP_WRITE);
    loop_ev_run(rig.loop);
    assert_int_equal(rig.ready, 5);
    assert_int_equal(rig.last_events, LOOP_WRITE);
    rig.loop->timer_stop(&rig.timer);
    rig.loop->unwatch(&rig.watch);
    rig_free(&rig);
}

/* Two watchers ready in the same turn: the first to run removes both. */
static void remove_both(void *argument, int events)
{
    rig_t *rig = argument;
    (void)events;
    rig->ready++;
    rig->loop->unwatch(&rig->watch);
    rig->loop->unwatch(&rig->other);
    rig->loop->timer_stop(&rig->timer);
    loop_ev_stop(rig->loop);
}

static void removing(void **state)
{
    rig_t rig;
    (void)state;
    rig_make(&rig);
    int copy = dup(rig.ends[1]);
    rig.watch = rig.loop->watch(rig.loop, rig.ends[1], LOOP_WRITE, remove_both, &rig);
    rig.other = rig.loop->watch(rig.loop, copy, LOOP_WRITE, remove_both, &rig);
    rig.timer = rig.loop->timer(rig.loop, 1, write_one, &rig);
    loop_ev_run(rig.loop);
    assert_int_equal(rig.ready, 1);
    close(copy);
    rig_free(&rig);
}

static void stop_own_timer(void *argument)
{
    rig_t *rig = argument;
    rig->loop->timer_stop(&rig->timer);
    if (++rig->ticks == 3)
        loop_ev_stop(rig->loop);
    else
        rig->timer = rig->loop->timer(rig->loop, 1, stop_own_timer, rig);
}

static void timers(void **state)
{
    rig_t rig;
    (void)state;
    rig_make(&rig);
    int64_t begin = clock_monotonic();
    rig.timer = rig.loop->timer(rig.loop, 30, stop_own_timer, &rig);
    loop_ev_run(rig.loop);
    assert_int_equal(rig.ticks, 3);
    assert_true(clock_monotonic() - begin >= 29 * CLOCK_MILLISECOND);
    /* A long callback before does not shorten a timer. */
    rig.ticks = 2;
    usleep(60000);
    begin = clock_monotonic();
    rig.timer = rig.loop->timer(rig.loop, 30, stop_own_timer, &rig);
    loop_ev_run(rig.loop);
    assert_true(clock_monotonic() - begin >= 29 * CLOCK_MILLISECOND);
    rig_free(&rig);
}

static bool count_hook(void *argument)
{
    rig_t *rig = argument;
    rig->hooks++;
    if (--rig->more == 0)
        loop_ev_stop(rig->loop);
    return rig->more > 0;
}

static bool second_hook(void *argument)
{
    rig_t *rig = argument;
    assert_true(rig->hooks > rig->ticks); /* in the order of registration */
    rig->ticks++;
    return false;
}

static void note_ready(void *argument, int events)
{
    rig_t *rig = argument;
    (void)events;
    rig->ready++;
    rig->loop->unwatch(&rig->watch);
}

/* A hook with work for many rounds keeps the loop awake, but lets descriptors have their turn. */
static void hooks(void **state)
{
    rig_t rig;
    (void)state;
    rig_make(&rig);
    rig.more = 1000;
    rig.loop->add_turn_hook(rig.loop, count_hook, &rig);
    rig.loop->add_turn_hook(rig.loop, second_hook, &rig);
    rig.watch = rig.loop->watch(rig.loop, rig.ends[1], LOOP_WRITE, note_ready, &rig);
    int64_t begin = clock_monotonic();
    loop_ev_run(rig.loop);
    assert_int_equal(rig.ready, 1);
    assert_true(rig.hooks >= 1000);
    assert_int_equal(rig.hooks, rig.ticks);
    assert_true(clock_monotonic() - begin < 5 * CLOCK_SECOND);
    rig_free(&rig);
}

static bool slow_hook(void *argument)
{
    rig_t *rig = argument;
    usleep(2000);
    if (rig->ready == 0)
        rig->hooks++;
    if (--rig->more == 0)
        loop_ev_stop(rig->loop);
    return rig->more > 0;
}

/* A hook whose rounds take long (a password's hash) has one before descriptors have their turn. */
static void slow_hooks(void **state)
{
    rig_t rig;
    (void)state;
    rig_make(&rig);
    rig.more = 20;
    rig.loop->add_turn_hook(rig.loop, slow_hook, &rig);
    rig.watch = rig.loop->watch(rig.loop, rig.ends[1], LOOP_WRITE, note_ready, &rig);
    loop_ev_run(rig.loop);
    assert_int_equal(rig.ready, 1);
    assert_int_equal(rig.hooks, 1);
    rig_free(&rig);
}

static void tick_and_stop_soon(void *argument)
{
    rig_t *rig = argument;
    if (++rig->ticks == 20)
        loop_ev_stop(rig->loop);
}

static bool idle_hook(void *argument)
{
    ((rig_t *)argument)->hooks++;
    return false;
}

/* Without work the loop sleeps: about one turn for each tick, not a million. */
static void sleeping(void **state)
{
    rig_t rig;
    (void)state;
    rig_make(&rig);
    rig.loop->add_turn_hook(rig.loop, idle_hook, &rig);
    rig.timer = rig.loop->timer(rig.loop, 5, tick_and_stop_soon, &rig);
    loop_ev_run(rig.loop);
    assert_true(rig.hooks >= 20 && rig.hooks < 200);
    rig.loop->timer_stop(&rig.timer);
    rig_free(&rig);
}

static void on_signal(void *argument)
{
    rig_t *rig = argument;
    rig->signals++;
    loop_ev_stop(rig->loop);
}

static void raise_it(void *argument)
{
    rig_t *rig = argument;
    rig->loop->timer_stop(&rig->timer);
    raise(SIGUSR1);
    assert_int_equal(rig->signals, 0); /* from the loop, not from the signal's context */
}

static void signals(void **state)
{
    rig_t rig;
    (void)state;
    rig_make(&rig);
    loop_ev_signal(rig.loop, SIGUSR1, on_signal, &rig);
    rig.timer = rig.loop->timer(rig.loop, 1, raise_it, &rig);
    loop_ev_run(rig.loop);
    assert_int_equal(rig.signals, 1);
    /* A stop before the run counts. */
    loop_ev_stop(rig.loop);
    loop_ev_run(rig.loop);
    rig_free(&rig);
}

/* All of whole steps fall on the same places, wherever they begin, and keep them, early or late by less than half a step. */
static void steps(void **state)
{
    const int64_t step = LOOP_STEP * CLOCK_MILLISECOND, place = loop_due(1000000, LOOP_STEP, false) % step;
    (void)state;
    assert_int_equal(loop_due(1000003, 7, false), 1000003 + 7 * CLOCK_MILLISECOND);
    for (int64_t now = 2000000; now < 2000000 + 2 * step; now += 333)
        for (int milliseconds = LOOP_STEP; milliseconds <= 200; milliseconds += LOOP_STEP) {
            int64_t interval = milliseconds * CLOCK_MILLISECOND, due = loop_due(now, milliseconds, false);
            assert_int_equal(due % step, place);
            assert_in_range(due - now, interval, interval + step - 1);
            assert_int_equal(loop_due(due, milliseconds, true), due + interval);
            assert_int_equal(loop_due(due + step / 2 - 1, milliseconds, true), due + interval);
            assert_int_equal(loop_due(due - step / 2, milliseconds, true), due + interval);
            assert_int_equal(loop_due(due + step / 2, milliseconds, true), due + interval + step);
        }
}

/* Whatever a timer leaves out, all of its times are counted. */
static void times(void **state)
{
    static const int turns[] = {3, 12, 20, 40, 130};
    (void)state;
    for (size_t i = 0; i < sizeof(turns) / sizeof(*turns); i++) {
        int64_t begin = 1000000, last = begin, due = loop_due(begin, LOOP_STEP, false), counted = 0;
        for (int64_t now = begin; now < begin + 5 * CLOCK_SECOND; now += turns[i] * CLOCK_MILLISECOND)
            if (now >= due) {
                int64_t came = loop_times(&last, now, LOOP_STEP);
                assert_in_range(came, 0, turns[i] / LOOP_STEP + 2);
                counted += came;
                due = loop_due(now, LOOP_STEP, true);
            }
        assert_in_range(counted, 193, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(watching), cmocka_unit_test(changing),
        cmocka_unit_test(removing), cmocka_unit_test(timers), cmocka_unit_test(hooks),
        cmocka_unit_test(slow_hooks),
        cmocka_unit_test(sleeping), cmocka_unit_test(signals), cmocka_unit_test(steps),
        cmocka_unit_test(times)};
    return cmocka_run_group_tests_name("base/loop_ev", tests, NULL, NULL);
}
