/* pipeline: one read-only connection whose queries of one turn share a Sync (measured.md: one Sync per batch, not per query).
 *
 * What always holds: `head` lists the queries in the order PostgreSQL will answer them. A query whose caller gave up stays in
 * the list until its answer has passed. A query that failed aborts those behind it in its batch; each of these is sent again
 * with a Sync of its own, so one failure does not hit it twice.
 *
 * Queries of a batched statement are gathered until the end of the turn and then sent as one (batch.c). In `head` such a group
 * is its first query, whose `group` chains the others; when the group fails by itself, each of them is sent again alone. A group
 * has the time limit of one statement: when that was not enough, fewer are sent together for a while. */
#include "internal.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    RECONNECT_FIRST = 40,  /* milliseconds, doubled up to RECONNECT_MOST: full service within a second of its return */
    RECONNECT_MOST = 320,
    CONNECT_TIMEOUT = 3000,
    HUNG_AFTER = 3000, /* milliseconds without any answer, beyond statement_timeout: the connection is given up */
    BATCH_GROWS = 1000, /* milliseconds until twice as many calls are sent together again */
};

enum state { DOWN, CONNECTING, PREPARING, READY };

typedef struct query {
    struct query *next, *group;
    bool gathered; /* not sent yet */
    const statement_t *statement;
    const param_t *params; /* on the caller's stack: only while it waits */
    int param_count;
    int64_t deadline;
    wait_t *wait; /* NULL: the caller gave up */
    rows_t *rows;
} query_t;

struct pipeline {
    lanes_t *lanes;
    enum lane lane;
    const char *name;
    enum state state;
    PGconn *pg;
    loop_watch_t *watch;
    query_t *head, **tail, *spare;
    query_t *gathered, **gathered_tail;
    int syncs; /* sent and not yet answered */
    int silent_ticks; /* with something sent and nothing heard */
    bool unsynced, wanted, said_lost;
    bool renewing; /* connecting anew for a migration, or with a place that was waited for: callers wait for it */
    bool placeless; /* DOWN because the machine has no connection left: callers wait for it, too */
    int64_t retry_at, connect_deadline, last_used; /* clock_monotonic */
    int backoff;
    struct opener *openers; /* callers that wait for the lane to open; bounded by the coroutines */
};

typedef struct opener {
    wait_t wait;
    struct opener *next;
} opener_t;

static void on_socket(void *argument, int events);

/* --- opening and losing ------------------------------------------------------------------------------------------- */

static void wake_openers(pipeline_t *lane)
{
    for (opener_t *opener = lane->openers; opener; opener = opener->next)
        wait_wake(lane->lanes, &opener->wait);
    lane->openers = NULL;
}

static void query_done(pipeline_t *lane, query_t *query, rows_t *take_rows)
{
    if (query->wait) {
        query->rows = take_rows;
        wait_wake(lane->lanes, query->wait);
        return;
    }
    rows_free(&take_rows);
    query->next = lane->spare;
    lane->spare = query;
}

/* Every query of a list, and of its groups, fails. */
static void fail_all(pipeline_t *lane, query_t *list, enum db_status status)
{
    for (query_t *next; list; list = next) {
        next = list->next;
        for (query_t *query = list, *other; query; query = other) {
            other = query->group;
            query->gathered = false; /* in no list any more */
            query_done(lane, query, rows_failed(query->statement, status));
        }
    }
}

/* Whatever is under way ends with `status`. `reason` data NULL: the connection is not wanted any more. */
static void end(pipeline_t *lane, text_t reason, enum db_status status)
{
    if (reason.data && !lane->said_lost)
        log_event(LOG_WARNING, "database_lost", LOG_S("lane", lane->name), LOG_T("reason", reason),
            LOG_S("next", "reconnecting; requests that need it answer 503"));
    lane->said_lost = lane->said_lost || reason.data;
    if (lane->watch)
        lane->lanes->loop->unwatch(&lane->watch);
    connection_end(lane->lanes, &lane->pg);
    lane->state = DOWN;
    lane->renewing = lane->placeless = false;
    lane->syncs = lane->silent_ticks = 0;
    lane->unsynced = false;
    lane->backoff = lane->backoff ? lane->backoff * 2 : RECONNECT_FIRST;
    if (lane->backoff > RECONNECT_MOST)
        lane->backoff = RECONNECT_MOST;
    lane->retry_at = clock_monotonic() + lane->backoff * CLOCK_MILLISECOND;
    query_t *sent = lane->head, *gathered = lane->gathered;
    lane->head = lane->gathered = NULL;
    lane->tail = &lane->head;
    lane->gathered_tail = &lane->gathered;
    fail_all(lane, sent, status);
    fail_all(lane, gathered, status);
    wake_openers(lane);
}

static void lose(pipeline_t *lane, text_t reason)
{
    end(lane, reason, DB_UNAVAILABLE);
}

static int64_t statement_timeout(const pipeline_t *lane)
{
    const config_t *config = &lane->lanes->process->config;
    return lane->lane == LANE_SLOW ? config->database.slow_timeout : config->database.read_timeout;
}

static void open_lane(pipeline_t *lane)
{
    bool waited = lane->placeless;
    lane->placeless = !connection_allowed(lane->lanes, lane->lane == LANE_READ ? PLACE_READ : PLACE_FIRST);
    if (lane->placeless)
        return; /* until a tick finds one */
    lane->renewing |= waited; /* who comes while it connects waits as well as those who came before */
    lane->retry_at = clock_monotonic() + RECONNECT_MOST * CLOCK_MILLISECOND;
    char options[160];
    snprintf(options, sizeof options,
        "-c default_transaction_read_only=on -c jit=off -c statement_timeout=%lld -c idle_session_timeout=0",
        (long long)statement_timeout(lane));
    lane->pg = connection_start(lane->lanes, lane->name, options);
    lane->connect_deadline = clock_monotonic() + CONNECT_TIMEOUT * CLOCK_MILLISECOND;
    if (PQstatus(lane->pg) == CONNECTION_BAD) {
        lose(lane, connection_error(lane->pg));
        return;
    }
    lane->state = CONNECTING;
    lane->watch = lane->lanes->loop->watch(lane->lanes->loop, PQsocket(lane->pg), LOOP_WRITE, on_socket, lane);
}

/* A migration changed what a prepared statement gives: what is prepared goes with its connection. Nobody is to be told, so what
 * was under way runs again, and whoever comes meanwhile waits for the new one. */
static void renew(pipeline_t *lane, const statement_t *statement)
{
    log_event(LOG_INFO, "statement_outdated", LOG_S("lane", lane->name), LOG_S("statement", statement->name));
    end(lane, (text_t){0}, DB_RETRY);
    lane->backoff = 0;
    open_lane(lane);
    lane->renewing = lane->state == CONNECTING;
}

/* All statements of the lane in one pipeline, one Sync. */
static bool prepare(pipeline_t *lane)
{
    bool sent = true;
    PQsetnonblocking(lane->pg, 1);
    PQenterPipelineMode(lane->pg);
    for (int i = 0; i < lane->lanes->statement_count; i++) {
        const statement_t *statement = lane->lanes->statements[i];
        if (statement->lane != lane->lane)
            continue;
        sent &= PQsendPrepare(lane->pg, statement->name, statement->sql, 0, NULL);
        if (statement->plan->batched_sql)
            sent &= PQsendPrepare(lane->pg, statement->plan->batched_name, statement->plan->batched_sql, 0, NULL);
    }
    lane->state = PREPARING;
    return sent && PQpipelineSync(lane->pg);
}

static void connect_step(pipeline_t *lane)
{
    loop_t *loop = lane->lanes->loop;
    PostgresPollingStatusType step = PQconnectPoll(lane->pg);
    if (step == PGRES_POLLING_FAILED || (step == PGRES_POLLING_OK && !prepare(lane))) {
        lose(lane, connection_error(lane->pg));
        return;
    }
    /* libpq may have gone on with another socket. */
    loop->unwatch(&lane->watch);
    lane->watch = loop->watch(loop, PQsocket(lane->pg),
        step == PGRES_POLLING_OK ? LOOP_READ | LOOP_WRITE : step == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE, on_socket,
        lane);
}

static void prepared(pipeline_t *lane)
{
    for (PGresult *result; !PQisBusy(lane->pg);) {
        result = PQgetResult(lane->pg);
        if (!result && PQstatus(lane->pg) == CONNECTION_BAD)
            return; /* there will be no other answer than NULL */
        ExecStatusType status = result ? PQresultStatus(result) : PGRES_COMMAND_OK;
        PQclear(result);
        if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED) {
            lose(lane, connection_error(lane->pg)); /* the schema changed under a running actor: tried again, and said */
            return;
        }
        if (status != PGRES_PIPELINE_SYNC)
            continue;
        lane->state = READY;
        lane->renewing = false;
        lane->backoff = 0;
        lane->last_used = clock_monotonic();
        if (lane->said_lost)
            log_event(LOG_INFO, "database_back", LOG_S("lane", lane->name));
        lane->said_lost = false;
        wake_openers(lane);
        return;
    }
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void append(pipeline_t *lane, query_t *query)
{
    query->next = NULL;
    *lane->tail = query;
    lane->tail = &query->next;
}

static bool send_query(pipeline_t *lane, query_t *query)
{
    bound_t bound;
    params_bind(query->statement, query->params, query->param_count, &bound);
    if (!PQsendQueryPrepared(lane->pg, query->statement->name, query->param_count, bound.values, bound.lengths,
            bound.formats, 1))
        return false;
    append(lane, query);
    return true;
}

/* Until the end of the turn. */
static void gather(pipeline_t *lane, query_t *query)
{
    query->gathered = true;
    query->next = NULL;
    *lane->gathered_tail = query;
    lane->gathered_tail = &query->next;
}

static void gathered_unlink(pipeline_t *lane, query_t **at)
{
    query_t *query = *at;
    *at = query->next;
    if (!*at)
        lane->gathered_tail = at;
    query->gathered = false;
}

static bool send_group(pipeline_t *lane, query_t *first)
{
    const param_t *params[BATCH_MOST];
    int count = 0;
    for (query_t *query = first; query; query = query->group)
        params[count++] = query->params;
    if (count == 1)
        return send_query(lane, first);
    if (!batch_send(lane->pg, first->statement, params, count))
        return false;
    append(lane, first);
    return true;
}

/* How many calls of a statement may be sent together now. */
static int group_most(statement_plan_t *plan)
{
    if (plan->batch_most < BATCH_MOST && clock_monotonic() >= plan->batch_grows_at) {
        plan->batch_most = plan->batch_most > BATCH_MOST / 2 ? BATCH_MOST : 2 * plan->batch_most;
        plan->batch_grows_at = clock_monotonic() + BATCH_GROWS * CLOCK_MILLISECOND;
    }
    return plan->batch_most;
}

/* So many together were too many. */
static void group_shrink(statement_plan_t *plan, int count)
{
    if (plan->batch_most > count / 2)
        plan->batch_most = count > 2 ? count / 2 : 1;
    plan->batch_grows_at = clock_monotonic() + BATCH_GROWS * CLOCK_MILLISECOND;
}

/* The first that is gathered, with those of the same statement. */
static query_t *group_take(pipeline_t *lane)
{
    query_t *first = lane->gathered, **end = &first->group;
    gathered_unlink(lane, &lane->gathered);
    int count = 1, most = group_most(first->statement->plan);
    for (query_t **at = &lane->gathered; *at && count < most;) {
        query_t *query = *at;
        if (query->statement != first->statement) {
            at = &query->next;
            continue;
        }
        gathered_unlink(lane, at);
        *end = query;
        end = &query->group;
        count++;
    }
    return first;
}

static void send_gathered(pipeline_t *lane)
{
    while (lane->gathered) {
        query_t *group = group_take(lane);
        group->next = NULL;
        if (!send_group(lane, group))
            fail_all(lane, group, DB_UNAVAILABLE);
        lane->unsynced = true;
    }
}

/* Fails when the connection is gone: then `lose` follows, for everything in the list. */
static void sync(pipeline_t *lane)
{
    lane->unsynced = !PQpipelineSync(lane->pg);
    lane->syncs += !lane->unsynced;
}

void pipeline_turn(pipeline_t *lane)
{
    if (lane->state != READY && lane->state != PREPARING)
        return;
    send_gathered(lane);
    if (lane->unsynced)
        sync(lane);
    int left = PQflush(lane->pg);
    if (left < 0)
        lose(lane, connection_error(lane->pg));
    else
        lane->lanes->loop->watch_change(lane->watch, left ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

/* Those of a group whose callers still wait; NULL: nobody does. */
static query_t *group_waiting(pipeline_t *lane, query_t *group)
{
    query_t *left = NULL, **end = &left;
    for (query_t *query = group, *next; query; query = next) {
        next = query->group;
        query->group = query->next = NULL;
        if (query->wait) {
            *end = query;
            end = &query->group;
        } else {
            query_done(lane, query, NULL);
        }
    }
    return left;
}

/* Sends an aborted one, or an aborted group, again with a Sync of its own. */
static void send_again(pipeline_t *lane, query_t *query)
{
    query_t *left = group_waiting(lane, query);
    if (!left)
        return;
    if (send_group(lane, left))
        sync(lane);
    else
        fail_all(lane, left, DB_UNAVAILABLE);
}

/* Each of a group, which goes apart. */
static void send_each(pipeline_t *lane, query_t *group)
{
    for (query_t *query = group, *next; query; query = next) {
        next = query->group;
        query->group = NULL;
        send_again(lane, query);
    }
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static bool failed_with(const PGresult *result, const char *prefix)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return sqlstate && strncmp(sqlstate, prefix, strlen(prefix)) == 0;
}

/* What went wrong is mostly one query's fault and not to be the others': each is sent again. After what PostgreSQL refuses to
 * read (22) the next batch is as large: who sends such a thing costs his own batch a second run, and nobody else anything. */
static void group_failed(pipeline_t *lane, query_t *group, int count, PGresult *take_result)
{
    if (failed_with(take_result, "57P")) { /* the backend was told to end */
        PQclear(take_result);
        group->next = NULL;
        fail_all(lane, group, DB_UNAVAILABLE);
        return;
    }
    if (!failed_with(take_result, "22"))
        group_shrink(group->statement->plan, count);
    log_event(LOG_WARNING, "batch_failed", LOG_S("statement", group->statement->name),
        LOG_S("sqlstate", PQresultErrorField(take_result, PG_DIAG_SQLSTATE)), LOG_I("calls", count),
        LOG_S("next", "each runs again alone: see whose fault it was"));
    PQclear(take_result);
    send_each(lane, group);
}

/* Gives each of a group its rows. */
static void take_group(pipeline_t *lane, query_t *group, PGresult *result)
{
    batch_part_t parts[BATCH_MOST];
    int count = 0;
    for (query_t *query = group; query; query = query->group)
        count++;
    if (PQresultStatus(result) != PGRES_TUPLES_OK || !result_fits(group->statement, result, 1) ||
        !batch_split(result, count, parts)) {
        group_failed(lane, group, count, result);
        return;
    }
    int *uses = memory_zeroed(1, sizeof *uses);
    rows_t *whole = rows_part(group->statement, result, 0, 0, uses); /* ours, until each has its own */
    int i = 0;
    for (query_t *query = group, *next; query; query = next, i++) {
        next = query->group;
        query_done(lane, query, rows_part(query->statement, result, parts[i].first, parts[i].count, uses));
    }
    rows_free(&whole);
}

static void take_result(pipeline_t *lane, PGresult *result)
{
    lane->silent_ticks = 0;
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        lane->syncs--;
        return;
    }
    query_t *query = lane->head;
    if (!query) { /* the backend was told to end when all was answered but the Sync */
        PQclear(result);
        lose(lane, TEXT("the connection was ended"));
        return;
    }
    lane->head = query->next;
    if (!lane->head)
        lane->tail = &lane->head;
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED) {
        PQclear(result);
        send_again(lane, query);
    } else if (failed_with(result, "0A000")) {
        const statement_t *statement = query->statement;
        PQclear(result);
        query->next = NULL;
        fail_all(lane, query, DB_RETRY);
        renew(lane, statement);
    } else if (query->group) {
        take_group(lane, query, result);
    } else {
        query_done(lane, query, rows_of(query->statement, result));
    }
}

static void take_results(pipeline_t *lane)
{
    while (!PQisBusy(lane->pg) && (lane->head || lane->syncs > 0)) { /* in this order: it reads notices, too */
        PGresult *result = PQgetResult(lane->pg);
        if (result) /* a NULL stands between two queries */
            take_result(lane, result);
        else if (PQstatus(lane->pg) == CONNECTION_BAD)
            return; /* there will be no other answer than NULL */
    }
}

static void on_socket(void *argument, int events)
{
    pipeline_t *lane = argument;
    if (lane->state == CONNECTING) {
        connect_step(lane);
        return;
    }
    if (events & LOOP_READ && !PQconsumeInput(lane->pg)) {
        lose(lane, connection_error(lane->pg));
        return;
    }
    if (lane->state == PREPARING)
        prepared(lane);
    else
        take_results(lane);
    if (lane->pg && PQstatus(lane->pg) == CONNECTION_BAD)
        lose(lane, connection_error(lane->pg));
}

/* --- the interface of lanes.c ------------------------------------------------------------------------------------- */

pipeline_t *pipeline_create(lanes_t *lanes, enum lane lane)
{
    pipeline_t *pipeline = memory_zeroed(1, sizeof *pipeline);
    *pipeline = (pipeline_t){.lanes = lanes, .lane = lane, .name = lane == LANE_SLOW ? "slow" : "read"};
    pipeline->tail = &pipeline->head;
    pipeline->gathered_tail = &pipeline->gathered;
    pipeline->wanted = lane == LANE_READ && lanes->url; /* the slow lane opens at its first use */
    if (pipeline->wanted)
        open_lane(pipeline);
    return pipeline;
}

/* Waits until the lane is open: the slow one on its first use, any after a migration or while connections are short. */
static bool wait_open(pipeline_t *lane, int64_t deadline)
{
    lane->wanted = true;
    if (lane->state == DOWN && clock_monotonic() >= lane->retry_at)
        open_lane(lane);
    while (lane->placeless || lane->state == CONNECTING || lane->state == PREPARING) {
        opener_t opener = {.next = lane->openers};
        lane->openers = &opener;
        if (!wait_for(lane->lanes, &opener.wait, deadline)) {
            for (opener_t **at = &lane->openers; *at; at = &(*at)->next)
                if (*at == &opener) {
                    *at = opener.next;
                    break;
                }
            return false;
        }
    }
    return lane->state == READY;
}

static query_t *query_create(pipeline_t *lane)
{
    query_t *query = lane->spare;
    if (query)
        lane->spare = query->next;
    else
        query = memory_allocate(sizeof *query);
    memset(query, 0, sizeof *query);
    return query;
}

/* Its caller's deadline came before it was sent. */
static void gathered_drop(pipeline_t *lane, query_t *query)
{
    query_t **at = &lane->gathered;
    while (*at != query)
        at = &(*at)->next;
    gathered_unlink(lane, at);
    query->rows = NULL;
}

rows_t *pipeline_query(pipeline_t *lane, const statement_t *statement, const param_t *params, int count, int64_t deadline)
{
    bool waits = lane->lane == LANE_SLOW || lane->renewing || lane->placeless; /* else the answer is 503 at once */
    if (lane->state != READY && !(waits && wait_open(lane, deadline)))
        return rows_failed(statement, waits && clock_monotonic() >= deadline ? DB_TIMEOUT : DB_UNAVAILABLE);
    wait_t wait;
    query_t *query = query_create(lane);
    *query = (query_t){.statement = statement, .params = params, .param_count = count, .deadline = deadline, .wait = &wait};
    if (statement->batched && batch_fits(statement, params, count)) {
        gather(lane, query);
    } else if (!send_query(lane, query)) {
        query->next = lane->spare;
        lane->spare = query;
        return rows_failed(statement, DB_UNAVAILABLE);
    }
    lane->unsynced |= !query->gathered;
    if (lane->lane == LANE_SLOW)
        lane->last_used = clock_monotonic(); /* the read lane is never closed for being idle */
    bool answered = wait_for(lane->lanes, &wait, deadline);
    rows_t *rows = query->rows;
    query->wait = NULL;
    query->params = NULL;
    if (query->gathered)
        gathered_drop(lane, query);
    else if (!answered && !rows)
        return rows_failed(statement, DB_TIMEOUT); /* the answer is dropped when it comes */
    query->next = lane->spare;
    lane->spare = query;
    return rows ? rows : rows_failed(statement, DB_TIMEOUT);
}

/* Counted in ticks, so that the time in which we ourselves did not look does not count. */
static bool is_hung(const pipeline_t *lane)
{
    return lane->silent_ticks * TICK_MILLISECONDS > statement_timeout(lane) + HUNG_AFTER;
}

void pipeline_tick(pipeline_t *lane)
{
    int64_t now = clock_monotonic();
    if (lane->state == DOWN) {
        if (lane->placeless && lane->lane == LANE_SLOW && !lane->openers)
            lane->wanted = lane->placeless = false; /* who wanted it has given up */
        if (lane->wanted && now >= lane->retry_at)
            open_lane(lane);
        return;
    }
    if (lane->state != READY) {
        if (now > lane->connect_deadline)
            lose(lane, TEXT("no connection within the time limit"));
        return;
    }
    lane->silent_ticks = lane->head ? lane->silent_ticks + 1 : 0;
    if (is_hung(lane))
        lose(lane, TEXT("no answer"));
    else if (lane->lane == LANE_SLOW && !lane->head && !lane->gathered && now > lane->last_used + lanes_keep(lane->lanes)) {
        lane->lanes->wanted.count--;
        lane->wanted = false;
        lose(lane, (text_t){0});
        lane->backoff = 0;
        lane->retry_at = 0;
    }
}

int pipeline_wish(const pipeline_t *lane)
{
    if (!lane->placeless)
        return PLACE_NONE;
    return lane->lane == LANE_READ ? PLACE_READ : PLACE_FIRST;
}

bool pipeline_ready(const pipeline_t *lane)
{
    return lane->state == READY;
}

bool pipeline_idle(const pipeline_t *lane)
{
    return lane->head == NULL && lane->gathered == NULL;
}

void pipeline_destroy(pipeline_t **take_lane)
{
    pipeline_t *lane = *take_lane;
    *take_lane = NULL;
    lane->wanted = false;
    lose(lane, (text_t){0});
    for (query_t *query = lane->spare, *next; query; query = next) {
        next = query->next;
        free(query);
    }
    free(lane);
}
