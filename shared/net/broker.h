/* broker: this process's side of the broker (broker/ is the other one). Follows the instance table to whichever broker is ready.
 *
 * What always holds: nothing waits for the broker, and without one everything goes on: hints are lost then. What must not be lost
 * without a word is counted: who told of something stale while there was no broker, or may not have been heard by one that died, or
 * found its queue full, tells the next one that anything may be stale; and what it subscribed to and follows, it says again. */
#pragma once
#include "../base/loop.h"
#include "../shm/process.h"
#include "../wire/hint.h"

/* Once per process; the broker is looked for after each turn, which upstream.h makes come each 50 ms at least. */
void broker_open(loop_t *, process_t *);
void broker_close(void);
/* What is said of a topic comes to on_hint (NULL: to be woken is all), from the next turn on and from whichever broker there is. */
void broker_subscribe(const char *topic, void (*on_hint)(text_t payload));

/* For who follows many topics that come and go (a frontend: its users). What is said of them comes to on_topic. on_lost: some of it
 * may not have come (another broker, a full queue, an actor that died before it spoke): look at what is true. Once, before the
 * first broker_follow. */
void broker_on_topics(void (*on_topic)(text_t topic, text_t payload), void (*on_lost)(void));
/* From the next turn on, from whichever broker there is; following twice is following once. False: broker.topics are followed. */
bool broker_follow(text_t topic);
void broker_unfollow(text_t topic);

/* Says it to all who subscribed to or follow the topic, here and on other machines. Leaves at the end of the turn; without a broker it
 * is lost, and those who follow will hear that something was. The payload is at most HINT_PAYLOAD_MAX long. */
void broker_publish(text_t topic, text_t payload);
/* After COMMIT: answers under this tag are stale on other machines as well. Nothing where there are none (cluster.enabled). */
void broker_stale(const char *tag, uuid_t id);
/* The same of all answers of this actor. */
void broker_stale_all_of(const char *actor);
