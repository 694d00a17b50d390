/* topics: who wants to hear of what. The rule alone, without sockets. A topic is any text; it exists while somebody has subscribed.
 *
 * What always holds: the table is bounded; a process stands in it once for each topic; when its generation ends it hears nothing. */
#pragma once
#include "base/text.h"
#include "wire/hint.h"

enum { TOPICS_SUBSCRIPTIONS_MAX = 1024 };

typedef struct {
    char topic[HINT_TOPIC_MAX + 1];
    uint32_t peer;       /* link.h: where it is told */
    uint64_t generation; /* whose it is */
} subscription_t;

typedef struct {
    subscription_t items[TOPICS_SUBSCRIPTIONS_MAX];
    int count;
} topics_t;

/* False when the table is full. */
bool topics_subscribe(topics_t *, text_t topic, uint32_t peer, uint64_t generation);
/* The first subscription of a topic after `last` (NULL: from the beginning); NULL: no other one. */
const subscription_t *topics_next(const topics_t *, text_t topic, const subscription_t *last);
void topics_end(topics_t *, uint64_t generation);
