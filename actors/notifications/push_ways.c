/* push_ways: how a push reaches the services that carry it: those of browsers (RFC 8030, encrypted by RFC 8291, signed by RFC 8292),
 * Firebase Cloud Messaging (HTTP v1), Apple's (HTTP/2, tokens). Every message names its notification, so that one that was sent twice shows
 * once. */
#include "push.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/panic.h"
#include "../../shared/crypto/foreign.h"
#include "../../shared/crypto/hash.h"
#include "../../shared/crypto/service_token.h"
#include "../../shared/crypto/web_push.h"
#include "../../shared/net/http.h"
#include "../../shared/shm/process.h"
#include <stdio.h>

enum {
    ANSWER_MOST = 16 << 10,
    VAPID_HOURS = 12,        /* RFC 8292, 2: 24 at most */
    APNS_TOKEN_MINUTES = 40, /* Apple wants a new one after 20 to 60 minutes */
    FCM_TOKEN_MINUTES = 60,
    FCM_TOKEN_MARGIN = 5,
    TOKEN_MOST = 4096,
    WORDS_MOST = 3600, /* bytes of JSON, of title, link and message: with the rest they fit into what services take */
    LINK_MOST = 1500,  /* likewise; one that takes more is left out */
};

/* What a service gave us, or was signed for it, until it is worth nothing any more. One thread: whoever finds it old makes a new one. */
typedef struct {
    char text[TOKEN_MOST];
    int64_t until; /* clock_monotonic() */
} kept_token_t;

static kept_token_t fcm_token, apns_token;

static bool token_keep(kept_token_t *kept, text_t token, int64_t minutes)
{
    if (token.length == 0 || token.length >= sizeof kept->text)
        return false;
    memcpy(kept->text, token.data, token.length);
    kept->text[token.length] = '\0';
    kept->until = clock_monotonic() + minutes * 60 * CLOCK_SECOND;
    return true;
}

static bool token_holds(const kept_token_t *kept)
{
    return clock_monotonic() < kept->until;
}

/* --- what is said ------------------------------------------------------------------------------------------------- */

static size_t json_size(text_t text)
{
    static buffer_t json;
    json.length = 0;
    message_json_string(&json, text);
    return json.length - 2;
}

/* Whole characters, which take so many bytes of JSON at most: a quote takes two, a control character six. */
static text_t text_within(text_t text, size_t most)
{
    size_t length = 0, size = 0;
    for (size_t next; length < text.length; length += next) {
        next = text_utf8_next((text_t){text.data + length, text.length - length});
        size += next > 0 ? json_size((text_t){text.data + length, next}) : 0;
        if (next == 0 || size > most)
            break;
    }
    return (text_t){text.data, length};
}

static bool link_fits(const push_job_t *job)
{
    return job->link_url.data != NULL && json_size(job->link_url) <= LINK_MOST;
}

/* As much of it as title and link leave room for. */
static text_t message_of(const push_job_t *job)
{
    size_t taken = json_size(job->title) + (link_fits(job) ? json_size(job->link_url) : 0);
    return text_within(job->message, taken < WORDS_MOST ? WORDS_MOST - taken : 0);
}

static void add_member(buffer_t *out, const char *name, text_t value)
{
    buffer_format(out, "%s\"%s\":", out->data[out->length - 1] == '{' ? "" : ",", name);
    message_json_string(out, value);
}

/* "id":…,"type":…,"link_url":… into an object that is open. */
static void add_facts(buffer_t *out, const push_job_t *job)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(job->notification, id);
    add_member(out, "id", text_of(id));
    add_member(out, "type", job->type);
    if (link_fits(job))
        add_member(out, "link_url", job->link_url);
}

static text_t finished(call_t *call, buffer_t *out)
{
    text_t copy = arena_copy(call->arena, buffer_text(out));
    buffer_free(out);
    return copy;
}

static const char *header(call_t *call, const char *name, const char *value)
{
    return arena_format(call->arena, "%s: %s%c", name, value, '\0').data;
}

static push_result_t result_of(enum push_outcome outcome, const char *reason)
{
    return (push_result_t){outcome, reason};
}

/* What the status says where the service has no words of its own. */
static push_result_t status_result(call_t *call, int status)
{
    const char *reason = arena_format(call->arena, "status %d%c", status, '\0').data;
    if (status >= 200 && status < 300)
        return result_of(PUSH_SENT, NULL);
    if (status == 404 || status == 410)
        return result_of(PUSH_GONE, reason);
    if (status == 401 || status == 403 || status == 408 || status == 429 || status >= 500) /* our key, or theirs to mend */
        return result_of(PUSH_LATER, reason);
    return result_of(PUSH_REFUSED, reason);
}

static bool ask(call_t *call, http_request_t *request, int64_t until, http_answer_t *answer)
{
    request->max_bytes = ANSWER_MOST;
    request->deadline = until;
    request->plain_loopback = call_config(call)->push.plain_loopback;
    call_leave(call);
    enum http_outcome outcome = http_run(call->arena, request, answer);
    call_return(call);
    return outcome == HTTP_ANSWERED;
}

/* --- browsers ----------------------------------------------------------------------------------------------------- */

static web_push_key_t own_key(void)
{
    web_push_key_t key;
    text_t secret = process_secret("push_vapid");
    insist(secret.length == sizeof key.bytes);
    memcpy(key.bytes, secret.data, sizeof key.bytes);
    return key;
}

text_t push_public_key(call_t *call)
{
    web_push_key_t key = own_key();
    return base64url_encode(call->arena, web_push_public(call->arena, &key));
}

/* "https://push.example" of an endpoint; data NULL: it is none. */
static text_t origin_of(text_t endpoint)
{
    const char *scheme = memmem(endpoint.data, endpoint.length, "://", 3);
    if (scheme == NULL)
        return (text_t){0};
    size_t length = (size_t)(scheme - endpoint.data) + 3;
    while (length < endpoint.length && !memchr("/?#@\\", endpoint.data[length], 5))
        length++;
    return length < endpoint.length && endpoint.data[length] == '/' ? (text_t){endpoint.data, length} : (text_t){0};
}

static bool host_matches(text_t host, text_t allowed)
{
    if (!text_starts_with(allowed, TEXT("*.")))
        return text_equal_nocase(host, allowed);
    text_t below = {allowed.data + 1, allowed.length - 1}; /* ".notify.windows.com" */
    return host.length > below.length &&
           text_equal_nocase((text_t){host.data + host.length - below.length, below.length}, below);
}

/* The entry of push.web_hosts; data NULL: none, and nothing may be sent there. */
static text_t web_service(call_t *call, text_t endpoint)
{
    const config_t *config = call_config(call);
    text_t origin = origin_of(endpoint), hosts = text_of(config->push.web_hosts), allowed, host, scheme;
    if (origin.data == NULL || !http_url_allowed(arena_string(call->arena, endpoint), config->push.plain_loopback))
        return (text_t){0};
    const char *begin = memmem(origin.data, origin.length, "://", 3);
    scheme = (text_t){origin.data, (size_t)(begin - origin.data)};
    host = (text_t){begin + 3, origin.length - scheme.length - 3};
    const char *port = memchr(host.data, ':', host.length);
    if (port != NULL && text_equal(scheme, TEXT("https"))) /* the services are where they are */
        return (text_t){0};
    if (port != NULL)
        host.length = (size_t)(port - host.data);
    while (text_split(&hosts, ' ', &allowed))
        if (allowed.length > 0 && host_matches(host, allowed))
            return allowed;
    return (text_t){0};
}

bool push_endpoint_allowed(call_t *call, text_t endpoint)
{
    return web_service(call, endpoint).data != NULL;
}

static text_t web_words(call_t *call, const push_job_t *job)
{
    buffer_t out = {0};
    buffer_add_char(&out, '{');
    add_facts(&out, job);
    add_member(&out, "title", job->title);
    add_member(&out, "message", message_of(job));
    buffer_add_char(&out, '}');
    return finished(call, &out);
}

static push_result_t web_send(call_t *call, const push_job_t *job, int64_t until)
{
    const config_t *config = call_config(call);
    text_t p256dh, auth;
    http_answer_t answer;
    web_push_key_t key = own_key();
    char topic[UUID_TEXT_SIZE];
    if (!push_endpoint_allowed(call, job->token)) /* the list of services was changed since */
        return result_of(PUSH_REFUSED, "its service is none of push.web_hosts");
    if (!base64url_decode(call->arena, job->p256dh, &p256dh) || !base64url_decode(call->arena, job->auth, &auth))
        return result_of(PUSH_REFUSED, "its keys are none");
    text_t body = web_push_encrypt(call->arena, p256dh, auth, web_words(call, job), NULL);
    if (body.data == NULL)
        return result_of(PUSH_REFUSED, "it cannot be encrypted");
    text_t token = web_push_token(call->arena, &key, origin_of(job->token), config->push.subject,
        clock_now() + VAPID_HOURS * 3600 * CLOCK_SECOND);
    uuid_format(job->notification, topic);
    char *end = topic;
    for (const char *p = topic; *p; p++) /* RFC 8030, 5.4: 32 characters of base64url */
        if (*p != '-')
            *end++ = *p;
    *end = '\0';
    http_request_t request = {.url = arena_string(call->arena, job->token),
        .body = body,
        .headers = {header(call, "authorization",
                        arena_format(call->arena, "vapid t=%.*s, k=%.*s%c", TEXT_ARG(token), TEXT_ARG(push_public_key(call)), '\0').data),
            "content-type: application/octet-stream", "content-encoding: aes128gcm",
            arena_format(call->arena, "ttl: %lld%c", (long long)(config->push.ttl / 1000), '\0').data, "urgency: normal",
            header(call, "topic", topic)}};
    if (!ask(call, &request, until, &answer))
        return result_of(PUSH_UNREACHABLE, answer.reason);
    return status_result(call, answer.status);
}

/* --- Firebase Cloud Messaging -------------------------------------------------------------------------------------- */

/* An access token of Google's for our service account (RFC 7523). */
static bool fcm_token_get(call_t *call, int64_t until, const char **reason)
{
    const config_t *config = call_config(call);
    int64_t now = clock_now();
    service_token_t what = {.rs256 = true,
        .issuer = config->push.fcm.client_email,
        .audience = config->push.fcm.token_url,
        .scope = "https://www.googleapis.com/auth/firebase.messaging",
        .issued = now,
        .expires = now + FCM_TOKEN_MINUTES * 60 * CLOCK_SECOND};
    text_t assertion = service_token_make(call->arena, &what, process_secret("push_fcm"));
    http_answer_t answer;
    *reason = "var/secrets/push_fcm is no private key";
    if (assertion.data == NULL)
        return false;
    buffer_t form = {0};
    http_form_add(&form, "grant_type", TEXT("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    http_form_add(&form, "assertion", assertion);
    http_request_t request = {.url = config->push.fcm.token_url, .form = finished(call, &form)};
    bool answered = ask(call, &request, until, &answer);
    *reason = answered ? "no access token" : answer.reason;
    foreign_t *json = answered && answer.status == 200 ? foreign_read(answer.body) : NULL;
    int64_t seconds = FCM_TOKEN_MINUTES * 60;
    text_t token = json ? foreign_text(call->arena, json, "access_token", TOKEN_MOST - 1) : (text_t){0};
    if (json)
        foreign_integer(json, "expires_in", &seconds);
    foreign_free(&json);
    return token_keep(&fcm_token, token, seconds / 60 - FCM_TOKEN_MARGIN);
}

static text_t fcm_words(call_t *call, const push_job_t *job)
{
    char id[UUID_TEXT_SIZE];
    buffer_t out = {0};
    uuid_format(job->notification, id);
    buffer_add_string(&out, "{\"message\":{");
    add_member(&out, "token", job->token);
    buffer_add_string(&out, ",\"notification\":{");
    add_member(&out, "title", job->title);
    add_member(&out, "body", message_of(job));
    buffer_add_string(&out, "},\"data\":{");
    add_facts(&out, job);
    buffer_format(&out, "},\"android\":{\"collapse_key\":\"%s\",\"ttl\":\"%llds\",\"notification\":{\"tag\":\"%s\"}}}}", id,
        (long long)(call_config(call)->push.ttl / 1000), id);
    return finished(call, &out);
}

static push_result_t fcm_send(call_t *call, const push_job_t *job, int64_t until)
{
    const config_t *config = call_config(call);
    http_answer_t answer;
    const char *reason;
    if (!token_holds(&fcm_token) && !fcm_token_get(call, until, &reason))
        return result_of(PUSH_UNREACHABLE, reason);
    http_request_t request = {
        .url = arena_format(call->arena, "%s/v1/projects/%s/messages:send%c", config->push.fcm.url, config->push.fcm.project, '\0').data,
        .body = fcm_words(call, job),
        .headers = {header(call, "authorization", arena_format(call->arena, "Bearer %s%c", fcm_token.text, '\0').data),
            "content-type: application/json"}};
    if (!ask(call, &request, until, &answer))
        return result_of(PUSH_UNREACHABLE, answer.reason);
    if (answer.status == 401)
        fcm_token.until = 0;
    return status_result(call, answer.status);
}

/* --- Apple -------------------------------------------------------------------------------------------------------- */

static bool apns_token_make(call_t *call)
{
    const config_t *config = call_config(call);
    service_token_t what = {.key_id = config->push.apns.key_id, .issuer = config->push.apns.team_id, .issued = clock_now()};
    return token_holds(&apns_token) ||
           token_keep(&apns_token, service_token_make(call->arena, &what, process_secret("push_apns")), APNS_TOKEN_MINUTES);
}

static text_t apns_words(call_t *call, const push_job_t *job)
{
    buffer_t out = {0};
    buffer_add_string(&out, "{\"aps\":{\"alert\":{");
    add_member(&out, "title", job->title);
    add_member(&out, "body", message_of(job));
    buffer_add_string(&out, "},\"sound\":\"default\"}");
    add_facts(&out, job);
    buffer_add_char(&out, '}');
    return finished(call, &out);
}

static push_result_t apns_send(call_t *call, const push_job_t *job, int64_t until)
{
    const config_t *config = call_config(call);
    http_answer_t answer;
    char id[UUID_TEXT_SIZE];
    if (!apns_token_make(call))
        return result_of(PUSH_LATER, "var/secrets/push_apns is no private key");
    uuid_format(job->notification, id);
    http_request_t request = {
        .url = arena_format(call->arena, "%s/3/device/%.*s%c", config->push.apns.url, TEXT_ARG(job->token), '\0').data,
        .body = apns_words(call, job),
        .headers = {header(call, "authorization", arena_format(call->arena, "bearer %s%c", apns_token.text, '\0').data),
            "content-type: application/json", header(call, "apns-topic", config->push.apns.topic), "apns-push-type: alert",
            "apns-priority: 10", header(call, "apns-collapse-id", id),
            arena_format(call->arena, "apns-expiration: %lld%c",
                (long long)((clock_now() + config->push.ttl * CLOCK_MILLISECOND) / CLOCK_SECOND), '\0').data}};
    if (!ask(call, &request, until, &answer))
        return result_of(PUSH_UNREACHABLE, answer.reason);
    if (answer.status == 403)
        apns_token.until = 0; /* ExpiredProviderToken, InvalidProviderToken */
    if (answer.status == 400 && memmem(answer.body.data, answer.body.length, "BadDeviceToken", 14) != NULL)
        return result_of(PUSH_GONE, "BadDeviceToken");
    return status_result(call, answer.status);
}

/* --- the ways ----------------------------------------------------------------------------------------------------- */

bool push_way_open(call_t *call, enum platform platform)
{
    const config_t *config = call_config(call);
    switch (platform) {
    case PLATFORM_WEB:
        return true;
    case PLATFORM_FCM:
        return config->push.fcm.project[0] && config->push.fcm.client_email[0] && process_secret("push_fcm").length > 0;
    case PLATFORM_APNS:
        return config->push.apns.topic[0] && config->push.apns.team_id[0] && config->push.apns.key_id[0] &&
               process_secret("push_apns").length > 0;
    default:
        return false;
    }
}

text_t push_service_of(call_t *call, enum platform platform, text_t token)
{
    text_t service = platform == PLATFORM_WEB ? web_service(call, token) : text_of(platforms[platform]);
    return service.data != NULL && service.length < PUSH_SERVICE_SIZE ? service : TEXT("none");
}

int push_services_named(call_t *call)
{
    text_t hosts = text_of(call_config(call)->push.web_hosts), host;
    int count = push_way_open(call, PLATFORM_FCM) + push_way_open(call, PLATFORM_APNS);
    while (text_split(&hosts, ' ', &host))
        count += host.length > 0;
    return count;
}

push_result_t push_send(call_t *call, const push_job_t *job, int64_t until)
{
    static push_result_t (*const ways[PLATFORMS])(call_t *, const push_job_t *, int64_t) = {
        [PLATFORM_WEB] = web_send, [PLATFORM_FCM] = fcm_send, [PLATFORM_APNS] = apns_send};
    return ways[job->platform](call, job, until);
}
