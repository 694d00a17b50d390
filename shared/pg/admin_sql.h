/* admin_sql: the migrator's one blocking connection, for aipotenctl's db commands alone. Serving processes use lanes.h. */
#pragma once
#include "../base/text.h"
#include <libpq-fe.h>
#include <stdio.h>

/* Connects as the migrator with the settings of admin_settings. NULL with a sentence in `out`. PQfinish it. */
PGconn *admin_connect(const char *url, FILE *out);
/* Sets what every migration may count on: an empty search path, UTC, short waits for locks, a limit on each statement. */
bool admin_settings(PGconn *, FILE *out);

/* Runs one statement, or several without parameters. NULL with PostgreSQL's own reason in `out` after `doing` ("could not …").
 * PQclear the result. */
PGresult *admin_query(PGconn *, FILE *out, const char *doing, const char *sql, int count, const char *const *values);
/* The same without a result to look at. */
bool admin_execute(PGconn *, FILE *out, const char *doing, const char *sql);
/* The first value of the first row as a number. */
bool admin_number(PGconn *, FILE *out, const char *doing, const char *sql, int64_t *number);

/* Writes "doing: primary message (detail) (hint)" of a failed result, or of the connection when result is NULL. */
void admin_explain(PGconn *, const PGresult *, FILE *out, const char *doing);

/* Takes the session lock that keeps two of these programs apart in one database, and holds it until PQfinish. It is asked for
 * again and again rather than waited for: a waiting statement would hold a snapshot. false with a sentence in `out` when
 * another has it for longer than `wait_seconds`. */
bool admin_lock(PGconn *, FILE *out, int wait_seconds);
