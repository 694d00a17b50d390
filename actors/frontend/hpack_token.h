/* hpack_token: a request's token as it travels over HTTP/2. Clients keep it out of HPACK's table (RFC 7541, 7.1.3), so it comes
 * Huffman-coded with each request, and libh2o takes longer to decode it than to read the rest of the request. What came
 * last over a connection is remembered in both forms; where the same bytes come again, the plain form takes their place.
 *
 * What always holds: the block that is made means what the old one meant. What is not wholly understood is left alone. */
#pragma once
#include "base/text.h"

enum {
    HPACK_TOKEN_LEAST = 48,   /* coded bytes that are worth it */
    HPACK_TOKEN_MOST = 512,  /* of each form */
    HPACK_BLOCK_MOST = 4096,  /* of the block that is made */
};

/* Where a string literal stands in a block. */
typedef struct {
    size_t begin, bytes, length; /* of its prefix, of its bytes; how many of these */
} hpack_string_t;

typedef struct hpack_token {
    size_t coded, plain;                  /* lengths; 0: nothing is remembered */
    uint8_t bytes[2 * HPACK_TOKEN_MOST]; /* coded, then plain */
} hpack_token_t;

/* The Huffman-coded value of the first field "authorization" that is not indexed. False: there is none in [LEAST, MOST]. */
bool hpack_token_find(text_t block, hpack_string_t *out);
void hpack_token_remember(hpack_token_t *, text_t coded, text_t plain);
/* Makes the block with the plain form in the place of `found`; 0: what is remembered is another, or `out` is too small. */
size_t hpack_token_replace(const hpack_token_t *, text_t block, const hpack_string_t *found, char out[static HPACK_BLOCK_MOST]);
