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
    REALTIME_CALL,  /* said in the room of a video call, by one of its sockets or on behalf of one */
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

enum realtime_call_act {
    CALL_JOINED, /* the first three are shown to the others in the room */
    CALL_SIGNAL,
    CALL_LEFT,
    CALL_HERE, /* it was in the room already: told to frontends that may not know */
    CALL_WHO,  /* a frontend asks who is; without a socket */
    CALL_MOVES, /* it goes to another frontend, which says that it is here; or it never gets there */
    CALL_ACTS
};

/* Where the socket is stands in each of them: who is never heard of again because its frontend was killed shall be missed. */
#define REALTIME_CALL_FIELDS(FIELD)                                                                                \
    FIELD(integer, act, .required = true)                                                                          \
    FIELD(uuid, machine, .required = true, .meaning = "segment_identity of the frontend that holds the socket")    \
    FIELD(integer, generation, .required = true, .meaning = "of that frontend")                                    \
    FIELD(uuid, socket, .required = true)                                                                          \
    FIELD(uuid, user, .required = true)                                                                            \
    FIELD(integer, client, .required = true, .meaning = "the same when a client comes back with another socket; 0: it is not known") \
    FIELD(json, data, .nullable = true, .meaning = "of a signal, JSON")
MESSAGE_POSITIONAL(realtime_call, REALTIME_CALL_FIELDS);

#define REALTIME_HOME_FIELDS(FIELD)                                                                                \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(uuid, machine, .required = true)                                                                         \
    FIELD(integer, generation, .required = true)                                                                   \
    FIELD(boolean, ended, .required = true)
MESSAGE_POSITIONAL(realtime_home, REALTIME_HOME_FIELDS);

/* The payload of a hint: appended to *out. */
void realtime_pack_event(const realtime_event_t *, buffer_t *out);
void realtime_pack_end(const realtime_end_t *, buffer_t *out);
void realtime_pack_call(const realtime_call_t *, buffer_t *out);
/* The payload of TOPIC_FRONTENDS. */
void realtime_pack_home(uuid_t machine, uint64_t generation, bool ended, buffer_t *out);
bool realtime_read_home(text_t payload, realtime_home_t *out);

typedef struct {
    enum realtime_kind kind;
    union {
        realtime_event_t event;
        realtime_end_t end;
        realtime_call_t call;
    };
} realtime_t;
/* Reads such a payload; texts point into it. False: it is none, or another build's. */
bool realtime_read(text_t payload, realtime_t *out);
