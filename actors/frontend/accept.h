/* accept: what a request says of the forms it takes (RFC 9110, 12.5.3) and has already (RFC 9110, 13.1.2). Rules only. */
#pragma once
#include "shm/cache.h"

/* CACHE_ACCEPT_… of the forms that may be sent, given that each is best in what remains: of two with different q-values only
 * the better one. Identity is always among them, since it always exists, and there is nothing else to send to who refuses all. */
unsigned accept_forms(text_t accept_encoding);
/* Does an If-None-Match list this ETag (quotes included), or "*"? Compared weakly. */
bool accept_has(text_t if_none_match, text_t etag);
