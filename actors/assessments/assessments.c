/* assessments: questions by age, a child's attempts at them, answers, results. Owns the schema `assessments`; of children it reads the
 * views ages and guardians, of accounts current_consents, and which therapist works with which child (aipoten.therapist_relations).
 *
 * What always holds: an attempt keeps the questions that it began with; a child has one attempt in progress at most; guardians see
 * and answer, admins see, a therapist sees by relation and consent alone (product.md, sections 2 and 4); a result is never called a
 * diagnosis. */
#include "assessments.h"

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define ASSESSMENTS "/api/v1/assessments"

/* What the cache keeps, and every statement that changes it (assessments.sql); each is followed by its call_tag:
 *
 *     assessments.questions  tag: questions */
static const endpoint_t endpoints[] = {
    {.operation = "assessments.questions", .method = "GET", .path = ASSESSMENTS "/questions", .handler = question_list,
        .summary = "What is asked at an age", .params = &questions_params_message, .output = &question_message,
        .shape = SHAPE_LIST, .errors = {ERROR_AGE_NOT_SUPPORTED}, .cache = CACHE_PUBLIC},
};

const actor_t assessments_actor = {.name = "assessments",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = assessments_statements,
    .statement_count = assessments_statement_count,
    .data_keys = "data_keys.assessments",
    .chore = assessments_reseal};
