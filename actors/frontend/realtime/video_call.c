/* video_call: see the header. What is said in a room goes through the broker, since the other party may be at another frontend, with the id
 * of the socket that said it, which is not shown it. */
#include "video_call.h"
#include "actor/operations.h"
#include "base/clock.h"
#include "net/broker.h"
#include "base/panic.h"
#include "call_room.h"
#include "news.h"
#include "turn.h"
#include <stdlib.h>

#define ROOM TOPIC_ROOM "call:"

enum { PROBLEM_BYTES = 16 << 10, SIGNAL_MOST = REALTIME_ARGUMENTS_MOST - 256 /* its ids stand before it */ };

static struct {
    text_t turn_secret;
    uuid_t machine;
    arena_t *arena;
} calls;

static void room_name(uuid_t consultation, char out[static HINT_TOPIC_MAX + 1])
{
    char id[UUID_TEXT_SIZE];
    uuid_format(consultation, id);
    snprintf(out, HINT_TOPIC_MAX + 1, ROOM "%s", id);
}

/* --- telling the others ------------------------------------------------------------------------------------------- */

/* The socket says so to all frontends that have somebody in the room; `data` is a signal's, or NULL. */
static void say(const socket_t *socket, text_t room, enum realtime_call_act act, text_t data)
{
    static buffer_t packed;
    realtime_call_t call = {0};
    message_set(&call, act, (int64_t)act);
    message_set(&call, machine, calls.machine);
    message_set(&call, generation, (int64_t)frontend.generation);
    message_set(&call, socket, socket->id);
    message_set(&call, user, socket->token.user);
    message_set(&call, client, (int64_t)socket->client);
    if (data.data != NULL)
        message_set(&call, data, data);
    packed.length = 0;
    realtime_pack_call(&call, &packed);
    broker_publish(room, buffer_text(&packed));
}

static void tell(const socket_t *socket, const char *room, enum realtime_call_act act)
{
    say(socket, text_of(room), act, (text_t){.data = NULL});
}

static void each_call(const socket_t *socket, enum realtime_call_act act)
{
    for (const membership_t *one = socket->topics; one != NULL; one = one->other)
        if (text_starts_with(text_of(one->topic->name), TEXT(ROOM)))
            tell(socket, one->topic->name, act);
}

/* --- hearing ------------------------------------------------------------------------------------------------------ */

static const char *const names[CALL_ACTS] = {[CALL_JOINED] = "call_joined", [CALL_SIGNAL] = "signal", [CALL_LEFT] = "call_left"};

/* {"consultationId":…,"userId":…,"socketId":…} and what else there is, to those in the room here but the one. */
static void show(topic_t *topic, enum realtime_call_act act, uuid_t user, uuid_t socket, text_t data, const uuid_t *except)
{
    static buffer_t json;
    char user_text[UUID_TEXT_SIZE], socket_text[UUID_TEXT_SIZE];
    uuid_format(user, user_text);
    uuid_format(socket, socket_text);
    json.length = 0;
    buffer_format(&json, "{\"consultationId\":\"%s\",\"userId\":\"%s\",\"socketId\":\"%s\"", topic->name + sizeof(ROOM) - 1,
        user_text, socket_text);
    if (data.data != NULL) {
        buffer_add_string(&json, ",\"data\":");
        buffer_add_text(&json, data);
    }
    buffer_add_char(&json, '}');
    news_show(topic, names[act], buffer_text(&json), except);
}

static void show_change(topic_t *topic, enum realtime_call_act act, uuid_t user, uuid_t socket, const uuid_t *except)
{
    show(topic, act, user, socket, (text_t){.data = NULL}, except);
}

/* Who has just come, or asks, does not know who is here. */
static void answer_who(const topic_t *topic)
{
    int count = 0;
    for (const membership_t *member = topic->members; member != NULL && count < CALL_ROOM_MOST; member = member->next, count++)
        tell(member->socket, topic->name, CALL_HERE);
}

/* They may not know who is here either. */
static void ask_who(topic_t *topic)
{
    tell(topic->members->socket, topic->name, CALL_WHO);
    answer_who(topic);
}

void video_call_heard(topic_t *topic, const realtime_call_t *call)
{
    enum realtime_call_act act = (enum realtime_call_act)call->act;
    bool from_here = (uint64_t)call->generation == frontend.generation && uuid_equal(call->machine, calls.machine);
    if (!text_starts_with(text_of(topic->name), TEXT(ROOM)))
        return;
    if (call_room_take(topic, call))
        show(topic, act, call->user, call->socket, message_has(call, data) ? call->data : (text_t){.data = NULL}, &call->socket);
    if ((act == CALL_JOINED || act == CALL_WHO) && !from_here)
        answer_who(topic);
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
    call_room_begin(topic_find(text_of(room)));
    if (fresh)
        tell(socket, room, CALL_JOINED);
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
    else if (strlen(json) > SIGNAL_MOST)
        api_fail(event, ERROR_PAYLOAD_TOO_LARGE);
    else {
        say(event->socket, text_of(room), CALL_SIGNAL, text_of(json));
        api_succeed(event, TEXT("null"));
    }
    free(json);
}

void video_call_leave(const event_t *event)
{
    char room[HINT_TOPIC_MAX + 1];
    if (!find_room(event, room))
        return;
    tell(event->socket, room, CALL_LEFT);
    topic_leave(event->socket, text_of(room));
    api_succeed(event, TEXT("null"));
}

void video_call_forget(socket_t *socket)
{
    each_call(socket, socket->session->moved ? CALL_MOVES : CALL_LEFT);
}

void video_call_moved(socket_t *socket)
{
    for (const membership_t *one = socket->topics; one != NULL; one = one->other)
        if (text_starts_with(text_of(one->topic->name), TEXT(ROOM)))
            call_room_begin(one->topic);
    each_call(socket, CALL_HERE);
}

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    panic("the problems of one answer take more than %d bytes", PROBLEM_BYTES);
}

void video_call_open(loop_t *loop, text_t turn_secret)
{
    calls.turn_secret = turn_secret;
    calls.machine = segment_identity(frontend.segment);
    call_room_open(loop, &(call_room_says_t){.tell = show_change, .ask = ask_who});
    calls.arena = arena_create(PROBLEM_BYTES, on_limit, NULL);
}
