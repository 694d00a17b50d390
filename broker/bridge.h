/* bridge: between the brokers of several machines, over Redis' pub/sub: what became stale on one is stale on all, and what is said of a
 * user, a role, a room or a session on one is heard on all.
 *
 * What always holds: nobody waits for it. What this machine has to say is numbered, bounded, and sent in order; what was not
 * certainly heard by the others leaves a gap in the numbers, by which they empty their caches and tell their frontends that hints were
 * lost. We empty ours whenever we may have
 * missed something: at the start, after each reconnect, at a gap, at a broker that we do not know, at what we cannot read. */
#pragma once
#include "base/loop.h"
#include "shm/process.h"
#include "wire/stale.h"

/* Without cluster.enabled nothing is connected, and bridge_tell does nothing. Exits with EXIT_CONFIG when it is on without Redis.
 * Needs a coroutine. `tell`: a hint of another machine, for those who are here; `lost`: some may not have come. */
void bridge_open(loop_t *, process_t *, void (*tell)(text_t topic, text_t payload), void (*lost)(void));
void bridge_tell(const stale_t *);
/* A hint for the other machines; more than broker.pending of them are dropped, and the others hear that some were. */
void bridge_hint(text_t topic, text_t payload);
/* Has all been sent that was told, as far as there is a connection? */
bool bridge_is_idle(void);
