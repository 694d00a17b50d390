/* personal: what this actor holds of a person: told to the person, and forgotten with the account. */
#include "children.h"
#include "../../shared/actor/erasure.h"
#include "../../shared/actor/events.h"
#include "../../shared/actor/personal_data.h"

void children_personal_data(call_t *call)
{
    static const personal_section_t sections[] = {
        {"guardianships", &SQL_person_guardianships},
        {"children", &SQL_person_children},
        {"measurements", &SQL_person_measurements},
        {"invitations", &SQL_person_invitations},
    };
    personal_data_reply(call, sections, ARRAY_SIZE(sections));
}

/* A child whose only guardian it was goes too; one with a second guardian stays, and belongs to that one. */
void children_user_erased(call_t *call)
{
    const user_erased_t *in = call->input;
    param_t user = bind_uuid(in->user);
    const rows_t *guarded = db_query(call, &SQL_person_lock, user);
    db_query(call, &SQL_person_step_down, user);
    db_query(call, &SQL_person_succeed, user);
    const rows_t *uninvited = db_query(call, &SQL_person_uninvite, user);
    for (int i = 0; i < uninvited->count; i++) {
        const key_row_t *invitation = row_at(call, uninvited, i);
        events_forget(call, invitation->id); /* its mail, when the address had no account */
    }
    const rows_t *gone = db_query(call, &SQL_person_erase, user);
    for (int i = 0; i < gone->count; i++)
        child_deleted_tell(call, ((const key_row_t *)row_at(call, gone, i))->id);
    call_tag(call, TAG_GUARDIAN, in->user);
    for (int i = 0; i < guarded->count; i++)
        call_tag(call, TAG_CHILD, ((const key_row_t *)row_at(call, guarded, i))->id);
    person_forget(call, in->user);
    reply_nothing(call);
}
