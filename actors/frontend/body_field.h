/* body_field: looks one string up in a msgpack map without unpacking the rest of it. */
#pragma once
#include "base/text.h"

/* The string value of `name` in a msgpack map; data NULL when it is not there, is no string, or `map` is no
 * map. Of equal names the first counts (json_to_msgpack refuses duplicates). */
text_t body_string(text_t map, text_t name);
