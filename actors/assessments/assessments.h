/* What the files of the assessments actor tell each other. */
#pragma once
#include "messages.h"
#include "assessments.sql.h"

/* Used months from which and up to which there are questions (product.md, section 4). */
enum { AGE_FIRST = 4, AGE_LAST = 71 };

/* questions.c */
void question_list(call_t *);
/* A question as those who answer see it. It lives as long as the call. */
question_t question_of(call_t *, const question_row_t *);
/* reseal.c */
int64_t assessments_reseal(call_t *);
