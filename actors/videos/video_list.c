/* video_list: the public lists. A list is sorted by one of three orders; each has a statement and an index of its own but for
 * popular, whose rows are sorted when they are asked for. What is found by words is sorted by the same orders in one statement.
 *
 * What its counters say may be as old as the row allows: see videos.c. */
#include "cursor.h"
#include "videos.h"
#include "../../shared/actor/page.h"

typedef struct {
    window_t window;
    cursor_t cursor; /* behind which the page begins */
    enum video_sort sort;
    param_t age, category, area, difficulty;
    text_t q; /* data NULL: not by words */
} search_t;

/* Both messages have the same fields behind their first, which is a slug. */
_Static_assert(offsetof(videos_params_t, category) == offsetof(category_videos_params_t, slug) &&
                   offsetof(videos_params_t, cursor) == offsetof(category_videos_params_t, cursor),
    "one search reads both");

static search_t search_of(call_t *call, const videos_params_t *in)
{
    search_t search = {.window = window_of(in->page, in->limit, in->cursor),
        .cursor = cursor_first,
        .sort = message_has(in, sort) ? (enum video_sort)in->sort : SORT_PRIORITY,
        .age = BIND(videos_params, in, age),
        .category = BIND(videos_params, in, category),
        .area = BIND(videos_params, in, area),
        .difficulty = BIND(videos_params, in, difficulty)};
    text_t q = text_trim(in->q);
    if (message_has(in, q) && q.length > 0)
        search.q = q;
    if (message_has(in, cursor) && !cursor_read(call->arena, in->cursor, &search.cursor))
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    return search;
}

static const rows_t *page_query(call_t *call, const search_t *search)
{
    param_t rank = bind_integer(search->cursor.rank), time = bind_time(search->cursor.time), id = bind_uuid(search->cursor.id);
    param_t fetch = bind_integer(search->window.fetch), offset = bind_integer(search->window.offset);
    if (search->q.data)
        return db_query(call, &SQL_videos_found, search->age, search->category, search->area, search->difficulty,
            bind_text(search->q), bind_text(text_of(video_sorts[search->sort])), rank, time, id, fetch, offset);
    if (search->sort == SORT_NEWEST)
        return db_query(call, &SQL_videos_page_newest, search->age, search->category, search->area, search->difficulty, time,
            id, fetch, offset);
    return db_query(call, search->sort == SORT_POPULAR ? &SQL_videos_page_popular : &SQL_videos_page, search->age,
        search->category, search->area, search->difficulty, rank, time, id, fetch, offset);
}

static int64_t total_query(call_t *call, const search_t *search)
{
    const rows_t *rows =
        search->q.data
            ? db_query(call, &SQL_videos_found_count, search->age, search->category, search->area, search->difficulty,
                  bind_text(search->q))
            : db_query(call, &SQL_videos_count, search->age, search->category, search->area, search->difficulty);
    return ((const total_row_t *)row_first(call, rows))->total;
}

static text_t next_cursor(call_t *call, const search_t *search, const video_item_t *last)
{
    int64_t rank = search->sort == SORT_NEWEST ? 0 : search->sort == SORT_POPULAR ? last->view_count : last->priority;
    return cursor_build(call->arena, (cursor_t){.rank = rank, .time = last->published_at, .id = last->id});
}

static void search_reply(call_t *call, const search_t *search)
{
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}});
    const rows_t *rows = page_query(call, search);
    size_t shown = window_shown(&search->window, rows);
    video_item_t *videos = arena_allocate(call->arena, (shown + 1) * sizeof(*videos));
    for (size_t i = 0; i < shown; i++)
        videos[i] = *(const video_item_t *)row_at(call, rows, (int)i);
    text_t next = window_has_next(&search->window, rows) ? next_cursor(call, search, &videos[shown - 1]) : (text_t){0};
    int64_t total =
        window_needs_count(&search->window, rows) ? total_query(call, search) : window_total(&search->window, rows);
    page_t page = window_page(&search->window, rows, total, next);
    reply_values(call, videos, shown, &page);
}

void video_list(call_t *call)
{
    search_t search = search_of(call, call->params);
    search_reply(call, &search);
}

void category_videos(call_t *call)
{
    search_t search = search_of(call, call->params);
    row_or_404(call, db_query(call, &SQL_category_known, search.category));
    search_reply(call, &search);
}
