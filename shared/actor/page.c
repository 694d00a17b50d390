/* page: see page.h. */
#include "page.h"

window_t window_of(int64_t page, int64_t limit, text_t cursor)
{
    window_t window = {.page = page ? page : 1, .limit = limit ? limit : PAGE_LIMIT_DEFAULT, .cursor = cursor};
    window.fetch = window.limit + 1;
    window.offset = cursor.data ? 0 : (window.page - 1) * window.limit;
    return window;
}

bool window_has_next(const window_t *window, const rows_t *rows)
{
    return rows->count > window->limit;
}

size_t window_shown(const window_t *window, const rows_t *rows)
{
    return window_has_next(window, rows) ? (size_t)window->limit : (size_t)rows->count;
}

int64_t window_total(const window_t *window, const rows_t *rows)
{
    /* The last page tells it; an empty page past the end does not, unless it is the first. */
    bool last = !window->cursor.data && !window_has_next(window, rows) && (rows->count > 0 || window->page == 1);
    return last ? window->offset + rows->count : -1;
}

bool window_needs_count(const window_t *window, const rows_t *rows)
{
    return !window->cursor.data && window_total(window, rows) < 0;
}

page_t window_page(const window_t *window, const rows_t *rows, int64_t total, text_t next_cursor)
{
    bool capped = total >= PAGE_TOTAL_MAX;
    return (page_t){.page = window->page,
        .limit = window->limit,
        .total = capped ? PAGE_TOTAL_MAX : total,
        .total_capped = capped,
        .next_cursor = window_has_next(window, rows) ? next_cursor : (text_t){0}};
}
