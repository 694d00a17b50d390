/* accounts: users, their sessions and their consents.
 *
 * Owns accounts.users, auth_sessions, user_identities, oauth_states, email_verifications, password_resets,
 * exports (and their files below var/files) and consents; publishes the views accounts.current_consents,
 * guardian_facts and address_digests. Passwords are hashed by the actor passwords, whom login.c asks.
 *
 * What always holds: a password is stored only as its bcrypt hash, a refresh token, a mail's token and a state
 * of OAuth only as their digests, a phone number only sealed; no transaction is open while a hash is computed or
 * another company is asked; a session that was revoked refuses its access tokens from the next request on, also
 * after the shared memory was lost (accounts_start).
 */
#include "accounts.h"
#include "actor/personal_data.h"
#include "actor/retention.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "oauth_provider.h"
#include "shm/process.h"

#define AUTH_HEADERS "cookie host origin x-csrf-token"

/* What the cache keeps, and every statement that changes it (accounts.sql); each is followed by its call_tag:
 *
 *     consents.list        tag: the user's consents. Its texts' versions are this build's, and an instance that ends takes all that
 *                          depends on accounts out of the cache
 *     children.guardians   tag: the user, for accounts.guardian_facts (name, address, whether it is verified)
 *
 *     consent_create       the user's consents; rows are added only, and no other statement does
 *     user_update, user_standing_update, user_delete, user_restore, users_erase, erasures_finish, email_verified_set,
 *     address_shown        the user
 *
 * Users who are made (user_create, oauth_user_create) stand in no answer yet. users.me holds a sealed phone number, sessions
 * depend on who asks by which session, what admins read is logged: none of it is kept. */
static const endpoint_t endpoints[] = {
    {.operation = "auth.register",
        .method = "POST",
        .path = "/api/v1/auth/register",
        .handler = account_register,
        .summary = "Register a parent or a therapist",
        .roles = ANYONE,
        .input = &registration_message,
        .output = &user_message,
        .status = 201,
        .rate = RATE_LOGIN,
        .errors = {ERROR_EMAIL_TAKEN},
        .writes = true},
    {.operation = "auth.login",
        .method = "POST",
        .path = "/api/v1/auth/login",
        .handler = account_login,
        .summary = "Log in with e-mail address and password",
        .roles = ANYONE,
        .input = &login_message,
        .output = &login_result_message,
        .rate = RATE_LOGIN,
        .rate_field = "email",
        .headers = "user-agent",
        .errors = {ERROR_INVALID_CREDENTIALS, ERROR_SUSPENDED},
        .writes = true,
        .brief = true},
    {.operation = "auth.refresh",
        .method = "POST",
        .path = "/api/v1/auth/refresh",
        .handler = session_refresh,
        .summary = "Exchange a refresh token for new tokens",
        .roles = ANYONE,
        .input = &refresh_message,
        .output = &tokens_message,
        .headers = AUTH_HEADERS,
        .errors = {ERROR_UNAUTHENTICATED, ERROR_CSRF},
        .writes = true,
        .brief = true},
    {.operation = "auth.logout",
        .method = "POST",
        .path = "/api/v1/auth/logout",
        .handler = session_logout,
        .summary = "End the session of the refresh token, or of the access token",
        .roles = ANYONE,
        .input = &refresh_message,
        .shape = SHAPE_NOTHING,
        .headers = AUTH_HEADERS,
        .errors = {ERROR_UNAUTHENTICATED, ERROR_CSRF},
        .writes = true},

    {.operation = "auth.oauth.start",
        .method = "GET",
        .path = "/api/v1/auth/oauth/:provider/start",
        .handler = oauth_start,
        .summary = "Begin to log in by google, kakao, naver or apple; with an access token, to link it to the own account",
        .roles = ANYONE,
        .params = &oauth_start_params_message,
        .output = &oauth_begun_message},
    {.operation = "auth.oauth.login",
        .method = "POST",
        .path = "/api/v1/auth/oauth/:provider",
        .handler = oauth_login,
        .summary = "Log in, register or link with the code that the provider gave",
        .roles = ANYONE,
        .params = &oauth_params_message,
        .input = &oauth_login_message,
        .output = &login_result_message,
        .rate = RATE_LOGIN,
        .headers = "user-agent",
        .errors = {ERROR_OAUTH_STATE, ERROR_OAUTH_CODE, ERROR_OAUTH_TOKEN, ERROR_OAUTH_EMAIL,
            ERROR_OAUTH_LINK_REQUIRED, ERROR_OAUTH_LINKED, ERROR_SUSPENDED, ERROR_CONFLICT},
        .writes = true,
        .brief = true},
    {.operation = "auth.email.verify",
        .method = "POST",
        .path = "/api/v1/auth/email/verify",
        .handler = verification_verify,
        .summary = "Verify an e-mail address by the token that was mailed to it",
        .roles = ANYONE,
        .input = &email_verify_message,
        .shape = SHAPE_NOTHING,
        .errors = {ERROR_UNPROCESSABLE},
        .writes = true},
    {.operation = "auth.email.verification",
        .method = "POST",
        .path = "/api/v1/auth/email/verification",
        .handler = verification_again,
        .summary = "Send another mail that verifies the e-mail address; the token of the one before ends",
        .roles = MEMBER,
        .shape = SHAPE_NOTHING,
        .status = 202,
        .rate = RATE_MAIL,
        .errors = {ERROR_INVALID_STATE},
        .writes = true},
    {.operation = "auth.password.reset",
        .method = "POST",
        .path = "/api/v1/auth/password/reset",
        .handler = password_reset,
        .summary = "Ask for a mail with a token (202, whoever has the address), or set a new password by it (200)",
        .roles = ANYONE,
        .input = &password_reset_message,
        .shape = SHAPE_NOTHING,
        .status = 202,
        .other_status = 200,
        .rate = RATE_LOGIN,
        .rate_field = "email",
        .errors = {ERROR_UNPROCESSABLE},
        .writes = true},
    {.operation = "auth.password.reset_send",
        .event = "password.reset_requested",
        .handler = password_reset_send,
        .summary = "Mail a token, if an account has the address",
        .input = &reset_requested_message,
        .shape = SHAPE_NOTHING,
        .writes = true},

    {.operation = "users.me",
        .method = "GET",
        .path = "/api/v1/users/me",
        .handler = user_me,
        .summary = "The caller's own record",
        .roles = MEMBER,
        .output = &user_message},
    {.operation = "users.me.update",
        .method = "PATCH",
        .path = "/api/v1/users/me",
        .handler = user_me_patch,
        .summary = "Change name, phone, language or password",
        .roles = MEMBER,
        .input = &user_patch_message,
        .output = &user_message,
        .rate_field = "current_password",
        .errors = {ERROR_INVALID_CREDENTIALS},
        .writes = true},
    {.operation = "users.me.delete",
        .method = "DELETE",
        .path = "/api/v1/users/me",
        .handler = user_me_delete,
        .summary = "Delete the own account; a login within 30 days (auth.restore_within) brings it back",
        .roles = MEMBER,
        .input = &user_delete_message,
        .shape = SHAPE_NOTHING,
        .rate_field = "current_password",
        .errors = {ERROR_INVALID_CREDENTIALS, ERROR_LAST_ADMIN},
        .writes = true},
    {.operation = "users.me.sessions",
        .method = "GET",
        .path = "/api/v1/users/me/sessions",
        .handler = session_list,
        .summary = "The caller's live sessions, newest first",
        .roles = MEMBER,
        .output = &session_message,
        .shape = SHAPE_LIST},
    {.operation = "users.me.sessions.revoke",
        .method = "DELETE",
        .path = "/api/v1/users/me/sessions/:id",
        .handler = session_revoke,
        .summary = "End one of the caller's sessions",
        .roles = MEMBER,
        .params = &id_params_message,
        .shape = SHAPE_NOTHING,
        .writes = true},

    {.operation = "users.me.export.start",
        .method = "POST",
        .path = "/api/v1/users/me/export",
        .handler = export_start,
        .summary = "Collect everything that is held of the caller; a mail tells when it is ready",
        .roles = MEMBER,
        .output = &export_status_message,
        .status = 202,
        .errors = {ERROR_IN_PROGRESS, ERROR_RATE_LIMITED},
        .writes = true},
    {.operation = "users.me.export",
        .method = "GET",
        .path = "/api/v1/users/me/export",
        .handler = export_show,
        .summary = "How far the caller's newest export is, and its link when it is ready",
        .roles = MEMBER,
        .output = &export_status_message,
        .errors = {ERROR_NOT_FOUND}},
    {.operation = "exports.download",
        .method = "GET",
        .path = "/api/v1/exports/:id",
        .handler = export_download,
        .summary = "The file of an export, by its signed link",
        .roles = ANYONE,
        .params = &export_params_message,
        .shape = SHAPE_FILE,
        .errors = {ERROR_FORBIDDEN, ERROR_NOT_FOUND}},
    PERSONAL_DATA_ROW("accounts", accounts_personal_data),
    {.operation = "accounts.user_erased",
        .event = "user.erased",
        .handler = accounts_user_erased,
        .summary = "Forget sessions, tokens and exports of a user",
        .input = &user_erased_message,
        .shape = SHAPE_NOTHING,
        .writes = true},

    {.operation = "consents.list",
        .method = "GET",
        .path = "/api/v1/consents",
        .handler = consent_list,
        .summary = "Every consent that is asked for, and the caller's answer",
        .roles = MEMBER,
        .output = &consent_message,
        .shape = SHAPE_LIST,
        .cache = CACHE_PERSONAL},
    {.operation = "consents.create",
        .method = "POST",
        .path = "/api/v1/consents",
        .handler = consent_create,
        .summary = "Give or withdraw a consent",
        .roles = MEMBER,
        .input = &consent_create_message,
        .output = &consent_message,
        .status = 201,
        .errors = {ERROR_UNPROCESSABLE},
        .writes = true},

    {.operation = "admin.users.list",
        .method = "GET",
        .path = "/api/v1/admin/users",
        .handler = admin_user_list,
        .summary = "Users, newest first",
        .roles = ADMIN,
        .params = &admin_users_params_message,
        .output = &admin_user_message,
        .shape = SHAPE_LIST},
    {.operation = "admin.users.get",
        .method = "GET",
        .path = "/api/v1/admin/users/:id",
        .handler = admin_user_get,
        .summary = "A user, and how far the erasure of a deleted one is",
        .roles = ADMIN,
        .params = &id_params_message,
        .output = &admin_user_detail_message},
    {.operation = "admin.users.update",
        .method = "PATCH",
        .path = "/api/v1/admin/users/:id",
        .handler = admin_user_patch,
        .summary = "Suspend or reinstate a user, or change the role",
        .roles = ADMIN,
        .params = &id_params_message,
        .input = &admin_user_patch_message,
        .output = &admin_user_message,
        .errors = {ERROR_CONFLICT, ERROR_LAST_ADMIN, ERROR_INVALID_STATE},
        .writes = true},
    {.operation = "admin.users.delete",
        .method = "DELETE",
        .path = "/api/v1/admin/users/:id",
        .handler = admin_user_delete,
        .summary = "Delete a user's account",
        .roles = ADMIN,
        .params = &id_params_message,
        .shape = SHAPE_NOTHING,
        .errors = {ERROR_CONFLICT, ERROR_LAST_ADMIN, ERROR_INVALID_STATE},
        .writes = true},
};

/* --- what is kept for a time only --------------------------------------------------------------------------------- */

static const retention_t retentions[] = {
    {"sessions", offsetof(config_t, retention.sessions), .statement = &SQL_sessions_purge},
    {"email_verifications", offsetof(config_t, retention.tokens), .statement = &SQL_verifications_purge},
    {"password_resets", offsetof(config_t, retention.tokens), .statement = &SQL_resets_purge},
    {"deleted_accounts", offsetof(config_t, auth.restore_within), .step = users_erase},
};

/* --- start -------------------------------------------------------------------------------------------------------- */

static accounts_keys_t keys;
static bool keys_loaded;

const accounts_keys_t *accounts_keys(void)
{
    insist(keys_loaded);
    return &keys;
}

static bool key_load(const char *name, uint8_t key[static KEY_BYTES])
{
    text_t secret = process_secret(name);
    if (secret.length != KEY_BYTES) {
        log_event(LOG_ERROR, "secret_wrong", LOG_S("secret", name),
            LOG_S("next", "remove the file and start again"));
        return false;
    }
    memcpy(key, secret.data, KEY_BYTES);
    return true;
}

static void keys_load(call_t *call)
{
    if (!key_load("token_key", keys.token) || !key_load("index_key", keys.index))
        call_fail(call, ERROR_INTERNAL);
    process_ring("jwt_keys", &keys.jwt);
    keys_loaded = true;
}

/* The segment may be new, after a restart of the whole system: tells it again of every session whose access
 * tokens could still live. A user's own not-before time needs no telling: it always came with the end of all
 * the user's sessions. */
static void accounts_start(call_t *call)
{
    keys_load(call);
    oauth_providers_start(call);
    int64_t since = clock_now() - call_config(call)->auth.access_lifetime * CLOCK_MILLISECOND - CLOCK_SECOND;
    sessions_refuse(call, db_query(call, &SQL_sessions_ended_since, bind_time(since)));
}

/* The soonest of all. */
static int64_t accounts_chore(call_t *call)
{
    static bool resealed;
    int64_t exports = exports_work(call), erasures = erasures_finish(call);
    int64_t reseal = resealed ? -1 : accounts_reseal(call), next = exports < erasures ? exports : erasures;
    resealed |= reseal < 0;
    return reseal < 0 || reseal > next ? next : reseal;
}

const actor_t accounts_actor = {.name = "accounts",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = accounts_statements,
    .statement_count = accounts_statement_count,
    .data_keys = "data_keys.accounts",
    .start = accounts_start,
    .chore = accounts_chore,
    .retentions = retentions,
    .retention_count = ARRAY_SIZE(retentions)};
