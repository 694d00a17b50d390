/* topics: a plain table; it has a few dozen rows. */
#include "topics.h"

const subscription_t *topics_next(const topics_t *topics, text_t topic, const subscription_t *last)
{
    for (const subscription_t *at = last == NULL ? topics->items : last + 1; at < topics->items + topics->count; at++)
        if (text_equal(text_of(at->topic), topic))
            return at;
    return NULL;
}

bool topics_subscribe(topics_t *topics, text_t topic, uint32_t peer, uint64_t generation)
{
    const subscription_t *known = NULL;
    if (topic.length == 0 || topic.length > HINT_TOPIC_MAX)
        return false;
    while ((known = topics_next(topics, topic, known)) != NULL && known->generation != generation)
        ;
    if (known == NULL && topics->count == TOPICS_SUBSCRIPTIONS_MAX)
        return false;
    subscription_t *place = known == NULL ? &topics->items[topics->count++] : &topics->items[known - topics->items];
    *place = (subscription_t){.peer = peer, .generation = generation};
    memcpy(place->topic, topic.data, topic.length);
    return true;
}

void topics_end(topics_t *topics, uint64_t generation)
{
    int kept = 0;
    for (int i = 0; i < topics->count; i++)
        if (topics->items[i].generation != generation)
            topics->items[kept++] = topics->items[i];
    topics->count = kept;
}
