/* fanout: what is said of a topic, shown to all of its sockets: to a few of them at a time, so that nobody's request waits for
 * thousands of queues to be filled.
 *
 * What always holds: each socket that was in the topic when it was said, and is in it when its turn comes, is shown it once, and what
 * is said of a topic comes in its order. What is said of another topic may come first. */
#pragma once
#include "topics.h"

/* To all but the socket of this id (NULL: nobody) and the sockets of these users: their ids one behind the other, in their order. */
void fanout_show(topic_t *, frame_t *, const uuid_t *sender, text_t except);
/* Whoever has not been shown yet what was said is shown it now: somebody is about to go elsewhere. */
void fanout_finish(void);
/* The membership ends; its topic goes away. */
void fanout_pass(const membership_t *);
void fanout_forget(const topic_t *);
