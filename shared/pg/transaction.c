/* transaction: connections for writing, each used by one transaction at a time. They are opened as needed up to
 * database.write_connections and closed when idle, so that commits overlap and share an fsync. Statements are prepared on a
 * connection at their first use there; BEGIN travels with the first statement. */
#include "internal.h"
#include "../base/clock.h"
#include "../base/fault.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <stdio.h>
#include <stdlib.h>

enum { STATEMENTS_MAX = 512, CONNECT_TIMEOUT = 3000, END_TIMEOUT = 1000 /* for the answer to COMMIT or ROLLBACK */ };

struct writer {
    writer_t *next;
    lanes_t *lanes;
    PGconn *pg;
    loop_watch_t *watch;
    int watched; /* events */
    wait_t *wait; /* the coroutine that waits for the socket */
    bool busy;
    bool unsent; /* libpq had no memory for a part of what was to be sent: no answer may be believed */
    bool commands; /* BEGIN and COMMIT are prepared on it */
    bool outdated; /* what is prepared on it, a migration has changed: not to be used again */
    int64_t last_used; /* clock_monotonic(); 0: never yet */
    uint64_t prepared[STATEMENTS_MAX / 64];
};

struct transaction {
    lanes_t *lanes;
    writer_t *writer;
    int64_t deadline;
    bool begun, failed;
};

/* --- the queue ---------------------------------------------------------------------------------------------------- */

/* Callers in the order they came; bounded by the coroutines. Who waits keeps its place until it has a connection or gives up,
 * and nobody who comes later overtakes it. */
typedef struct queued {
    wait_t wait;
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
static void queue_wake(lanes_t *lanes)
{
    for (queued_t *queued = lanes->writer_queue; queued; queued = queued->next)
        if (!queued->wait.woken) {
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
    queue_wake(lanes);
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

/* Connects; suspends meanwhile. */
static bool writer_connect(writer_t *writer, int64_t deadline)
{
    char options[160];
    snprintf(options, sizeof options,
        "-c jit=off -c statement_timeout=%lld -c lock_timeout=%lld -c idle_in_transaction_session_timeout=%lld",
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
    *writer = (writer_t){.next = lanes->writers, .lanes = lanes, .busy = true};
    lanes->writers = writer;
    lanes->writer_count++;
    lanes->writers_busy++;
    if (writer_connect(writer, deadline)) {
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
static bool writer_try(lanes_t *lanes, int64_t deadline, writer_t **out)
{
    *out = writer_idle(lanes);
    if (*out) {
        (*out)->busy = true;
        lanes->writers_busy++;
        return true;
    }
    if (lanes->writer_count == lanes->process->config.database.write_connections)
        return false;
    if (connection_allowed(lanes)) {
        *out = writer_open(lanes, deadline);
        return true;
    }
    if (lanes->writer_count > 0)
        return false; /* those that we have will do */
    writers_lost(lanes, TEXT("all connections of this machine are in use"),
        "raise database.connections or run fewer instances");
    return true;
}

/* NULL: no connection came; *status says why. */
static writer_t *writer_take(lanes_t *lanes, int64_t deadline, enum db_status *status)
{
    writer_t *writer = NULL;
    bool decided = !lanes->writer_queue && writer_try(lanes, deadline, &writer), in_time = true;
    if (!decided) {
        queued_t queued = {0};
        queue_add(lanes, &queued);
        do
            in_time = wait_for(lanes, &queued.wait, deadline);
        while (in_time && !writer_try(lanes, deadline, &writer));
        queue_remove(lanes, &queued);
    }
    if (!writer) {
        *status = in_time ? DB_UNAVAILABLE : DB_TIMEOUT;
        queue_wake(lanes);
    }
    return writer;
}

/* Back among the idle ones, or closed when its state is not known. */
static void writer_give(writer_t *writer, bool clean)
{
    lanes_t *lanes = writer->lanes;
    if (clean && !writer->outdated && PQtransactionStatus(writer->pg) == PQTRANS_IDLE) {
        writer->busy = false;
        writer->last_used = clock_monotonic();
        lanes->writers_busy--;
        if (writer->watched != LOOP_READ)
            lanes->loop->watch_change(writer->watch, LOOP_READ); /* to notice that the server closes it */
        writer->watched = LOOP_READ;
        queue_wake(lanes);
    } else {
        writer_close(writer);
    }
}

/* What one connection was told of a migration, the others would be: a call that runs again must not meet each of them. */
static void writers_renew(lanes_t *lanes)
{
    for (writer_t *writer = lanes->writers, *next; writer; writer = next) {
        next = writer->next;
        writer->outdated = true;
        if (!writer->busy)
            writer_close(writer);
    }
}

void writers_tick(lanes_t *lanes)
{
    int64_t oldest = clock_monotonic() - lanes->process->config.database.idle_close * CLOCK_MILLISECOND;
    for (writer_t *writer = lanes->writers, *next; writer; writer = next) {
        next = writer->next;
        if (!writer->busy && writer->last_used < oldest)
            writer_close(writer);
    }
}

void writers_close(lanes_t *lanes)
{
    while (lanes->writers)
        writer_close(lanes->writers);
}

/* --- one exchange: what was sent, a Sync, and the answers up to it ------------------------------------------------ */

/* Waits for the answers and gives the last result that is not a Sync, or the first error. NULL: the connection is lost or
 * the deadline came, and the connection must be closed. `committing`: COMMIT is the last of what was sent. */
static PGresult *exchange(writer_t *writer, int64_t deadline, bool committing)
{
    PGresult *kept = NULL;
    if (writer->unsent || !PQpipelineSync(writer->pg)) /* and sends what the socket takes now */
        return NULL;
    if (committing)
        fault_point("commit.sent");
    for (;;) {
        int left = PQflush(writer->pg);
        while (left >= 0 && !PQisBusy(writer->pg)) {
            PGresult *result = PQgetResult(writer->pg);
            ExecStatusType status = result ? PQresultStatus(result) : PGRES_COMMAND_OK;
            if (status == PGRES_PIPELINE_SYNC) {
                PQclear(result);
                return kept;
            }
            if (!result && PQstatus(writer->pg) == CONNECTION_BAD)
                break; /* there will be no other answer than NULL */
            bool keep = result && status != PGRES_PIPELINE_ABORTED &&
                        !(kept && PQresultStatus(kept) == PGRES_FATAL_ERROR);
            if (keep) {
                PQclear(kept);
                kept = result;
            } else {
                PQclear(result);
            }
        }
        if (left < 0 || PQstatus(writer->pg) == CONNECTION_BAD ||
            !wait_socket(writer, left ? LOOP_READ | LOOP_WRITE : LOOP_READ, deadline) || !PQconsumeInput(writer->pg))
            break;
    }
    PQclear(kept);
    return NULL;
}

static void send_command(writer_t *writer, const char *command)
{
    writer->unsent |= !PQsendQueryPrepared(writer->pg, command, 0, NULL, NULL, NULL, 0);
}

/* The three commands are statements, too: a name costs PostgreSQL less than a text. */
static void prepare_commands(writer_t *writer)
{
    static const char *const commands[] = {"BEGIN", "COMMIT", "ROLLBACK"};
    for (size_t i = 0; !writer->commands && i < ARRAY_SIZE(commands); i++)
        writer->unsent |= !PQsendPrepare(writer->pg, commands[i], commands[i], 0, NULL);
    writer->commands = true;
}

/* True when the statement was prepared with it. */
static bool send_statement(writer_t *writer, const statement_t *statement, const param_t *params, int count)
{
    insist(statement->plan && statement->plan->number < STATEMENTS_MAX);
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

/* --- transactions ------------------------------------------------------------------------------------------------- */

transaction_t *transaction_begin(lanes_t *lanes, int64_t deadline, enum db_status *status)
{
    *status = DB_OK;
    writer_t *writer = writer_take(lanes, deadline, status);
    if (!writer)
        return NULL;
    transaction_t *transaction = memory_zeroed(1, sizeof *transaction);
    *transaction = (transaction_t){.lanes = lanes, .writer = writer, .deadline = deadline};
    return transaction;
}

rows_t *transaction_run(transaction_t *transaction, const statement_t *statement, const param_t *params, int count)
{
    insist(statement->lane == LANE_WRITE && !transaction->failed);
    writer_t *writer = transaction->writer;
    int64_t deadline = transaction->deadline;
    int64_t began = clock_monotonic();
    counter_add(transaction->lanes->counters.queries, 1);
    if (!transaction->begun) {
        prepare_commands(writer);
        send_command(writer, "BEGIN");
    }
    transaction->begun = true;
    bool first = send_statement(writer, statement, params, count);
    PGresult *result = exchange(writer, deadline, false);
    lanes_count(transaction->lanes, LANE_WRITE, began);
    rows_t *rows;
    if (result)
        rows = rows_of(statement, result);
    else
        rows = rows_failed(statement, clock_monotonic() >= deadline ? DB_TIMEOUT : DB_UNAVAILABLE);
    /* An idle connection may have been closed just when it was taken: nothing was done, so the handler may run again. */
    if (rows->status == DB_UNAVAILABLE && writer->last_used)
        rows->status = DB_RETRY;
    if (rows->status != DB_OK) {
        transaction->failed = true;
        counter_add(transaction->lanes->counters.failed, 1);
        if (strcmp(rows->sqlstate, "0A000") == 0)
            writers_renew(transaction->lanes);
        /* Its state, or what is prepared on it, cannot be relied on. (Who violates a constraint was prepared and ran.) */
        if (!result || (first && rows->status != DB_CONSTRAINT) || writer->outdated || PQstatus(writer->pg) == CONNECTION_BAD) {
            writer_give(writer, false);
            transaction->writer = NULL;
        }
    }
    return rows;
}

static void transaction_end(transaction_t **take, bool clean)
{
    transaction_t *transaction = *take;
    *take = NULL;
    if (transaction->writer)
        writer_give(transaction->writer, clean);
    free(transaction);
}

/* What the answer to COMMIT says, or the first error of what was sent with it. An error that ends the connection may have come
 * after the commit took effect. */
static enum db_status commit_status(const PGresult *result)
{
    if (!result)
        return DB_UNKNOWN;
    if (PQresultStatus(result) == PGRES_COMMAND_OK)
        return strcmp(PQcmdStatus((PGresult *)(uintptr_t)result), "COMMIT") == 0 ? DB_OK : DB_ERROR;
    enum db_status status = status_of_sqlstate(PQresultErrorField(result, PG_DIAG_SQLSTATE));
    if (status == DB_ERROR)
        log_event(LOG_ERROR, "commit_failed", LOG_S("sqlstate", PQresultErrorField(result, PG_DIAG_SQLSTATE)),
            LOG_S("message", error_message(result)));
    return status == DB_UNAVAILABLE ? DB_UNKNOWN : status;
}

/* COMMIT, and whatever was sent before it. `prepared_with_it`: a statement may or may not be prepared on the connection now. */
static enum db_status commit(transaction_t **take, bool prepared_with_it)
{
    transaction_t *transaction = *take;
    int64_t began = clock_monotonic(), limit = began + END_TIMEOUT * CLOCK_MILLISECOND;
    send_command(transaction->writer, "COMMIT");
    PGresult *result = exchange(transaction->writer, transaction->deadline > limit ? transaction->deadline : limit, true);
    lanes_count(transaction->lanes, LANE_WRITE, began);
    enum db_status status = commit_status(result);
    PQclear(result);
    counter_add(transaction->lanes->counters.transactions, status == DB_OK);
    if (status == DB_OK) {
        transaction_end(take, true);
    } else if (status == DB_UNKNOWN || prepared_with_it) {
        transaction_end(take, false); /* its state, or what is prepared on it, cannot be relied on */
    } else {
        transaction_rollback(take); /* what was sent before COMMIT failed, so COMMIT was passed over */
    }
    return status;
}

/* Who asked for it was told already that it came to nothing. */
static bool too_late(transaction_t **take)
{
    insist(!(*take)->failed);
    if (clock_monotonic() < (*take)->deadline)
        return false;
    transaction_rollback(take);
    return true;
}

enum db_status transaction_commit(transaction_t **take)
{
    if (too_late(take))
        return DB_TIMEOUT;
    if ((*take)->begun)
        return commit(take, false);
    transaction_end(take, true);
    return DB_OK;
}

enum db_status transaction_commit_after(
    transaction_t **take, const statement_t *statement, const param_t *params, int count)
{
    insist((*take)->begun);
    if (too_late(take))
        return DB_TIMEOUT;
    counter_add((*take)->lanes->counters.queries, 1);
    return commit(take, send_statement((*take)->writer, statement, params, count));
}

void transaction_rollback(transaction_t **take)
{
    transaction_t *transaction = *take;
    if (!transaction)
        return;
    bool clean = true;
    if (transaction->writer && transaction->begun) {
        send_command(transaction->writer, "ROLLBACK");
        PGresult *result = exchange(transaction->writer, clock_monotonic() + END_TIMEOUT * CLOCK_MILLISECOND, false);
        clean = result != NULL;
        PQclear(result);
    }
    counter_add(transaction->lanes->counters.rollbacks, 1);
    transaction_end(take, clean);
}
