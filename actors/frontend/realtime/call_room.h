/* call_room: who is in the room of a video call, at whichever frontend, as far as it was heard here; so that those who are in it here are
 * told of each that went without a word: its frontend was killed, or its machine is not heard of any more. Frontends of this machine live
 * as long as the instance table says so; those of others until their broker says that they ended, or nothing was heard of them for
 * realtime.presence_lease: while their clients are in calls they say each fifth of it that they are there.
 *
 * What always holds: of a socket that is known to be in the room, its leaving is told once; what its frontend had said before its end and
 * comes later is not told any more. When a client comes back by another socket, the end of the one before is told first. Who was given
 * up and is heard of again has joined again. A room is remembered while somebody is in it here, and of so many sockets at most. */
#pragma once
#include "topics.h"

enum { CALL_ROOM_MOST = 32 /* sockets */ };

typedef struct {
    /* Show it to those in the room here, but to `except` (NULL: to all). */
    void (*tell)(topic_t *, enum realtime_call_act, uuid_t user, uuid_t socket, const uuid_t *except);
    /* All frontends shall say who is in the room, this one as well. */
    void (*ask)(topic_t *);
} call_room_says_t;

void call_room_open(loop_t *, const call_room_says_t *);
/* Somebody is in it here now. */
void call_room_begin(topic_t *);
/* Something was said in it. True: it is to be shown. */
bool call_room_take(topic_t *, const realtime_call_t *);
/* Hints may have been lost: who is in the rooms is asked anew, one room after the other: who does not answer within a
 * lease has left, and of whom nothing was known has joined. */
void call_rooms_lost(void);
/* The topic goes away. */
void call_room_forget(topic_t *);
