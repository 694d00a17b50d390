/* bridge: one connection publishes, from one coroutine, so that while an answer of Redis is awaited what comes next gathers and
 * leaves together; another one subscribes. Our own words come back as well: a subscription that hears nothing for cluster.silence
 * is dead, and is made anew. */
#include "bridge.h"
#include "apply.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "base/log.h"
#include "base/panic.h"
#include "net/redis.h"
#include "sequence.h"
#include "wire/message.h"
#include <stdlib.h>

enum { BRIDGE_VERSION = 1, ANSWER_MILLISECONDS = 1000, READ_MEMORY = 64 << 10 };

static const char channel[] = "aipoten:broker";

#define BRIDGED(FIELD)                                                                                             \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(uuid, broker, .required = true, .meaning = "made anew at each start of a broker")                        \
    FIELD(integer, number, .required = true, .meaning = "of this news, or of the last ones before this beat")      \
    FIELD(bytes, stale, .nullable = true, .meaning = "null: a beat")
MESSAGE_POSITIONAL(bridged, BRIDGED);

static struct {
    bool enabled;
    process_t *process;
    uuid_t id;
    int64_t number; /* of our last news */
    stale_t waiting;
    bool beat_due, sending;
    redis_t *publisher;
    coroutine_t *idle; /* the publishing coroutine while it has nothing to do */
    sequences_t others;
    struct {
        _Atomic int64_t *sent, *unsure, *heard, *gaps, *subscriptions, *unreadable;
    } counters;
} bridge;

/* --- what we say -------------------------------------------------------------------------------------------------- */

static bool has_work(void)
{
    return redis_ready(bridge.publisher) && (bridge.beat_due || !stale_is_empty(&bridge.waiting));
}

static void message_make(buffer_t *out)
{
    static buffer_t stale;
    bridged_t message = {0};
    if (!stale_is_empty(&bridge.waiting)) {
        stale.length = 0;
        stale_pack(&bridge.waiting, &stale);
        stale_clear(&bridge.waiting);
        message_set(&message, stale, buffer_text(&stale));
        bridge.number++;
    }
    bridge.beat_due = false;
    message_set(&message, version, BRIDGE_VERSION);
    message_set(&message, broker, bridge.id);
    message_set(&message, number, bridge.number);
    out->length = 0;
    message_pack(&bridged_message, &message, out);
}

/* What is lost here is a gap for the others. */
static void publish_one(void)
{
    static buffer_t message;
    redis_reply_t reply;
    message_make(&message);
    const text_t arguments[] = {TEXT("PUBLISH"), text_of(channel), buffer_text(&message)};
    bridge.sending = true;
    enum redis_status status = redis_command(bridge.publisher, arguments, ARRAY_SIZE(arguments),
        clock_monotonic() + ANSWER_MILLISECONDS * CLOCK_MILLISECOND, &reply);
    bridge.sending = false;
    counter_add(status == REDIS_ANSWERED ? bridge.counters.sent : bridge.counters.unsure, 1);
    if (status == REDIS_ANSWERED && reply.kind == REPLY_ERROR)
        log_event(LOG_ERROR, "bridge_refused", LOG_T("answer", reply.text),
            LOG_S("next", "may this user of Redis publish to aipoten:broker?"));
    redis_reply_free(&reply);
}

static void publish(void *argument)
{
    (void)argument;
    for (;;) {
        while (has_work())
            publish_one();
        bridge.idle = coroutine_current();
        coroutine_suspend();
    }
}

/* After each turn. */
static bool turn(void *argument)
{
    (void)argument;
    coroutine_t *idle = bridge.idle;
    if (idle == NULL || !has_work())
        return false;
    bridge.idle = NULL;
    coroutine_resume(idle);
    return true; /* what was written leaves in the next turn */
}

static void on_beat_time(void *argument)
{
    (void)argument;
    bridge.beat_due = true;
}

void bridge_tell(const stale_t *stale)
{
    if (bridge.enabled)
        stale_add(&bridge.waiting, stale);
}

bool bridge_is_idle(void)
{
    return !bridge.enabled || !redis_ready(bridge.publisher) || (stale_is_empty(&bridge.waiting) && !bridge.sending);
}

/* --- what the others say ------------------------------------------------------------------------------------------ */

static void on_message(void *argument, text_t packed)
{
    static stale_t stale;
    bridged_t message;
    (void)argument;
    problems_t problems = {.arena = arena_create(READ_MEMORY, NULL, NULL)};
    bool good = message_read(&bridged_message, packed, SOURCE_PEER, &message, &problems) && message.version == BRIDGE_VERSION;
    arena_destroy(&problems.arena);
    if (good && uuid_equal(message.broker, bridge.id))
        return;
    bool news = good && message_has(&message, stale);
    if (!good || (news && !stale_read(message.stale, &stale))) {
        counter_add(bridge.counters.unreadable, 1);
        apply_all("unreadable");
        return;
    }
    counter_add(bridge.counters.heard, 1);
    switch (sequence_take(&bridge.others, message.broker, message.number, news, clock_monotonic())) {
    case SEQUENCE_NEXT:
        apply(&stale);
        break;
    case SEQUENCE_KNOWN:
        break;
    case SEQUENCE_GAP:
        counter_add(bridge.counters.gaps, 1);
        apply_all("gap");
        break;
    case SEQUENCE_STRANGER:
        apply_all("stranger");
        break;
    }
}

static void on_subscribed(void *argument)
{
    (void)argument;
    counter_add(bridge.counters.subscriptions, 1);
    bridge.beat_due = true; /* we are a stranger to the others: at once, not in a second */
    apply_all("subscribed");
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void counters_open(segment_instance_t *self)
{
    bridge.counters.sent = counter_declare(self, "bridge_sent", "messages", "news and beats published to other machines");
    bridge.counters.unsure =
        counter_declare(self, "bridge_unsure", "messages", "published without an answer of Redis: a gap for the others");
    bridge.counters.heard = counter_declare(self, "bridge_heard", "messages", "news and beats of other machines");
    bridge.counters.gaps = counter_declare(self, "bridge_gaps", "gaps", "something that another machine said was missing");
    bridge.counters.subscriptions = counter_declare(self, "bridge_subscriptions", "times", "subscribed at Redis");
    bridge.counters.unreadable =
        counter_declare(self, "bridge_unreadable", "messages", "what was said by another build, or by a stranger");
}

void bridge_open(loop_t *loop, process_t *process)
{
    const config_t *config = &process->config;
    bridge.enabled = config->cluster.enabled;
    if (!bridge.enabled)
        return;
    bridge.process = process;
    bridge.id = uuid_random();
    counters_open(process->self);
    apply_open(process);
    coroutine_configure(1, (size_t)config->actor.coroutine_stack);
    bridge.publisher = redis_open(loop, config->redis.url);
    if (bridge.publisher == NULL ||
        redis_subscribe(loop, config->redis.url, channel, (int)config->cluster.silence,
            &(redis_listener_t){.on_message = on_message, .on_subscribed = on_subscribed}) == NULL) {
        log_event(LOG_ERROR, "start_failed", LOG_S("reason", "cluster.enabled without redis.url"),
            LOG_S("next", "set redis.url, or REDIS_URL in the environment; or cluster.enabled to false"));
        process_notify_status("cluster.enabled wants redis.url");
        exit(EXIT_CONFIG);
    }
    loop->timer(loop, (int)config->cluster.beat, on_beat_time, NULL);
    loop->add_turn_hook(loop, turn, NULL);
    coroutine_start(publish, NULL);
}
