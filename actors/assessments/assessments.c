/* assessments: questions by age, a child's attempts at them, answers, results. Owns the schema `assessments`; of children it reads the
 * views ages and guardians, of accounts current_consents, and which therapist works with which child (aipoten.therapist_relations).
 *
 * What always holds: an attempt keeps the questions that it began with; a child has one attempt in progress at most; guardians see
 * and answer, admins see, a therapist sees by relation and consent alone (product.md, sections 2 and 4); a result is never called a
 * diagnosis. */
#include "assessments.h"

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define ASSESSMENTS "/api/v1/assessments"
#define ADMIN_QUESTIONS "/api/v1/admin/assessments/questions"

/* What the cache keeps, and every statement that changes it (assessments.sql); each is followed by its call_tag:
 *
 *     assessments.questions  tag: questions
 *         question_insert, question_retire */
static const endpoint_t endpoints[] = {
    {.operation = "assessments.questions", .method = "GET", .path = ASSESSMENTS "/questions", .handler = question_list,
        .summary = "What is asked at an age", .params = &questions_params_message, .output = &question_message,
        .shape = SHAPE_LIST, .errors = {ERROR_AGE_NOT_SUPPORTED}, .cache = CACHE_PUBLIC},

    {.operation = "admin.questions.list", .method = "GET", .path = ADMIN_QUESTIONS, .handler = admin_question_list,
        .roles = ADMIN, .summary = "Questions and their former versions, by category and age",
        .params = &admin_questions_params_message, .output = &admin_question_message, .shape = SHAPE_LIST},
    {.operation = "admin.questions.get", .method = "GET", .path = ADMIN_QUESTIONS "/:id", .handler = admin_question_get,
        .roles = ADMIN, .summary = "A version of a question", .params = &id_params_message, .output = &admin_question_message},
    {.operation = "admin.questions.create", .method = "POST", .path = ADMIN_QUESTIONS, .handler = admin_question_create,
        .roles = ADMIN, .summary = "Add a question: it is asked in attempts that begin from now on",
        .input = &question_create_message, .output = &admin_question_message, .status = 201, .writes = true},
    {.operation = "admin.questions.update", .method = "PATCH", .path = ADMIN_QUESTIONS "/:id",
        .handler = admin_question_update, .roles = ADMIN,
        .summary = "A new version of a question, with an id of its own; attempts that began before keep the one before",
        .params = &id_params_message, .input = &question_patch_message, .output = &admin_question_message,
        .errors = {ERROR_INVALID_STATE}, .writes = true},
    {.operation = "admin.questions.retire", .method = "DELETE", .path = ADMIN_QUESTIONS "/:id",
        .handler = admin_question_retire, .roles = ADMIN, .summary = "Ask a question no more; attempts that began before keep it",
        .params = &id_params_message, .shape = SHAPE_NOTHING, .errors = {ERROR_INVALID_STATE}, .writes = true},
};

const actor_t assessments_actor = {.name = "assessments",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = assessments_statements,
    .statement_count = assessments_statement_count,
    .data_keys = "data_keys.assessments",
    .chore = assessments_reseal};
