/* topics: who wants to hear of what. The rule alone, without sockets. A topic is any text; it exists while somebody has subscribed.
 *
 * What always holds: the table is bounded; a process stands in it once for each topic; when its generation ends it hears nothing. */
#pragma once
#include "hint.h"

typedef struct {
    char topic[HINT_TOPIC_MAX + 1];
    uint32_t peer;       /* link.h: where it is told */
    uint64_t generation; /* whose it is */
    int next;            /* of the same bucket; -1: the last */
} subscription_t;

/* Zeroed, it is empty and has room for `most`. The items stand one after the other, in no order that lasts. */
typedef struct {
    subscription_t *items;
    int count, most;
    int room, bucket_count;
    int *buckets;
} topics_t;

/* False when the table is full, or the topic is none. */
bool topics_subscribe(topics_t *, text_t topic, uint32_t peer, uint64_t generation);
/* False when it was not there. */
bool topics_unsubscribe(topics_t *, text_t topic, uint64_t generation);
/* The first subscription of a topic after `last` (NULL: from the beginning); NULL: no other one. */
const subscription_t *topics_next(const topics_t *, text_t topic, const subscription_t *last);
void topics_end(topics_t *, uint64_t generation);
void topics_free(topics_t *);
