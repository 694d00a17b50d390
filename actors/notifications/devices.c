/* devices: where a user's pushes go: browsers by their subscription, apps by the token that FCM or APNs gave them.
 *
 * What always holds: a device belongs to one user, whoever registered it last; what was on its way to the one before is not sent any
 * more. Tokens and keys are sealed, found by a digest, and shown to nobody but their user's export. */
#include "push.h"
#include "../../shared/crypto/hash.h"
#include "../../shared/crypto/web_push.h"
#include <ctype.h>

/* The bytes of base64url or base64 with its padding, as browsers differ. data NULL: it is neither. */
static text_t bytes_of(call_t *call, text_t encoded)
{
    text_t plain = {0};
    char *copy = arena_string(call->arena, encoded);
    size_t length = encoded.length;
    for (; length > 0 && copy[length - 1] == '='; length--)
        ;
    for (size_t i = 0; i < length; i++)
        copy[i] = copy[i] == '+' ? '-' : copy[i] == '/' ? '_' : copy[i];
    return base64url_decode(call->arena, (text_t){copy, length}, &plain) ? plain : (text_t){0};
}

static bool is_hex(text_t text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!isxdigit((unsigned char)text.data[i]))
            return false;
    return true;
}

static void keys_check(call_t *call, const device_create_t *in)
{
    if (in->platform == PLATFORM_APNS && !is_hex(in->token)) /* it becomes part of an address */
        call_fail_field(call, ERROR_VALIDATION, "token", PROBLEM_FORMAT);
    if (in->platform != PLATFORM_WEB) {
        if (message_has(in, keys))
            call_fail_field(call, ERROR_VALIDATION, "keys", PROBLEM_UNKNOWN);
        return;
    }
    if (!message_has(in, keys))
        call_fail_field(call, ERROR_VALIDATION, "keys", PROBLEM_REQUIRED);
    const device_keys_t *keys = in->keys;
    if (!push_endpoint_allowed(call, in->token))
        call_fail_field(call, ERROR_VALIDATION, "token", PROBLEM_FORMAT);
    if (!web_push_point(bytes_of(call, keys->p256dh)))
        call_fail_field(call, ERROR_VALIDATION, "keys.p256dh", PROBLEM_FORMAT);
    if (bytes_of(call, keys->auth).length != WEB_PUSH_AUTH)
        call_fail_field(call, ERROR_VALIDATION, "keys.auth", PROBLEM_FORMAT);
}

/* Kept as base64url without padding, which is a text. */
static text_t key_text(call_t *call, text_t encoded)
{
    return base64url_encode(call->arena, bytes_of(call, encoded));
}

static param_t digest_of(call_t *call, const device_create_t *in)
{
    digest_t digest = hash_sha256(arena_format(call->arena, "%s %.*s", platforms[in->platform], TEXT_ARG(in->token)));
    return bind_bytes(arena_copy(call->arena, (text_t){(const char *)digest.bytes, sizeof digest.bytes}));
}

void device_create(call_t *call)
{
    const device_create_t *in = call->input;
    const device_keys_t *keys = message_has(in, keys) ? in->keys : NULL;
    keys_check(call, in);
    db_on_violation(call, "devices_token_key", ERROR_CONFLICT); /* registered twice at this moment */
    param_t digest = digest_of(call, in), user = bind_uuid(call->principal.user);
    const device_owner_t *owner = row_first(call, db_query(call, &SQL_device_find, digest));
    uuid_t id = owner != NULL ? owner->id : uuid_new();
    if (owner != NULL && !uuid_equal(owner->user_id, call->principal.user))
        db_send(call, &SQL_device_forget_pushes, bind_uuid(id));
    const rows_t *rows = db_query(call, &SQL_device_set, bind_uuid(id), user, BIND(device_create, in, platform),
        bind_sealed(call, "notifications.devices", "token", id, in->token), digest,
        bind_sealed(call, "notifications.devices", "p256dh", id, keys ? key_text(call, keys->p256dh) : (text_t){0}),
        bind_sealed(call, "notifications.devices", "auth", id, keys ? key_text(call, keys->auth) : (text_t){0}),
        BIND(device_create, in, name), bind_text(push_service_of(call, (enum platform)in->platform, in->token)));
    db_send(call, &SQL_devices_trim, user, bind_integer(call_config(call)->notifications.max_devices));
    reply_row(call, rows);
}

void devices_list(call_t *call)
{
    reply_rows(call, db_query(call, &SQL_devices_of, bind_uuid(call->principal.user)), NULL);
}

void device_delete(call_t *call)
{
    const id_params_t *params = call->params;
    row_or_404(call, db_query(call, &SQL_device_delete, bind_uuid(params->id), bind_uuid(call->principal.user)));
    reply_nothing(call);
}

void push_key_get(call_t *call)
{
    push_public_t answer = {0};
    message_set(&answer, public_key, push_public_key(call));
    reply_value(call, &answer);
}
