/* reseal: phone numbers, for the chore of shared/actor/reseal.h. */
#include "actor/reseal.h"
#include "accounts.h"

static uuid_t phone_reseal(call_t *call, const rows_t *rows, int index, bool *whole)
{
    const sealed_phone_t *row = row_at(call, rows, index);
    param_t phone = reseal_value(call, (seal_place_t){"accounts.users", "phone", row->id}, row->phone, whole);
    db_query(call, &SQL_phone_reseal, bind_uuid(row->id), phone);
    return row->id;
}

static int64_t phones_stale_count(call_t *call, text_t newest)
{
    const total_t *stale = row_first(call, db_query(call, &SQL_phones_stale_count, bind_bytes(newest)));
    return stale->total;
}

int64_t accounts_reseal(call_t *call)
{
    static const reseal_t phones = {
        .what = "phones", .stale = &SQL_phones_stale, .reseal = phone_reseal, .count = phones_stale_count};
    return reseal_step(call, &phones);
}
