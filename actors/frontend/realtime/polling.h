/* polling: Engine.IO over HTTP requests: one that waits for something to say (GET), and others that say something (POST). */
#pragma once
#include "session.h"

/* Answers a poll of this session (data NULL: the session is not there). */
void polling_ask(asker_t, session_t *);
void polling_tell(asker_t, session_t *, text_t body);
/* A new session, and its first packets. */
void polling_begin(exchange_t *, const service_t *);

/* Something is queued: whoever waits is given it. */
void polling_flush(session_t *);
/* Whoever waits is told just this. */
void polling_say(session_t *, text_t packet);
/* A WebSocket takes over: whoever waits is sent away, and so is who comes. */
void polling_release(session_t *);
/* Another frontend's client did not wait for this answer, or its frontend is gone. */
void polling_lost(session_t *, asker_t);
/* The session goes away, or on without polls. */
void polling_leave(session_t *);

/* What Engine.IO's errors are numbered. */
enum engine_error { ENGINE_UNKNOWN_TRANSPORT, ENGINE_UNKNOWN_SID, ENGINE_BAD_METHOD, ENGINE_BAD_REQUEST, ENGINE_FORBIDDEN, ENGINE_BAD_VERSION };
void engine_fail(asker_t, enum engine_error);
