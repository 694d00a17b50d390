/* cache_name: what an answer is called in the cache. The rule alone, without HTTP's library and without the cache.
 *
 * What always holds: two requests have one name exactly when they mean the same: the same row, the same values of the parameters it
 * knows (however they were encoded, in whatever order), the same language and person where the answer depends on them. A request
 * with anything wrong, or unknown to the row, has none: the actor's way says what. */
#pragma once
#include "routing.h"

enum { CACHE_NAME_MOST = 1024 /* longer ones have none */ };

typedef struct {
    const destination_t *destination;
    const text_t *params; /* as they stand in the path */
    text_t query;         /* as it came, without "?" */
    int language, role;
    uuid_t user;
} cache_asked_t;

/* Its length in `out`; 0: it has none. The arena is for problems that nobody is shown; it is emptied. */
size_t cache_name_make(const cache_asked_t *asked, arena_t *arena, char out[static CACHE_NAME_MOST]);
