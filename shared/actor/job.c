/* job: the life of a call: received, perhaps queued, validated by its row, run in a coroutine, committed, answered.
 *
 * What always holds: a job is in exactly one place: the free list, the queue, or its coroutine. Its reply leaves only after
 * its transaction committed. Jobs are bounded: a frontend sends at most http.max_pending_instance to an instance, and
 * what exceeds JOBS_MAX, or BYTES_MAX of requests together, is answered 503 at once. */
#include "internal.h"
#include "cached.h"
#include "cached_far.h"
#include "event.h"
#include "once.h"
#include "together.h"
#include "../base/clock.h"
#include "../base/fault.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <stdlib.h>

enum {
    JOBS_MAX = 8192,
    BYTES_MAX = 64 << 20,
    JOBS_KEPT = 512, /* of those that are free: a burst's memory goes back */
    PACKED_KEPT = 16384,
    WAIT_STEP = 20, /* milliseconds */
};

static job_t *free_jobs, *queue, **queue_end = &queue;
static int jobs_alive, jobs_free;
static size_t bytes_alive; /* of their requests */

int job_count(void)
{
    return jobs_alive;
}

void job_running(const job_t *job)
{
    if (!job) {
        now_set(context.process.self, (text_t){0}, (uuid_t){{0}}, (text_t){0});
        log_set_request((text_t){0});
        return;
    }
    const endpoint_t *endpoint = job->call.endpoint;
    now_set(context.process.self, endpoint ? text_of(endpoint->operation) : TEXT("background"), job->call.id, job->call.trace);
    log_set_request(job->call.trace);
}

static void on_arena_limit(void *argument)
{
    log_event(LOG_ERROR, "request_memory", LOG_S("next", "raise actor.request_memory or find what the call collects"));
    call_fail(argument, ERROR_UNAVAILABLE);
}

job_t *job_create(void)
{
    job_t *job = free_jobs;
    if (job) {
        free_jobs = job->next;
        job->next = NULL; /* in the queue it would be taken for the one behind it */
        jobs_free--;
    } else {
        job = memory_zeroed(1, sizeof *job);
        job->call.arena = arena_create((size_t)context.process.config.actor.request_memory, on_arena_limit, &job->call);
    }
    jobs_alive++;
    return job;
}

void job_release(job_t *job)
{
    while (job->rows) {
        rows_t *rows = job->rows;
        job->rows = rows->next;
        rows_free(&rows);
    }
    for (kept_rows_t *kept = job->kept; kept; kept = kept->next)
        rows_free(&kept->rows);
    arena_t *arena = job->call.arena;
    buffer_t packed = job->packed, body = job->body;
    buffer_free(&job->heard);
    jobs_alive--;
    bytes_alive -= packed.length;
    if (jobs_free == JOBS_KEPT) {
        arena_destroy(&arena);
        buffer_free(&packed);
        buffer_free(&body);
        free(job);
        return;
    }
    arena_reset(arena);
    if (packed.capacity > PACKED_KEPT)
        buffer_free(&packed);
    if (body.capacity > PACKED_KEPT)
        buffer_free(&body);
    packed.length = body.length = 0;
    memset(job, 0, sizeof *job);
    job->packed = packed;
    job->body = body;
    job->call.arena = arena;
    job->next = free_jobs;
    free_jobs = job;
    jobs_free++;
}

/* --- validation --------------------------------------------------------------------------------------------------- */

static bool read_part(job_t *job, const message_t *message, text_t packed, enum message_source source, const void **out,
    problems_t *problems)
{
    if (!message)
        return true;
    void *value = arena_allocate(job->call.arena, message->size);
    *out = value;
    return message_read(message, packed.length ? packed : TEXT("\x80"), source, value, problems);
}

/* Deep pages are refused for every list alike: their cost grows with the window, a cursor's does not. */
static bool check_page(const message_t *message, const void *params, problems_t *problems)
{
    int page = message ? message_find(message, TEXT("page")) : -1;
    int limit = message ? message_find(message, TEXT("limit")) : -1;
    if (page < 0 || limit < 0)
        return true;
    const message_head_t *head = params;
    int64_t number = head->given >> page & 1 ? *(const int64_t *)message_member(params, page) : 1;
    int64_t size = head->given >> limit & 1 ? *(const int64_t *)message_member(params, limit) : PAGE_LIMIT;
    if (number < 0 || size < 0 || number * size <= PAGE_WINDOW)
        return true;
    problem_add(problems, TEXT("page"), PROBLEM_PAGE_WINDOW, &message->fields[page], PAGE_WINDOW);
    return false;
}

/* Everything that is wrong with parameters and body, in one answer. */
static bool validate(job_t *job)
{
    const endpoint_t *endpoint = job->call.endpoint;
    if (endpoint_is_route(endpoint) != (job->caller.length == 0)) {
        log_event(LOG_ERROR, "caller_refused", LOG_S("operation", endpoint->operation), LOG_T("caller", job->caller),
            LOG_S("next", "clients reach routes only, actors internal rows only: find who sent it"));
        reply_error(&job->call, ERROR_FORBIDDEN);
        return false;
    }
    if (endpoint->roles && !(endpoint->roles >> job->call.principal.role & 1)) {
        reply_error(&job->call, job->call.principal.role ? ERROR_FORBIDDEN : ERROR_UNAUTHENTICATED);
        return false;
    }
    static problems_t problems; /* nothing here suspends */
    problems.arena = job->call.arena;
    problems.count = 0;
    bool good = read_part(job, endpoint->params, job->packed_params, SOURCE_QUERY, &job->call.params, &problems);
    good = good && check_page(endpoint->params, job->call.params, &problems);
    good &= read_part(job, endpoint->input, job->packed_body, endpoint_is_route(endpoint) ? SOURCE_CLIENT : SOURCE_PEER,
        &job->call.input, &problems);
    job->call.raw = job->packed_body;
    if (!good)
        reply_problems(job, ERROR_VALIDATION, &problems);
    return good;
}

/* What takes too much memory is as bad as what does not fit. */
bool job_read(job_t *job)
{
    if (_setjmp(job->back) != OUTCOME_STARTED)
        return false;
    reply_reset(job);
    return validate(job);
}

/* --- counting ----------------------------------------------------------------------------------------------------- */

/* Its reply has left. */
static void count_call(const job_t *job)
{
    const endpoint_t *endpoint = job->call.endpoint;
    if (endpoint)
        metrics_count(context.metrics, context.metrics_rows[endpoint - context.actor->endpoints], job->status,
            clock_monotonic() - job->started);
}

void job_answer(job_t *job)
{
    reply_send(job);
    count_call(job);
    job_running(NULL);
    if (job->direct)
        event_deliver(job);
    job_release(job);
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static enum error_code commit_error(const job_t *job, enum db_status status)
{
    switch (status) {
    case DB_CONSTRAINT:
        return ERROR_CONFLICT;
    case DB_ERROR:
        return ERROR_INTERNAL;
    case DB_TIMEOUT:
        if (clock_monotonic() >= job->call.deadline)
            return ERROR_TIMEOUT;
        /* The row of another run of the same key, which has not committed yet, stood in the way. */
        return job->once.keyed ? ERROR_IN_PROGRESS : ERROR_UNAVAILABLE;
    default:
        return ERROR_UNAVAILABLE;
    }
}

/* What a failed commit means for the client. */
static void commit_failed(job_t *job, enum db_status status)
{
    if (status == DB_UNKNOWN)
        log_event(LOG_ERROR, "commit_unknown", LOG_S("operation", job->call.endpoint ? job->call.endpoint->operation : ""),
            LOG_S("next", "no database came back within the deadline to tell; the client was told 503"));
    reply_reset(job);
    reply_error(&job->call, commit_error(job, status));
}

/* The connection was lost during COMMIT. When PostgreSQL is back the call runs again: either it finds its record, or its own
 * row waits for the first transaction to end and then decides. False when the deadline comes first. */
static bool wait_for_truth(job_t *job)
{
    job->once.doubtful = true;
    while (clock_monotonic() < job->call.deadline) {
        job_running(NULL);
        lanes_pause(context.lanes, WAIT_STEP);
        job_running(job);
        if (lanes_ready(context.lanes))
            return true;
    }
    return false;
}

static enum db_status commit(job_t *job)
{
    return once_applies(job) ? once_commit(job) : transaction_commit(&job->transaction);
}

/* True when the call must run again. */
static bool commit_and_judge(job_t *job)
{
    if (!job->transaction) {
        hints_publish(job, job->status < 400 ? DB_OK : DB_ERROR);
        return false;
    }
    fault_point("call.before_commit");
    int64_t began = clock_monotonic();
    enum db_status status = commit(job);
    fault_point("call.after_commit");
    job_running(job);
    call_watch(&job->call, "COMMIT", LANE_WRITE, clock_monotonic() - began);
    cached_committed(job, status);
    hints_publish(job, status);
    if (status == DB_UNKNOWN && once_applies(job) && wait_for_truth(job))
        return true;
    if (status == DB_CONSTRAINT && once_applies(job))
        job->once.doubtful = true; /* another run of this call committed: its answer is recorded */
    if ((status == DB_RETRY || (status == DB_CONSTRAINT && once_applies(job))) && job->attempt < ATTEMPTS_MAX)
        return true;
    if (status != DB_OK) {
        job->direct = NULL;
        commit_failed(job, status);
    } else if (job->emitted) {
        actor_event_committed();
    }
    return false;
}

static void work(job_t *job)
{
    if (job->system)
        job->system(&job->call);
    else if (validate(job) && !(once_doubtful(job) && once_replay(job)) && !cached_far_fetch(job)) {
        fault_point("call.before_handler");
        job->call.endpoint->handler(&job->call);
    }
}

/* One run of the handler. True when it must run again. */
static bool attempt(job_t *job)
{
    reply_reset(job);
    cached_begin(job);
    job->violation_count = 0;
    job->step = 0;
    job->direct = NULL;
    hints_reset(job);
    job->attempt++;
    int outcome = _setjmp(job->back);
    if (outcome == OUTCOME_STARTED) {
        job_running(job);
        work(job);
        return commit_and_judge(job);
    }
    calls_end(job);
    bool refused = outcome == OUTCOME_FAILED && job->status < 500;
    enum db_status status = refused ? transaction_refuse(&job->transaction) : DB_OK;
    transaction_rollback(&job->transaction);
    job->direct = NULL;
    job_running(job);
    if (outcome == OUTCOME_RETRY || status == DB_RETRY)
        return true;
    /* What it decided may be wrong if another run of it has committed meanwhile ("this address is taken"): look again. */
    if ((once_doubtful(job) || job->once.keyed) && !job->failed_once && job->status < 500) {
        job->failed_once = job->once.doubtful = true;
        return true;
    }
    return false;
}

void job_run(void *argument)
{
    job_t *job = argument;
    counter_add(context.counters.in_flight, 1);
    while (attempt(job))
        counter_add(context.counters.retries, 1);
    counter_add(context.counters.in_flight, -1);
    if (job->system) {
        void (*done)(void *, enum error_code) = job->done;
        void *whose = job->argument;
        enum error_code failed = job->error;
        job_running(NULL);
        job_release(job);
        done(whose, failed);
        return;
    }
    if (!job->status)
        panic("handler of %s gave no reply", job->call.endpoint->operation);
    if (job->replayed)
        cached_changed(job);
    cached_file(job);
    fault_point("call.before_reply");
    job_answer(job);
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static const endpoint_t *endpoint_find(text_t operation)
{
    for (int i = 0; i < context.actor->endpoint_count; i++)
        if (text_equal(operation, text_of(context.actor->endpoints[i].operation)))
            return &context.actor->endpoints[i];
    return NULL;
}

/* Answers without running anything. */
void job_refuse(job_t *job, enum error_code code)
{
    counter_add(context.counters.refused, 1);
    reply_error(&job->call, code);
    reply_send(job);
    count_call(job);
    job_release(job);
}

static void job_fill(job_t *job, const request_t *request)
{
    call_t *call = &job->call;
    job->ticket = request->ticket;
    job->packed_params = request->params;
    job->packed_body = request->body;
    job->started = clock_monotonic();
    call->id = request->call_id;
    call->trace = request->trace;
    call->address = request->address;
    call->idempotency_key = request->idempotency_key;
    call->principal.user = request->user;
    call->principal.session = request->session;
    call->principal.role = request->role > 0 && request->role < ROLES ? (enum role)request->role : ROLE_NONE;
    call->language = request->language == LANGUAGE_EN ? LANGUAGE_EN : LANGUAGE_KO;
    call->headers = request->headers;
    int64_t most = context.process.config.http.request_timeout; /* whatever a peer says */
    call->deadline = job->started + (request->left < most ? request->left : most) * CLOCK_MILLISECOND;
    call->endpoint = endpoint_find(request->operation);
    job->caller = request->caller;
    job->cache_key = request->cache_key;
    job->resent = request->resent;
}

void job_queue(job_t *job)
{
    *queue_end = job;
    queue_end = &job->next;
    counter_add(context.counters.queued, 1);
}

static void start_or_queue(job_t *job)
{
    if (!queue && coroutine_available())
        coroutine_start(job_run, job);
    else
        job_queue(job);
}

void job_receive(void *argument, text_t value, uint32_t peer)
{
    (void)argument;
    job_t *job = job_create();
    job->peer = peer;
    buffer_add(&job->packed, value.data, value.length);
    bytes_alive += value.length;
    static problems_t problems; /* nothing here suspends */
    problems.arena = job->call.arena;
    problems.count = 0;
    request_t request;
    counter_add(context.counters.calls, 1);
    if (!message_read(&request_message, buffer_text(&job->packed), SOURCE_PEER, &request, &problems)) {
        log_event(LOG_ERROR, "bad_envelope", LOG_T("field", problems.items[0].field),
            LOG_S("next", "a frontend of another release? see aipotenctl status"));
        job_release(job);
        return;
    }
    job_fill(job, &request);
    fault_point("call.received");
    if (request.version != ENVELOPE_VERSION || !job->call.endpoint || jobs_alive > JOBS_MAX || bytes_alive > BYTES_MAX)
        job_refuse(job, ERROR_UNAVAILABLE);
    else if (request.left <= 0)
        job_refuse(job, ERROR_TIMEOUT);
    else {
        if (once_applies(job))
            once_begin(job);
        if (!together_take(job))
            start_or_queue(job);
    }
}

bool job_turn(void *argument)
{
    (void)argument;
    bool any = false;
    while (queue && coroutine_available()) {
        job_t *job = queue;
        queue = job->next;
        if (!queue)
            queue_end = &queue;
        job->next = NULL;
        counter_add(context.counters.queued, -1);
        if (clock_monotonic() >= job->call.deadline)
            job_refuse(job, ERROR_TIMEOUT); /* nobody waits for it any more */
        else
            coroutine_start(job_run, job);
        any = true;
    }
    return any;
}

void call_renew(call_t *call)
{
    insist(job_of(call)->system);
    call->deadline = clock_monotonic() + context.process.config.http.request_timeout * CLOCK_MILLISECOND;
}

void job_system(void (*function)(call_t *), void (*done)(void *argument, enum error_code failed), void *argument)
{
    insist(coroutine_available());
    job_t *job = job_create();
    job->system = function;
    job->done = done;
    job->argument = argument;
    job->call.id = uuid_new();
    call_renew(&job->call);
    coroutine_start(job_run, job);
}
