/* packet: packets of Engine.IO, protocol 4 (https://socket.io/docs/v4/engine-io-protocol/), and of Socket.IO, protocol 5
 * (https://socket.io/docs/v4/socket-io-protocol/), both ways. Pure: borrows what it reads, keeps nothing. */
#pragma once
#include "base/memory.h"
#include <jansson.h>

enum engine_type { ENGINE_OPEN, ENGINE_CLOSE, ENGINE_PING, ENGINE_PONG, ENGINE_MESSAGE, ENGINE_UPGRADE, ENGINE_NOOP, ENGINE_TYPES };

typedef struct {
    enum engine_type type;
    bool binary; /* a message of bytes */
    text_t data;
} engine_packet_t;

/* One WebSocket message. False: it is no packet. */
bool engine_read(text_t message, bool binary, engine_packet_t *out);

/* A payload of long-polling: packets with 0x1E between them, bytes as "b" and base64. Cuts the first one off *rest (data NULL after
 * the last). Bytes are decoded into *scratch, which the packet points into. False: it is none. */
enum { ENGINE_SEPARATOR = 0x1e };
bool engine_payload_next(text_t *rest, buffer_t *scratch, engine_packet_t *out);
/* Appends a packet to a payload; `packet` as it stands in a WebSocket message. */
void engine_payload_add(buffer_t *payload, text_t packet, bool binary);
/* So many bytes that would be added at most. */
size_t engine_payload_size(size_t length, bool binary);

enum socket_type {
    SOCKET_CONNECT,
    SOCKET_DISCONNECT,
    SOCKET_EVENT,
    SOCKET_ACK,
    SOCKET_CONNECT_ERROR,
    SOCKET_BINARY_EVENT,
    SOCKET_BINARY_ACK,
    SOCKET_TYPES
};

enum { SOCKET_ATTACHMENTS_MOST = 64, SOCKET_NAMESPACE_MOST = 64, SOCKET_NO_ID = -1 };

typedef struct {
    enum socket_type type;
    int attachments; /* messages of bytes that follow */
    text_t namespace; /* "/" when none was said; without a query */
    int64_t id;      /* SOCKET_NO_ID: none */
    text_t data;     /* JSON, not looked at; empty: none */
} socket_packet_t;

/* The data of an Engine.IO message. False: it is no packet. */
bool socket_read(text_t data, socket_packet_t *out);
/* Its JSON, when it is what its type must have: an object or nothing to connect, an array that begins with the name of an event
 * that clients may send, an array of what acknowledges, nothing to disconnect; placeholders must number the attachments. NULL in
 * *out: nothing. The caller json_decrefs. */
bool socket_read_data(const socket_packet_t *, json_t **out);
/* Appends the packet as an Engine.IO message, its type before it. */
void socket_write(buffer_t *out, const socket_packet_t *packet);
