/* export_link: the signature of a link to an export, which works for whoever has it, until it expires. Pure. */
#pragma once
#include "base/uuid.h"
#include "crypto/hash.h"

/* `expires`: seconds since 1970. */
text_t export_link_sign(arena_t *, const uint8_t key[static 32], uuid_t id, int64_t expires);
/* In constant time. */
bool export_link_is_signed(arena_t *, const uint8_t key[static 32], uuid_t id, int64_t expires, text_t signature);
