/* broker: hints between the processes of one machine, and between machines. One thread, one loop; no database.
 *
 *     broker.c     the process: who says what to whom; which instances have ended
 *     ../shared/wire/topics.c   who wants to hear of what
 *     bridge.c     the brokers of other machines, over Redis' pub/sub (cluster.enabled)
 *     sequence.c   was everything heard that they said?
 *     apply.c      what became stale there is stale here
 *     seen.c       who is online here, for all machines
 *
 * Topics (shared/wire/hint.h): `instances`, said by this process whenever the supervisor has changed the instance table, so that
 * who waits for an instance looks at once and not at its next tick; `stale`, said by actors after COMMIT, for other machines; those
 * of users, roles, rooms and sessions, said by actors and told to the frontends that follow them, which hold a socket that wants it;
 * `frontends`, said by those whose clients are in calls, and by this process to other machines when one has ended; and `lost`, said by
 * this process.
 *
 * What always holds: it carries hints only; killed at any time, it costs speed and nothing else. It waits for nobody: what a slow
 * reader's queue has no room for is dropped and counted, and the reader is told that something was lost as soon as it reads again; so
 * are all when an actor ended, which may have committed and not spoken. Who may connect is who may enter the run directory (mode
 * 0700). */
#include "base/clock.h"
#include "base/coroutine.h"
#include "base/log.h"
#include "base/panic.h"
#include "bridge.h"
#include "seen.h"
#include "shm/process_reload.h"
#include "shm/services.h"
#include "wire/link.h"
#include "wire/realtime.h"
#include "wire/topics.h"
#include <signal.h>
#include <stdlib.h>

enum {
    LOOK_MILLISECONDS = 200, /* at the instance table, should the supervisor's signal be lost */
    PROBLEM_BYTES = 64 << 10,
    STOP_MILLISECONDS = 500, /* for what is to be told to other machines */
    LOST_PAUSE = 100,        /* milliseconds between two words of what was lost */
    SUBSCRIPTIONS_EACH = 4,  /* times broker.topics: of all processes together */
    COMPLAINT_SECONDS = 10,
    COROUTINES = 2,          /* of the bridge, and of who was seen */
};

static struct {
    process_t process;
    loop_t *loop;
    link_server_t *server;
    topics_t topics;
    uint64_t seen;                         /* version of the segment */
    uint64_t generations[SEGMENT_INSTANCES]; /* that live in each slot; 0: none */
    int services[SEGMENT_INSTANCES];         /* of these: the row may be another service's when an end is seen */
    int frontend;                            /* a service */
    arena_t *arena;                        /* for reading a hint; emptied after each */
    buffer_t packed;
    int64_t stop_by; /* clock_monotonic(); 0: not told to stop; likewise below */
    bool lost;       /* all are to be told that something was */
    int64_t lost_told, complained;
    struct {
        _Atomic int64_t *heard, *unreadable, *told, *dropped, *subscriptions, *refused, *lost;
    } counters;
} broker;

/* --- telling ------------------------------------------------------------------------------------------------------ */

static void hint_pack(text_t topic, text_t payload)
{
    hint_t hint = {0};
    message_set(&hint, version, HINT_VERSION);
    message_set(&hint, act, HINT_PUBLISH);
    message_set(&hint, topic, topic);
    message_set(&hint, sender, 0);
    if (payload.data != NULL)
        message_set(&hint, payload, payload);
    broker.packed.length = 0;
    message_pack(&hint_message, &hint, &broker.packed);
}

static void tell(text_t topic, text_t payload)
{
    if (topics_next(&broker.topics, topic, NULL) == NULL)
        return;
    hint_pack(topic, payload);
    for (const subscription_t *to = NULL; (to = topics_next(&broker.topics, topic, to)) != NULL;) {
        link_server_send(broker.server, to->peer, buffer_text(&broker.packed));
        counter_add(broker.counters.told, 1);
    }
}

/* What a reader missed, or all of them may have missed, they are told of now and then, not for each hint. */
static void lost_tell(void)
{
    uint32_t peer;
    int64_t now = clock_monotonic();
    if (now - broker.lost_told < LOST_PAUSE * CLOCK_MILLISECOND)
        return;
    if (broker.lost) {
        broker.lost_told = now;
        broker.lost = false;
        counter_add(broker.counters.lost, 1);
        tell(TEXT(TOPIC_LOST), (text_t){.data = NULL});
    }
    while (link_server_lost(broker.server, &peer)) {
        broker.lost_told = now;
        counter_add(broker.counters.lost, 1);
        hint_pack(TEXT(TOPIC_LOST), (text_t){.data = NULL});
        link_server_send(broker.server, peer, buffer_text(&broker.packed));
    }
}

static void lost_remember(void)
{
    broker.lost = true;
}

/* --- instances ---------------------------------------------------------------------------------------------------- */

static bool state_lives(uint32_t state)
{
    return state == INSTANCE_STARTING || state == INSTANCE_READY || state == INSTANCE_DRAINING || state == INSTANCE_STOPPING;
}

static uint64_t slot_generation(int slot)
{
    segment_instance_t *row = segment_instance(broker.process.segment, slot);
    return atomic_load(&row->used) && state_lives(atomic_load(&row->state)) ? atomic_load(&row->generation) : 0;
}

static bool generation_lives(uint64_t generation)
{
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        if (slot_generation(slot) == generation)
            return generation != 0;
    return false;
}

/* Those of this machine see it in the instance table. */
static void frontend_ended(uint64_t generation)
{
    broker.packed.length = 0;
    realtime_pack_home(segment_identity(broker.process.segment), generation, true, &broker.packed);
    bridge_hint(TEXT(TOPIC_FRONTENDS), buffer_text(&broker.packed));
}

/* What an actor had committed may not have been said before its end. */
static void instance_ended(int slot)
{
    static stale_t stale;
    int service = broker.services[slot];
    topics_end(&broker.topics, broker.generations[slot]);
    seen_instance_ended(slot);
    if (service == broker.frontend)
        frontend_ended(broker.generations[slot]);
    if (service < 0 || service >= service_count || services[service].role == NULL)
        return;
    broker.lost = true;
    stale_clear(&stale);
    stale_add_service(&stale, text_of(services[service].name));
    bridge_tell(&stale);
}

/* True when somebody was told. */
static bool table_read(void)
{
    uint64_t version = segment_version(broker.process.segment);
    if (version == broker.seen)
        return false;
    broker.seen = version;
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        uint64_t generation = slot_generation(slot);
        if (broker.generations[slot] != 0 && broker.generations[slot] != generation)
            instance_ended(slot);
        broker.generations[slot] = generation;
        broker.services[slot] = segment_instance(broker.process.segment, slot)->service;
    }
    tell(TEXT(TOPIC_INSTANCES), (text_t){.data = NULL});
    return true;
}

/* --- hearing ------------------------------------------------------------------------------------------------------ */

static void subscribe(const hint_t *hint, uint32_t peer)
{
    uint64_t generation = (uint64_t)hint->sender;
    if (!generation_lives(generation))
        return; /* it came too late: its end has been seen */
    if (topics_subscribe(&broker.topics, hint->topic, peer, generation))
        return;
    counter_add(broker.counters.refused, 1);
    if (clock_monotonic() < broker.complained + COMPLAINT_SECONDS * CLOCK_SECOND && broker.complained != 0)
        return;
    broker.complained = clock_monotonic();
    log_event(LOG_WARNING, "subscription_refused", LOG_I("subscriptions", broker.topics.count),
        LOG_S("next", "who is not told at once looks later; raise broker.topics"));
}

/* Only those of users, roles, rooms, sessions and frontends: `instances` and `lost` are each machine's own, `stale` has its numbers. */
static bool topic_travels(text_t topic)
{
    static const char *const kinds[] = {TOPIC_USER, TOPIC_ROLE, TOPIC_ROOM, TOPIC_SESSION, TOPIC_FRONTENDS};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (text_starts_with(topic, text_of(kinds[i])))
            return true;
    return false;
}

static void published(const hint_t *hint)
{
    static stale_t stale;
    if (text_equal(hint->topic, TEXT(TOPIC_LOST))) {
        broker.lost = true;
        return;
    }
    tell(hint->topic, hint->payload);
    if (topic_travels(hint->topic))
        bridge_hint(hint->topic, hint->payload);
    if (!text_equal(hint->topic, TEXT(TOPIC_STALE)))
        return;
    if (!stale_read(hint->payload, &stale)) {
        counter_add(broker.counters.unreadable, 1);
        stale_add_all(&stale);
    }
    bridge_tell(&stale);
}

static void on_value(void *argument, text_t value, uint32_t peer)
{
    hint_t hint;
    problems_t problems;
    (void)argument;
    problems.arena = broker.arena;
    problems.count = 0;
    bool good = message_read(&hint_message, value, SOURCE_PEER, &hint, &problems) && hint.version == HINT_VERSION;
    arena_reset(broker.arena);
    counter_add(good ? broker.counters.heard : broker.counters.unreadable, 1);
    if (good && hint.act == HINT_SUBSCRIBE)
        subscribe(&hint, peer);
    else if (good && hint.act == HINT_UNSUBSCRIBE)
        topics_unsubscribe(&broker.topics, hint.topic, (uint64_t)hint.sender);
    else if (good && hint.act == HINT_PUBLISH)
        published(&hint);
}

static _Noreturn void on_arena_limit(void *argument)
{
    (void)argument;
    panic("the problems of one hint take more than %d bytes", PROBLEM_BYTES);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

/* After each turn: the supervisor's signal makes one. True when there is something to send. */
static bool turn(void *argument)
{
    (void)argument;
    bool told = table_read();
    lost_tell();
    atomic_store_explicit(broker.counters.subscriptions, broker.topics.count, memory_order_relaxed);
    atomic_store_explicit(broker.counters.dropped, link_dropped(), memory_order_relaxed);
    if (broker.stop_by != 0 && ((bridge_is_idle() && seen_is_idle()) || clock_monotonic() >= broker.stop_by))
        loop_ev_stop(broker.loop);
    return told;
}

static void on_changed(void *argument)
{
    (void)argument; /* the turn hook looks */
}

static void on_watchdog_time(void *argument)
{
    (void)argument;
    process_notify_watchdog();
}

static void on_stop(void *argument)
{
    (void)argument;
    if (broker.stop_by != 0)
        return;
    process_notify_stopping();
    seen_hurry();
    broker.stop_by = clock_monotonic() + STOP_MILLISECONDS * CLOCK_MILLISECOND;
}

static void counters_open(segment_instance_t *self)
{
    broker.counters.heard = counter_declare(self, "hints_heard", "hints", "subscriptions and hints of this machine's processes");
    broker.counters.unreadable = counter_declare(self, "hints_unreadable", "hints", "of another build, or broken");
    broker.counters.told = counter_declare(self, "hints_told", "hints", "sent to those who subscribed");
    broker.counters.dropped = counter_declare(self, "link_dropped", "batches", "a slow reader's queue was full");
    broker.counters.subscriptions = counter_declare(self, "subscriptions", "now", "processes and topics they wait for");
    broker.counters.refused = counter_declare(self, "subscriptions_refused", "times", "the table of subscriptions was full");
    broker.counters.lost = counter_declare(self, "hints_lost_told", "times", "somebody was told that something may not have been heard");
}

static void serve(void)
{
    char endpoint[256];
    segment_endpoint(broker.process.self, broker.process.run_directory, endpoint, sizeof(endpoint));
    broker.server = link_server_open(broker.loop, endpoint, on_value, NULL);
    if (broker.server == NULL) {
        log_event(LOG_ERROR, "start_failed", LOG_S("reason", "cannot bind the endpoint below AIPOTEN_RUN"),
            LOG_S("endpoint", endpoint), LOG_S("next", "is its path too long for a socket?"));
        exit(EXIT_CONFIG);
    }
    process_notify_ready(0);
    log_event(LOG_INFO, "ready");
}

int main(void)
{
    process_join(&broker.process);
    broker.loop = loop_ev_create();
    loop_ev_signal(broker.loop, SIGTERM, on_stop, NULL);
    loop_ev_signal(broker.loop, SIGINT, on_stop, NULL);
    loop_ev_signal(broker.loop, SIGURG, on_changed, NULL); /* services.h, `told` */
    broker.arena = arena_create(PROBLEM_BYTES, on_arena_limit, NULL);
    broker.frontend = service_find("frontend");
    broker.topics.most = (int)(broker.process.config.broker.topics * SUBSCRIPTIONS_EACH);
    counters_open(broker.process.self);
    process_reload_watch(broker.loop, NULL);
    broker.loop->add_turn_hook(broker.loop, turn, NULL);
    broker.loop->timer(broker.loop, LOOK_MILLISECONDS, on_changed, NULL);
    int64_t watchdog = broker.process.config.supervisor.watchdog;
    if (watchdog > 0)
        broker.loop->timer(broker.loop, (int)(watchdog / 3), on_watchdog_time, NULL);
    coroutine_configure(COROUTINES, (size_t)broker.process.config.actor.coroutine_stack);
    bridge_open(broker.loop, &broker.process, tell, lost_remember);
    seen_open(broker.loop, &broker.process);
    serve();
    loop_ev_run(broker.loop);
    log_event(LOG_INFO, "stopped");
    link_server_close(broker.loop, &broker.server);
    return 0;
}
