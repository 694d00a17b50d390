/* rules: what the founding document leaves to sense: a video's links, who is one viewer. Pure. */
#pragma once
#include "../../shared/base/memory.h"

/* An absolute https URL with a host. */
bool link_is_sound(text_t url);
/* What an answer says of a link. UNTOLD: nothing, another day it will. REFUSED: that its host has had enough of who asks, or has troubles of
 * its own; nothing of the video. FORBIDDEN: that nobody may see it, or that we may not. */
enum link_state { LINK_ALIVE, LINK_FAILED, LINK_FORBIDDEN, LINK_REFUSED, LINK_UNTOLD };
/* status 0: there was no answer. */
enum link_state link_state_of(int status);
/* One iframe element with an https source and nothing else: what is embedded runs in the pages of our clients. */
bool embed_is_sound(text_t code);
/* What of a client's address tells one viewer from another, as text: an IPv4 address, or the /64 of an IPv6 one, which is a home's. */
text_t viewer_address(arena_t *, text_t address);
