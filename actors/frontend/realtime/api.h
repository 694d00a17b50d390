/* api: the realtime API, namespace "/": who may connect (an access token, shown in the handshake's `auth` and looked at again and
 * again), and what happens on each event that a client may send. An acknowledgement is {success, data} or {success, error}, as
 * answers over HTTP are. */
#pragma once
#include "topics.h"

extern const namespace_t api_namespaces[];
extern const int api_namespace_count;

void api_open(loop_t *);
/* Logged out, suspended, deleted: the sockets of the topic that this is said of end. */
void api_end(topic_t *, const realtime_end_t *);
