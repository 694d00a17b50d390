/* consents: what a user agreed to, in which version. Rows are only ever added: a withdrawal is a row too, and
 * the newest of each kind is what holds (view accounts.current_consents, which other actors join). */
#include "accounts.h"
#include "consent_rules.h"

void consent_list(call_t *call)
{
    call_tag(call, TAG_CONSENTS, call->principal.user);
    reply_rows(call,
        db_query(call, &SQL_consents_of_user, bind_uuid(call->principal.user),
            bind_text(consent_rules_json(call->arena))),
        NULL);
}

void consent_create(call_t *call)
{
    const consent_create_t *in = call->input;
    int64_t version = consent_version(in->kind);
    /* Agreeing to a text that is no longer in force would be an agreement to nothing. */
    if (message_has(in, version) && in->version != version)
        call_fail_field(call, ERROR_UNPROCESSABLE, "version", PROBLEM_CHOICE);
    call_tag(call, TAG_CONSENTS, call->principal.user);
    reply_row(
        call, db_query(call, &SQL_consent_create, bind_uuid(uuid_new()), bind_uuid(call->principal.user),
                  BIND(consent_create, in, kind), bind_integer(version), bind_boolean(in->granted)));
}
