/* once: a writing call is done exactly once, however often it arrives (architecture.md, "Exactly once").
 *
 * Its row is inserted just before COMMIT, on the same way to PostgreSQL: no round trip more. A second run of the same call,
 * after an instance died, a connection was lost during COMMIT, or a client repeated its Idempotency-Key, cannot commit:
 * PostgreSQL makes it wait for the first and then refuses its row, and the recorded answer is given instead.
 *
 * Until then the second run works on what the first may have changed, so what it decides must not be believed: a call that
 * may have run before is looked up before its handler runs, and again before an error of it is answered. */
#pragma once
#include "internal.h"

/* The actor's statements and those of this file; call once, before lanes_check. The list lives until the process ends. */
const statement_t *const *once_statements(const actor_t *, int *count);
/* Does the row ask for it? */
bool once_applies(const job_t *);
/* The call's place in the record: of the call, or of its Idempotency-Key for this principal and operation, and for the headers
 * that the row names, which say who a caller without a token is. */
void once_begin(job_t *);
/* May it have run before? Then once_replay before its handler. */
static inline bool once_doubtful(const job_t *job)
{
    return job->once.doubtful;
}
/* Gives the recorded answer as the reply; false when there is none. May suspend; may end the call. */
bool once_replay(job_t *);
/* COMMIT with the call's row before it. DB_CONSTRAINT: another run of this call committed. */
enum db_status once_commit(job_t *);
/* COMMIT of `lead`, which did what `count` events ask for, with the rows of all of them, whose replies are given. */
enum db_status once_commit_events(job_t *lead, job_t *const *jobs, int count);
/* Empties what nobody can ask for any more: an hour's calls, a day's keys (an hour's, where the row says brief). Milliseconds
 * until the next time. */
int64_t once_tidy(call_t *);
/* Answers kept for an Idempotency-Key whose sealed bytes do not begin with `newest`: they are never sealed anew, only forgotten
 * after a day. */
int64_t once_sealed_before(call_t *, text_t newest);
