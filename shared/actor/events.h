/* events: what actors tell each other (architecture.md, "Events between actors"). An event is written in the transaction of the
 * call that emits it, with a delivery for each actor that subscribes to its type; it is sent as a message until the
 * subscriber's handler has committed, and takes effect there once. Events of one aggregate arrive in their order; one that
 * fails is tried again with back-off and holds up its aggregate only; after DELIVERY_ATTEMPTS it is dead until
 * `aipotenctl events retry` or `skip`.
 *
 * A subscription is a row of the subscriber's table with .event and .input; an event's message stands in this file, because
 * both sides must know it. */
#pragma once
#include "call.h"

/* Emits in this call's transaction (which it begins). `value` is a struct of the event's message below. */
void event_emit(call_t *, const char *type, uuid_t aggregate, const message_t *, const void *value);

/* record.read: somebody read personal data of somebody else. Aggregate: the record that was read. */
#define RECORD_READ(FIELD)                                                                                         \
    FIELD(uuid, reader, .required = true, .meaning = "user who read")                                              \
    FIELD(text, reader_role, .required = true)                                                                     \
    FIELD(text, address, .nullable = true, .meaning = "from where")                                                \
    FIELD(text, record_kind, .required = true, .meaning = "child, user; users: a page of them")                    \
    FIELD(uuid, record, .required = true, .meaning = "zero for a page of many")                                    \
    FIELD(integer, records, .required = true, .min = 1, .max = 100000, .meaning = "how many were shown")           \
    FIELD(text, operation, .required = true)                                                                       \
    FIELD(time, at, .required = true)
MESSAGE(record_read, RECORD_READ);
