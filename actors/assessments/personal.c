/* personal: what this actor holds of a person and of the children that the person guards: told to the person, and forgotten with the
 * account or the child; what was left unfinished is forgotten after a time. */
#include "assessments.h"
#include "../../shared/actor/erasure.h"
#include "../../shared/actor/personal_data.h"

void assessments_personal_data(call_t *call)
{
    static const personal_section_t sections[] = {
        {"assessments", &SQL_person_attempts},
        {"responses", &SQL_person_responses},
        {"results", &SQL_person_results},
    };
    personal_data_reply(call, sections, ARRAY_SIZE(sections));
}

int64_t attempts_forget(call_t *call, int64_t before, int64_t most)
{
    const rows_t *children = db_query(call, &SQL_attempts_forget, bind_time(before), bind_integer(most));
    for (int i = 0; i < children->count; i++)
        call_tag(call, TAG_ATTEMPTS, ((const key_row_t *)row_at(call, children, i))->id);
    return children->count;
}

/* An attempt is the child's: one of a child with another guardian stays, and says by an empty account's id who began it. Those of
 * children who had no other guardian go with these (child.deleted). */
void assessments_user_erased(call_t *call)
{
    const user_erased_t *in = call->input;
    person_forget(call, in->user);
    reply_nothing(call);
}

/* Child and attempts are locked first: whoever was beginning one or answering has committed by then, and nobody does any more. */
void assessments_child_deleted(call_t *call)
{
    const child_deleted_t *in = call->input;
    param_t child = bind_uuid(in->child);
    db_send(call, &SQL_child_hold_alone, child);
    db_query(call, &SQL_child_attempts_empty, child);
    db_query(call, &SQL_child_responses_erase, child);
    db_query(call, &SQL_child_results_erase, child);
    db_query(call, &SQL_child_reminders_erase, child);
    call_tag(call, TAG_ATTEMPTS, in->child);
    reply_nothing(call);
}
