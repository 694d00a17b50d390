/* oauth_provider: the companies whose users may log in here, and how each is asked who somebody is. */
#pragma once
#include "actor/call.h"
#include "crypto/id_token.h"

typedef struct oauth_provider oauth_provider_t;

/* From the actor's start hook: transfers, and a warning for each provider that has a client id but no secret. */
void oauth_providers_start(call_t *);
/* By its name in the path; NULL: there is none, or it is not configured. */
const oauth_provider_t *oauth_provider_find(call_t *, text_t name);
const char *oauth_provider_name(const oauth_provider_t *);

/* One log-in's numbers, as they travel. */
typedef struct {
    text_t state, nonce, challenge, redirect_uri;
} oauth_request_t;
/* Where the user's browser is to go. */
text_t oauth_authorization_url(call_t *, const oauth_provider_t *, const oauth_request_t *);

typedef struct {
    text_t code, verifier, redirect_uri, nonce, state;
} oauth_code_t;
/* Exchanges the code and finds out who it is: ERROR_NONE with `out`, or what the client is told; the log has why. Waits for the
 * provider: no transaction may be open. An address that is none is dropped. */
enum error_code oauth_ask(call_t *, const oauth_provider_t *, const oauth_code_t *, id_token_t *out);
