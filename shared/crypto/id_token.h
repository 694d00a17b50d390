/* id_token: who logged in, as another company signs it (OpenID Connect Core 1.0, section 3.1.3.7). Pure: no I/O, no clock. */
#pragma once
#include "jwks.h"

enum {
    ID_TOKEN_MAX = 16 * 1024,
    SUBJECT_MAX = 255 /* OpenID Connect Core, section 2 */,
    EMAIL_MAX = 254,
    NAME_MAX = 200
};

typedef struct {
    const char *issuer, *audience; /* exactly; the audience is our client id there */
    text_t nonce;
    int64_t now; /* microseconds since 1970 */
} id_token_rules_t;

typedef struct {
    text_t subject;     /* never empty */
    text_t email, name; /* data NULL: not told */
    bool email_verified;
} id_token_t;

/* NULL when it is good; otherwise what is wrong, in a word for the log: malformed, algorithm, key (no such key in the set: it may
 * be newer than the set), signature, issuer, audience, expired, issued, nonce, subject. The texts of `out` are in the arena. */
const char *id_token_verify(arena_t *, const jwks_t *set, const id_token_rules_t *, text_t token, id_token_t *out);
