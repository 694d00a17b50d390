/* jwks: the public keys that another company signs with (RFC 7517): RSA for RS256 and P-256 for ES256, each good for that one
 * algorithm only, whatever a token's header says. Other keys of a set are passed over. Pure: fetching is the caller's. */
#pragma once
#include "../base/memory.h"

enum { JWKS_KEYS_MAX = 32, JWKS_ID_MAX = 128 };

typedef struct jwks jwks_t;
typedef struct jwks_key jwks_key_t;

/* NULL: no set of keys at all. One without a key that we can use is a set, too. */
jwks_t *jwks_read(text_t json);
void jwks_destroy(jwks_t **);
int jwks_count(const jwks_t *);
/* NULL when no key has this id. `set` may be NULL. */
const jwks_key_t *jwks_find(const jwks_t *set, text_t id);
/* "RS256" or "ES256". */
const char *jwks_algorithm(const jwks_key_t *);
/* Is it this key's signature, in the form of RFC 7518, of these bytes? */
bool jwks_verify(const jwks_key_t *, text_t signed_bytes, text_t signature);
