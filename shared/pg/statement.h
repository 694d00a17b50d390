/* statement: SQL lives in the actor's .sql file, each statement with its name, its lane and the message its rows fit:
 *
 *     -- child_get: read -> child_detail
 *     -- The child as its guardian or an admin sees it.
 *     SELECT … FROM children.children WHERE id = $1;
 *
 * tools/sqlc.c turns the file into NAME.sql.c and NAME.sql.h at build. All are prepared and described at start: a statement
 * that does not fit the schema, or whose columns do not fit its message (a column per field, by name, of a type that the
 * field can read), fails the start.
 *
 * A hot statement of the read lane says `read batched`: when several calls of one turn run it, PostgreSQL executes it once for
 * all of them (batch.c). That changes nothing that a handler can see.
 *
 * A statement of the write lane says `write grouped` when it is mostly all that its call writes, waits for nobody's locks for long,
 * and has changed nothing when it gives no row and affects none: calls of one turn then share a transaction (group.c). A handler
 * that goes on to write something else runs again, alone.
 *
 * On the write lane a call's statement has one plan for all values, which goes by an index where there is one; so what is looked for by
 * a parameter must not stand beside an OR that may take its place. A system job's may be planned for its values (writer.c). */
#pragma once
#include "../wire/message.h"

enum lane {
    LANE_READ,  /* one pipelined read-only connection per instance, statement_timeout 200 ms */
    LANE_WRITE, /* in the call's transaction, on a connection of its own */
    LANE_SLOW,  /* read-only, analytics and exports */
    LANES
};
extern const char *const lane_names[LANES];

typedef struct statement {
    const char *name, *sql;
    const char *batched; /* the same SQL with its parameters as columns of the batch; NULL: it is never batched */
    enum lane lane;
    bool grouped; /* its call may share a transaction */
    const message_t *row; /* NULL: gives no rows */
    struct statement_plan *plan; /* columns and parameters as PostgreSQL described them; lanes_check fills it */
} statement_t;

/* A parameter; its form on the wire follows the type that PostgreSQL infers for it. A NULL text, or BIND_NULL, is NULL. */
typedef struct {
    enum { PARAM_NULL, PARAM_TEXT, PARAM_INTEGER, PARAM_BOOLEAN, PARAM_UUID, PARAM_TIME, PARAM_DATE, PARAM_BYTES,
        PARAM_DECIMAL } kind;
    int scale; /* decimal */
    text_t text;
    int64_t number;
    uuid_t uuid;
} param_t;

static inline param_t bind_text(text_t v) { return (param_t){.kind = v.data ? PARAM_TEXT : PARAM_NULL, .text = v}; }
static inline param_t bind_bytes(text_t v) { return (param_t){.kind = v.data ? PARAM_BYTES : PARAM_NULL, .text = v}; }
static inline param_t bind_integer(int64_t v) { return (param_t){.kind = PARAM_INTEGER, .number = v}; }
static inline param_t bind_boolean(bool v) { return (param_t){.kind = PARAM_BOOLEAN, .number = v}; }
static inline param_t bind_uuid(uuid_t v) { return (param_t){.kind = PARAM_UUID, .uuid = v}; }
static inline param_t bind_time(int64_t v) { return (param_t){.kind = PARAM_TIME, .number = v}; }
static inline param_t bind_date(int32_t v) { return (param_t){.kind = PARAM_DATE, .number = v}; }
static inline param_t bind_decimal(int64_t v, int scale)
{
    return (param_t){.kind = PARAM_DECIMAL, .number = v, .scale = scale};
}
static inline param_t bind_null(void) { return (param_t){.kind = PARAM_NULL}; }
/* The member of a message by its field's own type: NULL when it was not given. Any struct that MESSAGE made. */
param_t bind_field(const message_t *, const void *value, int index);
/* BIND(child_create, in, birth_date) */
#define BIND(mname, value, member) bind_field(&mname##_message, (value), MESSAGE_INDEX((const mname##_t *)(value), member))
