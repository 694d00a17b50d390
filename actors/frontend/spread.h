/* spread: which frontend takes the next connection. They share the listening sockets, and whoever is awake
 * would take a whole burst alone; one core would then do all the work as long as those connections live. So a
 * frontend that has noticeably more connections than another gives way: it looks away from its sockets for
 * SPREAD_MILLISECONDS.
 *
 * What always holds: a connection that nobody else took in that time is ours; and a frontend that let several
 * stand in a row (it is stopped, or at something long) is not waited for any more until it accepts something,
 * or for SPREAD_DEAF_MILLISECONDS. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    SPREAD_PEERS_MAX = 64,
    SPREAD_MILLISECONDS = 2,
    SPREAD_AHEAD = 2,        /* so many more connections are noticeable, */
    SPREAD_AHEAD_SHARE = 16, /* and one for each so many: of a great many not each tenth matters */
    SPREAD_PATIENCE = 10, /* waits in vain; a busy machine may not let the other run for some milliseconds */
    SPREAD_DEAF_MILLISECONDS = 500,
};

/* Another frontend, by its own counters; its place in the array is always the same. */
typedef struct {
    bool ready;
    int64_t connections, accepted;
} spread_peer_t;

typedef struct {
    bool ours; /* the next connection: nobody wanted it */
    struct {
        int64_t accepted;   /* by it, when way was given last */
        bool waited_for;    /* was it for its sake? */
        int vain;           /* how often in a row that was in vain */
        int64_t deaf_until; /* clock_monotonic(); 0: it hears */
    } peers[SPREAD_PEERS_MAX];
} spread_t;

/* True: leave the next connection to others for SPREAD_MILLISECONDS, then call spread_look. `own`:
 * connections of this one. */
bool spread_gives_way(spread_t *, const spread_peer_t *peers, int count, int64_t own, int64_t now);
/* The time is over: remembers who let the connection stand. */
void spread_look(spread_t *, const spread_peer_t *peers, int count, int64_t now);
