/* event: the outbox of an actor and its dispatcher. Handlers use events.h only. */
#pragma once
#include "events.h"
#include "internal.h"

enum {
    EVENT_STATEMENTS = 13,
    SETTLE_MILLISECONDS = 100, /* in which deliveries of direct events are gathered: one transaction says it of all */
};

/* Fills `out` with this file's statements for the actor's schema. */
void event_statements(const actor_t *, const statement_t **out);
/* After the reply: sends what the call's direct events owe their subscribers and waits for them, for actor.event_wait at most. Never
 * fails: what is not answered is the dispatcher's. */
void event_deliver(job_t *);
/* Deliveries of direct events are to be settled. */
bool event_unsettled(void);
/* One round of the dispatcher, as a chore of every instance: takes due deliveries, sends them, settles them. Gives the
 * milliseconds until the next one. `known`: one was committed here just now, so there is no need to look first. */
int64_t event_dispatch(call_t *, bool known);
/* Events that wait and whose sealed bytes do not begin with `newest`: they are not sealed anew, they go when they are delivered. */
int64_t event_sealed_before(call_t *, text_t newest);
