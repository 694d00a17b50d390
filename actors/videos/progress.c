/* progress: which parts of a video somebody saw. The interaction's row is locked while they are merged (watch.h), so what two
 * devices tell at once is added up. */
#include "videos.h"
#include "watch.h"
#include "../../shared/base/log.h"

/* What was sent, behind what is known already. An end that is not after its start is the client's fault and is named. */
static int intervals_add(call_t *call, const progress_put_t *in, interval_seen_t *out, int count)
{
    const interval_t *given = in->intervals.items;
    for (size_t i = 0; i < in->intervals.count; i++) {
        if (given[i].end <= given[i].start)
            fail_below(call, arena_format(call->arena, "intervals.%zu.end", i), given[i].start + 1);
        out[count++] = (interval_seen_t){.start = (int)given[i].start, .end = (int)given[i].end};
    }
    return count;
}

static void progress_reply(call_t *call, const watched_row_t *row, bool completed, const interval_seen_t *seen, int count)
{
    const id_params_t *params = call->params;
    const progress_put_t *in = call->input;
    interval_t *intervals = arena_allocate(call->arena, ((size_t)count + 1) * sizeof *intervals);
    for (int i = 0; i < count; i++) {
        message_set(&intervals[i], start, seen[i].start);
        message_set(&intervals[i], end, seen[i].end);
    }
    progress_t progress = {0};
    message_set(&progress, video_id, params->id);
    if (message_has(in, child_id))
        message_set(&progress, child_id, in->child_id);
    message_set(&progress, duration, row->duration);
    message_set(&progress, watch_time, watch_time(seen, count));
    message_set(&progress, is_completed, completed);
    message_set(&progress, intervals, (list_t){.items = intervals, .count = (size_t)count});
    reply_value(call, &progress);
}

void progress_put(call_t *call)
{
    const id_params_t *params = call->params;
    const progress_put_t *in = call->input;
    interval_seen_t seen[WATCH_MOST + WATCH_GIVEN_MOST];
    intervals_add(call, in, seen, 0); /* before anything is locked */
    watcher_check(call, in->child_id, message_has(in, child_id));
    const watched_row_t *row = row_or_404(call, db_query(call, &SQL_progress_lock, bind_uuid(uuid_new()),
        bind_uuid(call->principal.user), bind_uuid(params->id), BIND(progress_put, in, child_id)));
    int count;
    if (!watch_read(row->watched, seen, WATCH_MOST, &count)) {
        log_event(LOG_ERROR, "watched_unreadable", LOG_S("next", "empty user_video_interactions.watched of what was changed by hand"));
        call_fail(call, ERROR_INTERNAL);
    }
    count = watch_merge(seen, intervals_add(call, in, seen, count), (int)row->duration);
    bool first = !row->is_completed && watch_is_complete(watch_time(seen, count), (int)row->duration);
    db_query(call, &SQL_progress_save, bind_uuid(row->id), bind_text(watch_write(call->arena, seen, count)),
        bind_integer(watch_time(seen, count)), bind_boolean(first));
    if (first)
        call_tag(call, TAG_VIDEO, params->id);
    if (message_has(in, child_id) && (first || row->fresh))
        recommend_again(call, in->child_id);
    progress_reply(call, row, row->is_completed || first, seen, count);
}
