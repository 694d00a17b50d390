/* token: access tokens, JWT HS256 with a key id (RFC 7519), through libjwt. */
#pragma once
#include "../base/memory.h"
#include "../base/uuid.h"
#include "keys.h"

enum role { ROLE_NONE, ROLE_PARENT, ROLE_THERAPIST, ROLE_ADMIN, ROLES };
const char *role_name(enum role role);
/* ROLE_NONE for anything else. */
enum role role_of(text_t name);

typedef struct {
    uuid_t user, session;
    enum role role;
    int64_t issued;  /* microseconds; the claim iat has seconds, iat_us the rest that a revocation needs */
    int64_t expires; /* microseconds */
} token_t;

typedef struct {
    const key_ring_t *ring;
    const char *issuer, *audience; /* iss, aud */
} token_rules_t;

text_t token_sign(arena_t *, const token_rules_t *, const token_t *);
/* The algorithm is pinned to HS256, kid must name a key of the ring, exp, iss and aud must fit. On failure false and a
 * short reason for the log: "malformed", "algorithm", "key", "signature", "expired", "claims". */
bool token_verify(const token_rules_t *, text_t token, int64_t now, token_t *out, const char **reason);
