/* report: the facts of a completed attempt, gathered for the page that is printed (report_page.h). Who may see the results may see it,
 * and whoever else than a guardian does stands in the access log (results_read). */
#include "assessments.h"
#include "report_page.h"
#include "report_words.h"

_Static_assert((int)SERIES_MOST <= (int)REPORT_ATTEMPTS_MOST, "all that results tell is drawn");

static void areas_fill(report_t *report, const list_t *results)
{
    for (int area = 0; area < AREAS; area++)
        report->areas[area].score = REPORT_NONE;
    for (size_t i = 0; i < results->count; i++) {
        const area_result_t *result = &((const area_result_t *)results->items)[i];
        report->areas[result->category] = (report_area_t){.score = (int)result->score,
            .level = (enum development_level)result->level,
            .critical = result->critical,
            .asked = (int)result->asked,
            .answered = (int)result->answered,
            .feedback = result->feedback,
            .recommendation = result->recommendations};
    }
}

static void attempts_fill(call_t *call, report_t *report, const list_t *series)
{
    report_attempt_t *attempts = arena_allocate(call->arena, (series->count + 1) * sizeof(*attempts));
    for (size_t i = 0; i < series->count; i++) {
        const series_point_t *point = &((const series_point_t *)series->items)[i];
        attempts[i].day = point->assessment_date;
        for (int area = 0; area < AREAS; area++)
            attempts[i].scores[area] = REPORT_NONE;
        for (size_t k = 0; k < point->scores.count; k++) {
            const series_score_t *score = &((const series_score_t *)point->scores.items)[k];
            attempts[i].scores[score->category] = (int)score->score;
        }
    }
    report->attempts = attempts;
    report->attempt_count = (int)series->count;
    report->cut = series->count == SERIES_MOST;
}

/* In words; data NULL: there is none. */
static text_t answer_text(call_t *call, const report_answer_row_t *row)
{
    if (message_has(row, label))
        return row->label;
    if (message_has(row, said))
        return report_word(call->language, row->said ? WORD_YES : WORD_NO);
    if (message_has(row, step)) /* of a scale without words */
        return arena_format(call->arena, "%d (%d\xE2\x80\x93%d)", (int)row->step, (int)row->scale_min, (int)row->scale_max);
    return (text_t){.data = NULL};
}

static void answers_fill(call_t *call, report_t *report, const rows_t *rows)
{
    report_answer_t *answers = arena_allocate(call->arena, ((size_t)rows->count + 1) * sizeof(*answers));
    for (int i = 0; i < rows->count; i++) {
        const report_answer_row_t *row = row_at(call, rows, i);
        answers[i] = (report_answer_t){.area = (enum development_area)row->category,
            .question = row->question_text,
            .answer = answer_text(call, row),
            .critical = row->is_critical,
            .talk = row->talk};
    }
    report->answers = answers;
    report->answer_count = rows->count;
}

void report_show(call_t *call)
{
    const id_params_t *params = call->params;
    const results_t *results = results_read(call, params->id);
    const report_facts_t *facts = row_or_404(call, db_query(call, &SQL_report_facts, bind_uuid(params->id)));
    const rows_t *answers = db_query(call, &SQL_report_answers, bind_uuid(params->id), bind_text(scale_labels_default()));
    report_t report = {.language = call->language,
        .name = facts->name,
        .birth_date = facts->birth_date,
        .day = facts->assessment_date,
        .chronological = (int)facts->chronological_age_months,
        .corrected = message_has(facts, corrected_age_months) ? (int)facts->corrected_age_months : REPORT_NONE,
        .used = (int)facts->age_in_months};
    areas_fill(&report, &results->results);
    attempts_fill(call, &report, &results->series);
    answers_fill(call, &report, answers);
    reply_page(call, report_page(call->arena, &report), report_style());
}
