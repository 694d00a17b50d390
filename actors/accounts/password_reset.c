/* password_reset: one endpoint with two uses (product.md, section 3). With an address it answers 202 and has done the same,
 * in the same time, whoever has that address or nobody: it has written down that somebody asks. Whether an account is there
 * is looked up when that event comes back to this actor; nothing of it reaches who asked. With a token and a password it sets
 * the password and ends all sessions. The token came by mail, so it also shows whose address it is: whoever registered with
 * somebody's address and waits for its owner keeps no way in. */
#include "accounts.h"
#include "actor/erasure.h"
#include "base/clock.h"
#include "mails.h"

/* Requests for one address are worked on in their order, so that the last mail has the token that works. */
static uuid_t aggregate_of(text_t email)
{
    char lower[256];
    size_t length = email.length < sizeof(lower) ? email.length : sizeof(lower);
    for (size_t i = 0; i < length; i++)
        lower[i] = email.data[i] >= 'A' && email.data[i] <= 'Z' ? (char)(email.data[i] | 0x20) : email.data[i];
    digest_t digest = hash_hmac(accounts_keys()->index, (text_t){.data = lower, .length = length});
    uuid_t id;
    memcpy(id.bytes, digest.bytes, sizeof(id.bytes));
    return id;
}

static void reset_ask(call_t *call, const password_reset_t *in)
{
    if (!message_has(in, email))
        call_fail_field(call, ERROR_VALIDATION, "email", PROBLEM_REQUIRED);
    reset_requested_t request = {0};
    message_set(&request, email, in->email);
    event_emit(call, "password.reset_requested", aggregate_of(in->email), &reset_requested_message, &request);
    reply_nothing(call);
}

/* The hash is made before the transaction begins; only for a token that was good just now. */
static void reset_apply(call_t *call, const password_reset_t *in)
{
    digest_t digest;
    if (!mail_token_digest(call->arena, in->token, &digest))
        token_refuse(call);
    param_t token = bind_bytes(digest_text(&digest));
    const owner_t *owner = row_first(call, db_query(call, &SQL_reset_find, token));
    if (owner == NULL)
        token_refuse(call);
    text_t hash = password_new(call, in->new_password);
    const rows_t *set = db_query(
        call, &SQL_password_set, bind_uuid(owner->user_id), bind_text(hash), bind_time(restorable_since(call)));
    if (set->count == 0 || db_query(call, &SQL_reset_use, token)->count == 0)
        token_refuse(call);
    user_sessions_end(call, owner->user_id, TEXT("password"));
    db_query(call, &SQL_address_shown, bind_uuid(owner->user_id));
    call_tag(call, TAG_USER, owner->user_id);
    reply_nothing(call);
    reply_other_status(call);
}

static void reset_fields_check(call_t *call, const password_reset_t *in)
{
    if (!message_has(in, token))
        call_fail_field(call, ERROR_VALIDATION, "token", PROBLEM_REQUIRED);
    if (!message_has(in, new_password))
        call_fail_field(call, ERROR_VALIDATION, "new_password", PROBLEM_REQUIRED);
    if (message_has(in, email))
        call_fail_field(call, ERROR_VALIDATION, "email", PROBLEM_UNKNOWN);
}

void password_reset(call_t *call)
{
    const password_reset_t *in = call->input;
    if (!message_has(in, token) && !message_has(in, new_password)) {
        reset_ask(call, in);
        return;
    }
    reset_fields_check(call, in);
    reset_apply(call, in);
}

/* Event password.reset_requested. Nothing is said of an address that nobody has, not even in the log. */
void password_reset_send(call_t *call)
{
    const reset_requested_t *in = call->input;
    const mailbox_t *to =
        row_first(call, db_query(call, &SQL_mailbox_find, bind_text(in->email), bind_time(restorable_since(call))));
    reply_nothing(call);
    if (to == NULL)
        return;
    int64_t expires = clock_now() + call_config(call)->auth.reset_lifetime * CLOCK_MILLISECOND;
    mail_token_t token = mail_token_new(call->arena);
    db_query(call, &SQL_resets_spend, bind_uuid(to->id));
    db_query(call, &SQL_reset_create, bind_uuid(uuid_new()), bind_uuid(to->id), bind_bytes(digest_text(&token.digest)),
        bind_time(expires));
    mail_emit(call, MAIL_PASSWORD_RESET, to, "token", token.text, expires);
}

void password_reset_forget(call_t *call, uuid_t user)
{
    const admin_user_row_t *row = row_first(call, db_query(call, &SQL_user_standing, bind_uuid(user)));
    if (row != NULL)
        events_forget(call, aggregate_of(row->email));
}
