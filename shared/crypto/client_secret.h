/* client_secret: what Apple takes as a client's secret: a token that the client signs itself, by ES256, with the key it was given
 * (developer.apple.com, "Creating a client secret"). */
#pragma once
#include "../base/memory.h"

typedef struct {
    const char *team, *key_id, *client, *audience;
    int64_t issued, expires; /* microseconds since 1970; Apple refuses more than six months between them */
} client_secret_t;

/* `key`: the PEM text of a P-256 private key. data NULL when it is none. */
text_t client_secret_make(arena_t *, const client_secret_t *, text_t key);
