/* user_search: what the admins' list of users is asked with: the pattern of an e-mail address, the window of
 * a page, and the cursor that goes on after the last row of a page. Pure. */
#pragma once
#include "base/memory.h"
#include "base/uuid.h"

/* A LIKE pattern for texts that begin with this one: %, _ and \ stand for themselves. Lower case in ASCII. */
text_t like_prefix(arena_t *, text_t begin);

typedef struct {
    int64_t created_at; /* of the last row that was given */
    uuid_t id;
} user_cursor_t;

text_t user_cursor_build(arena_t *, user_cursor_t);
/* false: not one of ours. */
bool user_cursor_read(arena_t *, text_t text, user_cursor_t *out);
