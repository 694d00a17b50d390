/* polling: see the header. A request that waits is remembered by its session, and a guard in the request's pool tells when it dies
 * unanswered: what was on its way to its client cannot be known to have arrived, so the session ends, as its client will think too. */
#include "polling.h"
#include "forward.h"
#include "frontend/counters.h"
#include "frontend/response.h"
#include "base/clock.h"
#include <stdlib.h>

typedef struct asker_guard {
    session_t *session; /* NULL: nobody waits any more */
} guard_t;

static const text_t nothing = {.data = NULL};

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void answer(asker_t asker, int status, text_t type, text_t body)
{
    if (asker.exchange == NULL) {
        forward_answer(asker.peer, asker.ticket, status, type, body);
        return;
    }
    if (asker.guard != NULL)
        asker.guard->session = NULL;
    response_send(asker.exchange, status, type, nothing, response_copy(asker.exchange, body));
}

void engine_fail(asker_t asker, enum engine_error error)
{
    static const char *const messages[] = {[ENGINE_UNKNOWN_TRANSPORT] = "Transport unknown",
        [ENGINE_UNKNOWN_SID] = "Session ID unknown",
        [ENGINE_BAD_METHOD] = "Bad handshake method",
        [ENGINE_BAD_REQUEST] = "Bad request",
        [ENGINE_FORBIDDEN] = "Forbidden",
        [ENGINE_BAD_VERSION] = "Unsupported protocol version"};
    static buffer_t json;
    json.length = 0;
    buffer_format(&json, "{\"code\":%d,\"message\":\"%s\"}", (int)error, messages[error]);
    answer(asker, error == ENGINE_FORBIDDEN ? 403 : 400, TYPE_JSON, buffer_text(&json));
}

static asker_t poll_take(session_t *session)
{
    asker_t asker = *session->poll;
    free(session->poll);
    session->poll = NULL;
    return asker;
}

static void answer_packets(asker_t asker, text_t payload)
{
    answer(asker, 200, TEXT("text/plain; charset=UTF-8"), payload);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void on_request_gone(void *argument)
{
    guard_t *guard = argument;
    session_t *session = guard->session;
    if (session == NULL)
        return;
    asker_t asker = poll_take(session);
    response_abandoned(asker.exchange);
    session_close(session, "transport close");
}

static void poll_park(asker_t asker, session_t *session)
{
    session->poll = memory_allocate(sizeof(*session->poll));
    if (asker.exchange != NULL) {
        asker.guard = h2o_mem_alloc_shared(&asker.exchange->req->pool, sizeof(*asker.guard), on_request_gone);
        asker.guard->session = session;
    }
    *session->poll = asker;
}

void polling_lost(session_t *session, asker_t asker)
{
    if (session->poll != NULL && session->poll->exchange == NULL && session->poll->ticket == asker.ticket) {
        free(session->poll);
        session->poll = NULL;
    }
    session_close(session, "transport close");
}

/* As much of the queue as one payload may hold, at least one packet. */
void polling_flush(session_t *session)
{
    static buffer_t payload;
    frame_t *frame = queue_first(&session->queue);
    if (session->poll == NULL || frame == NULL)
        return;
    payload.length = 0;
    do {
        text_t packet = frame_packet(frame);
        bool binary = frame_is_binary(frame);
        if (payload.length > 0 &&
            payload.length + engine_payload_size(packet.length, binary) > (size_t)frontend.config.realtime.max_payload)
            break;
        engine_payload_add(&payload, packet, binary);
        frame = queue_take(&session->queue);
        frame_release(&frame);
    } while ((frame = queue_first(&session->queue)) != NULL);
    answer_packets(poll_take(session), buffer_text(&payload));
    if (frame == NULL)
        session_written(session);
}

void polling_say(session_t *session, text_t packet)
{
    if (session->poll != NULL)
        answer_packets(poll_take(session), packet);
}

void polling_release(session_t *session)
{
    session->released = clock_monotonic() + frontend.config.realtime.connect_timeout * CLOCK_MILLISECOND;
    polling_say(session, TEXT("6"));
}

/* It closes: who waits hears so. */
void polling_leave(session_t *session)
{
    if (session->poll == NULL)
        return;
    if (session->closed && session->queue.count > 0) {
        polling_flush(session);
        return;
    }
    polling_say(session, session->closed ? TEXT("1") : TEXT("6"));
}

/* Is there such a session, and does it poll? Else the asker has been told. */
static bool session_polls(asker_t asker, const session_t *session)
{
    if (session != NULL && session->websocket == NULL)
        return true;
    engine_fail(asker, session == NULL ? ENGINE_UNKNOWN_SID : ENGINE_BAD_REQUEST);
    return false;
}

void polling_ask(asker_t asker, session_t *session)
{
    if (!session_polls(asker, session))
        return;
    if (session->poll != NULL) { /* two at a time: the client is not what it seems */
        session_close(session, "transport error");
        engine_fail(asker, ENGINE_BAD_REQUEST);
        return;
    }
    poll_park(asker, session);
    if (session->queue.count > 0)
        polling_flush(session);
    else if (session->released > clock_monotonic())
        polling_say(session, TEXT("6"));
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

void polling_tell(asker_t asker, session_t *session, text_t body)
{
    static buffer_t scratch;
    engine_packet_t packet;
    if (!session_polls(asker, session))
        return;
    /* As of WebSockets; NUL stands in no JSON. */
    bool good = body.length > 0 && body.length <= (size_t)frontend.config.realtime.max_payload && text_is_utf8(body);
    while (good && body.data != NULL && !session->closed) {
        good = engine_payload_next(&body, &scratch, &packet);
        if (good)
            session_receive(session, &packet);
    }
    if (!good) {
        count(COUNTER_REALTIME_BAD, 1);
        session_close(session, "parse error");
        engine_fail(asker, ENGINE_BAD_REQUEST);
        return;
    }
    answer(asker, 200, TEXT("text/html"), TEXT("ok"));
}

void polling_begin(exchange_t *exchange, const service_t *service)
{
    if (!session_welcome(exchange->client)) {
        response_unavailable(exchange, ERROR_UNAVAILABLE, 1);
        return;
    }
    polling_ask((asker_t){.exchange = exchange}, session_create(service, exchange->client, exchange->language, NULL));
}
