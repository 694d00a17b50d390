/* etag: the first bits of a SHA-256, in base64url. */
#include "etag.h"
#include <stdio.h>

enum { CHARACTERS = 18 };

void etag_make(text_t whose, text_t body, char form, char out[static ETAG_SIZE])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    digest_t digest = hash_sha256(body);
    if (whose.length > 0) {
        char both[64];
        size_t most = sizeof(both) - sizeof(digest.bytes), length = whose.length < most ? whose.length : most;
        memcpy(both, digest.bytes, sizeof(digest.bytes));
        memcpy(both + sizeof(digest.bytes), whose.data, length);
        digest = hash_sha256((text_t){.data = both, .length = sizeof(digest.bytes) + length});
    }
    char characters[CHARACTERS + 1] = "";
    for (int i = 0; i < CHARACTERS; i++)
        characters[i] = alphabet[digest.bytes[i] & 63];
    snprintf(out, ETAG_SIZE, form ? "\"%s-%c\"" : "\"%s\"", characters, form);
}
