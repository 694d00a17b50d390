/* bridge: between the brokers of several machines, over Redis' pub/sub: what became stale on one is stale on all.
 *
 * What always holds: nobody waits for it. What this machine has to say is numbered, bounded, and sent in order; what was not
 * certainly heard by the others leaves a gap in the numbers, by which they empty their caches. We empty ours whenever we may have
 * missed something: at the start, after each reconnect, at a gap, at a broker that we do not know, at what we cannot read. */
#pragma once
#include "base/loop.h"
#include "shm/process.h"
#include "wire/stale.h"

/* Without cluster.enabled nothing is connected, and bridge_tell does nothing. Exits with EXIT_CONFIG when it is on without Redis.
 * Needs a coroutine. */
void bridge_open(loop_t *, process_t *);
void bridge_tell(const stale_t *);
/* Has all been sent that was told, as far as there is a connection? */
bool bridge_is_idle(void);
