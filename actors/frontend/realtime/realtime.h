/* realtime: Socket.IO for clients, apart from HTTP's ways. Its files, from the wire upwards:
 *
 *     packet.c frame.c            packets and shared frames, pure
 *     websocket.c polling.c       transports
 *     session.c                   Engine.IO sessions: ids, heartbeats, queues
 *     socket.c                    Socket.IO: namespaces, events, acknowledgements
 *     conformance.c               echoes for the public test suites */
#pragma once
#include "frontend/exchange.h"

/* After relay_open: before its hooks have run nothing is written. */
void realtime_open(loop_t *);
/* Told to stop. */
void realtime_drain(void);
/* The destination of a path of ours, whatever the method; NULL: it is none. */
const destination_t *realtime_destination(text_t path);
