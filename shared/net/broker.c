/* broker: see the header. */
#include "broker.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include "../shm/services.h"
#include "../wire/link.h"
#include "../wire/stale.h"
#include <stdio.h>

enum { SUBSCRIPTIONS_MAX = 16, PROBLEM_BYTES = 64 << 10, RETRY_MILLISECONDS = 100 };

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
    stale_t stale;   /* of this turn */
    bool told, lost; /* this broker was told of something stale; something may not have been heard */
    int64_t retry_at; /* clock_monotonic() */
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
}

static void hint_send(enum hint_act act, const char *topic, text_t payload)
{
    hint_t hint = {0};
    message_set(&hint, version, HINT_VERSION);
    message_set(&hint, act, act);
    message_set(&hint, topic, text_of(topic));
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
    client.subscribed = 0;
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
    client.lost |= client.link == NULL ? !stale_is_empty(&client.stale) : link_client_lost(client.link);
    if (client.lost)
        stale_add_all(&client.stale);
    if (client.link == NULL || stale_is_empty(&client.stale) || (client.lost && now < client.retry_at))
        return false;
    packed.length = 0;
    stale_pack(&client.stale, &packed);
    hint_send(HINT_PUBLISH, TOPIC_STALE, buffer_text(&packed));
    client.retry_at = now + RETRY_MILLISECONDS * CLOCK_MILLISECOND;
    client.told = true;
    client.lost = false;
    stale_clear(&client.stale);
    return true;
}

/* True when something was said: it leaves with the next turn's batch. */
static bool turn(void *argument)
{
    (void)argument;
    bool any = false;
    uint64_t version = segment_version(client.process->segment);
    if (version != client.seen) {
        client.seen = version;
        follow();
    }
    for (; client.link != NULL && client.subscribed < client.subscription_count; client.subscribed++, any = true)
        hint_send(HINT_SUBSCRIBE, client.subscriptions[client.subscribed].topic, (text_t){.data = NULL});
    return stale_send() || any;
}

void broker_open(loop_t *loop, process_t *process)
{
    client.loop = loop;
    client.process = process;
    client.service = service_find("broker");
    client.arena = arena_create(PROBLEM_BYTES, on_arena_limit, NULL);
    loop->add_turn_hook(loop, turn, NULL);
}

void broker_close(void)
{
    if (client.process == NULL)
        return;
    link_client_close(client.loop, &client.link);
    arena_destroy(&client.arena);
    buffer_free(&client.packed);
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
