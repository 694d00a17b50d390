/* writer: connections for writing, each used by one transaction, or one group of them, at a time. They are opened as needed up to
 * database.write_connections and closed when idle, so that commits overlap and share an fsync. Statements are prepared on a
 * connection at their first use there.
 *
 * A new one costs its first callers some 15 milliseconds, until PostgreSQL knows its catalogues there; a transaction takes one or two. So
 * whoever finds all busy waits for one of them, and those who still wait at a tick open another; and of several that are idle the
 * oldest is taken. */
#include "internal.h"
#include "../base/clock.h"
#include "../base/fault.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECT_TIMEOUT = 3000,
    SLICE = 100, /* milliseconds for which one keeps its only connection while others wait for a first */
};

/* --- the queue ---------------------------------------------------------------------------------------------------- */

/* Callers in the order they came; bounded by the coroutines. Who waits keeps its place until it has a connection or gives up,
 * and nobody who comes later overtakes it. */
typedef struct queued {
    wait_t wait;
    bool may_open; /* it has waited long enough for one that there is */
    struct queued *next;
} queued_t;

static void queue_add(lanes_t *lanes, queued_t *queued)
{
    *lanes->writer_queue_end = queued;
    lanes->writer_queue_end = &queued->next;
}

static void queue_remove(lanes_t *lanes, queued_t *queued)
{
    for (queued_t **at = &lanes->writer_queue; *at; at = &(*at)->next)
        if (*at == queued) {
            *at = queued->next;
            if (!*at)
                lanes->writer_queue_end = at;
            return;
        }
}

/* A connection is free, or one more may be made: for the first who is not on its way already. */
static void queue_wake(lanes_t *lanes, bool may_open)
{
    for (queued_t *queued = lanes->writer_queue; queued; queued = queued->next)
        if (!queued->wait.woken) {
            queued->may_open = may_open;
            wait_wake(lanes, &queued->wait);
            return;
        }
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void writer_close(writer_t *writer)
{
    lanes_t *lanes = writer->lanes;
    writer_t **at = &lanes->writers;
    while (*at != writer)
        at = &(*at)->next;
    *at = writer->next;
    lanes->writer_count--;
    if (writer->busy)
        lanes->writers_busy--;
    if (writer->watch)
        lanes->loop->unwatch(&writer->watch);
    connection_end(lanes, &writer->pg);
    free(writer);
    queue_wake(lanes, false);
}

/* --- the socket --------------------------------------------------------------------------------------------------- */

static void on_socket(void *argument, int events)
{
    writer_t *writer = argument;
    (void)events;
    if (writer->wait) {
        wait_wake(writer->lanes, writer->wait);
    } else if (!writer->busy) { /* whatever an idle connection has to say: it is closing */
        writer_close(writer);
    } else { /* read when somebody waits for it again */
        writer->lanes->loop->watch_change(writer->watch, 0);
        writer->watched = 0;
    }
}

static bool wait_socket(writer_t *writer, int events, int64_t deadline)
{
    if (writer->watched != events)
        writer->lanes->loop->watch_change(writer->watch, events);
    writer->watched = events;
    wait_t wait;
    writer->wait = &wait;
    bool ready = wait_for(writer->lanes, &wait, deadline);
    writer->wait = NULL;
    return ready; /* watched on: mostly for the same thing again, and each change is a system call */
}

static void watch_socket(writer_t *writer)
{
    loop_t *loop = writer->lanes->loop;
    if (writer->watch)
        loop->unwatch(&writer->watch);
    writer->watch = loop->watch(loop, PQsocket(writer->pg), 0, on_socket, writer);
    writer->watched = 0;
}

/* Connects; suspends meanwhile. A call's statements go by keys, and one plan fits all of their values; PostgreSQL left to itself plans
 * most of them anew each time once it has statistics, which takes longer than to run them. A plan may be made while a table is almost
 * empty, and be in use when it no longer is: so none reads a whole table that could go by an index. */
static bool writer_connect(writer_t *writer, int64_t deadline)
{
    char options[240];
    snprintf(options, sizeof options,
        "-c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c statement_timeout=%lld -c lock_timeout=%lld"
        " -c idle_in_transaction_session_timeout=%lld",
        (long long)writer->lanes->process->config.database.write_timeout,
        (long long)writer->lanes->process->config.database.write_timeout,
        (long long)writer->lanes->process->config.http.request_timeout);
    writer->pg = connection_start(writer->lanes, "write", options);
    if (PQstatus(writer->pg) == CONNECTION_BAD)
        return false;
    int64_t limit = clock_monotonic() + CONNECT_TIMEOUT * CLOCK_MILLISECOND;
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step != PGRES_POLLING_OK) {
        watch_socket(writer);
        if (!wait_socket(writer, step == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE, deadline < limit ? deadline : limit))
            return false;
        step = PQconnectPoll(writer->pg);
        if (step == PGRES_POLLING_FAILED)
            return false;
    }
    watch_socket(writer);
    PQsetnonblocking(writer->pg, 1);
    PQenterPipelineMode(writer->pg);
    return true;
}

/* An idle connection that the server has not closed meanwhile. */
static writer_t *writer_idle(lanes_t *lanes)
{
    for (writer_t *writer = lanes->writers, *next; writer; writer = next) {
        next = writer->next;
        if (writer->busy)
            continue;
        if (PQconsumeInput(writer->pg) && PQstatus(writer->pg) == CONNECTION_OK)
            return writer;
        writer_close(writer);
    }
    return NULL;
}

/* Said once, and once more when it is over. */
static void writers_lost(lanes_t *lanes, text_t reason, const char *next)
{
    if (!lanes->writers_lost)
        log_event(LOG_WARNING, "database_lost", LOG_S("lane", "write"), LOG_T("reason", reason), LOG_S("next", next));
    lanes->writers_lost = true;
}

/* A new connection, when there is a place in the machine's budget; NULL: none could be made. */
static writer_t *writer_open(lanes_t *lanes, int64_t deadline)
{
    writer_t *writer = memory_zeroed(1, sizeof *writer);
    *writer = (writer_t){.lanes = lanes, .busy = true};
    writer_t **end = &lanes->writers;
    while (*end)
        end = &(*end)->next;
    *end = writer;
    lanes->writer_count++;
    lanes->writers_busy++;
    if (writer_connect(writer, deadline)) {
        writer->opened = clock_monotonic();
        if (lanes->writers_lost)
            log_event(LOG_INFO, "database_back", LOG_S("lane", "write"));
        lanes->writers_lost = false;
        return writer;
    }
    text_t reason = connection_error(writer->pg);
    writers_lost(lanes, reason.length ? reason : TEXT("no connection within the time limit"),
        "each write tries again; until then it answers 503");
    writer_close(writer);
    return NULL;
}

/* False: all are busy, and there cannot be one more now. */
static bool writer_try(lanes_t *lanes, int64_t deadline, bool may_open, writer_t **out)
{
    *out = writer_idle(lanes);
    if (*out) {
        (*out)->busy = true;
        lanes->writers_busy++;
        return true;
    }
    if (lanes->writer_count >= (may_open ? lanes->process->config.database.write_connections : 1))
        return false;
    if (!connection_allowed(lanes, PLACE_FIRST + lanes->writer_count))
        return false; /* writers_tick looks again, and meanwhile those that we have may do */
    *out = writer_open(lanes, deadline);
    return true;
}

/* NULL: no connection came; *status says why. */
writer_t *writer_take(lanes_t *lanes, int64_t deadline, enum db_status *status)
{
    writer_t *writer = NULL;
    bool decided = !lanes->writer_queue && writer_try(lanes, deadline, false, &writer), in_time = true;
    if (!decided) {
        queued_t queued = {0};
        queue_add(lanes, &queued);
        do
            in_time = wait_for(lanes, &queued.wait, deadline);
        while (in_time && !writer_try(lanes, deadline, queued.may_open, &writer));
        queue_remove(lanes, &queued);
    }
    if (!writer) {
        *status = in_time ? DB_UNAVAILABLE : DB_TIMEOUT;
        queue_wake(lanes, false);
    }
    return writer;
}

/* Is it another process's turn? That of one that has fewer than this, or none while this one had its only one for a while. */
static bool writer_is_owed(const writer_t *writer)
{
    const lanes_t *lanes = writer->lanes;
    if (lanes->wanted.count <= 0)
        return false;
    int count = lanes->writer_count;
    return count > lanes->wanted.rank ||
           (count == PLACE_FIRST && lanes->wanted.rank == PLACE_FIRST &&
               clock_monotonic() - writer->opened > SLICE * CLOCK_MILLISECOND);
}

/* Back among the idle ones, or closed when another process is to have its place or its state is not known. */
void writer_give(writer_t *writer, bool clean)
{
    lanes_t *lanes = writer->lanes;
    bool owed = writer_is_owed(writer);
    lanes->wanted.count -= owed;
    if (clean && !owed && !writer->outdated && PQtransactionStatus(writer->pg) == PQTRANS_IDLE) {
        writer->busy = false;
        writer->last_used = clock_monotonic();
        lanes->writers_busy--;
        if (writer->watched != LOOP_READ)
            lanes->loop->watch_change(writer->watch, LOOP_READ); /* to notice that the server closes it */
        writer->watched = LOOP_READ;
        queue_wake(lanes, false);
    } else {
        writer_close(writer);
    }
}

/* What one connection was told of a migration, the others would be: a call that runs again must not meet each of them. */
void writers_renew(lanes_t *lanes)
{
    for (writer_t *writer = lanes->writers, *next; writer; writer = next) {
        next = writer->next;
        writer->outdated = true;
        if (!writer->busy)
            writer_close(writer);
    }
}

/* Could a caller that waits have a connection more? */
static bool writers_want(const lanes_t *lanes)
{
    return lanes->writer_queue && lanes->writer_count < lanes->process->config.database.write_connections;
}

void writers_tick(lanes_t *lanes)
{
    int64_t now = clock_monotonic();
    for (writer_t *writer = lanes->writers, *next; writer && !lanes->writer_queue; writer = next) {
        next = writer->next;
        if (writer->busy || writer->last_used >= now - lanes_keep(lanes))
            continue;
        lanes->wanted.count--;
        writer_close(writer);
    }
    if (!writers_want(lanes))
        return;
    int more = (int)lanes->process->config.database.write_connections - lanes->writer_count;
    for (int free = places_free(lanes->process, PLACE_FIRST + lanes->writer_count); free > 0 && more > 0; free--, more--)
        queue_wake(lanes, true);
}

int writers_wish(const lanes_t *lanes)
{
    return writers_want(lanes) ? PLACE_FIRST + lanes->writer_count : PLACE_NONE;
}

void writers_close(lanes_t *lanes)
{
    while (lanes->writers)
        writer_close(lanes->writers);
}

/* --- one exchange: what was sent, a Sync, and the answers up to it ------------------------------------------------ */

bool writer_exchange(writer_t *writer, int64_t deadline, bool committing, take_result_t take, void *argument)
{
    int number = 0;
    if (writer->unsent || !PQpipelineSync(writer->pg)) /* and sends what the socket takes now */
        return false;
    if (committing)
        fault_point("commit.sent");
    for (;;) {
        int left = PQflush(writer->pg);
        while (left >= 0 && !PQisBusy(writer->pg)) {
            PGresult *result = PQgetResult(writer->pg);
            if (!result && PQstatus(writer->pg) == CONNECTION_BAD)
                return false; /* there will be no other answer than NULL */
            if (!result)
                continue;
            if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
                PQclear(result);
                return true;
            }
            take(argument, number++, result);
        }
        if (left < 0 || PQstatus(writer->pg) == CONNECTION_BAD ||
            !wait_socket(writer, left ? LOOP_READ | LOOP_WRITE : LOOP_READ, deadline) || !PQconsumeInput(writer->pg))
            return false;
    }
}

void writer_keep_last(PGresult **kept, PGresult *take)
{
    if (PQresultStatus(take) == PGRES_PIPELINE_ABORTED || (*kept && PQresultStatus(*kept) == PGRES_FATAL_ERROR)) {
        PQclear(take);
        return;
    }
    PQclear(*kept);
    *kept = take;
}

static void keep_last(void *argument, int number, PGresult *take)
{
    (void)number;
    writer_keep_last(argument, take);
}

PGresult *writer_last(writer_t *writer, int64_t deadline, bool committing)
{
    PGresult *kept = NULL;
    if (writer_exchange(writer, deadline, committing, keep_last, &kept))
        return kept;
    PQclear(kept);
    return NULL;
}

int writer_command(writer_t *writer, const char *command)
{
    writer->unsent |= !PQsendQueryPrepared(writer->pg, command, 0, NULL, NULL, NULL, 0);
    return 1;
}

/* The commands are statements, too: a name costs PostgreSQL less than a text. */
int writer_prepare_commands(writer_t *writer)
{
    static const char *const commands[WRITER_COMMANDS] = {"BEGIN", "COMMIT", "ROLLBACK", WRITER_PLANS};
    if (writer->commands)
        return 0;
    for (int i = 0; i < WRITER_COMMANDS; i++)
        writer->unsent |= !PQsendPrepare(writer->pg, commands[i], commands[i], 0, NULL);
    writer->commands = true;
    return WRITER_COMMANDS;
}

bool writer_send(writer_t *writer, const statement_t *statement, const param_t *params, int count)
{
    insist(statement->plan && statement->plan->number < WRITER_STATEMENTS_MAX);
    int number = statement->plan->number;
    uint64_t bit = UINT64_C(1) << number % 64;
    bool first = !(writer->prepared[number / 64] & bit);
    if (first)
        writer->unsent |= !PQsendPrepare(writer->pg, statement->name, statement->sql, 0, NULL);
    writer->prepared[number / 64] |= bit;
    bound_t bound;
    params_bind(statement, params, count, &bound);
    writer->unsent |=
        !PQsendQueryPrepared(writer->pg, statement->name, count, bound.values, bound.lengths, bound.formats, 1);
    return first;
}
