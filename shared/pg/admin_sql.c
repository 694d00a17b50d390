/* admin_sql: see the header. Holds always: nothing written to `out` contains a password, because no statement
 * does (admin_roles.c sends verifiers) and libpq's messages name host, port, database and user only. */
#include "admin_sql.h"
#include "../base/clock.h"
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* pg_advisory_lock's key: "aipotenm" in ASCII. */
static const char lock_sql[] = "SELECT pg_try_advisory_lock(7019267261711576685)::int";
enum { LOCK_POLL_MILLISECONDS = 100 };

/* A migration waits 3 s at most for a lock, since whoever comes after it waits behind it: that is how a
 * schema change hangs a live system. A long one raises its own limit by SET LOCAL statement_timeout. */
static const char settings_sql[] =
    "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = 'ISO';"
    "SET client_min_messages = warning; SET client_encoding = 'UTF8';"
    "SET lock_timeout = '3s'; SET statement_timeout = '60s';"
    "SET idle_in_transaction_session_timeout = '60s'";

static void notice_write(void *argument, const PGresult *notice)
{
    fprintf(argument, "%s: %s\n", PQresultErrorField(notice, PG_DIAG_SEVERITY),
        PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY));
}

/* libpq's own words about a malformed address would repeat it, with the password in it. */
static bool url_check(const char *url, FILE *out)
{
    text_t text = text_of(url);
    bool good = text_starts_with(text, TEXT("postgresql://")) || text_starts_with(text, TEXT("postgres://"));
    if (good) {
        PQconninfoOption *parsed = PQconninfoParse(url, NULL);
        good = parsed != NULL;
        PQconninfoFree(parsed);
    }
    if (!good)
        fprintf(out,
            "%s: set DATABASE_URL to the migrator's address, postgresql://USER:PASSWORD@HOST:PORT/NAME\n",
            text.length ? "the database's address is not a URI that PostgreSQL understands"
                        : "no database is named");
    return good;
}

PGconn *admin_connect(const char *url, FILE *out)
{
    if (!url_check(url, out))
        return NULL;
    const char *const names[] = {"dbname", "connect_timeout", "fallback_application_name", NULL};
    const char *const values[] = {url, "10", "aipotenctl db", NULL};
    PGconn *connection = PQconnectdbParams(names, values, 1);
    if (PQstatus(connection) != CONNECTION_OK) {
        admin_explain(connection, NULL, out, "could not connect to the database");
        PQfinish(connection);
        return NULL;
    }
    PQsetNoticeReceiver(connection, notice_write, out);
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    if (PQserverVersion(connection) < 150000)
        fprintf(out, "the database server is older than PostgreSQL 15: use 15 or newer\n");
    else if (!encoding || strcmp(encoding, "UTF8") != 0)
        fprintf(out, "the database's encoding is %s: create it with ENCODING 'UTF8' and locale C.UTF-8\n",
            encoding);
    else if (admin_settings(connection, out))
        return connection;
    PQfinish(connection);
    return NULL;
}

bool admin_settings(PGconn *connection, FILE *out)
{
    return admin_execute(connection, out, "could not set the session up", settings_sql);
}

void admin_explain(PGconn *connection, const PGresult *result, FILE *out, const char *doing)
{
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!primary) {
        text_t message = text_of(PQerrorMessage(connection)), line;
        fprintf(out, "%s:", doing);
        while (text_split(&message, '\n', &line))
            if ((line = text_trim(line)).length)
                fprintf(out, " %.*s", TEXT_ARG(line));
        fputc('\n', out);
        return;
    }
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    fprintf(out, "%s: %s", doing, primary);
    if (detail)
        fprintf(out, " (%s)", detail);
    if (hint)
        fprintf(out, " (%s)", hint);
    fputc('\n', out);
}

PGresult *admin_query(
    PGconn *connection, FILE *out, const char *doing, const char *sql, int count, const char *const *values)
{
    PGresult *result =
        count ? PQexecParams(connection, sql, count, NULL, values, NULL, NULL, 0) : PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_IN)
        return result;
    admin_explain(connection, result, out, doing);
    PQclear(result);
    return NULL;
}

bool admin_execute(PGconn *connection, FILE *out, const char *doing, const char *sql)
{
    PGresult *result = admin_query(connection, out, doing, sql, 0, NULL);
    PQclear(result);
    return result != NULL;
}

bool admin_number(PGconn *connection, FILE *out, const char *doing, const char *sql, int64_t *number)
{
    PGresult *result = admin_query(connection, out, doing, sql, 0, NULL);
    if (!result)
        return false;
    bool found = PQntuples(result) > 0 && text_to_int(text_of(PQgetvalue(result, 0, 0)), number);
    if (!found)
        fprintf(out, "%s: the answer is not a number\n", doing);
    PQclear(result);
    return found;
}

bool admin_lock(PGconn *connection, FILE *out, int wait_seconds)
{
    int64_t deadline = clock_monotonic() + wait_seconds * CLOCK_SECOND;
    bool said = false;
    for (;;) {
        int64_t taken;
        if (!admin_number(connection, out, "could not take the lock", lock_sql, &taken))
            return false;
        if (taken)
            return true;
        if (clock_monotonic() >= deadline) {
            fprintf(out,
                "another aipotenctl db command has been at work in this database for more than %d s: nothing "
                "was done; "
                "try again when it has ended\n",
                wait_seconds);
            return false;
        }
        if (!said) {
            fprintf(out, "waiting for another aipotenctl db command to end (%d s at most)\n", wait_seconds);
            fflush(out);
        }
        said = true;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MILLISECONDS * 1000000L}, NULL);
    }
}
