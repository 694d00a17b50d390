/* reseal: the histories and notes of children, for the chore of shared/actor/reseal.h. */
#include "../../shared/actor/reseal.h"
#include "children.h"

static param_t column_reseal(call_t *call, uuid_t child, const char *column, text_t stored, bool *whole)
{
    return reseal_value(call, (seal_place_t){"children.children", column, child}, stored, whole);
}

static uuid_t child_reseal(call_t *call, const rows_t *rows, int index, bool *whole)
{
    const sealed_row_t *row = row_at(call, rows, index);
    db_query(call, &SQL_child_reseal, bind_uuid(row->id),
        column_reseal(call, row->id, "medical_history", row->medical_history, whole),
        column_reseal(call, row->id, "family_history", row->family_history, whole),
        column_reseal(call, row->id, "treatment_history", row->treatment_history, whole),
        column_reseal(call, row->id, "notes", row->notes, whole));
    return row->id;
}

static int64_t children_stale_count(call_t *call, text_t newest)
{
    const total_row_t *stale = row_first(call, db_query(call, &SQL_children_stale_count, bind_bytes(newest)));
    return stale->total;
}

int64_t children_reseal(call_t *call)
{
    static const reseal_t children = {
        .what = "children", .stale = &SQL_children_stale, .reseal = child_reseal, .count = children_stale_count};
    return reseal_step(call, &children);
}
