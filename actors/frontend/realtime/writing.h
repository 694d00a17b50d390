/* writing: whose queue is to be written. What was queued in a turn is written at its end, for a slice of time only: the rest of a broadcast
 * goes out in slices with pauses between, so that neither this process's other work nor other processes' wait behind it. */
#pragma once
#include "session.h"

void writing_open(loop_t *);
/* Its queue is written at the end of this turn, or of one of the next. */
void writing_add(session_t *);
/* There is more to queue than a turn should take: `more` queues some of it whenever all that is queued has been written, and says whether
 * there is more still. */
void writing_feed(bool (*more)(void));
/* All of that is queued now. */
void writing_feed_all(void);
/* It is closed: its memory lives until the end of the turn, or until its place in the list has come. */
void writing_end(session_t *);
