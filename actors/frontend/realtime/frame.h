/* frame: what goes to clients, made once and shared by all who get it: an Engine.IO packet with a WebSocket header before it (RFC 6455,
 * 5.2), of which long-polling takes the packet alone. And the queue of those that a session has not been given yet. Pure. */
#pragma once
#include "base/memory.h"

typedef struct frame frame_t;

/* A frame of this packet, as it stands in a WebSocket message; whoever makes it holds it. */
frame_t *frame_make(text_t packet, bool binary);
/* Bytes that are whole WebSocket frames already, which long-polling never sees: libwslay's own, pong and close. */
frame_t *frame_raw(text_t wire);
frame_t *frame_hold(frame_t *);
void frame_release(frame_t **);
/* With its header. */
text_t frame_wire(const frame_t *);
text_t frame_packet(const frame_t *);
bool frame_is_binary(const frame_t *);

/* Sec-WebSocket-Accept of a key of 24 characters (RFC 6455, 4.2.2). */
enum { ACCEPT_KEY_SIZE = 29, CLIENT_KEY_LENGTH = 24 };
void frame_accept_key(const char *client_key, char out[static ACCEPT_KEY_SIZE]);

typedef struct queued queued_t;
typedef struct {
    queued_t *first, *last;
    uint32_t count;
    size_t bytes;
} queue_t;

/* Holds the frame. */
void queue_add(queue_t *, frame_t *);
/* NULL: it is empty. */
frame_t *queue_first(const queue_t *);
/* The first one, which the caller holds then; NULL: it is empty. */
frame_t *queue_take(queue_t *);
void queue_clear(queue_t *);
