/* websocket: see the header. Nothing is freed while libwslay or libh2o may come back to it: what is closed is buried at the end of the
 * turn. An idle connection holds no buffer: libh2o's input buffer is given back whenever it is empty. */
#include "websocket.h"
#include "polling.h"
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
    PROBES_MOST = 256, /* of one frontend at a time */
    CONTROLS_MOST = 32, /* pongs that a client lets us queue */
};

typedef struct {
    int count;
    frame_t *frames[BATCH_FRAMES];
} batch_t;

struct websocket {
    h2o_socket_t *socket; /* NULL: the answer 101 is on its way, or it is closed */
    wslay_event_context_ptr parser;
    const service_t *service;
    session_t *session; /* it carries, or wants to; NULL: neither */
    batch_t *batch;     /* being written */
    queue_t control;
    websocket_t *next;  /* that is to be buried */
    address_t client;
    bool secure, probe, closing, closed, reading;
};

static struct {
    websocket_t *closed;
    int probes;
} websockets;

static void websocket_close(websocket_t *ws);

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
    if (ws->control.count > CONTROLS_MOST)
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
        ws->probe = false;
        websockets.probes--;
        session_upgrade(session);
    } else
        websocket_close(ws);
}

static void on_message(wslay_event_context_ptr parser, const struct wslay_event_on_msg_recv_arg *message, void *argument)
{
    websocket_t *ws = argument;
    engine_packet_t packet;
    (void)parser;
    if (wslay_is_ctrl_frame(message->opcode) || ws->closed || ws->closing || ws->session == NULL)
        return;
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
    if (ws->probe)
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

static void read_some(websocket_t *ws)
{
    ws->reading = true;
    int result = wslay_event_recv(ws->parser);
    ws->reading = false;
    if (ws->closed)
        return;
    input_give_back(ws->socket);
    if (result != 0) {
        websocket_close(ws);
        return;
    }
    say_made(ws);
    if (ws->closed)
        return;
    if (!wslay_event_want_read(ws->parser)) /* it was told goodbye, or said so because of what came */
        ws->closing = true;
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
    if (ws->probe)
        websockets.probes--;
    if (ws->socket != NULL)
        socket_close(ws);
    ws->next = websockets.closed;
    websockets.closed = ws;
    if (session == NULL)
        return;
    if (session->probing == ws) {
        session->probing = NULL;
        session->released = false;
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
    for (frame_t *frame; (frame = queue_take(queue)) != NULL;) {
        queue_add(&ws->control, frame);
        frame_release(&frame);
    }
    wslay_event_queue_close(ws->parser, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
    say_made(ws);
    ws->closing = true;
    if (ws->batch != NULL)
        websocket_close(ws); /* it does not take what it was given: no goodbye would reach it */
    else
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
        if (ws->session == NULL) /* closed meanwhile, or somebody else is taking it over */
            say_goodbye(ws, &(queue_t){0});
        return;
    }
    if (session_welcome(ws->client))
        ws->session = session_create(ws->service, ws->client, ws->secure, ws);
    else
        say_goodbye(ws, &(queue_t){0});
}

static void on_upgraded(void *argument, h2o_socket_t *socket, size_t request_size)
{
    websocket_t *ws = argument;
    ws->socket = socket;
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
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_want_bytes, .send_callback = on_made, .on_msg_recv_callback = on_message};
    websocket_t *ws = memory_zeroed(1, sizeof(*ws));
    ws->service = service;
    ws->client = exchange->client;
    ws->secure = exchange->secure;
    if (wslay_event_context_server_init(&ws->parser, &callbacks, ws) != 0)
        panic("no memory for a WebSocket");
    wslay_event_config_set_max_recv_msg_length(ws->parser, (uint64_t)frontend.config.realtime.max_payload);
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
    h2o_http1_upgrade(req, NULL, 0, on_upgraded, ws);
}

bool websocket_accept(exchange_t *exchange, const service_t *service)
{
    const char *key = NULL;
    if (!is_handshake(exchange, &key))
        return false;
    answer(exchange, make(exchange, service), key);
    return true;
}

bool websocket_accept_probe(exchange_t *exchange, const service_t *service, text_t sid)
{
    const char *key = NULL;
    if (!is_handshake(exchange, &key) || websockets.probes >= PROBES_MOST)
        return false;
    websocket_t *ws = make(exchange, service);
    session_t *session = session_find(service, sid);
    ws->probe = true;
    websockets.probes++;
    if (session != NULL && session->websocket == NULL && session->probing == NULL) {
        ws->session = session;
        session->probing = ws;
    }
    answer(exchange, ws, key);
    return true;
}
