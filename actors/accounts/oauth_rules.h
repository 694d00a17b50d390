/* oauth_rules: what follows from a log-in by another company (product.md, section 3). Pure. */
#pragma once
#include "base/memory.h"

typedef struct {
    bool known;            /* the identity belongs to an account */
    bool linking;          /* somebody who is logged in wants it linked to their account */
    bool own;              /* known, and it is the account of whoever is logged in */
    bool email, verified;  /* the provider told an address, and that it has verified it */
    bool taken;            /* an account has that address */
    bool account_verified; /* that account is active and has verified it, too */
} oauth_situation_t;

enum oauth_step {
    OAUTH_ENTER,         /* into the account that the identity belongs to */
    OAUTH_LINK,          /* the identity joins the account: the one that is logged in, or the one with the address */
    OAUTH_CREATE,        /* a new account */
    OAUTH_LINK_REQUIRED, /* only whoever can log in to the account may link it */
    OAUTH_OTHERS,        /* it belongs to another account */
    OAUTH_NO_EMAIL,      /* an account needs an address */
};
enum oauth_step oauth_decide(const oauth_situation_t *);

/* Is this the verifier of the challenge (RFC 7636, section 4.6, S256)? In constant time. */
bool oauth_verifier_matches(arena_t *, text_t verifier, text_t challenge);
/* 43 characters of base64url, as a SHA-256 has. */
bool oauth_challenge_valid(text_t challenge);
/* A user's name: what the provider says, at most 50 characters, else what stands before the @. Never empty. */
text_t oauth_name(arena_t *, text_t name, text_t email);
