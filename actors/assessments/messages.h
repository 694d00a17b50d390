/* Messages of the assessments actor: what its clients send, what its statements read, what it answers. */
#pragma once
#include "../../shared/actor/actor.h"
#include "../../shared/actor/events.h"
#include "scoring.h"

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

#define TOTAL_ROW(FIELD) FIELD(integer, total)
MESSAGE(total_row, TOTAL_ROW);

#define SEALED_ROW(FIELD)                                                                                          \
    FIELD(uuid, id)                                                                                                \
    FIELD(bytes, notes)
MESSAGE(sealed_row, SEALED_ROW);
