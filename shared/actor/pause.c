/* pause: see the header. Those who pause wait in the order in which they came; one timer runs while there are any. */
#include "pause.h"
#include "internal.h"
#include "../base/clock.h"
#include "../base/panic.h"

enum { PAUSE_MILLISECONDS = 1 };

typedef struct pausing {
    coroutine_t *who;
    int64_t until; /* clock_monotonic */
    struct pausing *next;
} pausing_t;

static struct {
    pausing_t *first, **end;
    loop_timer_t *timer;
} pauses;

static void on_time(void *argument)
{
    (void)argument;
    int64_t now = clock_monotonic();
    while (pauses.first && pauses.first->until <= now) {
        coroutine_t *who = pauses.first->who;
        pauses.first = pauses.first->next;
        coroutine_resume(who);
    }
    if (!pauses.first)
        context.loop->timer_stop(&pauses.timer);
}

void pause_shortly(void)
{
    pausing_t own = {.who = coroutine_current(), .until = clock_monotonic() + PAUSE_MILLISECONDS * CLOCK_MILLISECOND};
    insist(own.who != NULL);
    if (!pauses.first)
        pauses.end = &pauses.first;
    *pauses.end = &own;
    pauses.end = &own.next;
    if (!pauses.timer)
        pauses.timer = context.loop->timer(context.loop, PAUSE_MILLISECONDS, on_time, NULL);
    coroutine_suspend();
}
