/* guardians: who guards a child, and how another one comes to: the owner invites an e-mail address, a mail carries a token
 * there, and who shows it becomes a guardian.
 *
 * What always holds: a child has a guardian, and one owner among them; whoever changes them has locked the child. An invitation
 * is accepted once, in its time, by a user who has verified the address it was sent to: the token alone, in a forwarded mail,
 * opens nothing, nor does an account that only claims the address. It tells nobody whether an address has an account. */
#include "children.h"
#include "../../shared/actor/events.h"
#include "../../shared/base/clock.h"
#include "../../shared/crypto/hash.h"

enum { TOKEN_BYTES = 32, TIDY_EVERY = 600000 /* milliseconds */ };

/* --- who may ------------------------------------------------------------------------------------------------------ */

/* Locks the child; a stranger to it gets 404. */
static bool caller_owns(call_t *call, uuid_t child)
{
    const relation_row_t *row = row_or_404(call,
        db_query(call, &SQL_guardianship_lock, bind_uuid(child), bind_uuid(call->principal.user)));
    return text_equal(row->relation, TEXT("owner"));
}

static void owner_check(call_t *call, uuid_t child)
{
    if (!caller_owns(call, child))
        call_fail(call, ERROR_FORBIDDEN);
}

static guardian_counts_t counts_of(call_t *call, uuid_t child)
{
    const rows_t *rows = db_query(call, &SQL_guardians_count, bind_uuid(child), bind_uuid(call->principal.user));
    return *(const guardian_counts_t *)row_first(call, rows);
}

/* --- the guardians ------------------------------------------------------------------------------------------------ */

void guardian_list(call_t *call)
{
    const id_params_t *params = call->params;
    row_or_404(call, db_query(call, &SQL_child_visible, bind_uuid(params->id), bind_uuid(call->principal.user),
        bind_boolean(viewer_is_admin(call))));
    child_read_tell(call, params->id);
    const rows_t *guardians = db_query(call, &SQL_guardians_of, bind_uuid(params->id));
    call_tag(call, TAG_CHILD, params->id);
    for (int i = 0; i < guardians->count; i++)
        call_tag(call, TAG_USER, ((const guardian_t *)row_at(call, guardians, i))->user_id);
    reply_rows(call, guardians, NULL);
}

void guardian_remove(call_t *call)
{
    const guardian_params_t *params = call->params;
    bool self = uuid_equal(params->user_id, call->principal.user), owns = caller_owns(call, params->id);
    if (!owns && !self)
        call_fail(call, ERROR_FORBIDDEN);
    const relation_row_t *removed =
        row_or_404(call, db_query(call, &SQL_guardian_remove, bind_uuid(params->id), bind_uuid(params->user_id)));
    if (counts_of(call, params->id).guardians == 0)
        call_fail(call, ERROR_LAST_GUARDIAN);
    if (text_equal(removed->relation, TEXT("owner")))
        db_query(call, &SQL_owner_succeed, bind_uuid(params->id));
    call_tag(call, TAG_CHILD, params->id);
    call_tag(call, TAG_GUARDIAN, params->user_id);
    reply_nothing(call);
}

/* --- inviting ----------------------------------------------------------------------------------------------------- */

static text_t token_new(call_t *call)
{
    uint8_t bytes[TOKEN_BYTES];
    random_bytes(bytes, sizeof(bytes));
    return base64url_encode(call->arena, (text_t){.data = (const char *)bytes, .length = sizeof(bytes)});
}

static param_t token_hash(call_t *call, text_t token)
{
    digest_t digest = hash_sha256(token);
    return bind_bytes(arena_copy(call->arena, (text_t){.data = (const char *)digest.bytes, .length = sizeof(digest.bytes)}));
}

static void limits_check(call_t *call, uuid_t child)
{
    guardian_counts_t counts = counts_of(call, child);
    if (counts.invited_today >= call_config(call)->children.max_invitations)
        call_fail(call, ERROR_RATE_LIMITED);
    if (counts.guardians + counts.invited >= call_config(call)->children.max_guardians)
        call_fail(call, ERROR_CONFLICT);
}

/* `known`: whose address it is; NULL: of nobody who has an account. */
static void mail_invitation(call_t *call, uuid_t child, const invitation_t *invitation, const known_address_t *known,
    text_t token)
{
    char child_text[UUID_TEXT_SIZE];
    uuid_format(child, child_text);
    mail_field_t fields[2] = {0};
    message_set(&fields[0], name, TEXT("child"));
    message_set(&fields[0], value, text_of(child_text));
    message_set(&fields[1], name, TEXT("token"));
    message_set(&fields[1], value, token);
    mail_requested_t mail = {0};
    message_set(&mail, template, MAIL_GUARDIAN_INVITATION);
    if (known != NULL)
        message_set(&mail, user, known->id);
    message_set(&mail, to, invitation->email);
    message_set(&mail, language, (int)call->language);
    message_set(&mail, fields, (list_t){.items = fields, .count = ARRAY_SIZE(fields)});
    message_set(&mail, not_after, invitation->expires_at);
    event_emit(call, "mail.requested", known != NULL ? known->id : invitation->id, &mail_requested_message, &mail);
}

void guardian_invite(call_t *call)
{
    const id_params_t *params = call->params;
    const invitation_create_t *in = call->input;
    param_t child = bind_uuid(params->id), address = bind_text(in->email);
    owner_check(call, params->id);
    const known_address_t *known = row_first(call, db_query(call, &SQL_address_known, child, address));
    if (known != NULL && known->guards)
        call_fail(call, ERROR_CONFLICT);
    db_query(call, &SQL_invitation_replace, child, address);
    limits_check(call, params->id);

    uuid_t id = uuid_new();
    text_t token = token_new(call);
    int64_t expires = clock_now() + call_config(call)->children.invitation_lifetime * CLOCK_MILLISECOND;
    const invitation_t *invitation = row_first(call,
        db_query(call, &SQL_invitation_insert, bind_uuid(id), child, bind_uuid(call->principal.user),
            bind_sealed(call, "children.guardian_invitations", "email", id, in->email), address, token_hash(call, token),
            bind_time(expires)));
    mail_invitation(call, params->id, invitation, known, token);
    reply_value(call, invitation);
}

/* --- answering an invitation -------------------------------------------------------------------------------------- */

/* The same consents as for a child of one's own (product.md, section 3): a guardian may be the only one some day. */
void guardian_accept(call_t *call)
{
    const id_params_t *params = call->params;
    const invitation_token_t *in = call->input;
    param_t child = bind_uuid(params->id), user = bind_uuid(call->principal.user);
    const open_invitation_t *invitation =
        row_or_404(call, db_query(call, &SQL_invitation_open, child, token_hash(call, in->token), user));
    if (!invitation->theirs)
        call_fail(call, ERROR_FORBIDDEN);
    if (!invitation->verified)
        call_fail(call, ERROR_INVALID_STATE);
    if (db_query(call, &SQL_consents_missing, user)->count > 0)
        consents_fail(call);
    db_query(call, &SQL_invitation_end, bind_uuid(invitation->id), child);
    call_tag(call, TAG_CHILD, params->id);
    call_tag(call, TAG_GUARDIAN, call->principal.user);
    reply_row(call, db_query(call, &SQL_guardian_insert, child, user));
}

/* Whoever holds the token may: it needs no account to say no. */
void guardian_decline(call_t *call)
{
    const id_params_t *params = call->params;
    const invitation_token_t *in = call->input;
    row_or_404(call, db_query(call, &SQL_invitation_decline, bind_uuid(params->id), token_hash(call, in->token)));
    reply_nothing(call);
}

/* --- invitations as guardians see them ---------------------------------------------------------------------------- */

void invitation_list(call_t *call)
{
    const id_params_t *params = call->params;
    row_or_404(call, db_query(call, &SQL_child_visible, bind_uuid(params->id), bind_uuid(call->principal.user),
        bind_boolean(false)));
    reply_rows(call, db_query(call, &SQL_invitations_of, bind_uuid(params->id)), NULL);
}

void invitation_withdraw(call_t *call)
{
    const invitation_params_t *params = call->params;
    owner_check(call, params->id);
    row_or_404(call, db_query(call, &SQL_invitation_end, bind_uuid(params->invitation_id), bind_uuid(params->id)));
    reply_nothing(call);
}

int64_t invitations_tidy(call_t *call)
{
    static int64_t next;
    int64_t now = clock_monotonic();
    if (now >= next) {
        db_query(call, &SQL_invitations_expire);
        db_query(call, &SQL_invitations_forget);
        next = now + TIDY_EVERY * CLOCK_MILLISECOND;
    }
    return TIDY_EVERY;
}
