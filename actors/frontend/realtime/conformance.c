/* conformance: see the header. */
#include "conformance.h"
#include "base/memory.h"
#include <stdlib.h>

enum { LATER = 20 /* milliseconds */ };

/* --- Engine.IO: each message comes back --------------------------------------------------------------------------- */

static void echo_open(session_t *session)
{
    session_joined(session);
}

static bool echo_message(session_t *session, const engine_packet_t *message)
{
    static buffer_t packet;
    if (message->binary) {
        session_send_packet(session, message->data, true);
        return true;
    }
    packet.length = 0;
    buffer_add_char(&packet, '0' + ENGINE_MESSAGE);
    buffer_add_text(&packet, message->data);
    session_send_packet(session, buffer_text(&packet), false);
    return true;
}

static void echo_slow(session_t *session)
{
    (void)session;
}

static void echo_close(session_t *session, const char *reason)
{
    (void)session, (void)reason;
}

const service_t echo_service = {.path = TEXT("/engine.io/"),
    .on_open = echo_open,
    .on_message = echo_message,
    .on_slow = echo_slow,
    .on_close = echo_close};

/* --- Socket.IO ---------------------------------------------------------------------------------------------------- */

/* The suite listens for one packet after the other, so that "auth" must not arrive together with the packet before it. */
typedef struct later {
    struct later *next;
    char sid[SID_SIZE];
    const namespace_t *namespace;
    char *auth;
} later_t;

static later_t *first;

static void on_time(void *argument)
{
    later_t *later;
    (void)argument;
    while ((later = first) != NULL) {
        first = later->next;
        session_t *session = session_find(&socket_service, text_of(later->sid));
        socket_t *socket = session != NULL ? socket_of(session, later->namespace) : NULL;
        if (socket != NULL)
            socket_emit(socket, "auth", text_of(later->auth), NULL, 0);
        free(later->auth);
        free(later);
    }
}

void conformance_open(loop_t *loop)
{
    loop->timer(loop, LATER, on_time, NULL);
}

static bool anybody_connects(socket_t *socket, const json_t *auth, buffer_t *refusal)
{
    (void)refusal;
    socket_accept(socket, NULL);
    later_t *later = memory_zeroed(1, sizeof(*later));
    *later = (later_t){.next = first, .namespace = socket->namespace};
    session_sid(socket->session, later->sid);
    later->auth = auth != NULL ? json_dumps(auth, JSON_COMPACT) : memory_string("{}");
    first = later;
    return true;
}

/* The arguments as they stand behind the name: an array's text without its brackets. */
static char *arguments_dump(const event_t *event, text_t *out)
{
    char *json = json_dumps(event->arguments, JSON_COMPACT);
    *out = (text_t){json + 1, strlen(json) - 2};
    return json;
}

static void message(const event_t *event)
{
    text_t arguments;
    char *json = arguments_dump(event, &arguments);
    socket_emit(event->socket, "message-back", arguments, event->attachments, event->attachment_count);
    free(json);
}

static void message_with_ack(const event_t *event)
{
    text_t arguments;
    char *json = arguments_dump(event, &arguments);
    socket_acknowledge_id(event->socket, event->id, arguments, event->attachments, event->attachment_count);
    free(json);
}

static const handler_t handlers[] = {
    {"message", message},
    {"message-with-ack", message_with_ack},
};

const namespace_t conformance_namespaces[] = {
    {.name = "/", .on_connect = anybody_connects, .handlers = handlers, .handler_count = ARRAY_SIZE(handlers)},
    {.name = "/custom", .on_connect = anybody_connects, .handlers = handlers, .handler_count = ARRAY_SIZE(handlers)},
};
const int conformance_namespace_count = ARRAY_SIZE(conformance_namespaces);
