/* token: the way into libjwt is narrow, because libjwt itself accepts what a caller forgets to forbid: a
 * missing key means alg=none, the token's own header picks the algorithm, exp is not looked at. So the header
 * is read here first and strictly; libjwt then checks the signature with a key that is always there; and the
 * claims are taken with their types. */
#include "token.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "hash.h"
#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <stdlib.h>

enum { TOKEN_MAX = 2048, HEADER_MAX = 256 };

/* Seconds of the year 9999: beyond it a time does not fit our text form, nor its microseconds safely into
 * int64. */
#define SECONDS_MAX INT64_C(253402300799)

static const char *const role_names[ROLES] = {
    [ROLE_NONE] = "none", [ROLE_PARENT] = "parent", [ROLE_THERAPIST] = "therapist", [ROLE_ADMIN] = "admin"};

const char *role_name(enum role role)
{
    insist((unsigned)role < ROLES);
    return role_names[role];
}

enum role role_of(text_t name)
{
    for (int i = ROLE_NONE + 1; i < ROLES; i++)
        if (text_equal(name, text_of(role_names[i])))
            return (enum role)i;
    return ROLE_NONE;
}

static void claim_uuid(jwt_t *jwt, const char *claim, uuid_t id, int *failed)
{
    char value[UUID_TEXT_SIZE];
    uuid_format(id, value);
    *failed |= jwt_add_grant(jwt, claim, value);
}

text_t token_sign(arena_t *arena, const token_rules_t *rules, const token_t *token)
{
    insist(rules->ring->count > 0 && token->role > ROLE_NONE && token->role < ROLES);
    const ring_key_t *key = &rules->ring->keys[0];
    jwt_t *jwt = NULL;
    int failed = jwt_new(&jwt);

    failed |= jwt_set_alg(jwt, JWT_ALG_HS256, key->key, KEY_BYTES);
    failed |= jwt_add_header(jwt, "kid", key->id);
    failed |= jwt_add_grant(jwt, "iss", rules->issuer);
    failed |= jwt_add_grant(jwt, "aud", rules->audience);
    failed |= jwt_add_grant(jwt, "role", role_name(token->role));
    failed |= jwt_add_grant_int(jwt, "iat", (long)(token->issued / CLOCK_SECOND));
    failed |= jwt_add_grant_int(jwt, "iat_us", (long)(token->issued % CLOCK_SECOND));
    failed |= jwt_add_grant_int(jwt, "exp", (long)((token->expires + CLOCK_SECOND - 1) / CLOCK_SECOND));
    claim_uuid(jwt, "sub", token->user, &failed);
    claim_uuid(jwt, "sid", token->session, &failed);
    char *encoded = failed ? NULL : jwt_encode_str(jwt);
    if (encoded == NULL)
        panic("libjwt could not sign a token");
    text_t signed_token = arena_copy(arena, text_of(encoded));
    free(encoded);
    jwt_free(jwt);
    return signed_token;
}

/* The header's key in the ring; NULL with a reason. Only {"alg":"HS256","kid":…} with or without "typ":"JWT"
 * is one. */
static const ring_key_t *header_read(const key_ring_t *ring, text_t segment, const char **reason)
{
    char bytes[HEADER_MAX];
    const char *algorithm = "", *kid = "", *type = "JWT";
    size_t length;

    *reason = "malformed";
    if (!base64url_decode_into(segment, bytes, sizeof(bytes), &length))
        return NULL;
    json_t *header = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, NULL);
    if (header == NULL)
        return NULL;
    const ring_key_t *key = NULL;
    /* Strict: a header that says more ("crit", "jku", "jwk") was not made here. */
    if (json_unpack(header, "{s:s, s?:s, s?:s !}", "alg", &algorithm, "typ", &type, "kid", &kid) == 0)
        *reason = NULL;
    if (*reason == NULL && strcmp(algorithm, "HS256") != 0)
        *reason = "algorithm";
    if (*reason == NULL && strcmp(type, "JWT") != 0)
        *reason = "malformed";
    if (*reason == NULL && (key = key_ring_find(ring, text_of(kid))) == NULL)
        *reason = "key";
    json_decref(header);
    return key;
}

/* Splits at the points into three parts that are not empty and of base64url's letters only. */
static bool segments_read(text_t token, text_t *header)
{
    char bytes[TOKEN_MAX];
    size_t length;
    text_t rest = token, part;
    int count = 0;

    while (text_split(&rest, '.', &part)) {
        if (part.length == 0 || !base64url_decode_into(part, bytes, sizeof(bytes), &length))
            return false;
        if (count++ == 0)
            *header = part;
    }
    return count == 3;
}

/* A claim that must be a string and equal. */
static bool claim_is(jwt_t *jwt, const char *claim, const char *wanted)
{
    const char *value = jwt_get_grant(jwt, claim);
    return value != NULL && strcmp(value, wanted) == 0;
}

/* libjwt tells "missing" and "of another type" only by errno. */
static bool claim_int(jwt_t *jwt, const char *claim, int64_t most, int64_t *out)
{
    errno = 0;
    *out = jwt_get_grant_int(jwt, claim);
    return errno == 0 && *out >= 0 && *out <= most;
}

static bool claims_read(jwt_t *jwt, const token_rules_t *rules, token_t *out)
{
    int64_t issued, microseconds, expires;

    if (!claim_is(jwt, "iss", rules->issuer) || !claim_is(jwt, "aud", rules->audience))
        return false;
    if (uuid_parse(text_of(jwt_get_grant(jwt, "sub")), &out->user) != 0 ||
        uuid_parse(text_of(jwt_get_grant(jwt, "sid")), &out->session) != 0)
        return false;
    out->role = role_of(text_of(jwt_get_grant(jwt, "role")));
    if (out->role == ROLE_NONE || !claim_int(jwt, "iat", SECONDS_MAX, &issued) ||
        !claim_int(jwt, "iat_us", CLOCK_SECOND - 1, &microseconds) ||
        !claim_int(jwt, "exp", SECONDS_MAX, &expires))
        return false;
    out->issued = issued * CLOCK_SECOND + microseconds;
    out->expires = expires * CLOCK_SECOND;
    return out->expires > out->issued;
}

bool token_verify(const token_rules_t *rules, text_t token, int64_t now, token_t *out, const char **reason)
{
    char copy[TOKEN_MAX + 1];
    text_t header;
    token_t read = {.role = ROLE_NONE};
    jwt_t *jwt = NULL;

    *reason = "malformed";
    if (token.length == 0 || token.length > TOKEN_MAX || !segments_read(token, &header))
        return false;
    const ring_key_t *key = header_read(rules->ring, header, reason);
    if (key == NULL)
        return false;
    memcpy(copy, token.data, token.length);
    copy[token.length] = '\0';
    if (jwt_decode(&jwt, copy, key->key, KEY_BYTES) != 0) {
        *reason = "signature";
        return false;
    }
    if (jwt_get_alg(jwt) != JWT_ALG_HS256)
        *reason = "algorithm";
    else if (!claims_read(jwt, rules, &read))
        *reason = "claims";
    else if (now >= read.expires)
        *reason = "expired";
    else
        *reason = NULL;
    jwt_free(jwt);
    if (*reason != NULL)
        return false;
    *out = read;
    return true;
}
