/* unsure: what a COMMIT may have changed of which nobody knows whether it took effect: its connection was lost, or its answer did not come
 * in time. PostgreSQL may still be at it. Whoever reads meanwhile reads what was before, and files it after this process said that it
 * changed (cached_changed).
 *
 * What always holds: such tags are said to have changed once more after every transaction has ended that was under way in the actor's name
 * when PostgreSQL could first be asked since; and until then again and again, so that nothing older is given for longer than
 * UNSURE_PAUSE. None escapes that look: no COMMIT is sent before PostgreSQL has answered something of its transaction, which therefore
 * shows, whether COMMIT was read or not (shared/pg/transaction.c, group.c). Who ends with some, drained or killed, leaves nothing of them
 * behind: so each process begins as if all that its actor changes were unsure, and looks before it is READY; normally that is settled at
 * once. Who drains stays until it has none, for actor.drain_timeout at most. Not covered is who is killed with some, or could not wait,
 * and is not started again (aipotenctl scale): of these, answers are given until they are too old (cache.max_age).
 */
#pragma once
#include "internal.h"

enum { UNSURE_PAUSE = 1000 /* milliseconds */ };

/* At the start of a process that has statements: somebody before it may have ended with some. */
void unsure_start(void);
/* The call's COMMIT ended with DB_UNKNOWN; its tags were said to have changed. */
void unsure_add(const job_t *);
/* Is there any that this process would forget? */
bool unsure_any(void);
/* From the housekeeping: begins to look when that is due. */
void unsure_turn(int64_t now);
/* The statement it needs, for the list of all. */
const statement_t *unsure_statement(void);
