/* packed: is this one msgpack value whose containers can really hold what their headers say? msgpack-c reserves memory for an
 * array before it has seen its items: a few bytes could ask for gigabytes. */
#pragma once
#include "../base/text.h"

/* True when exactly one value, complete, fills the text. Depth is the unpacker's own limit. */
bool packed_is_sane(text_t packed);
