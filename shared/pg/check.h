/* check: does the database fit what runs over it (aipotenctl db check)? As the migrator, changing nothing, also while the system serves:
 * after a restore, before an upgrade, and when something is odd.
 *
 * Found are: migrations that wait or do not fit; actors' roles that are missing, may too much, or cannot log in with the passwords of this
 * system; tables that are not the migrator's; indexes, constraints and triggers that PostgreSQL does not use; and copies kept for speed
 * that differ from what they are copies of. The access log's chain is audit.h's. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

typedef struct {
    const char *url;               /* libpq URI of the migrator (DATABASE_URL) */
    const char *schema_directory;  /* "schema" of this release */
    const char *secrets_directory; /* var/secrets; only read */
    FILE *out;                     /* findings, a line each; then what was checked */
    bool json;                     /* one JSON object instead */
} check_options_t;

/* 0 when everything fits, else 1. Blocks: for aipotenctl alone. */
int check_run(const check_options_t *);
