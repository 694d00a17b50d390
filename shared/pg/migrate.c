/* migrate: see the header. Holds always:
 *   - aipoten.migrations says exactly which files' effects are in the database: each row commits with them;
 *   - what does not fit (a changed file, a gap, a number this release does not know) is refused before anything
 *     is done;
 *   - one migrator at a time: admin_lock. */
#include "migrate.h"
#include "../base/clock.h"
#include "../crypto/secrets.h"
#include "admin_files.h"
#include "admin_roles.h"
#include "admin_sql.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAIT_SECONDS = 60, LOCK_ATTEMPTS = 5, LOCK_PAUSE_SECONDS = 1 };

/* What stands in aipoten.migrations. */
typedef struct {
    int number;
    char name[MIGRATION_NAME_MAX];
    char checksum[CHECKSUM_SIZE];
    char applied_at[40];
    int64_t milliseconds;
} applied_t;

typedef struct {
    applied_t *items; /* by number */
    int count;
} history_t;

static const char bootstrap_sql[] =
    "CREATE SCHEMA IF NOT EXISTS aipoten;"
    "CREATE TABLE IF NOT EXISTS aipoten.migrations (number integer PRIMARY KEY, name text NOT NULL,"
    " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), duration interval NOT NULL)";
static const char bootstrapped_sql[] = "SELECT (to_regclass('aipoten.migrations') IS NOT NULL)::int";
static const char history_sql[] =
    "SELECT number, name, checksum, to_char(applied_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
    " round(extract(epoch FROM duration) * 1000)::bigint FROM aipoten.migrations ORDER BY number";
static const char record_sql[] = "INSERT INTO aipoten.migrations (number, name, checksum, duration)"
                                 " VALUES ($1, $2, $3, clock_timestamp() - now())";
static const char transaction_sql[] = "SELECT pg_current_xact_id()::text::bigint";

/* --- what the database says --- */

static void history_free(history_t *history)
{
    free(history->items);
    *history = (history_t){0};
}

static void applied_read(const PGresult *result, int row, applied_t *applied)
{
    applied->number = atoi(PQgetvalue(result, row, 0));
    snprintf(applied->name, sizeof applied->name, "%s", PQgetvalue(result, row, 1));
    snprintf(applied->checksum, sizeof applied->checksum, "%s", PQgetvalue(result, row, 2));
    snprintf(applied->applied_at, sizeof applied->applied_at, "%s", PQgetvalue(result, row, 3));
    applied->milliseconds = strtoll(PQgetvalue(result, row, 4), NULL, 10);
}

/* A database that was never migrated has an empty history. */
static bool history_read(PGconn *connection, history_t *history, FILE *out)
{
    int64_t there;
    *history = (history_t){0};
    if (!admin_number(connection, out, "could not look for aipoten.migrations", bootstrapped_sql, &there))
        return false;
    if (!there)
        return true;
    PGresult *result =
        admin_query(connection, out, "could not read aipoten.migrations", history_sql, 0, NULL);
    if (!result)
        return false;
    history->count = PQntuples(result);
    history->items = memory_zeroed((size_t)history->count + 1, sizeof *history->items);
    for (int i = 0; i < history->count; i++)
        applied_read(result, i, &history->items[i]);
    PQclear(result);
    return true;
}

/* What keeps row `index` of the history from being the file of its number; NULL: it is that file. */
static const char *applied_problem(const migrations_t *files, const history_t *history, int index)
{
    const applied_t *applied = &history->items[index];
    if (applied->number > files->count)
        return "this release does not know it: the database is of a newer release, install that one";
    if (applied->number != index + 1)
        return "the one before it was never applied: the record is damaged, restore the database from a "
               "backup";
    const migration_t *file = &files->items[index];
    if (strcmp(applied->name, file->name) != 0)
        return "its file has another name now: put the file back as it was released, and write a new "
               "migration instead";
    if (strcmp(applied->checksum, file->checksum) != 0)
        return "its file was changed after it was applied: put the file back as it was released, and write a "
               "new migration instead";
    return NULL;
}

static bool history_fits(const migrations_t *files, const history_t *history, FILE *out)
{
    for (int i = 0; i < history->count; i++) {
        const char *problem = applied_problem(files, history, i);
        if (!problem)
            continue;
        fprintf(out, "refused: migration %04d_%s is applied, but %s\n", history->items[i].number,
            history->items[i].name, problem);
        return false;
    }
    return true;
}

/* --- applying --- */

enum outcome { APPLIED, REFUSED, LOCKED };

/* Line of the file at PostgreSQL's position, which counts characters from 1; 0 when it told none. */
static int line_of(const migration_t *migration, const PGresult *result)
{
    const char *told = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION), *byte = migration->sql;
    int line = told ? 1 : 0;
    for (int64_t left = told ? strtoll(told, NULL, 10) : 0; left > 1 && *byte; byte++) {
        line += *byte == '\n';
        left -= (byte[1] & 0xc0) != 0x80;
    }
    return line;
}

/* The file's statements inside the open transaction, which must be the same one afterwards. */
static enum outcome statements_run(PGconn *connection, const migration_t *migration, FILE *out)
{
    int64_t before, after;
    char doing[MIGRATION_NAME_MAX + 64];
    snprintf(doing, sizeof doing, "migration %04d_%s failed and was rolled back", migration->number,
        migration->name);
    if (!admin_number(connection, out, doing, transaction_sql, &before))
        return REFUSED;
    PGresult *result = PQexec(connection, migration->sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        bool locked = state && (strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0);
        int line = line_of(migration, result);
        if (line)
            snprintf(doing + strlen(doing), sizeof doing - strlen(doing), " (line %d)", line);
        if (!locked)
            admin_explain(connection, result, out, doing);
        PQclear(result);
        return locked ? LOCKED : REFUSED;
    }
    PQclear(result);
    if (PQtransactionStatus(connection) == PQTRANS_INTRANS &&
        admin_number(connection, out, doing, transaction_sql, &after) && before == after)
        return APPLIED;
    fprintf(out,
        "migration %04d_%s ended its transaction by itself: take COMMIT and ROLLBACK out of the file, and "
        "look at what is left of it in the database\n",
        migration->number, migration->name);
    return REFUSED;
}

static bool record_write(PGconn *connection, const migration_t *migration, FILE *out)
{
    char number[16];
    snprintf(number, sizeof number, "%d", migration->number);
    const char *const values[] = {number, migration->name, migration->checksum};
    PGresult *result = admin_query(connection, out, "could not record the migration", record_sql, 3, values);
    PQclear(result);
    return result != NULL;
}

static enum outcome migration_attempt(PGconn *connection, const migration_t *migration, FILE *out)
{
    if (!admin_settings(connection, out) || !admin_execute(connection, out, "could not begin", "BEGIN"))
        return REFUSED;
    enum outcome outcome = statements_run(connection, migration, out);
    if (outcome == APPLIED && (!record_write(connection, migration, out) ||
                                  !admin_execute(connection, out, "could not commit", "COMMIT")))
        outcome = REFUSED;
    if (outcome != APPLIED && PQtransactionStatus(connection) != PQTRANS_IDLE)
        PQclear(PQexec(connection, "ROLLBACK"));
    return outcome;
}

/* A lock that the live system holds is waited for shortly and asked for again, so that nobody queues behind
 * us for long. */
static bool migration_apply(PGconn *connection, const migration_t *migration, FILE *out)
{
    int64_t began = clock_monotonic();
    enum outcome outcome = migration_attempt(connection, migration, out);
    for (int attempt = 1; outcome == LOCKED && attempt < LOCK_ATTEMPTS; attempt++) {
        fprintf(
            out, "migration %04d_%s waits for tables that are in use\n", migration->number, migration->name);
        fflush(out);
        sleep(LOCK_PAUSE_SECONDS);
        outcome = migration_attempt(connection, migration, out);
    }
    if (outcome == LOCKED)
        fprintf(out,
            "migration %04d_%s was rolled back: long transactions keep its tables locked; find them in "
            "pg_stat_activity, and run this command again when they have ended\n",
            migration->number, migration->name);
    if (outcome == APPLIED)
        fprintf(out, "applied %04d_%s in %" PRId64 " ms\n", migration->number, migration->name,
            (clock_monotonic() - began) / CLOCK_MILLISECOND);
    fflush(out);
    return outcome == APPLIED;
}

static int pending_say(const migrations_t *files, const history_t *history, FILE *out)
{
    for (int i = history->count; i < files->count; i++)
        fprintf(out, "would apply %04d_%s\n", files->items[i].number, files->items[i].name);
    return 0;
}

static int pending_apply(PGconn *connection, const migrations_t *files, const history_t *history, FILE *out)
{
    for (int i = history->count; i < files->count; i++)
        if (!migration_apply(connection, &files->items[i], out))
            return 1;
    const migration_t *newest = &files->items[files->count - 1];
    fprintf(out, "%s: the database is at %04d_%s\n",
        history->count == files->count ? "nothing to do" : "done", newest->number, newest->name);
    return 0;
}

/* --- the commands --- */

static bool secrets_prepare(const char *directory, FILE *out)
{
    char error[256];
    if (secrets_ensure(directory, error, sizeof error) == 0)
        return true;
    fprintf(out, "the secrets are not usable: %s\n", error);
    return false;
}

static int run_connected(PGconn *connection, const migrate_options_t *options, const migrations_t *files)
{
    FILE *out = options->out;
    history_t history = {0};
    int status = 1, wait_seconds = options->wait_seconds > 0 ? options->wait_seconds : WAIT_SECONDS;
    bool ready = options->dry || (admin_lock(connection, out, wait_seconds) &&
                                     secrets_prepare(options->secrets_directory, out));
    if (ready && history_read(connection, &history, out) && history_fits(files, &history, out)) {
        if (options->dry)
            status = roles_report(connection, out) ? pending_say(files, &history, out) : 1;
        else if (roles_ensure(connection, options->secrets_directory, out) &&
                 admin_execute(connection, out, "could not make aipoten.migrations", bootstrap_sql))
            status = pending_apply(connection, files, &history, out);
    }
    history_free(&history);
    return status;
}

int migrate_run(const migrate_options_t *options)
{
    migrations_t files;
    int status = 1;
    if (migrations_read(options->schema_directory, &files, options->out)) {
        PGconn *connection = admin_connect(options->url, options->out);
        if (connection)
            status = run_connected(connection, options, &files);
        PQfinish(connection);
    }
    migrations_free(&files);
    return status;
}

bool migrate_fits(const char *url, const char *schema_directory, FILE *out)
{
    migrations_t files;
    history_t history = {0};
    PGconn *connection = NULL;
    bool fits = migrations_read(schema_directory, &files, out) && (connection = admin_connect(url, out)) != NULL &&
                history_read(connection, &history, out) && history_fits(&files, &history, out);
    if (fits && history.count < files.count) {
        fprintf(out, "migrations wait, %d of them from %04d_%s on: aipotenctl db migrate\n", files.count - history.count,
            files.items[history.count].number, files.items[history.count].name);
        fits = false;
    }
    PQfinish(connection);
    history_free(&history);
    migrations_free(&files);
    return fits;
}

static void status_table(const migrations_t *files, const history_t *history, FILE *out)
{
    fprintf(out, "%-32s %-10s %-22s %s\n", "MIGRATION", "STATE", "APPLIED", "TOOK");
    for (int i = 0; i < history->count; i++) {
        const applied_t *applied = &history->items[i];
        char name[MIGRATION_NAME_MAX + 8];
        snprintf(name, sizeof name, "%04d_%s", applied->number, applied->name);
        fprintf(out, "%-32s %-10s %-22s %" PRId64 " ms\n", name,
            applied_problem(files, history, i) ? "conflict" : "applied", applied->applied_at,
            applied->milliseconds);
    }
    for (int i = history->count; i < files->count; i++) {
        char name[MIGRATION_NAME_MAX + 8];
        snprintf(name, sizeof name, "%04d_%s", files->items[i].number, files->items[i].name);
        fprintf(out, "%-32s pending\n", name);
    }
}

static void status_json(const migrations_t *files, const history_t *history, FILE *out)
{
    json_t *rows = json_array();
    for (int i = 0; i < history->count; i++) {
        const applied_t *applied = &history->items[i];
        const char *problem = applied_problem(files, history, i);
        json_array_append_new(rows,
            json_pack("{s:i, s:s, s:s, s:s, s:I, s:s?}", "number", applied->number, "name", applied->name,
                "state", problem ? "conflict" : "applied", "applied_at", applied->applied_at, "duration_ms",
                (json_int_t)applied->milliseconds, "problem", problem));
    }
    for (int i = history->count; i < files->count; i++)
        json_array_append_new(
            rows, json_pack("{s:i, s:s, s:s, s:n, s:n, s:n}", "number", files->items[i].number, "name",
                      files->items[i].name, "state", "pending", "applied_at", "duration_ms", "problem"));
    int pending = files->count > history->count ? files->count - history->count : 0;
    json_t *whole =
        json_pack("{s:o, s:i, s:i}", "migrations", rows, "applied", history->count, "pending", pending);
    json_dumpf(whole, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(whole);
}

int migrate_status(const migrate_options_t *options)
{
    migrations_t files;
    history_t history = {0};
    PGconn *connection = NULL;
    int status = 1;
    if (migrations_read(options->schema_directory, &files, options->out) &&
        (connection = admin_connect(options->url, options->out)) &&
        history_read(connection, &history, options->out)) {
        (options->json ? status_json : status_table)(&files, &history, options->out);
        status = 0;
        for (int i = 0; i < history.count; i++)
            if (applied_problem(&files, &history, i))
                status = 1;
        if (status && !options->json)
            history_fits(&files, &history, options->out);
    }
    PQfinish(connection);
    history_free(&history);
    migrations_free(&files);
    return status;
}
