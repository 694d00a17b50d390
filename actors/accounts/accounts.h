/* accounts: what the files of this actor share: its handlers, its keys, and the few steps that several
 * handlers take. */
#pragma once
#include "accounts.sql.h"
#include "actor/events.h"
#include "crypto/keys.h"
#include "messages.h"
#include "refresh_token.h"

/* Read once, before the first call. */
typedef struct {
    key_ring_t jwt;
    uint8_t token[KEY_BYTES]; /* refresh and CSRF tokens */
    uint8_t index[KEY_BYTES]; /* phone numbers */
} accounts_keys_t;
const accounts_keys_t *accounts_keys(void);
/* Borrows its bytes. */
static inline text_t digest_text(const digest_t *digest)
{
    return (text_t){.data = (const char *)digest->bytes, .length = sizeof(digest->bytes)};
}

/* login.c */
void account_register(call_t *);
void account_login(call_t *);
/* Opens a session and replies with it, when it is shown that the user is who it says; a deleted account comes back. False: it was
 * suspended or got another password meanwhile. */
bool account_enter(call_t *, const credentials_t *known, enum delivery);
/* Both wait for one hash of another process (actors/passwords). */
text_t password_new(call_t *, text_t password);
/* In the time of one hash, whatever `stored` is; an empty one never matches. */
bool password_right(call_t *, text_t password, text_t stored);

/* tokens.c: what a client is given, and what it shows for it. */
/* A new access token and `token`, in the form that `delivery` asks for; the cookie is set on the reply. */
tokens_t tokens_give(
    call_t *, uuid_t user, enum role role, text_t token, refresh_token_t made, enum delivery delivery);
/* A new refresh token of a session. */
text_t tokens_refresh_new(call_t *, refresh_token_t);
/* The refresh token of the request: `given` from the body, else the cookie; data NULL when there is neither.
 * A cookie must come with the right Origin and CSRF token, else the call ends with 403. Authentic: else the
 * call ends with 401. */
typedef struct {
    text_t text;
    refresh_token_t token;
    enum delivery delivery;
} shown_token_t;
shown_token_t tokens_shown(call_t *, text_t given);
void tokens_cookie_clear(call_t *);

/* sessions.c */
void session_refresh(call_t *);
void session_logout(call_t *);
void session_list(call_t *);
void session_revoke(call_t *);
/* Makes the revocation of these sessions (rows of only_id) work from the next request on. */
void sessions_refuse(call_t *, const rows_t *);
/* Their realtime sockets end, on all machines; those of this one find it in shared memory as well. `session` NULL: all of them. */
void sockets_end(call_t *, uuid_t user, const uuid_t *session, text_t reason);
/* A token issued until now is refused for as long as it could live. */
void subject_refuse(segment_t *, const config_t *, uuid_t session_or_user);

/* The same for all of a user's, and for access tokens of sessions that nobody knows of any more. */
void user_sessions_end(call_t *, uuid_t user, text_t reason);

/* verification.c */
void verification_verify(call_t *);
void verification_again(call_t *);
void verification_send(call_t *, const mailbox_t *);
/* A mail's token that works no more, or never did: ends the call. */
_Noreturn void token_refuse(call_t *);

/* password_reset.c */
void password_reset(call_t *);
void password_reset_send(call_t *);
/* Requests for the address of a user who is erased, that could not be worked on. */
void password_reset_forget(call_t *, uuid_t user);

/* deletion.c */
void user_me_delete(call_t *);
void admin_user_delete(call_t *);
/* Brings a deleted account back, if nothing came between. */
void account_restore(call_t *, const credentials_t *);
/* An account that was deleted before then is not to come back. */
int64_t restorable_since(call_t *);
/* A retention step: user.erased for each whose time is over. */
int64_t users_erase(call_t *, int64_t before, int64_t most);

/* oauth.c */
void oauth_start(call_t *);
void oauth_login(call_t *);

/* users.c */
void user_me(call_t *);
void user_me_patch(call_t *);

/* reseal.c */
int64_t accounts_reseal(call_t *);

/* exports.c, export_job.c */
void export_start(call_t *);
void export_show(call_t *);
void export_download(call_t *);
/* Background work: milliseconds until the next step. */
int64_t exports_work(call_t *);

/* erasure.c */
void accounts_user_erased(call_t *);
void admin_user_get(call_t *);
/* Background work: tombstones of those of whom all have acknowledged. */
int64_t erasures_finish(call_t *);

/* personal.c */
void accounts_personal_data(call_t *);

/* consents.c */
void consent_list(call_t *);
void consent_create(call_t *);

/* admin.c */
void admin_user_list(call_t *);
void admin_user_patch(call_t *);
/* Locks all administrators; at least one other than `target` must be left, and the caller must still be one. */
void admins_check(call_t *, uuid_t target);
