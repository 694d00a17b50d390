/* assessments: questions by age, a child's attempts at them, answers, results. Owns the schema `assessments`; of children it reads the
 * views ages and guardians, of accounts current_consents, and which therapist works with which child (aipoten.therapist_relations).
 *
 * What always holds: an attempt keeps the questions that it began with; a child has one attempt in progress at most; guardians see
 * and answer, admins see, a therapist sees by relation and consent alone (product.md, sections 2 and 4); a result is never called a
 * diagnosis. */
#include "assessments.h"
#include "../../shared/actor/personal_data.h"
#include "../../shared/actor/retention.h"
#include "../../shared/base/config.h"

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define ASSESSMENTS "/api/v1/assessments"
#define ADMIN_QUESTIONS "/api/v1/admin/assessments/questions"

/* What the cache keeps, and every statement that changes it (assessments.sql); each is followed by its call_tag:
 *
 *     assessments.questions  tag: questions
 *         question_insert, question_retire
 *     assessments.list       tags: the viewer as guardian, the attempts of each child that may be seen; until one of these expires
 *         attempt_insert, attempt_expire, attempt_note, responses_put, attempt_complete, attempts_forget, child_attempts_empty
 *     assessments.results    tags: the attempts of the child, the child, the viewer as guardian
 *         results_insert with attempt_complete, child_attempts_empty
 *
 * What holds notes, which are sealed, is never kept. Reading by therapists and admins is logged: they are always answered by this
 * actor. */
static const endpoint_t endpoints[] = {
    {.operation = "assessments.list", .method = "GET", .path = ASSESSMENTS, .handler = attempt_list, .roles = MEMBER,
        .summary = "Assessments of one's children, newest first", .params = &attempts_params_message,
        .output = &attempt_message, .shape = SHAPE_LIST, .errors = {ERROR_NOT_FOUND},
        .cache = CACHE_PERSONAL, .logged = THERAPIST | ADMIN},
    {.operation = "assessments.start", .method = "POST", .path = ASSESSMENTS, .handler = attempt_start, .roles = PARENT,
        .summary = "Begin an assessment; 409 names the one in progress", .input = &attempt_start_message,
        .output = &attempt_detail_message, .status = 201, .errors = {ERROR_NOT_FOUND, ERROR_CONFLICT, ERROR_AGE_NOT_SUPPORTED},
        .writes = true},
    {.operation = "assessments.questions", .method = "GET", .path = ASSESSMENTS "/questions", .handler = question_list,
        .summary = "What is asked at an age", .params = &questions_params_message, .output = &question_message,
        .shape = SHAPE_LIST, .errors = {ERROR_AGE_NOT_SUPPORTED}, .cache = CACHE_PUBLIC},
    {.operation = "assessments.get", .method = "GET", .path = ASSESSMENTS "/:id", .handler = attempt_get, .roles = MEMBER,
        .summary = "An assessment with its questions and answers", .params = &id_params_message,
        .output = &attempt_detail_message},
    {.operation = "assessments.update", .method = "PATCH", .path = ASSESSMENTS "/:id", .handler = attempt_update,
        .roles = PARENT, .summary = "The parents' notes, while it is in progress; null clears",
        .params = &id_params_message, .input = &attempt_patch_message, .output = &attempt_record_message,
        .errors = {ERROR_INVALID_STATE}, .writes = true},
    {.operation = "assessments.respond", .method = "POST", .path = ASSESSMENTS "/:id/responses", .handler = responses_put,
        .roles = PARENT, .summary = "Answer one question or several; a later answer takes an earlier one's place",
        .params = &id_params_message, .input = &responses_put_message, .output = &responses_answer_message,
        .errors = {ERROR_INVALID_STATE}, .writes = true},
    {.operation = "assessments.complete", .method = "POST", .path = ASSESSMENTS "/:id/complete", .handler = attempt_complete,
        .roles = PARENT, .summary = "Score the answers; completing again gives the same answer", .params = &id_params_message,
        .output = &completion_message, .errors = {ERROR_INVALID_STATE, ERROR_UNPROCESSABLE}, .writes = true},
    {.operation = "assessments.results", .method = "GET", .path = ASSESSMENTS "/:id/results", .handler = result_show,
        .roles = MEMBER, .summary = "Scores and words by area, what changed, and the series for a chart",
        .params = &id_params_message, .output = &results_message, .errors = {ERROR_INVALID_STATE}, .cache = CACHE_PERSONAL,
        .by_language = true, .logged = THERAPIST | ADMIN},
    {.operation = "assessments.report", .method = "GET", .path = ASSESSMENTS "/:id/report.html", .handler = report_show,
        .roles = MEMBER, .summary = "The results as a page to print and to take to a paediatrician", .params = &id_params_message,
        .shape = SHAPE_PAGE, .errors = {ERROR_INVALID_STATE}, .logged = THERAPIST | ADMIN},

    {.operation = "admin.questions.list", .method = "GET", .path = ADMIN_QUESTIONS, .handler = admin_question_list,
        .roles = ADMIN, .summary = "Questions and their former versions, by category and age",
        .params = &admin_questions_params_message, .output = &admin_question_message, .shape = SHAPE_LIST},
    {.operation = "admin.questions.get", .method = "GET", .path = ADMIN_QUESTIONS "/:id", .handler = admin_question_get,
        .roles = ADMIN, .summary = "A version of a question", .params = &id_params_message, .output = &admin_question_message},
    {.operation = "admin.questions.create", .method = "POST", .path = ADMIN_QUESTIONS, .handler = admin_question_create,
        .roles = ADMIN, .summary = "Add a question: it is asked in attempts that begin from now on",
        .input = &question_create_message, .output = &admin_question_message, .status = 201, .errors = {ERROR_CONFLICT},
        .writes = true},
    {.operation = "admin.questions.update", .method = "PATCH", .path = ADMIN_QUESTIONS "/:id",
        .handler = admin_question_update, .roles = ADMIN,
        .summary = "A new version of a question, with an id of its own; attempts that began before keep the one before",
        .params = &id_params_message, .input = &question_patch_message, .output = &admin_question_message,
        .errors = {ERROR_INVALID_STATE, ERROR_CONFLICT}, .writes = true},
    {.operation = "admin.questions.retire", .method = "DELETE", .path = ADMIN_QUESTIONS "/:id",
        .handler = admin_question_retire, .roles = ADMIN, .summary = "Ask a question no more; attempts that began before keep it",
        .params = &id_params_message, .shape = SHAPE_NOTHING, .errors = {ERROR_INVALID_STATE}, .writes = true},

    PERSONAL_DATA_ROW("assessments", assessments_personal_data),
    {.operation = "assessments.user_erased", .event = "user.erased", .handler = assessments_user_erased,
        .summary = "Forget a user", .input = &user_erased_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "assessments.child_deleted", .event = "child.deleted", .handler = assessments_child_deleted,
        .summary = "Empty a child's assessments", .input = &child_deleted_message, .shape = SHAPE_NOTHING, .writes = true},
};

static const retention_t retentions[] = {
    {"unfinished assessments", offsetof(config_t, retention.assessments), .step = attempts_forget},
};

const actor_t assessments_actor = {.name = "assessments",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = assessments_statements,
    .statement_count = assessments_statement_count,
    .data_keys = "data_keys.assessments",
    .chore = assessments_reseal,
    .retentions = retentions,
    .retention_count = ARRAY_SIZE(retentions),
    .worker = reminder_work,
    .workers = 1};
