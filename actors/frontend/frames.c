/* frames: counting, by type; who sends too many of one is told ENHANCE_YOUR_CALM, and is gone.
 *
 * Bodies that arrive are counted on their connection and its address as long as libh2o holds them: an entry for each request with a
 * body lives in the request's pool and dies with it. */
#include "frames.h"
#include <dlfcn.h>
#include "base/clock.h"
#include "base/panic.h"
#include "connection.h"
#include "exchange.h"

/* RFC 9113, 6; libh2o's header for it is not in Debian's package. */
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum {
    DATA_SMALL = 64,  /* bytes: a body in such pieces is counted */
    HEAD_TIMES = 4,   /* a header up to so many times http.max_header is read, and answered 431 */
    HEAD_SMALL = 4096,
    FIELD_COST = 64,  /* bytes that a field takes, whatever is in it */
    PROTOCOL_ERROR = -1,
};

typedef struct {
    uint32_t length;
    uint8_t type, flags;
    uint32_t stream;
    const uint8_t *payload;
} frame_t;

typedef struct arrival {
    connection_t *connection; /* NULL: its socket is gone */
    struct arrival *previous, *next;
    uint32_t stream;
    size_t bytes;
} arrival_t;

typedef void read_start_t(h2o_socket_t *, h2o_socket_cb);
typedef ssize_t decode_frame_t(frame_t *, const uint8_t *from, size_t length, const void *settings, const char **reason);
typedef void encode_rst_stream_t(h2o_buffer_t **, uint32_t stream, int error);
read_start_t h2o_socket_read_start;
decode_frame_t h2o_http2_decode_frame;
encode_rst_stream_t h2o_http2__encode_rst_stream_frame;

static struct {
    read_start_t *read_start;
    decode_frame_t *decode_frame;
    encode_rst_stream_t *encode_rst_stream;
    connection_t *current; /* whose bytes are being read */
    frame_t frame;         /* the last one, for the functions that are called because of it */
} frames;

static void *function_of(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        panic("libh2o has no %s", name);
    return function;
}

void frames_open(void)
{
    *(void **)&frames.read_start = function_of("h2o_socket_read_start");
    *(void **)&frames.decode_frame = function_of("h2o_http2_decode_frame");
    *(void **)&frames.encode_rst_stream = function_of("h2o_http2__encode_rst_stream_frame");
}

/* --- whose bytes -------------------------------------------------------------------------------------------------- */

static void on_read(h2o_socket_t *socket, const char *error)
{
    connection_t *connection = frames.current = socket->on_close.data;
    connection->noise += socket->bytes_read;
    if (socket->bytes_read > 0)
        connection->pipelined = 0;
    connection->read(socket, error);
    if (frames.current != connection || connection->socket == NULL)
        return;
    connection_hold_input(connection, socket->input->size);
    if (!connection->http2 && connection->header_since == 0 && connection->open == 0 && socket->input->size > 0)
        connection->header_since = clock_monotonic();
    if (connection->noise > (size_t)frontend.config.abuse.memory_address)
        abuse_end(connection, ABUSE_NOISE);
}

void h2o_socket_read_start(h2o_socket_t *socket, h2o_socket_cb callback)
{
    connection_t *connection = connection_of_socket(socket);
    if (connection == NULL) {
        frames.read_start(socket, callback);
        return;
    }
    /* Over TLS the first one to read is the handshake. */
    connection->introduced = connection->introduced || (connection->read != NULL && connection->read != callback);
    connection->read = callback;
    frames.current = connection; /* libh2o may go on with what has come already */
    frames.read_start(socket, on_read);
}

void frames_forget(const connection_t *connection)
{
    if (frames.current == connection)
        frames.current = NULL;
    for (arrival_t *arrival = connection->arrivals; arrival != NULL; arrival = arrival->next)
        arrival->connection = NULL;
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */

static void on_arrival_gone(void *argument)
{
    arrival_t *arrival = argument;
    connection_t *connection = arrival->connection;
    if (connection == NULL)
        return;
    if (arrival->previous != NULL)
        arrival->previous->next = arrival->next;
    else
        connection->arrivals = arrival->next;
    if (arrival->next != NULL)
        arrival->next->previous = arrival->previous;
    connection_hold_body(connection, -(ssize_t)arrival->bytes);
}

static void arrival_begin(connection_t *connection, h2o_req_t *req, uint32_t stream, size_t bytes)
{
    arrival_t *arrival = h2o_mem_alloc_shared(&req->pool, sizeof(*arrival), on_arrival_gone);
    *arrival = (arrival_t){.connection = connection, .next = connection->arrivals, .stream = stream, .bytes = bytes};
    if (connection->arrivals != NULL)
        connection->arrivals->previous = arrival;
    connection->arrivals = arrival;
    connection_hold_body(connection, (ssize_t)bytes);
}

static void body_arrives(connection_t *connection, const frame_t *frame)
{
    arrival_t *arrival = connection->arrivals;
    while (arrival != NULL && arrival->stream != frame->stream)
        arrival = arrival->next;
    if (arrival == NULL)
        return;
    arrival->bytes += frame->length;
    connection_hold_body(connection, frame->length);
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

bool frames_head_begins(h2o_req_t *req, size_t length)
{
    if (length <= (size_t)frontend.config.http.max_header * HEAD_TIMES)
        return true;
    abuse_end(connection_of(req), ABUSE_FIELDS);
    return false;
}

bool frames_head_ends(h2o_req_t *req, size_t length)
{
    connection_t *connection = connection_of(req);
    if (req->headers.size > (size_t)frontend.config.abuse.fields) {
        abuse_end(connection, ABUSE_FIELDS);
        return false;
    }
    bool whole = (frames.frame.flags & END_STREAM) != 0 && frames.frame.type == HEADERS;
    if (connection == frames.current && (!whole || length > HEAD_SMALL))
        arrival_begin(connection, req, frames.frame.stream, length + req->headers.size * FIELD_COST);
    return true;
}

static bool head_is_bounded(connection_t *connection, const frame_t *frame)
{
    if (frame->type == HEADERS)
        connection->head_bytes = 0;
    connection->head_bytes += frame->length;
    bool ends = (frame->flags & END_HEADERS) != 0;
    if (ends)
        connection->header_since = 0;
    else if (connection->header_since == 0)
        connection->header_since = clock_monotonic();
    if (connection->head_bytes <= (size_t)frontend.config.http.max_header * HEAD_TIMES)
        return true;
    abuse_end(connection, ABUSE_FIELDS);
    return false;
}

/* --- each frame --------------------------------------------------------------------------------------------------- */

static bool is_borne(connection_t *connection, const frame_t *frame)
{
    static const enum abuse kinds[] = {[PRIORITY] = ABUSE_PRIORITIES,
        [RST_STREAM] = ABUSE_RESETS,
        [PUSH_PROMISE] = ABUSE_FRAMES,
        [GOAWAY] = ABUSE_FRAMES,
        [WINDOW_UPDATE] = ABUSE_WINDOWS};
    switch (frame->type) {
    case DATA:
        body_arrives(connection, frame);
        return frame->length >= DATA_SMALL || (frame->flags & END_STREAM) != 0 || abuse_count(connection, ABUSE_DATA, 1);
    case HEADERS:
        return head_is_bounded(connection, frame);
    case CONTINUATION:
        return head_is_bounded(connection, frame) && abuse_count(connection, ABUSE_CONTINUATIONS, 1);
    case SETTINGS:
        return (frame->flags & ACK) != 0 || abuse_count(connection, ABUSE_SETTINGS, 1);
    case PING:
        return abuse_count(connection, ABUSE_PINGS, 1);
    case PRIORITY:
    case RST_STREAM:
    case PUSH_PROMISE:
    case GOAWAY:
    case WINDOW_UPDATE:
        return abuse_count(connection, kinds[frame->type], 1);
    default:
        return abuse_count(connection, ABUSE_FRAMES, 1);
    }
}

ssize_t h2o_http2_decode_frame(frame_t *frame, const uint8_t *from, size_t length, const void *settings, const char **reason)
{
    ssize_t result = frames.decode_frame(frame, from, length, settings, reason);
    connection_t *connection = frames.current;
    if (result < 0 || connection == NULL || connection->socket == NULL ||
        (const char *)from != connection->socket->input->bytes)
        return result;
    connection->http2 = true;
    frames.frame = *frame;
    if (connection->condemned)
        return FRAMES_CALM;
    /* After the second GOAWAY of a stop libh2o 2.2.5 would read the same CONTINUATION frame again for ever. */
    if (frame->type == CONTINUATION && frontend_draining)
        return PROTOCOL_ERROR;
    if (is_borne(connection, frame))
        return result;
    *reason = "too many of them";
    return FRAMES_CALM;
}

/* Not because of the client's data for a stream that is gone, of which there may be a window full. */
void h2o_http2__encode_rst_stream_frame(h2o_buffer_t **buffer, uint32_t stream, int error)
{
    connection_t *connection = frames.current;
    frames.encode_rst_stream(buffer, stream, error);
    if (connection == NULL || connection->socket == NULL)
        return;
    abuse_count(connection, stream == connection->last_reset ? ABUSE_DATA : ABUSE_RESETS, 1);
    connection->last_reset = stream;
}
