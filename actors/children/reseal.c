/* reseal: after a new key was put at the head of the ring, what older keys sealed is sealed anew, fifty children a step, until
 * a whole pass finds nothing; then the oldest key may be dropped. A chore of instance 1 (actor.h), once after each start: the
 * ring of a process never changes.
 *
 * What always holds: a value is replaced by itself under the newest key, in the transaction that locked its row. A value that no
 * key opens is left as it is and named in the log, and does not stop the others. */
#include "children.h"
#include "../../shared/base/log.h"

enum { STEP_PAUSE = 50, NOTHING_LEFT = -1 }; /* milliseconds between steps: others write meanwhile */

/* The place in the present pass. A step whose transaction is lost is made up for by the next pass. */
static struct {
    uuid_t after;
    int64_t resealed, resealed_before; /* in this pass, in those before */
} pass;

static void damage_log(uuid_t child, const char *column)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(child, id);
    log_event(LOG_ERROR, "sealed_value_unreadable", LOG_S("child", id), LOG_S("column", column),
        LOG_S("next", "restore the key that sealed it, or the row from a backup"));
}

/* The stored value under the newest key; itself when no key opens it (then *good is false). */
static param_t column_reseal(call_t *call, uuid_t child, const char *column, text_t stored, bool *good)
{
    if (!stored.data || seal_is_current(call_data_keys(call), stored))
        return bind_bytes(stored);
    text_t plain;
    seal_place_t place = {.table = "children.children", .column = column, .row = child};
    if (seal_open(call->arena, call_data_keys(call), place, stored, &plain))
        return bind_sealed(call, "children.children", column, child, plain);
    damage_log(child, column);
    *good = false;
    return bind_bytes(stored);
}

static bool child_reseal(call_t *call, const sealed_row_t *row)
{
    bool good = true;
    param_t medical = column_reseal(call, row->id, "medical_history", row->medical_history, &good);
    param_t family = column_reseal(call, row->id, "family_history", row->family_history, &good);
    param_t treatment = column_reseal(call, row->id, "treatment_history", row->treatment_history, &good);
    param_t notes = column_reseal(call, row->id, "notes", row->notes, &good);
    db_query(call, &SQL_child_reseal, bind_uuid(row->id), medical, family, treatment, notes);
    return good;
}

/* The end of a pass: another one when this one changed something. */
static int64_t pass_end(void)
{
    int64_t total = pass.resealed_before + pass.resealed;
    bool again = pass.resealed > 0;
    if (!again && total > 0)
        log_event(LOG_INFO, "resealed", LOG_I("children", total));
    pass.resealed_before = again ? total : 0;
    pass.resealed = 0;
    pass.after = (uuid_t){{0}};
    return again ? STEP_PAUSE : NOTHING_LEFT;
}

int64_t children_reseal(call_t *call)
{
    text_t newest = seal_prefix(call->arena, call_data_keys(call));
    const rows_t *rows = db_query(call, &SQL_children_stale, bind_bytes(newest), bind_uuid(pass.after));
    if (rows->count == 0)
        return pass_end();
    int64_t resealed = 0;
    uuid_t last = pass.after;
    for (int i = 0; i < rows->count; i++) {
        const sealed_row_t *row = row_at(call, rows, i);
        resealed += child_reseal(call, row);
        last = row->id;
    }
    pass.resealed += resealed;
    pass.after = last;
    return STEP_PAUSE;
}
