/* statement: checking statements against the schema at start, and parameters in the form PostgreSQL expects. */
#include "internal.h"
#include "types.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHECK_TIMEOUT = 4000 /* milliseconds: libpq's shortest for connecting, and as much for the statements */ };

/* --- the check at start ------------------------------------------------------------------------------------------- */

static bool columns_check(const statement_t *statement, PGresult *described, statement_plan_t *plan, char *error, size_t size)
{
    const message_t *row = statement->row;
    int columns = PQnfields(described), wanted = row ? row->count : 0;
    for (int i = 0; i < wanted; i++) {
        const field_t *field = &row->fields[i];
        int column = -1;
        for (int j = 0; j < columns; j++)
            if (strcmp(PQfname(described, j), field->name) == 0)
                column = j;
        if (column < 0) {
            snprintf(error, size, "statement %s gives no column %s, which %s needs", statement->name, field->name, row->name);
            return false;
        }
        Oid type = PQftype(described, column);
        plan->columns[i] = column;
        plan->types[i] = type;
        plan->readers[i] = column_reader(field, type);
        if (!plan->readers[i]) {
            snprintf(error, size, "statement %s: column %s has type %u, which the field of %s cannot read", statement->name,
                field->name, type, row->name);
            return false;
        }
    }
    if (columns != wanted) {
        snprintf(error, size, "statement %s gives %d columns, its message %s has %d fields", statement->name, columns,
            row ? row->name : "(none)", wanted);
        return false;
    }
    plan->column_count = columns;
    return true;
}

static bool answer_came(PGconn *pg, int64_t deadline)
{
    while (PQisBusy(pg)) {
        struct pollfd socket = {.fd = PQsocket(pg), .events = POLLIN};
        int64_t left = deadline - clock_monotonic();
        if (left <= 0 || (poll(&socket, 1, (int)(left / CLOCK_MILLISECOND) + 1) > 0 && !PQconsumeInput(pg)))
            return false;
    }
    return true;
}

/* The last result of what was sent, or NULL when it did not come in time. */
static PGresult *answer_wait(PGconn *pg, int64_t deadline)
{
    PGresult *last = NULL;
    while (answer_came(pg, deadline)) {
        PGresult *result = PQgetResult(pg);
        if (!result)
            return last;
        PQclear(last);
        last = result;
    }
    PQclear(last);
    return NULL;
}

/* What PostgreSQL says of a statement; NULL: *status and the error say why not. */
static PGresult *statement_describe(PGconn *pg, const char *name, const char *sql, int64_t deadline, enum db_status *status,
    char *error, size_t size)
{
    PGresult *result = PQsendPrepare(pg, name, sql, 0, NULL) ? answer_wait(pg, deadline) : NULL;
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        PQclear(result);
        result = PQsendDescribePrepared(pg, name) ? answer_wait(pg, deadline) : NULL;
    }
    if (PQresultStatus(result) == PGRES_COMMAND_OK)
        return result;
    snprintf(error, size, "statement %s: %s", name, result ? PQresultErrorMessage(result) : "no answer");
    /* Only what PostgreSQL has to say against the statement itself is a reason not to try again. */
    *status = result ? status_of_sqlstate(PQresultErrorField(result, PG_DIAG_SQLSTATE)) : DB_UNAVAILABLE;
    *status = *status == DB_UNAVAILABLE || *status == DB_TIMEOUT ? DB_UNAVAILABLE : DB_ERROR;
    PQclear(result);
    return NULL;
}

static void plan_free(statement_plan_t *plan)
{
    if (!plan)
        return;
    free(plan->batched_name);
    free(plan->batched_sql);
    free(plan);
}

/* Its batched form must give the same columns and, behind them, the place of the call. */
static enum db_status batched_check(PGconn *pg, const statement_t *statement, statement_plan_t *plan, const PGresult *alone,
    int64_t deadline, char *error, size_t size)
{
    if (!batch_plan(statement, plan, error, size))
        return DB_ERROR;
    enum db_status status = DB_OK;
    PGresult *batched = statement_describe(pg, plan->batched_name, plan->batched_sql, deadline, &status, error, size);
    if (!batched)
        return status;
    int columns = PQnfields(alone);
    bool same = PQnfields(batched) == columns + 1;
    for (int i = 0; same && i < columns; i++)
        same = PQftype(alone, i) == PQftype(batched, i);
    PQclear(batched);
    if (same)
        return DB_OK;
    snprintf(error, size, "statement %s gives other columns when it is batched", statement->name);
    return DB_ERROR;
}

static enum db_status statement_check(
    PGconn *pg, const statement_t *statement, int number, int64_t deadline, char *error, size_t size)
{
    enum db_status status = DB_OK;
    PGresult *described = statement_describe(pg, statement->name, statement->sql, deadline, &status, error, size);
    if (!described)
        return status;
    statement_plan_t *plan = memory_zeroed(1, sizeof *plan);
    plan->number = number;
    plan->param_count = PQnparams(described);
    if (plan->param_count > PARAMS_MAX) {
        snprintf(error, size, "statement %s has more than %d parameters", statement->name, PARAMS_MAX);
        status = DB_ERROR;
    }
    for (int i = 0; status == DB_OK && i < plan->param_count; i++)
        plan->params[i] = PQparamtype(described, i);
    if (status == DB_OK && !columns_check(statement, described, plan, error, size))
        status = DB_ERROR;
    if (status == DB_OK && statement->batched)
        status = batched_check(pg, statement, plan, described, deadline, error, size);
    plan_free(statement->plan);
    /* The generated statements are not const; they are borrowed as const by everybody but this file. */
    ((statement_t *)(uintptr_t)statement)->plan = plan;
    PQclear(described);
    return status;
}

static void ignore_notice(void *argument, const PGresult *notice)
{
    (void)argument, (void)notice;
}

/* Is it a URI at all? What libpq says of one that is none may quote its password. */
static bool url_is_sound(const char *url)
{
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &reason);
    PQfreemem(reason);
    PQconninfoFree(options);
    return options != NULL;
}

static enum db_status statements_check(
    const char *url, const statement_t *const *statements, int count, char *error, size_t size)
{
    const char *keywords[] = {"dbname", "connect_timeout", "application_name", NULL};
    const char *values[] = {url, "2", "aipoten check", NULL};
    int64_t deadline = clock_monotonic() + CHECK_TIMEOUT * CLOCK_MILLISECOND;
    PGconn *pg = PQconnectdbParams(keywords, values, 1);
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    enum db_status status = DB_OK;
    if (PQstatus(pg) != CONNECTION_OK) {
        snprintf(error, size, "%s", PQerrorMessage(pg));
        status = DB_UNAVAILABLE;
    }
    for (int i = 0; status == DB_OK && i < count; i++)
        status = statement_check(pg, statements[i], i, deadline, error, size);
    PQfinish(pg);
    for (char *p = error; status != DB_OK && *p; p++)
        if (*p == '\n')
            *p = p[1] ? ' ' : '\0';
    return status;
}

enum db_status lanes_check(
    process_t *process, const char *url, const statement_t *const *statements, int count, char *error, size_t size)
{
    if (!url_is_sound(url)) {
        snprintf(error, size, "the database's URL is none that libpq can read");
        return DB_ERROR;
    }
    bool taken = place_take(process, PLACE_READ);
    place_wish(process, taken ? PLACE_NONE : PLACE_READ);
    if (!taken) {
        snprintf(error, size, "all connections of this machine are in use (database.connections)");
        return DB_UNAVAILABLE;
    }
    enum db_status status = statements_check(url, statements, count, error, size);
    place_give(process);
    return status;
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

static void bind_binary(bound_t *out, int i, const void *data, int length)
{
    memcpy(out->scratch[i], data, (size_t)length);
    out->values[i] = out->scratch[i];
    out->lengths[i] = length;
    out->formats[i] = 1;
}

static bool bind_number(bound_t *out, int i, Oid type, int64_t value)
{
    if (type == TYPE_INT8) {
        uint64_t big = htobe64((uint64_t)value);
        bind_binary(out, i, &big, 8);
    } else if (type == TYPE_INT4 && value >= INT32_MIN && value <= INT32_MAX) {
        uint32_t big = htobe32((uint32_t)value);
        bind_binary(out, i, &big, 4);
    } else if (type == TYPE_INT2 && value >= INT16_MIN && value <= INT16_MAX) {
        uint16_t big = htobe16((uint16_t)value);
        bind_binary(out, i, &big, 2);
    } else if (type == TYPE_NUMERIC || type == TYPE_TEXT) {
        out->values[i] = out->scratch[i];
        snprintf(out->scratch[i], PARAM_SCRATCH, "%lld", (long long)value);
    } else {
        return false;
    }
    return true;
}

static bool bind_scaled(bound_t *out, int i, Oid type, const param_t *param)
{
    int64_t unit = 1;
    for (int digit = 0; digit < param->scale; digit++)
        unit *= 10;
    if (type != TYPE_NUMERIC)
        return bind_number(out, i, type, param->number);
    int64_t whole = param->number / unit, part = param->number % unit;
    out->values[i] = out->scratch[i];
    snprintf(out->scratch[i], PARAM_SCRATCH, "%s%lld.%0*lld", param->number < 0 ? "-" : "", (long long)llabs(whole),
        param->scale ? param->scale : 1, (long long)llabs(part));
    return true;
}

/* A text goes as it is to text types; for any other type PostgreSQL reads it, which needs it NUL-terminated: such texts are
 * short (an interval, an address). */
static bool bind_string(bound_t *out, int i, Oid type, text_t text)
{
    bool is_text = type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR || type == TYPE_JSON;
    out->values[i] = text.data;
    out->lengths[i] = (int)text.length;
    out->formats[i] = 1;
    if (is_text)
        return true;
    if (text.length >= PARAM_SCRATCH)
        return false;
    memcpy(out->scratch[i], text.data, text.length);
    out->scratch[i][text.length] = '\0';
    out->values[i] = out->scratch[i];
    out->formats[i] = 0;
    return true;
}

static bool param_bind(bound_t *out, int i, Oid type, const param_t *param)
{
    switch (param->kind) {
    case PARAM_NULL:
        return true;
    case PARAM_TEXT:
        return bind_string(out, i, type, param->text);
    case PARAM_BYTES:
        out->values[i] = param->text.data;
        out->lengths[i] = (int)param->text.length;
        out->formats[i] = 1;
        return type == TYPE_BYTEA;
    case PARAM_INTEGER:
        return bind_number(out, i, type, param->number);
    case PARAM_DECIMAL:
        return bind_scaled(out, i, type, param);
    case PARAM_BOOLEAN:
        bind_binary(out, i, &(char){param->number != 0}, 1);
        return type == TYPE_BOOL;
    case PARAM_UUID:
        bind_binary(out, i, param->uuid.bytes, 16);
        return type == TYPE_UUID;
    case PARAM_DATE:
        bind_binary(out, i, &(uint32_t){htobe32((uint32_t)(param->number - POSTGRES_EPOCH_DAYS))}, 4);
        return type == TYPE_DATE;
    case PARAM_TIME:
        bind_binary(out, i, &(uint64_t){htobe64((uint64_t)(param->number - POSTGRES_EPOCH_MICROSECONDS))}, 8);
        return type == TYPE_TIMESTAMPTZ;
    }
    return false;
}

void params_bind(const statement_t *statement, const param_t *params, int count, bound_t *out)
{
    const statement_plan_t *plan = statement->plan;
    if (!plan)
        panic("statement %s was not checked: is it in its actor's list?", statement->name);
    if (count != plan->param_count)
        panic("statement %s takes %d parameters, not %d", statement->name, plan->param_count, count);
    for (int i = 0; i < count; i++) {
        out->values[i] = NULL;
        out->lengths[i] = out->formats[i] = 0;
        if (!param_bind(out, i, plan->params[i], &params[i]))
            panic("statement %s: $%d has type %u, the parameter's kind %d does not fit", statement->name, i + 1,
                plan->params[i], params[i].kind);
    }
}

param_t bind_field(const message_t *message, const void *value, int index)
{
    const field_t *field = &message->fields[index];
    const message_head_t *head = value;
    const void *member = message_member(value, index);
    if (!(head->given >> index & 1))
        return bind_null();
    switch (field->type) {
    case FIELD_text:
    case FIELD_json:
        return bind_text(*(const text_t *)member);
    case FIELD_bytes:
        return bind_bytes(*(const text_t *)member);
    case FIELD_integer:
        return bind_integer(*(const int64_t *)member);
    case FIELD_boolean:
        return bind_boolean(*(const bool *)member);
    case FIELD_decimal:
        return bind_decimal(*(const int64_t *)member, field->scale);
    case FIELD_date:
        return bind_date(*(const int32_t *)member);
    case FIELD_time:
        return bind_time(*(const int64_t *)member);
    case FIELD_uuid:
        return bind_uuid(*(const uuid_t *)member);
    case FIELD_choice:
        return bind_text(text_of(field->names[*(const int *)member]));
    case FIELD_object:
    case FIELD_list:
    case FIELD_TYPES:
        break;
    }
    panic("%s.%s cannot be a parameter", message->name, field->name);
}
