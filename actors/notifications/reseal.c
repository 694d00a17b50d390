/* reseal: the sealed columns of this actor, for the chore of shared/actor/reseal.h. */
#include "../../shared/actor/reseal.h"
#include "notifications.h"

int64_t notifications_reseal(call_t *call)
{
    static const reseal_t tables[] = {
        {"notifications.reminders", &SQL_reminders_stale, &SQL_reminder_reseal, &SQL_reminders_stale_count},
        {"notifications.devices", &SQL_devices_stale, &SQL_device_reseal, &SQL_devices_stale_count},
    };
    return reseal_step(call, tables, ARRAY_SIZE(tables));
}
