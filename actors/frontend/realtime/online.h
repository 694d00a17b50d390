/* online: who has a socket here stands in shared memory (shm/presence.h), for whom that concerns: oneself always; a therapist who has
 * announced it by therapist_online, until therapist_offline or the end of the socket, to whom actors/notifications/presence.c says. */
#pragma once
#include "api.h"

/* Before the first socket. */
void online_open(loop_t *);
/* The socket was accepted, or came from another frontend; it is gone. */
void online_enter(socket_t *);
void online_leave(socket_t *);
/* therapist_online {therapistId}, therapist_offline {therapistId}: a therapist's own. */
void online_announce(const event_t *);
void online_withdraw(const event_t *);
/* presence {userId}: {userId, online, lastSeen}; lastSeen null: not as far as is remembered. 404: none of one's business. */
void online_ask(const event_t *);
