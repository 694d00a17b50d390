/* bans: addresses that may not connect for some seconds, in shared memory, so that what one frontend has seen holds at all of them
 * at once. Written by frontends; a ban ends by itself. */
#pragma once
#include "segment.h"

/* Until when `key` (an address) is banned, clock_monotonic(); 0: it is not. Makes nothing. */
int64_t bans_until(segment_t *, text_t key, int64_t now);
/* Bans it for `first` microseconds; each ban that begins within `most` after the end of the one before lasts twice as long, up to
 * `most`. Returns its end. When its set of the table is full the ban that ends first gives way. */
int64_t bans_add(segment_t *, text_t key, int64_t now, int64_t first, int64_t most);
/* Grows with each ban: who has connections compares it to know whether to look again. */
uint64_t bans_version(segment_t *);
