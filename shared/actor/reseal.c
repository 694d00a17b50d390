/* reseal: the passes. There is one actor in a process, so there is one of them. */
#include "reseal.h"
#include "internal.h"
#include "once.h"
#include "../base/clock.h"
#include "../base/log.h"

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
    uuid_t after;             /* the place in it */
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

param_t reseal_value(call_t *call, seal_place_t place, text_t stored, bool *whole)
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
    pass.after = (uuid_t){{0}};
    pass.resealed = pass.broken = 0;
}

/* All rows were looked at. What others had locked was passed over, so what is left is counted. */
static int64_t pass_end(call_t *call, const reseal_t *what, text_t newest)
{
    bool alone = call_data_keys(call)->count == 1;
    int64_t left = alone ? 0 : what->count(call, newest) - pass.broken;
    pass.under_way = false;
    if (left > 0) {
        publish_left(left);
        return pass.resealed > 0 ? STEP_PAUSE : LOCKED_PAUSE;
    }
    publish_left(0);
    publish(RESEAL_KEPT, "answers", "answers kept for Idempotency-Keys that an older key of the ring opens",
        alone ? 0 : once_sealed_before(call, newest));
    publish(RESEAL_SEEN, "version", "state of the instance table when reseal_left was found", (int64_t)pass.version);
    if (pass.total > 0)
        log_event(LOG_INFO, "resealed", LOG_S("what", what->what), LOG_I("rows", pass.total));
    pass.total = 0;
    pass.ended = true;
    return alone ? NOTHING_LEFT : LOOK_PAUSE;
}

int64_t reseal_step(call_t *call, const reseal_t *what)
{
    if (!pass.under_way && pass.ended && segment_version(call_segment(call)) == pass.version &&
        clock_monotonic() - pass.began < PASS_AGAIN * CLOCK_MILLISECOND)
        return LOOK_PAUSE;
    if (!pass.under_way)
        pass_begin(call);
    text_t newest = seal_prefix(call->arena, call_data_keys(call));
    const rows_t *rows = db_query(call, what->stale, bind_bytes(newest), bind_uuid(pass.after));
    if (rows->count == 0)
        return pass_end(call, what, newest);
    int64_t broken = 0;
    uuid_t last = pass.after;
    for (int i = 0; i < rows->count; i++) {
        bool whole = true;
        last = what->reseal(call, rows, i, &whole);
        broken += !whole;
    }
    pass.after = last; /* only now: what failed before is done again */
    pass.resealed += rows->count - broken;
    pass.total += rows->count - broken;
    pass.broken += broken;
    return STEP_PAUSE;
}
