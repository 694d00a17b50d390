/* verification: does an e-mail address belong to who registered with it? Whoever shows the token of the mail that went there
 * says so. A user has one token at most that works: the last that was sent. */
#include "accounts.h"
#include "base/clock.h"
#include "mails.h"

/* The user's row is locked, or was made by this transaction. */
void verification_send(call_t *call, const mailbox_t *to)
{
    int64_t expires = clock_now() + call_config(call)->auth.verification_lifetime * CLOCK_MILLISECOND;
    mail_token_t token = mail_token_new(call->arena);
    db_query(call, &SQL_verifications_spend, bind_uuid(to->id));
    db_query(call, &SQL_verification_create, bind_uuid(uuid_new()), bind_uuid(to->id),
        bind_bytes(digest_text(&token.digest)), bind_time(expires));
    mail_emit(call, MAIL_EMAIL_VERIFICATION, to, "token", token.text, expires);
}

void verification_again(call_t *call)
{
    const mailbox_t *to = row_first(call, db_query(call, &SQL_mailbox_lock, bind_uuid(call->principal.user)));
    if (to == NULL)
        call_fail(call, ERROR_UNAUTHENTICATED);
    if (to->email_verified)
        call_fail(call, ERROR_INVALID_STATE);
    verification_send(call, to);
    reply_nothing(call);
}

/* Which user it is, is read first, so that users are locked before their tokens everywhere. */
void verification_verify(call_t *call)
{
    const email_verify_t *in = call->input;
    digest_t digest;
    if (!mail_token_digest(call->arena, in->token, &digest))
        token_refuse(call);
    param_t hash = bind_bytes(digest_text(&digest));
    const owner_t *owner = row_first(call, db_query(call, &SQL_verification_find, hash));
    if (owner == NULL || db_query(call, &SQL_mailbox_lock, bind_uuid(owner->user_id))->count == 0 ||
        db_query(call, &SQL_verification_use, hash)->count == 0)
        token_refuse(call);
    db_query(call, &SQL_email_verified_set, bind_uuid(owner->user_id));
    call_tag(call, TAG_USER, owner->user_id);
    reply_nothing(call);
}

void token_refuse(call_t *call)
{
    call_fail_field(call, ERROR_UNPROCESSABLE, "token", PROBLEM_SPENT);
}
