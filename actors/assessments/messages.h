/* Messages of the assessments actor: what its clients send, what its statements read, what it answers. */
#pragma once
#include "../../shared/actor/actor.h"
#include "../../shared/actor/events.h"
#include "scoring.h"

/* Used months from which and up to which there are questions (product.md, section 4). */
enum { AGE_FIRST = 4, AGE_LAST = 71 };
/* What an administrator may weigh a question by, thousandths. */
enum { WEIGHT_LEAST = 100, WEIGHT_WHOLE = 1000, WEIGHT_MOST = 10000 };

/* Order of enum answer_type. */
static const char *const answer_types[] __attribute__((unused)) = {"yes_no", "scale", "multiple_choice", NULL};

/* --- questions ---------------------------------------------------------------------------------------------------- */

#define QUESTIONS_PARAMS(FIELD)                                                                                    \
    FIELD(integer, age, .required = true, .min = 0, .max = 240, .meaning = "Months, the used age: 4 to 71")
MESSAGE(questions_params, QUESTIONS_PARAMS);

#define SCALE_LABEL(FIELD) FIELD(text, label, .required = true)
MESSAGE_BARE(scale_label, SCALE_LABEL);

#define QUESTION_SCALE(FIELD)                                                                                      \
    FIELD(integer, min, .required = true)                                                                          \
    FIELD(integer, max, .required = true)                                                                          \
    FIELD(json, labels, .nullable = true, .message = &scale_label_message, .meaning = "One for each step")
MESSAGE(question_scale, QUESTION_SCALE);

#define QUESTION_OPTION(FIELD)                                                                                     \
    FIELD(text, key, .required = true)                                                                             \
    FIELD(text, label, .required = true)
MESSAGE(question_option, QUESTION_OPTION);

/* What those who answer see: neither weights, nor scores, nor what is critical. */
#define QUESTION(FIELD)                                                                                            \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(choice, category, .required = true, .names = development_areas)                                          \
    FIELD(text, question_text, .required = true)                                                                   \
    FIELD(choice, answer_type, .required = true, .names = answer_types)                                            \
    FIELD(object, scale, .nullable = true, .message = &question_scale_message, .meaning = "Of scale")              \
    FIELD(json, options, .nullable = true, .message = &question_option_message, .meaning = "Of multiple_choice")   \
    FIELD(integer, order_index, .required = true, .meaning = "Within category")
MESSAGE(question, QUESTION);

/* --- questions: administration ------------------------------------------------------------------------------------ */

#define ADMIN_OPTION(FIELD)                                                                                        \
    FIELD(text, key, .required = true, .min = 1, .max = 10, .format = FORMAT_SLUG, .meaning = "What an answer says") \
    FIELD(text, label, .required = true, .min = 1, .max = 100, .format = FORMAT_LINE)                              \
    FIELD(decimal, score, .required = true, .scale = 3, .min = 0, .max = SCORING_CHOICE_WHOLE,                     \
        .meaning = "0 to 1, one above 0 at least")
MESSAGE(admin_option, ADMIN_OPTION);

#define ADMIN_LABEL(FIELD) FIELD(text, label, .required = true, .min = 1, .max = 50, .format = FORMAT_LINE)
MESSAGE_BARE(admin_label, ADMIN_LABEL);
#define ADMIN_SCALE(FIELD)                                                                                         \
    FIELD(integer, min, .required = true, .max = SCORING_RANGE_MOST)                                               \
    FIELD(integer, max, .required = true, .max = SCORING_RANGE_MOST, .meaning = "Above min")                       \
    FIELD(list, labels, .nullable = true, .max = SCORING_RANGE_MOST + 1, .message = &admin_label_message,          \
        .meaning = "One for each step; null: those that 0 to 3 have, or none")
MESSAGE(admin_scale, ADMIN_SCALE);

#define QUESTION_FACTS(FIELD, needed)                                                                              \
    FIELD(choice, category, .required = needed, .names = development_areas)                                        \
    FIELD(integer, age_range_start, .required = needed, .min = AGE_FIRST, .max = AGE_LAST, .meaning = "Months")    \
    FIELD(integer, age_range_end, .required = needed, .min = AGE_FIRST, .max = AGE_LAST,                           \
        .meaning = "Months, included; not below age_range_start")                                                  \
    FIELD(text, question_text, .required = needed, .min = 1, .max = 300, .format = FORMAT_LINE)                    \
    FIELD(choice, answer_type, .required = needed, .names = answer_types)                                          \
    FIELD(decimal, weight, .scale = 3, .min = WEIGHT_LEAST, .max = WEIGHT_MOST, .meaning = "1 when absent at creation") \
    FIELD(boolean, reverse, .meaning = "The answer that gives most is worth nothing; false when absent at creation") \
    FIELD(boolean, is_critical, .meaning = "An answer worth 0 decides the area; false when absent at creation")    \
    FIELD(integer, order_index, .max = 1000, .meaning = "Within category and ages; 0 when absent at creation")
#define QUESTION_FORMS(FIELD)                                                                                      \
    FIELD(object, scale, .nullable = true, .message = &admin_scale_message, .meaning = "Of scale alone; null: 0 to 3") \
    FIELD(list, options, .min = 2, .max = 6, .message = &admin_option_message,                                     \
        .meaning = "Of multiple_choice alone; keys and labels differ")
#define QUESTION_CREATE(FIELD) QUESTION_FACTS(FIELD, true) QUESTION_FORMS(FIELD)
#define QUESTION_PATCH(FIELD) QUESTION_FACTS(FIELD, false) QUESTION_FORMS(FIELD)
MESSAGE(question_create, QUESTION_CREATE);
MESSAGE(question_patch, QUESTION_PATCH);

/* A version of a question as its row has it, and between its row and the next version: a row begins a change. What the forms are to be
 * is text when the change is written. */
#define QUESTION_RECORD(FIELD)                                                                                     \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, lineage)                                                                                           \
    FIELD(integer, version)                                                                                        \
    QUESTION_FACTS(FIELD, false)                                                                                   \
    FIELD(integer, scale_min, .nullable = true)                                                                    \
    FIELD(integer, scale_max, .nullable = true)                                                                    \
    FIELD(json, scale_labels, .nullable = true)                                                                    \
    FIELD(json, options_json, .nullable = true)                                                                    \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, retired_at, .nullable = true)
#define QUESTION_CHANGE(FIELD) QUESTION_RECORD(FIELD) QUESTION_FORMS(FIELD)
MESSAGE(question_record, QUESTION_RECORD);
MESSAGE(question_change, QUESTION_CHANGE);

#define ADMIN_QUESTION(FIELD)                                                                                      \
    FIELD(uuid, id, .required = true, .meaning = "Of this version")                                                \
    FIELD(uuid, lineage, .required = true, .meaning = "The id of its first version")                               \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(choice, category, .required = true, .names = development_areas)                                          \
    FIELD(integer, age_range_start, .required = true)                                                              \
    FIELD(integer, age_range_end, .required = true)                                                                \
    FIELD(text, question_text, .required = true)                                                                   \
    FIELD(choice, answer_type, .required = true, .names = answer_types)                                            \
    FIELD(decimal, weight, .required = true, .scale = 3)                                                           \
    FIELD(boolean, reverse, .required = true)                                                                      \
    FIELD(boolean, is_critical, .required = true)                                                                  \
    FIELD(object, scale, .nullable = true, .message = &question_scale_message, .meaning = "Of scale")              \
    FIELD(json, options, .nullable = true, .message = &admin_option_message, .meaning = "Of multiple_choice")      \
    FIELD(integer, order_index, .required = true)                                                                  \
    FIELD(time, created_at, .required = true)                                                                      \
    FIELD(time, retired_at, .nullable = true, .meaning = "null: it is asked")
MESSAGE(admin_question, ADMIN_QUESTION);

#define ADMIN_QUESTIONS_PARAMS(FIELD)                                                                              \
    FIELD(choice, category, .names = development_areas)                                                            \
    FIELD(integer, age, .min = AGE_FIRST, .max = AGE_LAST, .meaning = "Months: those asked at this age")           \
    FIELD(choice, answer_type, .names = answer_types)                                                              \
    FIELD(boolean, retired, .meaning = "Both when absent")                                                         \
    FIELD(uuid, lineage, .meaning = "Versions of one question")                                                    \
    PAGE_PARAMS(FIELD)
MESSAGE(admin_questions_params, ADMIN_QUESTIONS_PARAMS);

/* --- attempts ----------------------------------------------------------------------------------------------------- */

enum attempt_status { ATTEMPT_IN_PROGRESS, ATTEMPT_COMPLETED, ATTEMPT_EXPIRED };
static const char *const attempt_statuses[] __attribute__((unused)) = {"in_progress", "completed", "expired", NULL};

#define ATTEMPTS_PARAMS(FIELD)                                                                                     \
    FIELD(uuid, child_id, .meaning = "All one's children when absent; for an admin everybody's")                   \
    FIELD(choice, status, .names = attempt_statuses)                                                               \
    FIELD(date, from, .meaning = "assessment_date, the first day")                                                 \
    FIELD(date, to, .meaning = "assessment_date, the last day")                                                    \
    PAGE_PARAMS(FIELD)
MESSAGE(attempts_params, ATTEMPTS_PARAMS);

#define ATTEMPT_START(FIELD) FIELD(uuid, child_id, .required = true)
MESSAGE(attempt_start, ATTEMPT_START);

#define ATTEMPT(FIELD)                                                                                             \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(uuid, child_id, .required = true)                                                                        \
    FIELD(uuid, user_id, .required = true, .meaning = "Who began it")                                              \
    FIELD(date, assessment_date, .required = true, .meaning = "The day on which it was begun, in Seoul")           \
    FIELD(integer, age_in_months, .required = true, .meaning = "The age that the questions are for, on that day")  \
    FIELD(integer, chronological_age_months, .required = true)                                                     \
    FIELD(integer, corrected_age_months, .nullable = true, .meaning = "null: nothing was to be corrected")                            \
    FIELD(choice, status, .required = true, .names = attempt_statuses)                                             \
    FIELD(integer, answered, .required = true, .meaning = "How many questions have an answer")                     \
    FIELD(integer, asked, .required = true, .meaning = "How many there are")                                       \
    FIELD(time, expires_at, .required = true, .meaning = "Until then it can be gone on with")                      \
    FIELD(time, created_at, .required = true)                                                                      \
    FIELD(time, updated_at, .required = true)                                                                      \
    FIELD(time, completed_at, .nullable = true)
MESSAGE(attempt, ATTEMPT);

#define NOTES_MAX 2000
#define ATTEMPT_RECORD(FIELD)                                                                                      \
    ATTEMPT(FIELD)                                                                                                 \
    FIELD(text, notes, .nullable = true, .sealed = "assessments.development_assessments", .meaning = "The parents'")
MESSAGE(attempt_record, ATTEMPT_RECORD);

#define ATTEMPT_PATCH(FIELD) FIELD(text, notes, .nullable = true, .max = NOTES_MAX)
MESSAGE(attempt_patch, ATTEMPT_PATCH);

/* A question of an attempt, with its answer. */
#define ATTEMPT_QUESTION(FIELD)                                                                                    \
    QUESTION(FIELD)                                                                                                \
    FIELD(json, response, .nullable = true, .scalar = true, .meaning = "What was answered; null: nothing yet")
MESSAGE(attempt_question, ATTEMPT_QUESTION);

#define ATTEMPT_DETAIL(FIELD)                                                                                      \
    ATTEMPT_RECORD(FIELD)                                                                                          \
    FIELD(list, questions, .required = true, .message = &attempt_question_message,                                 \
        .meaning = "Those that it began with, whatever is asked of others meanwhile")
MESSAGE(attempt_detail, ATTEMPT_DETAIL);

/* --- answers ------------------------------------------------------------------------------------------------------ */

enum { RESPONSES_MAX = 200, OPTION_KEY_MAX = 50 };

#define RESPONSE(FIELD, needed)                                                                                    \
    FIELD(uuid, question_id, .required = (needed))                                                                 \
    FIELD(json, response, .required = (needed), .scalar = true, .max = OPTION_KEY_MAX,                             \
        .meaning = "yes_no: true or false; scale: a whole number; multiple_choice: the key of an option")
#define RESPONSE_PUT(FIELD) RESPONSE(FIELD, true)
MESSAGE(response_put, RESPONSE_PUT);

#define RESPONSES_PUT(FIELD)                                                                                       \
    RESPONSE(FIELD, false)                                                                                         \
    FIELD(list, responses, .min = 1, .max = RESPONSES_MAX, .message = &response_put_message,                       \
        .meaning = "Several at once, instead of question_id and response")
MESSAGE(responses_put, RESPONSES_PUT);

#define CATEGORY_PROGRESS(FIELD)                                                                                   \
    FIELD(choice, category, .required = true, .names = development_areas)                                          \
    FIELD(integer, answered, .required = true)                                                                     \
    FIELD(integer, asked, .required = true)
MESSAGE(category_progress, CATEGORY_PROGRESS);

#define RESPONSES_ANSWER(FIELD)                                                                                    \
    FIELD(uuid, assessment_id, .required = true)                                                                   \
    FIELD(integer, answered, .required = true)                                                                     \
    FIELD(integer, asked, .required = true)                                                                        \
    FIELD(list, categories, .required = true, .message = &category_progress_message)
MESSAGE(responses_answer, RESPONSES_ANSWER);

/* --- completing, results ------------------------------------------------------------------------------------------ */

#define SCORE(FIELD)                                                                                               \
    FIELD(choice, category, .required = true, .names = development_areas)                                          \
    FIELD(decimal, score, .required = true, .scale = 2, .min = 0, .max = 10000, .meaning = "0 to 100")             \
    FIELD(choice, level, .required = true, .names = development_levels)

#define RESULT(FIELD)                                                                                              \
    SCORE(FIELD)                                                                                                   \
    FIELD(boolean, critical, .required = true, .meaning = "An answer that is to be looked at decided the level")   \
    FIELD(integer, answered, .required = true)                                                                     \
    FIELD(integer, asked, .required = true)                                                                        \
    FIELD(text, feedback, .required = true)                                                                        \
    FIELD(text, recommendations, .required = true)
MESSAGE(result, RESULT);

#define COMPLETION(FIELD)                                                                                          \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(uuid, child_id, .required = true)                                                                        \
    FIELD(choice, status, .required = true, .names = attempt_statuses)                                             \
    FIELD(integer, age_in_months, .required = true, .meaning = "The age that the questions were for")              \
    FIELD(time, completed_at, .required = true)                                                                    \
    FIELD(list, results, .required = true, .message = &result_message, .meaning = "Area by area")
MESSAGE(completion, COMPLETION);

#define AREA_RESULT(FIELD)                                                                                         \
    RESULT(FIELD)                                                                                                  \
    FIELD(decimal, change, .nullable = true, .scale = 2, .min = -10000, .max = 10000,                              \
        .meaning = "Of the score, since the completed assessment before; null: there is none of this area")
MESSAGE(area_result, AREA_RESULT);

MESSAGE(series_score, SCORE);

#define SERIES_POINT(FIELD)                                                                                        \
    FIELD(uuid, assessment_id, .required = true)                                                                   \
    FIELD(date, assessment_date, .required = true)                                                                 \
    FIELD(integer, age_in_months, .required = true)                                                                \
    FIELD(time, completed_at, .required = true)                                                                    \
    FIELD(list, scores, .required = true, .message = &series_score_message)
MESSAGE(series_point, SERIES_POINT);

#define RESULTS(FIELD)                                                                                             \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(uuid, child_id, .required = true)                                                                        \
    FIELD(date, assessment_date, .required = true)                                                                 \
    FIELD(integer, age_in_months, .required = true, .meaning = "The age that the questions were for")              \
    FIELD(time, completed_at, .required = true)                                                                    \
    FIELD(list, results, .required = true, .message = &area_result_message, .meaning = "Area by area")             \
    FIELD(list, series, .required = true, .message = &series_point_message,                                        \
        .meaning = "This one and those completed before it, oldest first: the latest 24")
MESSAGE(results, RESULTS);

/* --- what is held of a person -------------------------------------------------------------------------------------- */

#define PERSONAL_RESPONSE(FIELD)                                                                                   \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, assessment_id)                                                                                     \
    FIELD(uuid, question_id)                                                                                       \
    FIELD(text, question_text)                                                                                     \
    FIELD(json, response)                                                                                          \
    FIELD(time, created_at)                                                                                        \
    FIELD(time, updated_at)
MESSAGE(personal_response, PERSONAL_RESPONSE);

#define PERSONAL_RESULT(FIELD)                                                                                     \
    FIELD(uuid, id)                                                                                                \
    FIELD(uuid, assessment_id)                                                                                     \
    FIELD(choice, category, .names = development_areas)                                                            \
    FIELD(decimal, score, .scale = 2)                                                                              \
    FIELD(choice, level, .names = development_levels)                                                              \
    FIELD(text, feedback)                                                                                          \
    FIELD(text, recommendations)                                                                                   \
    FIELD(text, feedback_en)                                                                                       \
    FIELD(text, recommendations_en)                                                                                \
    FIELD(time, created_at)
MESSAGE(personal_result, PERSONAL_RESULT);

/* --- rows that only handlers see ---------------------------------------------------------------------------------- */

#define QUESTION_ROW(FIELD)                                                                                        \
    FIELD(uuid, id)                                                                                                \
    FIELD(choice, category, .names = development_areas)                                                            \
    FIELD(text, question_text)                                                                                     \
    FIELD(choice, answer_type, .names = answer_types)                                                              \
    FIELD(integer, scale_min, .nullable = true)                                                                    \
    FIELD(integer, scale_max, .nullable = true)                                                                    \
    FIELD(json, scale_labels, .nullable = true)                                                                    \
    FIELD(json, options, .nullable = true)                                                                         \
    FIELD(integer, order_index)
MESSAGE(question_row, QUESTION_ROW);

#define ATTEMPT_QUESTION_ROW(FIELD) QUESTION_ROW(FIELD) FIELD(json, response, .nullable = true)
MESSAGE(attempt_question_row, ATTEMPT_QUESTION_ROW);

/* A child whose attempts may be seen, and when the one in progress expires. */
#define SEEN_CHILD(FIELD)                                                                                          \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(time, expires_at, .nullable = true)
MESSAGE(seen_child, SEEN_CHILD);

#define BIRTH_ROW(FIELD)                                                                                           \
    FIELD(date, birth_date)                                                                                        \
    FIELD(integer, gestational_weeks, .nullable = true)
MESSAGE(birth_row, BIRTH_ROW);

/* A question that is to be answered: its attempt, and what fits it; no question: it is not one of the attempt. */
#define RULE_ROW(FIELD)                                                                                            \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(choice, status, .names = attempt_statuses)                                                               \
    FIELD(choice, answer_type, .nullable = true, .names = answer_types)                                            \
    FIELD(integer, scale_min, .nullable = true)                                                                    \
    FIELD(integer, scale_max, .nullable = true)                                                                    \
    FIELD(text, option_keys, .nullable = true, .meaning = "Separated by spaces")
MESSAGE(rule_row, RULE_ROW);

#define KEY_ROW(FIELD) FIELD(uuid, id)
MESSAGE(key_row, KEY_ROW);

#define LOCKED_ROW(FIELD) FIELD(integer, locks)
MESSAGE(locked_row, LOCKED_ROW);

#define TOTAL_ROW(FIELD) FIELD(integer, total)
MESSAGE(total_row, TOTAL_ROW);

/* An attempt that is to be completed. */
#define HELD_ROW(FIELD)                                                                                            \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(integer, age_in_months)                                                                                  \
    FIELD(time, completed_at, .nullable = true)                                                                    \
    FIELD(choice, status, .names = attempt_statuses)                                                               \
    FIELD(text, questions, .meaning = "Their ids in order, separated by spaces")                                   \
    FIELD(time, last_completed_at, .nullable = true, .meaning = "Of all attempts of the child")
MESSAGE(held_row, HELD_ROW);

#define ANSWER_ROW(FIELD)                                                                                          \
    FIELD(uuid, question_id)                                                                                       \
    FIELD(json, response)
MESSAGE(answer_row, ANSWER_ROW);

/* What scoring.h needs of a question. */
#define QUESTION_RULE_ROW(FIELD)                                                                                   \
    FIELD(uuid, id)                                                                                                \
    FIELD(choice, category, .names = development_areas)                                                            \
    FIELD(choice, answer_type, .names = answer_types)                                                              \
    FIELD(integer, weight)                                                                                         \
    FIELD(boolean, reverse)                                                                                        \
    FIELD(boolean, is_critical)                                                                                    \
    FIELD(integer, scale_min, .nullable = true)                                                                    \
    FIELD(integer, scale_max, .nullable = true)                                                                    \
    FIELD(text, option_scores, .nullable = true, .meaning = "\"a 0 b 500\": keys and thousandths")
MESSAGE(question_rule_row, QUESTION_RULE_ROW);

/* A result as it is kept, in both languages. */
#define KEPT_RESULT(FIELD)                                                                                         \
    FIELD(uuid, id)                                                                                                \
    SCORE(FIELD)                                                                                                   \
    FIELD(boolean, critical)                                                                                       \
    FIELD(integer, answered)                                                                                       \
    FIELD(integer, asked)                                                                                          \
    FIELD(text, feedback)                                                                                          \
    FIELD(text, recommendations)                                                                                   \
    FIELD(text, feedback_en)                                                                                       \
    FIELD(text, recommendations_en)
MESSAGE(kept_result, KEPT_RESULT);

#define SERIES_ROW(FIELD)                                                                                          \
    FIELD(uuid, assessment_id)                                                                                     \
    FIELD(date, assessment_date)                                                                                   \
    FIELD(integer, age_in_months)                                                                                  \
    FIELD(time, completed_at)                                                                                      \
    SCORE(FIELD)                                                                                                   \
    FIELD(boolean, critical)                                                                                       \
    FIELD(integer, answered)                                                                                       \
    FIELD(integer, asked)                                                                                          \
    FIELD(text, feedback, .nullable = true)                                                                        \
    FIELD(text, recommendations, .nullable = true)
MESSAGE(series_row, SERIES_ROW);

/* What the report says of the child and the day. */
#define REPORT_FACTS(FIELD)                                                                                        \
    FIELD(text, name)                                                                                              \
    FIELD(date, birth_date)                                                                                        \
    FIELD(date, assessment_date)                                                                                   \
    FIELD(integer, chronological_age_months)                                                                       \
    FIELD(integer, corrected_age_months, .nullable = true)                                                         \
    FIELD(integer, age_in_months)
MESSAGE(report_facts, REPORT_FACTS);

/* A question and its answer: in words, or else one of `said` and `step`; none of them: there is none. */
#define REPORT_ANSWER_ROW(FIELD)                                                                                   \
    FIELD(choice, category, .names = development_areas)                                                            \
    FIELD(text, question_text)                                                                                     \
    FIELD(integer, scale_min, .nullable = true)                                                                    \
    FIELD(integer, scale_max, .nullable = true)                                                                    \
    FIELD(boolean, is_critical)                                                                                    \
    FIELD(integer, step, .nullable = true)                                                                         \
    FIELD(boolean, said, .nullable = true)                                                                         \
    FIELD(text, label, .nullable = true)                                                                           \
    FIELD(boolean, talk)
MESSAGE(report_answer_row, REPORT_ANSWER_ROW);

#define SEALED_ROW(FIELD)                                                                                          \
    FIELD(uuid, id)                                                                                                \
    FIELD(bytes, notes)
MESSAGE(sealed_row, SEALED_ROW);

/* --- reminders ---------------------------------------------------------------------------------------------------- */

#define SEOUL_ROW(FIELD)                                                                                           \
    FIELD(date, today)                                                                                             \
    FIELD(integer, second, .meaning = "of the day")
MESSAGE(seoul_row, SEOUL_ROW);

/* A child with results, and whom to remind of it. */
#define CANDIDATE_ROW(FIELD)                                                                                       \
    FIELD(uuid, child_id)                                                                                          \
    FIELD(date, birth_date)                                                                                        \
    FIELD(integer, gestational_weeks, .nullable = true)                                                            \
    FIELD(time, completed_at, .meaning = "The last time")                                                          \
    FIELD(date, completed_on, .meaning = "In Seoul")                                                               \
    FIELD(integer, reminded_band, .nullable = true, .meaning = "For which the last reminder was")                  \
    FIELD(uuid, user_id)
MESSAGE(candidate_row, CANDIDATE_ROW);

#define REMINDED_ROW(FIELD) FIELD(uuid, child_id)
MESSAGE(reminded_row, REMINDED_ROW);
