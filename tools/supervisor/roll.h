/* roll: replaces running instances by new ones without a moment in which nobody serves: the new one stands beside the old one,
 * under the same number in a place of its own, and is READY before the old one drains. */
#pragma once
#include "plan.h"
#include "supervisor.h"

/* Begins. `together`: a new release, whose rows may be others; else one instance after the other. `until`: clock_monotonic() at
 * which a new instance that is not READY is given up. 0, or -1 with a reason: then nothing has changed. */
int roll_begin(supervisor_t *, target_t, bool together, int64_t until, char *error, size_t error_size);
/* Is one under way? */
bool roll_active(void);
/* Whoever has not taken over leaves again; those that are replaced already stay so. */
void roll_cancel(supervisor_t *, const char *reason);
/* Until it changes nothing any more, once per turn. */
bool roll_step(supervisor_t *);
/* When it is given up, clock_monotonic(); 0: never. */
int64_t roll_deadline(void);
/* In words, what it waits for; an empty string: none is under way. */
void roll_describe(char *out, size_t out_size);
