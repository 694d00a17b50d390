/* probes: the places of WebSockets that want to take a session over from polls and have not yet: so many in all, and so many of an
 * address, so that whoever opens them and says nothing is in nobody else's way. Where all are taken, the one that has waited longest
 * gives way, unless it is young: an upgrade takes a few round trips. Pure. */
#pragma once
#include "frontend/address.h"

enum {
    PROBES_MOST = 256,    /* of one frontend at a time */
    PROBES_ADDRESS = 64,  /* of these, of one address */
    PROBES_YOUNG = 1000,  /* milliseconds */
};

typedef struct probe {
    struct probe *previous, *next;
    address_t client;
    int64_t since; /* clock_monotonic() */
    bool taking;   /* the session is on its way: it would be lost */
} probe_t;

/* May one more of this address begin? False: not now. *gives_way: the one to be ended for that; NULL: none. */
bool probes_room(address_t client, int64_t now, probe_t **gives_way);
void probes_add(probe_t *, address_t client, int64_t now);
void probes_remove(probe_t *);
