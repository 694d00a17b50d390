/* What the files of the assessments actor tell each other. */
#pragma once
#include "messages.h"
#include "assessments.sql.h"

/* questions.c */
void question_list(call_t *);
/* A question as those who answer see it. It lives as long as the call. */
question_t question_of(call_t *, const question_row_t *);
/* admin_questions.c */
void admin_question_list(call_t *);
void admin_question_get(call_t *);
void admin_question_create(call_t *);
void admin_question_update(call_t *);
void admin_question_retire(call_t *);
/* reseal.c */
int64_t assessments_reseal(call_t *);
