/* video_call: see the header. What is said in a room goes through the broker, since the other party may be at another frontend, with the id
 * of the socket that said it, which is not shown it. */
#include "video_call.h"
#include "actor/operations.h"
#include "base/clock.h"
#include "net/broker.h"
#include "base/panic.h"
#include "turn.h"
#include <stdlib.h>

#define ROOM TOPIC_ROOM "call:"

enum { PROBLEM_BYTES = 16 << 10 };

static struct {
    text_t turn_secret;
    arena_t *arena;
} calls;

static void room_name(uuid_t consultation, char out[static HINT_TOPIC_MAX + 1])
{
    char id[UUID_TEXT_SIZE];
    uuid_format(consultation, id);
    snprintf(out, HINT_TOPIC_MAX + 1, ROOM "%s", id);
}

/* --- telling the others ------------------------------------------------------------------------------------------- */

/* {"consultationId":…,"userId":…,"socketId":…} and what else there is, to all in the room but the socket. */
static bool tell(const socket_t *socket, const char *room, const char *name, text_t data)
{
    static buffer_t json, packed;
    char user[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    realtime_event_t event = {0};
    uuid_format(socket->token.user, user);
    uuid_format(socket->id, id);
    json.length = packed.length = 0;
    buffer_format(&json, "{\"consultationId\":\"%s\",\"userId\":\"%s\",\"socketId\":\"%s\"", room + sizeof(ROOM) - 1, user, id);
    if (data.length > 0) {
        buffer_add_string(&json, ",\"data\":");
        buffer_add_text(&json, data);
    }
    buffer_add_char(&json, '}');
    if (json.length > REALTIME_ARGUMENTS_MOST)
        return false;
    message_set(&event, name, text_of(name));
    message_set(&event, id, socket->id);
    message_set(&event, arguments, buffer_text(&json));
    realtime_pack_event(&event, &packed);
    broker_publish(text_of(room), buffer_text(&packed));
    return true;
}

/* --- joining ------------------------------------------------------------------------------------------------------ */

/* {"iceServers": [{"urls": [...], "username": …, "credential": …}], "expiresAt": seconds} */
static void servers_add(buffer_t *json, uuid_t user)
{
    const config_list_t *urls = &frontend.config.realtime.turn_urls;
    char name[TURN_NAME_SIZE], password[TURN_PASSWORD_SIZE];
    int64_t expires = (clock_now() + frontend.config.realtime.turn_lifetime * CLOCK_MILLISECOND) / CLOCK_SECOND;
    buffer_add_string(json, "\"iceServers\":[");
    if (urls->count > 0) {
        turn_credential(calls.turn_secret, user, expires, name, password);
        buffer_add_string(json, "{\"urls\":[");
        for (int i = 0; i < urls->count; i++) {
            buffer_add_string(json, i > 0 ? "," : "");
            message_json_string(json, text_of(urls->items[i]));
        }
        buffer_format(json, "],\"username\":\"%s\",\"credential\":\"%s\"}", name, password);
    }
    buffer_format(json, "],\"expiresAt\":%lld", (long long)expires);
}

static void let_in(const event_t *event, uuid_t consultation)
{
    static buffer_t json;
    char room[HINT_TOPIC_MAX + 1];
    socket_t *socket = event->socket;
    room_name(consultation, room);
    bool fresh = !topic_has(socket, text_of(room));
    if (!topic_join(socket, text_of(room))) {
        api_fail(event, ERROR_CONFLICT);
        return;
    }
    json.length = 0;
    buffer_format(&json, "{\"consultationId\":\"%s\",", room + sizeof(ROOM) - 1);
    servers_add(&json, socket->token.user);
    buffer_add_char(&json, '}');
    api_succeed(event, buffer_text(&json));
    if (fresh)
        tell(socket, room, "call_joined", (text_t){.data = NULL});
}

/* May the principal join? Which consultation the answer is of. */
static bool is_allowed(text_t body, uuid_t *consultation)
{
    call_leave_given_t answer;
    problems_t problems;
    problems.arena = calls.arena;
    problems.count = 0;
    bool good = message_read(&call_leave_given_message, body, SOURCE_PEER, &answer, &problems);
    arena_reset(calls.arena);
    *consultation = good ? answer.consultation : (uuid_t){{0}};
    return good && answer.allowed;
}

static void on_answer(void *argument, int status, text_t body)
{
    event_t event;
    uuid_t consultation;
    if (!api_waits(argument, &event))
        return;
    if (status != 200)
        api_fail(&event, ERROR_UNAVAILABLE);
    else if (!is_allowed(body, &consultation))
        api_fail(&event, ERROR_NOT_FOUND); /* somebody else's is a 404, not a 403 (product.md, section 2) */
    else
        let_in(&event, consultation);
}

void video_call_join(const event_t *event)
{
    call_wish_t input = {0};
    uuid_t consultation;
    if (!api_uuid(event, "consultationId", &consultation))
        return;
    message_set(&input, consultation, consultation);
    api_ask(event, "notifications.may_join_call", &call_wish_message, &input, on_answer);
}

/* --- in the room -------------------------------------------------------------------------------------------------- */

static bool find_room(const event_t *event, char room[static HINT_TOPIC_MAX + 1])
{
    uuid_t consultation;
    if (!api_uuid(event, "consultationId", &consultation))
        return false;
    room_name(consultation, room);
    if (topic_has(event->socket, text_of(room)))
        return true;
    api_fail(event, ERROR_NOT_FOUND);
    return false;
}

void video_call_signal(const event_t *event)
{
    char room[HINT_TOPIC_MAX + 1];
    if (!find_room(event, room))
        return;
    const json_t *data = json_object_get(json_array_get(event->arguments, 0), "data");
    char *json = data != NULL ? json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (json == NULL || event->attachment_count > 0)
        api_fail(event, ERROR_VALIDATION);
    else if (tell(event->socket, room, "signal", text_of(json)))
        api_succeed(event, TEXT("null"));
    else
        api_fail(event, ERROR_PAYLOAD_TOO_LARGE);
    free(json);
}

void video_call_leave(const event_t *event)
{
    char room[HINT_TOPIC_MAX + 1];
    if (!find_room(event, room))
        return;
    tell(event->socket, room, "call_left", (text_t){.data = NULL});
    topic_leave(event->socket, text_of(room));
    api_succeed(event, TEXT("null"));
}

void video_call_forget(socket_t *socket)
{
    if (socket->session->moved)
        return;
    for (const membership_t *one = socket->topics; one != NULL; one = one->other)
        if (text_starts_with(text_of(one->topic->name), TEXT(ROOM)))
            tell(socket, one->topic->name, "call_left", (text_t){.data = NULL});
}

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    panic("the problems of one answer take more than %d bytes", PROBLEM_BYTES);
}

void video_call_open(text_t turn_secret)
{
    calls.turn_secret = turn_secret;
    calls.arena = arena_create(PROBLEM_BYTES, on_limit, NULL);
}
