/* refresh_token: see refresh_token.h. The MAC makes a forged token worth no query and no change; the kept
 * digest makes a stolen table worth no token. One key serves both kinds of tokens: a word at the head of what
 * is authenticated keeps them apart. */
#include "refresh_token.h"

enum { SIGNED = REFRESH_BYTES - REFRESH_MAC };

static digest_t mac_of(const uint8_t key[static 32], const char *purpose, const uint8_t *data, size_t length)
{
    char message[64];
    size_t head = strlen(purpose) + 1;
    _Static_assert(SIGNED + sizeof("refresh") <= sizeof(message), "purpose and token fit");
    memcpy(message, purpose, head);
    memcpy(message + head, data, length);
    return hash_hmac(key, (text_t){.data = message, .length = head + length});
}

static text_t bytes_text(const void *bytes, size_t length)
{
    return (text_t){.data = bytes, .length = length};
}

text_t refresh_token_build(arena_t *arena, const uint8_t key[static 32], refresh_token_t token,
    const uint8_t nonce[static REFRESH_NONCE])
{
    uint8_t bytes[REFRESH_BYTES];
    memcpy(bytes, token.session.bytes, 16);
    for (int i = 0; i < 4; i++)
        bytes[16 + i] = (uint8_t)(token.rotation >> (24 - 8 * i));
    memcpy(bytes + 20, nonce, REFRESH_NONCE);
    digest_t mac = mac_of(key, "refresh", bytes, SIGNED);
    memcpy(bytes + SIGNED, mac.bytes, REFRESH_MAC);
    return base64url_encode(arena, bytes_text(bytes, sizeof(bytes)));
}

bool refresh_token_read(arena_t *arena, const uint8_t key[static 32], text_t token, refresh_token_t *out)
{
    text_t decoded;
    if (!base64url_decode(arena, token, &decoded) || decoded.length != REFRESH_BYTES)
        return false;
    const uint8_t *bytes = (const uint8_t *)decoded.data;
    digest_t mac = mac_of(key, "refresh", bytes, SIGNED);
    if (!secret_equal(bytes_text(mac.bytes, REFRESH_MAC), bytes_text(bytes + SIGNED, REFRESH_MAC)))
        return false;
    memcpy(out->session.bytes, bytes, 16);
    out->rotation = 0;
    for (int i = 0; i < 4; i++)
        out->rotation = out->rotation << 8 | bytes[16 + i];
    return true;
}

/* Of the bytes, so that nothing hangs on how they were written. */
digest_t refresh_token_digest(arena_t *arena, text_t token)
{
    text_t decoded = {0};
    base64url_decode(arena, token, &decoded);
    return hash_sha256(decoded);
}

enum refresh_verdict refresh_judge(
    refresh_token_t token, digest_t digest, const refresh_family_t *family, int64_t now)
{
    if (family->revoked)
        return REFRESH_REFUSED;
    if (token.rotation < family->rotation)
        return REFRESH_SPENT; /* also after its expiry: whoever shows it has a copy of what lived on */
    if (token.rotation > family->rotation ||
        !secret_equal(bytes_text(digest.bytes, sizeof(digest.bytes)), family->digest))
        return REFRESH_REFUSED;
    return now < family->expires_at && family->user_active ? REFRESH_CURRENT : REFRESH_REFUSED;
}

text_t csrf_token_build(arena_t *arena, const uint8_t key[static 32], uuid_t session)
{
    digest_t mac = mac_of(key, "csrf", session.bytes, sizeof(session.bytes));
    return base64url_encode(arena, bytes_text(mac.bytes, sizeof(mac.bytes)));
}

bool csrf_token_matches(arena_t *arena, const uint8_t key[static 32], uuid_t session, text_t shown)
{
    return shown.data != NULL && secret_equal(csrf_token_build(arena, key, session), shown);
}
