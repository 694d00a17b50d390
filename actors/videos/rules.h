/* rules: what the founding document leaves to sense about a video's links. Pure. */
#pragma once
#include "../../shared/base/text.h"

/* An absolute https URL with a host. */
bool link_is_sound(text_t url);
/* One iframe element with an https source and nothing else: what is embedded runs in the pages of our clients. */
bool embed_is_sound(text_t code);
