/* hash: the primitives, each a few lines over OpenSSL, libcrypt or the kernel. Nothing here keeps a secret:
 * copies of passwords are wiped before the memory goes back. */
#include "hash.h"
#include "../base/panic.h"
#include "../base/yielding.h"
#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

enum { PASSWORD_MAX = 72, SALT_BYTES = 16 };

digest_t hash_sha256(text_t data)
{
    return hash_sha256_joined((text_t){.data = NULL}, data);
}

/* The algorithm is looked up once: SHA256() does it each time, which takes as long as a third of a digest of 1 KB. */
digest_t hash_sha256_joined(text_t first, text_t second)
{
    static EVP_MD_CTX *context; /* one thread */
    digest_t digest;
    bool done = context != NULL ? EVP_DigestInit_ex2(context, NULL, NULL)
                                : (context = EVP_MD_CTX_new()) != NULL && EVP_DigestInit_ex2(context, EVP_sha256(), NULL);
    if (!done || !EVP_DigestUpdate(context, first.data, first.length) ||
        !EVP_DigestUpdate(context, second.data, second.length) || !EVP_DigestFinal_ex(context, digest.bytes, NULL))
        panic("OpenSSL gives no SHA-256");
    return digest;
}

digest_t hash_hmac(const uint8_t key[static 32], text_t data)
{
    digest_t digest;
    unsigned length = 0;
    const unsigned char *bytes = (const unsigned char *)(data.length ? data.data : "");

    if (HMAC(EVP_sha256(), key, 32, bytes, data.length, digest.bytes, &length) == NULL ||
        length != sizeof(digest.bytes))
        panic("OpenSSL gives no HMAC-SHA256");
    return digest;
}

void random_bytes(void *out, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = getrandom((char *)out + got, size - got, 0);
        if (n > 0)
            got += (size_t)n;
        else if (n == 0 || errno != EINTR)
            panic("the kernel gives no random bytes");
    }
}

bool secret_equal(text_t a, text_t b)
{
    return a.length == b.length && (a.length == 0 || CRYPTO_memcmp(a.data, b.data, a.length) == 0);
}

/* --- base64url ---------------------------------------------------------------------------------------------------- */

text_t base64url_encode(arena_t *arena, text_t data)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *out = arena_allocate(arena, data.length / 3 * 4 + 5), *p = out;
    uint32_t bits = 0;
    int count = 0; /* of bits not yet written */

    for (size_t i = 0; i < data.length; i++) {
        bits = (bits << 8 | (unsigned char)data.data[i]) & 0xffffff;
        for (count += 8; count >= 6; count -= 6)
            *p++ = letters[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *p++ = letters[bits << (6 - count) & 63];
    return (text_t){.data = out, .length = (size_t)(p - out)};
}

static int letter_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode_into(text_t encoded, void *out, size_t size, size_t *length)
{
    uint8_t *p = out;
    uint32_t bits = 0;
    int count = 0;

    if (encoded.length % 4 == 1 || encoded.length / 4 * 3 + encoded.length % 4 * 3 / 4 > size)
        return false;
    for (size_t i = 0; i < encoded.length; i++) {
        int value = letter_value(encoded.data[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *p++ = (uint8_t)(bits >> count);
        }
    }
    /* Bits that carry nothing must be zero: each value has one form only. */
    if ((bits & ((1u << count) - 1)) != 0)
        return false;
    *length = (size_t)(p - (uint8_t *)out);
    return true;
}

bool base64url_decode(arena_t *arena, text_t encoded, text_t *data)
{
    size_t size = encoded.length / 4 * 3 + 3;
    char *out = arena_allocate(arena, size);

    data->data = out;
    return base64url_decode_into(encoded, out, size, &data->length);
}

/* --- passwords ---------------------------------------------------------------------------------------------------- */

/* Hashes with `setting` (a salt, or a stored hash) into out; false when libcrypt does not understand it. */
static bool bcrypt(text_t password, const char *setting, char out[static CRYPT_OUTPUT_SIZE])
{
    char phrase[PASSWORD_MAX + 1];
    struct crypt_data *data = memory_zeroed(1, sizeof(*data)); /* 32 KB: too much for a coroutine's stack */

    memcpy(phrase, password.data, password.length);
    phrase[password.length] = '\0';
    yielding_begin();
    bool good = crypt_rn(phrase, setting, data, sizeof(*data)) != NULL;
    yielding_end();
    if (good) {
        size_t length = strnlen(data->output, CRYPT_OUTPUT_SIZE - 1);
        memcpy(out, data->output, length);
        out[length] = '\0';
    }
    explicit_bzero(phrase, sizeof(phrase));
    explicit_bzero(data, sizeof(*data));
    free(data);
    return good;
}

static void new_salt(int cost, char out[static CRYPT_GENSALT_OUTPUT_SIZE])
{
    char random[SALT_BYTES];
    random_bytes(random, sizeof(random));
    if (crypt_gensalt_rn(
            "$2b$", (unsigned long)cost, random, sizeof(random), out, CRYPT_GENSALT_OUTPUT_SIZE) == NULL)
        panic("libcrypt gives no bcrypt salt of cost %d", cost);
}

static bool is_password(text_t password)
{
    return password.length > 0 && password.length <= PASSWORD_MAX &&
           memchr(password.data, '\0', password.length) == NULL;
}

text_t password_hash(arena_t *arena, text_t password, int cost)
{
    char salt[CRYPT_GENSALT_OUTPUT_SIZE], hash[CRYPT_OUTPUT_SIZE];

    insist(is_password(password));
    new_salt(cost, salt);
    if (!bcrypt(password, salt, hash))
        panic("libcrypt gives no bcrypt hash");
    return arena_copy(arena, text_of(hash));
}

int password_cost(text_t stored)
{
    if (stored.length < 7 || !text_starts_with(stored, TEXT("$2b$")) || stored.data[6] != '$')
        return -1;
    int64_t cost;
    return text_to_int((text_t){.data = stored.data + 4, .length = 2}, &cost) ? (int)cost : -1;
}

/* The work of one hash, for nothing. */
static void bcrypt_in_vain(text_t password, int cost)
{
    char setting[CRYPT_OUTPUT_SIZE], hash[CRYPT_OUTPUT_SIZE];
    new_salt(cost, setting);
    bcrypt(is_password(password) ? password : TEXT("nobody"), setting, hash);
}

/* Nobody may tell by the clock that there was nothing to compare with, nor that the hash is of an older, lower cost: each step
 * doubles the work, so what cost n lacks of cost m is one hash each of n, n + 1 … m - 1. */
bool password_matches(text_t password, text_t stored, int cost)
{
    char setting[CRYPT_OUTPUT_SIZE], hash[CRYPT_OUTPUT_SIZE];
    int done = password_cost(stored);

    if (is_password(password) && stored.length < sizeof(setting) && done > 0) {
        memcpy(setting, stored.data, stored.length);
        setting[stored.length] = '\0';
        if (bcrypt(password, setting, hash)) {
            if (secret_equal(text_of(hash), stored))
                return true;
            for (; done < cost; done++)
                bcrypt_in_vain(password, done);
            return false;
        }
    }
    bcrypt_in_vain(password, cost);
    return false;
}
