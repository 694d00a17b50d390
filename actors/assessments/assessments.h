/* What the files of the assessments actor tell each other. */
#pragma once
#include "messages.h"
#include "assessments.sql.h"

/* Attempts that results tell of: there are twenty bands of ages. */
enum { SERIES_MOST = 24 };

/* questions.c */
void question_list(call_t *);
/* A question as those who answer see it. It lives as long as the call. */
question_t question_of(call_t *, const question_row_t *);
/* What the steps of a scale from 0 to 3 mean that has no labels of its own, as JSON. */
text_t scale_labels_default(void);
/* admin_questions.c */
void admin_question_list(call_t *);
void admin_question_get(call_t *);
void admin_question_create(call_t *);
void admin_question_update(call_t *);
void admin_question_retire(call_t *);
/* attempts.c */
void attempt_start(call_t *);
void attempt_get(call_t *);
void attempt_update(call_t *);
/* Is it an admin who asks? An admin sees everything. */
bool attempt_for_admin(const call_t *);
/* Tells the access log that somebody was shown what is known of this child; a guardian's own look is nobody's business. */
void attempt_read_tell(call_t *, uuid_t child);
/* The attempt, when the caller may see all of it, results included: a guardian, an admin, a therapist by relation and consent. The
 * access log is told. Otherwise the call ends with 404. */
const attempt_record_t *attempt_seen(call_t *, uuid_t id);
/* history.c */
void attempt_list(call_t *);
/* responses.c */
void responses_put(call_t *);
/* complete.c */
void attempt_complete(call_t *);
/* results.c */
void result_show(call_t *);
/* What a completed attempt came to, as the caller may see it; else the call ends with 404, or 409 for one that is not completed. Tells
 * the access log, names the tags, and follows the caller's language. */
const results_t *results_read(call_t *, uuid_t attempt);
/* personal.c */
void assessments_personal_data(call_t *);
void assessments_user_erased(call_t *);
void assessments_child_deleted(call_t *);
/* A step of retention (retention.h). */
int64_t attempts_forget(call_t *, int64_t before, int64_t most);
/* reminders.c */
int64_t reminder_work(call_t *, int index);
/* report.c */
void report_show(call_t *);
/* reseal.c */
int64_t assessments_reseal(call_t *);
