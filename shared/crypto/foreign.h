/* foreign: JSON that another company's server wrote. It is bounded in bytes and depth before jansson sees it, its top must be an
 * object, and what is taken out of it has its type and its length checked: whatever else stands there, it is "absent". */
#pragma once
#include "../base/memory.h"

enum { FOREIGN_BYTES_MAX = 256 * 1024, FOREIGN_DEPTH_MAX = 16 };

typedef struct json_t foreign_t; /* jansson's */

/* NULL: too long, too deep, malformed, with a key twice, or no object. foreign_free what it gives. */
foreign_t *foreign_read(text_t json);
void foreign_free(foreign_t **);

/* The object below this key, borrowed; NULL when there is none. `in` may be NULL. */
const foreign_t *foreign_object(const foreign_t *in, const char *key);
/* A string of 1 to `max` bytes without control characters, copied to the arena; data NULL otherwise. */
text_t foreign_text(arena_t *, const foreign_t *in, const char *key, size_t max);
/* An identifier: such a string, or a whole number that is written in decimal. */
text_t foreign_id(arena_t *, const foreign_t *in, const char *key, size_t max);
/* A whole number that is not negative. */
bool foreign_integer(const foreign_t *in, const char *key, int64_t *out);
/* true, or "true" (Apple's email_verified is either); everything else is a no. */
bool foreign_true(const foreign_t *in, const char *key);
/* Is the value this string, or an array of strings that has it? `count`: how many strings there are. */
bool foreign_names(const foreign_t *in, const char *key, const char *wanted, size_t *count);
/* Is there a value, of whatever type, that is not null? */
bool foreign_has(const foreign_t *in, const char *key);
