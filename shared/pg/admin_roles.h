/* admin_roles: the login roles of the actors: aipoten_ROLE for each role that a row of services.c names. Roles belong to the
 * whole server, so they are made and given their passwords here and not by a migration; what they may do is in the migrations. */
#pragma once
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>

/* Makes missing roles and sets limits and passwords of all (the secrets db.ROLE, as SCRAM-SHA-256 verifiers that are computed
 * here: no password reaches the server or its log). false with a sentence in `out`. */
bool roles_ensure(PGconn *, const char *secrets_directory, FILE *out);
/* Says which roles are missing (a dry run). */
bool roles_report(PGconn *, FILE *out);
/* Are they there, with no more rights than they may have, and can they log in with what stands in the secrets? Sentences in `out` when not;
 * changes nothing. `url`: the migrator's. */
void roles_check(PGconn *, const char *url, const char *secrets_directory, FILE *out);
