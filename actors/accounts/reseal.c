/* reseal: after a new key was put at the head of the ring, phone numbers that older keys sealed are sealed
 * anew, a hundred a step, in the order of the users' ids; then the oldest key may be dropped. A chore
 * (actor.h): once after each start, for the ring of a process never changes. Both services run it; rows that
 * the other has locked are passed over.
 *
 * What always holds: a value is replaced by itself under the newest key, in the transaction that locked its
 * row. A value that no key opens is left as it is and named in the log. */
#include "accounts.h"
#include "base/log.h"

enum { STEP_PAUSE = 50, NOTHING_LEFT = -1 }; /* milliseconds between steps: others write meanwhile */

static struct {
    uuid_t after;
    int64_t resealed;
} progress;

static void damage_log(uuid_t user)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(user, id);
    log_event(LOG_ERROR, "sealed_value_unreadable", LOG_S("user", id), LOG_S("column", "phone"),
        LOG_S("next", "restore the key that sealed it, or the row from a backup"));
}

static bool phone_reseal(call_t *call, const sealed_phone_t *row)
{
    seal_place_t place = {.table = "accounts.users", .column = "phone", .row = row->id};
    text_t plain;
    if (!seal_open(call->arena, call_data_keys(call), place, row->phone, &plain)) {
        damage_log(row->id);
        return false;
    }
    db_query(call, &SQL_phone_reseal, bind_uuid(row->id),
        bind_sealed(call, "accounts.users", "phone", row->id, plain));
    return true;
}

int64_t accounts_reseal(call_t *call)
{
    text_t newest = seal_prefix(call->arena, call_data_keys(call));
    const rows_t *rows = db_query(call, &SQL_phones_stale, bind_bytes(newest), bind_uuid(progress.after));
    if (rows->count == 0) {
        if (progress.resealed > 0)
            log_event(LOG_INFO, "resealed", LOG_I("phones", progress.resealed));
        return NOTHING_LEFT;
    }
    int64_t resealed = 0;
    uuid_t last = progress.after;
    for (int i = 0; i < rows->count; i++) {
        const sealed_phone_t *row = row_at(call, rows, i);
        resealed += phone_reseal(call, row);
        last = row->id;
    }
    progress.resealed += resealed;
    progress.after = last;
    return STEP_PAUSE;
}
