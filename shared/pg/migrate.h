/* migrate: brings a database to the schema of this release, and says where it stands (aipotenctl db migrate|status).
 *
 * Migrations are the files schema/migrations/NNNN_name.sql: forward only, numbered without gaps from 0001, each in its own
 * transaction, recorded in aipoten.migrations with the SHA-256 of its bytes. Before the first of them runs, one login role
 * per actor exists with the password that stands in the secrets (schema/README.md has the rules).
 *
 * Nothing here runs in a serving process: these functions block, and are called by aipotenctl alone. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

typedef struct {
    const char *url;               /* libpq URI of the migrator, who owns all objects (DATABASE_URL) */
    const char *schema_directory;  /* "schema" of this release */
    const char *secrets_directory; /* var/secrets; what is missing in it is made; not read by migrate_status */
    FILE *out;                     /* what was done, for people; reasons of failures too */
    int wait_seconds;              /* for another migrator to end; 0: 60 */
    bool dry;                      /* migrate_run: only say what would be done */
    bool json;                     /* migrate_status: one JSON object instead of a table */
} migrate_options_t;

/* 0 when the database has the schema of this release, else 1 and a sentence in `out`. */
int migrate_run(const migrate_options_t *);
/* Is everything applied that this release has, and nothing else? Else false and sentences in `out`. */
bool migrate_fits(const char *url, const char *schema_directory, FILE *out);
/* 0 when what is applied is what this release has or its beginning, else 1. */
int migrate_status(const migrate_options_t *);
