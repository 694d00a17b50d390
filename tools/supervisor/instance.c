/* The states:
 *
 *     DOWN ──start──> STARTING ──ready──> READY ──stop──> DRAINING ──time──> STOPPING ──exit──> DOWN
 *                        │ exit             │ exit: at once, or
 *                        v                  v early
 *                     BACKOFF ──time──> STARTING      more than `intensity` early deaths: FAILED ──time──>
 * STARTING
 *
 * A death before READY or within EARLY_DEATH_SECONDS of it is early and waits; any other is followed by a new
 * start at once. Exit status 78 (the configuration is wrong) waits in FAILED for the operator. */
#include "instance.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/panic.h"
#include "../../shared/shm/process.h"
#include "../../shared/shm/process_reload.h"
#include "logs.h"
#include "notify.h"
#include "reload.h"
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AFTER_KILL_SECONDS = 10 };

const char *instance_name(const instance_t *instance)
{
    static char name[64];
    snprintf(name, sizeof(name), "%s.%d", services[instance->service].name, instance->number);
    return name;
}

enum instance_state instance_state(const instance_t *instance)
{
    return (enum instance_state)atomic_load(&instance->row->state);
}

bool instance_alive(const instance_t *instance)
{
    return instance->pid != 0;
}

static void set_state(instance_t *instance, enum instance_state state)
{
    if (instance_state(instance) != state)
        log_event(LOG_INFO, "state", LOG_S("instance", instance_name(instance)),
            LOG_S("state", instance_state_name(state)), LOG_I("pid", instance->pid));
    atomic_store(&instance->row->state, state);
    segment_touch(instance->supervisor->segment);
    instance->supervisor->dirty = true;
    instance->told = false;
    instance_set_deadline(instance);
}

static int64_t after(int64_t milliseconds)
{
    return clock_monotonic() + milliseconds * CLOCK_MILLISECOND;
}

/* Is there a frontend that could still route to it? */
static bool routed_to(const instance_t *instance)
{
    if (services[instance->service].listens)
        return false;
    EACH_INSTANCE (instance->supervisor, other)
        if (services[other->service].listens && other->pid != 0)
            return true;
    return false;
}

void instance_set_deadline(instance_t *instance)
{
    const config_t *config = &instance->supervisor->config;
    switch (instance_state(instance)) {
    case INSTANCE_STARTING:
        instance->deadline = after(config->supervisor.start_timeout);
        break;
    case INSTANCE_READY:
        instance->deadline = config->supervisor.watchdog > 0
                                 ? instance->alive + config->supervisor.watchdog * CLOCK_MILLISECOND
                                 : 0;
        break;
    case INSTANCE_DRAINING:
        instance->deadline = instance->held ? 0 : after(routed_to(instance) ? ROUTING_MILLISECONDS : 0);
        break;
    case INSTANCE_STOPPING:
        instance->deadline = after(config->supervisor.stop_timeout);
        break;
    case INSTANCE_BACKOFF:
        instance->deadline = after(
            backoff_wait(instance->early, config->supervisor.backoff_first, config->supervisor.backoff_most));
        break;
    case INSTANCE_FAILED:
        instance->deadline = instance->last_death.status == EXIT_CONFIG && !instance->last_death.signal
                                 ? 0
                                 : after(config->supervisor.failed_retry);
        break;
    default:
        instance->deadline = 0;
    }
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

static void send_signal(instance_t *instance, int number)
{
    if (instance->pid != 0 && pidfd_send_signal(instance->pidfd, number, NULL, 0) != 0 && errno != ESRCH)
        log_event(LOG_ERROR, "signal_failed", LOG_S("instance", instance_name(instance)),
            LOG_I("signal", number), LOG_S("reason", strerror(errno)),
            LOG_S("next", "end the process by hand"));
}

/* What the dead process was doing, and that it holds nothing any more. */
static void row_bury(instance_t *instance, death_t *death)
{
    segment_instance_t *row = instance->row;
    segment_now_t now;
    if (now_get(row, &now) && now.operation[0] != '\0') {
        memcpy(death->operation, now.operation, sizeof(death->operation));
        memcpy(death->trace, now.trace, sizeof(death->trace));
        uuid_format(now.call, death->call);
    }
    memset(&row->now, 0, sizeof(row->now));
    atomic_store(&row->database_connections, 0);
    atomic_store(&row->pid, 0);
    char socket[96];
    snprintf(socket, sizeof(socket), "%s.%llu", instance_name(instance),
        (unsigned long long)atomic_load(&row->generation));
    unlinkat(instance->supervisor->paths.ipc_fd, socket, 0);
    process_reload_name(services[instance->service].name, row, socket, sizeof(socket));
    unlinkat(instance->supervisor->paths.ipc_fd, socket, 0);
}

static void status_take(instance_t *instance, death_t *death)
{
    siginfo_t information = {0};
    death->known = waitid(P_PIDFD, (id_t)instance->pidfd, &information, WEXITED) == 0;
    if (!death->known)
        return;
    if (information.si_code == CLD_EXITED)
        death->status = information.si_status;
    else
        death->signal = information.si_status;
}

static const char *cause_of(const instance_t *instance, const death_t *death)
{
    if (instance->killed != NULL)
        return instance->killed;
    if (!death->known)
        return "unwatched";
    if (death->signal)
        return "crash";
    return death->status == EXIT_CONFIG ? "configuration" : "exit";
}

static void process_ended(void *argument, int events)
{
    instance_t *instance = argument;
    (void)events;
    cache_instance_died(instance->supervisor->cache, instance->slot); /* first: before the table says so */
    notify_drain(instance->supervisor);
    death_t death = {.time = clock_now(),
        .number = instance->number,
        .pid = instance->pid,
        .uptime = clock_monotonic() - instance->launched};
    snprintf(death.service, sizeof(death.service), "%s", services[instance->service].name);
    status_take(instance, &death);
    snprintf(death.cause, sizeof(death.cause), "%s", cause_of(instance, &death));
    row_bury(instance, &death);
    logs_last_words(instance, death.log, sizeof(death.log));
    instance->last_death = death;

    instance->supervisor->loop->unwatch(&instance->watch);
    close(instance->pidfd);
    instance->pidfd = -1;
    instance->pid = 0;
    instance->adopted = false;
    instance_event(instance, EVENT_EXIT);
}

void instance_watch(instance_t *instance)
{
    instance->watch = instance->supervisor->loop->watch(
        instance->supervisor->loop, instance->pidfd, LOOP_READ, process_ended, instance);
}

/* --- what the table calls ----------------------------------------------------------------------------------------- */

static void die(instance_t *instance);

static void launch(instance_t *instance)
{
    instance->status[0] = '\0';
    instance->killed = NULL;
    instance->held = instance->reported = false;
    instance->reloaded = reload_number();
    instance->ready = 0;
    instance->launched = clock_monotonic();
    atomic_store(&instance->row->generation, segment_next_generation(instance->supervisor->segment));
    atomic_store(&instance->row->schema, 0);
    atomic_store(&instance->row->started, clock_now());
    atomic_store(&instance->row->counter_count, 0);
    char error[256];
    if (spawn(instance, error, sizeof(error)) == 0) {
        atomic_fetch_add(&segment_service(instance->supervisor->segment, instance->service)->starts, 1);
        set_state(instance, INSTANCE_STARTING);
        instance_watch(instance);
        return;
    }
    instance->last_death =
        (death_t){.time = clock_now(), .number = instance->number, .known = true, .status = 127};
    snprintf(instance->last_death.service, sizeof(instance->last_death.service), "%s",
        services[instance->service].name);
    snprintf(instance->last_death.cause, sizeof(instance->last_death.cause), "not started");
    snprintf(instance->last_death.log, sizeof(instance->last_death.log), "%s", error);
    die(instance);
}

static void operator_start(instance_t *instance)
{
    instance->early = 0;
    instance->failing = false;
    tally_clear(&instance->supervisor->tallies[instance->service]);
    launch(instance);
}

static void become_ready(instance_t *instance)
{
    instance->ready = instance->alive = clock_monotonic();
    instance->status[0] = instance->reason[0] = '\0';
    set_state(instance, INSTANCE_READY);
    log_event(LOG_INFO, "ready", LOG_S("instance", instance_name(instance)),
        LOG_I("milliseconds", (instance->ready - instance->launched) / CLOCK_MILLISECOND));
}

static void drain(instance_t *instance)
{
    if (instance_state(instance) == INSTANCE_DRAINING && !instance->held)
        return; /* its time runs already */
    instance->held = false;
    set_state(instance, INSTANCE_DRAINING);
}

static void hold(instance_t *instance)
{
    instance->held = true;
    set_state(instance, INSTANCE_DRAINING);
}

static void unhold(instance_t *instance)
{
    if (!instance->held)
        return; /* `wanted` starts it again when it is down */
    instance->held = false;
    instance->alive = clock_monotonic();
    set_state(instance, INSTANCE_READY);
}

static void terminate(instance_t *instance)
{
    instance->held = false;
    set_state(instance, INSTANCE_STOPPING);
    send_signal(instance, SIGTERM);
}

static void leave(instance_t *instance)
{
    set_state(instance, INSTANCE_STOPPING);
}

static void kill_because(instance_t *instance, const char *why)
{
    instance->killed = why;
    log_event(LOG_WARNING, "killed", LOG_S("instance", instance_name(instance)), LOG_S("why", why),
        LOG_S("next", "aipotenctl history"));
    send_signal(instance, SIGKILL);
    instance->deadline = after(AFTER_KILL_SECONDS * 1000); /* a process in the kernel's hands: try again */
}

static void kill_late(instance_t *instance)
{
    kill_because(instance, "start_timeout");
}

static void kill_silent(instance_t *instance)
{
    kill_because(instance, "watchdog");
}

static void kill_stubborn(instance_t *instance)
{
    kill_because(instance, "stop_timeout");
}

static void rest(instance_t *instance)
{
    set_state(instance, INSTANCE_DOWN);
}

static void death_tell(instance_t *instance)
{
    char described[256];
    death_describe(&instance->last_death, described, sizeof(described));
    history_add(&instance->last_death);
    atomic_fetch_add(&segment_service(instance->supervisor->segment, instance->service)->deaths, 1);
    instance->restarts++;
    snprintf(instance->reason, sizeof(instance->reason), "%s", described);
    log_event(LOG_WARNING, "death", LOG_S("instance", instance_name(instance)),
        LOG_I("pid", instance->last_death.pid), LOG_S("what", described),
        LOG_S("operation", instance->last_death.operation), LOG_S("call", instance->last_death.call),
        LOG_S("trace", instance->last_death.trace), LOG_S("log", instance->last_death.log),
        LOG_S("next", "aipotenctl history"));
}

static void die(instance_t *instance)
{
    const config_t *config = &instance->supervisor->config;
    int64_t now = clock_monotonic();
    death_tell(instance);
    if (instance->last_death.known && !instance->last_death.signal &&
        instance->last_death.status == EXIT_CONFIG) {
        set_state(instance, INSTANCE_FAILED);
        return;
    }
    if (instance->ready != 0 && now - instance->ready >= EARLY_DEATH_SECONDS * CLOCK_SECOND) {
        instance->early = 0;
        instance->failing = false;
        launch(instance);
        return;
    }
    instance->early++;
    if (tally_add(&instance->supervisor->tallies[instance->service], now,
            config->supervisor.intensity_window * CLOCK_MILLISECOND, config->supervisor.intensity))
        instance->failing = true;
    set_state(instance, instance->failing ? INSTANCE_FAILED : INSTANCE_BACKOFF);
}

/* Down as it was told to; a death all the same when it needed force or ended badly. */
static void end_stopped(instance_t *instance)
{
    const death_t *death = &instance->last_death;
    bool clean = !death->known || (death->signal ? death->signal == SIGTERM : death->status == 0);
    if (clean)
        instance->last_death.time = 0; /* none */
    else
        death_tell(instance);
    instance->held = false;
    set_state(instance, INSTANCE_DOWN);
}

static void (*const transitions[INSTANCE_STATES][INSTANCE_EVENTS])(instance_t *) = {
    [INSTANCE_DOWN] = {[EVENT_START] = operator_start},
    [INSTANCE_STARTING] = {[EVENT_READY] = become_ready,
        [EVENT_STOP] = terminate,
        [EVENT_TIME] = kill_late,
        [EVENT_EXIT] = die},
    [INSTANCE_READY] = {[EVENT_STOP] = drain,
        [EVENT_HOLD] = hold,
        [EVENT_LEAVE] = leave,
        [EVENT_TIME] = kill_silent,
        [EVENT_EXIT] = die},
    [INSTANCE_DRAINING] = {[EVENT_START] = unhold,
        [EVENT_STOP] = drain,
        [EVENT_LEAVE] = leave,
        [EVENT_TIME] = terminate,
        [EVENT_EXIT] = end_stopped},
    [INSTANCE_STOPPING] = {[EVENT_TIME] = kill_stubborn, [EVENT_EXIT] = end_stopped},
    [INSTANCE_BACKOFF] = {[EVENT_START] = operator_start, [EVENT_STOP] = rest, [EVENT_TIME] = launch},
    [INSTANCE_FAILED] = {[EVENT_START] = operator_start, [EVENT_STOP] = rest, [EVENT_TIME] = launch},
};

void instance_event(instance_t *instance, enum instance_event event)
{
    void (*act)(instance_t *) = transitions[instance_state(instance)][event];
    if (act != NULL)
        act(instance);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

instance_t *instance_find(supervisor_t *supervisor, int service, int number)
{
    instance_t *found = NULL;
    EACH_INSTANCE (supervisor, instance)
        if (instance->service == service && instance->number == number && !instance->successor &&
            (found == NULL || found->leaving))
            found = instance;
    return found;
}

instance_t *instance_create(supervisor_t *supervisor, int service, int number)
{
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        instance_t *instance = &supervisor->instances[slot];
        if (instance->row != NULL)
            continue;
        segment_instance_t *row = segment_instance(supervisor->segment, slot);
        memset(row, 0, sizeof(*row));
        row->service = (int16_t)service;
        row->number = (int16_t)number;
        atomic_store(&row->used, 1);
        *instance = (instance_t){.supervisor = supervisor,
            .row = row,
            .slot = slot,
            .service = service,
            .number = number,
            .pidfd = -1};
        supervisor->dirty = true;
        return instance;
    }
    return NULL;
}
