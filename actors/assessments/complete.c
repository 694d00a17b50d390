/* complete: from answers to results, once. One transaction in two round trips: the attempt is locked and its answers are read; its
 * results, its state and the event assessment.completed are written with COMMIT. Writers of answers hold the attempt's row as well
 * (responses.c), and the answers are read by a statement of its own behind the lock: so what was answered as saved before is in the
 * score, and what comes later finds a completed attempt.
 *
 * The event travels behind the answer: who looks for recommendations first is given them all the same (actors/videos/recommended.c).
 *
 * What always holds: a completed attempt has a result for each area of its questions, and they never change; completing it again
 * gives the same answer. A child's attempts are completed at times that rise, whatever the clocks of machines say: who ranks or compares
 * goes by them, and no two of its attempts are in progress at once. */
#include "assessments.h"
#include "feedback.h"
#include "question_rules.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/fault.h"

/* --- scoring ------------------------------------------------------------------------------------------------------- */

/* 422 that names each question whose answer is missing. */
static _Noreturn void too_few_fail(call_t *call, const asked_t *asked)
{
    problems_t *problems = arena_allocate(call->arena, sizeof *problems);
    problems->arena = call->arena;
    for (int i = 0; i < asked->count; i++) {
        if (!asked->items[i].missing)
            continue;
        char id[UUID_TEXT_SIZE];
        uuid_format(asked->ids[i], id);
        problem_add(problems, arena_copy(call->arena, text_of(id)), PROBLEM_UNANSWERED, NULL, 0);
    }
    call_fail_problems(call, ERROR_UNPROCESSABLE, problems);
}

static void score(call_t *call, const held_row_t *attempt, const rows_t *answers, scoring_area_t areas[static AREAS])
{
    asked_t asked = asked_of(call, attempt->questions, answers);
    if (!scoring_run(asked.items, asked.count, areas))
        too_few_fail(call, &asked);
}

/* --- what is written -------------------------------------------------------------------------------------------------- */

/* All results as one JSON list, for one statement. */
static text_t results_json(call_t *call, const scoring_area_t areas[static AREAS])
{
    buffer_t json = {0};
    for (int i = 0; i < AREAS; i++) {
        if (areas[i].asked == 0)
            continue;
        feedback_t korean = feedback_of((enum development_area)i, areas[i].level, areas[i].critical, LANGUAGE_KO);
        feedback_t english = feedback_of((enum development_area)i, areas[i].level, areas[i].critical, LANGUAGE_EN);
        kept_result_t row = {0};
        message_set(&row, id, uuid_new());
        message_set(&row, category, i);
        message_set(&row, score, areas[i].score);
        message_set(&row, level, (int)areas[i].level);
        message_set(&row, critical, areas[i].critical);
        message_set(&row, answered, areas[i].answered);
        message_set(&row, asked, areas[i].asked);
        message_set(&row, feedback, text_of(korean.feedback));
        message_set(&row, recommendations, text_of(korean.recommendations));
        message_set(&row, feedback_en, text_of(english.feedback));
        message_set(&row, recommendations_en, text_of(english.recommendations));
        buffer_add_char(&json, json.length ? ',' : '[');
        message_json(&kept_result_message, &row, &json);
    }
    buffer_add_char(&json, ']');
    text_t text = arena_copy(call->arena, buffer_text(&json));
    buffer_free(&json);
    return text;
}

static void completed_tell(call_t *call, const held_row_t *attempt, int64_t completed_at, const scoring_area_t areas[static AREAS])
{
    const id_params_t *params = call->params;
    completed_area_t told[AREAS] = {0};
    size_t count = 0;
    for (int i = 0; i < AREAS; i++) {
        if (areas[i].asked == 0)
            continue;
        message_set(&told[count], area, i);
        message_set(&told[count], score, areas[i].score);
        message_set(&told[count], level, (int)areas[i].level);
        count++;
    }
    assessment_completed_t event = {0};
    message_set(&event, assessment, params->id);
    message_set(&event, child, attempt->child_id);
    message_set(&event, user, call->principal.user);
    message_set(&event, age, attempt->age_in_months);
    message_set(&event, completed_at, completed_at);
    message_set(&event, areas, (list_t){.items = told, .count = count});
    event_emit_direct(call, "assessment.completed", attempt->child_id, &assessment_completed_message, &event);
}

/* --- the answer ------------------------------------------------------------------------------------------------------- */

static void completion_reply(call_t *call, const held_row_t *attempt, int64_t completed_at, const result_t *results, size_t count)
{
    const id_params_t *params = call->params;
    completion_t completion = {0};
    message_set(&completion, id, params->id);
    message_set(&completion, child_id, attempt->child_id);
    message_set(&completion, status, ATTEMPT_COMPLETED);
    message_set(&completion, age_in_months, attempt->age_in_months);
    message_set(&completion, completed_at, completed_at);
    message_set(&completion, results, (list_t){.items = results, .count = count});
    reply_value(call, &completion);
}

static void first_reply(call_t *call, const held_row_t *attempt, int64_t completed_at, const scoring_area_t areas[static AREAS])
{
    result_t results[AREAS] = {0};
    size_t count = 0;
    for (int i = 0; i < AREAS; i++) {
        if (areas[i].asked == 0)
            continue;
        feedback_t words = feedback_of((enum development_area)i, areas[i].level, areas[i].critical, call->language);
        result_t *result = &results[count++];
        message_set(result, category, i);
        message_set(result, score, areas[i].score);
        message_set(result, level, (int)areas[i].level);
        message_set(result, critical, areas[i].critical);
        message_set(result, answered, areas[i].answered);
        message_set(result, asked, areas[i].asked);
        message_set(result, feedback, text_of(words.feedback));
        message_set(result, recommendations, text_of(words.recommendations));
    }
    completion_reply(call, attempt, completed_at, results, count);
}

/* As it was told the first time, also when the words of a later release are others. */
static void again_reply(call_t *call, const held_row_t *attempt)
{
    const id_params_t *params = call->params;
    const rows_t *rows = db_query(call, &SQL_results_told, bind_uuid(params->id), bind_boolean(call->language == LANGUAGE_EN));
    result_t *results = arena_allocate(call->arena, ((size_t)rows->count + 1) * sizeof *results);
    for (int i = 0; i < rows->count; i++)
        results[i] = *(const result_t *)row_at(call, rows, i);
    completion_reply(call, attempt, attempt->completed_at, results, (size_t)rows->count);
}

static int64_t completion_time(const held_row_t *attempt)
{
    int64_t now = clock_now();
    return message_has(attempt, last_completed_at) && attempt->last_completed_at >= now ? attempt->last_completed_at + 1 : now;
}

/* --- the handler ------------------------------------------------------------------------------------------------------ */

void attempt_complete(call_t *call)
{
    const id_params_t *params = call->params;
    param_t id = bind_uuid(params->id), user = bind_uuid(call->principal.user);
    scoring_area_t areas[AREAS];
    const kept_rows_t *held = db_send_kept(call, &SQL_attempt_hold, id, user);
    const rows_t *answers = db_query(call, &SQL_attempt_answers, id);
    const held_row_t *attempt = row_or_404(call, db_kept(call, held));
    fault_point("complete.held");
    if (attempt->status == ATTEMPT_COMPLETED) {
        again_reply(call, attempt);
        return;
    }
    if (attempt->status == ATTEMPT_EXPIRED)
        call_fail(call, ERROR_INVALID_STATE);
    score(call, attempt, answers, areas);
    int64_t completed_at = completion_time(attempt);
    db_send(call, &SQL_results_insert, id, bind_text(results_json(call, areas)));
    db_send(call, &SQL_attempt_complete, id, bind_time(completed_at));
    fault_point("complete.sent");
    completed_tell(call, attempt, completed_at, areas);
    call_tag(call, TAG_ATTEMPTS, attempt->child_id);
    first_reply(call, attempt, completed_at, areas);
    fault_point("complete.written");
}
