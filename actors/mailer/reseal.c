/* reseal: the sealed columns of this actor, for the chore of shared/actor/reseal.h. */
#include "../../shared/actor/reseal.h"
#include "mailer.h"

int64_t mailer_reseal(call_t *call)
{
    static const reseal_t tables[] = {
        {"mailer.mail_jobs", &SQL_contents_stale, &SQL_content_reseal, &SQL_contents_stale_count},
    };
    return reseal_step(call, tables, ARRAY_SIZE(tables));
}
