/* audit: computes the chain of the access log again (aipotenctl audit verify). As the migrator, in one read-only snapshot, so the
 * system may serve meanwhile.
 *
 * Found are: a row that was changed, a row that is missing (in the middle, or at the end: the head says more), rows that changed
 * places, a head or an anchor that does not fit. The chain tells this of what was written; of a table that was written anew as a
 * whole, with head and anchors, it tells only when an anchor from elsewhere is given. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

typedef struct {
    const char *url;    /* libpq URI of the migrator (DATABASE_URL) */
    FILE *out;          /* findings, a line each; then what was checked */
    const char *anchor; /* "POSITION:HASH" that was kept elsewhere; NULL: none */
    bool json;          /* one JSON object instead */
} audit_options_t;

/* 0 when everything fits, else 1. Blocks: for aipotenctl alone. */
int audit_verify(const audit_options_t *);
