/* hints: what a call wants to be said when it is done (call_hint), kept in its arena until COMMIT. */
#include "internal.h"
#include "../net/broker.h"

struct said {
    text_t topic, payload;
    struct said *next;
};

void call_hint(call_t *call, text_t topic, text_t payload)
{
    job_t *job = job_of(call);
    struct said *said = arena_allocate(call->arena, sizeof *said);
    said->topic = arena_copy(call->arena, topic);
    said->payload = arena_copy(call->arena, payload);
    *job->said_end = said;
    job->said_end = &said->next;
}

void hints_reset(job_t *job)
{
    job->said = NULL;
    job->said_end = &job->said;
}

void hints_publish(job_t *job, enum db_status status)
{
    if (!job->said)
        return;
    for (const struct said *said = job->said; said && status == DB_OK; said = said->next)
        broker_publish(said->topic, said->payload);
    if (status == DB_UNKNOWN)
        broker_publish(TEXT(TOPIC_LOST), (text_t){0});
    hints_reset(job);
}
