/* check: see the header. Each part writes what it finds as lines; what could not be asked is a finding too. */
#include "check.h"
#include "../base/memory.h"
#include "../base/panic.h"
#include "admin_roles.h"
#include "admin_sql.h"
#include "migrate.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

/* Tables may be large, and they are read whole. One snapshot: nobody's half-done work is seen. */
static const char begin_sql[] = "SET statement_timeout = '10min'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/* A row for each, with a sentence. Ours are all schemas but PostgreSQL's own. */
static const char unused_sql[] =
    "WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public'))"
    " SELECT format('index %s is not valid, so nothing is found by it: REINDEX INDEX CONCURRENTLY %1$s', i.indexrelid::regclass)"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace IN (SELECT oid FROM ours) AND NOT i.indisvalid"
    " UNION ALL"
    " SELECT format('constraint %I of %s is not validated: ALTER TABLE %2$s VALIDATE CONSTRAINT %1$I', n.conname, n.conrelid::regclass)"
    " FROM pg_constraint n WHERE n.connamespace IN (SELECT oid FROM ours) AND NOT n.convalidated"
    " UNION ALL"
    " SELECT DISTINCT format('triggers of %s are off, also those that keep its references: ALTER TABLE %1$s ENABLE TRIGGER ALL', t.tgrelid::regclass)"
    " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace IN (SELECT oid FROM ours) AND t.tgenabled = 'D'"
    " UNION ALL"
    " SELECT format('%s belongs to %s and not to who migrates: ALTER TABLE %1$s OWNER TO %I', c.oid::regclass, c.relowner::regrole, current_user)"
    " FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'p', 'v', 'm')"
    " AND c.relowner <> current_user::regrole"
    " ORDER BY 1";

/* How many differ. */
static const struct {
    const char *what, *sql;
} copies[] = {
    {"users whose number of unread notifications is wrong",
        "SELECT count(*) FROM notifications.counters c FULL JOIN (SELECT user_id, max(seq) AS seq,"
        " count(*) FILTER (WHERE in_app AND NOT is_read AND deleted_at IS NULL) AS unread"
        " FROM notifications.notifications GROUP BY user_id) AS n USING (user_id)"
        " WHERE c.user_id IS NULL OR c.unread <> coalesce(n.unread, 0) OR c.seq < coalesce(n.seq, 0)"},
    {"videos that more bookmark than are counted", /* demo data counts some that nobody set */
        "SELECT count(*) FROM videos.videos v WHERE v.bookmark_count <"
        " (SELECT count(*) FROM videos.user_video_interactions i WHERE i.video_id = v.id AND i.is_bookmarked)"},
    {"videos that show other categories than theirs", /* a deleted one is shown to nobody, and is in none (video_delete) */
        "SELECT count(*) FROM videos.videos v WHERE v.deleted_at IS NULL AND v.categories::jsonb <> coalesce("
        "(SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'slug', c.slug) ORDER BY c.created_at, c.id)"
        " FROM videos.video_category_mapping m JOIN videos.video_categories c ON c.id = m.category_id WHERE m.video_id = v.id), '[]')"},
};

static void unused_find(PGconn *connection, FILE *out)
{
    PGresult *result = admin_query(connection, out, "could not look at indexes, constraints and triggers", unused_sql, 0, NULL);
    for (int i = 0; result != NULL && i < PQntuples(result); i++)
        fprintf(out, "%s\n", PQgetvalue(result, i, 0));
    PQclear(result);
}

static void copies_compare(PGconn *connection, FILE *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
        int64_t differ;
        if (!admin_number(connection, out, copies[i].what, copies[i].sql, &differ))
            return; /* the transaction is over */
        if (differ > 0)
            fprintf(out, "%" PRId64 " %s: tell who develops this what happened before; the rows themselves are right\n", differ, copies[i].what);
    }
}

/* What needs the whole schema is asked only when it is there. */
static void all_find(const check_options_t *options, FILE *out)
{
    PGconn *connection = admin_connect(options->url, out);
    if (connection == NULL)
        return;
    bool whole = migrate_fits(options->url, options->schema_directory, out);
    roles_check(connection, options->url, options->secrets_directory, out);
    if (whole && admin_settings(connection, out) && admin_execute(connection, out, "could not begin", begin_sql)) {
        unused_find(connection, out);
        copies_compare(connection, out);
    }
    PQfinish(connection);
}

static int findings_tell(const check_options_t *options, text_t said)
{
    json_t *problems = json_array();
    text_t line;
    while (said.length > 0 && text_split(&said, '\n', &line))
        if (line.length > 0)
            json_array_append_new(problems, json_stringn(line.data, line.length));
    size_t count = json_array_size(problems);
    if (options->json) {
        json_t *whole = json_pack("{s:b, s:o}", "fits", count == 0, "problems", problems);
        json_dumpf(whole, options->out, JSON_INDENT(2));
        fputc('\n', options->out);
        json_decref(whole);
    } else {
        for (size_t i = 0; i < count; i++)
            fprintf(options->out, "%s\n", json_string_value(json_array_get(problems, i)));
        if (count == 0)
            fprintf(options->out, "the database fits: migrations, roles, indexes, constraints, triggers, and copies kept for speed\n");
        json_decref(problems);
    }
    return count == 0 ? 0 : 1;
}

int check_run(const check_options_t *options)
{
    char *said = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&said, &length);
    if (out == NULL)
        panic("no memory for the findings");
    all_find(options, out);
    fclose(out);
    int status = findings_tell(options, (text_t){said, length});
    free(said);
    return status;
}
