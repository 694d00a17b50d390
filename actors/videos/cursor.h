/* cursor: where a page of a list begins: behind the row that the page before ended with, by what the list is sorted by. Pure. */
#pragma once
#include "../../shared/base/memory.h"
#include "../../shared/base/uuid.h"

typedef struct {
    int64_t rank; /* what comes before the time in the order (a priority, a counter); 0 where nothing does */
    int64_t time; /* microseconds since 1970 */
    uuid_t id;
} cursor_t;

/* Before every row of a list that is sorted downwards. */
extern const cursor_t cursor_first;

text_t cursor_build(arena_t *, cursor_t);
/* false when the text is none that cursor_build made: a rank or a time that no row has. */
bool cursor_read(arena_t *, text_t, cursor_t *out);
