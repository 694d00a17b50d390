/* presence: who is online on this machine, and until when others were, in shared memory. Each frontend writes a table of its own; who
 * asks looks at all of them. A table counts as long as its row of the instance table has the table's generation and a living
 * process: what a killed frontend wrote makes nobody online, at once, and nobody has to clean up. Those it held were last seen
 * when it last said that it was there (presence_beat).
 *
 * A table outlives its process: the next one in the same slot takes it over, so that a restart forgets nobody. What it has no room
 * for is an older last time, never somebody who is online; with more than PRESENCE_USERS online at one frontend (or too many whose
 * places coincide, or 65,536 sockets of one) the rest are not seen, which presence_change tells.
 *
 * Times are clock_now(). Who may be told is not decided here (actors/notifications/presence.c). */
#pragma once
#include "segment.h"

enum { PRESENCE_SETS = 4096, PRESENCE_WAYS = 16, PRESENCE_USERS = PRESENCE_SETS * PRESENCE_WAYS };

typedef struct {
    bool online;            /* a socket at a living frontend */
    bool announced;         /* and has said so for others to see (therapist_online) */
    int64_t seen;           /* online, last; 0: not as far as is remembered */
    int64_t announced_seen; /* announced, last; 0: likewise */
} presence_t;

/* Takes over the table of the instance that runs here; before its first socket. Returns its slot. */
int presence_begin(segment_t *, const segment_instance_t *self);
/* So many sockets and announced sockets of the user more (or less) at `slot`, which is one's own. False: there is no room. Who was
 * refused must not be taken away later. */
bool presence_change(segment_t *, int slot, uuid_t user, int sockets, int announced, int64_t now);
/* The account is no more: nothing is remembered of when it was online. Any process may say so; who writes a table does it at its next
 * beat, when the user's last socket there is gone. */
void presence_forget(segment_t *, uuid_t user);
/* `slot`, one's own, lives: each second or so. */
void presence_beat(segment_t *, int slot, int64_t now);

/* On this machine; `now` is when somebody who is online was seen last. */
presence_t presence_of(segment_t *, uuid_t user, int64_t now);

/* Whose presence may have changed, one after the other, for who tells others (broker/seen.c). A cursor for each slot, zeroed: it
 * begins with all that the table remembers. A copy of a cursor goes on from where it was copied. */
typedef struct {
    uint64_t since, until; /* versions of the table */
    int set, way;
} presence_cursor_t;
bool presence_next(segment_t *, int slot, presence_cursor_t *, uuid_t *user);
/* Would presence_next give one? */
bool presence_changed(segment_t *, int slot, const presence_cursor_t *);
