/* login: registering and logging in. Both hash a password, 55 ms of this process's only thread, and so run in
 * the instances of accounts-hash: a flood of logins delays only logins. Each waits for its turn of the loop
 * before it hashes, and gives up when its deadline passed meanwhile: nobody waits for it any more. No
 * transaction is open while a hash is computed. */
#include "accounts.h"
#include "base/clock.h"
#include "headers.h"
#include "phone.h"

enum { PASSWORD_BYTES_MAX = 72 }; /* bcrypt reads no more */

bool password_right(call_t *call, text_t password, text_t stored)
{
    int cost = (int)call_config(call)->auth.bcrypt_cost;
    call_yield(call);
    /* Longer than any password that was ever set: wrong, but not sooner than another wrong one. */
    if (password.length > PASSWORD_BYTES_MAX)
        return password_matches(TEXT("longer"), (text_t){0}, cost);
    return password_matches(password, stored, cost);
}

text_t password_new(call_t *call, text_t password)
{
    call_yield(call);
    return password_hash(call->arena, password, (int)call_config(call)->auth.bcrypt_cost);
}

/* --- registering -------------------------------------------------------------------------------------------------- */

void account_register(call_t *call)
{
    const registration_t *in = call->input;
    if (db_query(call, &SQL_email_find, bind_text(in->email))->count > 0)
        call_fail(call, ERROR_EMAIL_TAKEN);
    text_t hash = password_new(call, in->password);

    uuid_t id = uuid_new();
    digest_t index = phone_index(call->arena, accounts_keys()->index, in->phone);
    db_on_violation(call, "users_email_key", ERROR_EMAIL_TAKEN);
    const rows_t *rows = db_query(call, &SQL_user_create, bind_uuid(id), bind_text(in->email), bind_text(hash),
        bind_text(in->name), bind_sealed(call, "accounts.users", "phone", id, in->phone),
        bind_bytes(digest_text(&index)), BIND(registration, in, role),
        bind_text(text_of(language_name(call->language))));
    reply_row(call, rows);
    mailbox_t to = {.id = id, .email = in->email, .name = in->name, .language = (int)call->language};
    verification_send(call, &to);
}

/* --- logging in --------------------------------------------------------------------------------------------------- */

/* The password as the configuration wants it hashed now. Its user notices nothing but a slower login. */
static text_t password_fresh(call_t *call, text_t password, text_t stored)
{
    if (password_cost(stored) == (int)call_config(call)->auth.bcrypt_cost)
        return stored;
    return password_new(call, password);
}

/* The new session in the tables, and its user; NULL when the user was suspended or changed the password
 * meanwhile. */
static const user_t *session_open(
    call_t *call, const credentials_t *known, refresh_token_t made, text_t token, enum delivery delivery)
{
    digest_t digest = refresh_token_digest(call->arena, token);
    int64_t expires = clock_now() + call_config(call)->auth.refresh_lifetime * CLOCK_MILLISECOND;
    return row_first(
        call, db_query(call, &SQL_session_create, bind_uuid(known->id), bind_integer(known->password_version),
                  bind_uuid(made.session), bind_bytes(digest_text(&digest)),
                  bind_text(text_of(deliveries[delivery])),
                  bind_text(agent_label(call->arena, call_header(call, "user-agent"))), bind_time(expires)));
}

bool account_enter(call_t *call, const credentials_t *known, enum delivery delivery)
{
    if (known->deleted)
        account_restore(call, known);
    refresh_token_t made = {.session = uuid_new(), .rotation = 0};
    text_t token = tokens_refresh_new(call, made);
    const user_t *user = session_open(call, known, made, token, delivery);
    if (user == NULL)
        return false;
    tokens_t tokens = tokens_give(call, user->id, (enum role)(user->role + 1), token, made, delivery);
    login_result_t result = {0};
    message_merge(&tokens_message, &tokens, &login_result_message, &result);
    message_set(&result, restored, known->deleted);
    message_set(&result, user, user);
    call_answer_of(call, user->id);
    reply_value(call, &result);
    return true;
}

void account_login(call_t *call)
{
    const login_t *in = call->input;
    const credentials_t *known = row_first(
        call, db_query(call, &SQL_credentials_find, bind_text(in->email), bind_time(restorable_since(call))));
    if (!password_right(call, in->password, known ? known->password_hash : (text_t){0}))
        call_fail(call, ERROR_INVALID_CREDENTIALS);
    if (known->status == USER_SUSPENDED)
        call_fail(call, ERROR_SUSPENDED);
    text_t fresh = password_fresh(call, in->password, known->password_hash);
    if (!text_equal(fresh, known->password_hash))
        db_query(call, &SQL_password_rehash, bind_uuid(known->id), bind_text(known->password_hash), bind_text(fresh));
    if (!account_enter(call, known, message_has(in, token_delivery) ? (enum delivery)in->token_delivery : DELIVERY_BODY))
        call_fail(call, ERROR_INVALID_CREDENTIALS);
}
