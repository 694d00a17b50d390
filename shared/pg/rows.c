/* rows: PostgreSQL's binary results become structs, and its errors one of a few statuses. */
#include "internal.h"
#include "types.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <endian.h>
#include <stdlib.h>

/* --- what an error means ------------------------------------------------------------------------------------------ */

/* The first entry whose code begins the SQLSTATE decides. */
static const struct {
    const char *prefix;
    enum db_status status;
} meanings[] = {
    {"23", DB_CONSTRAINT},
    {"40001", DB_RETRY}, {"40P01", DB_RETRY},   /* serialization failure, deadlock */
    {"0A000", DB_RETRY},                        /* "cached plan must not change result type": a migration came */
    {"57014", DB_TIMEOUT}, {"55P03", DB_TIMEOUT}, /* statement_timeout, lock_timeout */
    {"25P03", DB_TIMEOUT},                      /* idle_in_transaction_session_timeout */
    {"57P", DB_UNAVAILABLE}, {"08", DB_UNAVAILABLE}, {"53", DB_UNAVAILABLE}, /* shutdown, connection, resources */
};

enum db_status status_of_sqlstate(const char *sqlstate)
{
    if (!sqlstate)
        return DB_UNAVAILABLE; /* libpq's own message: the connection is gone */
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (strncmp(sqlstate, meanings[i].prefix, strlen(meanings[i].prefix)) == 0)
            return meanings[i].status;
    return DB_ERROR;
}

/* Its detail may quote values, and so may the primary message of a data exception or of a RAISE. */
const char *error_message(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool may_quote = !sqlstate || strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "P0", 2) == 0;
    return may_quote ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}

rows_t *rows_failed(const statement_t *statement, enum db_status status)
{
    rows_t *rows = memory_zeroed(1, sizeof *rows);
    rows->statement = statement;
    rows->status = status;
    return rows;
}

bool result_fits(const statement_t *statement, const PGresult *result, int more)
{
    statement_plan_t *plan = statement->plan;
    bool fits = PQnfields(result) == plan->column_count + more;
    for (int i = 0; statement->row && fits && i < statement->row->count; i++)
        fits = PQftype(result, plan->columns[i]) == plan->types[i];
    if (!fits && !plan->said_changed)
        log_event(LOG_ERROR, "statement_changed", LOG_S("statement", statement->name),
            LOG_S("next", "a migration gave its columns other types: restart this instance"));
    plan->said_changed |= !fits;
    return fits;
}

rows_t *rows_of(const statement_t *statement, PGresult *take_result)
{
    rows_t *rows = rows_failed(statement, DB_OK);
    rows->result = take_result;
    ExecStatusType status = PQresultStatus(take_result);
    if (status == PGRES_TUPLES_OK && !result_fits(statement, take_result, 0)) {
        rows->status = DB_ERROR;
        return rows;
    }
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        rows->count = PQntuples(take_result);
        rows->affected = atoll(PQcmdTuples(take_result));
        return rows;
    }
    const char *sqlstate = PQresultErrorField(take_result, PG_DIAG_SQLSTATE);
    rows->status = status_of_sqlstate(sqlstate);
    rows->constraint = PQresultErrorField(take_result, PG_DIAG_CONSTRAINT_NAME);
    memcpy(rows->sqlstate, sqlstate && strlen(sqlstate) == 5 ? sqlstate : "     ", 5);
    if (rows->status == DB_ERROR)
        log_event(LOG_ERROR, "statement_failed", LOG_S("statement", statement->name), LOG_S("sqlstate", rows->sqlstate),
            LOG_S("message", error_message(take_result)));
    return rows;
}

rows_t *rows_part(const statement_t *statement, PGresult *result, int first, int count, int *uses)
{
    rows_t *rows = rows_failed(statement, DB_OK);
    rows->result = result;
    rows->first = first;
    rows->count = count;
    rows->affected = count;
    rows->uses = uses;
    ++*uses;
    return rows;
}

void rows_free(rows_t **rows)
{
    if (!*rows)
        return;
    int *uses = (*rows)->uses;
    if (!uses || --*uses == 0) {
        PQclear((*rows)->result);
        free(uses);
    }
    free(*rows);
    *rows = NULL;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static uint16_t read16(const char *data)
{
    uint16_t value;
    memcpy(&value, data, 2);
    return be16toh(value);
}

static uint32_t read32(const char *data)
{
    uint32_t value;
    memcpy(&value, data, 4);
    return be32toh(value);
}

static uint64_t read64(const char *data)
{
    uint64_t value;
    memcpy(&value, data, 8);
    return be64toh(value);
}

/* PostgreSQL's numeric: digits of base 10000, the weight of the first, sign and display scale. What int64 cannot hold is held
 * at its end. */
static int64_t read_numeric(const char *data, int scale)
{
    int digits = (int16_t)read16(data), weight = (int16_t)read16(data + 2), sign = read16(data + 4);
    int64_t value = 0;
    /* Positions from the first digit down to the last one that the scale can show (4 decimal digits each). */
    for (int i = 0; i <= weight + (scale + 3) / 4; i++)
        if (__builtin_mul_overflow(value, 10000, &value) ||
            __builtin_add_overflow(value, i < digits ? read16(data + 8 + 2 * i) : 0, &value))
            return sign == 0x4000 ? INT64_MIN : INT64_MAX;
    int shown = (scale + 3) / 4 * 4; /* decimal digits after the point that value has now */
    if (weight + (scale + 3) / 4 < 0)
        return 0;
    for (; shown > scale; shown--)
        value /= 10;
    return sign == 0x4000 ? -value : value;
}

static void column_text(const field_t *field, const char *data, int length, void *member)
{
    (void)field;
    *(text_t *)member = (text_t){data, (size_t)length};
}

static void column_jsonb(const field_t *field, const char *data, int length, void *member)
{
    column_text(field, data + 1, length - 1, member); /* a version byte stands before the text */
}

static void column_int2(const field_t *field, const char *data, int length, void *member)
{
    (void)field, (void)length;
    *(int64_t *)member = (int16_t)read16(data);
}

static void column_int4(const field_t *field, const char *data, int length, void *member)
{
    (void)field, (void)length;
    *(int64_t *)member = (int32_t)read32(data);
}

static void column_int8(const field_t *field, const char *data, int length, void *member)
{
    (void)field, (void)length;
    *(int64_t *)member = (int64_t)read64(data);
}

static void column_boolean(const field_t *field, const char *data, int length, void *member)
{
    (void)field, (void)length;
    *(bool *)member = data[0] != 0;
}

static void column_numeric(const field_t *field, const char *data, int length, void *member)
{
    (void)length;
    *(int64_t *)member = read_numeric(data, field->scale);
}

static void column_date(const field_t *field, const char *data, int length, void *member)
{
    (void)field, (void)length;
    *(int32_t *)member = (int32_t)read32(data) + POSTGRES_EPOCH_DAYS;
}

static void column_time(const field_t *field, const char *data, int length, void *member)
{
    (void)field, (void)length;
    *(int64_t *)member = (int64_t)read64(data) + POSTGRES_EPOCH_MICROSECONDS;
}

static void column_uuid(const field_t *field, const char *data, int length, void *member)
{
    (void)field, (void)length;
    memcpy(member, data, 16);
}

static void column_choice(const field_t *field, const char *data, int length, void *member)
{
    for (int i = 0; field->names[i]; i++)
        if (strlen(field->names[i]) == (size_t)length && memcmp(field->names[i], data, (size_t)length) == 0) {
            *(int *)member = i;
            return;
        }
    *(int *)member = -1; /* a later release wrote it */
}

static const struct {
    enum field_type field;
    Oid type;
    column_read_t read;
} columns[] = {
    {FIELD_text, TYPE_TEXT, column_text}, {FIELD_text, TYPE_VARCHAR, column_text}, {FIELD_text, TYPE_NAME, column_text},
    {FIELD_text, TYPE_BYTEA, column_text}, /* sealed */
    {FIELD_integer, TYPE_INT8, column_int8}, {FIELD_integer, TYPE_INT4, column_int4}, {FIELD_integer, TYPE_INT2, column_int2},
    {FIELD_boolean, TYPE_BOOL, column_boolean},
    {FIELD_decimal, TYPE_NUMERIC, column_numeric},
    {FIELD_date, TYPE_DATE, column_date},
    {FIELD_time, TYPE_TIMESTAMPTZ, column_time},
    {FIELD_uuid, TYPE_UUID, column_uuid},
    {FIELD_choice, TYPE_TEXT, column_choice},
    {FIELD_json, TYPE_JSON, column_text}, {FIELD_json, TYPE_JSONB, column_jsonb},
    {FIELD_bytes, TYPE_BYTEA, column_text},
};

column_read_t column_reader(const field_t *field, Oid type)
{
    if (field->type == FIELD_text && (type == TYPE_BYTEA) != (field->sealed != NULL))
        return NULL; /* what is sealed is bytea, and nothing else is shown as text */
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        if (columns[i].field == field->type && columns[i].type == type)
            return columns[i].read;
    return NULL;
}

bool rows_read(const rows_t *rows, int index, void *out)
{
    const statement_t *statement = rows->statement;
    const statement_plan_t *plan = statement->plan;
    const message_t *message = statement->row;
    insist(message && rows->status == DB_OK && index < rows->count);
    message_head_t *head = out;
    memset(out, 0, message->size);
    index += rows->first;
    for (int i = 0; i < message->count; i++) {
        int column = plan->columns[i];
        if (PQgetisnull(rows->result, index, column)) {
            head->null |= UINT64_C(1) << i;
            continue;
        }
        head->given |= UINT64_C(1) << i;
        const field_t *field = &message->fields[i];
        plan->readers[i](
            field, PQgetvalue(rows->result, index, column), PQgetlength(rows->result, index, column), message_member(out, i));
        if (field->type == FIELD_choice && *(const int *)message_member(out, i) < 0) {
            log_event(LOG_ERROR, "unknown_name", LOG_S("statement", statement->name), LOG_S("field", field->name),
                LOG_S("next", "a later release wrote it: finish its roll-out"));
            return false;
        }
    }
    return true;
}
