/* upstream: follows the instance table. It is read again when the segment's version has changed, looked at
 * after each turn and at least each TICK_MILLISECONDS. (The broker's hint makes a turn come at once: broker.h.)
 *
 * When a generation ends, its last replies may still be on their way through ZeroMQ's thread: the link is
 * read on for a moment before the instance counts as lost, where any are awaited. Nobody is kept busy by that: when an instance
 * dies, all processes hear of it at once. */
#include "upstream.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include "../shm/services.h"
#include "../wire/link.h"
#include <stdio.h>

enum {
    TICK_MILLISECONDS = 50,
    LAST_WORDS = 3, /* milliseconds */
    PLACES = 2 * SEGMENT_INSTANCES, /* old generations beside their successors */
    SERVICES_MAX = 64,
    TOGETHER_MOST = 48, /* how far ahead of the least loaded instance the one of this turn may be */
};

typedef struct {
    upstream_t *ready[SEGMENT_INSTANCES];
    int ready_count, skewed;
    int64_t ready_at; /* clock_monotonic() when one was last seen ready; 0: never */
    unsigned next;      /* where the next choice among equals begins */
    upstream_t *chosen; /* in this turn */
    uint64_t chosen_turn;
} group_t;

static struct {
    loop_t *loop;
    process_t *process;
    upstream_events_t events;
    const upstream_service_t *services;
    int service_count;
    upstream_t places[PLACES];
    group_t groups[SERVICES_MAX];
    uint64_t seen; /* version of the segment */
    int leaving;   /* places whose generation has ended */
    loop_timer_t *leave_timer;
    uint64_t turn; /* number of the loop's turn */
} upstreams;

static upstream_t *place_of(uint64_t generation)
{
    for (int i = 0; i < PLACES; i++)
        if (upstreams.places[i].generation == generation)
            return &upstreams.places[i];
    return NULL;
}

static int service_index(const segment_instance_t *instance)
{
    if (instance->service < 0 || instance->service >= service_count)
        return -1;
    for (int i = 0; i < upstreams.service_count; i++)
        if (strcmp(upstreams.services[i].service, services[instance->service].name) == 0)
            return i;
    return -1;
}

static void receive(void *argument, text_t value, uint32_t peer)
{
    (void)argument;
    (void)peer;
    upstreams.events.on_reply(value);
}

static void place_open(int slot, uint64_t generation, int service)
{
    segment_instance_t *instance = segment_instance(upstreams.process->segment, slot);
    char endpoint[512];
    segment_endpoint(instance, upstreams.process->run_directory, endpoint, sizeof(endpoint));
    if (atomic_load(&instance->generation) != generation)
        return; /* restarted just now: the version has changed again */
    upstream_t *upstream = place_of(0);
    if (upstream == NULL)
        panic("more generations alive than places");
    *upstream = (upstream_t){.generation = generation, .slot = slot, .service = service};
    upstream->link = link_client_open(upstreams.loop, endpoint, receive, upstream);
    if (upstream->link == NULL) {
        log_event(LOG_ERROR, "upstream_unreachable", LOG_S("endpoint", endpoint),
            LOG_S("next", "see whether the run directory exists and the path is short enough for a socket"));
        *upstream = (upstream_t){0};
    }
}

static bool state_lives(uint32_t state)
{
    return state == INSTANCE_STARTING || state == INSTANCE_READY || state == INSTANCE_DRAINING ||
           state == INSTANCE_STOPPING;
}

/* Opens what became ready, and tells for each known generation whether it goes on. */
static void slot_read(int slot)
{
    segment_instance_t *instance = segment_instance(upstreams.process->segment, slot);
    if (!atomic_load(&instance->used))
        return;
    uint64_t generation = atomic_load(&instance->generation);
    uint32_t state = atomic_load(&instance->state);
    int service = service_index(instance);
    if (service < 0 || generation == 0 || !state_lives(state))
        return;
    upstream_t *upstream = place_of(generation);
    bool fits = atomic_load(&instance->schema) == upstreams.services[service].schema_hash;
    if (state == INSTANCE_READY && !fits)
        upstreams.groups[service].skewed++;
    if (state == INSTANCE_READY && fits && upstream == NULL) {
        place_open(slot, generation, service);
        upstream = place_of(generation);
    }
    if (upstream == NULL)
        return;
    upstream->lost_at = 0;
    upstream->ready = state == INSTANCE_READY && fits;
    group_t *group = &upstreams.groups[service];
    if (upstream->ready)
        group->ready[group->ready_count++] = upstream;
}

static void table_read(int64_t now)
{
    for (int i = 0; i < upstreams.service_count; i++) {
        group_t *group = &upstreams.groups[i];
        if (group->ready_count > 0)
            group->ready_at = now;
        group->ready_count = group->skewed = 0;
    }
    for (int i = 0; i < PLACES; i++) {
        upstreams.places[i].ready = false;
        if (upstreams.places[i].lost_at == 0)
            upstreams.places[i].lost_at = now; /* unless slot_read finds it alive */
    }
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        slot_read(slot);
    upstreams.leaving = 0;
    for (int i = 0; i < PLACES; i++)
        upstreams.leaving += upstreams.places[i].generation != 0 && upstreams.places[i].lost_at != 0;
}

static void places_leave(int64_t now)
{
    for (int i = 0; i < PLACES; i++) {
        upstream_t *upstream = &upstreams.places[i];
        if (upstream->generation == 0 || upstream->lost_at == 0 ||
            (upstream->in_flight > 0 && now - upstream->lost_at < LAST_WORDS * CLOCK_MILLISECOND))
            continue;
        upstreams.leaving--;
        upstreams.events.on_lost(upstream);
        insist(upstream->in_flight == 0);
        link_client_close(upstreams.loop, &upstream->link);
        *upstream = (upstream_t){0};
    }
}

static void look_on_time(void *argument);

/* As long as somebody is leaving. */
static void leave_timer_set(void)
{
    bool wanted = upstreams.leaving > 0;
    if (wanted && upstreams.leave_timer == NULL)
        upstreams.leave_timer = upstreams.loop->timer(upstreams.loop, LAST_WORDS, look_on_time, NULL);
    else if (!wanted && upstreams.leave_timer != NULL)
        upstreams.loop->timer_stop(&upstreams.leave_timer);
}

/* After each turn; true when the table has changed: who waits for an instance has it at once. */
static bool look(void *argument)
{
    (void)argument;
    upstreams.turn++;
    uint64_t version = segment_version(upstreams.process->segment);
    bool changed = version != upstreams.seen;
    if (!changed && upstreams.leaving == 0)
        return false;
    int64_t now = clock_monotonic();
    if (changed) {
        upstreams.seen = version;
        table_read(now);
    }
    if (upstreams.leaving > 0)
        places_leave(now);
    leave_timer_set();
    return changed;
}

static void look_on_time(void *argument)
{
    look(argument);
}

void upstream_open(
    loop_t *loop, process_t *process, const upstream_service_t *table, int count, const upstream_events_t *events)
{
    if (count > SERVICES_MAX)
        panic("more services than SERVICES_MAX");
    upstreams.loop = loop;
    upstreams.process = process;
    upstreams.events = *events;
    upstreams.services = table;
    upstreams.service_count = count;
    loop->add_turn_hook(loop, look, NULL);
    loop->timer(loop, TICK_MILLISECONDS, look_on_time, NULL);
    look(NULL);
}

int upstream_service(const char *name)
{
    for (int i = 0; i < upstreams.service_count; i++)
        if (strcmp(upstreams.services[i].service, name) == 0)
            return i;
    return -1;
}

void upstream_close(void)
{
    for (int i = 0; i < PLACES; i++)
        link_client_close(upstreams.loop, &upstreams.places[i].link);
}

static upstream_t *least_loaded(group_t *group, int64_t most)
{
    upstream_t *best = NULL;
    unsigned begin = group->next++;
    for (int i = 0; i < group->ready_count; i++) {
        upstream_t *upstream = group->ready[(begin + (unsigned)i) % (unsigned)group->ready_count];
        if (upstream->in_flight < most && (best == NULL || upstream->in_flight < best->in_flight))
            best = upstream;
    }
    return best;
}

enum upstream_choice upstream_choose(int service, upstream_t **out)
{
    group_t *group = &upstreams.groups[service];
    int64_t most = upstreams.process->config.http.max_pending_instance;
    upstream_t *best = least_loaded(group, most), *chosen = group->chosen;
    /* The table is read between two turns only, so what was chosen in this one is still ready. Nothing was, when all were full
     * at that moment. */
    bool stay = !upstreams.services[service].spread && best != NULL && group->chosen_turn == upstreams.turn && chosen != NULL &&
                chosen->in_flight < most && chosen->in_flight - best->in_flight < TOGETHER_MOST;
    if (!stay)
        group->chosen = best;
    group->chosen_turn = upstreams.turn;
    *out = group->chosen;
    return best ? UPSTREAM_CHOSEN : group->ready_count > 0 ? UPSTREAM_ALL_FULL : UPSTREAM_NONE_READY;
}

bool upstream_coming_back(int service, int64_t patience)
{
    const group_t *group = &upstreams.groups[service];
    return group->ready_count > 0 || (group->ready_at != 0 && clock_monotonic() - group->ready_at < patience);
}

void upstream_send(upstream_t *upstream, text_t packed)
{
    link_client_send(upstream->link, packed);
}

int upstream_ready_count(int service, int *skewed)
{
    *skewed = upstreams.groups[service].skewed;
    return upstreams.groups[service].ready_count;
}
