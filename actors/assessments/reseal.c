/* reseal: the sealed column of this actor, for the chore of shared/actor/reseal.h. */
#include "../../shared/actor/reseal.h"
#include "assessments.h"

int64_t assessments_reseal(call_t *call)
{
    static const reseal_t tables[] = {
        {"assessments.development_assessments", &SQL_attempts_stale, &SQL_attempt_reseal, &SQL_attempts_stale_count},
    };
    return reseal_step(call, tables, ARRAY_SIZE(tables));
}
