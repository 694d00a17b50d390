/* oauth: logging in by another company. A log-in begins with a state and a challenge whose verifier only the client has, so that
 * neither a stolen state nor a stolen code is of use to anybody else; whoever was logged in when it began links the identity to
 * that account.
 *
 * What always holds: a state opens one log-in, of the provider and to the address it was made for, once; it is taken, in a
 * transaction of its own, before the provider is asked, so that of two with the same code one asks; what the provider says is
 * asked once a call, however often its transaction runs; nothing is half done when the provider fails. */
#include "accounts.h"
#include "base/clock.h"
#include "base/log.h"
#include "oauth_provider.h"
#include "oauth_rules.h"

enum { STATE_BYTES = 32, DECISIONS_MAX = 3 };

static const oauth_provider_t *provider_or_404(call_t *call, text_t name)
{
    const oauth_provider_t *provider = oauth_provider_find(call, name);
    if (provider == NULL)
        call_fail(call, ERROR_NOT_FOUND);
    return provider;
}

static text_t random_text(arena_t *arena)
{
    char bytes[STATE_BYTES];
    random_bytes(bytes, sizeof(bytes));
    return base64url_encode(arena, (text_t){bytes, sizeof(bytes)});
}

/* What is kept of a state. */
static param_t bind_state(call_t *call, text_t state)
{
    digest_t digest = hash_sha256(state);
    return bind_bytes(arena_copy(call->arena, digest_text(&digest)));
}

/* --- beginning ---------------------------------------------------------------------------------------------------- */

static void start_check(call_t *call, const oauth_start_params_t *in)
{
    const config_list_t *allowed = &call_config(call)->oauth.redirect_uris;
    bool found = false;
    for (int i = 0; i < allowed->count; i++)
        found |= text_equal(in->redirect_uri, text_of(allowed->items[i]));
    if (!found)
        call_fail_field(call, ERROR_VALIDATION, "redirect_uri", PROBLEM_CHOICE);
    if (!oauth_challenge_valid(in->code_challenge))
        call_fail_field(call, ERROR_VALIDATION, "code_challenge", PROBLEM_FORMAT);
}

void oauth_start(call_t *call)
{
    const oauth_start_params_t *in = call->params;
    const oauth_provider_t *provider = provider_or_404(call, in->provider);
    start_check(call, in);
    oauth_request_t request = {.state = random_text(call->arena),
        .nonce = random_text(call->arena),
        .challenge = in->code_challenge,
        .redirect_uri = in->redirect_uri};
    int64_t expires = clock_now() + call_config(call)->oauth.state_lifetime * CLOCK_MILLISECOND;
    uuid_t user = call->principal.user;
    db_query(call, &SQL_oauth_state_create, bind_state(call, request.state), bind_text(in->provider),
        bind_text(request.redirect_uri), bind_text(request.nonce), bind_text(request.challenge),
        uuid_is_zero(user) ? bind_null() : bind_uuid(user), bind_time(expires));
    oauth_begun_t begun = {0};
    message_set(&begun, authorization_url, oauth_authorization_url(call, provider, &request));
    message_set(&begun, state, request.state);
    message_set(&begun, expires_at, expires);
    reply_value(call, &begun);
}

/* --- the state ---------------------------------------------------------------------------------------------------- */

static bool state_fits(
    call_t *call, const oauth_state_t *state, const oauth_provider_t *provider, const oauth_login_t *in)
{
    if (!text_equal(state->provider, text_of(oauth_provider_name(provider))) ||
        !text_equal(state->redirect_uri, in->redirect_uri))
        return false;
    if (message_has(state, user_id) && !uuid_equal(state->user_id, call->principal.user))
        return false;
    return oauth_verifier_matches(call->arena, in->code_verifier, state->challenge);
}

/* It is taken for good, even when nothing else fits: who shows it a second time is somebody else. */
static const oauth_state_t *state_take(call_t *call, const oauth_provider_t *provider, const oauth_login_t *in)
{
    const oauth_state_t *state =
        row_first(call, db_query(call, &SQL_oauth_state_take, bind_state(call, in->state), bind_uuid(call->id)));
    call_claim(call);
    if (state == NULL || !state_fits(call, state, provider, in)) {
        log_event(LOG_INFO, "oauth_state_refused", LOG_S("provider", oauth_provider_name(provider)),
            LOG_S("reason", state == NULL ? "unknown, expired or used" : "made for another log-in"),
            LOG_S("next", "nothing: this log-in was refused"));
        return NULL;
    }
    return state;
}

/* What one call was told, kept when its transaction must run again: a code can be exchanged only once. */
typedef struct {
    enum error_code failed;
    bool linking;
    uuid_t user; /* to whom it is linked */
    id_token_t person;
} asked_t;

static const asked_t *ask_once(call_t *call, const oauth_provider_t *provider, const oauth_login_t *in)
{
    if (call->kept != NULL)
        return call->kept;
    const oauth_state_t *state = state_take(call, provider, in);
    asked_t *asked = arena_allocate(call->arena, sizeof(*asked));
    asked->failed = ERROR_OAUTH_STATE;
    if (state != NULL) {
        oauth_code_t code = {.code = in->code,
            .verifier = in->code_verifier,
            .redirect_uri = in->redirect_uri,
            .nonce = state->nonce,
            .state = in->state};
        asked->linking = message_has(state, user_id);
        asked->user = state->user_id;
        asked->failed = oauth_ask(call, provider, &code, &asked->person);
    }
    call->kept = asked;
    return asked;
}

/* --- the account -------------------------------------------------------------------------------------------------- */

/* False when it, or the user's place for this provider, was taken meanwhile, or the user is active no more. */
static bool identity_create(call_t *call, const char *provider, text_t subject, uuid_t user)
{
    const rows_t *rows = db_query(call, &SQL_identity_create, bind_uuid(uuid_new()), bind_uuid(user),
        bind_text(text_of(provider)), bind_text(subject));
    if (rows->count == 0)
        return false;
    char id[UUID_TEXT_SIZE];
    uuid_format(user, id);
    log_event(LOG_INFO, "identity_linked", LOG_S("user", id), LOG_S("provider", provider));
    return true;
}

/* Another one may take the address at the same moment: then nothing is made, and it is decided anew. */
static void user_create(call_t *call, const char *provider, const id_token_t *person)
{
    uuid_t id = uuid_new();
    const rows_t *rows = db_query(call, &SQL_oauth_user_create, bind_uuid(id), bind_text(person->email),
        bind_text(oauth_name(call->arena, person->name, person->email)),
        bind_text(text_of(language_name(call->language))), bind_boolean(person->email_verified));
    if (rows->count == 0)
        return;
    if (!identity_create(call, provider, person->subject, id))
        call_fail(call, ERROR_OAUTH_LINKED); /* nor is the account made */
    if (!person->email_verified)
        verification_send(call, row_first(call, rows));
}

/* By whoever was logged in when it began, and still is: the company was asked meanwhile, and a new password, which ends the
 * session, must leave no way in. identity_create locked the user, as whoever ends all sessions does, so one sees the other. */
static void identity_link(call_t *call, const char *provider, const asked_t *asked)
{
    if (identity_create(call, provider, asked->person.subject, asked->user) &&
        db_query(call, &SQL_session_live, bind_uuid(call->principal.session))->count == 0)
        call_fail(call, ERROR_OAUTH_STATE);
}

/* One decision and what follows; the account to enter, or NULL: look again. Others may write between any two of its looks, so
 * what could not be written is no answer yet: the next look says who was first. */
static const credentials_t *account_step(call_t *call, const char *provider, const asked_t *asked)
{
    const id_token_t *person = &asked->person;
    /* In this order: whoever made the owner meanwhile by this same identity is then seen to have it. */
    const email_owner_t *owner = NULL;
    if (person->email.data != NULL)
        owner = row_first(call, db_query(call, &SQL_email_owner, bind_text(person->email)));
    const credentials_t *known = row_first(call, db_query(call, &SQL_identity_find, bind_text(text_of(provider)),
                                                     bind_text(person->subject), bind_time(restorable_since(call))));
    oauth_situation_t now = {.known = known != NULL,
        .linking = asked->linking,
        .own = known != NULL && uuid_equal(known->id, asked->user),
        .email = person->email.data != NULL,
        .verified = person->email_verified,
        .taken = owner != NULL,
        .account_verified = owner != NULL && owner->verified};
    switch (oauth_decide(&now)) {
    case OAUTH_ENTER:
        db_query(call, &SQL_identity_seen, bind_text(text_of(provider)), bind_text(person->subject));
        return known;
    case OAUTH_LINK:
        if (asked->linking)
            identity_link(call, provider, asked);
        else
            identity_create(call, provider, person->subject, owner->id);
        return NULL;
    case OAUTH_CREATE:
        user_create(call, provider, person);
        return NULL;
    case OAUTH_LINK_REQUIRED:
        call_fail(call, ERROR_OAUTH_LINK_REQUIRED);
    case OAUTH_OTHERS:
        call_fail(call, ERROR_OAUTH_LINKED);
    case OAUTH_NO_EMAIL:
        call_fail(call, ERROR_OAUTH_EMAIL);
    }
    call_fail(call, ERROR_INTERNAL);
}

void oauth_login(call_t *call)
{
    const oauth_params_t *params = call->params;
    const oauth_login_t *in = call->input;
    const oauth_provider_t *provider = provider_or_404(call, params->provider);
    const asked_t *asked = ask_once(call, provider, in);
    if (asked->failed != ERROR_NONE)
        call_fail(call, asked->failed);
    const credentials_t *known = NULL;
    for (int i = 0; i < DECISIONS_MAX && known == NULL; i++)
        known = account_step(call, oauth_provider_name(provider), asked);
    if (known == NULL)
        call_fail(call, ERROR_OAUTH_LINKED); /* the account has another identity of this provider */
    if (known->status == USER_SUSPENDED)
        call_fail(call, ERROR_SUSPENDED);
    if (!account_enter(
            call, known, message_has(in, token_delivery) ? (enum delivery)in->token_delivery : DELIVERY_BODY))
        call_fail(call, ERROR_CONFLICT); /* changed at this very moment */
}
