/* broker: see the header. */
#include "broker.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include "../shm/services.h"
#include "../wire/link.h"
#include "../wire/stale.h"
#include "../wire/topics.h"
#include <stdio.h>

enum {
    SUBSCRIPTIONS_MAX = 16,
    PROBLEM_BYTES = 64 << 10,
    RETRY_MILLISECONDS = 100,
    FOLLOW_STEP = 4096,        /* topics told to a new broker in one turn */
    PUBLISH_BYTES = 8 << 20,   /* that wait for the end of the turn */
};

static struct {
    loop_t *loop;
    process_t *process;
    int service; /* the broker's place in services[] */
    uint64_t seen; /* version of the segment */
    uint64_t generation; /* of the broker that we are linked to; 0: none */
    link_client_t *link;
    struct {
        const char *topic;
        void (*on_hint)(text_t payload);
    } subscriptions[SUBSCRIPTIONS_MAX];
    int subscription_count, subscribed; /* so many of them this broker knows */
    topics_t followed; /* peer and generation mean nothing in it */
    int told_of;       /* so many of them this broker knows; those that came later it was told of at once */
    bool catch_up;     /* when it knows all of them: what was said before it did was not heard */
    void (*on_topic)(text_t topic, text_t payload);
    void (*on_lost)(void);
    buffer_t publishing; /* hints of this turn, each behind its length */
    stale_t stale;   /* of this turn */
    bool told, lost; /* this broker was told of something stale; something may not have been heard */
    int64_t retry_at; /* clock_monotonic() */
    int64_t again_at; /* likewise: not before then it is told again what it may not have heard */
    arena_t *arena;  /* for reading a hint; emptied after each */
    buffer_t packed;
} client;

/* --- hints -------------------------------------------------------------------------------------------------------- */

static _Noreturn void on_arena_limit(void *argument)
{
    (void)argument;
    panic("the problems of one hint take more than %d bytes", PROBLEM_BYTES);
}

static void on_value(void *argument, text_t value, uint32_t peer)
{
    hint_t hint;
    problems_t problems;
    (void)argument, (void)peer;
    problems.arena = client.arena;
    problems.count = 0;
    bool good = message_read(&hint_message, value, SOURCE_PEER, &hint, &problems);
    arena_reset(client.arena);
    if (!good || hint.version != HINT_VERSION)
        return; /* another build's: a hint may be lost */
    for (int i = 0; i < client.subscription_count; i++)
        if (client.subscriptions[i].on_hint != NULL && text_equal(hint.topic, text_of(client.subscriptions[i].topic)))
            client.subscriptions[i].on_hint(hint.payload);
    if (client.on_topic != NULL && topics_next(&client.followed, hint.topic, NULL) != NULL)
        client.on_topic(hint.topic, hint.payload);
}

static void hint_send(enum hint_act act, text_t topic, text_t payload)
{
    hint_t hint = {0};
    message_set(&hint, version, HINT_VERSION);
    message_set(&hint, act, act);
    message_set(&hint, topic, topic);
    message_set(&hint, sender, (int64_t)client.process->generation);
    if (payload.data != NULL)
        message_set(&hint, payload, payload);
    client.packed.length = 0;
    message_pack(&hint_message, &hint, &client.packed);
    link_client_send(client.link, buffer_text(&client.packed));
}

/* --- which broker ------------------------------------------------------------------------------------------------- */

/* The youngest that is ready: of two, the other one is about to leave. NULL: none. */
static segment_instance_t *broker_find(void)
{
    segment_instance_t *found = NULL;
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        segment_instance_t *row = segment_instance(client.process->segment, slot);
        if (atomic_load(&row->used) && row->service == client.service && atomic_load(&row->state) == INSTANCE_READY &&
            (found == NULL || atomic_load(&row->generation) > atomic_load(&found->generation)))
            found = row;
    }
    return found;
}

/* Of all that this process wants to hear. */
static void tell_again(int64_t not_before)
{
    client.subscribed = client.told_of = 0;
    client.catch_up = client.on_lost != NULL;
    client.again_at = not_before;
}

static void follow(void)
{
    char endpoint[512];
    segment_instance_t *row = broker_find();
    uint64_t generation = row == NULL ? 0 : atomic_load(&row->generation);
    if (generation == client.generation)
        return;
    link_client_close(client.loop, &client.link);
    client.lost |= client.told; /* what it did not read any more is gone */
    client.told = false;
    client.generation = generation;
    tell_again(0);
    if (generation == 0)
        return;
    segment_endpoint(row, client.process->run_directory, endpoint, sizeof(endpoint));
    client.link = link_client_open(client.loop, endpoint, on_value, NULL);
    if (client.link == NULL)
        log_event(LOG_ERROR, "broker_unreachable", LOG_S("endpoint", endpoint),
            LOG_S("next", "see whether the run directory exists and the path is short enough for a socket"));
}

/* --- each turn ---------------------------------------------------------------------------------------------------- */

/* What became stale in this turn, in one hint; or that anything may be, when some of it was lost: not again and again while the
 * broker's queue is full. */
static bool stale_send(void)
{
    static buffer_t packed;
    int64_t now = clock_monotonic();
    client.lost |= client.link == NULL && !stale_is_empty(&client.stale);
    if (client.lost)
        stale_add_all(&client.stale); /* hints were in that queue as well, see below */
    if (client.link == NULL || stale_is_empty(&client.stale) || (client.lost && now < client.retry_at))
        return false;
    packed.length = 0;
    stale_pack(&client.stale, &packed);
    hint_send(HINT_PUBLISH, TEXT(TOPIC_STALE), buffer_text(&packed));
    if (client.lost)
        hint_send(HINT_PUBLISH, TEXT(TOPIC_LOST), (text_t){.data = NULL});
    client.retry_at = now + RETRY_MILLISECONDS * CLOCK_MILLISECOND;
    client.told = true;
    client.lost = false;
    stale_clear(&client.stale);
    return true;
}

/* A batch found the broker's queue full: what was subscribed in it the broker has not heard. It is told again when there may be room. */
static void lost_look(void)
{
    if (client.link == NULL || !link_client_lost(client.link))
        return;
    client.lost = true;
    tell_again(clock_monotonic() + RETRY_MILLISECONDS * CLOCK_MILLISECOND);
}

/* A new broker is told of all of them, some in each turn; then, in a turn that found none of that lost, those who follow look at what
 * is true. */
static bool follow_send(void)
{
    bool any = client.subscribed < client.subscription_count || client.told_of < client.followed.count;
    if (client.link == NULL || !(any || client.catch_up) || clock_monotonic() < client.again_at)
        return false;
    for (; client.subscribed < client.subscription_count; client.subscribed++)
        hint_send(HINT_SUBSCRIBE, text_of(client.subscriptions[client.subscribed].topic), (text_t){.data = NULL});
    for (int step = 0; step < FOLLOW_STEP && client.told_of < client.followed.count; step++)
        hint_send(HINT_SUBSCRIBE, text_of(client.followed.items[client.told_of++].topic), (text_t){.data = NULL});
    if (!any) {
        client.catch_up = false;
        client.on_lost();
    }
    return true;
}

/* Only now: what is said in a turn goes to the broker that is there at its end. */
static bool publish_send(void)
{
    if (client.publishing.length == 0)
        return false;
    const char *at = client.publishing.data, *end = at + client.publishing.length;
    while (client.link != NULL && at < end) {
        size_t lengths[2];
        memcpy(lengths, at, sizeof(lengths));
        at += sizeof(lengths);
        hint_send(HINT_PUBLISH, (text_t){at, lengths[0]}, (text_t){at + lengths[0], lengths[1]});
        at += lengths[0] + lengths[1];
    }
    client.publishing.length = 0;
    return client.link != NULL;
}

/* True when something was said: it leaves with the next turn's batch. */
static bool turn(void *argument)
{
    (void)argument;
    uint64_t version = segment_version(client.process->segment);
    if (version != client.seen) {
        client.seen = version;
        follow();
    }
    lost_look();
    bool any = follow_send();
    any |= publish_send();
    return stale_send() || any;
}

void broker_open(loop_t *loop, process_t *process)
{
    client.loop = loop;
    client.process = process;
    client.service = service_find("broker");
    client.arena = arena_create(PROBLEM_BYTES, on_arena_limit, NULL);
    client.followed.most = (int)process->config.broker.topics;
    loop->add_turn_hook(loop, turn, NULL);
}

void broker_close(void)
{
    if (client.process == NULL)
        return;
    link_client_close(client.loop, &client.link);
    arena_destroy(&client.arena);
    buffer_free(&client.packed);
    buffer_free(&client.publishing);
    topics_free(&client.followed);
    client.process = NULL;
}

void broker_subscribe(const char *topic, void (*on_hint)(text_t payload))
{
    insist(client.process != NULL && client.subscription_count < SUBSCRIPTIONS_MAX && strlen(topic) <= HINT_TOPIC_MAX);
    client.subscriptions[client.subscription_count].topic = topic;
    client.subscriptions[client.subscription_count++].on_hint = on_hint;
}

void broker_stale(const char *tag, uuid_t id)
{
    insist(client.process != NULL);
    if (client.process->config.cluster.enabled)
        stale_add_tag(&client.stale, text_of(tag), id);
}

void broker_stale_all_of(const char *actor)
{
    insist(client.process != NULL);
    if (client.process->config.cluster.enabled)
        stale_add_service(&client.stale, text_of(actor));
}

/* --- topics that come and go -------------------------------------------------------------------------------------- */

static void on_lost_hint(text_t payload)
{
    (void)payload;
    client.on_lost();
}

void broker_on_topics(void (*on_topic)(text_t topic, text_t payload), void (*on_lost)(void))
{
    insist(client.on_topic == NULL && on_topic != NULL && on_lost != NULL);
    client.on_topic = on_topic;
    client.on_lost = on_lost;
    broker_subscribe(TOPIC_LOST, on_lost_hint);
}

bool broker_follow(text_t topic)
{
    insist(client.on_topic != NULL);
    bool all_told = client.told_of == client.followed.count;
    int before = client.followed.count;
    if (!topics_subscribe(&client.followed, topic, 0, 0))
        return false;
    if (client.link == NULL || !all_told || client.followed.count == before)
        return true; /* it is told in its turn */
    client.told_of++;
    hint_send(HINT_SUBSCRIBE, topic, (text_t){.data = NULL});
    return true;
}

/* The last one takes its place: the broker is told of them once more, unless it knew all. */
void broker_unfollow(text_t topic)
{
    bool all_told = client.told_of == client.followed.count;
    if (!topics_unsubscribe(&client.followed, topic, 0))
        return;
    client.told_of = all_told ? client.followed.count : 0;
    if (client.link != NULL)
        hint_send(HINT_UNSUBSCRIBE, topic, (text_t){.data = NULL});
}

void broker_publish(text_t topic, text_t payload)
{
    insist(client.process != NULL && topic.length <= HINT_TOPIC_MAX && payload.length <= HINT_PAYLOAD_MAX);
    size_t lengths[2] = {topic.length, payload.length};
    if (client.publishing.length > PUBLISH_BYTES)
        publish_send();
    buffer_add(&client.publishing, lengths, sizeof(lengths));
    buffer_add_text(&client.publishing, topic);
    buffer_add_text(&client.publishing, payload);
}
