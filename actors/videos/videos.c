/* videos: play videos, who watched which, what is recommended for a child, and their administration. Owns the schema `videos`; of children it reads the view
 * guardians, of accounts current_consents, and aipoten.therapist_relations.
 *
 * What always holds: the public sees published videos only; a video that was watched is never removed, a deleted one stays as a
 * row; a counter counts each viewer, bookmark and first completion once (product.md, section 5).
 *
 * How old an answer may be: what an administrator writes shows at once everywhere (TAG_VIDEOS). A counter that changes makes the
 * video's own page anew (TAG_VIDEO) but no list, for then no list would ever come from the cache: in a list counters, and the
 * order `popular`, are as old as LIST_SECONDS allows. A child's recommendations show no counters; they change with all that is
 * written of them (TAG_RECOMMENDED, recommend.c). */
#include "links.h"
#include "videos.h"
#include "../../shared/actor/events.h"
#include "../../shared/actor/personal_data.h"
#include "../../shared/actor/reseal.h"
#include "../../shared/actor/retention.h"
#include "../../shared/base/config.h"

_Noreturn void fail_below(call_t *call, text_t field, int64_t least)
{
    problems_t *problems = arena_allocate(call->arena, sizeof(*problems));
    problems->arena = call->arena;
    problem_add(problems, field, PROBLEM_TOO_SMALL, NULL, least);
    call_fail_problems(call, ERROR_VALIDATION, problems);
}

static void video_get(call_t *call)
{
    const id_params_t *params = call->params;
    call_tag(call, TAG_VIDEO, params->id);
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}}); /* a category's new name stands in each of its videos */
    reply_row(call, db_query(call, &SQL_video_get, bind_uuid(params->id)));
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

enum { LIST_SECONDS = 60 };

#define VIDEOS "/api/v1/videos"
#define ADMIN_VIDEOS "/api/v1/admin/videos"
#define ADMIN_CATEGORIES "/api/v1/admin/categories"

/* Personal answers that the cache keeps, and every statement that changes them; each is followed by its call_tag:
 *
 *     videos.recommended     tags: recommended (the child), attempts (the child: which one is the latest), videos (titles, and what was
 *                            withdrawn), the child (its guardians), the viewer as guardian
 *
 *     recommendations_write  recommended: an event, a prescription, or something watched with the child
 *     child_…_erase          recommended; that nobody may see the child any more is said by children
 *     video_insert, video_update, video_show, video_delete, category_update, category_show, category_delete    videos
 *
 * run_put, run_put_latest and prescriptions_write show in nothing but what recommendations_write then writes; what videos.recommended
 * itself writes, when the latest attempt is not ranked yet, changes no answer: by the tag attempts there is none any more. Readings by
 * therapists, whose consent and relation may end at any moment, and by admins are logged and so never answered from the cache. */
static const endpoint_t endpoints[] = {
    {.operation = "videos.list", .method = "GET", .path = VIDEOS, .handler = video_list,
        .summary = "Published videos; counters are of the last minute or two", .params = &videos_params_message,
        .output = &video_item_message, .shape = SHAPE_LIST, .cache = CACHE_PUBLIC, .cache_seconds = LIST_SECONDS},
    {.operation = "videos.categories", .method = "GET", .path = VIDEOS "/categories", .handler = category_list,
        .summary = "All categories", .output = &video_category_message, .shape = SHAPE_LIST, .cache = CACHE_PUBLIC},
    {.operation = "videos.category", .method = "GET", .path = VIDEOS "/categories/:slug", .handler = category_videos,
        .summary = "Published videos of a category", .params = &category_videos_params_message,
        .output = &video_item_message, .shape = SHAPE_LIST, .cache = CACHE_PUBLIC, .cache_seconds = LIST_SECONDS},
    {.operation = "videos.recommended", .method = "GET", .path = VIDEOS "/recommended", .handler = recommended_list,
        .roles = MEMBER, .summary = "What is recommended for a child after its latest assessment, best first",
        .params = &recommended_params_message, .output = &recommended_video_message, .shape = SHAPE_LIST,
        .errors = {ERROR_NOT_FOUND}, .cache = CACHE_PERSONAL, .by_language = true, .logged = THERAPIST | ADMIN},
    {.operation = "videos.bookmarks", .method = "GET", .path = VIDEOS "/bookmarks", .handler = bookmark_list,
        .roles = MEMBER, .summary = "One's bookmarks, newest first", .params = &page_params_message,
        .output = &bookmarked_video_message, .shape = SHAPE_LIST},
    {.operation = "videos.watched", .method = "GET", .path = VIDEOS "/me", .handler = watched_list, .roles = MEMBER,
        .summary = "What one watched, last first", .params = &watched_params_message, .output = &watched_video_message,
        .shape = SHAPE_LIST},
    {.operation = "videos.get", .method = "GET", .path = VIDEOS "/:id", .handler = video_get,
        .summary = "A published video", .params = &id_params_message, .output = &video_detail_message,
        .cache = CACHE_PUBLIC},
    {.operation = "videos.view", .method = "POST", .path = VIDEOS "/:id/view", .handler = video_view,
        .summary = "Somebody looks at a video: counts once for a viewer in half an hour", .params = &id_params_message,
        .input = &watcher_message, .output = &view_answer_message, .errors = {ERROR_UNAUTHENTICATED}, .writes = true},
    {.operation = "videos.complete", .method = "POST", .path = VIDEOS "/:id/complete", .handler = video_complete,
        .roles = MEMBER, .summary = "A video was watched to its end", .params = &id_params_message,
        .input = &watcher_message, .output = &completion_answer_message, .writes = true},
    {.operation = "videos.progress", .method = "PUT", .path = VIDEOS "/:id/progress", .handler = progress_put,
        .roles = MEMBER, .summary = "Which parts of a video were seen, beside those known already",
        .params = &id_params_message, .input = &progress_put_message, .output = &progress_message, .writes = true},
    {.operation = "videos.bookmark", .method = "POST", .path = VIDEOS "/:id/bookmark", .handler = bookmark_add,
        .roles = MEMBER, .summary = "Bookmark a video", .params = &id_params_message, .output = &bookmark_answer_message,
        .writes = true},
    {.operation = "videos.bookmark.remove", .method = "DELETE", .path = VIDEOS "/:id/bookmark",
        .handler = bookmark_remove, .roles = MEMBER, .summary = "Remove a bookmark", .params = &id_params_message,
        .output = &bookmark_answer_message, .writes = true},

    {.operation = "admin.videos.list", .method = "GET", .path = ADMIN_VIDEOS, .handler = admin_video_list,
        .roles = ADMIN, .summary = "All videos, newest first", .params = &admin_videos_params_message,
        .output = &admin_video_message, .shape = SHAPE_LIST},
    {.operation = "admin.videos.create", .method = "POST", .path = ADMIN_VIDEOS, .handler = admin_video_create,
        .roles = ADMIN, .summary = "Add a video", .input = &video_create_message, .output = &admin_video_message,
        .status = 201, .errors = {ERROR_CONFLICT}, .writes = true},
    {.operation = "admin.videos.get", .method = "GET", .path = ADMIN_VIDEOS "/:id", .handler = admin_video_get,
        .roles = ADMIN, .summary = "A video, published or not", .params = &id_params_message,
        .output = &admin_video_message},
    {.operation = "admin.videos.update", .method = "PATCH", .path = ADMIN_VIDEOS "/:id", .handler = admin_video_update,
        .roles = ADMIN, .summary = "Change, publish or withdraw a video; null clears, absent keeps",
        .params = &id_params_message, .input = &video_patch_message, .output = &admin_video_message,
        .errors = {ERROR_CONFLICT}, .writes = true},
    {.operation = "admin.videos.delete", .method = "DELETE", .path = ADMIN_VIDEOS "/:id", .handler = admin_video_delete,
        .roles = ADMIN, .summary = "Delete a video", .params = &id_params_message, .shape = SHAPE_NOTHING,
        .writes = true},

    {.operation = "admin.categories.list", .method = "GET", .path = ADMIN_CATEGORIES, .handler = admin_category_list,
        .roles = ADMIN, .summary = "All categories, with how many videos each has", .output = &admin_category_message,
        .shape = SHAPE_LIST},
    {.operation = "admin.categories.create", .method = "POST", .path = ADMIN_CATEGORIES,
        .handler = admin_category_create, .roles = ADMIN, .summary = "Add a category",
        .input = &category_create_message, .output = &admin_category_message, .status = 201,
        .errors = {ERROR_CONFLICT}, .writes = true},
    {.operation = "admin.categories.update", .method = "PATCH", .path = ADMIN_CATEGORIES "/:id",
        .handler = admin_category_update, .roles = ADMIN, .summary = "Change a category", .params = &id_params_message,
        .input = &category_patch_message, .output = &admin_category_message, .errors = {ERROR_CONFLICT},
        .writes = true},
    {.operation = "admin.categories.delete", .method = "DELETE", .path = ADMIN_CATEGORIES "/:id",
        .handler = admin_category_delete, .roles = ADMIN, .summary = "Delete a category that has no videos",
        .params = &id_params_message, .shape = SHAPE_NOTHING, .errors = {ERROR_IN_USE}, .writes = true},

    {.operation = "videos.assessment_completed", .event = "assessment.completed", .handler = recommend_completed,
        .summary = "Recommend videos by the results of an assessment", .input = &assessment_completed_message,
        .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "videos.prescribed", .event = "video.prescribed", .handler = recommend_prescribed,
        .summary = "Keep what a therapist prescribed, and recommend it sooner", .input = &video_prescribed_message,
        .shape = SHAPE_NOTHING, .writes = true},
    PERSONAL_DATA_ROW("videos", videos_personal_data),
    {.operation = "videos.user_erased", .event = "user.erased", .handler = videos_user_erased,
        .summary = "Forget what a user watched", .input = &user_erased_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "videos.child_deleted", .event = "child.deleted", .handler = videos_child_deleted,
        .summary = "Forget what was watched with a child", .input = &child_deleted_message, .shape = SHAPE_NOTHING,
        .writes = true},
};

static const retention_t retentions[] = {
    {"views", offsetof(config_t, videos.view_pause), &SQL_views_forget},
};

/* No column is sealed; recorded answers are. */
static int64_t videos_chore(call_t *call)
{
    return reseal_step(call, NULL, 0);
}

const actor_t videos_actor = {.name = "videos",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = videos_statements,
    .statement_count = videos_statement_count,
    .data_keys = "data_keys.videos",
    .start = links_open,
    .chore = videos_chore,
    .worker = links_work,
    .workers = 1,
    .retentions = retentions,
    .retention_count = ARRAY_SIZE(retentions)};
