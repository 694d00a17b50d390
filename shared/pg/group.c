/* group: calls of which each does its part by a single statement share a transaction: one BEGIN, one COMMIT, one connection woken,
 * one wait for the disk. A statement says so itself (`write grouped`); whose first statement it is, and who has never run before,
 * joins those of the same turn, and those that come while database.write_groups groups are under way.
 *
 * What always holds: the statements of a group run one after the other, each followed by nothing of its own call but the record
 * that goes with COMMIT; so each call sees what it would see had the others committed before it. All commit, or none does and
 * each runs once more alone, where it gets the answer that is its own. Nobody is told anything before COMMIT was answered.
 *
 * Who joined first leads: it takes the connection and sends the statements. Who decides last (to commit or not) ends it. */
#include "internal.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include <stdlib.h>
#include <string.h>

enum { GROUP_MOST = 32, RESULTS_MOST = WRITER_COMMANDS + 1 + 2 * GROUP_MOST /* the commands, BEGIN, and each statement with its PREPARE */ };

struct group {
    group_t *next; /* of those that gather */
    lanes_t *lanes;
    writer_t *writer;
    transaction_t *members, **end; /* all that wait for it or decide, in the order in which they came */
    int count, undecided;
    bool started;     /* it is one of database.write_groups */
    bool sent;        /* and whoever goes away now leaves something behind */
    bool spoiled;     /* it cannot commit */
    bool committing;
    bool prepares;    /* a statement may or may not be prepared on its connection now */
    wait_t start;     /* of who leads */
};

/* --- joining and leaving ------------------------------------------------------------------------------------------ */

/* Takes it from those that gather: nobody joins it any more. */
static void group_close(group_t *group)
{
    group_t **at = &group->lanes->gathering;
    while (*at && *at != group)
        at = &(*at)->next;
    if (*at)
        *at = group->next;
}

/* The last of those that gather, or a new one behind it. */
static group_t *group_to_join(lanes_t *lanes)
{
    group_t **at = &lanes->gathering;
    while (*at && ((*at)->next || (*at)->count == GROUP_MOST))
        at = &(*at)->next;
    if (*at)
        return *at;
    group_t *group = memory_zeroed(1, sizeof *group);
    group->lanes = lanes;
    group->end = &group->members;
    return *at = group;
}

static group_t *group_join(transaction_t *member)
{
    group_t *group = group_to_join(member->lanes);
    member->next = NULL;
    *group->end = member;
    group->end = &member->next;
    member->group = group;
    group->count++;
    return group;
}

static void group_unlink(transaction_t *member)
{
    group_t *group = member->group;
    transaction_t **at = &group->members;
    while (*at != member)
        at = &(*at)->next;
    *at = member->next;
    if (!*at)
        group->end = at;
    group->count--;
    member->group = NULL;
}

/* Everybody goes, with this answer to what each waits for; `rows`: to its statement. */
static void group_dismiss(group_t *group, enum db_status status, bool rows)
{
    while (group->members) {
        transaction_t *member = group->members;
        group_unlink(member);
        if (rows)
            member->rows = rows_failed(member->statement, status);
        member->status = status;
        wait_wake(group->lanes, &member->wait);
    }
    free(group);
}

void groups_turn(lanes_t *lanes)
{
    for (group_t *group = lanes->gathering; group; group = group->next) {
        if (group->started)
            continue;
        if (lanes->groups >= lanes->process->config.database.write_groups)
            return;
        group->started = true;
        lanes->groups++;
        wait_wake(lanes, &group->start);
    }
}

/* --- the statements ----------------------------------------------------------------------------------------------- */

static void keep_result(void *argument, int number, PGresult *take)
{
    PGresult **results = argument;
    insist(number < RESULTS_MOST);
    results[number] = take;
}

static void send_statements(group_t *group)
{
    int number = writer_prepare_commands(group->writer);
    number += writer_command(group->writer, "BEGIN");
    for (transaction_t *member = group->members; member; member = member->next) {
        bool first = writer_send(group->writer, member->statement, member->params, member->count);
        group->prepares |= first;
        member->number = number + first;
        number = member->number + 1;
        counter_add(group->lanes->counters.queries, 1);
    }
    group->sent = true;
}

/* Gives each its rows; false when one of them failed. Takes the results. */
static bool take_rows(group_t *group, PGresult **results)
{
    bool good = true;
    for (transaction_t *member = group->members; member; member = member->next) {
        PGresult *result = results[member->number];
        results[member->number] = NULL;
        member->rows = result ? rows_of(member->statement, result) : rows_failed(member->statement, DB_RETRY);
        member->changed = member->rows->count > 0 || member->rows->affected > 0;
        if (member->rows->status != DB_OK)
            good = false;
        if (strcmp(member->rows->sqlstate, "0A000") == 0)
            writers_renew(group->lanes);
    }
    return good;
}

static void rows_drop(group_t *group)
{
    for (transaction_t *member = group->members; member; member = member->next)
        rows_free(&member->rows);
}

static void group_end(group_t *group, bool clean)
{
    if (group->writer)
        writer_give(group->writer, clean);
    group->writer = NULL;
    group->lanes->groups -= group->started;
}

/* Nothing of it happens. */
static void group_rollback(group_t *group)
{
    writer_command(group->writer, "ROLLBACK");
    PGresult *result = writer_last(group->writer, clock_monotonic() + WRITER_END_TIMEOUT * CLOCK_MILLISECOND, false);
    counter_add(group->lanes->counters.rollbacks, 1);
    group_end(group, result && !group->prepares);
    PQclear(result);
}

/* Sends what has gathered and waits for the rows. */
static void group_run_statements(group_t *group, int64_t deadline)
{
    PGresult *results[RESULTS_MOST] = {0};
    send_statements(group);
    bool answered = writer_exchange(group->writer, deadline, false, keep_result, results);
    bool good = answered && take_rows(group, results);
    for (int i = 0; i < RESULTS_MOST; i++)
        PQclear(results[i]);
    if (good && !group->spoiled) {
        group->undecided = group->count;
        for (transaction_t *member = group->members; member; member = member->next)
            wait_wake(group->lanes, &member->wait);
        return;
    }
    counter_add(group->lanes->counters.spoiled, 1);
    rows_drop(group);
    if (answered)
        group_rollback(group);
    else
        group_end(group, false);
    group_dismiss(group, DB_RETRY, true);
}

/* The leader's way from the first statement to the rows. It may end with the group gone. */
static void group_lead(group_t *group, int64_t deadline)
{
    lanes_t *lanes = group->lanes;
    enum db_status status = DB_TIMEOUT;
    if (wait_for(lanes, &group->start, deadline))
        group->writer = writer_take(lanes, deadline, &status);
    group_close(group);
    if (group->writer) {
        group_run_statements(group, deadline);
        return;
    }
    group_end(group, false);
    group_dismiss(group, status == DB_TIMEOUT ? DB_RETRY : status, true); /* the leader's time is not that of the others */
}

rows_t *group_run(transaction_t *member, const statement_t *statement, const param_t *params, int count)
{
    member->statement = statement;
    member->params = params;
    member->count = count;
    group_t *group = group_join(member);
    if (group->members == member)
        group_lead(group, member->deadline);
    else if (!wait_for(member->lanes, &member->wait, member->deadline) && !member->rows) {
        group->spoiled |= group->sent;
        group_unlink(member);
        return rows_failed(statement, DB_TIMEOUT);
    }
    rows_t *rows = member->rows;
    member->rows = NULL;
    return rows;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* Sends the records and COMMIT; DB_RETRY: nothing happened, and each tries alone. */
static enum db_status group_commit_all(group_t *group, int64_t deadline)
{
    bool prepares = false;
    for (transaction_t *member = group->members; member; member = member->next)
        if (member->statement) {
            prepares |= writer_send(group->writer, member->statement, member->params, member->count);
            counter_add(group->lanes->counters.queries, 1);
        }
    writer_command(group->writer, "COMMIT");
    group->committing = true;
    PGresult *result = writer_last(group->writer, deadline, true);
    enum db_status status = commit_status(result);
    PQclear(result);
    counter_add(group->lanes->counters.transactions, status == DB_OK);
    if (status == DB_OK || status == DB_UNKNOWN) {
        group_end(group, status == DB_OK);
        return status;
    }
    group->prepares |= prepares;
    group_rollback(group); /* what was sent before COMMIT failed, so COMMIT was passed over */
    return DB_RETRY;
}

/* By whoever decided last. */
static void group_finish(group_t *group, int64_t deadline)
{
    int64_t limit = clock_monotonic() + WRITER_END_TIMEOUT * CLOCK_MILLISECOND;
    enum db_status status = DB_RETRY;
    if (!group->spoiled && group->members)
        status = group_commit_all(group, deadline > limit ? deadline : limit);
    else
        group_rollback(group);
    counter_add(group->lanes->counters.spoiled, status != DB_OK && group->members);
    counter_add(group->lanes->counters.grouped, status == DB_OK ? group->count : 0);
    group_dismiss(group, status, false);
}

static bool decide(transaction_t *member, bool commits)
{
    group_t *group = member->group;
    member->decided = true;
    if (!commits) {
        group->spoiled |= member->changed;
        group_unlink(member);
    }
    return --group->undecided == 0;
}

enum db_status group_commit(transaction_t *member, const statement_t *statement, const param_t *params, int count)
{
    group_t *group = member->group;
    member->statement = statement;
    member->params = params;
    member->count = count;
    member->status = DB_RETRY;
    if (decide(member, true)) {
        group_finish(group, member->deadline);
        return member->status;
    }
    int64_t limit = member->deadline + WRITER_END_TIMEOUT * CLOCK_MILLISECOND;
    if (wait_for(member->lanes, &member->wait, limit) || !member->group)
        return member->status;
    group->spoiled = true; /* too late when it is being committed: then nobody knows */
    member->status = group->committing ? DB_UNKNOWN : DB_TIMEOUT;
    group_unlink(member);
    return member->status;
}

void group_leave(transaction_t *member)
{
    group_t *group = member->group;
    int64_t deadline = member->deadline;
    if (decide(member, false))
        group_finish(group, deadline);
}

/* What it was shown may be what others of the group wrote: who asked is told only when that is committed. */
enum db_status group_refuse(transaction_t *member)
{
    if (!member->changed)
        return group_commit(member, NULL, NULL, 0) == DB_OK ? DB_OK : DB_RETRY;
    group_leave(member);
    return DB_RETRY;
}
