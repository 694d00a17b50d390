/* deletion: an account ends in three steps (user_state.c). Deleted, by its user or an administrator, it lets nobody in and
 * keeps its address; a login within auth.restore_within brings it back; then the event user.erased goes to everybody who
 * holds data of it, in the transaction that closes the way back. Nothing here schedules sessions with
 * therapists: the actor that will also brings the condition under which a deletion is refused (product.md, section 3). */
#include "accounts.h"
#include "actor/events.h"
#include "base/clock.h"
#include "base/log.h"
#include "mails.h"

int64_t restorable_since(call_t *call)
{
    return clock_now() - call_config(call)->auth.restore_within * CLOCK_MILLISECOND;
}

/* The last day on which a login surely brings it back. */
static text_t last_day(call_t *call)
{
    char day[11];
    date_format(
        date_today_seoul() + (int32_t)(call_config(call)->auth.restore_within * CLOCK_MILLISECOND / CLOCK_DAY), day);
    return arena_copy(call->arena, text_of(day));
}

static void user_log(const char *event, uuid_t user, uuid_t by)
{
    char id[UUID_TEXT_SIZE], who[UUID_TEXT_SIZE];
    uuid_format(user, id);
    uuid_format(by, who);
    log_event(LOG_INFO, event, LOG_S("user", id), LOG_S("by", who));
}

/* The row is locked and may be deleted. */
static void account_delete(call_t *call, uuid_t user)
{
    const mailbox_t *to = row_first(call, db_query(call, &SQL_user_delete, bind_uuid(user)));
    user_sessions_end(call, user, TEXT("deleted"));
    call_tag(call, TAG_USER, user);
    mail_emit(call, MAIL_ACCOUNT_DELETED, to, "until", last_day(call), 0);
    user_log("user_deleted", user, call->principal.user);
    reply_nothing(call);
}

/* --- by its user -------------------------------------------------------------------------------------------------- */

/* Who is logged in may have left a device open: the password is asked for, where there is one. */
static const credentials_t *owner_check(call_t *call, const user_delete_t *in)
{
    const credentials_t *known = row_first(call, db_query(call, &SQL_credentials_get, bind_uuid(call->principal.user)));
    if (known == NULL)
        call_fail(call, ERROR_UNAUTHENTICATED);
    if (known->password_hash.data == NULL)
        return known;
    if (!message_has(in, current_password))
        call_fail_field(call, ERROR_VALIDATION, "current_password", PROBLEM_REQUIRED);
    if (!password_right(call, in->current_password, known->password_hash))
        call_fail(call, ERROR_INVALID_CREDENTIALS);
    return known;
}

void user_me_delete(call_t *call)
{
    uuid_t user = call->principal.user;
    const credentials_t *known = owner_check(call, call->input);
    if (known->role + 1 == ROLE_ADMIN)
        admins_check(call, user);
    const standing_t *now = row_first(call, db_query(call, &SQL_user_lock, bind_uuid(user)));
    /* Another role, status or password than a moment ago ended this session. */
    if (now->role != known->role || now->status != USER_ACTIVE || now->password_version != known->password_version)
        call_fail(call, ERROR_UNAUTHENTICATED);
    account_delete(call, user);
}

/* --- by an administrator ------------------------------------------------------------------------------------------ */

void admin_user_delete(call_t *call)
{
    const id_params_t *params = call->params;
    if (uuid_equal(params->id, call->principal.user))
        call_fail_field(call, ERROR_CONFLICT, "id", PROBLEM_OWN_ROLE);
    admins_check(call, params->id);
    const standing_t *now = row_or_404(call, db_query(call, &SQL_user_lock, bind_uuid(params->id)));
    if (user_state_next((enum user_status)now->status, STEP_DELETE) == USER_NO_WAY)
        call_fail(call, ERROR_INVALID_STATE);
    account_delete(call, params->id);
}

/* --- and back, or not --------------------------------------------------------------------------------------------- */

void account_restore(call_t *call, const credentials_t *known)
{
    const rows_t *rows = db_query(call, &SQL_user_restore, bind_uuid(known->id), bind_integer(known->password_version),
        bind_time(restorable_since(call)));
    if (rows->count > 0) {
        call_tag(call, TAG_USER, known->id);
        user_log("user_restored", known->id, known->id);
    }
}

int64_t users_erase(call_t *call, int64_t before, int64_t most)
{
    const rows_t *rows = db_query(call, &SQL_users_erase, bind_time(before), bind_integer(most));
    for (int i = 0; i < rows->count; i++) {
        const only_id_t *row = row_at(call, rows, i);
        user_erased_t event = {0};
        message_set(&event, user, row->id);
        call_tag(call, TAG_USER, row->id);
        event_emit(call, "user.erased", row->id, &user_erased_message, &event);
    }
    return rows->count;
}
