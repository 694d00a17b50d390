/* hot: bodies that are asked for again and again stand once more in the frontend's own memory, where all answers that are being sent
 * share them. A copy for each is made of memory that has left the processor's caches meanwhile, which takes longer than
 * all that is looked at for such an answer.
 *
 * What always holds: it is asked only for what a look into the cache has just found good, by the place where it stands (slot,
 * form) and the number that the place had; no place ever has a number twice (shm/cache_internal.h). So what was changed,
 * outdated or lost in shared memory is not found here either. All together take no more than cache.hot bytes, and besides what is
 * still being sent. */
#pragma once
#include <h2o.h>
#include "shm/cache.h"

enum { HOT_SMALLEST = 1000 }; /* bytes; a request's own memory has room for less */

/* Before the first hot_body; again: with another limit. */
void hot_open(size_t limit);
/* The body behind `found`, which lives as long as the pool; data NULL: it is not here, copy it. */
text_t hot_body(h2o_mem_pool_t *, const cache_t *, const cache_found_t *);
/* Bytes that it takes. */
size_t hot_bytes(void);
