/* topics: which sockets are told what is said of a topic (wire/hint.h): a user's, a role's, a room's. A topic that a socket here is in
 * is followed at the broker, from the first one on until the last one has left.
 *
 * What always holds: a socket is in a topic once; a topic without sockets is not there. */
#pragma once
#include "socket.h"
#include "wire/hint.h"
#include "wire/realtime.h"

typedef struct topic topic_t;

typedef struct membership {
    socket_t *socket;
    topic_t *topic;
    struct membership *previous, *next; /* of the topic */
    struct membership *other;           /* of the socket */
} membership_t;

struct topic {
    topic_t *next; /* in its bucket */
    membership_t *members;
    int64_t count;
    struct catch_up *catch_up; /* of a user's: what was said so far (news.c); NULL: it is none */
    struct call_room *call_room; /* of a video call's room: who is in it (call_room.c); NULL: it is none */
    char name[HINT_TOPIC_MAX + 1];
};

void topics_open(void);
/* NULL: nobody here is in it. */
topic_t *topic_find(text_t name);
/* True: it is in it now (or was already). False: it is in as many as a socket may be. */
bool topic_join(socket_t *, text_t name);
void topic_leave(socket_t *, text_t name);
/* Leaves all of them. */
void topics_leave(socket_t *);
/* Each of them; `each` changes none. */
void topics_each(void (*each)(topic_t *));
bool topic_has(const socket_t *, text_t name);
