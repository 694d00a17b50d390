/* api: the realtime API, namespace "/": who may connect (an access token, shown in the handshake's `auth` and looked at again and
 * again), and what happens on each event that a client may send. An acknowledgement is {success, data} or {success, error}, as
 * answers over HTTP are. */
#pragma once
#include "topics.h"
#include "wire/errors.h"

extern const namespace_t api_namespaces[];
extern const int api_namespace_count;

void api_open(loop_t *);
/* Logged out, suspended, deleted: the sockets of the topic that this is said of end. */
void api_end(topic_t *, const realtime_end_t *);

/* --- for handlers ------------------------------------------------------------------------------------------------- */

/* Acknowledge; `data` is JSON. */
void api_succeed(const event_t *, text_t data);
void api_fail(const event_t *, enum error_code);
/* The uuid of this name in the event's first argument; false: it was refused. */
bool api_uuid(const event_t *, const char *name, uuid_t *out);
/* Asks the notifications actor for the event's user, as relay_ask does, within the limits of the client's address; what cannot be asked
 * is refused. `on_answer` begins with api_waits: its argument is of no use afterwards. */
void api_ask(const event_t *, const char *operation, const message_t *, const void *input,
    void (*on_answer)(void *argument, int status, text_t body));
/* The event that still waits for the answer; its arguments are gone. False: its socket is. */
bool api_waits(void *take_argument, event_t *out);
