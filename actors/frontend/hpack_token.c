/* hpack_token: walking a header block by RFC 7541, 6, without the tables. */
#include "hpack_token.h"
#include <string.h>

enum {
    AUTHORIZATION = 23, /* in the static table (RFC 7541, appendix A) */
    INDEXED = 0x80,
    LITERAL_INDEXED = 0x40,
    SIZE_UPDATE = 0x20,
    CODED = 0x80,
    CONTINUED = 0x80,
    CONTINUATIONS = 3, /* bytes; libh2o reads one more */
};

/* RFC 7541, 5.1. */
static bool integer_read(text_t block, size_t *at, unsigned prefix, size_t *out)
{
    if (*at >= block.length)
        return false;
    size_t most = (1u << prefix) - 1, value = (uint8_t)block.data[(*at)++] & most;
    if (value == most)
        for (int i = 0;; i++) {
            if (i == CONTINUATIONS || *at >= block.length)
                return false;
            uint8_t byte = (uint8_t)block.data[(*at)++];
            value += (size_t)(byte & 127) << 7 * i;
            if (!(byte & CONTINUED))
                break;
        }
    *out = value;
    return true;
}

/* RFC 7541, 5.2. */
static bool string_read(text_t block, size_t *at, hpack_string_t *out)
{
    out->begin = *at;
    if (!integer_read(block, at, 7, &out->length) || out->length > block.length - *at)
        return false;
    out->bytes = *at;
    *at += out->length;
    return true;
}

bool hpack_token_find(text_t block, hpack_string_t *out)
{
    for (size_t at = 0; at < block.length;) {
        uint8_t first = (uint8_t)block.data[at];
        size_t index;
        if (first & INDEXED || (first & (LITERAL_INDEXED | SIZE_UPDATE)) == SIZE_UPDATE) {
            if (!integer_read(block, &at, first & INDEXED ? 7 : 5, &index))
                return false;
            continue;
        }
        if (!integer_read(block, &at, first & LITERAL_INDEXED ? 6 : 4, &index) ||
            (index == 0 && !string_read(block, &at, out)) || !string_read(block, &at, out))
            return false;
        if (index == AUTHORIZATION && !(first & LITERAL_INDEXED))
            return (uint8_t)block.data[out->begin] & CODED && out->length >= HPACK_TOKEN_LEAST &&
                   out->length <= HPACK_TOKEN_MOST;
    }
    return false;
}

void hpack_token_remember(hpack_token_t *token, text_t coded, text_t plain)
{
    token->coded = token->plain = 0;
    if (coded.length > HPACK_TOKEN_MOST || plain.length > HPACK_TOKEN_MOST)
        return;
    memcpy(token->bytes, coded.data, coded.length);
    memcpy(token->bytes + coded.length, plain.data, plain.length);
    token->coded = coded.length;
    token->plain = plain.length;
}

static char *length_write(char *to, size_t length)
{
    if (length < 127) {
        *to++ = (char)length;
        return to;
    }
    *to++ = 127;
    for (length -= 127; length >= 128; length >>= 7)
        *to++ = (char)(CONTINUED | (length & 127));
    *to++ = (char)length;
    return to;
}

size_t hpack_token_replace(
    const hpack_token_t *token, text_t block, const hpack_string_t *found, char out[static HPACK_BLOCK_MOST])
{
    size_t behind = found->bytes + found->length;
    if (token->coded == 0 || token->coded != found->length ||
        memcmp(token->bytes, block.data + found->bytes, token->coded) != 0 ||
        block.length + token->plain > HPACK_BLOCK_MOST) /* the length takes no more than its coded form's, and two */
        return 0;
    memcpy(out, block.data, found->begin);
    char *to = length_write(out + found->begin, token->plain);
    memcpy(to, token->bytes + token->coded, token->plain);
    to += token->plain;
    memcpy(to, block.data + behind, block.length - behind);
    return (size_t)(to - out) + block.length - behind;
}
