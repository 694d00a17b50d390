/* services: the rows the supervisor starts, stage by stage (stops are in reverse). actors/README.md says all
 * that a new actor needs. A row's place travels in shared memory between releases: new rows are appended, none is
 * moved or removed, and a running system takes them over by aipotenctl upgrade (not by a restart). */
#pragma once
#include <stdbool.h>

typedef struct {
    const char *name;    /* "accounts-hash": unique; instances are NAME.1, NAME.2 … */
    const char *program; /* "accounts": the executable beside the supervisor's own */
    int stage;           /* broker 0, actors 1, frontends 2: a stage starts when the one before is ready */
    bool listens;        /* gets the listening sockets */
    bool told;           /* SIGURG tells it that the instance table has changed (the broker, who tells the others) */
    const char *const *secrets; /* names it is given (secrets.h), NULL-terminated: nothing else */
    const char *role;           /* PostgreSQL role, NULL: none */
    int nice; /* what keeps processors busy for long gives way to everybody else (priority.h) */
} service_t;

extern const service_t services[];
extern const int service_count;
/* Index in services[], or -1. */
int service_find(const char *name);
