/* results: what a completed attempt came to: by area the score, the level, words, how it changed since the child's attempt before, and
 * the series of attempts for a chart. The report is made of the same (report.c). */
#include "assessments.h"
#include "../../shared/base/panic.h"

/* What is made of the rows, which come attempt by attempt, newest first, and area by area. */
typedef struct {
    area_result_t *areas; /* of the first attempt */
    size_t area_count;
    series_point_t *points;
    size_t point_count;
} results_made_t;

static void point_add(call_t *call, results_made_t *made, const series_row_t *row)
{
    series_point_t *point = made->point_count ? &made->points[made->point_count - 1] : NULL;
    if (point == NULL || !uuid_equal(point->assessment_id, row->assessment_id)) {
        point = &made->points[made->point_count++];
        message_set(point, assessment_id, row->assessment_id);
        message_set(point, assessment_date, row->assessment_date);
        message_set(point, age_in_months, row->age_in_months);
        message_set(point, completed_at, row->completed_at);
        message_set(point, scores, (list_t){.items = arena_allocate(call->arena, AREAS * sizeof(series_score_t)), .count = 0});
    }
    insist(point->scores.count < AREAS); /* by the key of the table */
    series_score_t *score = &((series_score_t *)(uintptr_t)point->scores.items)[point->scores.count++];
    message_set(score, category, row->category);
    message_set(score, score, row->score);
    message_set(score, level, row->level);
}

static void area_add(results_made_t *made, const series_row_t *row)
{
    area_result_t *area = &made->areas[made->area_count++];
    message_set(area, category, row->category);
    message_set(area, score, row->score);
    message_set(area, level, row->level);
    message_set(area, critical, row->critical);
    message_set(area, answered, row->answered);
    message_set(area, asked, row->asked);
    message_set(area, feedback, row->feedback);
    message_set(area, recommendations, row->recommendations);
}

/* Since the attempt before, if it had a result of the area. */
static void changes_set(results_made_t *made)
{
    if (made->point_count < 2)
        return;
    const list_t *before = &made->points[1].scores;
    for (size_t i = 0; i < made->area_count; i++)
        for (size_t k = 0; k < before->count; k++) {
            const series_score_t *score = &((const series_score_t *)before->items)[k];
            if (score->category == made->areas[i].category)
                message_set(&made->areas[i], change, made->areas[i].score - score->score);
        }
}

/* A chart goes from left to right. */
static void points_turn(results_made_t *made)
{
    for (size_t i = 0; i < made->point_count / 2; i++) {
        series_point_t one = made->points[i], *other = &made->points[made->point_count - 1 - i];
        made->points[i] = *other;
        *other = one;
    }
}

static results_made_t results_make(call_t *call, const rows_t *rows)
{
    results_made_t made = {.areas = arena_allocate(call->arena, AREAS * sizeof(area_result_t)),
        .points = arena_allocate(call->arena, ((size_t)rows->count + 1) * sizeof(series_point_t))};
    for (int i = 0; i < rows->count; i++) {
        const series_row_t *row = row_at(call, rows, i);
        point_add(call, &made, row);
        if (made.point_count == 1)
            area_add(&made, row);
    }
    changes_set(&made);
    points_turn(&made);
    return made;
}

const results_t *results_read(call_t *call, uuid_t attempt)
{
    const attempt_record_t *record = attempt_seen(call, attempt);
    if (record->status != ATTEMPT_COMPLETED)
        call_fail(call, ERROR_INVALID_STATE);
    call_tag(call, TAG_ATTEMPTS, record->child_id);
    call_tag(call, TAG_CHILD, record->child_id);
    call_tag(call, TAG_GUARDIAN, call->principal.user);
    const rows_t *rows = db_query(call, &SQL_results_series, bind_uuid(attempt), bind_boolean(call->language == LANGUAGE_EN),
        bind_integer(SERIES_MOST));
    const series_row_t *first = row_or_404(call, rows); /* none: it was deleted between the statements */
    results_made_t made = results_make(call, rows);
    results_t *results = arena_allocate(call->arena, sizeof *results);
    message_set(results, id, attempt);
    message_set(results, child_id, record->child_id);
    message_set(results, assessment_date, first->assessment_date);
    message_set(results, age_in_months, first->age_in_months);
    message_set(results, completed_at, first->completed_at);
    message_set(results, results, (list_t){.items = made.areas, .count = made.area_count});
    message_set(results, series, (list_t){.items = made.points, .count = made.point_count});
    return results;
}

void result_show(call_t *call)
{
    const id_params_t *params = call->params;
    reply_value(call, results_read(call, params->id));
}
