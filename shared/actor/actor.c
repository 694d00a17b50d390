/* actor: the process around an actor's rows: joins the supervisor's segment, checks its statements, opens its lanes, binds
 * its endpoint, reports READY, serves until SIGTERM, drains, leaves.
 *
 * Startup waits for PostgreSQL as long as it takes and says so in its STATUS; a statement that does not fit the schema ends
 * it with EXIT_CONFIG, since trying again would not help. */
#include "internal.h"
#include "cached_far.h"
#include "event.h"
#include "once.h"
#include "outgoing.h"
#include "retention.h"
#include "together.h"
#include "unsure.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include "../shm/process_reload.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    RETRY_DATABASE = 100, /* milliseconds between two tries to reach PostgreSQL before READY */
    READY_TICK = 5,
    WAITING_TICK = 500, /* process_notify_waiting asks for a second more */
    QUIET_BEFORE_EXIT = 100,  /* a drained actor waits this long for what is still on its way */
    CHORE_RETRY = 10000,
    WORKER_RETRY = 1000,
    EVENTS_RETRY = 1000,
    HOUSEKEEPING_TICK = 50,
    CHORE_EVENTS = 0,
    CHORE_TIDY,
    CHORE_ACTOR,
    CHORE_RETENTION,
    CHORES,
};

actor_context_t context;

static struct {
    bool starting, ready, draining, drains_unsure;
    int64_t start_at, drain_deadline, quiet_since, watchdog_at;
    struct {
        int64_t (*step)(call_t *);
        int64_t at; /* clock_monotonic() */
    } chores[CHORES];
    int chore;          /* whose step runs, or ran last */
    int64_t chore_next; /* what it returned */
    bool chore_runs;
    struct worker {
        int64_t at, next;
        bool runs;
    } workers[ACTOR_WORKERS_MAX];
    bool events_due;   /* a round is to begin at once */
    bool events_known; /* because one was committed here */
    loop_timer_t *timer;
} life;

char *schema_statement(const char *format, const char *schema)
{
    buffer_t text = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    buffer_format(&text, format, schema);
#pragma GCC diagnostic pop
    return text.data;
}

static _Noreturn void fail_start(const char *reason)
{
    log_event(LOG_ERROR, "start_failed", LOG_S("reason", reason), LOG_S("next", "aipotenctl db status; aipotenctl history"));
    process_notify_status(reason);
    exit(EXIT_CONFIG);
}

/* --- before READY ------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t told_to_stop;

static void on_early_stop(int signal_number)
{
    (void)signal_number;
    told_to_stop = 1;
}

static void wait_for_database(const char *url)
{
    char error[512];
    for (bool said = false;; said = true) {
        enum db_status status =
            lanes_check(&context.process, url, context.statements, context.statement_count, error, sizeof error);
        if (status == DB_OK)
            return;
        if (status == DB_ERROR)
            fail_start(error);
        if (!said)
            log_event(LOG_WARNING, "database_unavailable", LOG_S("reason", error), LOG_S("next", "waiting for it"));
        process_notify_waiting("waiting for the database");
        nanosleep(&(struct timespec){.tv_nsec = RETRY_DATABASE * 1000000L}, NULL);
        if (told_to_stop)
            exit(0);
    }
}

static void counters_declare(void)
{
    segment_instance_t *self = context.process.self;
    context.counters.calls = counter_declare(self, "calls", "calls", "requests received from frontends");
    context.counters.errors = counter_declare(self, "calls_failed", "calls", "requests answered with a 5xx status");
    context.counters.refused = counter_declare(self, "calls_refused", "calls", "requests not begun: too late or too many");
    context.counters.retries =
        counter_declare(self, "calls_retried", "runs", "handlers run again after a serialization failure or deadlock");
    context.counters.in_flight = counter_declare(self, "calls_in_flight", "now", "handlers that run or wait now");
    context.counters.deliveries =
        counter_declare(self, "deliveries", "events", "events sent to their subscribers, also in vain");
    context.counters.asked = counter_declare(self, "calls_asked", "calls", "calls that other actors answered");
    context.counters.replayed =
        counter_declare(self, "calls_replayed", "calls", "requests answered from the record of calls, not done again");
    context.counters.removed =
        counter_declare(self, "retention_removed", "rows", "removed because their time was over (retention.*)");
    context.counters.together =
        counter_declare(self, "calls_together", "calls", "events handled with others of their kind in one transaction");
    context.counters.apart =
        counter_declare(self, "calls_apart", "calls", "events that were to be, and then were handled one by one");
    context.counters.queued = counter_declare(self, "calls_queued", "now", "requests that wait for a coroutine");
    context.counters.stack =
        counter_declare(self, "coroutine_stack", "bytes", "the most of a coroutine's stack that was ever used");
    context.metrics = metrics_join(context.process.segment, self);
    context.metrics_rows = memory_zeroed((size_t)context.actor->endpoint_count, sizeof context.metrics_rows[0]);
    for (int i = 0; i < context.actor->endpoint_count; i++)
        context.metrics_rows[i] =
            metrics_row(context.metrics, METRICS_CALLS, text_of(context.actor->endpoints[i].operation));
}

static void serve(void *argument, enum error_code start_failed)
{
    (void)argument;
    if (start_failed == ERROR_UNAVAILABLE || start_failed == ERROR_TIMEOUT) { /* PostgreSQL's fault: once more */
        life.starting = false;
        life.start_at = clock_monotonic() + RETRY_DATABASE * CLOCK_MILLISECOND;
        return;
    }
    if (start_failed)
        fail_start("the actor's start hook failed");
    char endpoint[256];
    segment_endpoint(context.process.self, context.process.run_directory, endpoint, sizeof endpoint);
    context.server = link_server_open(context.loop, endpoint, job_receive, NULL);
    if (!context.server)
        fail_start("cannot bind the endpoint below AIPOTEN_RUN");
    life.ready = true;
    process_notify_ready(actor_schema_hash(context.actor));
    log_event(LOG_INFO, "ready", LOG_I("statements", context.statement_count));
}

static void lanes_opened(void)
{
    if (life.starting || life.draining || !lanes_ready(context.lanes) || clock_monotonic() < life.start_at)
        return;
    life.starting = true;
    if (context.actor->start)
        job_system(context.actor->start, serve, NULL);
    else
        serve(NULL, ERROR_NONE);
}

/* --- while it serves ---------------------------------------------------------------------------------------------- */

static void run_chore(call_t *call)
{
    life.chore_next = life.chores[life.chore].step(call);
}

static int64_t dispatch(call_t *call)
{
    bool known = life.events_known;
    life.events_known = false;
    return event_dispatch(call, known);
}

static void chore_done(void *argument, enum error_code failed)
{
    (void)argument;
    bool events = life.chore == CHORE_EVENTS;
    life.chore_runs = false;
    int64_t next = !failed ? life.chore_next : events ? EVENTS_RETRY : CHORE_RETRY;
    life.events_due |= events && next == 0; /* more wait: not until a tick */
    life.chores[life.chore].at = next < 0 ? INT64_MAX : clock_monotonic() + next * CLOCK_MILLISECOND;
}

/* Events are delivered by everybody. The others are the first instance's. */
static bool chore_is_due(int chore, int64_t now)
{
    if (!life.chores[chore].step || now < life.chores[chore].at)
        return false;
    return chore == CHORE_EVENTS || context.process.number == 1;
}

/* One step of one of them at a time, in turn, so that none waits for the end of another's work. */
static void chore_begin(int64_t now)
{
    if (!life.ready || life.draining || life.chore_runs || !coroutine_available())
        return;
    for (int i = 1; i <= CHORES; i++) {
        int chore = (life.chore + i) % CHORES;
        if (!chore_is_due(chore, now))
            continue;
        if (chore == CHORE_EVENTS)
            life.events_due = false;
        life.chore = chore;
        life.chores[chore].at = INT64_MAX; /* until chore_done says */
        life.chore_runs = true;
        job_system(run_chore, chore_done, NULL);
        return;
    }
}

static void run_worker(call_t *call)
{
    struct worker *worker = job_of(call)->argument;
    worker->next = context.actor->worker(call, (int)(worker - life.workers));
}

static void worker_done(void *argument, enum error_code failed)
{
    struct worker *worker = argument;
    int64_t next = failed ? WORKER_RETRY : worker->next;
    worker->runs = false;
    if (failed && context.actor->worker_failed)
        context.actor->worker_failed((int)(worker - life.workers));
    worker->at = next < 0 ? INT64_MAX : clock_monotonic() + next * CLOCK_MILLISECOND;
}

/* After each turn, so that one with more to do goes on without waiting for a tick. */
static bool workers_turn(void *argument)
{
    (void)argument;
    bool any = false;
    int64_t now = clock_monotonic();
    for (int i = 0; i < context.actor->workers && life.ready && !life.draining; i++) {
        struct worker *worker = &life.workers[i];
        if (worker->runs || worker->at > now || !coroutine_available())
            continue;
        worker->runs = any = true;
        job_system(run_worker, worker_done, worker);
    }
    return any;
}

void actor_event_committed(void)
{
    life.events_due = life.events_known = true;
}

/* While a round runs, it says itself when the next one comes. */
void actor_event_settles(void)
{
    int64_t at = clock_monotonic() + SETTLE_MILLISECONDS * CLOCK_MILLISECOND;
    if (!(life.chore_runs && life.chore == CHORE_EVENTS) && life.chores[CHORE_EVENTS].at > at)
        life.chores[CHORE_EVENTS].at = at;
}

/* After each turn: what was just committed is delivered without waiting for a tick. */
static bool events_turn(void *argument)
{
    (void)argument;
    if (!life.events_due || !life.ready || life.draining || life.chore_runs || !coroutine_available())
        return false;
    life.chores[CHORE_EVENTS].at = 0;
    chore_begin(clock_monotonic());
    return true;
}

static void drain_step(int64_t now)
{
    bool unsure = job_count() == 0 && unsure_any();
    if (job_count() > 0 || unsure)
        life.quiet_since = now;
    if (unsure && !life.drains_unsure)
        log_event(LOG_INFO, "drain_waits", LOG_S("reason", "PostgreSQL may still be at a commit of which nobody heard"));
    life.drains_unsure |= unsure;
    bool quiet = now - life.quiet_since > QUIET_BEFORE_EXIT * CLOCK_MILLISECOND;
    if (quiet || now > life.drain_deadline)
        loop_ev_stop(context.loop);
}

/* A handler that needs more than there is meets the guard page: said before that. */
static void stacks_measure(void)
{
    static bool said;
    int64_t peak = (int64_t)coroutine_stack_peak(), size = context.process.config.actor.coroutine_stack;
    atomic_store_explicit(context.counters.stack, peak, memory_order_relaxed);
    if (peak > size / 4 * 3 && !said)
        log_event(LOG_WARNING, "stack_short", LOG_I("used", peak), LOG_I("size", size),
            LOG_S("next", "raise actor.coroutine_stack, or find what a handler keeps on its stack"));
    said = said || peak > size / 4 * 3;
}

static void housekeeping(void *argument)
{
    (void)argument;
    int64_t now = clock_monotonic();
    if (!life.ready)
        lanes_opened();
    if (now >= life.watchdog_at && life.ready) {
        process_notify_watchdog();
        stacks_measure();
        life.watchdog_at = now + context.process.config.supervisor.watchdog * CLOCK_MILLISECOND / 3;
    } else if (now >= life.watchdog_at) {
        process_notify_waiting("waiting for the database");
        life.watchdog_at = now + WAITING_TICK * CLOCK_MILLISECOND;
    }
    unsure_turn(now);
    if (life.draining)
        drain_step(now);
    else
        chore_begin(now);
}

/* Until READY the housekeeping is quicker: each of its ticks would be seen in the start's time. */
static void starting(void *argument)
{
    (void)argument;
    lanes_opened();
    unsure_turn(clock_monotonic());
    if (life.ready)
        context.loop->timer_stop(&life.timer);
}

static void on_stop(void *argument)
{
    (void)argument;
    if (life.draining)
        return;
    process_notify_stopping();
    log_event(LOG_INFO, "draining", LOG_I("calls", job_count()));
    life.draining = true;
    life.quiet_since = clock_monotonic();
    life.drain_deadline = life.quiet_since + context.process.config.actor.drain_timeout * CLOCK_MILLISECOND;
}

int actor_main(const actor_t *actor)
{
    context.actor = actor;
    insist(actor->statements || !actor->data_keys);
    if (actor->statements)
        context.statements = once_statements(actor, &context.statement_count);
    life.chores[CHORE_EVENTS].step = actor->data_keys ? dispatch : NULL; /* who cannot seal cannot emit */
    life.chores[CHORE_TIDY].step = actor->data_keys ? once_tidy : NULL;
    life.chores[CHORE_ACTOR].step = actor->chore;
    life.chores[CHORE_RETENTION].step = actor->retention_count ? retention_step : NULL;
    process_join(&context.process);
    context.cache = cache_open(context.process.segment, context.process.self);
    const config_t *config = &context.process.config;
    coroutine_configure((size_t)config->actor.max_coroutines, (size_t)config->actor.coroutine_stack);
    counters_declare();
    if (actor->data_keys)
        process_ring(actor->data_keys, &context.data_keys);
    signal(SIGTERM, on_early_stop);
    const char *url = actor->statements ? process_secret("database_url").data /* a NUL follows it */ : NULL;
    if (url)
        wait_for_database(url);
    context.loop = loop_ev_create();
    cached_far_open();
    loop_ev_signal(context.loop, SIGTERM, on_stop, NULL);
    loop_ev_signal(context.loop, SIGINT, on_stop, NULL);
    process_reload_watch(context.loop, NULL);
    context.loop->add_turn_hook(context.loop, job_turn, NULL);
    context.loop->add_turn_hook(context.loop, together_turn, NULL);
    context.lanes = lanes_open(context.loop, &context.process, url, context.statements, context.statement_count);
    outgoing_open(context.loop, &context.process);
    if (url)
        unsure_start();
    context.loop->add_turn_hook(context.loop, events_turn, NULL);
    insist(actor->workers <= ACTOR_WORKERS_MAX);
    if (actor->worker)
        context.loop->add_turn_hook(context.loop, workers_turn, NULL);
    life.timer = context.loop->timer(context.loop, READY_TICK, starting, NULL);
    context.loop->timer(context.loop, HOUSEKEEPING_TICK, housekeeping, NULL);
    if (!told_to_stop)
        loop_ev_run(context.loop);
    log_event(LOG_INFO, "stopped", LOG_I("calls_left", job_count()));
    outgoing_close();
    link_server_close(context.loop, &context.server);
    lanes_close(&context.lanes);
    return 0;
}
