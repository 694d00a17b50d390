/* websocket: a connection after its upgrade (RFC 6455). libwslay reads what comes (masks, reserved bits, fragments, UTF-8, sizes are
 * checked there) and makes pongs and closes; what we send are frames that many connections may share, written by libh2o's socket
 * several at a time. permessage-deflate is off: it would cost memory on each connection, and a frame could not be shared.
 *
 * What always holds: a websocket has a session, or wants to take one over (probe), or is closing; frames being written are held until
 * libh2o says that they were. */
#pragma once
#include "frontend/exchange.h"
#include "session.h"

typedef struct websocket websocket_t;

/* Answers the request with 101 and a new session, or 503 when none may begin now. False: it is no handshake of WebSocket 13 over HTTP/1.1; nothing was answered. */
bool websocket_accept(exchange_t *, const service_t *);
/* The same, and waits for the words that take the session over from polls. The session may be at another frontend. False also when too
 * many wait so (probes.h): the client goes on with polls. */
bool websocket_accept_probe(exchange_t *, const service_t *, text_t sid);

/* Writes what its session has queued, unless it is writing. */
void websocket_flush(websocket_t *);
/* The session has gone: its WebSockets say goodbye and close. */
void websocket_leave(session_t *);
/* Closes those that probe for too long. */
void websockets_look(void);
/* Frees those that were closed in this turn. */
void websockets_bury(void);
