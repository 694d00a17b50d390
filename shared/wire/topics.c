/* topics: a table with chains, since a frontend that holds ten thousand users wants as many topics. It grows by doubling. */
#include "topics.h"
#include "../base/panic.h"
#include "../base/siphash.h"
#include <stdlib.h>
#include <sys/random.h>

enum { FIRST_ROOM = 64 };

static int *bucket_of(const topics_t *topics, text_t topic)
{
    static uint8_t key[SIPHASH_KEY_SIZE];
    static bool seeded;
    if (!seeded && getrandom(key, sizeof(key), 0) != sizeof(key))
        panic("getrandom gave nothing");
    seeded = true;
    return &topics->buckets[siphash(key, topic.data, topic.length) & (uint64_t)(topics->bucket_count - 1)];
}

static bool is(const subscription_t *item, text_t topic)
{
    return text_equal(text_of(item->topic), topic);
}

const subscription_t *topics_next(const topics_t *topics, text_t topic, const subscription_t *last)
{
    if (topics->count == 0)
        return NULL;
    int at = last == NULL ? *bucket_of(topics, topic) : last->next;
    while (at >= 0 && !is(&topics->items[at], topic))
        at = topics->items[at].next;
    return at < 0 ? NULL : &topics->items[at];
}

/* Makes the chains anew. */
static void chain(topics_t *topics)
{
    for (int i = 0; i < topics->bucket_count; i++)
        topics->buckets[i] = -1;
    for (int i = 0; i < topics->count; i++) {
        int *bucket = bucket_of(topics, text_of(topics->items[i].topic));
        topics->items[i].next = *bucket;
        *bucket = i;
    }
}

static void grow(topics_t *topics)
{
    topics->room = topics->room == 0 ? FIRST_ROOM : topics->room * 2;
    topics->bucket_count = topics->room;
    topics->items = memory_resize(topics->items, (size_t)topics->room * sizeof(*topics->items));
    topics->buckets = memory_resize(topics->buckets, (size_t)topics->bucket_count * sizeof(*topics->buckets));
    chain(topics);
}

static subscription_t *find(const topics_t *topics, text_t topic, uint64_t generation)
{
    const subscription_t *at = NULL;
    while ((at = topics_next(topics, topic, at)) != NULL && at->generation != generation)
        ;
    return at == NULL ? NULL : &topics->items[at - topics->items];
}

bool topics_subscribe(topics_t *topics, text_t topic, uint32_t peer, uint64_t generation)
{
    if (topic.length == 0 || topic.length > HINT_TOPIC_MAX)
        return false;
    subscription_t *known = find(topics, topic, generation);
    if (known != NULL) {
        known->peer = peer;
        return true;
    }
    if (topics->count >= topics->most)
        return false;
    if (topics->count == topics->room)
        grow(topics);
    int *bucket = bucket_of(topics, topic);
    subscription_t *place = &topics->items[topics->count];
    *place = (subscription_t){.peer = peer, .generation = generation, .next = *bucket};
    memcpy(place->topic, topic.data, topic.length);
    *bucket = topics->count++;
    return true;
}

/* What points to the item at this place. */
static int *pointer_to(topics_t *topics, int place)
{
    int *at = bucket_of(topics, text_of(topics->items[place].topic));
    while (*at != place) {
        insist(*at >= 0);
        at = &topics->items[*at].next;
    }
    return at;
}

bool topics_unsubscribe(topics_t *topics, text_t topic, uint64_t generation)
{
    const subscription_t *known = find(topics, topic, generation);
    if (known == NULL)
        return false;
    int place = (int)(known - topics->items), last = topics->count - 1;
    *pointer_to(topics, place) = known->next;
    if (place != last) {
        *pointer_to(topics, last) = place;
        topics->items[place] = topics->items[last];
    }
    topics->count--;
    return true;
}

void topics_end(topics_t *topics, uint64_t generation)
{
    int kept = 0;
    for (int i = 0; i < topics->count; i++)
        if (topics->items[i].generation != generation)
            topics->items[kept++] = topics->items[i];
    if (kept == topics->count)
        return;
    topics->count = kept;
    chain(topics);
}

void topics_free(topics_t *topics)
{
    free(topics->items);
    free(topics->buckets);
    *topics = (topics_t){.most = topics->most};
}
