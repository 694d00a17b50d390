/* sessions: a session is a family of refresh tokens, each spent by its use; this file exchanges them and ends
 * families. Revoking is two steps in one transaction: the row, which no refresh can pass, and the not-before
 * time in shared memory, which no access token can pass. The second comes first in effect: a token refused
 * although the commit failed is refreshed. */
#include "accounts.h"
#include "base/clock.h"
#include "base/log.h"
#include "shm/revocation.h"
#include "wire/hint.h"
#include "wire/realtime.h"
#include <stdio.h>

/* A second more than a token's lifetime: its claim exp is in whole seconds, rounded up (crypto/token.c). */
void subject_refuse(segment_t *segment, const config_t *config, uuid_t session_or_user)
{
    int64_t now = clock_now();
    revocation_set(segment, session_or_user, now + 1,
        now + config->auth.access_lifetime * CLOCK_MILLISECOND + CLOCK_SECOND);
}

void sessions_refuse(call_t *call, const rows_t *rows)
{
    for (int i = 0; i < rows->count; i++) {
        const only_id_t *row = row_at(call, rows, i);
        subject_refuse(call_segment(call), call_config(call), row->id);
    }
}

void sockets_end(call_t *call, uuid_t user, const uuid_t *session, text_t reason)
{
    char name[HINT_TOPIC_MAX + 1], id[UUID_TEXT_SIZE];
    buffer_t packed = {0};
    realtime_end_t end = {0};
    message_set(&end, user, user);
    if (session != NULL)
        message_set(&end, session, *session);
    message_set(&end, reason, reason);
    realtime_pack_end(&end, &packed);
    uuid_format(user, id);
    snprintf(name, sizeof(name), TOPIC_USER "%s", id);
    call_hint(call, text_of(name), arena_copy(call->arena, buffer_text(&packed)));
    buffer_free(&packed);
}

/* Nothing when it is over already. */
static void session_end(call_t *call, uuid_t session, text_t reason)
{
    const rows_t *rows = db_query(call, &SQL_session_end, bind_uuid(session), bind_text(reason));
    if (rows->count == 0)
        return;
    const session_ended_t *ended = row_at(call, rows, 0);
    subject_refuse(call_segment(call), call_config(call), ended->id);
    sockets_end(call, ended->user_id, &ended->id, reason);
}

void user_sessions_end(call_t *call, uuid_t user, text_t reason)
{
    db_query(call, &SQL_sessions_end_all, bind_uuid(user), bind_text(reason));
    subject_refuse(call_segment(call), call_config(call), user);
    sockets_end(call, user, NULL, reason);
}

/* --- refresh ------------------------------------------------------------------------------------------------------ */

static enum refresh_verdict family_judge(call_t *call, const family_t *family, const shown_token_t *shown)
{
    refresh_family_t state = {.rotation = family->rotation,
        .expires_at = family->expires_at,
        .digest = family->refresh_hash,
        .revoked = family->revoked,
        .user_active = family->status == USER_ACTIVE};
    return refresh_judge(shown->token, refresh_token_digest(call->arena, shown->text), &state, clock_now());
}

/* Whoever shows a spent token, or whoever spent it, has a copy that is not theirs: nobody can say who. */
static void family_end(call_t *call, const family_t *family, const shown_token_t *shown)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(family->id, id);
    session_end(call, family->id, TEXT("reuse"));
    log_event(LOG_WARNING, "refresh_token_reused", LOG_S("session", id), LOG_I("rotation", family->rotation),
        LOG_I("shown", shown->token.rotation),
        LOG_S("next", "the session was revoked; its user must log in again"));
    if (shown->delivery == DELIVERY_COOKIE)
        tokens_cookie_clear(call);
    reply_error(call, ERROR_UNAUTHENTICATED);
}

static void family_rotate(call_t *call, const family_t *family, enum delivery delivery)
{
    refresh_token_t made = {.session = family->id, .rotation = (uint32_t)family->rotation + 1};
    text_t token = tokens_refresh_new(call, made);
    digest_t digest = refresh_token_digest(call->arena, token);
    int64_t expires = clock_now() + call_config(call)->auth.refresh_lifetime * CLOCK_MILLISECOND;
    db_query(call, &SQL_session_rotate, bind_uuid(family->id), bind_bytes(digest_text(&digest)),
        bind_integer(made.rotation), bind_text(text_of(deliveries[delivery])), bind_time(expires));
    tokens_t tokens =
        tokens_give(call, family->user_id, (enum role)(family->role + 1), token, made, delivery);
    call_answer_of(call, family->user_id);
    reply_value(call, &tokens);
}

/* Two at once with the same token: the row's lock lets one pass, and the other then shows a spent one. */
void session_refresh(call_t *call)
{
    const refresh_t *in = call->input;
    shown_token_t shown = tokens_shown(call, in->refresh_token);
    if (shown.text.data == NULL)
        call_fail(call, ERROR_UNAUTHENTICATED);
    const family_t *family =
        row_first(call, db_query(call, &SQL_session_lock, bind_uuid(shown.token.session)));
    if (family == NULL)
        call_fail(call, ERROR_UNAUTHENTICATED);
    switch (family_judge(call, family, &shown)) {
    case REFRESH_CURRENT:
        family_rotate(call, family, shown.delivery);
        return;
    case REFRESH_SPENT:
        family_end(call, family, &shown);
        return;
    case REFRESH_REFUSED:
        call_fail(call, ERROR_UNAUTHENTICATED);
    }
}

/* --- logout, list, revoke ----------------------------------------------------------------------------------------- */

/* The session of the refresh token, else that of the access token. One that is over already is no error: it
 * is what was asked for. */
void session_logout(call_t *call)
{
    const refresh_t *in = call->input;
    shown_token_t shown = tokens_shown(call, in->refresh_token);
    uuid_t session = shown.text.data != NULL ? shown.token.session : call->principal.session;
    if (uuid_is_zero(session))
        call_fail(call, ERROR_UNAUTHENTICATED);
    session_end(call, session, TEXT("logout"));
    tokens_cookie_clear(call);
    reply_nothing(call);
}

void session_list(call_t *call)
{
    reply_rows(call,
        db_query(
            call, &SQL_sessions_of_user, bind_uuid(call->principal.user), bind_uuid(call->principal.session)),
        NULL);
}

void session_revoke(call_t *call)
{
    const id_params_t *params = call->params;
    const rows_t *rows =
        db_query(call, &SQL_session_end_own, bind_uuid(params->id), bind_uuid(call->principal.user));
    row_or_404(call, rows);
    sessions_refuse(call, rows);
    sockets_end(call, call->principal.user, &params->id, TEXT("logout"));
    reply_nothing(call);
}
