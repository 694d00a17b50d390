/* messages: what accounts takes, gives and reads from its tables. The list of a message is its contract: the
 * struct, the validation, the JSON and the OpenAPI document come from it. */
#pragma once
#include "actor/actor.h"
#include "user_state.h"

#define NAMES static const char *const
#define NAMES_END __attribute__((unused))

/* Order of enum role without ROLE_NONE: index + 1 is the role. */
NAMES user_roles[] NAMES_END = {"parent", "therapist", "admin", NULL};
/* An admin is made by another admin, never by registering (product.md, section 2). */
NAMES register_roles[] NAMES_END = {"parent", "therapist", NULL};

/* Order of enum user_status. */
NAMES user_statuses[] NAMES_END = {"active", "suspended", "deleted", "erasing", "erased", NULL};
NAMES settable_statuses[] NAMES_END = {"active", "suspended", NULL};

/* Order of enum language. */
NAMES user_languages[] NAMES_END = {"ko", "en", NULL};

enum delivery { DELIVERY_BODY, DELIVERY_COOKIE };
NAMES deliveries[] NAMES_END = {"body", "cookie", NULL};

/* Order of consent_rules[] in consent_rules.c. */
NAMES consent_kinds[] NAMES_END = {
    "terms", "privacy", "child_health", "child_guardian", "marketing", "sharing", NULL};

/* --- logging in --------------------------------------------------------------------------------------------------- */

#define REGISTRATION(FIELD)                                                                                  \
    FIELD(text, email, .required = true, .max = 254, .format = FORMAT_EMAIL,                                 \
        .meaning = "Compared without regard to case")                                                        \
    FIELD(text, password, .required = true, .format = FORMAT_PASSWORD, .secret = true,                       \
        .meaning = "8 to 72 bytes")                                                                          \
    FIELD(text, name, .required = true, .min = 1, .max = 50, .format = FORMAT_LINE)                          \
    FIELD(text, phone, .required = true, .max = 30, .format = FORMAT_PHONE)                                  \
    FIELD(choice, role, .required = true, .names = register_roles)
MESSAGE(registration, REGISTRATION);

/* Nothing is checked of the password but that it is there: every wrong one gets the same answer. */
#define LOGIN(FIELD)                                                                                         \
    FIELD(text, email, .required = true, .max = 254, .format = FORMAT_EMAIL)                                 \
    FIELD(text, password, .required = true, .min = 1, .max = 256, .secret = true)                            \
    FIELD(choice, token_delivery, .names = deliveries,                                                       \
        .meaning = "Where the refresh token goes: body (default), or an HttpOnly cookie for browsers")
MESSAGE(login, LOGIN);

/* Refresh and logout: for clients that keep the token themselves; browsers send the cookie and no body. */
#define REFRESH(FIELD)                                                                                       \
    FIELD(text, refresh_token, .min = 1, .max = 200, .format = FORMAT_TOKEN, .secret = true,                 \
        .meaning = "Absent: the cookie is used, with the headers Origin and X-CSRF-Token")
MESSAGE(refresh, REFRESH);

#define TOKENS(FIELD)                                                                                        \
    FIELD(text, access_token, .required = true)                                                              \
    FIELD(text, token_type, .required = true, .meaning = "Always Bearer")                                    \
    FIELD(integer, expires_in, .required = true, .meaning = "Seconds that the access token is good for")     \
    FIELD(text, refresh_token, .meaning = "Delivery by body")                                                \
    FIELD(text, csrf_token, .meaning = "Delivery by cookie: goes into X-CSRF-Token of refresh and logout")
MESSAGE(tokens, TOKENS);

/* --- users -------------------------------------------------------------------------------------------------------- */

#define USER(FIELD)                                                                                          \
    FIELD(uuid, id, .required = true)                                                                        \
    FIELD(text, email, .required = true)                                                                     \
    FIELD(text, name, .required = true)                                                                      \
    FIELD(text, phone, .nullable = true, .sealed = "accounts.users")                                         \
    FIELD(choice, role, .required = true, .names = user_roles)                                               \
    FIELD(choice, status, .required = true, .names = user_statuses)                                          \
    FIELD(choice, language, .required = true, .names = user_languages)                                       \
    FIELD(boolean, email_verified, .required = true)                                                         \
    FIELD(time, email_verified_at, .nullable = true)                                                         \
    FIELD(time, created_at, .required = true)                                                                \
    FIELD(time, updated_at, .required = true)
MESSAGE(user, USER);

#define LOGIN_RESULT(FIELD)                                                                                  \
    TOKENS(FIELD)                                                                                            \
    FIELD(boolean, restored, .required = true,                                                               \
        .meaning = "The account had been deleted; this login brought it back")                              \
    FIELD(object, user, .required = true, .message = &user_message)
MESSAGE(login_result, LOGIN_RESULT);

#define USER_PATCH(FIELD)                                                                                    \
    FIELD(text, name, .min = 1, .max = 50, .format = FORMAT_LINE)                                            \
    FIELD(text, phone, .nullable = true, .max = 30, .format = FORMAT_PHONE)                                  \
    FIELD(choice, language, .names = user_languages)                                                         \
    FIELD(text, current_password, .min = 1, .max = 256, .secret = true,                                      \
        .meaning = "Must come with new_password")                                                            \
    FIELD(text, new_password, .format = FORMAT_PASSWORD, .secret = true,                                     \
        .meaning = "8 to 72 bytes; ends all other sessions of the user")
MESSAGE(user_patch, USER_PATCH);

/* The stored bytes themselves, for sealing them anew. */
#define SEALED_PHONE(FIELD)                                                                                  \
    FIELD(uuid, id)                                                                                          \
    FIELD(bytes, phone)
MESSAGE(sealed_phone, SEALED_PHONE);

/* What a login is decided by; never leaves the actor. */
#define CREDENTIALS(FIELD)                                                                                   \
    FIELD(uuid, id)                                                                                          \
    FIELD(text, password_hash, .nullable = true)                                                             \
    FIELD(integer, password_version)                                                                         \
    FIELD(choice, role, .names = user_roles)                                                                 \
    FIELD(choice, status, .names = user_statuses)                                                            \
    FIELD(boolean, deleted)
MESSAGE(credentials, CREDENTIALS);

/* --- mails and their tokens --------------------------------------------------------------------------------------- */

#define EMAIL_VERIFY(FIELD)                                                                                  \
    FIELD(text, token, .required = true, .min = 1, .max = 200, .format = FORMAT_TOKEN, .secret = true,       \
        .meaning = "From the mail; works once")
MESSAGE(email_verify, EMAIL_VERIFY);

/* Either the address alone, or the other two. */
#define PASSWORD_RESET(FIELD)                                                                                \
    FIELD(text, email, .max = 254, .format = FORMAT_EMAIL,                                                   \
        .meaning = "Alone: a mail with a token is sent to it, if an account has it")                         \
    FIELD(text, token, .min = 1, .max = 200, .format = FORMAT_TOKEN, .secret = true,                         \
        .meaning = "From the mail, with new_password; works once")                                           \
    FIELD(text, new_password, .format = FORMAT_PASSWORD, .secret = true,                                     \
        .meaning = "8 to 72 bytes; ends all sessions of the user")
MESSAGE(password_reset, PASSWORD_RESET);

/* Event password.reset_requested, from this actor to itself: whether an account has the address is looked up only when the
 * client has its answer. */
#define RESET_REQUESTED(FIELD) FIELD(text, email, .required = true, .max = 254)
MESSAGE(reset_requested, RESET_REQUESTED);

/* Whom a mail is for; never leaves the actor but in a mail. */
#define MAILBOX(FIELD)                                                                                       \
    FIELD(uuid, id)                                                                                          \
    FIELD(text, email)                                                                                       \
    FIELD(text, name)                                                                                        \
    FIELD(choice, language, .names = user_languages)                                                         \
    FIELD(boolean, email_verified)
MESSAGE(mailbox, MAILBOX);

#define OWNER(FIELD) FIELD(uuid, user_id)
MESSAGE(owner, OWNER);

/* --- deletion ----------------------------------------------------------------------------------------------------- */

#define USER_DELETE(FIELD)                                                                                   \
    FIELD(text, current_password, .min = 1, .max = 256, .secret = true,                                      \
        .meaning = "Required of an account that has a password")
MESSAGE(user_delete, USER_DELETE);

/* --- logging in by another company ----------------------------------------------------------------------------------- */

#define OAUTH_PARAMS(FIELD) FIELD(text, provider, .required = true, .min = 1, .max = 20, .meaning = "google, kakao, naver, apple")
MESSAGE(oauth_params, OAUTH_PARAMS);

#define OAUTH_START_PARAMS(FIELD)                                                                            \
    OAUTH_PARAMS(FIELD)                                                                                      \
    FIELD(text, redirect_uri, .required = true, .max = 1000, .format = FORMAT_TOKEN,                         \
        .meaning = "Where the provider sends the browser back to: one of oauth.redirect_uris")               \
    FIELD(text, code_challenge, .required = true, .min = 43, .max = 43, .format = FORMAT_TOKEN,              \
        .meaning = "base64url(SHA-256(code_verifier)), RFC 7636: the client makes the verifier and keeps it until the POST")
MESSAGE(oauth_start_params, OAUTH_START_PARAMS);

#define OAUTH_BEGUN(FIELD)                                                                                   \
    FIELD(text, authorization_url, .required = true, .meaning = "Where the user's browser goes")             \
    FIELD(text, state, .required = true, .meaning = "Comes back with the code; the client must find it to be this one")  \
    FIELD(time, expires_at, .required = true, .meaning = "The log-in must have ended by then")
MESSAGE(oauth_begun, OAUTH_BEGUN);

#define OAUTH_LOGIN(FIELD)                                                                                   \
    FIELD(text, code, .required = true, .min = 1, .max = 2048, .format = FORMAT_TOKEN, .secret = true,       \
        .meaning = "From the provider's redirect")                                                           \
    FIELD(text, state, .required = true, .min = 1, .max = 100, .format = FORMAT_TOKEN, .secret = true,       \
        .meaning = "From the provider's redirect; works once, however this ends")                            \
    FIELD(text, redirect_uri, .required = true, .max = 1000, .format = FORMAT_TOKEN,                         \
        .meaning = "The same as at the start")                                                               \
    FIELD(text, code_verifier, .required = true, .min = 43, .max = 128, .format = FORMAT_TOKEN,              \
        .secret = true, .meaning = "Whose SHA-256 the start was given")                                      \
    FIELD(choice, token_delivery, .names = deliveries,                                                       \
        .meaning = "Where the refresh token goes: body (default), or an HttpOnly cookie for browsers")
MESSAGE(oauth_login, OAUTH_LOGIN);

/* A state as it was made; never leaves the actor. */
#define OAUTH_STATE(FIELD)                                                                                   \
    FIELD(text, provider)                                                                                    \
    FIELD(text, redirect_uri)                                                                                \
    FIELD(text, nonce)                                                                                       \
    FIELD(text, challenge)                                                                                   \
    FIELD(uuid, user_id, .nullable = true)
MESSAGE(oauth_state, OAUTH_STATE);

#define EMAIL_OWNER(FIELD)                                                                                   \
    FIELD(uuid, id)                                                                                          \
    FIELD(boolean, verified)
MESSAGE(email_owner, EMAIL_OWNER);

/* --- sessions ----------------------------------------------------------------------------------------------------- */

#define SESSION(FIELD)                                                                                       \
    FIELD(uuid, id, .required = true)                                                                        \
    FIELD(boolean, current, .required = true, .meaning = "The session of this request")                      \
    FIELD(text, user_agent, .nullable = true)                                                                \
    FIELD(choice, delivery, .required = true, .names = deliveries)                                           \
    FIELD(time, created_at, .required = true)                                                                \
    FIELD(time, last_used_at, .required = true)                                                              \
    FIELD(time, expires_at, .required = true)
MESSAGE(session, SESSION);

/* A session as a refresh finds it; never leaves the actor. */
#define FAMILY(FIELD)                                                                                        \
    FIELD(uuid, id)                                                                                          \
    FIELD(uuid, user_id)                                                                                     \
    FIELD(bytes, refresh_hash)                                                                               \
    FIELD(integer, rotation)                                                                                 \
    FIELD(choice, delivery, .names = deliveries)                                                             \
    FIELD(time, expires_at)                                                                                  \
    FIELD(boolean, revoked)                                                                                  \
    FIELD(choice, role, .names = user_roles)                                                                 \
    FIELD(choice, status, .names = user_statuses)
MESSAGE(family, FAMILY);

#define ONLY_ID(FIELD) FIELD(uuid, id)
MESSAGE(only_id, ONLY_ID);

#define SESSION_ENDED(FIELD) \
    FIELD(uuid, id)          \
    FIELD(uuid, user_id)
MESSAGE(session_ended, SESSION_ENDED);

/* --- consents ----------------------------------------------------------------------------------------------------- */

#define CONSENT(FIELD)                                                                                       \
    FIELD(choice, kind, .required = true, .names = consent_kinds)                                            \
    FIELD(                                                                                                   \
        integer, current_version, .required = true, .meaning = "Version of the text that is asked for now")  \
    FIELD(integer, version, .nullable = true,                                                                \
        .meaning = "Version that the user answered; null: never answered")                                   \
    FIELD(boolean, granted, .required = true)                                                                \
    FIELD(time, created_at, .nullable = true)
MESSAGE(consent, CONSENT);

#define CONSENT_CREATE(FIELD)                                                                                \
    FIELD(choice, kind, .required = true, .names = consent_kinds)                                            \
    FIELD(boolean, granted, .required = true, .meaning = "false withdraws")                                  \
    FIELD(integer, version, .min = 1, .max = 1000000,                                                        \
        .meaning = "Version of the text that was shown; must be the current one")
MESSAGE(consent_create, CONSENT_CREATE);

/* --- administration ----------------------------------------------------------------------------------------------- */

#define ADMIN_USERS_PARAMS(FIELD)                                                                            \
    PAGE_PARAMS(FIELD)                                                                                       \
    FIELD(choice, role, .names = user_roles)                                                                 \
    FIELD(choice, status, .names = user_statuses)                                                            \
    FIELD(text, q, .min = 1, .max = 254, .format = FORMAT_LINE,                                              \
        .meaning = "Beginning of an e-mail address, part of a name, or a whole phone number")
MESSAGE(admin_users_params, ADMIN_USERS_PARAMS);

/* Without the phone number: nothing in the list needs it. */
#define ADMIN_USER(FIELD)                                                                                    \
    FIELD(uuid, id, .required = true)                                                                        \
    FIELD(text, email, .required = true)                                                                     \
    FIELD(text, name, .required = true)                                                                      \
    FIELD(choice, role, .required = true, .names = user_roles)                                               \
    FIELD(choice, status, .required = true, .names = user_statuses)                                          \
    FIELD(choice, language, .required = true, .names = user_languages)                                       \
    FIELD(time, email_verified_at, .nullable = true)                                                         \
    FIELD(time, created_at, .required = true)                                                                \
    FIELD(time, updated_at, .required = true)
MESSAGE(admin_user, ADMIN_USER);

/* How far it is that a deleted account is forgotten everywhere. */
enum erasure_state { ERASURE_SCHEDULED, ERASURE_RUNNING, ERASURE_DONE };
NAMES erasure_states[] NAMES_END = {"scheduled", "running", "done", NULL};
enum erasure_part { PART_WAITING, PART_STUCK, PART_DONE };
NAMES erasure_parts[] NAMES_END = {"waiting", "stuck", "done", NULL};

#define ERASURE_ACTOR(FIELD)                                                                                 \
    FIELD(text, actor, .required = true)                                                                     \
    FIELD(choice, state, .required = true, .names = erasure_parts,                                           \
        .meaning = "stuck: it failed again and again; aipotenctl events")
MESSAGE(erasure_actor, ERASURE_ACTOR);

#define ERASURE(FIELD)                                                                                       \
    FIELD(choice, state, .required = true, .names = erasure_states)                                          \
    FIELD(time, begins_at, .required = true, .meaning = "Until then a login brings the account back")        \
    FIELD(list, actors, .required = true, .message = &erasure_actor_message, .meaning = "Empty until it begins")
MESSAGE(erasure, ERASURE);

#define ADMIN_USER_ROW(FIELD)                                                                                \
    ADMIN_USER(FIELD)                                                                                        \
    FIELD(time, deleted_at, .nullable = true)
MESSAGE(admin_user_row, ADMIN_USER_ROW);

#define ADMIN_USER_DETAIL(FIELD)                                                                             \
    ADMIN_USER_ROW(FIELD)                                                                                    \
    FIELD(object, erasure, .nullable = true, .message = &erasure_message)
MESSAGE(admin_user_detail, ADMIN_USER_DETAIL);

#define ERASURE_DELIVERY(FIELD)                                                                              \
    FIELD(text, subscriber)                                                                                  \
    FIELD(boolean, dead)
MESSAGE(erasure_delivery, ERASURE_DELIVERY);

#define ADMIN_USER_PATCH(FIELD)                                                                              \
    FIELD(choice, status, .names = settable_statuses)                                                        \
    FIELD(choice, role, .names = user_roles)
MESSAGE(admin_user_patch, ADMIN_USER_PATCH);

#define TOTAL(FIELD) FIELD(integer, total)
MESSAGE(total, TOTAL);

#define STANDING(FIELD)                                                                                      \
    FIELD(uuid, id)                                                                                          \
    FIELD(integer, password_version)                                                                         \
    FIELD(choice, role, .names = user_roles)                                                                 \
    FIELD(choice, status, .names = user_statuses)
MESSAGE(standing, STANDING);

/* --- what is held of a person ------------------------------------------------------------------------------------- */

#define PERSONAL_SESSION(FIELD)                                                                              \
    FIELD(uuid, id)                                                                                          \
    FIELD(text, user_agent, .nullable = true)                                                                \
    FIELD(choice, delivery, .names = deliveries)                                                             \
    FIELD(time, created_at)                                                                                  \
    FIELD(time, last_used_at)                                                                                \
    FIELD(time, expires_at)                                                                                  \
    FIELD(time, revoked_at, .nullable = true)
MESSAGE(personal_session, PERSONAL_SESSION);

#define PERSONAL_IDENTITY(FIELD)                                                                             \
    FIELD(uuid, id)                                                                                          \
    FIELD(text, provider)                                                                                    \
    FIELD(text, subject)                                                                                     \
    FIELD(time, created_at)                                                                                  \
    FIELD(time, last_login_at)
MESSAGE(personal_identity, PERSONAL_IDENTITY);

#define PERSONAL_CONSENT(FIELD)                                                                              \
    FIELD(uuid, id)                                                                                          \
    FIELD(choice, kind, .names = consent_kinds)                                                              \
    FIELD(integer, version)                                                                                  \
    FIELD(boolean, granted)                                                                                  \
    FIELD(time, created_at)
MESSAGE(personal_consent, PERSONAL_CONSENT);

/* --- exports ------------------------------------------------------------------------------------------------------ */

enum export_state { EXPORT_COLLECTING, EXPORT_READY, EXPORT_FAILED, EXPORT_EXPIRED };
NAMES export_states[] NAMES_END = {"collecting", "ready", "failed", "expired", NULL};

#define EXPORT_STATUS(FIELD)                                                                                 \
    FIELD(choice, state, .required = true, .names = export_states)                                           \
    FIELD(time, created_at, .required = true)                                                                \
    FIELD(time, ready_at, .nullable = true)                                                                  \
    FIELD(time, expires_at, .nullable = true, .meaning = "The link works until then; the file is removed")   \
    FIELD(integer, size, .nullable = true, .meaning = "Bytes")                                               \
    FIELD(text, link, .nullable = true,                                                                      \
        .meaning = "Path and query; whoever has it can read the file, so keep it to yourself")
MESSAGE(export_status, EXPORT_STATUS);

#define EXPORT_PARAMS(FIELD)                                                                                 \
    ID_PARAMS(FIELD)                                                                                         \
    FIELD(integer, expires, .required = true, .min = 1, .max = 99999999999)                                  \
    FIELD(text, signature, .required = true, .min = 1, .max = 100, .format = FORMAT_TOKEN)
MESSAGE(export_params, EXPORT_PARAMS);

#define EXPORT_ROW(FIELD)                                                                                    \
    FIELD(uuid, id)                                                                                          \
    FIELD(uuid, user_id)                                                                                     \
    FIELD(uuid, file, .nullable = true)                                                                      \
    FIELD(choice, state, .names = export_states)                                                             \
    FIELD(time, created_at)                                                                                  \
    FIELD(time, ready_at, .nullable = true)                                                                  \
    FIELD(time, expires_at, .nullable = true)                                                                \
    FIELD(integer, size, .nullable = true)
MESSAGE(export_row, EXPORT_ROW);

#define EXPORT_TAKEN(FIELD)                                                                                  \
    FIELD(uuid, id)                                                                                          \
    FIELD(uuid, user_id)                                                                                     \
    FIELD(uuid, before, .nullable = true)
MESSAGE(export_taken, EXPORT_TAKEN);

#define EXPORT_FILE(FIELD)                                                                                   \
    FIELD(uuid, id)                                                                                          \
    FIELD(uuid, file, .nullable = true)
MESSAGE(export_file, EXPORT_FILE);

#define EXPORT_READER(FIELD)                                                                                 \
    FIELD(uuid, id)                                                                                          \
    FIELD(text, email)                                                                                       \
    FIELD(text, name)                                                                                        \
    FIELD(choice, language, .names = user_languages)
MESSAGE(export_reader, EXPORT_READER);
