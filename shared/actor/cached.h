/* cached: answers that go into the cache in shared memory (shm/cache.h), and changes that make such answers stale. A reading call
 * collects by call_tag what its answer depends on, a writing one what it has changed; the latter stands in the call's record too, so
 * that whoever gives a recorded answer again says once more what it changed.
 *
 * What always holds: an answer's stamp is older than its first query; what was changed is said after COMMIT and before the reply
 * leaves. Who dies in between has said nothing, and then the supervisor makes stale all that depends on its actor. */
#pragma once
#include "internal.h"

/* Before each run of the handler. */
void cached_begin(job_t *);
/* What became of the call's COMMIT: when it took effect, or may have, the call's tags have changed; in doubt it is said again (unsure.h). */
void cached_committed(const job_t *, enum db_status);
/* The call's recorded answer is about to be given: its tags have changed. */
void cached_changed(const job_t *);
/* These have, on all machines and in Redis. */
void cached_tell(const job_tag_t *tags, int count);
/* All that depends on this actor's tags has, likewise. */
void cached_tell_all(void);
/* The call's answer is about to leave: puts it into the cache, where that was asked for and makes sense. */
void cached_file(job_t *);
/* The call's tags as they travel, "child:01…ef videos"; data NULL when it has none. Good until the next call of this. */
text_t cached_tags(const job_t *);
/* Takes the tags of a recorded answer as the call's own. False when they cannot be read. */
bool cached_take(job_t *, text_t tags);
