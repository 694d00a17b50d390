/* questions: what is asked at which age (product.md, section 4). Everybody may see it, and it is answered from the cache until an
 * admin changes a question. */
#include "assessments.h"

/* What 0 to 3 mean where a question has no labels of its own. */
#define SCALE_MIN 0
#define SCALE_MAX 3
#define SCALE_LABELS "[\"전혀 그렇지 않아요\",\"가끔 그래요\",\"자주 그래요\",\"항상 그래요\"]"

text_t scale_labels_default(void)
{
    return TEXT(SCALE_LABELS);
}

static const question_scale_t *scale_of(call_t *call, const question_row_t *row)
{
    question_scale_t *scale = arena_allocate(call->arena, sizeof(*scale));
    *scale = (question_scale_t){0};
    message_set(scale, min, row->scale_min);
    message_set(scale, max, row->scale_max);
    if (message_has(row, scale_labels))
        message_set(scale, labels, row->scale_labels);
    else if (row->scale_min == SCALE_MIN && row->scale_max == SCALE_MAX)
        message_set(scale, labels, scale_labels_default());
    return scale;
}

question_t question_of(call_t *call, const question_row_t *row)
{
    question_t question = {0};
    message_set(&question, id, row->id);
    message_set(&question, category, row->category);
    message_set(&question, question_text, row->question_text);
    message_set(&question, answer_type, row->answer_type);
    if (row->answer_type == ANSWER_SCALE)
        message_set(&question, scale, scale_of(call, row));
    if (message_has(row, options))
        message_set(&question, options, row->options);
    message_set(&question, order_index, row->order_index);
    return question;
}

void question_list(call_t *call)
{
    const questions_params_t *params = call->params;
    call_tag(call, TAG_QUESTIONS, (uuid_t){{0}});
    if (params->age < AGE_FIRST || params->age > AGE_LAST)
        call_fail(call, ERROR_AGE_NOT_SUPPORTED);
    const rows_t *rows = db_query(call, &SQL_questions_of_age, bind_integer(params->age));
    size_t count = (size_t)rows->count;
    question_t *questions = arena_allocate(call->arena, (count + 1) * sizeof(*questions));
    for (size_t i = 0; i < count; i++)
        questions[i] = question_of(call, row_at(call, rows, (int)i));
    reply_values(call, questions, count, NULL);
}
