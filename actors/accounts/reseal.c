/* reseal: the sealed columns of this actor, for the chore of shared/actor/reseal.h. */
#include "actor/reseal.h"
#include "accounts.h"

int64_t accounts_reseal(call_t *call)
{
    static const reseal_t tables[] = {
        {"accounts.users", &SQL_phones_stale, &SQL_phone_reseal, &SQL_phones_stale_count},
    };
    return reseal_step(call, tables, ARRAY_SIZE(tables));
}
