/* seen: tells Redis who is online on this machine, and who no longer is, as the frontends write it into shared memory
 * (shm/presence.h); for the actors of all machines, and for after a restart (net/presence_far.h). Without Redis it does nothing, and
 * nobody waits for it. */
#pragma once
#include "base/loop.h"
#include "shm/process.h"

/* Needs a coroutine. */
void seen_open(loop_t *, process_t *);
/* The instance of this slot has ended: nobody of it is online. */
void seen_instance_ended(int slot);
/* Told to stop: what changed is told now, not at the next look. */
void seen_hurry(void);
/* Has all been told that changed, as far as there is a connection? */
bool seen_is_idle(void);
