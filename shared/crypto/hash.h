/* hash: digests, random bytes, comparison in constant time, base64url, passwords. Over OpenSSL and libcrypt. */
#pragma once
#include "../base/memory.h"

typedef struct {
    uint8_t bytes[32];
} digest_t;

digest_t hash_sha256(text_t data);
/* Of the two, one behind the other. */
digest_t hash_sha256_joined(text_t first, text_t second);
digest_t hash_hmac(const uint8_t key[static 32], text_t data);
/* Cryptographically random; panics when the kernel has none. */
void random_bytes(void *out, size_t size);
/* In constant time for equal lengths. */
bool secret_equal(text_t a, text_t b);

/* Without padding (RFC 4648, section 5). */
text_t base64url_encode(arena_t *, text_t data);
/* false: a character that does not belong there, or a length or last character that no encoder writes. */
bool base64url_decode(arena_t *, text_t encoded, text_t *data);
/* Same, into `size` bytes at `out`; false as well when they do not suffice. */
bool base64url_decode_into(text_t encoded, void *out, size_t size, size_t *length);

/* Of a stored hash; -1 when it is none. */
int password_cost(text_t stored);
/* bcrypt "$2b$". 55 ms at cost 10: only in actors/passwords. `password` is 1 to 72 bytes without NUL. */
text_t password_hash(arena_t *, text_t password, int cost);
/* Constant time in the comparison. An empty `stored` still takes the time of a hash and gives false, so that an unknown
 * e-mail address cannot be told by the clock; a wrong password takes that time also against a hash of a lower cost. */
bool password_matches(text_t password, text_t stored, int cost);
