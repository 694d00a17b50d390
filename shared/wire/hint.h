/* hint: what travels between processes and the broker of their machine (shared/net/broker.h, broker/). A hint may be lost at any
 * moment: it costs speed, or makes somebody forget more than was needed, and is never the only carrier of a truth. */
#pragma once
#include "message.h"

enum { HINT_VERSION = 1, HINT_TOPIC_MAX = 64, HINT_PAYLOAD_MAX = 128 << 10 };

enum hint_act {
    HINT_SUBSCRIBE, /* to the broker: what is said of the topic is for the sender, until its generation ends */
    HINT_PUBLISH,   /* to the broker, and from it to those who subscribed */
    HINT_UNSUBSCRIBE,
};

#define HINT(FIELD)                                                                                                \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(integer, act, .required = true)                                                                          \
    FIELD(text, topic, .required = true, .min = 1, .max = HINT_TOPIC_MAX)                                          \
    FIELD(integer, sender, .required = true, .meaning = "generation of the process that sends; 0: the broker")     \
    FIELD(bytes, payload, .nullable = true)
MESSAGE_POSITIONAL(hint, HINT);

/* The instance table of this machine's segment has changed. No payload: look at the table. */
#define TOPIC_INSTANCES "instances"
/* Something that was said may not have been heard by who hears this: an actor ended between its COMMIT and its word, a queue was
 * full, another machine was out of reach. No payload: look at what is true. */
#define TOPIC_LOST "lost"
/* What concerns a user, everybody of a role, who is in a room, a session: "user:UUID". Payload: shared/wire/realtime.h. */
#define TOPIC_USER "user:"
#define TOPIC_ROLE "role:"
#define TOPIC_ROOM "room:"
#define TOPIC_SESSION "session:"
/* That a frontend whose clients are in calls is there, or that one has ended: for frontends, also of other machines. Payload: that of
 * realtime_pack_home. */
#define TOPIC_FRONTENDS "frontends"
/* Cached answers have become stale: for the brokers of other machines (this one's segment knows). Payload: stale.h. */
#define TOPIC_STALE "stale"
