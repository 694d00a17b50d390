/* personal: what this actor holds of a person: told to the person, and forgotten with the account. */
#include "children.h"
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
