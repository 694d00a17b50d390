/* upstream: the actor instances that requests can be sent to. The segment's instance table alone decides: an
 * instance gets new requests while it is READY and its rows are those this program was built with; it may
 * still answer old ones until its generation ends. */
#pragma once
#include "../base/loop.h"
#include "../shm/process.h"

/* A service that requests are sent to, and the hash of its rows in this build. */
typedef struct {
    const char *service;
    uint64_t schema_hash;
    bool spread; /* its calls keep a processor for long (service_t.nice): each goes where the fewest are */
} upstream_service_t;

typedef struct upstream {
    uint64_t generation; /* 0: a free place */
    int slot;            /* in the instance table */
    int service;         /* in the table given to upstream_open */
    int64_t in_flight;   /* its requests in the pending table; kept by relay.c */
    bool ready;
    struct link_client *link;
    int64_t lost_at; /* clock_monotonic() of the moment its generation was seen to have ended; 0: it lives */
} upstream_t;

typedef struct {
    /* One packed reply; points into a received message. */
    void (*on_reply)(text_t packed);
    /* The instance is gone and what it had sent has been read: whatever still waits for it gets no answer. */
    void (*on_lost)(upstream_t *);
} upstream_events_t;

/* The table is borrowed for good. */
void upstream_open(loop_t *, process_t *, const upstream_service_t *, int count, const upstream_events_t *);
/* Index in that table, or -1. */
int upstream_service(const char *name);
void upstream_close(void);

enum upstream_choice { UPSTREAM_CHOSEN, UPSTREAM_NONE_READY, UPSTREAM_ALL_FULL };
/* The ready instance of a service with the fewest requests under way; for the rest of the turn the same one, as long as it is
 * not far ahead of the others: what travels together is worked on together (one message, one batch of statements). */
enum upstream_choice upstream_choose(int service, upstream_t **out);
/* There was a ready instance within the last `patience` microseconds: one is coming back, or was stopped just now. */
bool upstream_coming_back(int service, int64_t patience);
/* Joins this turn's batch. */
void upstream_send(upstream_t *, text_t packed);
/* How many instances of a service are ready now; and how many of them are left out because their rows are
 * others. */
int upstream_ready_count(int service, int *skewed);
