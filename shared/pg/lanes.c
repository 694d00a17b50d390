/* lanes: what the lanes share: waiting with a deadline, the machine's budget of connections, the tick that reconnects. */
#include "internal.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <stdio.h>
#include <stdlib.h>

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void wait_unlink(lanes_t *lanes, wait_t *wait)
{
    if (wait->previous)
        wait->previous->next = wait->next;
    else
        lanes->waiting = wait->next;
    if (wait->next)
        wait->next->previous = wait->previous;
    wait->next = wait->previous = NULL;
}

bool wait_for(lanes_t *lanes, wait_t *wait, int64_t deadline)
{
    *wait = (wait_t){.coroutine = coroutine_current(), .deadline = deadline, .next = lanes->waiting};
    insist(wait->coroutine != NULL);
    if (lanes->waiting)
        lanes->waiting->previous = wait;
    lanes->waiting = wait;
    coroutine_suspend();
    return !wait->expired;
}

/* Resuming is left to the end of the turn, so that no handler runs inside the loop that reads a connection. */
void wait_wake(lanes_t *lanes, wait_t *wait)
{
    if (!wait->coroutine || wait->woken)
        return;
    wait->woken = true;
    wait_unlink(lanes, wait);
    *lanes->woken_end = wait;
    lanes->woken_end = &wait->next;
}

static bool resume_woken(lanes_t *lanes)
{
    bool any = false;
    while (lanes->woken) {
        wait_t *wait = lanes->woken;
        lanes->woken = wait->next;
        if (!lanes->woken)
            lanes->woken_end = &lanes->woken;
        coroutine_t *coroutine = wait->coroutine;
        wait->coroutine = NULL;
        coroutine_resume(coroutine); /* the wait lies on its stack: not to be touched after this */
        any = true;
    }
    return any;
}

/* One a turn: whoever yields does so because its next step is long. */
static bool resume_yielded(lanes_t *lanes)
{
    wait_t *wait = lanes->yielded;
    if (!wait)
        return false;
    lanes->yielded = wait->next;
    if (!lanes->yielded)
        lanes->yielded_end = &lanes->yielded;
    coroutine_resume(wait->coroutine);
    return true;
}

void lanes_yield(lanes_t *lanes)
{
    wait_t wait = {.coroutine = coroutine_current()};
    insist(wait.coroutine != NULL);
    *lanes->yielded_end = &wait;
    lanes->yielded_end = &wait.next;
    coroutine_suspend();
}

void lanes_pause(lanes_t *lanes, int milliseconds)
{
    wait_t wait;
    wait_for(lanes, &wait, clock_monotonic() + milliseconds * CLOCK_MILLISECOND);
}

static void expire(lanes_t *lanes, int64_t now)
{
    for (wait_t *wait = lanes->waiting, *next; wait; wait = next) {
        next = wait->next;
        if (wait->deadline > now)
            continue;
        wait->expired = true;
        wait_wake(lanes, wait);
    }
}

/* --- connections -------------------------------------------------------------------------------------------------- */

bool connection_allowed(lanes_t *lanes, int rank)
{
    if (!place_take(lanes->process, rank))
        return false;
    counter_add(lanes->counters.connections, 1);
    return true;
}

/* Draining instances give theirs up first, then everybody what others wait for. */
int64_t lanes_keep(const lanes_t *lanes)
{
    if (lanes->leaving || lanes->wanted.count > 0)
        return TICK_MILLISECONDS * CLOCK_MILLISECOND;
    return lanes->process->config.database.idle_close * CLOCK_MILLISECOND;
}

void connection_end(lanes_t *lanes, PGconn **pg)
{
    if (!*pg)
        return;
    PQfinish(*pg);
    *pg = NULL;
    place_give(lanes->process);
    counter_add(lanes->counters.connections, -1);
}

text_t connection_error(const PGconn *pg)
{
    text_t all = text_trim(text_of(PQerrorMessage(pg))), first = {0};
    /* What stands from a statement that failed before may quote its values. */
    if (text_starts_with(all, TEXT("ERROR:")))
        return TEXT("the connection was lost after a failed statement");
    text_split(&all, '\n', &first);
    return first;
}

/* PostgreSQL's notices, and its last word to an idle connection. libpq would write them to standard error as they are: no
 * line of our log, and with values in it. */
static void on_notice(void *argument, const PGresult *notice)
{
    (void)argument;
    log_event(LOG_INFO, "database_notice", LOG_S("severity", PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED)),
        LOG_S("sqlstate", PQresultErrorField(notice, PG_DIAG_SQLSTATE)));
}

PGconn *connection_start(lanes_t *lanes, const char *role, const char *options)
{
    char name[64];
    insist(lanes->url != NULL);
    snprintf(name, sizeof name, "aipoten %s.%d %s", lanes->process->service, lanes->process->number, role);
    char all[240]; /* SQL's clock is this process's (aipoten.app_now) */
    snprintf(all, sizeof all, "%s -c aipoten.clock_shift=%lld", options, (long long)clock_shift());
    const char *keywords[] = {"dbname", "application_name", "options", "keepalives_idle", "tcp_user_timeout", NULL};
    const char *values[] = {lanes->url, name, clock_shift() ? all : options, "30", "10000", NULL};
    PGconn *pg = PQconnectStartParams(keywords, values, 1);
    if (!pg)
        panic("out of memory: a connection");
    PQsetNoticeReceiver(pg, on_notice, NULL);
    return pg;
}

/* --- counting ----------------------------------------------------------------------------------------------------- */

const char *const lane_names[LANES] = {[LANE_READ] = "read", [LANE_WRITE] = "write", [LANE_SLOW] = "slow"};

void lanes_count(lanes_t *lanes, enum lane lane, int64_t began)
{
    counter_add(lanes->counters.statements[lane], 1);
    counter_add(lanes->counters.time[lane], clock_monotonic() - began);
}

/* --- the turn and the tick ---------------------------------------------------------------------------------------- */

static bool turn(void *argument)
{
    lanes_t *lanes = argument;
    groups_turn(lanes);
    bool more = resume_yielded(lanes); /* before the others: what yields in this turn goes on in the next */
    more |= resume_woken(lanes);
    more |= lanes->yielded != NULL;
    pipeline_turn(lanes->read);
    pipeline_turn(lanes->slow);
    return more;
}

/* Tells the others what this process waits for. */
static void wish(lanes_t *lanes)
{
    int rank = pipeline_wish(lanes->read), slow = pipeline_wish(lanes->slow), write = writers_wish(lanes);
    rank = slow < rank ? slow : rank;
    rank = write < rank ? write : rank;
    place_wish(lanes->process, rank);
    atomic_store_explicit(lanes->counters.waiting, rank != PLACE_NONE, memory_order_relaxed);
}

static void tick(void *argument)
{
    lanes_t *lanes = argument;
    uint32_t state = atomic_load_explicit(&lanes->process->self->state, memory_order_relaxed);
    lanes->leaving = state == INSTANCE_DRAINING || state == INSTANCE_STOPPING;
    lanes->wanted = places_wanted(lanes->process);
    expire(lanes, clock_monotonic());
    pipeline_tick(lanes->read);
    pipeline_tick(lanes->slow);
    writers_tick(lanes);
    wish(lanes);
}

static void counters_declare(lanes_t *lanes)
{
    segment_instance_t *self = lanes->process->self;
    lanes->counters.queries = counter_declare(self, "database_queries", "queries", "statements sent to PostgreSQL");
    lanes->counters.failed = counter_declare(self, "database_failed", "queries", "statements that did not succeed");
    lanes->counters.transactions = counter_declare(self, "database_commits", "commits", "transactions committed");
    lanes->counters.rollbacks = counter_declare(self, "database_rollbacks", "rollbacks", "transactions rolled back");
    lanes->counters.grouped = counter_declare(self, "database_grouped", "calls", "writing calls that shared their COMMIT with others");
    lanes->counters.spoiled = counter_declare(self, "database_spoiled", "groups", "groups that were undone, each call then tried alone");
    lanes->counters.connections = counter_declare(self, "database_connections", "open", "connections to PostgreSQL");
    lanes->counters.waiting =
        counter_declare(self, "database_waiting", "now", "1: calls wait for a connection, the machine has no more of them");
    for (int lane = 0; lane < LANES; lane++) {
        char name[40];
        snprintf(name, sizeof name, "database_statements_%s", lane_names[lane]);
        lanes->counters.statements[lane] = counter_declare(self, name, "statements", "statements and commits of this lane");
        snprintf(name, sizeof name, "database_time_%s", lane_names[lane]);
        lanes->counters.time[lane] = counter_declare(self, name, "us", "time that they took, as their callers waited for them");
    }
}

lanes_t *lanes_open(loop_t *loop, process_t *process, const char *url, const statement_t *const *statements, int count)
{
    lanes_t *lanes = memory_zeroed(1, sizeof *lanes);
    *lanes = (lanes_t){
        .loop = loop, .process = process, .url = url, .statements = statements, .statement_count = count};
    lanes->woken_end = &lanes->woken;
    lanes->yielded_end = &lanes->yielded;
    lanes->writer_queue_end = &lanes->writer_queue;
    counters_declare(lanes);
    atomic_store(&process->self->database_connections, 0); /* whoever had this row before holds none any more */
    place_wish(process, PLACE_NONE);
    lanes->read = pipeline_create(lanes, LANE_READ);
    lanes->slow = pipeline_create(lanes, LANE_SLOW);
    lanes->timer = loop->timer(loop, TICK_MILLISECONDS, tick, lanes);
    loop->add_turn_hook(loop, turn, lanes);
    return lanes;
}

rows_t *lanes_read(lanes_t *lanes, const statement_t *statement, const param_t *params, int count, int64_t deadline)
{
    insist(statement->lane != LANE_WRITE);
    pipeline_t *lane = statement->lane == LANE_SLOW ? lanes->slow : lanes->read;
    int64_t began = clock_monotonic();
    rows_t *rows = pipeline_query(lane, statement, params, count, deadline);
    lanes_count(lanes, statement->lane, began);
    counter_add(lanes->counters.queries, 1);
    if (rows->status != DB_OK)
        counter_add(lanes->counters.failed, 1);
    return rows;
}

bool lanes_ready(const lanes_t *lanes)
{
    return !lanes->url || pipeline_ready(lanes->read);
}

bool lanes_idle(const lanes_t *lanes)
{
    return pipeline_idle(lanes->read) && pipeline_idle(lanes->slow) && lanes->writers_busy == 0 && !lanes->waiting && !lanes->yielded;
}

void lanes_close(lanes_t **take_lanes)
{
    lanes_t *lanes = *take_lanes;
    if (!lanes)
        return;
    *take_lanes = NULL;
    lanes->loop->timer_stop(&lanes->timer);
    pipeline_destroy(&lanes->read);
    pipeline_destroy(&lanes->slow);
    writers_close(lanes);
    /* The turn hook stays registered in a loop that has ended, so the memory stays too. */
}
