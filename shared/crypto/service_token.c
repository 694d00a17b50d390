/* service_token: see the header. */
#include "service_token.h"
#include "../base/clock.h"
#include <jwt.h>
#include <stdlib.h>

static int grant(jwt_t *jwt, const char *name, const char *value)
{
    return value != NULL ? jwt_add_grant(jwt, name, value) : 0;
}

text_t service_token_make(arena_t *arena, const service_token_t *what, text_t key)
{
    jwt_t *jwt = NULL;
    if (key.length == 0)
        return (text_t){0};
    int failed = jwt_new(&jwt);
    failed |= jwt_set_alg(jwt, what->rs256 ? JWT_ALG_RS256 : JWT_ALG_ES256, (const unsigned char *)key.data, (int)key.length);
    if (what->key_id != NULL)
        failed |= jwt_add_header(jwt, "kid", what->key_id);
    failed |= grant(jwt, "iss", what->issuer) | grant(jwt, "sub", what->subject) | grant(jwt, "aud", what->audience) |
              grant(jwt, "scope", what->scope);
    failed |= jwt_add_grant_int(jwt, "iat", (long)(what->issued / CLOCK_SECOND));
    if (what->expires != 0)
        failed |= jwt_add_grant_int(jwt, "exp", (long)(what->expires / CLOCK_SECOND));
    char *encoded = failed ? NULL : jwt_encode_str(jwt);
    text_t made = encoded != NULL ? arena_copy(arena, text_of(encoded)) : (text_t){0};
    free(encoded);
    jwt_free(jwt);
    return made;
}
