/* mails: what users are told by mail, and the tokens that travel in them. A token is 32 random bytes in base64url; what is
 * kept of it is its SHA-256, so that a stolen table is worth no token. */
#pragma once
#include "messages.h"
#include "actor/events.h"
#include "crypto/hash.h"

enum { MAIL_TOKEN_BYTES = 32 };

typedef struct {
    text_t text;
    digest_t digest;
} mail_token_t;

mail_token_t mail_token_new(arena_t *);
/* Of a token that a client shows; false: it is none of ours in any case. */
bool mail_token_digest(arena_t *, text_t token, digest_t *out);

/* Event mail.requested, in the call's transaction. `value` goes into the template under `name`; the mail is not sent after
 * `not_after` (0: whenever). */
void mail_emit(call_t *, enum mail_template, const mailbox_t *, const char *name, text_t value, int64_t not_after);
