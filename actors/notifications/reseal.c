/* reseal: the sealed columns of this actor, for the chore of shared/actor/reseal.h. */
#include "../../shared/actor/reseal.h"
#include "notifications.h"

int64_t notifications_reseal(call_t *call)
{
    return reseal_step(call, NULL, 0);
}
