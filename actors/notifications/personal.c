/* personal: what this actor holds of a person: told to the person, and forgotten with the account; and what it holds of a child,
 * forgotten with the child. */
#include "notifications.h"
#include "../../shared/actor/erasure.h"
#include "../../shared/actor/personal_data.h"

void notifications_personal_data(call_t *call)
{
    static const personal_section_t sections[] = {
        {"notifications", &SQL_own_notifications},
        {"notification_preferences", &SQL_own_preferences},
        {"devices", &SQL_own_devices},
        {"presence", .message = &personal_presence_message, .held = presence_held},
    };
    personal_data_reply(call, sections, ARRAY_SIZE(sections));
}

void notifications_user_erased(call_t *call)
{
    const user_erased_t *in = call->input;
    presence_erase(call, in->user);
    db_send(call, &SQL_counter_lock, bind_uuid(in->user));
    db_query(call, &SQL_notifications_forget, bind_uuid(in->user));
    db_query(call, &SQL_notifications_forget_rest, bind_uuid(in->user));
    person_forget(call, in->user);
    reply_nothing(call);
}

void notifications_child_deleted(call_t *call)
{
    const child_deleted_t *in = call->input;
    db_send(call, &SQL_subject_users, bind_uuid(in->child));
    db_query(call, &SQL_subject_forget, bind_uuid(in->child));
    reply_nothing(call);
}
