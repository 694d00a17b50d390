/* socket: see the header. A session's sockets are its list; a packet with attachments is kept until the last of them has come. */
#include "socket.h"
#include "base/panic.h"
#include "topics.h"
#include <stdlib.h>

enum {
    NAMESPACES_MOST = 8, /* of one session */
    CONNECTS_MOST = 100, /* tried in one session's life: new sessions are rationed, and a connect costs as much as one */
    MOVED_BYTES = 256 << 10,
};

/* A packet whose attachments are still coming. */
typedef struct {
    char *text;
    size_t length, bytes; /* bytes: of all of it */
    int expected, count;
    text_t attachments[SOCKET_ATTACHMENTS_MOST];
} assembly_t;

typedef struct {
    socket_t *sockets;
    int count;
    int connects; /* that it tried */
    assembly_t *assembly;
} spoken_t;

static struct {
    const namespace_t *namespaces;
    int count;
    buffer_t packet, data;
} all;

void sockets_open(const namespace_t *namespaces, int count)
{
    all.namespaces = namespaces;
    all.count = count;
}

static const namespace_t *namespace_find(text_t name)
{
    for (int i = 0; i < all.count; i++)
        if (text_equal(text_of(all.namespaces[i].name), name))
            return &all.namespaces[i];
    return NULL;
}

socket_t *socket_of(const session_t *session, const namespace_t *namespace)
{
    const spoken_t *spoken = session->spoken;
    socket_t *socket = spoken->sockets;
    while (socket != NULL && socket->namespace != namespace)
        socket = socket->next;
    return socket;
}

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    panic("sockets that came from another frontend take more than %d bytes", MOVED_BYTES);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static text_t packet_text(enum socket_type type, text_t namespace, int64_t id, int attachments, text_t data)
{
    all.packet.length = 0;
    socket_write(&all.packet,
        &(socket_packet_t){.type = type, .attachments = attachments, .namespace = namespace, .id = id, .data = data});
    return buffer_text(&all.packet);
}

static void send_packet(
    const socket_t *socket, enum socket_type type, int64_t id, text_t data, const text_t *attachments, int attachment_count)
{
    text_t packet = packet_text(type, text_of(socket->namespace->name), id, attachment_count, data);
    session_send_packet(socket->session, packet, false);
    for (int i = 0; i < attachment_count; i++)
        session_send_packet(socket->session, attachments[i], true);
}

static text_t event_data(const char *name, text_t arguments)
{
    all.data.length = 0;
    buffer_add_char(&all.data, '[');
    message_json_string(&all.data, text_of(name));
    if (arguments.length > 0)
        buffer_add_char(&all.data, ',');
    buffer_add_text(&all.data, arguments);
    buffer_add_char(&all.data, ']');
    return buffer_text(&all.data);
}

void socket_emit(socket_t *socket, const char *name, text_t arguments, const text_t *attachments, int attachment_count)
{
    send_packet(socket, attachment_count > 0 ? SOCKET_BINARY_EVENT : SOCKET_EVENT, SOCKET_NO_ID, event_data(name, arguments),
        attachments, attachment_count);
}

frame_t *socket_event_frame(const namespace_t *namespace, const char *name, text_t arguments)
{
    text_t data = event_data(name, arguments);
    return frame_make(packet_text(SOCKET_EVENT, text_of(namespace->name), SOCKET_NO_ID, 0, data), false);
}

void socket_acknowledge_id(socket_t *socket, int64_t id, text_t arguments, const text_t *attachments, int attachment_count)
{
    if (id == SOCKET_NO_ID)
        return;
    all.data.length = 0;
    buffer_add_char(&all.data, '[');
    buffer_add_text(&all.data, arguments);
    buffer_add_char(&all.data, ']');
    send_packet(socket, attachment_count > 0 ? SOCKET_BINARY_ACK : SOCKET_ACK, id, buffer_text(&all.data), attachments,
        attachment_count);
}

void socket_acknowledge(const event_t *event, text_t arguments)
{
    socket_acknowledge_id(event->socket, event->id, arguments, NULL, 0);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void refuse(session_t *session, text_t namespace, text_t refusal)
{
    text_t packet = packet_text(SOCKET_CONNECT_ERROR, namespace, SOCKET_NO_ID, 0, refusal);
    session_send_packet(session, packet, false);
}

static void socket_remove(socket_t *socket)
{
    spoken_t *spoken = socket->session->spoken;
    socket_t **at = &spoken->sockets;
    while (*at != socket)
        at = &(*at)->next;
    *at = socket->next;
    spoken->count--;
    if (socket->namespace->on_disconnect != NULL)
        socket->namespace->on_disconnect(socket);
    free(socket);
}

void socket_accept(socket_t *socket, const char *pid)
{
    char json[192], id[UUID_TEXT_SIZE];
    uuid_format(socket->id, id);
    snprintf(json, sizeof(json), pid != NULL ? "{\"sid\":\"%s\",\"pid\":\"%s\"}" : "{\"sid\":\"%s\"}", id, pid);
    socket->accepted = true;
    session_joined(socket->session);
    send_packet(socket, SOCKET_CONNECT, SOCKET_NO_ID, text_of(json), NULL, 0);
}

static bool socket_connect(session_t *session, text_t name, const json_t *auth)
{
    static buffer_t refusal;
    spoken_t *spoken = session->spoken;
    const namespace_t *namespace = namespace_find(name);
    if (++spoken->connects > CONNECTS_MOST)
        return false;
    if (namespace == NULL) {
        refuse(session, name, TEXT("{\"message\":\"Invalid namespace\"}"));
        return true;
    }
    if (socket_of(session, namespace) != NULL || spoken->count == NAMESPACES_MOST)
        return false;
    socket_t *socket = memory_zeroed(1, sizeof(*socket));
    *socket = (socket_t){.session = session, .namespace = namespace, .id = uuid_random(), .seq = -1};
    refusal.length = 0;
    if (!namespace->on_connect(socket, auth, &refusal)) {
        refuse(session, name, buffer_text(&refusal));
        free(socket);
        return true;
    }
    socket->next = spoken->sockets;
    spoken->sockets = socket;
    spoken->count++;
    return true;
}

void socket_disconnect(socket_t *socket)
{
    send_packet(socket, SOCKET_DISCONNECT, SOCKET_NO_ID, (text_t){.data = NULL}, NULL, 0);
    socket_remove(socket);
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

/* What no table has is not answered: the client's library waits, or gives up in time. */
static void socket_handle(socket_t *socket, const socket_packet_t *packet, json_t *data, const text_t *attachments)
{
    const char *name = json_string_value(json_array_get(data, 0));
    const namespace_t *namespace = socket->namespace;
    for (int i = 0; i < namespace->handler_count; i++) {
        if (strcmp(namespace->handlers[i].name, name) != 0)
            continue;
        json_t *copy = json_string(name);
        json_array_remove(data, 0);
        namespace->handlers[i].handle(&(event_t){.socket = socket,
            .name = json_string_value(copy),
            .arguments = data,
            .attachments = attachments,
            .attachment_count = packet->attachments,
            .id = packet->id});
        json_decref(copy);
        return;
    }
}

static bool packet_take(session_t *session, const socket_packet_t *packet, const text_t *attachments)
{
    spoken_t *spoken = session->spoken;
    json_t *data;
    if (!socket_read_data(packet, &data))
        return false;
    bool good = true;
    const namespace_t *namespace = namespace_find(packet->namespace);
    socket_t *socket = namespace != NULL ? socket_of(session, namespace) : NULL;
    if (packet->type == SOCKET_CONNECT)
        good = socket_connect(session, packet->namespace, data);
    else if (socket != NULL && !socket->accepted)
        good = false; /* it must wait for its answer */
    else if (socket == NULL)
        good = spoken->sockets != NULL; /* it may have been disconnected just now; who never was connected breaks the rules */
    else if (packet->type == SOCKET_DISCONNECT)
        socket_remove(socket);
    else if (packet->type == SOCKET_EVENT || packet->type == SOCKET_BINARY_EVENT)
        socket_handle(socket, packet, data, attachments);
    json_decref(data);
    return good;
}

/* --- attachments -------------------------------------------------------------------------------------------------- */

static void assembly_drop(spoken_t *spoken)
{
    if (spoken->assembly == NULL)
        return;
    for (int i = 0; i < spoken->assembly->count; i++)
        free((void *)(uintptr_t)spoken->assembly->attachments[i].data);
    free(spoken->assembly->text);
    free(spoken->assembly);
    spoken->assembly = NULL;
}

static void assembly_begin(spoken_t *spoken, text_t text, int expected)
{
    assembly_t *assembly = memory_zeroed(1, sizeof(*assembly));
    assembly->text = memory_allocate(text.length + 1);
    memcpy(assembly->text, text.data, text.length);
    assembly->length = assembly->bytes = text.length;
    assembly->expected = expected;
    spoken->assembly = assembly;
}

static bool assembly_add(session_t *session, text_t bytes)
{
    spoken_t *spoken = session->spoken;
    assembly_t *assembly = spoken->assembly;
    socket_packet_t packet;
    assembly->bytes += bytes.length;
    if (assembly->bytes > (size_t)frontend.config.realtime.max_payload)
        return false;
    char *copy = memory_allocate(bytes.length + 1);
    if (bytes.length > 0)
        memcpy(copy, bytes.data, bytes.length);
    assembly->attachments[assembly->count++] = (text_t){copy, bytes.length};
    if (assembly->count < assembly->expected)
        return true;
    spoken->assembly = NULL; /* what handles it may end the session */
    bool good = socket_read((text_t){assembly->text, assembly->length}, &packet) &&
                packet_take(session, &packet, assembly->attachments);
    assembly_drop(&(spoken_t){.assembly = assembly});
    return good;
}

/* --- the service -------------------------------------------------------------------------------------------------- */

static void on_open(session_t *session)
{
    session->spoken = memory_zeroed(1, sizeof(spoken_t));
}

static bool on_message(session_t *session, const engine_packet_t *message)
{
    spoken_t *spoken = session->spoken;
    socket_packet_t packet;
    if (spoken->assembly != NULL)
        return message->binary && assembly_add(session, message->data);
    if (message->binary || !socket_read(message->data, &packet))
        return false;
    if (packet.attachments == 0)
        return packet_take(session, &packet, NULL);
    assembly_begin(spoken, message->data, packet.attachments);
    return true;
}

/* What was queued for it is gone: it must look for itself, and come back. */
static void on_slow(session_t *session)
{
    const spoken_t *spoken = session->spoken;
    for (socket_t *socket = spoken->sockets; socket != NULL; socket = socket->next)
        socket_emit(socket, "resync", TEXT("{\"reason\":\"slow\"}"), NULL, 0);
}

static void on_close(session_t *session, const char *reason)
{
    spoken_t *spoken = session->spoken;
    (void)reason;
    while (spoken->sockets != NULL)
        socket_remove(spoken->sockets);
    assembly_drop(spoken);
    free(spoken);
    session->spoken = NULL;
}

/* --- to another frontend ------------------------------------------------------------------------------------------ */

#define MOVED_SOCKET(FIELD)                                                                                        \
    FIELD(text, namespace, .required = true)                                                                       \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(uuid, user, .required = true)                                                                            \
    FIELD(uuid, session, .required = true)                                                                         \
    FIELD(integer, role, .required = true)                                                                         \
    FIELD(integer, issued, .required = true)                                                                       \
    FIELD(integer, expires, .required = true)                                                                      \
    FIELD(integer, seq, .required = true)                                                                          \
    FIELD(integer, client, .required = true)                                                                       \
    FIELD(boolean, announced, .required = true)                                                                    \
    FIELD(text, topics, .required = true, .meaning = "their names, a space before each")
MESSAGE_POSITIONAL(moved_socket, MOVED_SOCKET);
#define MOVED_SOCKETS(FIELD) FIELD(list, sockets, .required = true, .max = NAMESPACES_MOST, .message = &moved_socket_message)
MESSAGE_POSITIONAL(moved_sockets, MOVED_SOCKETS);

static void on_pack_socket(const socket_t *socket, moved_socket_t *out, buffer_t *topics)
{
    topics->length = 0;
    for (const membership_t *one = socket->topics; one != NULL; one = one->other)
        buffer_format(topics, " %s", one->topic->name);
    message_set(out, namespace, text_of(socket->namespace->name));
    message_set(out, id, socket->id);
    message_set(out, user, socket->token.user);
    message_set(out, session, socket->token.session);
    message_set(out, role, (int64_t)socket->token.role);
    message_set(out, issued, socket->token.issued);
    message_set(out, expires, socket->token.expires);
    message_set(out, seq, socket->seq);
    message_set(out, client, (int64_t)socket->client);
    message_set(out, announced, socket->announced);
    message_set(out, topics, buffer_text(topics));
}

/* Not in the middle of something. */
static bool pack(session_t *session, bool hurry, buffer_t *out)
{
    const spoken_t *spoken = session->spoken;
    moved_socket_t sockets[NAMESPACES_MOST] = {0};
    buffer_t topics[NAMESPACES_MOST] = {0};
    moved_sockets_t moved = {0};
    bool good = spoken->assembly == NULL;
    int count = 0;
    for (socket_t *socket = spoken->sockets; socket != NULL && good; socket = socket->next, count++) {
        bool (*on_moving)(socket_t *) = socket->namespace->on_moving;
        good = socket->accepted && (on_moving == NULL || on_moving(socket) || hurry);
        on_pack_socket(socket, &sockets[count], &topics[count]);
    }
    message_set(&moved, sockets, (list_t){.items = sockets, .count = (size_t)count});
    if (good)
        message_pack(&moved_sockets_message, &moved, out);
    for (int i = 0; i < count; i++)
        buffer_free(&topics[i]);
    return good;
}

static bool unpack_socket(session_t *session, const moved_socket_t *in)
{
    spoken_t *spoken = session->spoken;
    const namespace_t *namespace = namespace_find(in->namespace);
    text_t rest = in->topics, name;
    if (namespace == NULL || in->role < 0 || in->role >= ROLES)
        return false;
    socket_t *socket = memory_zeroed(1, sizeof(*socket));
    *socket = (socket_t){.session = session, .namespace = namespace, .id = in->id, .seq = in->seq, .accepted = true, .announced = in->announced,
        .client = (uint64_t)in->client,
        .token = {.user = in->user, .session = in->session, .role = (enum role)in->role, .issued = in->issued, .expires = in->expires},
        .next = spoken->sockets};
    spoken->sockets = socket;
    spoken->count++;
    session_joined(session);
    while (text_split(&rest, ' ', &name))
        if (name.length > 0 && name.length <= HINT_TOPIC_MAX)
            topic_join(socket, name);
    if (namespace->on_moved != NULL)
        namespace->on_moved(socket);
    return true;
}

static bool unpack(session_t *session, text_t packed)
{
    static arena_t *arena;
    moved_sockets_t moved;
    problems_t problems;
    if (arena == NULL)
        arena = arena_create(MOVED_BYTES, on_limit, NULL);
    problems.arena = arena;
    problems.count = 0;
    bool good = message_read(&moved_sockets_message, packed, SOURCE_PEER, &moved, &problems);
    const moved_socket_t *sockets = good ? moved.sockets.items : NULL;
    for (size_t i = 0; good && i < moved.sockets.count; i++)
        good = unpack_socket(session, &sockets[i]);
    arena_reset(arena);
    return good;
}

const service_t socket_service = {.path = TEXT("/socket.io/"),
    .on_open = on_open,
    .on_message = on_message,
    .on_slow = on_slow,
    .on_close = on_close,
    .pack = pack,
    .unpack = unpack};
