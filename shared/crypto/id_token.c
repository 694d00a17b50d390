/* id_token: see the header. The order is: form, key, algorithm, signature, and only then what the token says. The key's own
 * algorithm is the only one that is tried: "none", and HS256 with a public key as its secret, fail before any signature is
 * looked at. */
#include "id_token.h"
#include "../base/clock.h"
#include "foreign.h"
#include "hash.h"

enum { SKEW_SECONDS = 60 /* another company's clock */ };

typedef struct {
    text_t header, claims, signature; /* decoded */
    text_t signed_bytes;
} parts_t;

static bool parts_read(arena_t *arena, text_t token, parts_t *out)
{
    text_t rest = token, part, *decoded[] = {&out->header, &out->claims, &out->signature};
    size_t count = 0;
    if (token.data == NULL || token.length == 0 || token.length > ID_TOKEN_MAX)
        return false;
    while (text_split(&rest, '.', &part)) {
        if (count == ARRAY_SIZE(decoded) || !base64url_decode(arena, part, decoded[count]))
            return false;
        if (count++ == 1)
            out->signed_bytes = (text_t){token.data, (size_t)(part.data + part.length - token.data)};
    }
    return count == ARRAY_SIZE(decoded);
}

/* The key that the header names, with the algorithm that is this key's own; NULL with a reason. A header with "crit" asks for what
 * we do not know (RFC 7515, section 4.1.11). */
static const jwks_key_t *header_key(arena_t *arena, const jwks_t *set, text_t header, const char **reason)
{
    foreign_t *json = foreign_read(header);
    *reason = "malformed";
    if (json == NULL)
        return NULL;
    text_t algorithm = foreign_text(arena, json, "alg", 16), id = foreign_text(arena, json, "kid", JWKS_ID_MAX);
    bool critical = foreign_has(json, "crit");
    foreign_free(&json);
    if (algorithm.data == NULL || critical)
        return NULL;
    bool known = text_equal(algorithm, TEXT("RS256")) || text_equal(algorithm, TEXT("ES256"));
    const jwks_key_t *key = id.data != NULL ? jwks_find(set, id) : NULL;
    if (!known || (key != NULL && !text_equal(algorithm, text_of(jwks_algorithm(key))))) {
        *reason = "algorithm";
        return NULL;
    }
    *reason = "key";
    return key;
}

/* A token for several audiences must name us as the party it was given to (OpenID Connect Core, section 3.1.3.7, 3 to 5). */
static bool audience_right(arena_t *arena, const foreign_t *claims, const char *audience)
{
    size_t count;
    if (!foreign_names(claims, "aud", audience, &count))
        return false;
    if (count == 1 && !foreign_has(claims, "azp"))
        return true;
    return text_equal(foreign_text(arena, claims, "azp", SUBJECT_MAX), text_of(audience));
}

static const char *times_check(const foreign_t *claims, int64_t now)
{
    int64_t expires, issued, not_before, seconds = now / CLOCK_SECOND;
    if (!foreign_integer(claims, "exp", &expires) || expires <= seconds)
        return "expired";
    if (!foreign_integer(claims, "iat", &issued) || issued > seconds + SKEW_SECONDS || issued >= expires)
        return "issued";
    if (foreign_has(claims, "nbf") &&
        (!foreign_integer(claims, "nbf", &not_before) || not_before > seconds + SKEW_SECONDS))
        return "issued";
    return NULL;
}

static const char *claims_check(arena_t *arena, const foreign_t *claims, const id_token_rules_t *rules, id_token_t *out)
{
    if (!text_equal(foreign_text(arena, claims, "iss", 512), text_of(rules->issuer)))
        return "issuer";
    if (!audience_right(arena, claims, rules->audience))
        return "audience";
    const char *reason = times_check(claims, rules->now);
    if (reason != NULL)
        return reason;
    text_t nonce = foreign_text(arena, claims, "nonce", 128);
    if (nonce.data == NULL || !secret_equal(nonce, rules->nonce))
        return "nonce";
    out->subject = foreign_text(arena, claims, "sub", SUBJECT_MAX);
    out->email = foreign_text(arena, claims, "email", EMAIL_MAX);
    out->email_verified = out->email.data != NULL && foreign_true(claims, "email_verified");
    out->name = foreign_text(arena, claims, "name", NAME_MAX);
    return out->subject.data != NULL ? NULL : "subject";
}

const char *id_token_verify(
    arena_t *arena, const jwks_t *set, const id_token_rules_t *rules, text_t token, id_token_t *out)
{
    parts_t parts;
    const char *reason;
    *out = (id_token_t){.email_verified = false};
    if (!parts_read(arena, token, &parts))
        return "malformed";
    const jwks_key_t *key = header_key(arena, set, parts.header, &reason);
    if (key == NULL)
        return reason;
    if (!jwks_verify(key, parts.signed_bytes, parts.signature))
        return "signature";
    foreign_t *claims = foreign_read(parts.claims);
    if (claims == NULL)
        return "malformed";
    reason = claims_check(arena, claims, rules, out);
    foreign_free(&claims);
    return reason;
}
