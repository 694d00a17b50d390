/* transaction: one transaction on a connection for writing (writer.c). BEGIN travels with the first statement, COMMIT with the last. */
#include "internal.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <stdio.h>
#include <stdlib.h>

/* --- transactions ------------------------------------------------------------------------------------------------- */

transaction_t *transaction_begin(lanes_t *lanes, int64_t deadline, bool plans, enum db_status *status)
{
    *status = DB_OK;
    writer_t *writer = writer_take(lanes, deadline, status);
    if (!writer)
        return NULL;
    transaction_t *transaction = memory_zeroed(1, sizeof *transaction);
    *transaction = (transaction_t){.lanes = lanes, .writer = writer, .deadline = deadline, .plans = plans};
    return transaction;
}

transaction_t *transaction_share(lanes_t *lanes, int64_t deadline)
{
    transaction_t *transaction = memory_zeroed(1, sizeof *transaction);
    *transaction = (transaction_t){.lanes = lanes, .deadline = deadline, .shares = true};
    return transaction;
}

/* The first statement runs in a group. A second one cannot: the call leaves, to run again alone. */
static rows_t *run_shared(transaction_t *transaction, const statement_t *statement, const param_t *params, int count)
{
    int64_t began = clock_monotonic();
    rows_t *rows;
    if (transaction->begun) {
        group_leave(transaction);
        rows = rows_failed(statement, DB_RETRY);
    } else {
        rows = group_run(transaction, statement, params, count);
        lanes_count(transaction->lanes, LANE_WRITE, began);
    }
    transaction->begun = true;
    transaction->failed = rows->status != DB_OK;
    return rows;
}

/* True when this statement, or one sent before it that is not answered yet, was prepared with it. */
static bool send(transaction_t *transaction, const statement_t *statement, const param_t *params, int count)
{
    writer_t *writer = transaction->writer;
    counter_add(transaction->lanes->counters.queries, 1);
    if (!transaction->begun) {
        transaction->answers = writer_prepare_commands(writer) + writer_command(writer, "BEGIN");
        if (transaction->plans)
            transaction->answers += writer_command(writer, WRITER_PLANS);
    }
    transaction->begun = true;
    bool first = writer_send(writer, statement, params, count);
    transaction->answers += 1 + first;
    transaction->prepares |= first;
    return transaction->prepares;
}

/* --- one exchange ------------------------------------------------------------------------------------------------- */

typedef struct {
    transaction_t *transaction;
    PGresult *last; /* or the first error */
} answers_t;

static void take_answer(void *argument, int number, PGresult *take)
{
    answers_t *answers = argument;
    const transaction_t *transaction = answers->transaction;
    bool good = PQresultStatus(take) == PGRES_TUPLES_OK || PQresultStatus(take) == PGRES_COMMAND_OK;
    for (int i = 0; good && i < transaction->kept_count; i++)
        if (transaction->kept[i].number == number) {
            *transaction->kept[i].rows = rows_of(transaction->kept[i].statement, take);
            return;
        }
    writer_keep_last(&answers->last, take);
}

/* Waits for all that was sent: the last result, or the first error. NULL: lost. */
static PGresult *exchange(transaction_t *transaction, int64_t deadline, bool committing)
{
    answers_t answers = {.transaction = transaction};
    bool answered = writer_exchange(transaction->writer, deadline, committing, take_answer, &answers);
    transaction->answers = transaction->kept_count = 0;
    transaction->unanswered = false;
    transaction->shows |= answered;
    if (answered)
        return answers.last;
    PQclear(answers.last);
    return NULL;
}

/* --- statements --------------------------------------------------------------------------------------------------- */

enum db_status transaction_send(transaction_t *transaction, const statement_t *statement, const param_t *params, int count)
{
    insist(statement->lane == LANE_WRITE && !transaction->failed);
    if (transaction->shares) {
        rows_t *rows = run_shared(transaction, statement, params, count);
        enum db_status status = rows->status;
        rows_free(&rows);
        return status;
    }
    send(transaction, statement, params, count);
    transaction->unanswered = true;
    return DB_OK;
}

enum db_status transaction_send_kept(
    transaction_t *transaction, const statement_t *statement, const param_t *params, int count, rows_t **rows)
{
    insist(statement->lane == LANE_WRITE && !transaction->failed && transaction->kept_count < TRANSACTION_KEPT_MOST);
    if (transaction->shares) {
        *rows = run_shared(transaction, statement, params, count);
        return (*rows)->status;
    }
    send(transaction, statement, params, count);
    transaction->unanswered = true;
    int at = transaction->kept_count++;
    transaction->kept[at].statement = statement;
    transaction->kept[at].number = transaction->answers - 1;
    transaction->kept[at].rows = rows;
    return DB_OK;
}

rows_t *transaction_run(transaction_t *transaction, const statement_t *statement, const param_t *params, int count)
{
    insist(statement->lane == LANE_WRITE && !transaction->failed);
    if (transaction->shares)
        return run_shared(transaction, statement, params, count);
    writer_t *writer = transaction->writer;
    int64_t deadline = transaction->deadline;
    int64_t began = clock_monotonic();
    bool alone = !transaction->unanswered, first = send(transaction, statement, params, count);
    PGresult *result = exchange(transaction, deadline, false);
    lanes_count(transaction->lanes, LANE_WRITE, began);
    rows_t *rows;
    if (result)
        rows = rows_of(statement, result);
    else
        rows = rows_failed(statement, clock_monotonic() >= deadline ? DB_TIMEOUT : DB_UNAVAILABLE);
    /* An idle connection may have been closed just when it was taken: nothing was done, so the handler may run again. */
    if (rows->status == DB_UNAVAILABLE && writer->last_used)
        rows->status = DB_RETRY;
    transaction->prepares = false;
    if (rows->status != DB_OK) {
        transaction->failed = true;
        counter_add(transaction->lanes->counters.failed, 1);
        if (strcmp(rows->sqlstate, "0A000") == 0)
            writers_renew(transaction->lanes);
        /* Its state, or what is prepared on it, cannot be relied on. (Who violates a constraint was prepared and ran, unless it was
         * one that was sent before it.) */
        if (!result || (first && !(alone && rows->status == DB_CONSTRAINT)) || writer->outdated || PQstatus(writer->pg) == CONNECTION_BAD) {
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
enum db_status commit_status(const PGresult *result)
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

static bool is_error(const PGresult *result)
{
    return PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK;
}

/* COMMIT's answer, or the first error of what was sent before it; NULL: lost. It is sent to a transaction that PostgreSQL shows as under
 * way: of one that it has not even read, nobody could see that it will take effect (shared/actor/unsure.h). Mostly a statement was waited
 * for, and it does. */
static PGresult *commit_send(transaction_t *transaction, int64_t limit)
{
    if (!transaction->shows) {
        PGresult *result = exchange(transaction, transaction->deadline, false);
        if (!result || is_error(result))
            return result;
        PQclear(result);
    }
    writer_command(transaction->writer, "COMMIT");
    return exchange(transaction, limit, true);
}

/* COMMIT, and whatever was sent before it. `prepared_with_it`: a statement may or may not be prepared on the connection now. */
static enum db_status commit(transaction_t **take, bool prepared_with_it)
{
    transaction_t *transaction = *take;
    int64_t began = clock_monotonic(), limit = began + WRITER_END_TIMEOUT * CLOCK_MILLISECOND;
    PGresult *result = commit_send(transaction, transaction->deadline > limit ? transaction->deadline : limit);
    lanes_count(transaction->lanes, LANE_WRITE, began);
    enum db_status status = commit_status(result);
    if (status == DB_RETRY && strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), "0A000") == 0)
        writers_renew(transaction->lanes);
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

static enum db_status commit_shared(transaction_t **take, const statement_t *statement, const param_t *params, int count)
{
    int64_t began = clock_monotonic();
    enum db_status status = group_commit(*take, statement, params, count);
    lanes_count((*take)->lanes, LANE_WRITE, began);
    transaction_end(take, true);
    return status;
}

enum db_status transaction_commit(transaction_t **take)
{
    if (too_late(take))
        return DB_TIMEOUT;
    if ((*take)->group)
        return commit_shared(take, NULL, NULL, 0);
    if ((*take)->begun)
        return commit(take, (*take)->prepares);
    transaction_end(take, true);
    return DB_OK;
}

enum db_status transaction_commit_after(
    transaction_t **take, const statement_t *statement, const param_t *params, int count)
{
    insist((*take)->begun);
    if (too_late(take))
        return DB_TIMEOUT;
    if ((*take)->group)
        return commit_shared(take, statement, params, count);
    return commit(take, send(*take, statement, params, count));
}

void transaction_rollback(transaction_t **take)
{
    transaction_t *transaction = *take;
    if (!transaction)
        return;
    bool clean = true;
    if (transaction->group)
        group_leave(transaction);
    if (transaction->writer && transaction->begun) {
        writer_command(transaction->writer, "ROLLBACK");
        PGresult *result = writer_last(transaction->writer, clock_monotonic() + WRITER_END_TIMEOUT * CLOCK_MILLISECOND, false);
        clean = result && !transaction->prepares;
        PQclear(result);
    }
    counter_add(transaction->lanes->counters.rollbacks, !transaction->shares);
    transaction_end(take, clean);
}

enum db_status transaction_refuse(transaction_t **take)
{
    enum db_status status = *take && (*take)->group ? group_refuse(*take) : DB_OK;
    transaction_rollback(take);
    return status;
}

/* Without BEGIN, each Sync is a transaction of its own. */
rows_t *lanes_write(lanes_t *lanes, const statement_t *statement, const param_t *params, int count, int64_t deadline)
{
    insist(statement->lane == LANE_WRITE);
    enum db_status status;
    writer_t *writer = writer_take(lanes, deadline, &status);
    if (!writer)
        return rows_failed(statement, status);
    int64_t began = clock_monotonic();
    writer_prepare_commands(writer);
    writer_command(writer, WRITER_PLANS);
    bool first = writer_send(writer, statement, params, count);
    PGresult *result = writer_last(writer, deadline, true);
    lanes_count(lanes, LANE_WRITE, began);
    rows_t *rows = result ? rows_of(statement, result) : rows_failed(statement, DB_UNKNOWN);
    bool good = rows->status == DB_OK;
    counter_add(lanes->counters.queries, 1);
    counter_add(good ? lanes->counters.transactions : lanes->counters.failed, 1);
    if (strcmp(rows->sqlstate, "0A000") == 0)
        writers_renew(lanes);
    writer_give(writer, good || (result && !first));
    return rows;
}
