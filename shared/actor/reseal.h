/* reseal: the chore (actor.h) of an actor that seals columns. After a new key came to the front of the ring, what older keys
 * sealed is sealed anew, a few rows a step in the order of their ids, pass after pass until none is left; then the older keys
 * may be retired.
 *
 * What always holds: a value is replaced by itself under the first key, in the transaction that locked its row. One that no key
 * opens is left as it is and named in the log, and does not stop the others.
 *
 * A process that was started before may still seal with an older key. So the work is done again after every change of any
 * instance's state and now and then, while the ring has more than one key; and what it found is published with the state it had seen:
 *
 *     reseal_left   rows that need an older key
 *     reseal_kept   answers that need one and are kept for a repeated Idempotency-Key, a day at most
 *     reseal_events events that need one and are not delivered yet
 *     reseal_seen   segment_version() when the look at them began; `aipotenctl secrets retire` believes nothing older */
#pragma once
#include "call.h"

/* One table with sealed columns. The message of `stale` has the row's id and then, as bytes, the sealed columns by their names; at
 * most RESEAL_COLUMNS of them. */
enum { RESEAL_COLUMNS = 8 };
typedef struct {
    const char *table;         /* as in the place of what is sealed: "children.children" */
    const statement_t *stale;  /* the next rows after id $2 with a value that does not begin with $1 */
    const statement_t *reseal; /* row $1 gets its columns $2, $3 … */
    const statement_t *count;  /* `total`: all rows with a value that does not begin with $1 */
} reseal_t;

#define RESEAL_LEFT "reseal_left"
#define RESEAL_KEPT "reseal_kept"
#define RESEAL_EVENTS "reseal_events"
#define RESEAL_SEEN "reseal_seen"

/* One step through `count` tables, one after the other: what actor_t.chore returns. */
int64_t reseal_step(call_t *, const reseal_t *tables, int count);
