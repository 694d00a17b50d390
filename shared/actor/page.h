/* page: the window of a list that a request asks for (product.md, section 9): page and limit, or a cursor. A list statement is
 * asked for one row more than the page holds, so that it is known whether a next page is there. */
#pragma once
#include "call.h"

enum { PAGE_LIMIT_DEFAULT = 20, PAGE_TOTAL_MAX = 10001 };

typedef struct {
    int64_t page, limit;
    int64_t fetch, offset; /* for LIMIT and OFFSET */
    text_t cursor;         /* data NULL: by page */
} window_t;

/* Members of a params message that has PAGE_PARAMS; 0 and data NULL where they were absent. */
window_t window_of(int64_t page, int64_t limit, text_t cursor);
/* How many of the fetched rows the page shows. */
size_t window_shown(const window_t *, const rows_t *);
/* Is there another page? */
bool window_has_next(const window_t *, const rows_t *);
/* The total, as far as the fetched rows tell it; -1: it must be counted (a statement that stops at PAGE_TOTAL_MAX). By a cursor
 * nothing is counted: the total is known from the first page. */
int64_t window_total(const window_t *, const rows_t *);
bool window_needs_count(const window_t *, const rows_t *);
/* `next_cursor` is that of the last shown row; it is left out on the last page. */
page_t window_page(const window_t *, const rows_t *, int64_t total, text_t next_cursor);
