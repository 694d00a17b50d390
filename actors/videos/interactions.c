/* interactions: what somebody does with a video: views, bookmarks, completions, and what was watched so far. Counters change in
 * the statement that finds out that they must (videos.sql), so that two devices at once, or a call that runs again, count once. */
#include "cursor.h"
#include "rules.h"
#include "videos.h"
#include "../../shared/actor/page.h"
#include "../../shared/base/clock.h"
#include "../../shared/crypto/hash.h"

/* --- who watches -------------------------------------------------------------------------------------------------- */

void watcher_check(call_t *call, uuid_t child, bool given)
{
    if (given)
        row_or_404(call, db_query(call, &SQL_child_of_user, bind_uuid(child), bind_uuid(call->principal.user)));
}

/* Who is logged in is the viewer; else it is the address, of which nothing but a keyed digest is kept. The key is the first of the
 * ring: a new one makes everybody's next view a fresh one, no more. */
static uuid_t viewer_of(const call_t *call)
{
    if (call->principal.role != ROLE_NONE)
        return call->principal.user;
    text_t address = viewer_address(call->arena, call->address);
    text_t said = arena_format(call->arena, "video viewer %.*s", TEXT_ARG(address));
    digest_t digest = hash_hmac(call_data_keys(call)->keys[0].key, said);
    uuid_t viewer;
    memcpy(viewer.bytes, digest.bytes, sizeof viewer.bytes);
    return viewer;
}

/* --- views, completions ------------------------------------------------------------------------------------------- */

void video_view(call_t *call)
{
    const id_params_t *params = call->params;
    const watcher_t *in = call->input;
    int64_t pause = call_config(call)->videos.view_pause * CLOCK_MILLISECOND / CLOCK_SECOND;
    if (call->principal.role == ROLE_NONE && message_has(in, child_id))
        call_fail(call, ERROR_UNAUTHENTICATED);
    watcher_check(call, in->child_id, message_has(in, child_id));
    const touched_row_t *touched = NULL;
    if (call->principal.role != ROLE_NONE)
        touched = row_or_404(call, db_query(call, &SQL_interaction_touch, bind_uuid(uuid_new()), bind_uuid(call->principal.user),
                                       bind_uuid(params->id), BIND(watcher, in, child_id)));
    const view_answer_t *answer = row_or_404(call,
        db_query(call, &SQL_video_view, bind_uuid(params->id), bind_uuid(viewer_of(call)), bind_integer(pause)));
    if (answer->counted)
        call_tag(call, TAG_VIDEO, params->id);
    if (message_has(in, child_id) && touched->fresh)
        recommend_again(call, in->child_id);
    reply_value(call, answer);
}

void video_complete(call_t *call)
{
    const id_params_t *params = call->params;
    const watcher_t *in = call->input;
    watcher_check(call, in->child_id, message_has(in, child_id));
    param_t user = bind_uuid(call->principal.user), video = bind_uuid(params->id), child = BIND(watcher, in, child_id);
    const rows_t *rows = db_query(call, &SQL_completion_first, bind_uuid(uuid_new()), user, video, child);
    const completion_answer_t *answer = row_or_404(call, rows);
    if (answer->first)
        call_tag(call, TAG_VIDEO, params->id);
    else
        db_query(call, &SQL_completion_again, user, video, child);
    if (message_has(in, child_id))
        recommend_again(call, in->child_id);
    reply_value(call, answer);
}

/* --- bookmarks ---------------------------------------------------------------------------------------------------- */

void bookmark_add(call_t *call)
{
    const id_params_t *params = call->params;
    call_tag(call, TAG_VIDEO, params->id);
    reply_row(call, db_query(call, &SQL_bookmark_set, bind_uuid(uuid_new()), bind_uuid(call->principal.user),
                        bind_uuid(params->id)));
}

void bookmark_remove(call_t *call)
{
    const id_params_t *params = call->params;
    call_tag(call, TAG_VIDEO, params->id);
    reply_row(call, db_query(call, &SQL_bookmark_clear, bind_uuid(call->principal.user), bind_uuid(params->id)));
}

/* --- lists of one's own ------------------------------------------------------------------------------------------- */

static cursor_t page_begin(call_t *call, const window_t *window)
{
    cursor_t cursor = cursor_first;
    if (window->cursor.data && !cursor_read(call->arena, window->cursor, &cursor))
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    return cursor;
}

/* A page of rows, which are given as they are; `last` is where the next page begins, `count` tells the total if the rows do not. */
static void page_reply(call_t *call, const window_t *window, const rows_t *rows, const void *items, cursor_t last,
    const rows_t *count)
{
    int64_t total = count ? ((const total_row_t *)row_first(call, count))->total : window_total(window, rows);
    page_t page = window_page(window, rows, total, cursor_build(call->arena, last));
    reply_values(call, items, window_shown(window, rows), &page);
}

void bookmark_list(call_t *call)
{
    const page_params_t *params = call->params;
    window_t window = window_of(params->page, params->limit, params->cursor);
    cursor_t begin = page_begin(call, &window), last = {0};
    param_t user = bind_uuid(call->principal.user);
    const rows_t *rows = db_query(call, &SQL_bookmarks_page, user, bind_time(begin.time), bind_uuid(begin.id),
        bind_integer(window.fetch), bind_integer(window.offset));
    size_t shown = window_shown(&window, rows);
    bookmarked_video_t *videos = arena_allocate(call->arena, (shown + 1) * sizeof(*videos));
    for (size_t i = 0; i < shown; i++)
        videos[i] = *(const bookmarked_video_t *)row_at(call, rows, (int)i);
    if (shown > 0)
        last = (cursor_t){.time = videos[shown - 1].bookmarked_at, .id = videos[shown - 1].id};
    const rows_t *count = window_needs_count(&window, rows) ? db_query(call, &SQL_bookmarks_count, user) : NULL;
    page_reply(call, &window, rows, videos, last, count);
}

void watched_list(call_t *call)
{
    const watched_params_t *params = call->params;
    window_t window = window_of(params->page, params->limit, params->cursor);
    cursor_t begin = page_begin(call, &window), last = {0};
    param_t user = bind_uuid(call->principal.user), child = BIND(watched_params, params, child_id),
            completed = BIND(watched_params, params, is_completed);
    const rows_t *rows = db_query(call, &SQL_watched_page, user, child, completed, bind_time(begin.time), bind_uuid(begin.id),
        bind_integer(window.fetch), bind_integer(window.offset));
    size_t shown = window_shown(&window, rows);
    watched_video_t *videos = arena_allocate(call->arena, (shown + 1) * sizeof(*videos));
    for (size_t i = 0; i < shown; i++)
        videos[i] = *(const watched_video_t *)row_at(call, rows, (int)i);
    if (shown > 0)
        last = (cursor_t){.time = videos[shown - 1].last_watched_at, .id = videos[shown - 1].id};
    const rows_t *count =
        window_needs_count(&window, rows) ? db_query(call, &SQL_watched_count, user, child, completed) : NULL;
    page_reply(call, &window, rows, videos, last, count);
}
