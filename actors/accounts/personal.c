/* personal: what this actor holds of a person: told to the person, and forgotten with the account. */
#include "actor/personal_data.h"
#include "accounts.h"

/* Not the password's hash, nor those of tokens: they say nothing about the person, and would only be in the wrong hands. */
void accounts_personal_data(call_t *call)
{
    static const personal_section_t sections[] = {
        {"user", &SQL_person_user},
        {"sessions", &SQL_person_sessions},
        {"identities", &SQL_person_identities},
        {"consents", &SQL_person_consents},
    };
    personal_data_reply(call, sections, ARRAY_SIZE(sections));
}
