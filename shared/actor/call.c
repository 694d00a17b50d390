/* call: SQL on behalf of a handler, and the ways a call ends early. */
#include "internal.h"
#include "cached.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"

const config_t *call_config(const call_t *call)
{
    (void)call;
    return &context.process.config;
}

int call_instance(const call_t *call)
{
    (void)call;
    return context.process.number;
}

const char *call_mail_directory(const call_t *call)
{
    (void)call;
    return context.process.mail_directory;
}

segment_t *call_segment(const call_t *call)
{
    (void)call;
    return context.process.segment;
}

const char *call_files(const call_t *call)
{
    (void)call;
    return context.process.files_directory;
}

text_t call_header(call_t *call, const char *name)
{
    return pairs_get(call->headers, text_of(name));
}

void call_fail(call_t *call, enum error_code code)
{
    reply_reset(job_of(call));
    reply_error(call, code);
    _longjmp(job_of(call)->back, OUTCOME_FAILED);
}

void call_fail_field(call_t *call, enum error_code code, const char *field, enum problem_kind kind)
{
    problems_t *problems = arena_allocate(call->arena, sizeof *problems);
    problems->arena = call->arena;
    problem_add(problems, text_of(field), kind, NULL, 0);
    call_fail_problems(call, code, problems);
}

void call_fail_problems(call_t *call, enum error_code code, const problems_t *problems)
{
    reply_reset(job_of(call));
    reply_problems(job_of(call), code, problems);
    _longjmp(job_of(call)->back, OUTCOME_FAILED);
}

void call_insist_free(call_t *call, const char *file, int line, const char *what)
{
    if (job_of(call)->transaction != NULL)
        panic_at(file, line, "%s in an open transaction: it comes before the first statement of lane write", what);
}

void call_yield_at(call_t *call, const char *file, int line)
{
    call_insist_free(call, file, line, "call_yield");
    job_running(NULL);
    lanes_yield(context.lanes);
    job_running(job_of(call));
    if (clock_monotonic() >= call->deadline)
        call_fail(call, ERROR_TIMEOUT);
}

void call_leave_at(call_t *call, const char *file, int line)
{
    call_insist_free(call, file, line, "call_leave");
    job_running(NULL);
}

void call_return(call_t *call)
{
    job_running(job_of(call));
}

loop_t *call_loop(const call_t *call)
{
    (void)call;
    return context.loop;
}

void call_watch(const call_t *call, const char *statement, enum lane lane, int64_t took)
{
    int64_t limit = context.process.config.database.slow_log * CLOCK_MILLISECOND;
    if (limit == 0 || took <= limit)
        return;
    log_event(LOG_WARNING, "slow_statement", LOG_S("statement", statement), LOG_S("lane", lane_names[lane]),
        LOG_I("milliseconds", took / CLOCK_MILLISECOND),
        LOG_S("operation", call->endpoint ? call->endpoint->operation : "background"),
        LOG_S("next", "look at its plan, or at what holds its locks (database.slow_log)"));
}

static enum db_status commit_now(job_t *job)
{
    int64_t began = clock_monotonic();
    job_running(NULL);
    enum db_status status = transaction_commit(&job->transaction);
    job_running(job);
    call_watch(&job->call, "COMMIT", LANE_WRITE, clock_monotonic() - began);
    cached_committed(job, status);
    hints_publish(job, status);
    return status;
}

void call_commit(call_t *call)
{
    job_t *job = job_of(call);
    insist(job->system);
    if (job->transaction && commit_now(job) != DB_OK)
        call_fail(call, ERROR_UNAVAILABLE);
    if (job->emitted)
        actor_event_committed();
    job->emitted = false;
}

void call_claim(call_t *call)
{
    job_t *job = job_of(call);
    insist(job->transaction && !job->system && !job->emitted);
    enum db_status status = commit_now(job);
    if (status == DB_RETRY && job->attempt < ATTEMPTS_MAX)
        _longjmp(job->back, OUTCOME_RETRY);
    if (status != DB_OK)
        call_fail(call, status == DB_TIMEOUT ? ERROR_TIMEOUT : ERROR_UNAVAILABLE);
    if (call->endpoint->cache)
        job->wrote = false; /* so its answer may be kept */
}

/* --- SQL ---------------------------------------------------------------------------------------------------------- */

void db_on_violation(call_t *call, const char *constraint, enum error_code code)
{
    job_t *job = job_of(call);
    insist(job->violation_count < VIOLATIONS_MAX);
    job->violations[job->violation_count].constraint = constraint;
    job->violations[job->violation_count++].code = code;
}

_Noreturn static void fail_constraint(call_t *call, const rows_t *rows)
{
    job_t *job = job_of(call);
    for (int i = 0; i < job->violation_count; i++)
        if (rows->constraint && strcmp(rows->constraint, job->violations[i].constraint) == 0)
            call_fail(call, job->violations[i].code);
    log_event(LOG_ERROR, "constraint_violated", LOG_S("statement", rows->statement->name),
        LOG_S("constraint", rows->constraint), LOG_S("next", "the handler should check it or name it by db_on_violation"));
    call_fail(call, ERROR_CONFLICT);
}

_Noreturn static void fail_database(call_t *call, const rows_t *rows)
{
    job_t *job = job_of(call);
    switch (rows->status) {
    case DB_RETRY:
        if (job->attempt < ATTEMPTS_MAX)
            _longjmp(job->back, OUTCOME_RETRY);
        call_fail(call, ERROR_UNAVAILABLE);
    case DB_CONSTRAINT:
        fail_constraint(call, rows);
    case DB_TIMEOUT:
        log_event(LOG_WARNING, "statement_timeout", LOG_S("statement", rows->statement->name),
            LOG_S("next", "look at its plan, or at what holds its locks"));
        call_fail(call, clock_monotonic() >= call->deadline ? ERROR_TIMEOUT : ERROR_UNAVAILABLE);
    case DB_ERROR:
        call_fail(call, ERROR_INTERNAL);
    default:
        call_fail(call, ERROR_UNAVAILABLE);
    }
}

/* Only who has never run before, and cannot wait for another run of itself: the others in the group would wait as well. */
static bool may_share(const job_t *job, const statement_t *statement)
{
    return statement->grouped && !job->system && job->attempt == 1 && !job->once.doubtful && !job->once.keyed;
}

/* False: no connection came; *status says why. */
static bool begin_writing(call_t *call, const statement_t *statement, enum db_status *status)
{
    job_t *job = job_of(call);
    *status = DB_OK;
    job->wrote = true;
    if (!job->transaction)
        job->transaction = may_share(job, statement) ? transaction_share(context.lanes, call->deadline)
                                                     : transaction_begin(context.lanes, call->deadline, job->system != NULL, status);
    return job->transaction != NULL;
}

/* *began becomes the time when a connection was there. */
static rows_t *run_writing(call_t *call, const statement_t *statement, const param_t *params, int count, int64_t *began)
{
    enum db_status status;
    bool begins = !job_of(call)->transaction;
    if (!begin_writing(call, statement, &status))
        return rows_failed(statement, status);
    if (begins)
        *began = clock_monotonic();
    return transaction_run(job_of(call)->transaction, statement, params, count);
}

/* The call keeps the rows until it ends, and ends now when there are none. */
static rows_t *rows_keep(call_t *call, rows_t *rows)
{
    job_t *job = job_of(call);
    rows->next = job->rows;
    job->rows = rows;
    if (rows->status != DB_OK)
        fail_database(call, rows);
    return rows;
}

rows_t *db_query_params(call_t *call, const statement_t *statement, const param_t *params, int count)
{
    int64_t asked = clock_monotonic(), began = asked;
    job_running(NULL); /* while it waits, this process may run another call */
    rows_t *rows = statement->lane == LANE_WRITE ? run_writing(call, statement, params, count, &began)
                                                 : lanes_read(context.lanes, statement, params, count, call->deadline);
    job_running(job_of(call));
    call_watch(call, "BEGIN", statement->lane, began - asked); /* until a connection was free */
    call_watch(call, statement->name, statement->lane, clock_monotonic() - began);
    return rows_keep(call, rows);
}

rows_t *db_write_params(call_t *call, const statement_t *statement, const param_t *params, int count)
{
    insist(job_of(call)->system);
    int64_t began = clock_monotonic();
    job_running(NULL);
    rows_t *rows = lanes_write(context.lanes, statement, params, count, call->deadline);
    job_running(job_of(call));
    call_watch(call, statement->name, statement->lane, clock_monotonic() - began);
    return rows_keep(call, rows);
}

void db_send_params(call_t *call, const statement_t *statement, const param_t *params, int count)
{
    enum db_status status;
    job_running(NULL);
    if (begin_writing(call, statement, &status))
        status = transaction_send(job_of(call)->transaction, statement, params, count);
    job_running(job_of(call));
    if (status != DB_OK)
        rows_keep(call, rows_failed(statement, status));
}

const kept_rows_t *db_send_kept_params(call_t *call, const statement_t *statement, const param_t *params, int count)
{
    job_t *job = job_of(call);
    kept_rows_t *kept = arena_allocate(call->arena, sizeof *kept);
    kept->next = job->kept;
    job->kept = kept;
    enum db_status status;
    job_running(NULL);
    if (begin_writing(call, statement, &status))
        status = transaction_send_kept(job->transaction, statement, params, count, &kept->rows);
    job_running(job);
    if (status != DB_OK)
        rows_keep(call, rows_failed(statement, status));
    return kept;
}

const rows_t *db_kept(call_t *call, const kept_rows_t *kept)
{
    insist(kept->rows != NULL);
    if (kept->rows->status != DB_OK)
        fail_database(call, kept->rows);
    return kept->rows;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* False: not all of them could be; those stay sealed. */
static bool open_sealed(call_t *call, const message_t *message, void *value)
{
    message_head_t *head = value;
    bool opened = true;
    for (int i = 0; i < message->count; i++) {
        const field_t *field = &message->fields[i];
        if (!field->sealed || !(head->given >> i & 1))
            continue;
        int id = message_find(message, TEXT("id"));
        insist(id >= 0 && message->fields[id].type == FIELD_uuid && context.data_keys.count > 0);
        seal_place_t place = {field->sealed, field->name, *(const uuid_t *)message_member(value, id)};
        text_t *text = message_member(value, i);
        if (seal_open(call->arena, &context.data_keys, place, *text, text))
            continue;
        log_event(LOG_ERROR, "seal_broken", LOG_S("table", field->sealed), LOG_S("column", field->name),
            LOG_S("next", "is the key that sealed it still in the ring? was the row moved?"));
        opened = false;
    }
    return opened;
}

const void *row_at_opened(call_t *call, const rows_t *rows, int index, bool *opened)
{
    if (index >= rows->count)
        return NULL;
    void *value = arena_allocate(call->arena, rows->statement->row->size);
    if (!rows_read(rows, index, value))
        call_fail(call, ERROR_INTERNAL);
    *opened = open_sealed(call, rows->statement->row, value);
    return value;
}

const void *row_at(call_t *call, const rows_t *rows, int index)
{
    bool opened = true;
    const void *value = row_at_opened(call, rows, index, &opened);
    if (!opened)
        call_fail(call, ERROR_INTERNAL);
    return value;
}

const void *row_or_404(call_t *call, const rows_t *rows)
{
    if (rows->count == 0)
        call_fail(call, ERROR_NOT_FOUND);
    return row_first(call, rows);
}

param_t bind_sealed(call_t *call, const char *table, const char *column, uuid_t row, text_t plain)
{
    if (!plain.data)
        return bind_null();
    return bind_bytes(seal(call->arena, &context.data_keys, (seal_place_t){table, column, row}, plain));
}

void call_answer_of(call_t *call, uuid_t user)
{
    job_of(call)->once.principal = user;
}

const key_ring_t *call_data_keys(const call_t *call)
{
    (void)call;
    return context.data_keys.count ? &context.data_keys : NULL;
}
