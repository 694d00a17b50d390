/* together: events of a row with .together that are there at the end of a turn do their part in one transaction: one statement, one
 * record, one COMMIT and one wait for the disk for all of them. While database.write_groups of such transactions are under way the next
 * ones gather, so that the fuller the queue, the less each costs.
 *
 * What always holds: they take effect once and in the order in which they came, each with its own row in the record of calls, all of them
 * or none. When that does not come to a good end (one is refused, was done before, or meets a lock) each is run alone by .handler and
 * gets the answer that is its own. One that comes alone is run alone from the beginning. */
#pragma once
#include "internal.h"

/* Takes a call over whose row has .together; false: the call is not for here. */
bool together_take(job_t *);
/* Begins what has gathered; a turn hook. */
bool together_turn(void *argument);
