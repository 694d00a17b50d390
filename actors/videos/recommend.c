/* recommend: writes what is recommended for a child: when an assessment was completed (by its event, or when somebody looks before it
 * came), when a therapist prescribed videos, and again when one was watched with the child. The ranking itself is rank.c.
 *
 * What always holds: the rows of a child are those that rank.c gives of the latest attempt and of what was known when they were
 * written. All of it is written under the child's lock (recommended_lock), which is taken before what is known is read, so that the
 * last writer has seen what the others did; whatever else a transaction locks it locks before. Of a deleted child nothing is
 * written: who comes first under the lock is removed by the other, who comes second sees that it is gone. */
#include "catalogue.h"
#include "reasons.h"
#include "videos.h"
#include "../../shared/actor/events.h"
#include "../../shared/base/clock.h"

/* --- what is known ------------------------------------------------------------------------------------------------ */

/* `history` has one row at least, for the version. */
static const rank_video_t *candidates(call_t *call, const rows_t *history, const rank_child_t *facts, int *count)
{
    const history_row_t *row = row_first(call, history);
    rank_video_t *videos = catalogue_fitting(call, row->version, facts, count);
    for (int i = 0; i < history->count; i++) {
        row = row_at(call, history, i);
        rank_video_t *video = message_has(row, video_id) ? catalogue_find(videos, *count, row->video_id) : NULL;
        if (!video)
            continue;
        video->completed_at = message_has(row, completed_at) ? row->completed_at : 0;
        video->viewed = row->viewed;
        video->prescribed = row->prescribed;
    }
    return videos;
}

/* --- what is written ---------------------------------------------------------------------------------------------- */

static param_t json_param(call_t *call, const message_t *message, const void *value)
{
    static buffer_t json; /* reused: nothing here suspends */
    json.length = 0;
    message_json(message, value, &json);
    return bind_text(arena_copy(call->arena, buffer_text(&json)));
}

static void place_fill(call_t *call, const rank_child_t *facts, const rank_place_t *from, place_t *out)
{
    const rank_video_t *video = from->video;
    reason_parameters_t *parameters = arena_allocate(call->arena, sizeof *parameters);
    message_set(parameters, age, facts->age);
    message_set(parameters, age_min, video->age_min);
    message_set(parameters, age_max, video->age_max);
    message_set(parameters, difficulty, (int)video->difficulty);
    reason_t reason = {.reason = from->reason,
        .area = from->area,
        .level = facts->areas[from->area].level,
        .difficulty = video->difficulty,
        .age = facts->age,
        .age_min = video->age_min,
        .age_max = video->age_max};
    message_set(out, id, uuid_new());
    message_set(out, video_id, video->id);
    message_set(out, development_area, (int)from->area);
    message_set(out, area_level, (int)reason.level);
    message_set(out, recommendation_reason, reason_text(call->arena, &reason, LANGUAGE_KO));
    message_set(out, reason_code, (int)from->reason);
    message_set(out, reason_parameters, parameters);
    message_set(out, priority_score, from->points);
    message_set(out, is_viewed, video->viewed);
}

static void rank_and_write(call_t *call, uuid_t child, uuid_t assessment, const rank_child_t *facts, const rows_t *history)
{
    int count;
    const rank_video_t *videos = candidates(call, history, facts, &count);
    rank_place_t ranked[RANK_PLACES_MOST];
    place_t *places = arena_allocate(call->arena, RANK_PLACES_MOST * sizeof *places);
    count = rank_videos(facts, videos, count, clock_now(), ranked);
    for (int i = 0; i < count; i++)
        place_fill(call, facts, &ranked[i], &places[i]);
    places_t all = {0};
    message_set(&all, places, (list_t){.items = places, .count = (size_t)count});
    db_send(call, &SQL_recommendations_write, bind_uuid(child), bind_uuid(assessment), json_param(call, &places_message, &all));
    call_tag(call, TAG_RECOMMENDED, child);
}

/* --- the occasions ------------------------------------------------------------------------------------------------ */

/* Event assessment.completed. Of an attempt that is older than the one known nothing is written. */
void recommend_completed(call_t *call)
{
    const assessment_completed_t *in = call->input;
    rank_child_t facts = {.age = (int)in->age};
    const completed_area_t *areas = in->areas.items;
    for (size_t i = 0; i < in->areas.count; i++) {
        facts.areas[areas[i].area].assessed = true;
        facts.areas[areas[i].area].score = (int)areas[i].score;
        facts.areas[areas[i].area].level = (enum development_level)areas[i].level;
    }
    db_send(call, &SQL_recommended_lock, bind_uuid(in->child));
    const rows_t *rows = db_query(call, &SQL_run_put, bind_uuid(in->child), bind_uuid(in->assessment), bind_time(in->completed_at),
        bind_integer(in->age), json_param(call, &assessment_completed_message, in));
    if (rows->count > 0)
        rank_and_write(call, in->child, in->assessment, &facts, rows);
    else /* written by who looked first; before migration 0025 such answers were filed without TAG_ATTEMPTS */
        call_tag(call, TAG_RECOMMENDED, in->child);
    reply_nothing(call);
}

/* Behind the lock. False: nothing was recommended yet, or the child was deleted. */
static bool rank_again(call_t *call, uuid_t child)
{
    const rows_t *rows = db_query(call, &SQL_run_get, bind_uuid(child));
    rank_child_t facts = {.age = 0};
    uuid_t assessment = {{0}};
    for (int i = 0; i < rows->count; i++) {
        const run_row_t *row = row_at(call, rows, i);
        assessment = row->assessment_id;
        facts.age = (int)row->age;
        facts.areas[row->area].assessed = true;
        facts.areas[row->area].score = (int)row->score;
        facts.areas[row->area].level = (enum development_level)row->level;
    }
    if (rows->count > 0)
        rank_and_write(call, child, assessment, &facts, db_query(call, &SQL_history, bind_uuid(child)));
    return rows->count > 0;
}

void recommend_latest(call_t *call, uuid_t child)
{
    db_send(call, &SQL_recommended_lock, bind_uuid(child));
    if (db_query(call, &SQL_run_put_latest, bind_uuid(child))->count > 0)
        rank_again(call, child);
}

/* Who watched with a child that was deleted meanwhile did not: nobody would remove it any more. */
void recommend_again(call_t *call, uuid_t child)
{
    db_send(call, &SQL_recommended_lock, bind_uuid(child));
    if (!rank_again(call, child))
        row_or_404(call, db_query(call, &SQL_child_known, bind_uuid(child)));
}

/* Event video.prescribed. A video that is not there (any more) is left out: the report keeps its name. */
void recommend_prescribed(call_t *call)
{
    const video_prescribed_t *in = call->input;
    const prescribed_video_t *given = in->videos.items;
    prescribed_t *videos = arena_allocate(call->arena, (in->videos.count + 1) * sizeof *videos);
    for (size_t i = 0; i < in->videos.count; i++) {
        message_set(&videos[i], id, uuid_new());
        message_set(&videos[i], video_id, given[i].video);
    }
    prescription_t all = {0};
    message_set(&all, videos, (list_t){.items = videos, .count = in->videos.count});
    db_send(call, &SQL_recommended_lock, bind_uuid(in->child));
    db_query(call, &SQL_prescriptions_write, bind_uuid(in->prescription), bind_uuid(in->child), bind_uuid(in->therapist),
        json_param(call, &prescription_message, &all));
    rank_again(call, in->child);
    reply_nothing(call);
}
