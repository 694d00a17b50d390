/* realtime: what is said of a user, a role or a room, as the payload of a hint (hint.h); the frontends that hold sockets of it show it
 * there. Topics: "user:UUID", "role:ROLE", "room:NAME", "session:UUID".
 *
 * What always holds: the table of whoever says it is the truth, and what is said here may be lost. */
#pragma once
#include "message.h"

enum { REALTIME_VERSION = 1, REALTIME_NAME_MOST = 64, REALTIME_ARGUMENTS_MOST = 64 << 10 };

enum realtime_kind {
    REALTIME_EVENT, /* an event for the sockets of the topic */
    REALTIME_END,   /* the sockets of the topic end: logged out, suspended, deleted */
};

/* `id` and `seq` are those of the row behind it, where it is one: seq counts per user, and is what a client that was away catches
 * up from. */
#define REALTIME_EVENT_FIELDS(FIELD)                                                                               \
    FIELD(text, name, .required = true, .min = 1, .max = REALTIME_NAME_MOST, .meaning = "new_notification")        \
    FIELD(uuid, id, .nullable = true)                                                                              \
    FIELD(integer, seq, .nullable = true)                                                                          \
    FIELD(json, arguments, .required = true, .meaning = "the one argument of the event, JSON")                      \
    FIELD(bytes, except, .nullable = true, .meaning = "ids of users who are not shown it, in their order, one after the other")
MESSAGE_POSITIONAL(realtime_event, REALTIME_EVENT_FIELDS);

#define REALTIME_END_FIELDS(FIELD)                                                                                 \
    FIELD(uuid, user, .required = true)                                                                            \
    FIELD(uuid, session, .nullable = true, .meaning = "null: all sessions of the user")                            \
    FIELD(text, reason, .required = true, .min = 1, .max = REALTIME_NAME_MOST, .meaning = "a word: logout, suspended, deleted")
MESSAGE_POSITIONAL(realtime_end, REALTIME_END_FIELDS);

/* The payload of a hint: appended to *out. */
void realtime_pack_event(const realtime_event_t *, buffer_t *out);
void realtime_pack_end(const realtime_end_t *, buffer_t *out);

typedef struct {
    enum realtime_kind kind;
    union {
        realtime_event_t event;
        realtime_end_t end;
    };
} realtime_t;
/* Reads such a payload; texts point into it. False: it is none, or another build's. */
bool realtime_read(text_t payload, realtime_t *out);
