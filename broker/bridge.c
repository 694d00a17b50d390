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
#include "wire/hint.h"
#include <stdlib.h>

enum {
    BRIDGE_VERSION = 2,
    ANSWER_MILLISECONDS = 1000,
    READ_MEMORY = 512 << 10,
    HINTS_EACH = 1024, /* in one message; and so many bytes */
    HINTS_BYTES = 1 << 20,
};

static const char channel[] = "aipoten:broker";

#define BRIDGED_HINT(FIELD)                                                                                        \
    FIELD(text, topic, .required = true, .min = 1, .max = HINT_TOPIC_MAX)                                          \
    FIELD(bytes, payload, .nullable = true)
MESSAGE_POSITIONAL(bridged_hint, BRIDGED_HINT);

#define BRIDGED(FIELD)                                                                                             \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(uuid, broker, .required = true, .meaning = "made anew at each start of a broker")                        \
    FIELD(integer, number, .required = true, .meaning = "of this news, or of the last ones before this beat")      \
    FIELD(bytes, stale, .nullable = true, .meaning = "null: nothing became stale")                                 \
    FIELD(list, hints, .nullable = true, .max = HINTS_EACH, .message = &bridged_hint_message,                      \
        .meaning = "without both it is a beat")
MESSAGE_POSITIONAL(bridged, BRIDGED);

static struct {
    bool enabled;
    process_t *process;
    uuid_t id;
    int64_t number; /* of our last news */
    stale_t waiting;
    buffer_t hints; /* topics and payloads that wait, each behind its lengths */
    int hint_count;
    bool hints_dropped;
    void (*tell)(text_t topic, text_t payload);
    void (*lost)(void);
    arena_t *arena; /* for reading a message; emptied after each */
    bool beat_due, sending;
    redis_t *publisher;
    coroutine_t *idle; /* the publishing coroutine while it has nothing to do */
    sequences_t others;
    struct {
        _Atomic int64_t *sent, *unsure, *heard, *gaps, *subscriptions, *unreadable, *dropped, *hints;
    } counters;
} bridge;

/* --- what we say -------------------------------------------------------------------------------------------------- */

static bool has_work(void)
{
    return redis_ready(bridge.publisher) && (bridge.beat_due || bridge.hint_count > 0 || !stale_is_empty(&bridge.waiting));
}

/* Takes the oldest hints that wait, as many as one message takes; they point into what waits. Gives their bytes. */
static size_t hints_take(bridged_hint_t *out, list_t *list)
{
    size_t at = 0;
    *list = (list_t){.items = out};
    while (at < bridge.hints.length && at < HINTS_BYTES && list->count < HINTS_EACH) {
        size_t lengths[2];
        memcpy(lengths, bridge.hints.data + at, sizeof(lengths));
        at += sizeof(lengths);
        bridged_hint_t *hint = &out[list->count++];
        *hint = (bridged_hint_t){0};
        message_set(hint, topic, (text_t){bridge.hints.data + at, lengths[0]});
        message_set(hint, payload, (text_t){bridge.hints.data + at + lengths[0], lengths[1]});
        at += lengths[0] + lengths[1];
    }
    return at;
}

static void message_make(buffer_t *out)
{
    static buffer_t stale;
    static bridged_hint_t hints[HINTS_EACH];
    bridged_t message = {0};
    size_t taken = 0;
    if (!stale_is_empty(&bridge.waiting)) {
        stale.length = 0;
        stale_pack(&bridge.waiting, &stale);
        stale_clear(&bridge.waiting);
        message_set(&message, stale, buffer_text(&stale));
    }
    if (bridge.hint_count > 0) {
        list_t list;
        taken = hints_take(hints, &list);
        message_set(&message, hints, list);
    }
    bridge.number += (message_has(&message, stale) || message_has(&message, hints)) + bridge.hints_dropped; /* a gap */
    bridge.hints_dropped = bridge.beat_due = false;
    message_set(&message, version, BRIDGE_VERSION);
    message_set(&message, broker, bridge.id);
    message_set(&message, number, bridge.number);
    out->length = 0;
    message_pack(&bridged_message, &message, out);
    if (taken > 0) {
        bridge.hint_count -= (int)message.hints.count;
        memmove(bridge.hints.data, bridge.hints.data + taken, bridge.hints.length - taken);
        bridge.hints.length -= taken;
    }
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

void bridge_hint(text_t topic, text_t payload)
{
    size_t lengths[2] = {topic.length, payload.length};
    if (!bridge.enabled)
        return;
    if (bridge.hints.length + sizeof(lengths) + topic.length + payload.length > (size_t)bridge.process->config.broker.pending) {
        bridge.hints_dropped = true;
        counter_add(bridge.counters.dropped, 1);
        return;
    }
    buffer_add(&bridge.hints, lengths, sizeof(lengths));
    buffer_add_text(&bridge.hints, topic);
    buffer_add_text(&bridge.hints, payload);
    bridge.hint_count++;
}

bool bridge_is_idle(void)
{
    bool empty = stale_is_empty(&bridge.waiting) && bridge.hint_count == 0;
    return !bridge.enabled || !redis_ready(bridge.publisher) || (empty && !bridge.sending);
}

/* --- what the others say ------------------------------------------------------------------------------------------ */

/* Something of it is not known: anything may have been said. */
static void missed(const char *why)
{
    apply_all(why);
    bridge.lost();
}

static void hear(const bridged_t *message, const stale_t *stale)
{
    if (!stale_is_empty(stale))
        apply(stale);
    const bridged_hint_t *hints = message->hints.items;
    for (size_t i = 0; message_has(message, hints) && i < message->hints.count; i++) {
        counter_add(bridge.counters.hints, 1);
        bridge.tell(hints[i].topic, hints[i].payload);
    }
}

static void take(const bridged_t *message)
{
    static stale_t stale;
    stale_clear(&stale);
    if (message_has(message, stale) && !stale_read(message->stale, &stale)) {
        counter_add(bridge.counters.unreadable, 1);
        missed("unreadable");
        return;
    }
    bool news = message_has(message, stale) || message_has(message, hints);
    counter_add(bridge.counters.heard, 1);
    switch (sequence_take(&bridge.others, message->broker, message->number, news, clock_monotonic())) {
    case SEQUENCE_NEXT:
        hear(message, &stale);
        break;
    case SEQUENCE_KNOWN:
        break;
    case SEQUENCE_GAP:
        counter_add(bridge.counters.gaps, 1);
        hear(message, &stale); /* what it does say is not to be waited for */
        missed("gap");
        break;
    case SEQUENCE_STRANGER:
        hear(message, &stale);
        missed("stranger");
        break;
    }
}

static void on_message(void *argument, text_t packed)
{
    bridged_t message;
    (void)argument;
    problems_t problems = {.arena = bridge.arena};
    bool good = message_read(&bridged_message, packed, SOURCE_PEER, &message, &problems) && message.version == BRIDGE_VERSION;
    if (good && !uuid_equal(message.broker, bridge.id)) {
        take(&message);
    } else if (!good) {
        counter_add(bridge.counters.unreadable, 1);
        missed("unreadable");
    }
    arena_reset(bridge.arena);
}

static void on_subscribed(void *argument)
{
    (void)argument;
    counter_add(bridge.counters.subscriptions, 1);
    bridge.beat_due = true; /* we are a stranger to the others: at once, not in a second */
    missed("subscribed");
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
    bridge.counters.dropped = 
        counter_declare(self, "bridge_dropped", "hints", "too many waited for Redis; the others hear of a gap");
    bridge.counters.hints = 
        counter_declare(self, "bridge_hints", "hints", "of users, roles, rooms and sessions, from other machines");
    bridge.counters.unreadable =
        counter_declare(self, "bridge_unreadable", "messages", "what was said by another build, or by a stranger");
}

static _Noreturn void on_arena_limit(void *argument)
{
    (void)argument;
    panic("one message of another machine takes more than %d bytes", READ_MEMORY);
}

void bridge_open(loop_t *loop, process_t *process, void (*tell)(text_t topic, text_t payload), void (*lost)(void))
{
    const config_t *config = &process->config;
    bridge.enabled = config->cluster.enabled;
    bridge.tell = tell;
    bridge.lost = lost;
    if (!bridge.enabled)
        return;
    bridge.process = process;
    bridge.id = uuid_random();
    bridge.arena = arena_create(READ_MEMORY, on_arena_limit, NULL);
    counters_open(process->self);
    apply_open(process);
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
