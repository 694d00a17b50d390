/* service_token: the token by which a server of ours is known to another company's, signed by the key that the company gave: FCM's and
 * APNs', and what Apple takes as a client's secret (developer.apple.com, "Creating a client secret"). */
#pragma once
#include "../base/memory.h"

typedef struct {
    bool rs256;         /* else ES256 */
    const char *key_id; /* kid; NULL: without. So are the next ones */
    const char *issuer, *subject, *audience, *scope;
    int64_t issued, expires; /* microseconds since 1970; expires 0: without */
} service_token_t;

/* `key`: the PEM text of the private key. data NULL when it is none. A millisecond and more: callers keep what it gives. */
text_t service_token_make(arena_t *, const service_token_t *, text_t key);
