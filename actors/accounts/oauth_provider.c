/* oauth_provider: see oauth_provider.h. Owns what is known of the providers in this process: their signing keys, which are asked
 * for again after oauth.keys_lifetime, and at most once a minute because a token names one that is not among them; and Apple's
 * client secret, until shortly before it expires.
 *
 * What always holds: every question has a deadline that leaves time to answer the client; nothing of what is sent or answered
 * stands in a log line; what a provider says is good only in the form that oauth_answers.h and crypto/id_token.h know. */
#include "oauth_provider.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/service_token.h"
#include "net/http.h"
#include "net/transfer.h"
#include "oauth_answers.h"
#include "shm/process.h"

enum {
    TOKEN_BYTES = 32 * 1024,
    PERSON_BYTES = 64 * 1024,
    KEYS_BYTES = 128 * 1024,
    ANSWER_TIME = 500, /* milliseconds of a request's deadline that are left for its transaction */
};
#define KEYS_ASKED_EVERY (60 * CLOCK_SECOND)
#define SECRET_LIFETIME (3600 * CLOCK_SECOND)
#define SECRET_RENEWED (300 * CLOCK_SECOND) /* before it expires */

struct oauth_provider {
    const char *name, *secret;                                 /* crypto/secrets.h */
    size_t config;                                             /* in config_t */
    bool (*person_read)(arena_t *, text_t body, id_token_t *); /* of the answer at user_url; NULL: it signs ID tokens */
    bool signs_secret; /* the secret is a private key, by which ours is signed */
    bool state_again;  /* wants the state with the code */
    const char *extra; /* of the authorization URL: what is asked for beside the standard */
    int index;
};

#define AT(member) .config = offsetof(config_t, oauth.member)
static const oauth_provider_t providers[] = {
    {"google", "oauth.google", AT(google), .index = 0},
    {"kakao", "oauth.kakao", AT(kakao), .person_read = kakao_person_read, .index = 1},
    {"naver", "oauth.naver", AT(naver), .person_read = naver_person_read, .state_again = true, .index = 2},
    /* Without response_mode Apple refuses every scope. */
    {"apple", "oauth.apple", AT(apple), .signs_secret = true, .extra = "form_post", .index = 3},
};
enum { PROVIDERS = ARRAY_SIZE(providers) };

static struct {
    jwks_t *keys;
    int64_t keys_until, asked_at, asking_until; /* clock_monotonic(); asked_at: because of a key that was not there */
    char secret[2048];
    int64_t secret_until; /* clock_now() */
} known[PROVIDERS];

static const oauth_config_t *config_of(call_t *call, const oauth_provider_t *provider)
{
    return (const oauth_config_t *)((const char *)call_config(call) + provider->config);
}

static bool is_whole(call_t *call, const oauth_provider_t *provider)
{
    return config_of(call, provider)->client_id[0] != '\0' && text_trim(process_secret(provider->secret)).length > 0;
}

void oauth_providers_start(call_t *call)
{
    transfer_open(call_loop(call), (size_t)call_config(call)->oauth.transfers);
    for (int i = 0; i < PROVIDERS; i++)
        if (config_of(call, &providers[i])->client_id[0] != '\0' && !is_whole(call, &providers[i]))
            log_event(LOG_WARNING, "oauth_secret_missing", LOG_S("provider", providers[i].name),
                LOG_S("next", "put what it gave you into var/secrets/oauth.PROVIDER and restart accounts; until then "
                              "it answers 404"));
}

const oauth_provider_t *oauth_provider_find(call_t *call, text_t name)
{
    for (int i = 0; i < PROVIDERS; i++)
        if (text_equal(name, text_of(providers[i].name)))
            return is_whole(call, &providers[i]) ? &providers[i] : NULL;
    return NULL;
}

const char *oauth_provider_name(const oauth_provider_t *provider)
{
    return provider->name;
}

static text_t take_text(arena_t *arena, buffer_t *take)
{
    text_t copy = (text_t){arena_string(arena, buffer_text(take)), take->length};
    explicit_bzero(take->data, take->length);
    buffer_free(take);
    return copy;
}

text_t oauth_authorization_url(call_t *call, const oauth_provider_t *provider, const oauth_request_t *request)
{
    const oauth_config_t *config = config_of(call, provider);
    buffer_t url = {0};
    buffer_add_string(&url, config->authorization_url);
    if (strchr(config->authorization_url, '?') == NULL)
        buffer_add_char(&url, '?');
    http_form_add(&url, "response_type", TEXT("code"));
    http_form_add(&url, "client_id", text_of(config->client_id));
    http_form_add(&url, "redirect_uri", request->redirect_uri);
    if (config->scope[0] != '\0')
        http_form_add(&url, "scope", text_of(config->scope));
    http_form_add(&url, "state", request->state);
    http_form_add(&url, "code_challenge", request->challenge);
    http_form_add(&url, "code_challenge_method", TEXT("S256"));
    if (provider->person_read == NULL)
        http_form_add(&url, "nonce", request->nonce);
    if (provider->extra != NULL)
        http_form_add(&url, "response_mode", text_of(provider->extra));
    return take_text(call->arena, &url);
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

/* A log-in that was refused, or a provider that failed. Nothing of what was sent or answered. */
static void ask_log(enum log_level level, const oauth_provider_t *provider, const char *what, const char *reason)
{
    static const char *const next[] = {[LOG_INFO] = "nothing: its client begins again",
        [LOG_WARNING] = "is the provider up, and what the configuration says of it right?",
        [LOG_ERROR] = "compare its client id and var/secrets/oauth.NAME with what it gave you"};
    log_event(level, level == LOG_INFO ? "oauth_refused" : "oauth_failed", LOG_S("provider", provider->name),
        LOG_S("asked", what), LOG_S("reason", reason), LOG_S("next", next[level]));
}

/* No deadline of a provider's answer leaves less than ANSWER_TIME for ours. */
static int64_t ask_deadline(call_t *call)
{
    int64_t most = clock_monotonic() + call_config(call)->oauth.timeout * CLOCK_MILLISECOND;
    int64_t last = call->deadline - ANSWER_TIME * CLOCK_MILLISECOND;
    return most < last ? most : last;
}

/* ERROR_NONE with an answer of whatever status. */
static enum error_code ask(
    call_t *call, const oauth_provider_t *provider, const char *what, http_request_t *request, http_answer_t *answer)
{
    request->deadline = ask_deadline(call);
    request->plain_loopback = call_config(call)->oauth.plain_loopback;
    if (request->deadline <= clock_monotonic())
        return ERROR_TIMEOUT;
    call_leave(call);
    enum http_outcome outcome = http_run(call->arena, request, answer);
    call_return(call);
    if (outcome == HTTP_ANSWERED)
        return ERROR_NONE;
    ask_log(LOG_WARNING, provider, what, answer->reason);
    return outcome == HTTP_TIMEOUT ? ERROR_TIMEOUT : ERROR_UNAVAILABLE;
}

/* --- the code ---------------------------------------------------------------------------------------------------------- */

/* data NULL: the key that signs it is none. */
static text_t secret_signed(call_t *call, const oauth_provider_t *provider)
{
    const oauth_config_t *config = config_of(call, provider);
    int64_t now = clock_now();
    char *kept = known[provider->index].secret;
    if (now < known[provider->index].secret_until - SECRET_RENEWED)
        return text_of(kept);
    service_token_t what = {.key_id = config->key_id,
        .issuer = config->team_id,
        .subject = config->client_id,
        .audience = config->issuer,
        .issued = now,
        .expires = now + SECRET_LIFETIME};
    text_t made = service_token_make(call->arena, &what, process_secret(provider->secret));
    if (made.data == NULL || made.length >= sizeof(known[0].secret)) {
        log_event(LOG_ERROR, "oauth_key_wrong", LOG_S("provider", provider->name),
            LOG_S("next", "put the PEM text of its ES256 key into var/secrets/oauth.apple and restart accounts"));
        return (text_t){0};
    }
    memcpy(kept, made.data, made.length);
    kept[made.length] = '\0';
    known[provider->index].secret_until = what.expires;
    return text_of(kept);
}

static text_t code_form(call_t *call, const oauth_provider_t *provider, const oauth_code_t *code, text_t secret)
{
    buffer_t form = {0};
    http_form_add(&form, "grant_type", TEXT("authorization_code"));
    http_form_add(&form, "client_id", text_of(config_of(call, provider)->client_id));
    http_form_add(&form, "client_secret", secret);
    http_form_add(&form, "redirect_uri", code->redirect_uri);
    http_form_add(&form, "code", code->code);
    http_form_add(&form, "code_verifier", code->verifier);
    if (provider->state_again)
        http_form_add(&form, "state", code->state);
    return take_text(call->arena, &form);
}

static enum error_code code_exchange(
    call_t *call, const oauth_provider_t *provider, const oauth_code_t *code, tokens_answer_t *out)
{
    text_t secret =
        provider->signs_secret ? secret_signed(call, provider) : text_trim(process_secret(provider->secret));
    if (secret.data == NULL)
        return ERROR_UNAVAILABLE;
    http_request_t request = {.url = config_of(call, provider)->token_url,
        .form = code_form(call, provider, code, secret),
        .max_bytes = TOKEN_BYTES};
    http_answer_t answer;
    enum error_code failed = ask(call, provider, "code", &request, &answer);
    if (failed != ERROR_NONE)
        return failed;
    switch (token_answer_read(call->arena, answer.status, answer.body, out)) {
    case ANSWER_TOKENS:
        return ERROR_NONE;
    case ANSWER_REFUSED:
        ask_log(LOG_INFO, provider, "code", "the code was not accepted");
        return ERROR_OAUTH_CODE;
    case ANSWER_CLIENT:
        ask_log(LOG_ERROR, provider, "code", "it does not accept our client id or secret");
        return ERROR_UNAVAILABLE;
    default:
        ask_log(LOG_WARNING, provider, "code", "an answer that is none");
        return ERROR_UNAVAILABLE;
    }
}

/* --- who it is: an ID token, or an answer --------------------------------------------------------------------------------- */

static enum error_code keys_ask(call_t *call, const oauth_provider_t *provider)
{
    http_request_t request = {.url = config_of(call, provider)->keys_url, .max_bytes = KEYS_BYTES};
    http_answer_t answer;
    known[provider->index].asking_until = ask_deadline(call);
    enum error_code failed = ask(call, provider, "keys", &request, &answer);
    known[provider->index].asking_until = 0;
    if (failed != ERROR_NONE)
        return failed;
    jwks_t *keys = answer.status == 200 ? jwks_read(answer.body) : NULL;
    if (keys == NULL) {
        ask_log(LOG_WARNING, provider, "keys", "an answer that is none");
        return ERROR_UNAVAILABLE;
    }
    jwks_destroy(&known[provider->index].keys);
    known[provider->index].keys = keys;
    known[provider->index].keys_until = clock_monotonic() + call_config(call)->oauth.keys_lifetime * CLOCK_MILLISECOND;
    return ERROR_NONE;
}

/* Because of a key that is not among them: once a minute. Those who find that while the answer is awaited ask as well, because
 * their tokens may be good; there are no more of them than oauth.transfers. */
static bool keys_may_be_newer(const oauth_provider_t *provider)
{
    int64_t now = clock_monotonic(), *asked_at = &known[provider->index].asked_at;
    if (now < known[provider->index].asking_until)
        return true;
    if (*asked_at != 0 && now - *asked_at < KEYS_ASKED_EVERY)
        return false;
    *asked_at = now;
    return true;
}

static enum error_code id_token_read(
    call_t *call, const oauth_provider_t *provider, const oauth_code_t *code, text_t token, id_token_t *out)
{
    const oauth_config_t *config = config_of(call, provider);
    id_token_rules_t rules = {
        .issuer = config->issuer, .audience = config->client_id, .nonce = code->nonce, .now = clock_now()};
    enum error_code failed = ERROR_NONE;
    if (known[provider->index].keys == NULL || clock_monotonic() >= known[provider->index].keys_until)
        failed = keys_ask(call, provider);
    if (failed != ERROR_NONE)
        return failed;
    const char *reason = id_token_verify(call->arena, known[provider->index].keys, &rules, token, out);
    if (reason != NULL && strcmp(reason, "key") == 0 && keys_may_be_newer(provider)) {
        if ((failed = keys_ask(call, provider)) != ERROR_NONE)
            return failed;
        reason = id_token_verify(call->arena, known[provider->index].keys, &rules, token, out);
    }
    if (reason == NULL)
        return ERROR_NONE;
    ask_log(LOG_WARNING, provider, "id_token", reason);
    return ERROR_OAUTH_TOKEN;
}

static enum error_code person_ask(call_t *call, const oauth_provider_t *provider, text_t access_token, id_token_t *out)
{
    text_t bearer = arena_format(call->arena, "authorization: Bearer %.*s", TEXT_ARG(access_token));
    http_request_t request = {.url = config_of(call, provider)->user_url,
        .headers = {arena_string(call->arena, bearer)},
        .max_bytes = PERSON_BYTES};
    http_answer_t answer;
    enum error_code failed = ask(call, provider, "user", &request, &answer);
    if (failed != ERROR_NONE)
        return failed;
    if (answer.status == 200 && provider->person_read(call->arena, answer.body, out))
        return ERROR_NONE;
    ask_log(LOG_WARNING, provider, "user", "an answer that is none");
    return ERROR_UNAVAILABLE;
}

static enum error_code person_of(call_t *call, const oauth_provider_t *provider, const oauth_code_t *code,
    const tokens_answer_t *tokens, id_token_t *out)
{
    if (provider->person_read == NULL && tokens->id_token.data != NULL)
        return id_token_read(call, provider, code, tokens->id_token, out);
    if (provider->person_read != NULL && tokens->access_token.data != NULL)
        return person_ask(call, provider, tokens->access_token, out);
    ask_log(LOG_WARNING, provider, "code", "the token that was wanted is missing");
    return ERROR_OAUTH_TOKEN;
}

enum error_code oauth_ask(call_t *call, const oauth_provider_t *provider, const oauth_code_t *code, id_token_t *out)
{
    tokens_answer_t tokens;
    enum error_code failed = code_exchange(call, provider, code, &tokens);
    if (failed == ERROR_NONE)
        failed = person_of(call, provider, code, &tokens, out);
    if (failed == ERROR_NONE && out->email.data != NULL && !message_is_email(out->email)) {
        out->email = (text_t){0};
        out->email_verified = false;
    }
    return failed;
}
