/* reseal: the passes. There is one actor in a process, so there is one of them. */
#include "reseal.h"
#include "internal.h"
#include "event.h"
#include "once.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"

enum { /* milliseconds */
    STEP_PAUSE = 50,     /* others write meanwhile */
    LOCKED_PAUSE = 2000, /* rows that somebody has locked: a write may leave other values of theirs as they were */
    LOOK_PAUSE = 200,    /* until the next look whether any instance's state changed */
    PASS_AGAIN = 600000, /* the longest time between two passes: what is kept for a while grows less */
    NOTHING_LEFT = -1,
};

/* A step whose transaction is lost is made up for by the next pass. */
static struct {
    bool under_way;           /* a pass is */
    bool ended;               /* nothing was left after the last one */
    int64_t began;            /* clock_monotonic(), of the last one */
    uint64_t version;         /* segment_version() when the last one began */
    int table;                /* the place in it: of the tables, */
    uuid_t after;             /* and of the rows of that one */
    int64_t resealed, broken; /* rows in it; broken: with a value that no key opens */
    int64_t total;            /* rows resealed since nothing was left */
} pass;

static void publish(const char *name, const char *unit, const char *meaning, int64_t value)
{
    atomic_store(counter_declare(context.process.self, name, unit, meaning), value);
}

static void damage_log(seal_place_t place)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(place.row, id);
    log_event(LOG_ERROR, "sealed_value_unreadable", LOG_S("table", place.table), LOG_S("column", place.column),
        LOG_S("row", id), LOG_S("next", "restore the key that sealed it, or the row from a backup"));
}

/* The stored value under the first key; itself when it is sealed with that already, or (*whole = false) when no key opens it. */
static param_t value_reseal(call_t *call, seal_place_t place, text_t stored, bool *whole)
{
    text_t plain;
    if (!stored.data || seal_is_current(call_data_keys(call), stored))
        return bind_bytes(stored);
    if (seal_open(call->arena, call_data_keys(call), place, stored, &plain))
        return bind_sealed(call, place.table, place.column, place.row, plain);
    damage_log(place);
    *whole = false;
    return bind_bytes(stored);
}

/* The row's id; *whole = false: something did not open. */
static uuid_t row_reseal(call_t *call, const reseal_t *what, const void *row, bool *whole)
{
    const message_t *message = what->stale->row;
    insist(message->count >= 2 && message->count <= RESEAL_COLUMNS + 1 && message->fields[0].type == FIELD_uuid);
    uuid_t id = *(const uuid_t *)message_member(row, 0);
    param_t values[RESEAL_COLUMNS + 1] = {bind_uuid(id)};
    for (int i = 1; i < message->count; i++) {
        insist(message->fields[i].type == FIELD_bytes);
        seal_place_t place = {what->table, message->fields[i].name, id};
        values[i] = value_reseal(call, place, *(const text_t *)message_member(row, i), whole);
    }
    db_query_params(call, what->reseal, values, message->count);
    return id;
}

static int64_t stale_count(call_t *call, const reseal_t *tables, int count, text_t newest)
{
    int64_t left = 0;
    for (int i = 0; i < count; i++) {
        const void *row = row_first(call, db_query(call, tables[i].count, bind_bytes(newest)));
        left += *(const int64_t *)message_member(row, 0);
    }
    return left;
}

static void publish_left(int64_t left)
{
    publish(RESEAL_LEFT, "rows", "rows with values that only an older key of the ring opens", left);
}

static void pass_begin(call_t *call)
{
    pass.under_way = true;
    pass.ended = false;
    pass.began = clock_monotonic();
    pass.version = segment_version(call_segment(call));
    pass.table = 0;
    pass.after = (uuid_t){{0}};
    pass.resealed = pass.broken = 0;
}

/* All rows were looked at. What others had locked was passed over, so what is left is counted. */
static int64_t pass_end(call_t *call, const reseal_t *tables, int count, text_t newest)
{
    bool alone = call_data_keys(call)->count == 1;
    int64_t left = alone ? 0 : stale_count(call, tables, count, newest) - pass.broken;
    pass.under_way = false;
    if (left > 0) {
        publish_left(left);
        return pass.resealed > 0 ? STEP_PAUSE : LOCKED_PAUSE;
    }
    publish_left(0);
    publish(RESEAL_KEPT, "answers", "answers kept for Idempotency-Keys that an older key of the ring opens",
        alone ? 0 : once_sealed_before(call, newest));
    publish(RESEAL_EVENTS, "events", "events not delivered yet that an older key of the ring opens",
        alone ? 0 : event_sealed_before(call, newest));
    publish(RESEAL_SEEN, "version", "state of the instance table when reseal_left was found", (int64_t)pass.version);
    if (pass.total > 0)
        log_event(LOG_INFO, "resealed", LOG_I("rows", pass.total));
    pass.total = 0;
    pass.ended = true;
    return alone ? NOTHING_LEFT : LOOK_PAUSE;
}

/* The next rows of the table that the pass has come to. */
static void rows_reseal(call_t *call, const reseal_t *what, const rows_t *rows)
{
    int64_t broken = 0;
    uuid_t last = pass.after;
    for (int i = 0; i < rows->count; i++) {
        bool whole = true;
        last = row_reseal(call, what, row_at(call, rows, i), &whole);
        broken += !whole;
    }
    pass.after = last; /* only now: what failed before is done again */
    pass.resealed += rows->count - broken;
    pass.total += rows->count - broken;
    pass.broken += broken;
}

int64_t reseal_step(call_t *call, const reseal_t *tables, int count)
{
    if (!pass.under_way && pass.ended && segment_version(call_segment(call)) == pass.version &&
        clock_monotonic() - pass.began < PASS_AGAIN * CLOCK_MILLISECOND)
        return LOOK_PAUSE;
    if (!pass.under_way)
        pass_begin(call);
    text_t newest = seal_prefix(call->arena, call_data_keys(call));
    for (; pass.table < count; pass.table++, pass.after = (uuid_t){{0}}) {
        const reseal_t *what = &tables[pass.table];
        const rows_t *rows = db_query(call, what->stale, bind_bytes(newest), bind_uuid(pass.after));
        if (rows->count > 0) {
            rows_reseal(call, what, rows);
            return STEP_PAUSE;
        }
    }
    return pass_end(call, tables, count, newest);
}
