/* login: registering and logging in. Both need a password's hash, 55 ms of a processor, and ask the actor passwords for it, by a
 * call before their first statement of lane write: no transaction is open while a hash is computed. A flood of logins delays only
 * logins: those who hash do nothing else and give way to everybody (priority.h), and of this process's calls only auth.max_hashing
 * wait for them, and never more than half of its coroutines; more are answered 503 at once, before anything is read for them. */
#include "accounts.h"
#include "actor/calls.h"
#include "actor/operations.h"
#include "base/clock.h"
#include "headers.h"
#include "phone.h"

static const char hashers[] = "accounts-hash"; /* the service of the actor passwords */

/* Everybody else needs coroutines as well. */
static bool is_crowded(call_t *call)
{
    const config_t *config = call_config(call);
    int64_t half = (config->actor.max_coroutines + 1) / 2;
    return calls_waiting(hashers) >= (config->auth.max_hashing < half ? config->auth.max_hashing : half);
}

static void crowd_check(call_t *call)
{
    if (is_crowded(call))
        call_fail(call, ERROR_UNAVAILABLE);
}

bool password_right(call_t *call, text_t password, text_t stored)
{
    password_shown_t shown = {0};
    message_set(&shown, password, password);
    if (stored.data != NULL)
        message_set(&shown, hash, stored);
    crowd_check(call);
    const password_judged_t *judged = actor_call_or_fail(
        call, hashers, "passwords.matches", &password_shown_message, &shown, &password_judged_message);
    return judged->right;
}

static const char hash_operation[] = "passwords.hash";

static answer_t hash_ask(call_t *call, text_t password)
{
    password_wish_t wish = {0};
    message_set(&wish, password, password);
    return actor_call(call, hashers, hash_operation, &password_wish_message, &wish, &password_hashed_message);
}

text_t password_new(call_t *call, text_t password)
{
    crowd_check(call);
    return ((const password_hashed_t *)answer_or_fail(call, hash_operation, hash_ask(call, password)))->hash;
}

/* --- registering -------------------------------------------------------------------------------------------------- */

void account_register(call_t *call)
{
    const registration_t *in = call->input;
    crowd_check(call);
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

/* The password as the configuration wants it hashed now, if that can be had: the next login may try as well. Its user notices nothing
 * but a slower login. */
static text_t password_fresh(call_t *call, text_t password, text_t stored)
{
    if (password_cost(stored) == (int)call_config(call)->auth.bcrypt_cost || is_crowded(call))
        return stored;
    answer_t answer = hash_ask(call, password);
    return answer.error == ERROR_NONE ? ((const password_hashed_t *)answer.value)->hash : stored;
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
    crowd_check(call);
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
