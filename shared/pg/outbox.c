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
    "UPDATE %s.deliveries SET dead_at = NULL, attempts = 0, next_at = aipoten.app_now() WHERE dead_at IS NOT NULL"
    " AND subscriber = $1 AND ($2::bigint = 0 OR position = $2::bigint)";
static const char *const skip_sql =
    "DELETE FROM %s.deliveries WHERE dead_at IS NOT NULL AND subscriber = $1 AND ($2::bigint = 0 OR position = $2::bigint)";

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
        buffer_t sql = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buffer_format(&sql, skip ? skip_sql : retry_sql, PQgetvalue(schemas, i, 0));
#pragma GCC diagnostic pop
        buffer_add_char(&sql, '\0');
        PGresult *result = admin_query(pg, out, "could not change the outbox", sql.data, 2, values);
        buffer_free(&sql);
        good = result != NULL;
        changed += good ? atoll(PQcmdTuples(result)) : 0;
        PQclear(result);
    }
    if (good)
        fprintf(out, "%" PRId64 " dead deliver%s to %s %s\n", changed, changed == 1 ? "y" : "ies", subscriber,
            skip ? "given up" : "due again");
    PQclear(schemas);
    PQfinish(pg);
    return good ? 0 : -1;
}
