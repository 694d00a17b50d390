/* oauth_answers: what providers answer, read with suspicion: typed, bounded, and never more than it says. Pure. */
#pragma once
#include "crypto/id_token.h"

enum token_answer {
    ANSWER_TOKENS,
    ANSWER_REFUSED, /* the code is not, or no longer, good */
    ANSWER_CLIENT,  /* it does not know us: our id or secret is wrong */
    ANSWER_BROKEN,  /* nothing that can be understood */
};

typedef struct {
    text_t access_token, id_token; /* data NULL: not given */
} tokens_answer_t;

/* The answer of a token endpoint (RFC 6749, sections 5.1 and 5.2). Naver refuses with status 200. */
enum token_answer token_answer_read(arena_t *, int status, text_t body, tokens_answer_t *out);

/* Who it is, in the provider's own words; false when it does not say. An address counts as verified only if the provider says so
 * (Naver never does), and is dropped when it is none. */
bool kakao_person_read(arena_t *, text_t body, id_token_t *out);
bool naver_person_read(arena_t *, text_t body, id_token_t *out);
