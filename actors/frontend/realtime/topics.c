/* topics: see the header. */
#include "topics.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/siphash.h"
#include "call_room.h"
#include "crypto/hash.h"
#include "fanout.h"
#include "net/broker.h"
#include "news.h"
#include <stdlib.h>

enum { BUCKETS = 16384, SOCKET_TOPICS_MOST = 16 };

static struct {
    topic_t *buckets[BUCKETS];
    uint8_t key[16];
} topics;

void topics_open(void)
{
    random_bytes(topics.key, sizeof(topics.key));
}

static topic_t **place_of(text_t name)
{
    topic_t **at = &topics.buckets[siphash(topics.key, name.data, name.length) % BUCKETS];
    while (*at != NULL && !text_equal(text_of((*at)->name), name))
        at = &(*at)->next;
    return at;
}

topic_t *topic_find(text_t name)
{
    return *place_of(name);
}

static membership_t **membership_of(socket_t *socket, text_t name)
{
    membership_t **at = &socket->topics;
    while (*at != NULL && !text_equal(text_of((*at)->topic->name), name))
        at = &(*at)->other;
    return at;
}

bool topic_has(const socket_t *socket, text_t name)
{
    return *membership_of((socket_t *)(uintptr_t)socket, name) != NULL;
}

static topic_t *topic_begin(topic_t **place, text_t name)
{
    topic_t *topic = memory_zeroed(1, sizeof(*topic));
    insist(name.length <= HINT_TOPIC_MAX);
    memcpy(topic->name, name.data, name.length);
    *place = topic;
    if (!broker_follow(name))
        log_event(LOG_WARNING, "topic_not_followed", LOG_S("next", "raise broker.topics, or start more frontends"));
    return topic;
}

bool topic_join(socket_t *socket, text_t name)
{
    int count = 0;
    for (const membership_t *one = socket->topics; one != NULL; one = one->other, count++)
        if (text_equal(text_of(one->topic->name), name))
            return true;
    if (count == SOCKET_TOPICS_MOST)
        return false;
    topic_t **place = place_of(name), *topic = *place != NULL ? *place : topic_begin(place, name);
    membership_t *membership = memory_zeroed(1, sizeof(*membership));
    *membership = (membership_t){.socket = socket, .topic = topic, .next = topic->members, .other = socket->topics};
    if (topic->members != NULL)
        topic->members->previous = membership;
    topic->members = membership;
    socket->topics = membership;
    topic->count++;
    return true;
}

static void topic_end(topic_t *topic)
{
    topic_t **place = place_of(text_of(topic->name));
    insist(*place == topic);
    *place = topic->next;
    broker_unfollow(text_of(topic->name));
    fanout_forget(topic);
    news_forget(topic);
    call_room_forget(topic);
    free(topic);
}

static void membership_end(membership_t **at)
{
    membership_t *membership = *at;
    topic_t *topic = membership->topic;
    *at = membership->other;
    fanout_pass(membership);
    if (membership->previous != NULL)
        membership->previous->next = membership->next;
    else
        topic->members = membership->next;
    if (membership->next != NULL)
        membership->next->previous = membership->previous;
    free(membership);
    if (--topic->count == 0)
        topic_end(topic);
}

void topic_leave(socket_t *socket, text_t name)
{
    membership_t **at = membership_of(socket, name);
    if (*at != NULL)
        membership_end(at);
}

void topics_each(void (*each)(topic_t *))
{
    for (int i = 0; i < BUCKETS; i++)
        for (topic_t *topic = topics.buckets[i]; topic != NULL; topic = topic->next)
            each(topic);
}

void topics_leave(socket_t *socket)
{
    while (socket->topics != NULL)
        membership_end(&socket->topics);
}
