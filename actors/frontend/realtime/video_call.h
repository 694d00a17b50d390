/* video_call: signalling of video calls: a room for each consultation, which its two parties alone may join; what one of them says there the
 * other is told. Media go their own way, by TURN when they must. */
#pragma once
#include "api.h"

void video_call_open(loop_t *, text_t turn_secret);
/* join_call {consultationId}: the room, and servers to reach each other by. The others in it hear call_joined. */
void video_call_join(const event_t *);
/* signal {consultationId, data}: the others hear it with userId and socketId of who said it. */
void video_call_signal(const event_t *);
/* leave_call {consultationId}: the others hear call_left; so they do when the socket goes, or its frontend is killed (call_room.h). */
void video_call_leave(const event_t *);
void video_call_forget(socket_t *);
/* It came from another frontend, with its rooms. */
void video_call_moved(socket_t *);
/* Said in the topic, here or at another frontend. */
void video_call_heard(topic_t *, const realtime_call_t *);
