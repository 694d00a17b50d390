/* attempts: an attempt is begun, read, noted upon, and stands in the history of its child. It keeps the ids of the questions that it
 * began with, whose rows never change (product.md, section 4); a child has one in progress at most, which PostgreSQL itself sees to
 * (development_assessments_open_key). */
#include "assessments.h"
#include "../../shared/actor/record_read.h"
#include "../../shared/base/age.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/config.h"

_Static_assert(offsetof(attempt_detail_t, notes) == offsetof(attempt_record_t, notes), "a detail begins with its record");
_Static_assert(offsetof(attempt_question_t, order_index) == offsetof(question_t, order_index), "it begins with the question");
_Static_assert(offsetof(attempt_question_row_t, order_index) == offsetof(question_row_t, order_index), "so does its row");

/* --- who asks ----------------------------------------------------------------------------------------------------- */

bool attempt_for_admin(const call_t *call)
{
    return call->principal.role == ROLE_ADMIN;
}

void attempt_read_tell(call_t *call, uuid_t child)
{
    if (call->principal.role != ROLE_PARENT)
        record_read_emit(call, "child", child, 1);
}

const attempt_record_t *attempt_seen(call_t *call, uuid_t id)
{
    const attempt_record_t *record = row_or_404(call, db_query(call, &SQL_attempt_get, bind_uuid(id),
        bind_uuid(call->principal.user), bind_boolean(attempt_for_admin(call))));
    attempt_read_tell(call, record->child_id);
    return record;
}

/* --- one attempt -------------------------------------------------------------------------------------------------- */

static attempt_question_t attempt_question_of(call_t *call, const attempt_question_row_t *row)
{
    attempt_question_t question = {0};
    question_t plain = question_of(call, (const question_row_t *)row);
    memcpy(&question, &plain, sizeof(plain));
    if (message_has(row, response))
        message_set(&question, response, row->response);
    return question;
}

static void detail_reply(call_t *call, const attempt_record_t *record, const rows_t *rows)
{
    attempt_detail_t detail = {0};
    memcpy(&detail, record, sizeof(*record));
    attempt_question_t *questions = arena_allocate(call->arena, ((size_t)rows->count + 1) * sizeof(*questions));
    for (int i = 0; i < rows->count; i++)
        questions[i] = attempt_question_of(call, row_at(call, rows, i));
    message_set(&detail, questions, (list_t){.items = questions, .count = (size_t)rows->count});
    reply_value(call, &detail);
}

void attempt_get(call_t *call)
{
    const id_params_t *params = call->params;
    const attempt_record_t *record = attempt_seen(call, params->id);
    detail_reply(call, record, db_query(call, &SQL_attempt_questions, bind_uuid(params->id)));
}

/* --- beginning one ------------------------------------------------------------------------------------------------ */

enum { TRIES = 3 }; /* each but the last meets an attempt that another device begins or ends just then */

static const rows_t *insert(call_t *call, uuid_t child, int32_t today, age_t age)
{
    return db_query(call, &SQL_attempt_insert, bind_uuid(uuid_new()), bind_uuid(call->principal.user), bind_uuid(child),
        bind_date(today), bind_integer(age.used), bind_integer(age.chronological),
        age.is_corrected ? bind_integer(age.corrected) : bind_null(), bind_integer(call_config(call)->assessments.lifetime));
}

/* 409 that names the attempt in progress: the client goes on with that one. */
_Noreturn static void open_fail(call_t *call, uuid_t open)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(open, id);
    problems_t *problems = arena_allocate(call->arena, sizeof(*problems));
    *problems = (problems_t){.arena = call->arena};
    problem_add(problems, text_of(id), PROBLEM_OPEN_ATTEMPT, NULL, 0);
    call_fail_problems(call, ERROR_CONFLICT, problems);
}

/* One that has run out makes way for a new one, as does one that was completed meanwhile; another one is gone on with. */
static const rows_t *insert_again(call_t *call, uuid_t child, int32_t today, age_t age)
{
    for (int tries = 0; tries < TRIES; tries++) {
        db_query(call, &SQL_attempt_expire, bind_uuid(child));
        const key_row_t *open = row_first(call, db_query(call, &SQL_attempt_open, bind_uuid(child)));
        if (open != NULL)
            open_fail(call, open->id);
        const rows_t *rows = insert(call, child, today, age);
        if (rows->count > 0)
            return rows;
    }
    row_or_404(call, db_query(call, &SQL_attempt_birth, bind_uuid(child), bind_uuid(call->principal.user)));
    call_fail(call, ERROR_AGE_NOT_SUPPORTED); /* there are no questions for it */
}

void attempt_start(call_t *call)
{
    const attempt_start_t *in = call->input;
    const birth_row_t *birth =
        row_or_404(call, db_query(call, &SQL_attempt_birth, bind_uuid(in->child_id), bind_uuid(call->principal.user)));
    int32_t today = date_today_seoul();
    age_t age = age_on(birth->birth_date, (int)birth->gestational_weeks, today);
    if (age.used < AGE_FIRST || age.used > AGE_LAST)
        call_fail(call, ERROR_AGE_NOT_SUPPORTED);
    db_send(call, &SQL_child_hold, bind_uuid(in->child_id));
    const rows_t *rows = insert(call, in->child_id, today, age);
    if (rows->count == 0)
        rows = insert_again(call, in->child_id, today, age);
    const attempt_record_t *record = row_first(call, rows);
    call_tag(call, TAG_ATTEMPTS, in->child_id);
    detail_reply(call, record, db_query(call, &SQL_attempt_questions_begun, bind_uuid(record->id)));
}

/* --- the parents' notes ------------------------------------------------------------------------------------------- */

void attempt_update(call_t *call)
{
    const id_params_t *params = call->params;
    const attempt_patch_t *patch = call->input;
    if (!message_has(patch, notes) && !message_is_null(patch, notes))
        call_fail_field(call, ERROR_VALIDATION, "body", PROBLEM_EMPTY);
    const rows_t *rows = db_query(call, &SQL_attempt_note, bind_uuid(params->id), bind_uuid(call->principal.user),
        bind_sealed(call, "assessments.development_assessments", "notes", params->id, patch->notes));
    const attempt_record_t *record = row_first(call, rows);
    if (record == NULL) {
        attempt_seen(call, params->id);
        call_fail(call, ERROR_INVALID_STATE);
    }
    call_tag(call, TAG_ATTEMPTS, record->child_id);
    reply_value(call, record);
}
