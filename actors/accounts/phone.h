/* phone: numbers are kept as they were typed and found by their digits. Pure. */
#pragma once
#include "crypto/hash.h"

/* What two spellings of one number have in common: "+82 10-1234-5678", "+82 (0)10…" and "010 1234 5678" give
 * "01012345678"; numbers of other countries keep their plus sign. Empty when the text holds no digit. */
text_t phone_normalise(arena_t *, text_t phone);
/* The key of the index: HMAC-SHA256 of the normalised number, so that the table does not give away who called
 * in. */
digest_t phone_index(arena_t *, const uint8_t key[static 32], text_t phone);
