/* auth: who sent a request: the access token of its Authorization header, behind a cache of verified tokens. */
#pragma once
#include "base/config.h"
#include "crypto/token.h"
#include "shm/segment.h"

enum auth_result {
    AUTH_OK,
    AUTH_ABSENT,  /* no Authorization header */
    AUTH_REFUSED, /* there was one, and it proves nothing */
};

/* Takes the secret jwt_keys; exits when that is no ring of keys. */
void auth_open(segment_t *, const config_t *);
/* The same of a token that came in another way. */
bool auth_check_token(text_t token, int64_t now, token_t *out, const char **reason);
/* `authorization` is the header's value (data NULL: absent); `now` is clock_now(). On AUTH_REFUSED *reason is a short word for
 * the log. A revocation works on the next call. */
enum auth_result auth_check(text_t authorization, int64_t now, token_t *out, const char **reason);
