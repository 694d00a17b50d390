/* realtime: Socket.IO for clients, apart from HTTP's ways. Its files, from the wire upwards:
 *
 *     packet.c frame.c            packets and shared frames, pure
 *     websocket.c polling.c       transports
 *     probes.c                    how many WebSockets may want to take sessions over, pure
 *     forward.c                   what belongs to a session of another frontend
 *     session.c writing.c         Engine.IO sessions: ids, heartbeats, queues; when these are written
 *     socket.c                    Socket.IO: namespaces, events, acknowledgements
 *     topics.c fanout.c news.c    who is told what is said of a user, a role, a room; what was missed is asked for
 *     api.c video_call.c turn.c   the realtime API: tokens, events, video calls
 *     call_room.c                 who is in a call, at whichever frontend
 *     conformance.c               echoes for the public test suites */
#pragma once
#include "frontend/exchange.h"

/* After relay_open: before its hooks have run nothing is written. */
void realtime_open(loop_t *);
/* The last thing before the process ends: it ends ZeroMQ. */
void realtime_close(void);
/* Told to stop. */
void realtime_drain(void);
/* The destination of a path of ours, whatever the method; NULL: it is none. */
const destination_t *realtime_destination(text_t path);
