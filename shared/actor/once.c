/* once: the record of calls; see the header. Tables: schema/migrations/0004_calls.sql. */
#include "once.h"
#include "cached.h"
#include "event.h"
#include "erasure.h"
#include "unsure.h"
#include "../base/clock.h"
#include "../base/fault.h"
#include "../base/log.h"
#include "../base/panic.h"
#include "../crypto/hash.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    RING = 6,             /* partitions of calls, one an hour */
    TIDY_EVERY = 600000,  /* milliseconds */
    TIDY_SURE = 61000,    /* after the clock was set */
    TIDY_BATCH = 1000,    /* keys forgotten in one step */
    TIDY_NEXT_BATCH = 50, /* milliseconds until the next step, when there was a whole one */
    KEY_LIFETIME_HOURS = 24,
    BRIEF_LIFETIME_HOURS = 1,
    EVENT_LIFETIME_DAYS = 30,
};

#define RECORD(FIELD)                                                                                              \
    FIELD(bytes, body_hash, .required = true)                                                                      \
    FIELD(bytes, answer, .required = true)
MESSAGE(record, RECORD);
#define RECORD_COUNT(FIELD) FIELD(integer, total)
MESSAGE(record_count, RECORD_COUNT);
#define RECENT(FIELD) FIELD(boolean, recent)
MESSAGE(recent, RECENT);

enum { FIND_CALL, FIND_KEY, ADD_KEY, ADD_EVENT, ADD_EVENTS, FORGET_KEYS, FORGET_PERSON, FORGET_CALLS, COUNT_OLD_KEYS, FIND_RECENT, RING_FIRST,
    ADD_FIRST = RING_FIRST, EMPTY_FIRST = ADD_FIRST + RING,
    STATEMENTS = EMPTY_FIRST + RING };

static const struct {
    const char *name, *sql; /* %s: the actor's schema */
    enum lane lane;
    const message_t *row;
} templates[] = {
    [FIND_CALL] = {"once_find_call", "SELECT body_hash, answer FROM %1$s.calls WHERE slot = $1 AND id = $2", LANE_READ,
        &record_message},
    [FIND_KEY] = {"once_find_key", "SELECT body_hash, answer FROM %1$s.keyed_calls WHERE id = $1", LANE_READ, &record_message},
    [ADD_KEY] = {"once_add_key",
        "INSERT INTO %1$s.keyed_calls (id, operation, principal, body_hash, answer) VALUES ($1, $2, $3, $4, $5)", LANE_WRITE},
    /* An event's effect need not be on the disk when its delivery is said to be done: that is said by a later transaction of the
     * same database, and a crash forgets the later ones first. What is told to clients besides (call_hint) must be there, or they
     * would know a number that is given once more. */
    [ADD_EVENT] = {"once_add_event",
        "INSERT INTO %1$s.keyed_calls (id, operation, principal, body_hash, answer)"
        " SELECT $1, $2, $3, $4, $5 FROM (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried",
        LANE_WRITE},
    /* Several at once; $5: it need not be on the disk. */
    [ADD_EVENTS] = {"once_add_events",
        "INSERT INTO %1$s.keyed_calls (id, operation, body_hash, answer)"
        " SELECT e.id, $4, decode(e.body_hash, 'hex'), decode(e.answer, 'hex')"
        " FROM unnest(string_to_array($1::text, ' ')::uuid[], string_to_array($2::text, ' '), string_to_array($3::text, ' '))"
        " AS e (id, body_hash, answer),"
        " (SELECT CASE WHEN $5::boolean THEN set_config('synchronous_commit', 'off', true) END) AS unhurried",
        LANE_WRITE},
    [FORGET_KEYS] = {"once_forget_keys",
        "DELETE FROM %1$s.keyed_calls WHERE id IN (SELECT id FROM %1$s.keyed_calls WHERE"
        " created_at < CASE WHEN operation = ANY (string_to_array($5::text, ' ')) THEN $6::timestamptz"
        " WHEN operation = ANY (string_to_array($3::text, ' ')) THEN $2::timestamptz"
        " ELSE $1::timestamptz END AND created_at < $6"
        " ORDER BY created_at LIMIT $4)",
        LANE_WRITE},
    [FORGET_PERSON] = {"once_forget_person", "DELETE FROM %1$s.keyed_calls WHERE principal = $1", LANE_WRITE},
    [FORGET_CALLS] = {"once_forget_calls", "DELETE FROM %1$s.calls WHERE principal = $1", LANE_WRITE},
    [COUNT_OLD_KEYS] = {"once_count_old_keys",
        "SELECT count(*) AS total FROM %1$s.keyed_calls WHERE substring(answer FROM 1 FOR octet_length($1::bytea)) <> $1"
        " AND operation <> ALL (string_to_array($2::text, ' '))",
        LANE_SLOW, &record_count_message},
    /* Ids of calls begin with their time. */
    [FIND_RECENT] = {"once_find_recent",
        "SELECT EXISTS (SELECT FROM %1$s.calls WHERE slot = $1 AND id > $2) AS recent", LANE_READ, &recent_message},
};

static statement_t statements[STATEMENTS];

/* Of one partition by its own name: PostgreSQL spares itself the way through the parent. Both formats take the slot. */
static statement_t slot_statement(const char *name, const char *format, int slot, const actor_t *actor)
{
    char *own_name = memory_allocate(32), sql[256]; /* lives as long as the process */
    snprintf(own_name, 32, name, slot);
    snprintf(sql, sizeof(sql), format, slot);
    return (statement_t){.name = own_name, .sql = schema_statement(sql, actor->name), .lane = LANE_WRITE};
}

const statement_t *const *once_statements(const actor_t *actor, int *count)
{
    const statement_t **all = memory_zeroed((size_t)actor->statement_count + STATEMENTS + EVENT_STATEMENTS + 1, sizeof(*all));
    memcpy(all, actor->statements, (size_t)actor->statement_count * sizeof(*all));
    for (int i = 0; i < RING_FIRST; i++)
        statements[i] = (statement_t){.name = templates[i].name,
            .sql = schema_statement(templates[i].sql, actor->name),
            .lane = templates[i].lane,
            .row = templates[i].row};
    for (int slot = 0; slot < RING; slot++) {
        statements[ADD_FIRST + slot] = slot_statement("once_add_%d",
            "INSERT INTO %%s.calls_%d (slot, id, operation, principal, body_hash, answer) VALUES ($1, $2, $3, $4, $5, $6)", slot,
            actor);
        statements[EMPTY_FIRST + slot] = slot_statement("once_empty_%d", "TRUNCATE %%s.calls_%d", slot, actor);
    }
    for (int i = 0; i < STATEMENTS; i++)
        all[actor->statement_count + i] = &statements[i];
    event_statements(actor, all + actor->statement_count + STATEMENTS);
    *count = actor->statement_count + STATEMENTS + EVENT_STATEMENTS + 1;
    all[*count - 1] = unsure_statement();
    return all;
}

/* --- a call's place ----------------------------------------------------------------------------------------------- */

bool once_applies(const job_t *job)
{
    return job->call.endpoint != NULL && job->call.endpoint->writes;
}

static text_t digest_text(const digest_t *digest)
{
    return (text_t){.data = (const char *)digest->bytes, .length = sizeof(digest->bytes)};
}

/* The lengths stand before the parts, so that no two lists of parts read alike. */
static digest_t digest_of(const text_t *parts, int count)
{
    buffer_t all = {0};
    for (int i = 0; i < count; i++) {
        buffer_format(&all, "%zu:", parts[i].length);
        buffer_add_text(&all, parts[i]);
    }
    digest_t digest = hash_sha256(buffer_text(&all));
    buffer_free(&all);
    return digest;
}

/* Hours since 1970 in a UUIDv7. */
static int64_t hour_of(uuid_t id)
{
    int64_t milliseconds = 0;
    for (int i = 0; i < 6; i++)
        milliseconds = milliseconds << 8 | id.bytes[i];
    return milliseconds / 3600000;
}

void once_begin(job_t *job)
{
    call_t *call = &job->call;
    text_t key = call->idempotency_key;
    job->once.keyed = key.length > 0;
    /* An event mostly comes for the first time; when it does not, its row says so at COMMIT. */
    job->once.doubtful = (job->once.keyed && !call->endpoint->event) || job->resent;
    job->once.id = call->id;
    job->once.principal = call->principal.user;
    job->once.slot = (int)(hour_of(call->id) % RING);
    text_t body[] = {job->packed_params, job->packed_body};
    job->once.body_hash = digest_of(body, ARRAY_SIZE(body));
    if (!job->once.keyed)
        return;
    /* The headers that the row names belong to who asks: a cookie stands for somebody, and a stranger who thinks of the same
     * key, or guesses it, must not be given what its owner was. */
    text_t place[] = {{(const char *)call->principal.user.bytes, sizeof(uuid_t)}, text_of(call->endpoint->operation), key,
        call->headers};
    digest_t digest = digest_of(place, ARRAY_SIZE(place));
    memcpy(job->once.id.bytes, digest.bytes, sizeof(uuid_t));
}

/* --- the recorded answer ------------------------------------------------------------------------------------------ */

static seal_place_t place_of(const job_t *job, const char *column)
{
    return (seal_place_t){job->once.keyed ? "keyed_calls" : "calls", column, job->once.id};
}

/* Sealed as well: a body may hold a password, and whoever read its plain digest could try words against it, a billion times
 * faster than against bcrypt's. */
static text_t body_hash_seal(const job_t *job, arena_t *arena)
{
    return seal(arena, &context.data_keys, place_of(job, "body_hash"), digest_text(&job->once.body_hash));
}

static bool answer_broken(job_t *job)
{
    log_event(LOG_ERROR, "answer_broken", LOG_S("operation", job->call.endpoint->operation),
        LOG_S("next", "is the key that sealed it still in the ring?"));
    reply_reset(job);
    reply_error(&job->call, ERROR_INTERNAL);
    return true;
}

static void add_header(void *argument, text_t name, text_t value)
{
    job_t *job = argument;
    reply_header(&job->call, arena_string(job->call.arena, name), value);
}

static bool answer_open(job_t *job, text_t sealed)
{
    text_t packed;
    reply_t reply;
    problems_t problems = {.arena = job->call.arena};
    if (!seal_open(job->call.arena, &context.data_keys, place_of(job, "answer"), sealed, &packed) ||
        !message_read(&reply_message, packed, SOURCE_PEER, &reply, &problems))
        return false;
    reply_reset(job);
    job->status = (int)reply.status;
    buffer_add_text(&job->body, reply.body);
    job->replayed = true;
    return cached_take(job, reply.tags) && pairs_walk(reply.headers, add_header, job);
}

bool once_replay(job_t *job)
{
    call_t *call = &job->call;
    rows_t *rows = job->once.keyed
                       ? db_query(call, &statements[FIND_KEY], bind_uuid(job->once.id))
                       : db_query(call, &statements[FIND_CALL], bind_integer(job->once.slot), bind_uuid(job->once.id));
    if (rows->count == 0)
        return false;
    fault_point("once.replay");
    const record_t *record = row_first(call, rows);
    counter_add(context.counters.replayed, 1);
    /* An event's answer is always the same, and its record is kept for longer than the key that sealed it need be, and than any
     * answer in the cache: only as long as it opens may its tags matter. */
    if (call->endpoint->event) {
        answer_open(job, record->answer);
        reply_reset(job);
        reply_nothing(call);
        return job->replayed = true;
    }
    text_t body_hash;
    if (!seal_open(call->arena, &context.data_keys, place_of(job, "body_hash"), record->body_hash, &body_hash))
        return answer_broken(job);
    if (!text_equal(body_hash, digest_text(&job->once.body_hash))) {
        reply_reset(job);
        reply_error(call, ERROR_KEY_REUSED);
        return true;
    }
    if (!answer_open(job, record->answer))
        return answer_broken(job);
    if (job->once.keyed)
        reply_header(call, "idempotency-replayed", TEXT("true"));
    return true;
}

/* --- recording ---------------------------------------------------------------------------------------------------- */

static text_t answer_seal(const job_t *job, arena_t *arena)
{
    buffer_t packed = {0};
    reply_pack(job, 0, &packed);
    text_t sealed = seal(arena, &context.data_keys, place_of(job, "answer"), buffer_text(&packed));
    buffer_free(&packed);
    return sealed;
}

enum db_status once_commit(job_t *job)
{
    param_t place[] = {bind_integer(job->once.slot), bind_uuid(job->once.id), bind_text(text_of(job->call.endpoint->operation)),
        uuid_is_zero(job->once.principal) ? bind_null() : bind_uuid(job->once.principal),
        bind_bytes(body_hash_seal(job, job->call.arena)), bind_bytes(answer_seal(job, job->call.arena))};
    bool keyed = job->once.keyed; /* the same parameters but for the slot */
    int add = job->call.endpoint->event && !job->said ? ADD_EVENT : keyed ? ADD_KEY : ADD_FIRST + job->once.slot;
    return transaction_commit_after(&job->transaction, &statements[add], place + keyed, (int)ARRAY_SIZE(place) - keyed);
}

static void add_hex(buffer_t *out, text_t bytes, bool first)
{
    if (!first)
        buffer_add_char(out, ' ');
    for (size_t i = 0; i < bytes.length; i++) {
        uint8_t byte = (uint8_t)bytes.data[i];
        buffer_add_char(out, "0123456789abcdef"[byte >> 4]);
        buffer_add_char(out, "0123456789abcdef"[byte & 15]);
    }
}

/* The buffer's text in the arena. */
static text_t text_take(arena_t *arena, buffer_t *take_text)
{
    text_t copy = arena_copy(arena, buffer_text(take_text));
    buffer_free(take_text);
    return copy;
}

/* Theirs is the memory of the first call: nothing may end one of the others here. */
enum db_status once_commit_events(job_t *lead, job_t *const *jobs, int count)
{
    arena_t *arena = lead->call.arena;
    buffer_t ids = {0}, hashes = {0}, answers = {0};
    for (int i = 0; i < count; i++) {
        insist(jobs[i]->once.keyed && uuid_is_zero(jobs[i]->once.principal));
        add_hex(&ids, (text_t){(const char *)jobs[i]->once.id.bytes, sizeof(uuid_t)}, i == 0);
        add_hex(&hashes, body_hash_seal(jobs[i], arena), i == 0);
        add_hex(&answers, answer_seal(jobs[i], arena), i == 0);
    }
    param_t params[] = {bind_text(text_take(arena, &ids)), bind_text(text_take(arena, &hashes)),
        bind_text(text_take(arena, &answers)), bind_text(text_of(lead->call.endpoint->operation)), bind_boolean(!lead->said)};
    return transaction_commit_after(&lead->transaction, &statements[ADD_EVENTS], params, (int)ARRAY_SIZE(params));
}

/* --- forgetting --------------------------------------------------------------------------------------------------- */

/* The rows that take events: a dead delivery may be retried long after a client would have given up. And those that the handlers
 * of events may ask, since their calls are repeated with them. */
static bool serves_actors(const endpoint_t *endpoint)
{
    return !endpoint_is_route(endpoint);
}

static bool answers_brief(const endpoint_t *endpoint)
{
    return endpoint->brief;
}

static text_t operations_where(arena_t *arena, bool (*fits)(const endpoint_t *))
{
    buffer_t names = {0};
    for (int i = 0; i < context.actor->endpoint_count; i++)
        if (fits(&context.actor->endpoints[i]))
            buffer_format(&names, "%s ", context.actor->endpoints[i].operation);
    text_t copy = arena_copy(arena, buffer_text(&names));
    buffer_free(&names);
    return copy;
}

static bool takes_event(const endpoint_t *endpoint)
{
    return endpoint->event != NULL;
}

/* Has the clock been set since the last look? What it says now need not be true, nor what it said when calls were recorded. At
 * the first look nobody knows. */
static bool clock_was_set(int64_t now)
{
    static int64_t difference;
    int64_t before = difference;
    difference = now - clock_monotonic();
    return llabs(difference - before) > 60 * CLOCK_SECOND;
}

/* Empties a partition, unless calls of the last hour, or of what is the future now, stand in it: the clock was set back. */
static void partition_empty(call_t *call, int64_t slot, int64_t now)
{
    uuid_t hour_ago = {{0}};
    for (int i = 0; i < 6; i++)
        hour_ago.bytes[i] = (uint8_t)((now / CLOCK_MILLISECOND - 3600000) >> (40 - 8 * i));
    const recent_t *found = row_first(call, db_query(call, &statements[FIND_RECENT], bind_integer(slot), bind_uuid(hour_ago)));
    if (!found->recent)
        db_query(call, &statements[EMPTY_FIRST + slot]);
}

int64_t once_tidy(call_t *call)
{
    static int64_t emptied_hour;
    int64_t now = clock_now(), hour = now / (3600 * CLOCK_SECOND);
    bool unsure = clock_was_set(now);
    if (hour != emptied_hour && !unsure)
        for (int64_t passed = hour - 4; passed <= hour - 2; passed++)
            partition_empty(call, passed % RING, now);
    const rows_t *rows = db_query(call, &statements[FORGET_KEYS], bind_time(now - KEY_LIFETIME_HOURS * 3600 * CLOCK_SECOND),
        bind_time(now - EVENT_LIFETIME_DAYS * CLOCK_DAY), bind_text(operations_where(call->arena, serves_actors)),
        bind_integer(TIDY_BATCH), bind_text(operations_where(call->arena, answers_brief)),
        bind_time(now - BRIEF_LIFETIME_HOURS * 3600 * CLOCK_SECOND));
    if (unsure)
        return TIDY_SURE;
    emptied_hour = hour;
    return rows->affected == TIDY_BATCH ? TIDY_NEXT_BATCH : TIDY_EVERY;
}

/* Calls are not found by their principal but by reading all of them. None of the person's can be left when the account was deleted
 * before the oldest of them was made: the usual case by far. */
void person_forget(call_t *call, uuid_t user)
{
    db_query(call, &statements[FORGET_PERSON], bind_uuid(user));
    if (call_config(call)->auth.restore_within < RING * INT64_C(3600000))
        db_query(call, &statements[FORGET_CALLS], bind_uuid(user));
    events_forget(call, user);
}

int64_t once_sealed_before(call_t *call, text_t newest)
{
    const record_count_t *count = row_first(call, db_query(call, &statements[COUNT_OLD_KEYS], bind_bytes(newest),
                                                      bind_text(operations_where(call->arena, takes_event))));
    return count->total;
}
