/* batch: one execution of a statement for all calls of a turn that run it. PostgreSQL spends most of a small read on starting
 * and ending it; a batch pays for that once, and sends one description of its columns.
 *
 * The parameters of all calls travel as one array each, and the statement runs once for each of their places:
 *
 *     SELECT s.*, aipoten_batch.place
 *     FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS aipoten_batch (p1, p2, place)
 *     CROSS JOIN LATERAL (SELECT … WHERE user_id = aipoten_batch.p1 … LIMIT aipoten_batch.p2) AS s
 *
 * PostgreSQL would merge a statement without ORDER BY or LIMIT into the outer query, where it is free to hash a whole table for
 * the batch and to give the rows in any order: tools/sqlc adds OFFSET 0 to those. So the join can only be a nested loop: each
 * call is planned as it is alone, and rows come in the order of the places and, for each, in the statement's own order;
 * batch_split checks the first of it at each answer. All calls of a batch see one snapshot. */
#include "internal.h"
#include "types.h"
#include "../base/panic.h"
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

/* Types whose parameters travel in binary form, with the name that makes an array of them. */
static const struct {
    Oid type;
    const char *name;
} element_types[] = {
    {TYPE_UUID, "uuid"}, {TYPE_INT8, "bigint"}, {TYPE_INT4, "integer"}, {TYPE_INT2, "smallint"}, {TYPE_BOOL, "boolean"},
    {TYPE_TEXT, "text"}, {TYPE_DATE, "date"}, {TYPE_TIMESTAMPTZ, "timestamptz"},
};

static const char *type_name(Oid type)
{
    for (size_t i = 0; i < ARRAY_SIZE(element_types); i++)
        if (element_types[i].type == type)
            return element_types[i].name;
    return NULL;
}

static void add(buffer_t *out, const char *text)
{
    buffer_add(out, text, strlen(text));
}

static void add_numbered(buffer_t *out, const char *format, int number, const char *text)
{
    char piece[64];
    snprintf(piece, sizeof piece, format, number, text);
    add(out, piece);
}

/* The buffer's text as a string of its own. */
static char *string_take(buffer_t *take_text)
{
    buffer_add(take_text, "", 1);
    char *string = strdup(take_text->data);
    if (!string)
        panic("out of memory: a statement");
    buffer_free(take_text);
    return string;
}

bool batch_plan(const statement_t *statement, statement_plan_t *plan, char *error, size_t size)
{
    buffer_t sql = {0}, name = {0};
    add(&sql, "SELECT s.*, aipoten_batch.place FROM unnest(");
    for (int i = 0; i < plan->param_count; i++) {
        const char *type = type_name(plan->params[i]);
        if (!type) {
            snprintf(error, size, "statement %s: $%d has type %u, which cannot be batched", statement->name, i + 1,
                plan->params[i]);
            buffer_free(&sql);
            return false;
        }
        add_numbered(&sql, i ? ", $%d::%s[]" : "$%d::%s[]", i + 1, type);
    }
    if (plan->param_count == 0) {
        snprintf(error, size, "statement %s has no parameter: there is nothing to batch", statement->name);
        buffer_free(&sql);
        return false;
    }
    add(&sql, ") WITH ORDINALITY AS aipoten_batch (");
    for (int i = 0; i < plan->param_count; i++)
        add_numbered(&sql, "p%d, %s", i + 1, "");
    add(&sql, "place) CROSS JOIN LATERAL (\n");
    add(&sql, statement->batched);
    add(&sql, "\n) AS s");
    plan->batch_most = BATCH_MOST;
    plan->batched_sql = string_take(&sql);
    add(&name, statement->name);
    add(&name, "_batched");
    plan->batched_name = string_take(&name);
    return true;
}

/* --- parameters: PostgreSQL's binary arrays of one dimension ------------------------------------------------------ */

static void put32(buffer_t *out, int64_t value)
{
    buffer_add(out, &(uint32_t){htobe32((uint32_t)value)}, 4);
}

enum { HAS_NULL_AT = 4 /* where the header says that an element is NULL */ };

static void array_begin(buffer_t *out, Oid type, int count)
{
    out->length = 0;
    put32(out, 1); /* dimensions */
    put32(out, 0); /* no element is NULL */
    put32(out, type);
    put32(out, count);
    put32(out, 1); /* its first index */
}

static void array_add(buffer_t *out, const char *value, int length)
{
    if (value) {
        put32(out, length);
        buffer_add(out, value, (size_t)length);
        return;
    }
    put32(out, -1);
    memcpy(out->data + HAS_NULL_AT, &(uint32_t){htobe32(1)}, 4);
}

/* Elements travel in binary form; a text for a date, say, is read by PostgreSQL and cannot. */
bool batch_fits(const statement_t *statement, const param_t *params, int count)
{
    const statement_plan_t *plan = statement->plan;
    bool fits = plan && count == plan->param_count; /* else params_bind says what is wrong */
    for (int i = 0; fits && i < count; i++)
        if (params[i].kind == PARAM_TEXT)
            fits = plan->params[i] == TYPE_TEXT;
        else if (params[i].kind == PARAM_INTEGER || params[i].kind == PARAM_DECIMAL)
            fits = plan->params[i] != TYPE_TEXT;
    return fits;
}

bool batch_send(PGconn *pg, const statement_t *statement, const param_t *const *params, int count)
{
    static buffer_t arrays[PARAMS_MAX]; /* kept: they are as large as the largest batch */
    const statement_plan_t *plan = statement->plan;
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    for (int i = 0; i < plan->param_count; i++)
        array_begin(&arrays[i], plan->params[i], count);
    for (int call = 0; call < count; call++) {
        bound_t bound;
        params_bind(statement, params[call], plan->param_count, &bound);
        for (int i = 0; i < plan->param_count; i++)
            array_add(&arrays[i], bound.values[i], bound.lengths[i]);
    }
    for (int i = 0; i < plan->param_count; i++) {
        values[i] = arrays[i].data;
        lengths[i] = (int)arrays[i].length;
        formats[i] = 1;
    }
    return PQsendQueryPrepared(pg, plan->batched_name, plan->param_count, values, lengths, formats, 1);
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

static int64_t place_of(const PGresult *result, int row)
{
    uint64_t place;
    memcpy(&place, PQgetvalue(result, row, PQnfields(result) - 1), sizeof place);
    return (int64_t)be64toh(place) - 1;
}

bool batch_split(const PGresult *result, int count, batch_part_t *out)
{
    memset(out, 0, (size_t)count * sizeof *out);
    int64_t before = 0;
    for (int row = 0, rows = PQntuples(result); row < rows; row++) {
        int64_t place = place_of(result, row);
        if (place < before || place >= count)
            return false;
        if (out[place].count++ == 0)
            out[place].first = row;
        before = place;
    }
    return true;
}
