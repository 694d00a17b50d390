/* queue: between the table of jobs and the workers stands a Redis Stream, so that those of all machines share the work without
 * looking at the table all the time. The table is the truth: an id is added when its job is due, and again when nobody fetched
 * it within mail.requeue, so Redis may be emptied, restarted or away. Nothing but ids is in it.
 *
 * What always holds: the stream has at most QUEUE_MOST entries, however many jobs wait. */
#include "../../shared/base/clock.h"
#include "../../shared/base/fault.h"
#include "../../shared/base/log.h"
#include "../../shared/shm/process.h"
#include "mailer.h"
#include <stdio.h>

enum {
    QUEUE_MOST = 256,
    LOOK_PAUSE = 250,       /* milliseconds between two looks for what is due */
    PATIENCE = 2000,        /* for an answer that need not be waited for */
    TAKE_WAIT = 250,        /* a worker's wait for an entry: a stop takes so long at most */
    AWAY_PAUSE = 250,
    TAKE_OVER_EVERY = 5000, /* milliseconds between two looks for what the dead left */
};

static const stream_t stream = {"aipoten:mail:jobs", "mailer"};

static struct {
    redis_t *chore, *workers[MAILER_WORKERS]; /* a connection each: a worker's blocks */
    int64_t take_over_at[MAILER_WORKERS];
    bool failed[MAILER_WORKERS]; /* the last look for an entry: Redis is away, or refuses */
    bool said;
} queue;

void queue_open(call_t *call)
{
    const char *url = call_config(call)->redis.url;
    if (url[0] == '\0' || queue.chore != NULL)
        return;
    queue.chore = redis_open(call_loop(call), url);
    if (queue.chore == NULL) {
        log_event(LOG_ERROR, "redis_url", LOG_S("next", "redis.url must be like redis://user:password@127.0.0.1:6379/0"));
        call_fail(call, ERROR_INTERNAL);
    }
    for (int i = 0; i < MAILER_WORKERS; i++)
        queue.workers[i] = redis_open(call_loop(call), url);
}

bool queue_is_used(void)
{
    return queue.chore != NULL;
}

static int64_t deadline(void)
{
    return clock_monotonic() + PATIENCE * CLOCK_MILLISECOND;
}

/* --- workers ------------------------------------------------------------------------------------------------------ */

/* Entries are told apart by whose they are when somebody looks into Redis; nothing depends on it. */
static const char *consumer_name(const call_t *call, int worker, char out[static 32])
{
    snprintf(out, 32, "%d.%d", call_instance(call), worker + 1);
    return out;
}

bool queue_take(call_t *call, int worker, stream_item_t *out)
{
    char name[32];
    redis_t *redis = queue.workers[worker];
    int64_t now = clock_monotonic();
    const config_t *config = call_config(call);
    bool good = true;
    *out = (stream_item_t){0};
    call_leave(call);
    if (now >= queue.take_over_at[worker]) {
        queue.take_over_at[worker] = now + TAKE_OVER_EVERY * CLOCK_MILLISECOND;
        good = stream_take_over(redis, &stream, consumer_name(call, worker, name), config->mail.timeout, out, deadline());
    }
    if (good && out->entry[0] == '\0')
        good = stream_take(redis, &stream, consumer_name(call, worker, name), TAKE_WAIT, out);
    call_return(call);
    queue.failed[worker] = !good;
    return good && out->entry[0] != '\0';
}

int64_t queue_pause(int worker)
{
    return queue.failed[worker] ? AWAY_PAUSE : 0;
}

void queue_done(call_t *call, int worker, const stream_item_t *item)
{
    call_leave(call);
    stream_done(queue.workers[worker], &stream, item, deadline()); /* else somebody takes it over, and finds its job done */
    call_return(call);
}

/* --- the chore ---------------------------------------------------------------------------------------------------- */

/* For `aipotenctl status`. */
static void tell(bool good)
{
    if (good == !queue.said)
        return;
    queue.said = !good;
    process_notify_status(good ? "" : "Redis does not answer: mail waits");
}

static int64_t room(call_t *call)
{
    int64_t length = QUEUE_MOST;
    call_leave(call);
    bool good = stream_length(queue.chore, &stream, &length, deadline());
    call_return(call);
    tell(good);
    return good && length < QUEUE_MOST ? QUEUE_MOST - length : 0;
}

int64_t queue_fill(call_t *call)
{
    if (!queue_is_used())
        return LOOK_PAUSE;
    const work_t *work = row_first(call, db_query(call, &SQL_jobs_look));
    int64_t most = work->due ? room(call) : 0;
    if (most == 0)
        return LOOK_PAUSE;
    const rows_t *rows =
        db_query(call, &SQL_jobs_queue, bind_integer(call_config(call)->mail.requeue), bind_integer(most));
    call_commit(call); /* before the first is added: whoever takes it must find it so */
    fault_point("mail.queued");
    call_leave(call);
    for (int i = 0; i < rows->count; i++) {
        char id[UUID_TEXT_SIZE];
        job_id_t job;
        if (!rows_read(rows, i, &job))
            break;
        uuid_format(job.id, id);
        if (!stream_add(queue.chore, &stream, text_of(id), deadline()))
            break; /* the rest is added again after mail.requeue */
    }
    call_return(call);
    return LOOK_PAUSE;
}
