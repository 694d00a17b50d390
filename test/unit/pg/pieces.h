/* pieces: a test's pieces run in coroutines on a loop with its lanes, until all have come back. Included once by a program. */
#pragma once
#include "../unit.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "pg/lanes.h"
#include <unistd.h>

enum { PIECES_MAX = 150, HANGS_AFTER = 30 /* seconds: what never comes back to the loop */ };

static process_t process;
static loop_t *loop;
static lanes_t *lanes;
static int running;
static int64_t soon; /* a deadline */

#define ONE(FIELD) FIELD(integer, value)
MESSAGE(one, ONE);

static void process_make(int write_connections)
{
    int fd;
    process = (process_t){.service = "test", .number = 1, .segment = segment_create(&fd)};
    process.self = segment_instance(process.segment, 0);
    atomic_store(&process.self->used, 1);
    process.config.database.connections = 20;
    process.config.database.write_connections = write_connections;
    process.config.database.read_timeout = 200;
    process.config.database.write_timeout = 3000;
    process.config.database.slow_timeout = 3000;
    process.config.database.idle_close = 60000;
    process.config.http.request_timeout = 10000;
    coroutine_configure(PIECES_MAX, 256 * 1024);
}

static enum db_status status_of(rows_t *take_rows)
{
    enum db_status status = take_rows->status;
    rows_free(&take_rows);
    return status;
}

typedef void (*piece_t)(int number);
typedef struct {
    piece_t piece;
    int number;
} work_t;
static work_t work[PIECES_MAX];

static void run_piece(void *argument)
{
    work_t *item = argument;
    item->piece(item->number);
    running--;
}

static void stop_when_done(void *argument)
{
    (void)argument;
    if (running == 0)
        loop_ev_stop(loop);
    else if (clock_monotonic() > soon + 10 * CLOCK_SECOND)
        fail_msg("%d coroutines never came back", running);
}

static void until(void (*condition)(void *argument), int milliseconds)
{
    alarm(HANGS_AFTER);
    loop_timer_t *timer = loop->timer(loop, milliseconds, condition, NULL);
    loop_ev_run(loop);
    loop->timer_stop(&timer);
    alarm(0);
}

static void run_pieces(piece_t piece, int count)
{
    soon = clock_monotonic() + 5 * CLOCK_SECOND;
    assert_in_range(count, 0, PIECES_MAX); /* 0: a turn of the loop and more */
    running = count;
    for (int i = 0; i < count; i++) {
        work[i] = (work_t){piece, i};
        coroutine_start(run_piece, &work[i]);
    }
    until(stop_when_done, 1);
}

static void wait_ready(void *argument)
{
    (void)argument;
    if (lanes_ready(lanes))
        loop_ev_stop(loop);
}

static void until_ready(void)
{
    until(wait_ready, 5);
}
