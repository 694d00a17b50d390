/* api: see the header. */
#include "api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/panic.h"
#include "online.h"
#include "video_call.h"
#include "crypto/hash.h"
#include "frontend/auth.h"
#include "frontend/counters.h"
#include "frontend/limits.h"
#include "frontend/relay.h"
#include "fanout.h"
#include "news.h"
#include "shm/revocation.h"
#include <stdlib.h>

enum {
    LOOK = 25,       /* milliseconds between two looks at some of the sockets: was their session ended, or has the token expired? */
    SWEEP = 40,      /* looks until all were looked at */
    SWEEP_SOON = 16, /* the same when sessions were ended: a second is allowed, and it may have happened behind the last look */
    HEAD_START = 200, /* milliseconds that the word of an end has, which says good-bye */
    PID_CHANCE = 12, /* bytes: the client's, which stay when it comes back, and those of this connection */
    PID_CLIENT = 8,  /* of these */
    PID_PROOF = 16,
    PID_SIZE = 2 * (PID_CHANCE + PID_PROOF) + 1,
};

static struct {
    uint64_t revocations; /* version of the table that the last sweep for ended sessions knew */
    int64_t ended_at;     /* clock_monotonic() when another one was seen; 0: that was the last */
    bool ending;          /* this sweep is for them as well */
    uint32_t looked;      /* where it goes on; 0: the next one begins */
    int64_t looked_at;    /* clock_monotonic() */
    digest_t pid_key;
} api;

/* --- what is answered --------------------------------------------------------------------------------------------- */

void api_succeed(const event_t *event, text_t data)
{
    static buffer_t json;
    json.length = 0;
    buffer_add_string(&json, "{\"success\":true,\"data\":");
    buffer_add_text(&json, data);
    buffer_add_char(&json, '}');
    socket_acknowledge(event, buffer_text(&json));
}

void api_fail(const event_t *event, enum error_code code)
{
    static buffer_t json;
    json.length = 0;
    error_json(&json, code, event->socket->session->language, NULL);
    socket_acknowledge(event, buffer_text(&json));
}

bool api_uuid(const event_t *event, const char *name, uuid_t *out)
{
    const char *value = json_string_value(json_object_get(json_array_get(event->arguments, 0), name));
    if (value != NULL && uuid_parse(text_of(value), out) == 0)
        return true;
    api_fail(event, ERROR_VALIDATION);
    return false;
}

/* --- asking an actor ---------------------------------------------------------------------------------------------- */

/* Who waits for its answer. */
typedef struct {
    char sid[SID_SIZE];
    uuid_t socket;
    int64_t id;
} waiting_t;

/* It counts as a request of the address. */
static bool may_ask(const event_t *event)
{
    limits_t limits = {0};
    if (limits_address(&limits, RATE_API, address_client(event->socket->session->client), clock_now()))
        return true;
    api_fail(event, ERROR_RATE_LIMITED);
    return false;
}

void api_ask(const event_t *event, const char *operation, const message_t *message, const void *input,
    void (*on_answer)(void *argument, int status, text_t body))
{
    char address[ADDRESS_TEXT];
    if (!may_ask(event))
        return;
    waiting_t *waiting = memory_zeroed(1, sizeof(*waiting));
    *waiting = (waiting_t){.socket = event->socket->id, .id = event->id};
    session_sid(event->socket->session, waiting->sid);
    size_t length = address_format(event->socket->session->client, address);
    if (relay_ask(&(question_t){.service = "notifications",
                      .operation = operation,
                      .input_message = message,
                      .input = input,
                      .principal = &event->socket->token,
                      .language = event->socket->session->language,
                      .address = {address, length}},
            on_answer, waiting))
        return;
    free(waiting);
    api_fail(event, ERROR_UNAVAILABLE);
}

bool api_waits(void *take_argument, event_t *out)
{
    waiting_t waiting = *(waiting_t *)take_argument;
    free(take_argument);
    session_t *session = session_find(&socket_service, text_of(waiting.sid));
    socket_t *socket = session != NULL && session->ending == NULL ? socket_of(session, &api_namespaces[0]) : NULL;
    *out = (event_t){.socket = socket, .id = waiting.id};
    return socket != NULL && uuid_equal(socket->id, waiting.socket);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static bool token_read(const json_t *auth, token_t *out)
{
    const char *reason = NULL, *token = json_string_value(json_object_get(auth, "token"));
    if (token == NULL)
        return false;
    if (auth_check_token(text_of(token), clock_now(), out, &reason))
        return true;
    log_event(LOG_DEBUG, "realtime_token_refused", LOG_S("reason", reason));
    return false;
}

static bool refuse(const socket_t *socket, enum error_code code, buffer_t *refusal)
{
    static buffer_t error;
    error.length = 0;
    error_json(&error, code, socket->session->language, NULL);
    buffer_format(refusal, "{\"message\":\"%s\",\"data\":", errors[code].code);
    buffer_add_text(refusal, buffer_text(&error));
    buffer_add_char(refusal, '}');
    return false;
}

/* A private id says that somebody was connected before as this user: only then is there something to recover. */
static void pid_prove(const char *chance, uuid_t user, char out[static PID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    char both[2 * PID_CHANCE + sizeof(user.bytes)];
    memcpy(both, chance, 2 * PID_CHANCE);
    memcpy(both + 2 * PID_CHANCE, user.bytes, sizeof(user.bytes));
    digest_t proof = hash_hmac(api.pid_key.bytes, (text_t){both, sizeof(both)});
    memcpy(out, chance, 2 * PID_CHANCE);
    for (int i = 0; i < PID_PROOF; i++) {
        out[2 * (PID_CHANCE + i)] = hex[proof.bytes[i] >> 4];
        out[2 * (PID_CHANCE + i) + 1] = hex[proof.bytes[i] & 15];
    }
    out[PID_SIZE - 1] = '\0';
}

static void pid_make(const socket_t *socket, char out[static PID_SIZE])
{
    char chance[2 * PID_CHANCE + 1];
    uint32_t own;
    random_bytes(&own, sizeof(own));
    snprintf(chance, sizeof(chance), "%016llx%08x", (unsigned long long)socket->client, own);
    pid_prove(chance, socket->token.user, out);
}

static bool pid_holds(text_t pid, uuid_t user)
{
    char own[PID_SIZE];
    if (pid.length != PID_SIZE - 1)
        return false;
    pid_prove(pid.data, user, own);
    return secret_equal(text_of(own), pid);
}

/* Its client was here before, though there may be nothing to recover; or is new. */
static uint64_t client_of(const char *pid)
{
    char digits[2 * PID_CLIENT + 1] = "", *end = digits;
    uint64_t client = 0;
    if (pid != NULL)
        snprintf(digits, sizeof(digits), "%s", pid);
    client = strtoull(digits, &end, 16);
    if (*digits == '\0' || *end != '\0')
        client = 0;
    while (client == 0)
        random_bytes(&client, sizeof(client));
    return client;
}

/* NULL: it was not connected before, as this user. */
static const char *pid_read(const json_t *auth, uuid_t user)
{
    const char *pid = json_string_value(json_object_get(auth, "pid"));
    return pid != NULL && pid_holds(text_of(pid), user) ? pid : NULL;
}

static bool offset_read(const json_t *auth, int64_t *seq)
{
    const char *offset = json_string_value(json_object_get(auth, "offset"));
    return offset != NULL && text_to_int(text_of(offset), seq) && *seq >= 0;
}

static topic_t *user_topic(const socket_t *socket)
{
    char name[HINT_TOPIC_MAX + 1], user[UUID_TEXT_SIZE];
    uuid_format(socket->token.user, user);
    snprintf(name, sizeof(name), TOPIC_USER "%s", user);
    if (!topic_join((socket_t *)(uintptr_t)socket, text_of(name)))
        panic("a fresh socket is in too many topics");
    return topic_find(text_of(name));
}

static void accept_fresh(socket_t *socket, topic_t *topic)
{
    char pid[PID_SIZE];
    pid_make(socket, pid);
    socket_accept(socket, pid);
    online_enter(socket);
    news_begin(socket, topic);
}

static void on_recovered(socket_t *socket, bool recovered)
{
    char *pid = socket->pid;
    socket->pid = NULL;
    if (recovered) {
        socket_accept(socket, pid);
        online_enter(socket);
    } else {
        accept_fresh(socket, user_topic(socket));
    }
    free(pid);
}

static bool connect_socket(socket_t *socket, const json_t *auth, buffer_t *refusal)
{
    char role[HINT_TOPIC_MAX + 1];
    int64_t seq;
    if (!token_read(auth, &socket->token)) {
        count(COUNTER_REALTIME_REFUSED, 1);
        return refuse(socket, ERROR_UNAUTHENTICATED, refusal);
    }
    snprintf(role, sizeof(role), TOPIC_ROLE "%s", role_name(socket->token.role));
    topic_join(socket, text_of(role));
    topic_t *topic = user_topic(socket);
    const char *pid = pid_read(auth, socket->token.user);
    socket->client = client_of(pid);
    if (pid == NULL || !offset_read(auth, &seq)) {
        accept_fresh(socket, topic);
        return true;
    }
    socket->pid = memory_string(pid);
    news_recover(socket, topic, seq, on_recovered);
    return true;
}

static bool moving(socket_t *socket)
{
    fanout_finish();
    return news_move(socket, user_topic(socket));
}

/* At what: clock_now(), and whether sessions were ended meanwhile, besides tokens that expire. */
typedef struct {
    int64_t now;
    bool ended;
} look_t;
static void look_at(session_t *, void *look);

/* Its session may have been ended behind the last look there: then it is gone. */
static void moved(socket_t *socket)
{
    news_continue(socket, user_topic(socket));
    online_enter(socket);
    video_call_moved(socket);
    look_at(socket->session, &(look_t){.now = clock_now(), .ended = true});
}

static void disconnected(socket_t *socket)
{
    online_leave(socket);
    video_call_forget(socket);
    news_forget_socket(socket);
    topics_leave(socket);
    free(socket->pid);
    socket->pid = NULL;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* The room of a user's notifications is theirs alone; each of their sockets is in it from the beginning. */
static void join_notification_room(const event_t *event)
{
    uuid_t user;
    if (!api_uuid(event, "userId", &user))
        return;
    if (uuid_equal(user, event->socket->token.user))
        api_succeed(event, TEXT("null"));
    else
        api_fail(event, ERROR_FORBIDDEN);
}

/* A fresh token for the same user and session, before the one that it was opened with expires. */
static void authenticate(const event_t *event)
{
    token_t token;
    const token_t *own = &event->socket->token;
    if (!token_read(json_array_get(event->arguments, 0), &token)) {
        api_fail(event, ERROR_UNAUTHENTICATED);
        return;
    }
    if (!uuid_equal(token.user, own->user) || token.role != own->role) {
        api_fail(event, ERROR_FORBIDDEN);
        return;
    }
    event->socket->token = token;
    api_succeed(event, TEXT("null"));
}

static const handler_t handlers[] = {
    {"join_notification_room", join_notification_room},
    {"therapist_online", online_announce},
    {"therapist_offline", online_withdraw},
    {"presence", online_ask},
    {"authenticate", authenticate},
    {"join_call", video_call_join},
    {"signal", video_call_signal},
    {"leave_call", video_call_leave},
};

const namespace_t api_namespaces[] = {
    {.name = "/", .on_connect = connect_socket, .on_disconnect = disconnected,
        .on_moving = moving, .on_moved = moved, .handlers = handlers, .handler_count = ARRAY_SIZE(handlers)},
};
const int api_namespace_count = ARRAY_SIZE(api_namespaces);

/* --- ends --------------------------------------------------------------------------------------------------------- */

/* For good: the client hears so, and does not come back by itself. */
static void end_socket(socket_t *socket)
{
    session_t *session = socket->session;
    count(COUNTER_REALTIME_ENDED, 1);
    socket_disconnect(socket);
    session_end(session, "session ended");
}

void api_end(topic_t *topic, const realtime_end_t *end)
{
    for (membership_t *member = topic->members, *next; member != NULL; member = next) {
        socket_t *socket = member->socket;
        next = member->next;
        if (!uuid_equal(socket->token.user, end->user) ||
            (message_has(end, session) && !uuid_equal(socket->token.session, end->session)))
            continue;
        end_socket(socket);
    }
}

/* A word of an end may be lost. Whose session lives on comes back by itself, with whatever token it has then. */
static void look_at(session_t *session, void *argument)
{
    const look_t *look = argument;
    socket_t *socket = socket_of(session, &api_namespaces[0]);
    if (socket == NULL || session->ending != NULL)
        return;
    const token_t *token = &socket->token;
    if (look->ended && revocation_ended(frontend.segment, token->session, look->now)) {
        end_socket(socket);
        return;
    }
    bool expired = token->expires <= look->now;
    if (!expired &&
        (!look->ended || token->issued >= revocation_not_before(frontend.segment, token->session, token->user, look->now)))
        return;
    count(expired ? COUNTER_REALTIME_EXPIRED : COUNTER_REALTIME_ENDED, 1);
    session_end(session, expired ? "token expired" : "session ended");
}

static void sweep_begin(uint64_t version)
{
    api.ending = api.ended_at != 0 && clock_monotonic() - api.ended_at >= HEAD_START * CLOCK_MILLISECOND;
    if (!api.ending)
        return;
    api.revocations = version;
    api.ended_at = 0;
}

static void look_at_some(void)
{
    uint64_t version = revocation_version(frontend.segment);
    if (version != api.revocations && api.ended_at == 0)
        api.ended_at = clock_monotonic();
    if (api.looked == 0)
        sweep_begin(version);
    look_t look = {.now = clock_now(), .ended = api.ending};
    api.looked = sessions_some(api.looked, api.ending || api.ended_at != 0 ? SWEEP_SOON : SWEEP, look_at, &look);
}

static void on_look_time(void *argument)
{
    int64_t parts = loop_times(&api.looked_at, clock_monotonic(), LOOK);
    (void)argument;
    for (bool more = true; more && parts > 0; parts--) {
        look_at_some();
        more = api.looked != 0;
    }
}

void api_open(loop_t *loop)
{
    text_t secret = process_secret("turn_secret");
    digest_t key = hash_sha256(secret);
    api.pid_key = hash_hmac(key.bytes, TEXT("realtime pid"));
    video_call_open(loop, secret);
    news_open(loop, &api_namespaces[0]);
    online_open(loop);
    loop->timer(loop, LOOK, on_look_time, NULL);
}
