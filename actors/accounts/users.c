/* users: a user's own record. */
#include "accounts.h"
#include "phone.h"

/* The caller's own row; who has none any more, by the time the token reached us, is nobody. */
static const rows_t *own_row(call_t *call, const rows_t *rows)
{
    if (rows->count == 0)
        call_fail(call, ERROR_UNAUTHENTICATED);
    return rows;
}

void user_me(call_t *call)
{
    reply_row(call, own_row(call, db_query(call, &SQL_user_get, bind_uuid(call->principal.user))));
}

/* --- changing it -------------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t version; /* of the password that was checked */
    text_t hash;     /* data NULL: the password stays */
} password_change_t;

static void password_fields_check(call_t *call, const user_patch_t *in)
{
    if (!message_has(in, current_password))
        call_fail_field(call, ERROR_VALIDATION, "current_password", PROBLEM_REQUIRED);
    if (!message_has(in, new_password))
        call_fail_field(call, ERROR_VALIDATION, "new_password", PROBLEM_REQUIRED);
}

static password_change_t password_change(call_t *call, const user_patch_t *in)
{
    if (!message_has(in, current_password) && !message_has(in, new_password))
        return (password_change_t){0};
    password_fields_check(call, in);
    const credentials_t *known =
        row_first(call, own_row(call, db_query(call, &SQL_credentials_get, bind_uuid(call->principal.user))));
    if (!password_right(call, in->current_password, known->password_hash))
        call_fail(call, ERROR_INVALID_CREDENTIALS);
    return (password_change_t){
        .version = known->password_version, .hash = password_new(call, in->new_password)};
}

static param_t phone_index_bind(call_t *call, text_t phone)
{
    if (phone.data == NULL)
        return bind_null();
    digest_t index = phone_index(call->arena, accounts_keys()->index, phone);
    return bind_bytes(arena_copy(call->arena, digest_text(&index)));
}

/* Absent keeps, null clears (product.md, section 9). The password changes only while it is still the one that
 * was checked. */
void user_me_patch(call_t *call)
{
    const user_patch_t *in = call->input;
    uuid_t user = call->principal.user;
    if ((in->head.given | in->head.null) == 0)
        call_fail_field(call, ERROR_VALIDATION, "body", PROBLEM_EMPTY);
    password_change_t password = password_change(call, in);

    bool phone_changes = message_has(in, phone) || message_is_null(in, phone);
    const rows_t *rows = db_query(call, &SQL_user_update, bind_uuid(user), BIND(user_patch, in, name),
        bind_boolean(phone_changes), bind_sealed(call, "accounts.users", "phone", user, in->phone),
        phone_index_bind(call, in->phone), BIND(user_patch, in, language), password.hash.data != NULL ? bind_integer(password.version) : bind_null(), bind_text(password.hash));
    if (rows->count == 0 && password.hash.data != NULL)
        call_fail(call, ERROR_INVALID_CREDENTIALS);
    call_tag(call, TAG_USER, user);
    reply_row(call, own_row(call, rows));
    if (password.hash.data == NULL)
        return;
    sessions_refuse(call,
        db_query(call, &SQL_sessions_end_others, bind_uuid(user), bind_uuid(call->principal.session)));
    db_query(call, &SQL_resets_spend, bind_uuid(user)); /* a mail that was asked for before sets none any more */
}
