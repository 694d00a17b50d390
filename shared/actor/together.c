/* together: see the header. One call of nobody, the lead, does the work of all: the transaction, the hints and the memory are its own. A
 * job is here in one of two places: the queue of those that gather, or the bundle that runs. */
#include "together.h"
#include "cached.h"
#include "once.h"
#include "../base/clock.h"
#include "../base/fault.h"
#include "../base/panic.h"
#include <stdlib.h>

enum { TOGETHER_MOST = 64, MEMORY_PART = 8 /* of actor.request_memory, for the requests of a bundle; one is always taken */ };

typedef struct {
    const endpoint_t *endpoint;
    job_t *lead, *jobs[TOGETHER_MOST];
    const void *inputs[TOGETHER_MOST];
    int count;
} bundle_t;

static struct {
    job_t *first, **end;
    int under_way;
} gathered = {.end = &gathered.first};

bool together_take(job_t *job)
{
    if (!job->call.endpoint->together)
        return false;
    *gathered.end = job;
    gathered.end = &job->next;
    counter_add(context.counters.queued, 1);
    return true;
}

/* --- a bundle ------------------------------------------------------------------------------------------------------- */

static job_t *gathered_remove(job_t **at)
{
    job_t *job = *at;
    *at = job->next;
    if (!*at)
        gathered.end = at;
    job->next = NULL;
    counter_add(context.counters.queued, -1);
    return job;
}

/* Those that have waited longest, of one row. None: it was too late for all of them. */
static bundle_t *bundle_take(void)
{
    bundle_t *bundle = memory_zeroed(1, sizeof *bundle);
    size_t room = (size_t)context.process.config.actor.request_memory / MEMORY_PART, taken = 0;
    int64_t now = clock_monotonic();
    bundle->endpoint = gathered.first->call.endpoint;
    for (job_t **at = &gathered.first; *at && bundle->count < TOGETHER_MOST;) {
        job_t *job = *at;
        bool late = now >= job->call.deadline;
        if (!late && job->call.endpoint != bundle->endpoint) {
            at = &job->next;
            continue;
        }
        if (!late && bundle->count > 0 && taken + job->packed.length > room)
            break;
        gathered_remove(at);
        if (late) {
            job_refuse(job, ERROR_TIMEOUT); /* nobody waits for it any more */
            continue;
        }
        taken += job->packed.length;
        bundle->jobs[bundle->count++] = job;
    }
    return bundle;
}

/* The first's name stands for all of them in log lines; none of them is late before its own time. */
static job_t *lead_create(const bundle_t *bundle)
{
    job_t *lead = job_create();
    lead->call.id = uuid_new();
    lead->call.endpoint = bundle->endpoint;
    lead->call.trace = bundle->jobs[0]->call.trace;
    lead->call.language = bundle->jobs[0]->call.language;
    lead->call.deadline = bundle->jobs[0]->call.deadline;
    for (int i = 1; i < bundle->count; i++)
        if (bundle->jobs[i]->call.deadline < lead->call.deadline)
            lead->call.deadline = bundle->jobs[i]->call.deadline;
    lead->once.keyed = true; /* its record may wait for another run of one of them: it shares no transaction with other calls (call.c) */
    lead->attempt = 1;
    hints_reset(lead);
    cached_begin(lead);
    return lead;
}

static bool bundle_read(bundle_t *bundle)
{
    for (int i = 0; i < bundle->count; i++) {
        if (!job_read(bundle->jobs[i]))
            return false;
        bundle->inputs[i] = bundle->jobs[i]->call.input;
    }
    return true;
}

/* The replies are given before COMMIT, because they stand in the record. */
static void replies_give(const bundle_t *bundle)
{
    for (int i = 0; i < bundle->count; i++) {
        job_t *job = bundle->jobs[i];
        job->tags = bundle->lead->tags;
        job->tag_count = bundle->lead->tag_count;
        reply_nothing(&job->call);
    }
}

static bool bundle_commit(bundle_t *bundle)
{
    job_t *lead = bundle->lead;
    enum db_status status = DB_OK;
    replies_give(bundle);
    if (lead->transaction) {
        fault_point("together.before_commit");
        int64_t began = clock_monotonic();
        status = once_commit_events(lead, bundle->jobs, bundle->count);
        fault_point("together.after_commit");
        job_running(lead);
        call_watch(&lead->call, "COMMIT", LANE_WRITE, clock_monotonic() - began);
    }
    cached_committed(lead, status);
    hints_publish(lead, status);
    if (status == DB_OK && lead->emitted)
        actor_event_committed();
    if (status == DB_CONSTRAINT || status == DB_UNKNOWN) /* one of them, or all, may have been done */
        for (int i = 0; i < bundle->count; i++)
            bundle->jobs[i]->once.doubtful = true;
    return status == DB_OK;
}

/* False: nothing was done, or nobody knows. */
static bool bundle_attempt(bundle_t *bundle)
{
    job_t *lead = bundle->lead;
    if (_setjmp(lead->back) != OUTCOME_STARTED) {
        calls_end(lead);
        transaction_rollback(&lead->transaction);
        return false;
    }
    job_running(lead);
    if (!bundle_read(bundle))
        return false;
    bundle->endpoint->together(&lead->call, bundle->inputs, bundle->count);
    insist(!lead->status && !lead->direct);
    return bundle_commit(bundle);
}

/* Alone, with nothing of the lead's, which is released. */
static void job_again(job_t *job)
{
    job->tags = NULL;
    job->tag_count = 0;
    job_queue(job);
}

static void bundle_run(void *argument)
{
    bundle_t *bundle = argument;
    if (bundle->count == 1) {
        job_run(bundle->jobs[0]);
    } else {
        counter_add(context.counters.in_flight, bundle->count);
        bundle->lead = lead_create(bundle);
        bool good = bundle_attempt(bundle);
        counter_add(context.counters.in_flight, -bundle->count);
        counter_add(good ? context.counters.together : context.counters.apart, bundle->count);
        for (int i = 0; i < bundle->count; i++)
            if (good)
                job_answer(bundle->jobs[i]);
            else
                job_again(bundle->jobs[i]);
        job_running(NULL);
        job_release(bundle->lead);
    }
    gathered.under_way--;
    free(bundle);
}

bool together_turn(void *argument)
{
    (void)argument;
    bool any = false;
    while (gathered.first && gathered.under_way < context.process.config.database.write_groups && coroutine_available()) {
        bundle_t *bundle = bundle_take();
        any = true;
        if (bundle->count == 0) {
            free(bundle);
            continue;
        }
        gathered.under_way++;
        coroutine_start(bundle_run, bundle);
    }
    return any;
}
