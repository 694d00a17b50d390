/* admin_videos: videos as administrators see and change them, unpublished ones included. What lists show of areas, tags and
 * categories is written from their tables at the end of each change (video_show), in its transaction. */
#include "cursor.h"
#include "rules.h"
#include "videos.h"
#include "../../shared/actor/page.h"

enum { PRIORITY_USUAL = 5 };

_Static_assert(offsetof(video_change_t, priority) == offsetof(video_record_t, priority), "a change begins with its row");

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* Two statements each, with words and without, so that each has its own index. */
static const rows_t *page_query(call_t *call, const window_t *window, param_t published, text_t q)
{
    cursor_t begin = cursor_first;
    if (window->cursor.data && !cursor_read(call->arena, window->cursor, &begin))
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    param_t time = bind_time(begin.time), id = bind_uuid(begin.id);
    param_t fetch = bind_integer(window->fetch), offset = bind_integer(window->offset);
    if (q.length > 0)
        return db_query(call, &SQL_admin_videos_found, published, time, id, fetch, offset, bind_text(q));
    return db_query(call, &SQL_admin_videos_page, published, time, id, fetch, offset);
}

static int64_t total_query(call_t *call, param_t published, text_t q)
{
    const rows_t *rows = q.length > 0 ? db_query(call, &SQL_admin_videos_found_count, published, bind_text(q))
                                      : db_query(call, &SQL_admin_videos_count, published);
    return ((const total_row_t *)row_first(call, rows))->total;
}

void admin_video_list(call_t *call)
{
    const admin_videos_params_t *params = call->params;
    window_t window = window_of(params->page, params->limit, params->cursor);
    text_t q = message_has(params, q) ? text_trim(params->q) : (text_t){0};
    param_t published = BIND(admin_videos_params, params, is_published);
    const rows_t *rows = page_query(call, &window, published, q);
    size_t shown = window_shown(&window, rows);
    admin_video_t *videos = arena_allocate(call->arena, (shown + 1) * sizeof(*videos));
    for (size_t i = 0; i < shown; i++)
        videos[i] = *(const admin_video_t *)row_at(call, rows, (int)i);
    text_t next = {0};
    if (shown > 0)
        next = cursor_build(call->arena, (cursor_t){.time = videos[shown - 1].created_at, .id = videos[shown - 1].id});
    int64_t total = window_needs_count(&window, rows) ? total_query(call, published, q) : window_total(&window, rows);
    page_t page = window_page(&window, rows, total, next);
    reply_values(call, videos, shown, &page);
}

void admin_video_get(call_t *call)
{
    const id_params_t *params = call->params;
    reply_row(call, db_query(call, &SQL_admin_video_get, bind_uuid(params->id)));
}

/* --- what is wrong with it ---------------------------------------------------------------------------------------- */

static void link_check(problems_t *problems, const char *field, text_t url)
{
    if (url.data && !link_is_sound(url))
        problem_add(problems, text_of(field), PROBLEM_FORMAT, NULL, 0);
}

/* What one field alone does not tell. All that is wrong is named at once. */
static void facts_check(call_t *call, const video_change_t *video)
{
    problems_t *problems = arena_allocate(call->arena, sizeof(*problems));
    problems->arena = call->arena;
    link_check(problems, "video_url", video->video_url);
    if (message_has(video, thumbnail_url))
        link_check(problems, "thumbnail_url", video->thumbnail_url);
    if (message_has(video, embed_code) && !embed_is_sound(video->embed_code))
        problem_add(problems, TEXT("embed_code"), PROBLEM_FORMAT, NULL, 0);
    if (video->target_age_max < video->target_age_min)
        problem_add(problems, TEXT("target_age_max"), PROBLEM_TOO_SMALL, NULL, video->target_age_min);
    if (problems->count > 0)
        call_fail_problems(call, ERROR_VALIDATION, problems);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void changed_tag(call_t *call, uuid_t video)
{
    call_tag(call, TAG_VIDEO, video);
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}});
}

#define VIDEO_BINDS(video)                                                                                         \
    bind_uuid((video)->id), BIND(video_change, video, title), BIND(video_change, video, description),              \
        BIND(video_change, video, video_url), BIND(video_change, video, video_platform),                           \
        BIND(video_change, video, embed_code), BIND(video_change, video, thumbnail_url),                           \
        BIND(video_change, video, duration), BIND(video_change, video, target_age_min),                            \
        BIND(video_change, video, target_age_max), BIND(video_change, video, difficulty),                          \
        BIND(video_change, video, play_method), BIND(video_change, video, expected_effects),                       \
        BIND(video_change, video, materials_needed), BIND(video_change, video, precautions),                       \
        BIND(video_change, video, is_published), BIND(video_change, video, priority)

/* The lists as JSON, from which the statements of the three tables take theirs. */
static param_t lists_json(call_t *call, const video_change_t *video)
{
    buffer_t json = {0};
    message_json(&video_change_message, video, &json);
    text_t copy = arena_copy(call->arena, buffer_text(&json));
    buffer_free(&json);
    return bind_text(copy);
}

static int different(const list_t *ids)
{
    const category_id_t *items = ids->items;
    int count = 0;
    for (size_t i = 0; i < ids->count; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again |= uuid_equal(items[i].category_id, items[k].category_id);
        count += !again;
    }
    return count;
}

/* Those lists that are given take the place of what was there. */
static void lists_write(call_t *call, const video_change_t *video)
{
    param_t id = bind_uuid(video->id), lists = lists_json(call, video);
    if (message_has(video, areas)) {
        db_query(call, &SQL_areas_clear, id);
        db_query(call, &SQL_areas_write, id, lists);
    }
    if (message_has(video, tags)) {
        db_query(call, &SQL_tags_clear, id);
        db_query(call, &SQL_tags_write, id, lists);
    }
    if (message_has(video, category_ids)) {
        db_on_violation(call, "video_category_mapping_category_id_fkey", ERROR_CONFLICT); /* deleted just now */
        db_query(call, &SQL_categories_unmap, id);
        db_query(call, &SQL_categories_map, id, lists);
    }
    const rows_t *held = db_query(call, &SQL_categories_hold, id);
    if (message_has(video, category_ids) && held->count != different(&video->category_ids))
        call_fail_field(call, ERROR_VALIDATION, "category_ids", PROBLEM_CHOICE);
}

static void change_reply(call_t *call, const video_change_t *video)
{
    changed_tag(call, video->id);
    lists_write(call, video);
    reply_row(call, db_query(call, &SQL_video_show, bind_uuid(video->id)));
}

void admin_video_create(call_t *call)
{
    video_change_t video = {0};
    message_set(&video, id, uuid_new());
    message_set(&video, is_published, false);
    message_set(&video, priority, PRIORITY_USUAL);
    message_merge(&video_create_message, call->input, &video_change_message, &video);
    facts_check(call, &video);
    db_query(call, &SQL_video_insert, VIDEO_BINDS(&video));
    change_reply(call, &video);
}

void admin_video_update(call_t *call)
{
    const id_params_t *params = call->params;
    const video_patch_t *patch = call->input;
    if ((patch->head.given | patch->head.null) == 0)
        call_fail_field(call, ERROR_VALIDATION, "body", PROBLEM_EMPTY);
    video_change_t video = {0};
    db_send(call, &SQL_videos_before_categories);
    memcpy(&video, row_or_404(call, db_query(call, &SQL_video_lock, bind_uuid(params->id))), sizeof(video_record_t));
    message_merge(&video_patch_message, patch, &video_change_message, &video);
    facts_check(call, &video);
    db_query(call, &SQL_video_update, VIDEO_BINDS(&video));
    change_reply(call, &video);
}

void admin_video_delete(call_t *call)
{
    const id_params_t *params = call->params;
    row_or_404(call, db_query(call, &SQL_video_delete, bind_uuid(params->id)));
    changed_tag(call, params->id);
    reply_nothing(call);
}
