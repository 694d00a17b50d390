/* tokens: what a client is given when it logs in or refreshes, and what it shows later. Access tokens are
 * JWTs that the frontend checks by itself; refresh tokens are opaque (refresh_token.h) and come in the body,
 * or in a cookie that only /api/v1/auth sees and that works only beside the right Origin and CSRF token
 * (product.md, section 3). */
#include "accounts.h"
#include "base/clock.h"
#include "headers.h"

static int64_t seconds_of(int64_t milliseconds)
{
    return milliseconds / 1000;
}

static text_t access_token(call_t *call, uuid_t user, enum role role, uuid_t session)
{
    const config_t *config = call_config(call);
    token_rules_t rules = {
        .ring = &accounts_keys()->jwt, .issuer = config->auth.issuer, .audience = config->auth.audience};
    int64_t now = clock_now();
    token_t token = {.user = user,
        .session = session,
        .role = role,
        .issued = now,
        .expires = now + config->auth.access_lifetime * CLOCK_MILLISECOND};
    return token_sign(call->arena, &rules, &token);
}

text_t tokens_refresh_new(call_t *call, refresh_token_t token)
{
    uint8_t nonce[REFRESH_NONCE];
    random_bytes(nonce, sizeof(nonce));
    return refresh_token_build(call->arena, accounts_keys()->token, token, nonce);
}

tokens_t tokens_give(
    call_t *call, uuid_t user, enum role role, text_t token, refresh_token_t made, enum delivery delivery)
{
    const config_t *config = call_config(call);
    tokens_t tokens = {0};
    message_set(&tokens, access_token, access_token(call, user, role, made.session));
    message_set(&tokens, token_type, TEXT("Bearer"));
    message_set(&tokens, expires_in, seconds_of(config->auth.access_lifetime));
    if (delivery == DELIVERY_BODY) {
        message_set(&tokens, refresh_token, token);
        return tokens;
    }
    message_set(&tokens, csrf_token, csrf_token_build(call->arena, accounts_keys()->token, made.session));
    reply_header(
        call, "set-cookie", refresh_cookie(call->arena, token, seconds_of(config->auth.refresh_lifetime)));
    return tokens;
}

void tokens_cookie_clear(call_t *call)
{
    reply_header(call, "set-cookie", refresh_cookie(call->arena, TEXT(""), 0));
}

/* A cookie comes by itself with whatever page asked: only ours can read the CSRF token and has our origin. */
static void cookie_check(call_t *call, uuid_t session)
{
    text_t origin = call_header(call, "origin"), host = call_header(call, "host");
    if (!origin_allowed(&call_config(call)->cors.origins, origin, host))
        call_fail(call, ERROR_CSRF);
    if (!csrf_token_matches(call->arena, accounts_keys()->token, session, call_header(call, "x-csrf-token")))
        call_fail(call, ERROR_CSRF);
}

shown_token_t tokens_shown(call_t *call, text_t given)
{
    shown_token_t shown = {.text = given, .delivery = DELIVERY_BODY};
    if (given.data == NULL) {
        shown.text = cookie_find(call_header(call, "cookie"), TEXT(REFRESH_COOKIE));
        shown.delivery = DELIVERY_COOKIE;
    }
    if (shown.text.data == NULL)
        return shown;
    if (!refresh_token_read(call->arena, accounts_keys()->token, shown.text, &shown.token))
        call_fail(call, ERROR_UNAUTHENTICATED);
    if (shown.delivery == DELIVERY_COOKIE)
        cookie_check(call, shown.token.session);
    return shown;
}
