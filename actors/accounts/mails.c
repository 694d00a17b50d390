/* mails: see mails.h. */
#include "mails.h"

mail_token_t mail_token_new(arena_t *arena)
{
    char bytes[MAIL_TOKEN_BYTES];
    random_bytes(bytes, sizeof(bytes));
    text_t random = {.data = bytes, .length = sizeof(bytes)};
    return (mail_token_t){.text = base64url_encode(arena, random), .digest = hash_sha256(random)};
}

bool mail_token_digest(arena_t *arena, text_t token, digest_t *out)
{
    text_t bytes;
    if (!base64url_decode(arena, token, &bytes) || bytes.length != MAIL_TOKEN_BYTES)
        return false;
    *out = hash_sha256(bytes);
    return true;
}

void mail_emit(
    call_t *call, enum mail_template template, const mailbox_t *to, const char *name, text_t value, int64_t not_after)
{
    mail_field_t field = {0};
    message_set(&field, name, text_of(name));
    message_set(&field, value, value);
    mail_requested_t mail = {0};
    message_set(&mail, template, (int)template);
    message_set(&mail, user, to->id);
    message_set(&mail, to, to->email);
    message_set(&mail, name, to->name);
    message_set(&mail, language, to->language);
    message_set(&mail, fields, (list_t){.items = &field, .count = 1});
    if (not_after)
        message_set(&mail, not_after, not_after);
    event_emit(call, "mail.requested", to->id, &mail_requested_message, &mail);
}
