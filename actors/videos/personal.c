/* personal: what this actor holds of a person: told to the person, and forgotten with the account. */
#include "videos.h"
#include "../../shared/actor/erasure.h"
#include "../../shared/actor/events.h"
#include "../../shared/actor/personal_data.h"

void videos_personal_data(call_t *call)
{
    static const personal_section_t sections[] = {
        {"interactions", &SQL_person_interactions},
        {"views", &SQL_person_views},
        {"recommendations", &SQL_person_recommendations},
        {"prescriptions", &SQL_person_prescriptions},
    };
    personal_data_reply(call, sections, ARRAY_SIZE(sections));
}

/* Views and completions stay counted: they are nobody's any more. What is recommended goes with the child. The pages of what was bookmarked show one less when their copies
 * in the cache are over. */
void videos_user_erased(call_t *call)
{
    const user_erased_t *in = call->input;
    db_query(call, &SQL_person_interactions_erase, bind_uuid(in->user));
    db_query(call, &SQL_person_views_erase, bind_uuid(in->user));
    db_query(call, &SQL_person_prescriptions_erase, bind_uuid(in->user));
    person_forget(call, in->user);
    reply_nothing(call);
}

/* What was watched with the child, by whichever guardian, and what is recommended for it. A completion stays counted; bookmarks are
 * without a child. What is watched comes before the lock, as in recommend.c; and once more behind it, for whoever had the lock before
 * may have watched it for the first time. Who has it afterwards sees that the child is gone. */
void videos_child_deleted(call_t *call)
{
    const child_deleted_t *in = call->input;
    param_t child = bind_uuid(in->child);
    db_send(call, &SQL_child_interactions_erase, child);
    db_send(call, &SQL_recommended_lock, child);
    db_send(call, &SQL_child_interactions_erase, child);
    db_send(call, &SQL_child_run_erase, child);
    db_send(call, &SQL_child_recommendations_erase, child);
    db_send(call, &SQL_child_prescriptions_erase, child);
    call_tag(call, TAG_RECOMMENDED, in->child);
    reply_nothing(call);
}
