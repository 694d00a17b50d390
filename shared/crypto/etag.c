/* etag: the first bits of a SHA-256, in base64url. */
#include "etag.h"
#include "../base/panic.h"

enum { CHARACTERS = 18, WHOSE_MOST = 64 };

void etag_make(text_t whose, text_t body, char form, char out[static ETAG_SIZE])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char head[1 + WHOSE_MOST] = {(char)whose.length}; /* its length keeps it and the body apart */
    insist(whose.length <= WHOSE_MOST);
    if (whose.length > 0)
        memcpy(head + 1, whose.data, whose.length);
    digest_t digest = hash_sha256_joined((text_t){.data = head, .length = 1 + whose.length}, body);
    *out++ = '"';
    for (int i = 0; i < CHARACTERS; i++)
        *out++ = alphabet[digest.bytes[i] & 63];
    if (form) {
        *out++ = '-';
        *out++ = form;
    }
    *out++ = '"';
    *out = '\0';
}
