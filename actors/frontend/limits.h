/* limits: request rates per client (product.md, section 9): every request of an address (realtime polls apart), log-ins of an
 * address and into an account, uploads of a user, mails that a user asks for. Counted in shared memory by
 * shm/rate.h, by all frontends together. */
#pragma once
#include "actor/route.h"
#include "address.h"
#include "base/config.h"
#include "shm/rate.h"

/* What was counted for one request; the tightest result is what its answer tells. */
typedef struct {
    rate_result_t tightest;
    bool counted;
} limits_t;

void limits_open(segment_t *, const config_t *);
/* Each counts once and is false when the request must be refused (429). */
bool limits_address(limits_t *, enum rate_class, address_t client, int64_t now);
bool limits_account(limits_t *, text_t account, int64_t now);
/* Passwords that somebody who is logged in tries on their own account: like logins into it. */
bool limits_password(limits_t *, uuid_t user, int64_t now);
bool limits_upload(limits_t *, uuid_t user, int64_t now);
bool limits_mail(limits_t *, uuid_t user, int64_t now);
