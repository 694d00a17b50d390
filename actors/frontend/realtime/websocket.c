/* websocket: see the header. Nothing is freed while libwslay or libh2o may come back to it: what is closed is buried at the end of the
 * turn. An idle connection holds no buffer: libh2o's input buffer is given back whenever it is empty, and libwslay's parser, 9 KB of
 * buffers, whenever all frames that began have ended. */
#include "websocket.h"
#include "forward.h"
#include "polling.h"
#include "probes.h"
#include "frontend/counters.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "frontend/response.h"
#include <h2o/http1.h>
#include <h2o/websocket.h>
#include <stdlib.h>

enum {
    BATCH_FRAMES = 16,
    BATCH_BYTES = 128 << 10,
    CONTROLS_MOST = 32, /* pongs that a client lets us queue */
    HELD_MOST = 256, /* messages that a client sends behind its upgrade, until the session is here: each costs more than its bytes */
    GOODBYE_MOST = 2000, /* milliseconds that a client has to take what it is told last */
    PAYLOAD_SHORT = 125, /* bytes, whose number stands in a frame's second byte */
    FRAMES_MOST = 1024, /* until a message is whole: libwslay keeps each piece by itself, and no piece is too small */
};

typedef struct {
    int count;
    frame_t *frames[BATCH_FRAMES];
} batch_t;

/* A session elsewhere that a WebSocket wants to take over; it outlives the WebSocket until what was asked is answered. */
typedef struct {
    websocket_t *websocket; /* NULL: it is gone */
    char sid[SID_SIZE];
    bool asked;             /* an answer is to come */
    queue_t held;           /* what came after "5", until the session is here */
} remote_t;

struct websocket {
    h2o_socket_t *socket; /* NULL: the answer 101 is on its way, or it is closed */
    wslay_event_context_ptr parser; /* NULL: nothing has begun that has not ended */
    int64_t unread;     /* bytes that the parser was given, without those of the frames that it knows of; less than 0: some are to come */
    const service_t *service;
    session_t *session; /* it carries, or wants to; NULL: neither */
    batch_t *batch;     /* being written */
    queue_t control;
    int frames;         /* that came since the last whole message: pieces of the next one, pings */
    websocket_t *next;  /* that is to be buried */
    websocket_t *next_timed, **timed; /* timed: what points here; NULL: it may stay for ever */
    int64_t due;        /* clock_monotonic() */
    probe_t place;      /* while it probes */
    remote_t *remote;   /* the session that it probes for is at another frontend */
    address_t client;
    enum language language;
    bool probe, fetching, closing, closed, reading;
    bool answering;     /* libh2o writes the answer 101, and comes back to it */
    bool in_pieces;     /* a message has begun whose last frame is to come */
};

static struct {
    websocket_t *closed;
    websocket_t *first_timed; /* those that probe or end, in no order: there are few */
} websockets;

static void websocket_close(websocket_t *ws);

/* --- time --------------------------------------------------------------------------------------------------------- */

static void time_begin(websocket_t *ws, int64_t milliseconds)
{
    websocket_t *first = websockets.first_timed;
    insist(ws->timed == NULL);
    ws->due = clock_monotonic() + milliseconds * CLOCK_MILLISECOND;
    ws->next_timed = first;
    ws->timed = &websockets.first_timed;
    if (first != NULL)
        first->timed = &ws->next_timed;
    websockets.first_timed = ws;
}

static void time_end(websocket_t *ws)
{
    if (ws->timed == NULL)
        return;
    *ws->timed = ws->next_timed;
    if (ws->next_timed != NULL)
        ws->next_timed->timed = ws->timed;
    ws->timed = NULL;
}

static void probe_begin(websocket_t *ws)
{
    ws->probe = true;
    time_begin(ws, frontend.config.realtime.connect_timeout);
    probes_add(&ws->place, ws->client, clock_monotonic());
}

static void probe_end(websocket_t *ws)
{
    if (!ws->closing)
        time_end(ws);
    ws->probe = false;
    probes_remove(&ws->place);
}

/* It closes when what it is to say has been taken, or its time is over. */
static void ending_begin(websocket_t *ws)
{
    if (ws->closing)
        return;
    ws->closing = true;
    time_end(ws);
    time_begin(ws, GOODBYE_MOST);
}

void websockets_look(void)
{
    int64_t now = clock_monotonic();
    for (websocket_t *ws = websockets.first_timed, *next; ws != NULL; ws = next) {
        next = ws->next_timed;
        if (ws->due <= now) {
            count(COUNTER_REALTIME_TIMEOUTS, !ws->closing);
            websocket_close(ws);
        }
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static frame_t *next_frame(websocket_t *ws)
{
    frame_t *frame = queue_take(&ws->control);
    return frame != NULL || ws->session == NULL || ws->probe ? frame : queue_take(&ws->session->queue);
}

static void batch_release(websocket_t *ws)
{
    if (ws->batch == NULL)
        return;
    for (int i = 0; i < ws->batch->count; i++)
        frame_release(&ws->batch->frames[i]);
    free(ws->batch);
    ws->batch = NULL;
}

static void on_written(h2o_socket_t *socket, const char *error)
{
    websocket_t *ws = socket->data;
    batch_release(ws);
    if (error != NULL)
        websocket_close(ws);
    else
        websocket_flush(ws);
}

void websocket_flush(websocket_t *ws)
{
    h2o_iovec_t vectors[BATCH_FRAMES];
    size_t bytes = 0;
    frame_t *frame;
    if (ws->socket == NULL || ws->batch != NULL)
        return;
    int count = 0;
    while (count < BATCH_FRAMES && bytes < BATCH_BYTES && (frame = next_frame(ws)) != NULL) {
        if (ws->batch == NULL)
            ws->batch = memory_zeroed(1, sizeof(*ws->batch));
        ws->batch->frames[count] = frame;
        text_t wire = frame_wire(frame);
        vectors[count++] = h2o_iovec_init(wire.data, wire.length);
        bytes += wire.length;
    }
    if (count > 0) {
        ws->batch->count = count;
        h2o_socket_write(ws->socket, vectors, (size_t)count, on_written);
        return;
    }
    if (ws->closing)
        websocket_close(ws);
    else if (ws->session != NULL && !ws->probe)
        session_written(ws->session);
}

/* --- libwslay ----------------------------------------------------------------------------------------------------- */

static buffer_t made; /* frames that it makes by itself */

static ssize_t on_want_bytes(wslay_event_context_ptr parser, uint8_t *into, size_t length, int flags, void *argument)
{
    websocket_t *ws = argument;
    (void)flags;
    h2o_buffer_t *input = ws->socket != NULL ? ws->socket->input : NULL;
    if (input == NULL || input->size == 0) {
        wslay_event_set_error(parser, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (length > input->size)
        length = input->size;
    memcpy(into, input->bytes, length);
    h2o_buffer_consume(&ws->socket->input, length);
    ws->unread += (int64_t)length;
    return (ssize_t)length;
}

static ssize_t on_made(wslay_event_context_ptr parser, const uint8_t *bytes, size_t length, int flags, void *argument)
{
    (void)parser, (void)flags, (void)argument;
    buffer_add(&made, bytes, length);
    return (ssize_t)length;
}

/* What it wants to say goes before what waits. */
static void say_made(websocket_t *ws)
{
    while (wslay_event_want_write(ws->parser)) {
        made.length = 0;
        if (wslay_event_send(ws->parser) != 0 || made.length == 0)
            break;
        frame_t *frame = frame_raw(buffer_text(&made));
        queue_add(&ws->control, frame);
        frame_release(&frame);
    }
    if (ws->control.count > CONTROLS_MOST && !ws->closing)
        websocket_close(ws);
}

static void remote_leave(websocket_t *ws)
{
    remote_t *remote = ws->remote;
    if (remote == NULL)
        return;
    ws->remote = NULL;
    remote->websocket = NULL;
    queue_clear(&remote->held);
    if (!remote->asked)
        free(remote);
}

/* NULL: the WebSocket is gone. */
static websocket_t *remote_answered(remote_t *remote)
{
    websocket_t *ws = remote->websocket;
    remote->asked = false;
    if (ws == NULL)
        free(remote);
    return ws;
}

static void on_probed(void *argument, text_t answer)
{
    websocket_t *ws = remote_answered(argument);
    if (ws == NULL)
        return;
    if (answer.data == NULL) {
        websocket_close(ws);
        return;
    }
    frame_t *frame = frame_make(answer, false);
    queue_add(&ws->control, frame);
    frame_release(&frame);
    websocket_flush(ws);
}

static void on_fetched(void *argument, text_t packed)
{
    remote_t *remote = argument;
    websocket_t *ws = remote_answered(remote);
    engine_packet_t packet;
    if (ws == NULL)
        return;
    session_t *session = packed.data != NULL ? session_unpack(ws->service, ws->client, ws->language, ws, packed) : NULL;
    if (session == NULL) {
        websocket_close(ws);
        return;
    }
    count(COUNTER_REALTIME_FETCHED, 1);
    probe_end(ws);
    ws->session = session;
    queue_t held = remote->held;
    remote->held = (queue_t){0};
    remote_leave(ws);
    for (frame_t *frame; (frame = queue_take(&held)) != NULL;) {
        if (!session->closed && engine_read(frame_packet(frame), frame_is_binary(frame), &packet))
            session_receive(session, &packet);
        frame_release(&frame);
    }
}

/* What a WebSocket says whose session is at another frontend. */
static void remote_hears(websocket_t *ws, const engine_packet_t *packet, text_t message)
{
    remote_t *remote = ws->remote;
    bool good = false;
    if (ws->fetching) {
        frame_t *frame = frame_make(message, packet->binary);
        queue_add(&remote->held, frame);
        frame_release(&frame);
        good = remote->held.bytes <= (size_t)frontend.config.realtime.max_payload && remote->held.count <= HELD_MOST;
        if (!good)
            count(COUNTER_REALTIME_FLOODS, 1);
    } else if (!remote->asked && packet->type == ENGINE_PING && text_equal(packet->data, TEXT("probe")))
        good = remote->asked = forward_probe(ws->service, text_of(remote->sid), on_probed, remote);
    else if (packet->type == ENGINE_UPGRADE && !remote->asked)
        good = remote->asked = ws->fetching = ws->place.taking = forward_take(ws->service, text_of(remote->sid), on_fetched, remote);
    if (!good)
        websocket_close(ws);
}

static void probe_hears(websocket_t *ws, const engine_packet_t *packet)
{
    session_t *session = ws->session;
    if (packet->type == ENGINE_PING && text_equal(packet->data, TEXT("probe"))) {
        frame_t *frame = frame_make(TEXT("3probe"), false);
        queue_add(&ws->control, frame);
        frame_release(&frame);
        polling_release(session);
        websocket_flush(ws);
    } else if (packet->type == ENGINE_UPGRADE) {
        probe_end(ws);
        session_upgrade(session);
    } else
        websocket_close(ws);
}

/* With its header (RFC 6455, 5.2); libwslay lets pass the shortest form of a length alone, and what is masked. */
static int64_t frame_size(uint64_t payload)
{
    return (int64_t)payload + (payload <= PAYLOAD_SHORT ? 6 : payload <= UINT16_MAX ? 8 : 14);
}

/* A message in pieces of a byte would take a hundred times the memory of its bytes; and pings are no messages, which are counted. */
static void on_frame(wslay_event_context_ptr parser, const struct wslay_event_on_frame_recv_start_arg *frame, void *argument)
{
    websocket_t *ws = argument;
    (void)parser;
    ws->unread -= frame_size(frame->payload_length);
    if (!wslay_is_ctrl_frame(frame->opcode))
        ws->in_pieces = frame->fin == 0;
    if (ws->closed || ++ws->frames <= FRAMES_MOST)
        return;
    count(COUNTER_REALTIME_FLOODS, 1);
    websocket_close(ws);
}

static void on_message(wslay_event_context_ptr parser, const struct wslay_event_on_msg_recv_arg *message, void *argument)
{
    websocket_t *ws = argument;
    engine_packet_t packet;
    (void)parser;
    if (wslay_is_ctrl_frame(message->opcode) || ws->closed || ws->closing || (ws->session == NULL && ws->remote == NULL))
        return;
    ws->frames = 0;
    text_t text = {(const char *)message->msg, message->msg_length};
    connection_t *connection = connection_of_socket(ws->socket);
    if (connection != NULL)
        connection->noise = 0;
    if (!engine_read(text, message->opcode == WSLAY_BINARY_FRAME, &packet)) {
        count(COUNTER_REALTIME_BAD, 1);
        if (ws->probe)
            websocket_close(ws);
        else
            session_close(ws->session, "parse error");
        return;
    }
    if (ws->remote != NULL)
        remote_hears(ws, &packet, text);
    else if (ws->probe)
        probe_hears(ws, &packet);
    else
        session_receive(ws->session, &packet);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void input_give_back(h2o_socket_t *socket)
{
    if (socket->input->size != 0 || socket->input->capacity == 0)
        return;
    h2o_buffer_dispose(&socket->input);
    h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
}

/* The client said goodbye, or broke the rules. Whatever else it sends is not taken in: nobody would make room of it. */
static void read_end(websocket_t *ws)
{
    count(COUNTER_REALTIME_BAD, !ws->closing && !wslay_event_get_close_received(ws->parser));
    h2o_socket_read_stop(ws->socket);
    ending_begin(ws);
}

/* libwslay's goodbye after a broken frame has no code. */
static void say_broken_rule(websocket_t *ws)
{
    static const char close[] = {(char)0x88, 2, (char)(WSLAY_CODE_PROTOCOL_ERROR >> 8), (char)(WSLAY_CODE_PROTOCOL_ERROR & 0xff)};
    frame_t *frame = frame_raw((text_t){close, sizeof(close)});
    queue_add(&ws->control, frame);
    frame_release(&frame);
}

static void parser_begin(websocket_t *ws)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_want_bytes,
        .send_callback = on_made,
        .on_frame_recv_start_callback = on_frame,
        .on_msg_recv_callback = on_message};
    if (ws->parser != NULL)
        return;
    if (wslay_event_context_server_init(&ws->parser, &callbacks, ws) != 0)
        panic("no memory for a WebSocket");
    wslay_event_config_set_max_recv_msg_length(ws->parser, (uint64_t)frontend.config.realtime.max_payload);
}

/* What a fresh one would know as well need not be kept: 9 KB. */
static void parser_end(websocket_t *ws)
{
    if (ws->unread != 0 || ws->in_pieces || ws->closing || wslay_event_want_write(ws->parser))
        return;
    wslay_event_context_free(ws->parser);
    ws->parser = NULL;
}

static void read_some(websocket_t *ws)
{
    parser_begin(ws);
    ws->reading = true;
    int result = wslay_event_recv(ws->parser);
    ws->reading = false;
    if (ws->closed)
        return;
    input_give_back(ws->socket);
    if (result == 0)
        say_made(ws);
    else if (!ws->closing)
        say_broken_rule(ws);
    if (ws->closed)
        return;
    if (result != 0 || !wslay_event_want_read(ws->parser))
        read_end(ws);
    parser_end(ws);
    websocket_flush(ws);
}

static void on_read(h2o_socket_t *socket, const char *error)
{
    websocket_t *ws = socket->data;
    if (error != NULL)
        websocket_close(ws);
    else if (!ws->closed)
        read_some(ws);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

/* At the end of the turn; not while a client that reads nothing keeps the answer 101 from being written. */
static void bury_soon(websocket_t *ws)
{
    if (ws->answering)
        return;
    ws->next = websockets.closed;
    websockets.closed = ws;
}

static void socket_close(websocket_t *ws)
{
    h2o_socket_t *socket = ws->socket;
    connection_t *connection = connection_of_socket(socket);
    ws->socket = NULL;
    /* Over TLS libh2o waits for the client's goodbye; a client that gives none is cut at the next look (connections_look). */
    if (connection != NULL)
        connection->condemned = true;
    h2o_socket_close(socket);
}

static void websocket_close(websocket_t *ws)
{
    session_t *session = ws->session;
    if (ws->closed)
        return;
    ws->closed = true;
    ws->session = NULL;
    remote_leave(ws);
    if (ws->probe)
        probe_end(ws);
    time_end(ws);
    if (ws->socket != NULL)
        socket_close(ws);
    bury_soon(ws);
    if (session == NULL)
        return;
    if (session->probing == ws) {
        session->probing = NULL;
        session->released = 0;
    }
    if (session->websocket == ws) {
        session->websocket = NULL;
        session_close(session, "transport close");
    }
}

void websockets_bury(void)
{
    websocket_t **at = &websockets.closed, *ws;
    while ((ws = *at) != NULL) {
        insist(!ws->reading);
        *at = ws->next;
        batch_release(ws);
        queue_clear(&ws->control);
        if (ws->parser != NULL)
            wslay_event_context_free(ws->parser);
        free(ws);
    }
}

/* What the session has queued last goes out with the goodbye, if the client reads at all. */
static void say_goodbye(websocket_t *ws, queue_t *queue)
{
    ws->session = NULL;
    if (ws->closed)
        return;
    remote_leave(ws);
    for (frame_t *frame; (frame = queue_take(queue)) != NULL;) {
        queue_add(&ws->control, frame);
        frame_release(&frame);
    }
    parser_begin(ws);
    wslay_event_queue_close(ws->parser, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
    ending_begin(ws);
    say_made(ws);
    websocket_flush(ws);
}

void websocket_leave(session_t *session)
{
    websocket_t *ws = session->websocket, *probing = session->probing;
    queue_t none = {0};
    session->websocket = session->probing = NULL;
    if (ws != NULL)
        say_goodbye(ws, &session->queue);
    if (probing != NULL)
        say_goodbye(probing, &none);
}

/* --- the handshake ------------------------------------------------------------------------------------------------ */

static void begin(websocket_t *ws)
{
    if (ws->probe) {
        if (ws->session == NULL && ws->remote == NULL) /* closed meanwhile, or somebody else is taking it over */
            say_goodbye(ws, &(queue_t){0});
        return;
    }
    if (sessions_count() < frontend.config.realtime.max_sessions) /* others may have begun since it was welcome */
        ws->session = session_create(ws->service, ws->client, ws->language, ws);
    else
        say_goodbye(ws, &(queue_t){0});
}

static void on_upgraded(void *argument, h2o_socket_t *socket, size_t request_size)
{
    websocket_t *ws = argument;
    ws->socket = socket;
    ws->answering = false;
    if (ws->closed) { /* its time was over before it began */
        if (socket != NULL)
            socket_close(ws);
        bury_soon(ws);
        return;
    }
    if (socket == NULL) {
        websocket_close(ws);
        return;
    }
    connection_t *connection = connection_of_socket(socket);
    insist(connection != NULL);
    connection_upgrade(connection);
    socket->data = ws;
    h2o_buffer_consume(&socket->input, request_size);
    begin(ws);
    if (ws->closed)
        return;
    h2o_socket_read_start(socket, on_read);
    read_some(ws); /* who did not wait for the answer */
}

static bool is_handshake(exchange_t *exchange, const char **key)
{
    h2o_req_t *req = exchange->req;
    ssize_t version = h2o_find_header_by_str(&req->headers, H2O_STRLIT("sec-websocket-version"), -1);
    if (req->version >= 0x200 || h2o_is_websocket_handshake(req, key) != 0 || *key == NULL || version < 0)
        return false;
    return h2o_memis(req->headers.entries[version].value.base, req->headers.entries[version].value.len, H2O_STRLIT("13"));
}

static websocket_t *make(exchange_t *exchange, const service_t *service)
{
    websocket_t *ws = memory_zeroed(1, sizeof(*ws));
    ws->service = service;
    ws->client = exchange->client;
    ws->language = exchange->language;
    return ws;
}

static void answer(exchange_t *exchange, websocket_t *ws, const char *key)
{
    static const h2o_iovec_t accept_name = {H2O_STRLIT("sec-websocket-accept")};
    char accept[ACCEPT_KEY_SIZE];
    frame_accept_key(key, accept);
    h2o_req_t *req = exchange->req;
    req->res.status = 101;
    req->res.reason = "Switching Protocols";
    response_header(exchange, &H2O_TOKEN_UPGRADE->buf, TEXT("websocket"));
    response_header(exchange, &accept_name, response_copy(exchange, text_of(accept)));
    response_switched(exchange);
    ws->answering = true;
    h2o_http1_upgrade(req, NULL, 0, on_upgraded, ws);
}

bool websocket_accept(exchange_t *exchange, const service_t *service)
{
    const char *key = NULL;
    if (!is_handshake(exchange, &key))
        return false;
    if (session_welcome(exchange->client))
        answer(exchange, make(exchange, service), key);
    else
        response_unavailable(exchange, ERROR_UNAVAILABLE, 1);
    return true;
}

bool websocket_accept_probe(exchange_t *exchange, const service_t *service, text_t sid)
{
    const char *key = NULL;
    probe_t *gives_way;
    if (!is_handshake(exchange, &key))
        return false;
    if (!probes_room(exchange->client, clock_monotonic(), &gives_way)) {
        count(COUNTER_REALTIME_PROBES, 1);
        return false;
    }
    if (gives_way != NULL) {
        count(COUNTER_REALTIME_PROBES, 1);
        websocket_close((websocket_t *)((char *)gives_way - offsetof(websocket_t, place)));
    }
    websocket_t *ws = make(exchange, service);
    session_t *session = session_find(service, sid);
    probe_begin(ws);
    if (session_owner(sid) != 0 && session_owner(sid) != frontend.generation) {
        ws->remote = memory_zeroed(1, sizeof(*ws->remote));
        ws->remote->websocket = ws;
        memcpy(ws->remote->sid, sid.data, SID_SIZE - 1);
    }
    if (session != NULL && session->websocket == NULL && session->probing == NULL) {
        ws->session = session;
        session->probing = ws;
    }
    answer(exchange, ws, key);
    return true;
}
