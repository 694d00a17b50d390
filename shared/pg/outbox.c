/* outbox: see the header. */
#include "outbox.h"
#include "admin_sql.h"
#include "../base/memory.h"
#include <inttypes.h>
#include <stdlib.h>

/* The schemas that have an outbox, quoted for SQL. */
static PGresult *schemas_query(PGconn *pg, FILE *out)
{
    return admin_query(pg, out, "could not look for outboxes",
        "SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = 'deliveries' AND c.relkind = 'r' ORDER BY 1",
        0, NULL);
}

static void status_line(PGresult *rows, int i, const char *schema, FILE *out, bool json, bool *first)
{
    const char *subscriber = PQgetvalue(rows, i, 0), *pending = PQgetvalue(rows, i, 1), *dead = PQgetvalue(rows, i, 2),
               *oldest = PQgetvalue(rows, i, 3), *error = PQgetvalue(rows, i, 4);
    if (json)
        fprintf(out, "%s{\"actor\": \"%s\", \"subscriber\": \"%s\", \"pending\": %s, \"dead\": %s, \"oldest_seconds\": %s}",
            *first ? "" : ", ", schema, subscriber, pending, dead, oldest);
    else
        fprintf(out, "%-14s %-16s %9s %7s %8s s  %s\n", schema, subscriber, pending, dead, oldest, error);
    *first = false;
}

static bool schema_status(PGconn *pg, const char *schema, FILE *out, bool json, bool *first)
{
    buffer_t sql = {0};
    buffer_format(&sql,
        "SELECT subscriber, count(*) FILTER (WHERE dead_at IS NULL), count(dead_at),"
        " coalesce(round(extract(epoch FROM aipoten.app_now() - min(e.created_at))), 0), coalesce(max(last_error), '')"
        " FROM %s.deliveries d JOIN %s.events e USING (position) GROUP BY subscriber ORDER BY subscriber",
        schema, schema);
    buffer_add_char(&sql, '\0');
    PGresult *rows = admin_query(pg, out, "could not read the outbox", sql.data, 0, NULL);
    buffer_free(&sql);
    for (int i = 0; rows && i < PQntuples(rows); i++)
        status_line(rows, i, schema, out, json, first);
    bool good = rows != NULL;
    PQclear(rows);
    return good;
}

int outbox_status(const char *url, FILE *out, bool json)
{
    PGconn *pg = admin_connect(url, out);
    PGresult *schemas = pg && admin_settings(pg, out) ? schemas_query(pg, out) : NULL;
    bool good = schemas != NULL, first = true;
    if (json)
        fputs("{\"deliveries\": [", out);
    else if (good)
        fprintf(out, "%-14s %-16s %9s %7s %10s  %s\n", "ACTOR", "SUBSCRIBER", "PENDING", "DEAD", "OLDEST", "LAST ERROR");
    for (int i = 0; good && i < PQntuples(schemas); i++)
        good = schema_status(pg, PQgetvalue(schemas, i, 0), out, json, &first);
    if (json)
        fputs("]}\n", out);
    else if (good && first)
        fputs("nothing waits\n", out);
    PQclear(schemas);
    PQfinish(pg);
    return good ? 0 : -1;
}

/* Dead ones only: what is still being tried needs no help. */
static const char *const retry_sql =
    "UPDATE %1$s.deliveries SET dead_at = NULL, attempts = 0, next_at = aipoten.app_now() WHERE dead_at IS NOT NULL"
    " AND subscriber = $1 AND ($2::bigint = 0 OR position = $2::bigint)";
/* Whoever stands behind one that is given up is due. The dispatcher's lock is taken before, by a statement of its own
 * (shared/actor/event.c), so that none comes in between. */
static const char *const lock_sql =
    "SELECT count(pg_advisory_xact_lock(hashtextextended('%1$s ' || a.aggregate::text, 0))) FROM (SELECT DISTINCT aggregate"
    " FROM %1$s.deliveries WHERE dead_at IS NOT NULL AND subscriber = $1 AND ($2::bigint = 0 OR position = $2::bigint)"
    " ORDER BY 1) AS a";
static const char *const skip_sql =
    "WITH gone AS (DELETE FROM %1$s.deliveries WHERE dead_at IS NOT NULL AND subscriber = $1"
    " AND ($2::bigint = 0 OR position = $2::bigint) RETURNING subscriber, aggregate, position), woken AS ("
    "UPDATE %1$s.deliveries d SET waits = false, next_at = aipoten.app_now() FROM gone CROSS JOIN LATERAL (SELECT b.position"
    " FROM %1$s.deliveries b WHERE b.subscriber = gone.subscriber AND b.aggregate = gone.aggregate AND b.position > gone.position"
    " ORDER BY b.position LIMIT 1) AS next WHERE d.subscriber = gone.subscriber AND d.position = next.position)"
    " SELECT FROM gone";

/* `format` with the schema in place of each %1$s. */
static PGresult *schema_query(PGconn *pg, FILE *out, const char *format, const char *schema, const char *const *values)
{
    buffer_t sql = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    buffer_format(&sql, format, schema);
#pragma GCC diagnostic pop
    buffer_add_char(&sql, '\0');
    PGresult *result = admin_query(pg, out, "could not change the outbox", sql.data, 2, values);
    buffer_free(&sql);
    return result;
}

/* How many were changed in one schema; -1 with a sentence in `out`. */
static int64_t schema_resolve(PGconn *pg, FILE *out, const char *schema, const char *const *values, bool skip)
{
    if (!admin_execute(pg, out, "could not begin", "BEGIN"))
        return -1;
    PGresult *locked = schema_query(pg, out, lock_sql, schema, values);
    PGresult *result = locked ? schema_query(pg, out, skip ? skip_sql : retry_sql, schema, values) : NULL;
    int64_t changed = result ? atoll(PQcmdTuples(result)) : -1;
    PQclear(locked);
    PQclear(result);
    return admin_execute(pg, out, "could not end", changed < 0 ? "ROLLBACK" : "COMMIT") ? changed : -1;
}

int outbox_resolve(const char *url, FILE *out, const char *subscriber, int64_t position, bool skip)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, position);
    const char *values[] = {subscriber, number};
    PGconn *pg = admin_connect(url, out);
    PGresult *schemas = pg && admin_settings(pg, out) ? schemas_query(pg, out) : NULL;
    bool good = schemas != NULL;
    int64_t changed = 0;
    for (int i = 0; good && i < PQntuples(schemas); i++) {
        int64_t here = schema_resolve(pg, out, PQgetvalue(schemas, i, 0), values, skip);
        good = here >= 0;
        changed += good ? here : 0;
    }
    if (good)
        fprintf(out, "%" PRId64 " dead deliver%s to %s %s\n", changed, changed == 1 ? "y" : "ies", subscriber,
            skip ? "given up" : "due again");
    PQclear(schemas);
    PQfinish(pg);
    return good ? 0 : -1;
}
