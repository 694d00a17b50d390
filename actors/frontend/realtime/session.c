/* session: the table, and three lists by time: who is pinged next or must have answered, who must have said who it is. Each list's
 * entries wait equally long, so that they stand in order and a look at the first ones is enough. */
#include "session.h"
#include "frontend/counters.h"
#include "frontend/loop_h2o.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "crypto/hash.h"
#include "polling.h"
#include "shm/rate.h"
#include "websocket.h"
#include "writing.h"
#include <stdlib.h>
#include <string.h>

enum {
    TICK = 25,             /* milliseconds */
    ENDING_MOST = 2,       /* seconds until a session that ends is closed */
    WINDOW = 10,           /* seconds, of realtime.messages and realtime.sessions_address */
    GENERATION_DIGITS = 16,
    PLACE_DIGITS = 8,
    MOVED_BYTES = 64 << 20,
};

static struct {
    loop_t *loop;
    session_t **table;
    uint32_t capacity, used; /* used: places that were ever taken */
    uint32_t *free;
    uint32_t free_count;
    int64_t count, strangers; /* strangers: those that have not said who they are */
    session_node_t pings, pongs, endings, joinings;
    double admission; /* sessions that may begin now */
    int64_t admission_at;
    bool draining;
    int64_t drain_began, drain_count;
} sessions;

#define SESSION_OF(node, member) ((session_t *)((char *)(node) - offsetof(session_t, member)))

/* --- lists -------------------------------------------------------------------------------------------------------- */

static void node_remove(session_node_t *node)
{
    if (node->next == NULL)
        return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->previous = node->next = NULL;
}

static void node_append(session_node_t *list, session_node_t *node)
{
    node_remove(node);
    node->previous = list->previous;
    node->next = list;
    list->previous->next = node;
    list->previous = node;
}

static void list_begin(session_node_t *list)
{
    list->previous = list->next = list;
}

/* --- ids ---------------------------------------------------------------------------------------------------------- */

void session_sid(const session_t *session, char out[static SID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    int length = snprintf(out, SID_SIZE, "%016llx%08x", (unsigned long long)frontend.generation, session->place);
    for (int i = 0; i < SID_NONCE; i++) {
        out[length++] = hex[session->nonce[i] >> 4];
        out[length++] = hex[session->nonce[i] & 15];
    }
    out[length] = '\0';
}

static bool hex_read(const char *digits, int count, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < count; i++) {
        char c = digits[i];
        int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (value < 0)
            return false;
        *out = *out << 4 | (uint64_t)value;
    }
    return true;
}

uint64_t session_owner(text_t sid)
{
    uint64_t generation;
    return sid.length == SID_SIZE - 1 && hex_read(sid.data, GENERATION_DIGITS, &generation) ? generation : 0;
}

static void expire(session_t *);

session_t *session_find(const service_t *service, text_t sid)
{
    char own[SID_SIZE];
    uint64_t place;
    if (session_owner(sid) != frontend.generation || !hex_read(sid.data + GENERATION_DIGITS, PLACE_DIGITS, &place) ||
        place >= sessions.used || sessions.table[place] == NULL)
        return NULL;
    session_t *session = sessions.table[place];
    session_sid(session, own);
    if (session->service != service || !secret_equal(text_of(own), sid))
        return NULL;
    expire(session);
    return session->closed ? NULL : session;
}

/* --- begin and end ------------------------------------------------------------------------------------------------ */

static bool admit(void)
{
    int64_t now = clock_monotonic(), rate = frontend.config.realtime.admission;
    sessions.admission += (double)(now - sessions.admission_at) / (double)CLOCK_SECOND * (double)rate;
    sessions.admission_at = now;
    if (sessions.admission > (double)rate)
        sessions.admission = (double)rate;
    if (sessions.admission < 1)
        return false;
    sessions.admission -= 1;
    return true;
}

bool session_welcome(address_t client)
{
    const config_t *config = &frontend.config;
    address_t key = address_client(client);
    text_t address = {(const char *)key.bytes, sizeof(key.bytes)};
    enum counter reason = COUNTERS;
    if (sessions.count >= sessions.capacity || sessions.draining)
        reason = COUNTER_REALTIME_FULL;
    else if (sessions.strangers >= config->realtime.strangers)
        reason = COUNTER_REALTIME_STRANGERS;
    else if (config->rate.enabled && !rate_check(frontend.segment, "realtime", address, config->realtime.sessions_address,
                                         WINDOW * CLOCK_SECOND, clock_now()).allowed)
        reason = COUNTER_REALTIME_ADDRESS;
    else if (!admit())
        reason = COUNTER_REALTIME_ADMISSION;
    if (reason == COUNTERS)
        return true;
    count(reason, 1);
    return false;
}

static void open_packet(session_t *session)
{
    static buffer_t packet;
    char sid[SID_SIZE];
    const config_t *config = &frontend.config;
    packet.length = 0;
    session_sid(session, sid);
    buffer_format(&packet, "0{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%lld,\"pingTimeout\":%lld,\"maxPayload\":%lld}", sid,
        session->websocket == NULL ? "\"websocket\"" : "", (long long)config->realtime.ping_interval,
        (long long)config->realtime.ping_timeout, (long long)config->realtime.max_payload);
    session_send_packet(session, buffer_text(&packet), false);
}

static void expect_ping(session_t *session, int64_t now)
{
    session->pinged = false;
    session->due = now + frontend.config.realtime.ping_interval * CLOCK_MILLISECOND;
    node_append(&sessions.pings, &session->beat);
}

static session_t *session_make(const service_t *service, address_t client, enum language language, struct websocket *websocket)
{
    int64_t now = clock_monotonic();
    session_t *session = memory_zeroed(1, sizeof(*session));
    session->place = sessions.free_count > 0 ? sessions.free[--sessions.free_count] : sessions.used++;
    insist(sessions.table[session->place] == NULL);
    sessions.table[session->place] = session;
    random_bytes(session->nonce, sizeof(session->nonce));
    session->service = service;
    session->client = client;
    session->language = language;
    session->websocket = websocket;
    session->join_due = now + frontend.config.realtime.connect_timeout * CLOCK_MILLISECOND;
    node_append(&sessions.joinings, &session->joining);
    expect_ping(session, now);
    sessions.count++;
    sessions.strangers++;
    count(COUNTER_REALTIME_SESSIONS, 1);
    service->on_open(session);
    return session;
}

session_t *session_create(const service_t *service, address_t client, enum language language, struct websocket *websocket)
{
    session_t *session = session_make(service, client, language, websocket);
    count(COUNTER_REALTIME_OPENED, 1);
    open_packet(session);
    return session;
}

/* --- to another frontend ------------------------------------------------------------------------------------------ */

#define QUEUED_PACKET(FIELD)                  \
    FIELD(boolean, binary, .required = true)  \
    FIELD(bytes, packet, .required = true)
MESSAGE_POSITIONAL(queued_packet, QUEUED_PACKET);

#define MOVED(FIELD)                                                                                               \
    FIELD(bytes, spoken, .required = true)                                                                         \
    FIELD(list, queue, .required = true, .message = &queued_packet_message)                                        \
    FIELD(boolean, ending, .required = true, .meaning = "its last words stand in the queue")
MESSAGE_POSITIONAL(moved, MOVED);

bool session_pack(session_t *session, bool hurry, buffer_t *out)
{
    static buffer_t spoken;
    moved_t moved = {0};
    spoken.length = 0;
    if (session->service->pack == NULL || !session->service->pack(session, hurry, &spoken))
        return false;
    queued_packet_t *packets = memory_zeroed(session->queue.count + 1, sizeof(*packets));
    size_t packet_count = 0;
    queue_t all = session->queue;
    frame_t **frames = memory_zeroed(all.count + 1, sizeof(*frames));
    session->queue = (queue_t){0};
    for (frame_t *frame; (frame = queue_take(&all)) != NULL; packet_count++) {
        frames[packet_count] = frame;
        message_set(&packets[packet_count], binary, frame_is_binary(frame));
        message_set(&packets[packet_count], packet, frame_packet(frame));
    }
    message_set(&moved, spoken, buffer_text(&spoken));
    message_set(&moved, queue, (list_t){.items = packets, .count = packet_count});
    message_set(&moved, ending, session->ending != NULL);
    message_pack(&moved_message, &moved, out);
    for (size_t i = 0; i < packet_count; i++)
        frame_release(&frames[i]);
    free(frames);
    free(packets);
    return true;
}

static void end_soon(session_t *, const char *reason);

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    panic("a session that came from another frontend takes more than %d bytes", MOVED_BYTES);
}

session_t *session_unpack(
    const service_t *service, address_t client, enum language language, struct websocket *websocket, text_t packed)
{
    static arena_t *arena;
    moved_t moved;
    problems_t problems;
    if (arena == NULL)
        arena = arena_create(MOVED_BYTES, on_limit, NULL);
    problems.arena = arena;
    problems.count = 0;
    session_t *session = NULL;
    if (message_read(&moved_message, packed, SOURCE_PEER, &moved, &problems) && sessions.count < sessions.capacity) {
        session = session_make(service, client, language, websocket);
        const queued_packet_t *packets = moved.queue.items;
        for (size_t i = 0; i < moved.queue.count; i++)
            session_send_packet(session, packets[i].packet, packets[i].binary);
        if (!service->unpack(session, moved.spoken)) {
            session_close(session, "it cannot be gone on with here");
            session = NULL;
        } else if (moved.ending)
            end_soon(session, "it ended at another frontend");
    }
    arena_reset(arena);
    return session;
}

void session_joined(session_t *session)
{
    if (session->joined)
        return;
    session->joined = true;
    sessions.strangers--;
    node_remove(&session->joining);
}

void session_close(session_t *session, const char *reason)
{
    if (session->closed)
        return;
    session->closed = true;
    session->service->on_close(session, reason);
    if (!session->joined)
        sessions.strangers--;
    node_remove(&session->beat);
    node_remove(&session->joining);
    polling_leave(session);
    websocket_leave(session);
    queue_clear(&session->queue);
    sessions.table[session->place] = NULL;
    sessions.free[sessions.free_count++] = session->place;
    sessions.count--;
    count(COUNTER_REALTIME_SESSIONS, -1);
    writing_end(session);
}

static void end_soon(session_t *session, const char *reason)
{
    session->ending = reason;
    session->due = clock_monotonic() + ENDING_MOST * CLOCK_SECOND;
    node_append(&sessions.endings, &session->beat);
}

void session_end(session_t *session, const char *reason)
{
    if (session->closed || session->ending != NULL)
        return;
    frame_t *goodbye = frame_make(TEXT("1"), false);
    queue_add(&session->queue, goodbye);
    frame_release(&goodbye);
    writing_add(session);
    end_soon(session, reason);
}

void session_written(session_t *session)
{
    if (session->ending != NULL)
        session_close(session, session->ending);
}

void session_upgrade(session_t *session)
{
    insist(session->probing != NULL && session->websocket == NULL);
    polling_leave(session);
    session->websocket = session->probing;
    session->probing = NULL;
    session->released = 0;
    count(COUNTER_REALTIME_UPGRADED, 1);
    if (session->queue.count > 0)
        websocket_flush(session->websocket);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static bool is_over(const session_t *session)
{
    const queue_t *queue = &session->queue;
    return (queue->bytes > (size_t)frontend.config.realtime.queue_bytes && queue->count > 1) ||
           queue->count > frontend.config.realtime.queue_messages;
}

/* It is told that it must look for itself, and let go. */
static void drop_slow(session_t *session)
{
    count(COUNTER_REALTIME_SLOW, 1);
    queue_clear(&session->queue);
    session->service->on_slow(session);
    session_end(session, "slow reader");
}

void session_send(session_t *session, frame_t *frame)
{
    if (session->closed || session->ending != NULL)
        return; /* nobody hears of anything behind the goodbye, least of all whose token is worth nothing now */
    queue_add(&session->queue, frame);
    count(COUNTER_REALTIME_SENT, 1);
    writing_add(session);
    if (is_over(session))
        drop_slow(session);
}

void session_send_packet(session_t *session, text_t packet, bool binary)
{
    frame_t *frame = frame_make(packet, binary);
    session_send(session, frame);
    frame_release(&frame);
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static bool is_flood(session_t *session)
{
    int64_t window = clock_monotonic() / (WINDOW * CLOCK_SECOND);
    if (session->window != window) {
        session->window = window;
        session->messages = 0;
    }
    return ++session->messages > frontend.config.realtime.messages;
}

bool session_receive(session_t *session, const engine_packet_t *packet)
{
    if (session->closed || session->ending != NULL)
        return false;
    count(COUNTER_REALTIME_RECEIVED, 1);
    if (is_flood(session)) {
        count(COUNTER_REALTIME_FLOODS, 1);
        session_close(session, "too many messages");
        return false;
    }
    switch (packet->type) {
    case ENGINE_PONG:
        if (session->pinged)
            expect_ping(session, clock_monotonic());
        break;
    case ENGINE_MESSAGE:
        if (!session->service->on_message(session, packet)) {
            count(COUNTER_REALTIME_BAD, 1);
            session_close(session, "parse error");
        }
        break;
    case ENGINE_CLOSE:
        polling_say(session, TEXT("6"));
        session_close(session, "client");
        break;
    default:
        break; /* an upgrade's words stand on the WebSocket that probes */
    }
    return !session->closed;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

/* What its time brings, if that has come. The deadline of an answer follows from when the ping was due, however late it was sent. */
static void expire(session_t *session)
{
    int64_t now = clock_monotonic();
    if (session->ending == NULL && !session->pinged && session->due <= now) {
        session->pinged = true;
        session->due += frontend.config.realtime.ping_timeout * CLOCK_MILLISECOND;
        node_append(&sessions.pongs, &session->beat);
        session_send_packet(session, TEXT("2"), false);
    }
    if (!session->closed && (session->pinged || session->ending != NULL) && session->due <= now) {
        count(COUNTER_REALTIME_TIMEOUTS, session->ending == NULL);
        session_close(session, session->ending != NULL ? session->ending : "ping timeout");
    }
    if (!session->closed && session->ending == NULL && !session->joined && session->join_due <= now) {
        count(COUNTER_REALTIME_TIMEOUTS, 1);
        session_end(session, "connect timeout");
    }
}

static void list_expire(session_node_t *list, int64_t now)
{
    while (list->next != list && SESSION_OF(list->next, beat)->due <= now)
        expire(SESSION_OF(list->next, beat));
}

static void drain_some(int64_t now);

static void on_tick(void *argument)
{
    int64_t now = clock_monotonic();
    (void)argument;
    list_expire(&sessions.pings, now);
    list_expire(&sessions.pongs, now);
    list_expire(&sessions.endings, now);
    while (sessions.joinings.next != &sessions.joinings) {
        session_t *session = SESSION_OF(sessions.joinings.next, joining);
        if (session->join_due > now)
            break;
        node_remove(&session->joining);
        expire(session);
    }
    websockets_look();
    if (sessions.draining)
        drain_some(now);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

int64_t sessions_count(void)
{
    return sessions.count;
}

uint32_t sessions_some(uint32_t place, uint32_t parts, void (*each)(session_t *, void *argument), void *argument)
{
    uint32_t end = place + sessions.used / parts + 1;
    for (; place < end && place < sessions.used; place++)
        if (sessions.table[place] != NULL)
            each(sessions.table[place], argument);
    return place < sessions.used ? place : 0;
}

void sessions_drain(void)
{
    sessions.draining = true;
    sessions.drain_began = clock_monotonic();
    sessions.drain_count = sessions.count;
}

/* Evenly over half of the time that a stop may take. */
static void drain_some(int64_t now)
{
    int64_t whole = frontend.config.http.drain_timeout * CLOCK_MILLISECOND / 2, since = now - sessions.drain_began;
    int64_t left = since >= whole ? 0 : sessions.drain_count - sessions.drain_count * since / whole;
    writing_feed_all(); /* who goes hears what was said before */
    for (uint32_t place = 0; place < sessions.used && sessions.count > left; place++)
        if (sessions.table[place] != NULL)
            session_close(sessions.table[place], "server stops");
}

void sessions_open(loop_t *loop)
{
    sessions.loop = loop;
    sessions.capacity = (uint32_t)frontend.config.realtime.max_sessions;
    sessions.table = memory_zeroed(sessions.capacity, sizeof(*sessions.table));
    sessions.free = memory_zeroed(sessions.capacity, sizeof(*sessions.free));
    sessions.admission = (double)frontend.config.realtime.admission;
    sessions.admission_at = clock_monotonic();
    list_begin(&sessions.pings);
    list_begin(&sessions.pongs);
    list_begin(&sessions.endings);
    list_begin(&sessions.joinings);
    loop->timer(loop, TICK, on_tick, NULL);
    writing_open(loop);
}
