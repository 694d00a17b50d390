/* reseal: the sealed columns of this actor, for the chore of shared/actor/reseal.h. */
#include "../../shared/actor/reseal.h"
#include "children.h"

int64_t children_reseal(call_t *call)
{
    static const reseal_t tables[] = {
        {"children.children", &SQL_children_stale, &SQL_child_reseal, &SQL_children_stale_count},
        {"children.guardian_invitations", &SQL_invitations_stale, &SQL_invitation_reseal, &SQL_invitations_stale_count},
    };
    return reseal_step(call, tables, ARRAY_SIZE(tables));
}
