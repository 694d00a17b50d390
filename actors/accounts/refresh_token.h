/* refresh_token: the opaque token that a session's next access token is asked with (product.md, section 3),
 * and the CSRF token that goes with its cookie form. Pure: no I/O, no clock. */
#pragma once
#include "crypto/hash.h"
#include "base/uuid.h"

typedef struct {
    uuid_t session;
    uint32_t rotation; /* how often the session's token had been exchanged when this one was given */
} refresh_token_t;

enum { REFRESH_NONCE = 16, REFRESH_MAC = 16, REFRESH_BYTES = 16 + 4 + REFRESH_NONCE + REFRESH_MAC };

/* base64url of session, rotation (big endian), nonce and MAC. */
text_t refresh_token_build(
    arena_t *, const uint8_t key[static 32], refresh_token_t, const uint8_t nonce[static REFRESH_NONCE]);
/* false: not one of ours. True says only that we made it once: whether it is the newest is refresh_judge's
 * question. */
bool refresh_token_read(arena_t *, const uint8_t key[static 32], text_t token, refresh_token_t *out);
/* What is kept of a token: its SHA-256. `token` must have been read or built. */
digest_t refresh_token_digest(arena_t *, text_t token);

/* The session as it is stored. */
typedef struct {
    int64_t rotation, expires_at; /* microseconds since 1970 */
    text_t digest;                /* of its newest token */
    bool revoked, user_active;
} refresh_family_t;

enum refresh_verdict {
    REFRESH_CURRENT, /* exchange it */
    REFRESH_SPENT,   /* a copy is about: revoke the family */
    REFRESH_REFUSED, /* expired, revoked, of a user who may not log in, or of a later state than the stored
                        one */
};
/* `token` and its digest are authentic and of this family. */
enum refresh_verdict refresh_judge(
    refresh_token_t token, digest_t digest, const refresh_family_t *, int64_t now);

/* Bound to the session, not to the rotation: a browser keeps it beside a cookie that it cannot read. */
text_t csrf_token_build(arena_t *, const uint8_t key[static 32], uuid_t session);
bool csrf_token_matches(arena_t *, const uint8_t key[static 32], uuid_t session, text_t shown);
