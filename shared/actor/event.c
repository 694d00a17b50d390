/* event: emitting in the caller's transaction, and delivering.
 *
 * A delivery is taken by setting its next_at into the future: whoever dies with it leaves it to the next round of any instance.
 * Only the first delivery of an aggregate can be taken, the others say that they wait; so order holds however many instances
 * dispatch, and a round costs the same however many wait. Who emits, or finishes a delivery, locks the aggregate first, by a
 * statement of its own, so that the next one sees what the lock's last holder did. The subscriber does
 * its part once: the delivery travels as a call under the key of its event (once.h), so a second delivery gets the first's
 * answer. No connection is held while a delivery travels. What is for a service without a ready instance is not taken: it lies
 * as it is, the log says so once, and it goes on its way when one is there.
 *
 * A direct event is taken by whoever emits it, from the beginning and for a moment only; its call sends the deliveries itself a
 * millisecond behind its reply, and a round of the dispatcher settles what came of them: with those of other calls, SETTLE_MILLISECONDS
 * later, unless one of them failed. */
#include "event.h"
#include "erasure.h"
#include "outgoing.h"
#include "pause.h"
#include "registry.h"
#include "../base/clock.h"
#include "../base/fault.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <stdio.h>

enum {
    BATCH = 64,
    MEMORY_PART = 4, /* of actor.request_memory, for the bodies of a round; one is always taken */
    IDLE_MILLISECONDS = 1000, /* between rounds when nobody emits: what other processes left */
    TAKEN_SECONDS = 15,       /* longer than a delivery's deadline */
    DELIVERY_MILLISECONDS = 8000,
    DELIVERY_ATTEMPTS = 10, /* answers of failure; an unreachable subscriber is not counted */
    BACKOFF_MOST_SECONDS = 300,
    TIDY_SECONDS = 60,
    HELD_LONGER_SECONDS = 2, /* than their call waits for them are direct deliveries left alone */
    SETTLING_MOST = 64 << 10, /* bytes of keys that wait for the next round; what does not fit is taken again */
};

#define TAKEN(FIELD)                                                                                               \
    FIELD(text, subscriber)                                                                                        \
    FIELD(integer, position)                                                                                       \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, type)                                                                                              \
    FIELD(bytes, body)                                                                                             \
    FIELD(integer, attempts)
MESSAGE(taken, TAKEN);

#define HELD(FIELD)                                                                                                \
    FIELD(text, subscriber)                                                                                        \
    FIELD(integer, position)                                                                                       \
    FIELD(boolean, waits)
MESSAGE(held, HELD);

#define DUE(FIELD)                                                                                                 \
    FIELD(boolean, due)                                                                                            \
    FIELD(text, held)
MESSAGE(due, DUE);
#define LOCKED(FIELD) FIELD(integer, locks)
MESSAGE(locked, LOCKED);
#define SEALED_EVENTS(FIELD) FIELD(integer, total)
MESSAGE(sealed_events, SEALED_EVENTS);

_Static_assert(EVENTS_DIRECT_MOST <= (int)TRANSACTION_KEPT_MOST, "each event of a call keeps its rows");

enum { LOCK, EMIT, EMIT_HELD, RELEASE, PEEK, TAKE, LOCK_DONE, DONE, FAILED, TIDY, FORGET, WAKE, COUNT_OLD };

/* One aggregate of this actor's, as a key of advisory locks. */
#define LOCK_KEY(aggregate) "pg_advisory_xact_lock(hashtextextended('%1$s ' || " aggregate "::text, 0))"
/* A row; its transaction's COMMIT does not wait for the disk. When PostgreSQL dies and forgets it, what was taken or done is
 * taken again, and the subscriber answers from its record. */
#define UNHURRIED "(SELECT set_config('synchronous_commit', 'off', true)) AS unhurried"
/* "admin:17 admin:18" as rows. */
#define KEYS_OF_1                                                                                                  \
    "(SELECT split_part(x, ':', 1) AS subscriber, split_part(x, ':', 2)::bigint AS position"                         \
    " FROM unnest(string_to_array($1::text, ' ')) AS x)"

/* Something of the aggregate e is on its way to s. With OFFSET it is looked up: else PostgreSQL may read all of the table, once. */
#define WAITS                                                                                                      \
    "EXISTS (SELECT FROM %1$s.deliveries b WHERE b.subscriber = s AND b.aggregate = e.aggregate OFFSET 0)"

static const struct {
    const char *name, *sql; /* %s: the actor's schema */
    const message_t *row;
    enum lane lane;
} templates[EVENT_STATEMENTS] = {
    [LOCK] = {"event_lock", "SELECT count(" LOCK_KEY("$1::uuid") ") AS locks", &locked_message, LANE_WRITE},
    [EMIT] = {"event_emit", "WITH e AS (INSERT INTO %1$s.events (id, type, aggregate, body) VALUES ($1, $2, $3, $4)"
                            " RETURNING position, aggregate)"
                            " INSERT INTO %1$s.deliveries (subscriber, position, aggregate, waits)"
                            " SELECT s, e.position, e.aggregate, " WAITS " FROM e, unnest(string_to_array($5::text, ' ')) AS s",
        NULL, LANE_WRITE},
    /* The same, taken for $6 seconds. */
    [EMIT_HELD] = {"event_emit_held",
        "WITH e AS (INSERT INTO %1$s.events (id, type, aggregate, body) VALUES ($1, $2, $3, $4) RETURNING position, aggregate)"
        " INSERT INTO %1$s.deliveries (subscriber, position, aggregate, waits, next_at)"
        " SELECT s, e.position, e.aggregate, " WAITS ", aipoten.app_now() + $6::integer * interval '1 second'"
        " FROM e, unnest(string_to_array($5::text, ' ')) AS s RETURNING subscriber, position, waits",
        &held_message, LANE_WRITE},
    /* Due at once, for any dispatcher. */
    [RELEASE] = {"event_release",
        "UPDATE %1$s.deliveries d SET next_at = aipoten.app_now() FROM " KEYS_OF_1 " AS k, " UNHURRIED
        " WHERE d.subscriber = k.subscriber AND d.position = k.position AND d.next_at > aipoten.app_now()",
        NULL, LANE_WRITE},
    [PEEK] = {"event_peek",
        "SELECT EXISTS (SELECT FROM %1$s.deliveries WHERE next_at <= aipoten.app_now() AND dead_at IS NULL AND NOT waits"
        " AND subscriber <> ALL (string_to_array($1::text, ' '))) AS due,"
        " coalesce((SELECT string_agg(s, ' ') FROM unnest(string_to_array($1::text, ' ')) AS s WHERE EXISTS (SELECT FROM"
        " %1$s.deliveries d WHERE d.subscriber = s AND d.next_at <= aipoten.app_now() AND d.dead_at IS NULL AND NOT d.waits)),"
        " '') AS held",
        &due_message, LANE_READ},
    [TAKE] = {"event_take",
        "WITH due AS (SELECT d.subscriber, d.position, d.next_at FROM %1$s.deliveries d"
        " WHERE d.next_at <= aipoten.app_now() AND d.dead_at IS NULL AND NOT d.waits"
        " AND d.subscriber <> ALL (string_to_array($4::text, ' '))"
        " ORDER BY d.next_at, d.position LIMIT $1 FOR UPDATE SKIP LOCKED), sized AS (SELECT due.subscriber, due.position, e.id,"
        " e.type, e.body, row_number() OVER w AS number, sum(octet_length(e.body)) OVER w AS bytes"
        " FROM due JOIN %1$s.events e USING (position) WINDOW w AS (ORDER BY due.next_at, due.position, due.subscriber))"
        " UPDATE %1$s.deliveries t SET next_at = aipoten.app_now() + $2::integer * interval '1 second'"
        " FROM sized s, " UNHURRIED " WHERE t.subscriber = s.subscriber AND t.position = s.position"
        " AND (s.number = 1 OR s.bytes <= $3::bigint)"
        " RETURNING t.subscriber, t.position, s.id, s.type, s.body, t.attempts::bigint",
        &taken_message, LANE_WRITE},
    /* In one order, so that two of them do not wait for each other. */
    [LOCK_DONE] = {"event_lock_done",
        "SELECT count(" LOCK_KEY("a.aggregate") ") AS locks FROM (SELECT DISTINCT d.aggregate FROM %1$s.deliveries d JOIN "
        KEYS_OF_1 " AS k USING (subscriber, position) ORDER BY 1) AS a, " UNHURRIED,
        &locked_message, LANE_WRITE},
    [DONE] = {"event_done",
        "WITH done AS (DELETE FROM %1$s.deliveries d USING " KEYS_OF_1 " AS k"
        " WHERE d.subscriber = k.subscriber AND d.position = k.position RETURNING d.subscriber, d.position, d.aggregate),"
        " next AS (SELECT f.subscriber, f.position FROM done CROSS JOIN LATERAL (SELECT b.subscriber, b.position"
        " FROM %1$s.deliveries b WHERE b.subscriber = done.subscriber AND b.aggregate = done.aggregate"
        " AND b.position > done.position ORDER BY b.position LIMIT 1) AS f),"
        " woken AS (UPDATE %1$s.deliveries d SET waits = false, next_at = aipoten.app_now() FROM next"
        " WHERE d.subscriber = next.subscriber AND d.position = next.position AND d.waits)"
        " DELETE FROM %1$s.events e USING done WHERE e.position = done.position AND NOT EXISTS (SELECT FROM"
        " %1$s.deliveries o WHERE o.position = e.position AND (o.subscriber, o.position) NOT IN"
        " (SELECT subscriber, position FROM done))",
        NULL, LANE_WRITE},
    [FAILED] = {"event_failed",
        "UPDATE %1$s.deliveries SET attempts = attempts + $3::integer, last_error = $4,"
        " next_at = aipoten.app_now() + least($5::integer, power(2, attempts)) * interval '1 second',"
        " dead_at = CASE WHEN attempts + $3::integer >= $6::integer THEN aipoten.app_now() END"
        " WHERE subscriber = $1 AND position = $2",
        NULL, LANE_WRITE},
    /* The subscribers stand in the conditions for the sake of the index. */
    [FORGET] = {"event_forget",
        "WITH gone AS (DELETE FROM %1$s.deliveries d USING %1$s.events e WHERE d.aggregate = $1"
        " AND d.subscriber = ANY (string_to_array($2::text, ' ')) AND e.position = d.position"
        " AND e.type NOT IN ('user.erased', 'record.read') RETURNING d.position)"
        " DELETE FROM %1$s.events WHERE position IN (SELECT position FROM gone)",
        NULL, LANE_WRITE},
    /* What now stands first of the aggregate. */
    [WAKE] = {"event_wake",
        "UPDATE %1$s.deliveries d SET waits = false, next_at = aipoten.app_now()"
        " WHERE d.aggregate = $1 AND d.subscriber = ANY (string_to_array($2::text, ' ')) AND d.waits"
        " AND NOT EXISTS (SELECT FROM %1$s.deliveries b WHERE b.subscriber = d.subscriber AND b.aggregate = d.aggregate"
        " AND b.position < d.position)",
        NULL, LANE_WRITE},
    /* Two subscribers that were done at the same moment saw each other's row: the event outlived both. And what is due later than
     * any back-off was put off by a clock that was set back since. */
    [TIDY] = {"event_tidy",
        "WITH late AS (UPDATE %1$s.deliveries SET next_at = aipoten.app_now() WHERE dead_at IS NULL AND NOT waits"
        " AND next_at > aipoten.app_now() + $1::integer * interval '1 second')"
        " DELETE FROM %1$s.events e WHERE e.created_at < aipoten.app_now() - interval '1 minute' AND NOT EXISTS"
        " (SELECT FROM %1$s.deliveries d WHERE d.position = e.position)",
        NULL, LANE_WRITE},
    [COUNT_OLD] = {"event_count_old",
        "SELECT count(*) AS total FROM %1$s.events WHERE substring(body FROM 1 FOR octet_length($1::bytea)) <> $1",
        &sealed_events_message, LANE_SLOW},
};

static statement_t statements[EVENT_STATEMENTS];
static uint64_t told_away; /* a bit for each of registry_services: the log said that it is not there */

void event_statements(const actor_t *actor, const statement_t **out)
{
    for (int i = 0; i < EVENT_STATEMENTS; i++) {
        statements[i] = (statement_t){.name = templates[i].name,
            .sql = schema_statement(templates[i].sql, actor->name),
            .lane = templates[i].lane,
            .row = templates[i].row};
        out[i] = &statements[i];
    }
}

/* --- emitting ----------------------------------------------------------------------------------------------------- */

/* "admin notifications": the services that subscribe to it; empty: nobody does. */
static text_t subscribers_of(call_t *call, const char *type)
{
    buffer_t names = {0};
    for (int i = 0; i < registry_count; i++)
        if (strcmp(registry[i].type, type) == 0)
            buffer_format(&names, "%s%s", names.length ? " " : "", registry[i].service);
    text_t copy = arena_copy(call->arena, buffer_text(&names));
    buffer_free(&names);
    return copy;
}

static seal_place_t place_of(uuid_t id)
{
    return (seal_place_t){"events", "body", id};
}

/* An event on its way into the outbox. */
typedef struct {
    uuid_t id;
    text_t body, sealed; /* body: packed, in the call's arena */
    text_t subscribers;
} emission_t;

/* False when nobody subscribes. */
static bool emission_make(call_t *call, const char *type, const message_t *message, const void *value, emission_t *out)
{
    *out = (emission_t){.id = uuid_new(), .subscribers = subscribers_of(call, type)};
    if (out->subscribers.length == 0)
        return false;
    insist(context.data_keys.count > 0);
    buffer_t packed = {0};
    message_pack(message, value, &packed);
    out->body = arena_copy(call->arena, buffer_text(&packed));
    buffer_free(&packed);
    out->sealed = seal(call->arena, &context.data_keys, place_of(out->id), out->body);
    return true;
}

void event_emit(call_t *call, const char *type, uuid_t aggregate, const message_t *message, const void *value)
{
    emission_t event;
    if (!emission_make(call, type, message, value, &event))
        return;
    db_send(call, &statements[LOCK], bind_uuid(aggregate));
    db_send(call, &statements[EMIT], bind_uuid(event.id), bind_text(text_of(type)), bind_uuid(aggregate),
        bind_bytes(event.sealed), bind_text(event.subscribers));
    job_of(call)->emitted = true;
    fault_point("event.emitted");
}

const char *event_subscriber(const char *type, int index)
{
    for (int i = 0; i < registry_count; i++)
        if (strcmp(registry[i].type, type) == 0 && index-- == 0)
            return registry[i].service;
    return NULL;
}

void events_forget(call_t *call, uuid_t aggregate)
{
    buffer_t services = {0};
    for (int i = 0; i < registry_count; i++)
        buffer_format(&services, "%s ", registry[i].service);
    text_t list = arena_copy(call->arena, buffer_text(&services));
    buffer_free(&services);
    db_query(call, &statements[LOCK], bind_uuid(aggregate));
    db_query(call, &statements[FORGET], bind_uuid(aggregate), bind_text(list));
    db_query(call, &statements[WAKE], bind_uuid(aggregate), bind_text(list));
}

/* --- delivering --------------------------------------------------------------------------------------------------- */

typedef struct {
    const taken_t *taken;
    const subscription_t *subscription;
    text_t body; /* opened */
    outgoing_t out;
    const char *error; /* why it was not sent; NULL: it was */
} delivery_t;

static const subscription_t *subscription_of(const taken_t *taken)
{
    for (int i = 0; i < registry_count; i++)
        if (text_equal(text_of(registry[i].type), taken->type) && text_equal(text_of(registry[i].service), taken->subscriber))
            return &registry[i];
    return NULL;
}

static void delivery_open(call_t *call, delivery_t *delivery)
{
    const taken_t *taken = delivery->taken;
    delivery->subscription = subscription_of(taken);
    if (!delivery->subscription)
        delivery->error = "nobody subscribes to it any more";
    else if (!seal_open(call->arena, &context.data_keys, place_of(taken->id), taken->body, &delivery->body))
        delivery->error = "its body cannot be opened";
    delivery->out.done = delivery->error != NULL;
}

/* Takes no memory of the call's: between the first that is sent and the last that is waited for, nothing may end the call. */
static void delivery_send(const delivery_t *delivery, outgoing_t *out, int64_t until)
{
    const subscription_t *subscription = delivery->subscription;
    char id[UUID_TEXT_SIZE];
    uuid_format(delivery->taken->id, id);
    request_t request = {0};
    message_set(&request, version, ENVELOPE_VERSION);
    message_set(&request, call_id, uuid_new());
    message_set(&request, trace, text_of(id));
    message_set(&request, operation, text_of(subscription->operation));
    message_set(&request, role, ROLE_NONE);
    message_set(&request, language, LANGUAGE_KO);
    message_set(&request, idempotency_key, text_of(id));
    message_set(&request, resent, false);
    message_set(&request, body_kind, BODY_FIELDS);
    message_set(&request, body, delivery->body);
    outgoing_send(out, subscription->service, &request, until, NULL);
}

/* A round has the time of a request, of which a quarter is for settling. */
static int64_t round_ends(const call_t *call)
{
    int64_t now = clock_monotonic(), until = now + DELIVERY_MILLISECONDS * CLOCK_MILLISECOND;
    int64_t most = now + (call->deadline - now) / 4 * 3;
    return until < most ? until : most;
}

static bool delivery_succeeded(const delivery_t *delivery)
{
    return !delivery->error && delivery->out.status == OUTGOING_ANSWERED && delivery->out.status_code < 400;
}

/* An answer of failure counts; that nobody could be reached, or that an actor had no database, does not. */
static void delivery_fail(call_t *call, const delivery_t *delivery)
{
    const outgoing_t *out = &delivery->out;
    bool answered = !delivery->error && out->status == OUTGOING_ANSWERED;
    bool counts = delivery->error || (answered && out->status_code != 503 && out->status_code != 504);
    char error[64];
    if (answered)
        snprintf(error, sizeof error, "answered %d", out->status_code);
    else
        snprintf(error, sizeof error, "%s", delivery->error                         ? delivery->error
                                            : out->status == OUTGOING_UNAVAILABLE ? "no ready instance"
                                                                                  : "no answer in time");
    db_query(call, &statements[FAILED], bind_text(delivery->taken->subscriber), bind_integer(delivery->taken->position),
        bind_integer(counts), bind_text(text_of(error)), bind_integer(BACKOFF_MOST_SECONDS), bind_integer(DELIVERY_ATTEMPTS));
    if (counts && delivery->taken->attempts + 1 >= DELIVERY_ATTEMPTS)
        log_event(LOG_ERROR, "delivery_dead", LOG_T("subscriber", delivery->taken->subscriber),
            LOG_T("type", delivery->taken->type), LOG_I("position", delivery->taken->position), LOG_S("error", error),
            LOG_S("next", "mend the subscriber, then: aipotenctl events retry"));
}

static void settle(call_t *call, const delivery_t *deliveries, int count)
{
    buffer_t done = {0};
    for (int i = 0; i < count; i++)
        if (delivery_succeeded(&deliveries[i]))
            buffer_format(&done, "%s%.*s:%lld", done.length ? " " : "", TEXT_ARG(deliveries[i].taken->subscriber),
                (long long)deliveries[i].taken->position);
    text_t list = arena_copy(call->arena, buffer_text(&done));
    buffer_free(&done);
    if (list.length) {
        db_send(call, &statements[LOCK_DONE], bind_text(list));
        db_send(call, &statements[DONE], bind_text(list));
    }
    for (int i = 0; i < count; i++)
        if (!delivery_succeeded(&deliveries[i]))
            delivery_fail(call, &deliveries[i]);
}

static void tidy_now_and_then(call_t *call)
{
    static int64_t next;
    int64_t now = clock_monotonic();
    if (now < next)
        return;
    next = now + TIDY_SECONDS * CLOCK_SECOND;
    /* A transaction by itself: what follows takes another connection, and waits for subscribers. */
    db_write(call, &statements[TIDY], bind_integer(BACKOFF_MOST_SECONDS + TIDY_SECONDS));
}

int64_t event_sealed_before(call_t *call, text_t newest)
{
    const sealed_events_t *sealed = row_first(call, db_query(call, &statements[COUNT_OLD], bind_bytes(newest)));
    return sealed->total;
}

/* --- delivering directly ------------------------------------------------------------------------------------------ */

/* Keys of deliveries that calls have sent themselves: done, or to be tried by the dispatcher. */
static buffer_t direct_done, direct_failed;

/* An event, in the arena of its call. */
struct direct {
    const kept_rows_t *held; /* its deliveries, once it is committed */
    uuid_t id;
    const char *type;
    text_t body;
    struct direct_delivery {
        taken_t taken;
        delivery_t delivery;
    } *deliveries; /* a place for each subscriber */
    int count;
    struct direct *next;
};

bool event_unsettled(void)
{
    return direct_done.length > 0 || direct_failed.length > 0;
}

static int subscriber_count(const char *type)
{
    int count = 0;
    while (event_subscriber(type, count))
        count++;
    return count;
}

void event_emit_direct(call_t *call, const char *type, uuid_t aggregate, const message_t *message, const void *value)
{
    emission_t event;
    job_t *job = job_of(call);
    insist(!job->system);
    if (!emission_make(call, type, message, value, &event))
        return;
    int64_t held_seconds = (context.process.config.actor.event_wait + 999) / 1000 + HELD_LONGER_SECONDS;
    struct direct *one = arena_allocate(call->arena, sizeof *one);
    *one = (struct direct){.id = event.id, .type = type, .body = event.body, .next = job->direct};
    one->deliveries = arena_allocate(call->arena, (size_t)subscriber_count(type) * sizeof *one->deliveries);
    db_send(call, &statements[LOCK], bind_uuid(aggregate));
    one->held = db_send_kept(call, &statements[EMIT_HELD], bind_uuid(event.id), bind_text(text_of(type)), bind_uuid(aggregate),
        bind_bytes(event.sealed), bind_text(event.subscribers), bind_integer(held_seconds));
    job->direct = one;
    fault_point("direct.emitted");
}

/* What does not fit is taken again when the time is over for which it was held. */
static void settle_later(buffer_t *keys, const taken_t *taken)
{
    if (keys->length < SETTLING_MOST)
        buffer_format(keys, "%s%.*s:%lld", keys->length ? " " : "", TEXT_ARG(taken->subscriber), (long long)taken->position);
}

/* What the event owes, but for what another event of the aggregate comes before: the dispatcher keeps their order. */
static void deliveries_fill(struct direct *one)
{
    const rows_t *rows = one->held->rows;
    for (int i = 0; rows && rows->status == DB_OK && i < rows->count; i++) {
        held_t held;
        if (!rows_read(rows, i, &held) || held.waits)
            continue;
        struct direct_delivery *next = &one->deliveries[one->count++];
        next->taken = (taken_t){
            .subscriber = held.subscriber, .position = held.position, .id = one->id, .type = text_of(one->type)};
        next->delivery = (delivery_t){.taken = &next->taken, .subscription = subscription_of(&next->taken), .body = one->body};
        insist(next->delivery.subscription != NULL); /* its name came from there */
    }
}

void event_deliver(job_t *job)
{
    pause_shortly(); /* the answer is on its way through three threads, and its delivery would take the processors from them */
    int64_t until = clock_monotonic() + context.process.config.actor.event_wait * CLOCK_MILLISECOND;
    for (struct direct *one = job->direct; one; one = one->next) {
        deliveries_fill(one);
        for (int i = 0; i < one->count; i++)
            delivery_send(&one->deliveries[i].delivery, &one->deliveries[i].delivery.out, until);
    }
    fault_point("direct.sent");
    bool all = true;
    for (struct direct *one = job->direct; one; one = one->next)
        for (int i = 0; i < one->count; i++) {
            outgoing_wait(&one->deliveries[i].delivery.out);
            bool good = delivery_succeeded(&one->deliveries[i].delivery);
            settle_later(good ? &direct_done : &direct_failed, &one->deliveries[i].taken);
            counter_add(context.counters.deliveries, 1);
            all &= good;
        }
    job->direct = NULL;
    if (all)
        actor_event_settles();
    else
        actor_event_committed(); /* what failed is the dispatcher's, at once */
    fault_point("direct.answered");
}

/* Takes the keys out of the buffer. */
static text_t keys_take(call_t *call, buffer_t *keys)
{
    text_t copy = arena_copy(call->arena, buffer_text(keys));
    buffer_free(keys);
    return copy;
}

static void direct_settle(call_t *call)
{
    if (!event_unsettled())
        return;
    text_t done = keys_take(call, &direct_done), failed = keys_take(call, &direct_failed);
    if (failed.length)
        db_send(call, &statements[RELEASE], bind_text(failed));
    if (done.length) {
        db_send(call, &statements[LOCK_DONE], bind_text(done));
        db_send(call, &statements[DONE], bind_text(done));
    }
    call_commit(call);
    fault_point("direct.settled");
}

/* --- who is not there --------------------------------------------------------------------------------------------- */

static bool is_away(int service)
{
    int skewed, index = upstream_service(registry_services[service].service);
    return index >= 0 && upstream_ready_count(index, &skewed) == 0;
}

/* "admin videos": the services without a ready instance. */
static text_t services_away(call_t *call)
{
    buffer_t names = {0};
    insist(registry_service_count <= 64);
    for (int i = 0; i < registry_service_count; i++)
        if (is_away(i))
            buffer_format(&names, "%s%s", names.length ? " " : "", registry_services[i].service);
    text_t copy = arena_copy(call->arena, buffer_text(&names));
    buffer_free(&names);
    return copy;
}

static bool list_names(text_t list, const char *service)
{
    text_t name;
    while (text_split(&list, ' ', &name))
        if (text_equal(name, text_of(service)))
            return true;
    return false;
}

/* Once of each for whom something lies here (`held`), and once when it is back. */
static void away_tell(text_t held)
{
    for (int i = 0; i < registry_service_count; i++) {
        const char *service = registry_services[i].service;
        uint64_t bit = (uint64_t)1 << i;
        if ((told_away & bit) && !is_away(i)) {
            told_away &= ~bit;
            log_event(LOG_INFO, "subscriber_back", LOG_S("subscriber", service));
        } else if (!(told_away & bit) && list_names(held, service)) {
            told_away |= bit;
            log_event(LOG_WARNING, "subscriber_away", LOG_S("subscriber", service),
                LOG_S("next", "none of its instances is ready: what it is to be told waits (aipotenctl status, aipotenctl events)"));
        }
    }
}

/* --- a round ------------------------------------------------------------------------------------------------------ */

int64_t event_dispatch(call_t *call, bool known)
{
    direct_settle(call);
    tidy_now_and_then(call);
    param_t away = bind_text(services_away(call));
    if (!known) {
        const due_t *look = row_first(call, db_query(call, &statements[PEEK], away));
        away_tell(look->held);
        if (!look->due)
            return event_unsettled() ? SETTLE_MILLISECONDS : IDLE_MILLISECONDS;
    }
    fault_point("event.before_take");
    const rows_t *rows = db_write(call, &statements[TAKE], bind_integer(BATCH), bind_integer(TAKEN_SECONDS),
        bind_integer(context.process.config.actor.request_memory / MEMORY_PART), away); /* no connection is held meanwhile */
    if (rows->count == 0) /* all that is due stands behind a delivery that is dead or on its way */
        return event_unsettled() ? SETTLE_MILLISECONDS : IDLE_MILLISECONDS;
    fault_point("event.taken");
    delivery_t *deliveries = arena_allocate(call->arena, (size_t)rows->count * sizeof(*deliveries));
    for (int i = 0; i < rows->count; i++) {
        deliveries[i].taken = row_at(call, rows, i);
        delivery_open(call, &deliveries[i]);
    }
    int64_t until = round_ends(call);
    for (int i = 0; i < rows->count; i++)
        if (!deliveries[i].error)
            delivery_send(&deliveries[i], &deliveries[i].out, until);
    fault_point("event.sent");
    for (int i = 0; i < rows->count; i++)
        outgoing_wait(&deliveries[i].out);
    job_running(job_of(call));
    fault_point("event.answered");
    settle(call, deliveries, rows->count);
    fault_point("event.settled"); /* and its COMMIT is the call's */
    counter_add(context.counters.deliveries, rows->count);
    return 0; /* what waited behind these may be due now */
}
