/* cached: the tags of a call (tags.h), and what follows from them. A reading call collects what its answer depends on, a writing one
 * what it has changed; the latter stands in the call's record too, so that whoever gives a recorded answer again says once more
 * what it changed. */
#pragma once
#include "internal.h"

/* Before each run of the handler. */
void cached_begin(job_t *);
/* The call's tags as they travel, "child:01…ef videos"; data NULL when it has none. Good until the next call of this. */
text_t cached_tags(const job_t *);
/* Takes the tags of a recorded answer as the call's own. False when they cannot be read. */
bool cached_take(job_t *, text_t tags);
