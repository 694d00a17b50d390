/* oauth_rules: see oauth_rules.h. The one thing that must never happen is that an address alone, which anybody can write into an
 * account at some company, opens somebody's account here. */
#include "oauth_rules.h"
#include "crypto/hash.h"

enum { NAME_CHARACTERS = 50 };

enum oauth_step oauth_decide(const oauth_situation_t *now)
{
    if (now->linking)
        return !now->known ? OAUTH_LINK : now->own ? OAUTH_ENTER : OAUTH_OTHERS;
    if (now->known)
        return OAUTH_ENTER;
    if (!now->email)
        return OAUTH_NO_EMAIL;
    if (!now->taken)
        return OAUTH_CREATE;
    return now->verified && now->account_verified ? OAUTH_LINK : OAUTH_LINK_REQUIRED;
}

static text_t bytes_of(const digest_t *digest)
{
    return (text_t){.data = (const char *)digest->bytes, .length = sizeof(digest->bytes)};
}

bool oauth_verifier_matches(arena_t *arena, text_t verifier, text_t challenge)
{
    digest_t digest = hash_sha256(verifier);
    return secret_equal(base64url_encode(arena, bytes_of(&digest)), challenge);
}

bool oauth_challenge_valid(text_t challenge)
{
    uint8_t bytes[sizeof(digest_t)];
    size_t length;
    return base64url_decode_into(challenge, bytes, sizeof(bytes), &length) && length == sizeof(bytes);
}

text_t oauth_name(arena_t *arena, text_t name, text_t email)
{
    text_t from = text_trim(name), local = email, rest;
    if (from.length == 0 && text_split(&local, '@', &from))
        from = text_trim(from);
    rest = from;
    for (int i = 0; i < NAME_CHARACTERS && rest.length > 0; i++) {
        size_t size = text_utf8_next(rest);
        if (size == 0)
            break;
        rest.data += size;
        rest.length -= size;
    }
    from.length -= rest.length;
    return from.length > 0 ? arena_copy(arena, text_trim(from)) : TEXT("-");
}
