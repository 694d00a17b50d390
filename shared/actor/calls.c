/* calls: see the header; outgoing.c carries the messages. */
#include "calls.h"
#include "once.h"
#include "outgoing.h"
#include "registry.h"
#include "../base/clock.h"
#include "../base/fault.h"
#include "../base/log.h"
#include "../base/panic.h"

enum { WAIT_STEP = 20 /* milliseconds */, SERVICES_MAX = 64 };

/* --- the id of a nested call ---------------------------------------------------------------------------------------- */

/* HMAC(call id, step), as a UUIDv7. Under a key of its own a call that is repeated comes with another id, but the same record. */
static uuid_t nested_digest(const job_t *job, const char *operation)
{
    uint8_t key[32] = {0};
    uuid_t parent = job->once.keyed ? job->once.id : job->call.id;
    memcpy(key, parent.bytes, sizeof parent.bytes);
    digest_t digest = hash_hmac(key, arena_format(job->call.arena, "%d:%s", job->step, operation));
    uuid_t id;
    memcpy(id.bytes, digest.bytes, sizeof id.bytes);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

/* The record of calls is kept by the hour in an id: the one in which the first of them came. */
static uuid_t with_time_of(uuid_t id, uuid_t first)
{
    memcpy(id.bytes, first.bytes, 6);
    return id;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static text_t input_pack(call_t *call, const exchange_of_t *exchange)
{
    if (!exchange->input_message)
        return (text_t){0};
    buffer_t *scratch = &job_of(call)->heard;
    scratch->length = 0;
    message_pack(exchange->input_message, exchange->input, scratch);
    return arena_copy(call->arena, buffer_text(scratch));
}

static void request_fill(call_t *call, const char *operation, const exchange_of_t *exchange, request_t *request)
{
    job_t *job = job_of(call);
    uuid_t id = nested_digest(job, operation);
    message_set(request, version, ENVELOPE_VERSION);
    message_set(request, call_id, with_time_of(id, call->id));
    message_set(request, trace, call->trace);
    message_set(request, operation, text_of(operation));
    message_set(request, role, call->principal.role);
    if (call->principal.role != ROLE_NONE) {
        message_set(request, user, call->principal.user);
        message_set(request, session, call->principal.session);
    }
    if (call->address.length)
        message_set(request, address, call->address);
    message_set(request, language, call->language);
    if (job->once.keyed) { /* and then for as long as the key of this call */
        char key[UUID_TEXT_SIZE];
        uuid_format(id, key);
        message_set(request, idempotency_key, arena_copy(call->arena, text_of(key)));
    }
    message_set(request, resent, job->attempt > 1 || once_doubtful(job));
    message_set(request, body_kind, exchange->input_message ? BODY_FIELDS : BODY_NONE);
    if (exchange->input_message)
        message_set(request, body, input_pack(call, exchange));
}

/* --- what comes of it --------------------------------------------------------------------------------------------- */

static answer_t answer_failed(enum error_code error, bool doubtful)
{
    return (answer_t){.error = error, .doubtful = doubtful};
}

static enum error_code error_of(const outgoing_t *out, text_t body)
{
    enum error_code error = error_find(body);
    if (error != ERROR_NONE)
        return error;
    return out->status_code == errors[ERROR_UNAVAILABLE].status ? ERROR_UNAVAILABLE /* refused before its row was known */
           : out->status_code == errors[ERROR_TIMEOUT].status   ? ERROR_TIMEOUT
                                                                : ERROR_INTERNAL;
}

static answer_t answer_read(call_t *call, const char *operation, const exchange_of_t *exchange, const outgoing_t *out)
{
    text_t body = buffer_text(&job_of(call)->heard);
    if (out->status_code >= 400)
        return answer_failed(error_of(out, body), false);
    if (!exchange->output_message)
        return (answer_t){0};
    static problems_t problems; /* nothing here suspends */
    problems.arena = call->arena;
    problems.count = 0;
    void *value = arena_allocate(call->arena, exchange->output_message->size);
    if (message_read(exchange->output_message, arena_copy(call->arena, body), SOURCE_PEER, value, &problems))
        return (answer_t){.value = value};
    log_event(LOG_ERROR, "answer_unreadable", LOG_S("operation", operation), LOG_S("message", exchange->output_message->name),
        LOG_S("next", "the caller's output message is not that of the row"));
    return answer_failed(ERROR_INTERNAL, false);
}

/* Is it worth waiting? A service that was there a moment ago is back soon. */
static bool wait_for_service(call_t *call, const char *service, int64_t since)
{
    int64_t patience = context.process.config.http.patience * CLOCK_MILLISECOND, now = clock_monotonic();
    if (!upstream_coming_back(upstream_service(service), patience) || now - since >= patience || now >= call->deadline)
        return false;
    job_running(NULL);
    lanes_pause(context.lanes, WAIT_STEP);
    job_running(job_of(call));
    return true;
}

/* Sends it until somebody has answered it, or nobody will. */
static answer_t ask(call_t *call, const char *service, const char *operation, const exchange_of_t *exchange)
{
    job_t *job = job_of(call);
    request_t request = {0};
    request_fill(call, operation, exchange, &request);
    int64_t since = clock_monotonic();
    for (int lost = 0;;) {
        outgoing_t out;
        fault_point("ask.before_send");
        outgoing_send(&out, service, &request, call->deadline, &job->heard);
        outgoing_wait(&out);
        job_running(job);
        fault_point("ask.answered");
        counter_add(context.counters.asked, out.status == OUTGOING_ANSWERED);
        if (out.status == OUTGOING_ANSWERED)
            return answer_read(call, operation, exchange, &out);
        if (out.status == OUTGOING_LATE)
            return answer_failed(ERROR_TIMEOUT, true);
        if (out.status == OUTGOING_UNAVAILABLE) {
            if (!wait_for_service(call, service, since))
                return answer_failed(ERROR_UNAVAILABLE, lost > 0);
            continue;
        }
        message_set(&request, resent, true);
        /* It may be why they die. */
        if (++lost >= context.process.config.http.losses_most)
            return answer_failed(ERROR_UNAVAILABLE, true);
        since = clock_monotonic();
    }
}

/* Calls of this process that wait for each service: they stand at upstream_service. */
static int waiting[SERVICES_MAX];

void calls_end(job_t *job)
{
    if (job->waits_for)
        waiting[job->waits_for - 1]--;
    job->waits_for = 0;
}

int calls_waiting(const char *service)
{
    int index = upstream_service(service);
    insist(index >= 0 && index < SERVICES_MAX);
    return waiting[index];
}

answer_t actor_call_at(
    call_t *call, const char *service, const char *operation, const exchange_of_t *exchange, const char *file, int line)
{
    job_t *job = job_of(call);
    int index = upstream_service(service);
    call_insist_free(call, file, line, operation);
    if (index < 0 || index >= SERVICES_MAX)
        panic_at(file, line, "no service %s answers operations", service);
    insist(!job->waits_for);
    job->waits_for = index + 1;
    waiting[index]++;
    answer_t answer = ask(call, service, operation, exchange);
    calls_end(job);
    job->step++;
    return answer;
}

const void *answer_or_fail(call_t *call, const char *operation, answer_t answer)
{
    switch (answer.error) {
    case ERROR_NONE:
        return answer.value;
    case ERROR_VALIDATION: /* what we sent was wrong, not what the client did */
    case ERROR_KEY_REUSED:
    case ERROR_INTERNAL:
        log_event(LOG_ERROR, "call_failed", LOG_S("operation", operation), LOG_S("code", errors[answer.error].code),
            LOG_S("next", "see the other actor's log at this request; the input must follow from the call alone"));
        call_fail(call, ERROR_INTERNAL);
    case ERROR_IN_PROGRESS: /* its first run is not over */
        call_fail(call, ERROR_UNAVAILABLE);
    default:
        call_fail(call, answer.error);
    }
}

const operation_t *operation_offered(const char *name, int index)
{
    for (int i = 0; i < registry_operation_count; i++) {
        const char *dot = strchr(registry_operations[i].operation, '.');
        if (dot != NULL && strcmp(dot + 1, name) == 0 && index-- == 0)
            return &registry_operations[i];
    }
    return NULL;
}
