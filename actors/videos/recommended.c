/* recommended: shows a child's recommendations to those who may see its results: its guardians, admins, and a therapist who works
 * with it while its owner consents. What was withdrawn since they were written is not shown.
 *
 * What always holds: who learned that an assessment is complete is shown what is recommended by it, however late its event is. */
#include "reasons.h"
#include "videos.h"
#include "../../shared/actor/record_read.h"

_Static_assert(offsetof(recommended_video_t, tags) == offsetof(recommended_row_t, tags), "an answer begins its row");

/* Korean is shown as it was written; any other language is made of the same parameters. */
static text_t reason_in(call_t *call, const recommended_row_t *row)
{
    if (call->language == LANGUAGE_KO)
        return row->recommendation_reason;
    reason_t reason = {.reason = (enum rank_reason)row->reason_code,
        .area = (enum development_area)row->development_area,
        .level = (enum development_level)row->area_level,
        .difficulty = (enum rank_difficulty)row->reason_difficulty,
        .age = (int)row->reason_age,
        .age_min = (int)row->reason_age_min,
        .age_max = (int)row->reason_age_max};
    return reason_text(call->arena, &reason, call->language);
}

void recommended_list(call_t *call)
{
    const recommended_params_t *params = call->params;
    bool admin = call->principal.role == ROLE_ADMIN;
    const readable_row_t *child = row_or_404(call, db_query(call, &SQL_child_readable, bind_uuid(params->child_id),
        bind_uuid(call->principal.user), bind_boolean(admin)));
    if (!child->ranked) {
        recommend_latest(call, params->child_id);
        call_claim(call);
    }
    const rows_t *rows =
        db_query(call, &SQL_recommended, bind_uuid(params->child_id), BIND(recommended_params, params, area));
    recommended_video_t *videos = arena_allocate(call->arena, ((size_t)rows->count + 1) * sizeof *videos);
    for (int i = 0; i < rows->count; i++) {
        const recommended_row_t *row = row_at(call, rows, i);
        memcpy(&videos[i], row, sizeof videos[i]);
        message_set(&videos[i], recommendation_reason, reason_in(call, row));
    }
    if (call->endpoint->logged >> call->principal.role & 1)
        record_read_emit(call, "child", params->child_id, 1);
    call_tag(call, TAG_RECOMMENDED, params->child_id);
    call_tag(call, TAG_ATTEMPTS, params->child_id); /* which is the latest */
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}}); /* titles, tags, and what was withdrawn */
    call_tag(call, TAG_CHILD, params->child_id); /* its guardians */
    call_tag(call, TAG_GUARDIAN, call->principal.user);
    reply_values(call, videos, (size_t)rows->count, NULL);
}
