/* push: one push from its claim to its end. The row of push_jobs is the truth, and a claim is a lease, which is longer than a push can
 * take: who dies with one leaves it to the next claim after that. Between the service's last word and the row that is gone lies the only
 * moment in which a death makes a push be sent twice; both name the notification, so the second takes the place of the first.
 *
 * One worker looks for what is due, whichever is free: one that waits for a service holds up nobody. All claim as long as it was not
 * long ago that something was found; one after the other, so that no service gets more workers than it may hold (push_services.c). */
#include "push.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/fault.h"
#include "../../shared/base/log.h"
#include "../../shared/net/transfer.h"

enum {
    LEASE_MARGIN = 15000, /* milliseconds beyond push.timeout: for the statements around it */
    QUESTIONS = 2,        /* that a push asks at most: for an access token, too */
    LOOK_PAUSE = 250,     /* milliseconds between two looks for what is due */
    IDLE_PAUSE = 50,      /* of a worker that waits for one to find something */
    CLAIM_PAUSE = 1,      /* of one that waits for another's claim */
    NOBODY = -1,
    BUSY_FOR = 1000,      /* milliseconds that all workers claim after something was found, or claimed */
};

static int64_t busy_until, look_at; /* clock_monotonic() */
static int claiming = NOBODY;       /* the worker whose claim is under way */

/* What a service has taken and no row says yet: PostgreSQL was away. The worker's next step begins with it. */
static struct {
    bool open;
    int64_t job, attempts;
} accepted[PUSH_WORKERS];

void push_open(call_t *call)
{
    static bool opened;
    const config_t *config = call_config(call);
    if (opened)
        return;
    bool fcm = config->push.fcm.project[0] != '\0', apns = config->push.apns.topic[0] != '\0';
    if ((fcm && !push_way_open(call, PLATFORM_FCM)) || (apns && !push_way_open(call, PLATFORM_APNS))) {
        log_event(LOG_ERROR, "push_keys", LOG_S("next", "put the private keys into var/secrets/push_fcm and push_apns, and their "
                                                        "client_email, team_id and key_id into the configuration"));
        call_fail(call, ERROR_INTERNAL);
    }
    transfer_open(call_loop(call), PUSH_WORKERS);
    opened = true;
}

static int64_t pause_after(const config_t *config, int64_t attempts)
{
    int64_t pause = config->push.retry_first;
    for (int64_t i = 1; i < attempts && pause < config->push.retry_most; i++)
        pause *= 2;
    return pause < config->push.retry_most ? pause : config->push.retry_most;
}

static void job_end(call_t *call, int64_t job, int64_t attempts)
{
    db_query(call, &SQL_push_done, bind_integer(job), bind_integer(attempts));
    call_commit(call);
}

static void accepted_end(call_t *call, int worker)
{
    if (!accepted[worker].open)
        return;
    job_end(call, accepted[worker].job, accepted[worker].attempts);
    accepted[worker].open = false;
}

/* `final`: another try would not help. `counts`: it was refused, and not just unreachable. */
static void job_fail(call_t *call, const push_job_t *job, const char *reason, bool final, bool counts)
{
    const config_t *config = call_config(call);
    const push_failed_t *failed = row_first(call, db_query(call, &SQL_push_fail, bind_integer(job->job),
        bind_integer(job->attempts), bind_integer(counts), bind_integer(final ? 0 : config->push.attempts),
        bind_integer(pause_after(config, job->attempts)), bind_text(text_of(reason))));
    call_commit(call);
    if (failed != NULL) /* else its lease had ended, or its device is gone */
        log_event(failed->dead ? LOG_ERROR : LOG_WARNING, failed->dead ? "push_dead" : "push_failed", LOG_I("job", job->job),
            LOG_S("platform", platforms[job->platform]), LOG_I("attempt", job->attempts), LOG_S("reason", reason),
            LOG_S("next", failed->dead ? "nothing, when it is one device; else look at the push section of the configuration"
                                       : "it is tried again"));
}

static void device_gone(call_t *call, const push_job_t *job, int64_t asked)
{
    db_query(call, &SQL_device_gone, bind_uuid(job->id), bind_time(asked));
    db_query(call, &SQL_push_done, bind_integer(job->job), bind_integer(job->attempts)); /* of one that was registered again */
    call_commit(call);
    log_event(LOG_INFO, "push_device_gone", LOG_S("platform", platforms[job->platform]));
}

static void job_send(call_t *call, int worker, const push_job_t *job)
{
    int64_t asked = clock_now();
    fault_point("push.claimed");
    push_result_t result = push_send(call, job, clock_monotonic() + call_config(call)->push.timeout * CLOCK_MILLISECOND);
    push_service_judge(worker, result.outcome != PUSH_UNREACHABLE);
    call_renew(call);
    fault_point("push.accepted"); /* the one moment in which a death makes it be sent twice */
    switch (result.outcome) {
    case PUSH_SENT:
        accepted[worker].job = job->job;
        accepted[worker].attempts = job->attempts;
        accepted[worker].open = true;
        accepted_end(call, worker);
        break;
    case PUSH_GONE:
        device_gone(call, job, asked);
        break;
    default:
        job_fail(call, job, result.reason, result.outcome == PUSH_REFUSED, result.outcome != PUSH_UNREACHABLE);
    }
}

static void job_run(call_t *call, int worker, const push_job_t *job)
{
    const config_t *config = call_config(call);
    bool late = clock_now() - job->created_at > config->push.ttl * CLOCK_MILLISECOND + CLOCK_DAY; /* quiet hours are no delay */
    if (!job->wanted || late)
        job_end(call, job->job, job->attempts);
    else if (!push_way_open(call, (enum platform)job->platform))
        job_fail(call, job, "the configuration has no way to this platform", true, true);
    else if (job->failures >= config->push.attempts)
        job_fail(call, job, "its workers died with it", true, false);
    else
        job_send(call, worker, job);
}

/* Is there something to claim? */
static bool work_found(call_t *call)
{
    int64_t now = clock_monotonic();
    if (now < busy_until || now < look_at)
        return now < busy_until;
    look_at = now + LOOK_PAUSE * CLOCK_MILLISECOND;
    if (!((const push_due_t *)row_first(call, db_query(call, &SQL_push_look, bind_text(push_services_full(call)))))->due)
        return false;
    busy_until = clock_monotonic() + BUSY_FOR * CLOCK_MILLISECOND;
    return true;
}

/* NULL: nothing is due of a service that has a worker left to hold. Committed before it is opened: one that cannot be (its key is missing)
 * ends the call here, and must not be the next one that is due again. */
static const push_job_t *job_claim(call_t *call, int worker)
{
    int64_t lease = QUESTIONS * call_config(call)->push.timeout + LEASE_MARGIN;
    claiming = worker;
    const rows_t *rows = db_query(call, &SQL_push_claim, bind_integer(lease), bind_text(push_services_full(call)));
    call_commit(call);
    claiming = NOBODY; /* from here until it is held nothing suspends */
    const push_job_t *job = row_first(call, rows);
    if (job != NULL)
        push_service_hold(worker, job->service);
    return job;
}

/* Of what was registered before services were known, or before push.web_hosts was changed: it is claimed anew in the right name. */
static bool service_corrected(call_t *call, const push_job_t *job)
{
    text_t service = push_service_of(call, (enum platform)job->platform, job->token);
    if (text_equal(service, job->service))
        return false;
    db_query(call, &SQL_device_service, bind_uuid(job->id), bind_text(service), bind_integer(job->job));
    call_commit(call);
    return true;
}

void push_worker_failed(int worker)
{
    if (claiming == worker)
        claiming = NOBODY;
    push_service_let_go(worker);
}

int64_t push_work(call_t *call, int worker)
{
    push_service_let_go(worker);
    accepted_end(call, worker);
    if (!work_found(call))
        return IDLE_PAUSE;
    if (claiming != NOBODY)
        return CLAIM_PAUSE;
    const push_job_t *job = job_claim(call, worker);
    if (job == NULL) {
        busy_until = 0;
        return IDLE_PAUSE;
    }
    busy_until = clock_monotonic() + BUSY_FOR * CLOCK_MILLISECOND;
    if (service_corrected(call, job))
        return LOOK_PAUSE; /* a machine with other push.web_hosts may correct it back */
    job_run(call, worker, job);
    fault_point("push.settled");
    return 0;
}
