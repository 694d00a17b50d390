/* client_secret: see the header. Half a millisecond of this process's time (measured.md), so callers keep what it gives. */
#include "client_secret.h"
#include "../base/clock.h"
#include <jwt.h>
#include <stdlib.h>

text_t client_secret_make(arena_t *arena, const client_secret_t *what, text_t key)
{
    jwt_t *jwt = NULL;
    if (key.length == 0)
        return (text_t){0};
    int failed = jwt_new(&jwt);
    failed |= jwt_set_alg(jwt, JWT_ALG_ES256, (const unsigned char *)key.data, (int)key.length);
    failed |= jwt_add_header(jwt, "kid", what->key_id);
    failed |= jwt_add_grant(jwt, "iss", what->team);
    failed |= jwt_add_grant(jwt, "sub", what->client);
    failed |= jwt_add_grant(jwt, "aud", what->audience);
    failed |= jwt_add_grant_int(jwt, "iat", (long)(what->issued / CLOCK_SECOND));
    failed |= jwt_add_grant_int(jwt, "exp", (long)(what->expires / CLOCK_SECOND));
    char *encoded = failed ? NULL : jwt_encode_str(jwt);
    text_t made = encoded != NULL ? arena_copy(arena, text_of(encoded)) : (text_t){0};
    free(encoded);
    jwt_free(jwt);
    return made;
}
