/* question_rules: what scoring needs of a question, remembered by this process (about 100 bytes each): a question never changes, a change
 * of it is another one (admin_questions.c), so that a rule that was read once is right for good. Who changes a question by hand restarts
 * the actor. */
#pragma once
#include "assessments.h"

/* The questions of an attempt in their order, and its answers. All of it is the call's. */
typedef struct {
    uuid_t *ids;
    scoring_item_t *items;
    int count;
} asked_t;

/* `ids`: separated by spaces; `answers`: rows of answer_row, in the order of their questions' ids. In the call's transaction. */
asked_t asked_of(call_t *, text_t ids, const rows_t *answers);
