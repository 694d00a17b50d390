/* web_push: see the header. Points are multiplied by OpenSSL's EC_POINT, which for P-256 takes the same time whatever the number is. */
#include "web_push.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "hash.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <stdio.h>

enum { SECRET = 32, KEY = 16, NONCE = 12, TAG = 16, HEAD = WEB_PUSH_SALT + 4 + 1 + WEB_PUSH_POINT, RECORD = 4096 };

#define MUST(what)                                                                                                 \
    do {                                                                                                           \
        if (!(what))                                                                                               \
            panic("OpenSSL: %s", #what);                                                                           \
    } while (0)

/* --- P-256 -------------------------------------------------------------------------------------------------------- */

static const EC_GROUP *curve(void)
{
    static EC_GROUP *group;
    if (group == NULL)
        MUST(group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    return group;
}

/* Between 1 and the curve's order less 1. */
static BIGNUM *scalar_of(const web_push_key_t *key)
{
    BN_CTX *context = BN_CTX_new();
    BIGNUM *scalar = BN_bin2bn(key->bytes, sizeof key->bytes, NULL), *most = BN_dup(EC_GROUP_get0_order(curve()));
    MUST(context && scalar && most);
    MUST(BN_sub_word(most, 1) && BN_mod(scalar, scalar, most, context) && BN_add_word(scalar, 1));
    BN_set_flags(scalar, BN_FLG_CONSTTIME);
    BN_free(most);
    BN_CTX_free(context);
    return scalar;
}

/* The given point, or the curve's own, times the key, uncompressed. False: what was given is no point. */
static bool multiply(const web_push_key_t *key, text_t point, uint8_t out[static WEB_PUSH_POINT])
{
    EC_POINT *given = EC_POINT_new(curve()), *product = EC_POINT_new(curve());
    BIGNUM *scalar = scalar_of(key);
    MUST(given && product);
    bool good = point.data == NULL || (point.length == WEB_PUSH_POINT && point.data[0] == 4 &&
                                          EC_POINT_oct2point(curve(), given, (const uint8_t *)point.data, point.length, NULL) == 1);
    if (good) {
        MUST(point.data == NULL ? EC_POINT_mul(curve(), product, scalar, NULL, NULL, NULL)
                                : EC_POINT_mul(curve(), product, NULL, given, scalar, NULL));
        good = EC_POINT_point2oct(curve(), product, POINT_CONVERSION_UNCOMPRESSED, out, WEB_PUSH_POINT, NULL) == WEB_PUSH_POINT;
    }
    BN_clear_free(scalar);
    EC_POINT_free(given);
    EC_POINT_clear_free(product);
    return good;
}

text_t web_push_public(arena_t *arena, const web_push_key_t *key)
{
    uint8_t *point = arena_allocate(arena, WEB_PUSH_POINT);
    MUST(multiply(key, (text_t){0}, point));
    return (text_t){(const char *)point, WEB_PUSH_POINT};
}

bool web_push_point(text_t point)
{
    EC_POINT *given = EC_POINT_new(curve());
    MUST(given);
    bool good = point.length == WEB_PUSH_POINT && point.data[0] == 4 &&
                EC_POINT_oct2point(curve(), given, (const uint8_t *)point.data, point.length, NULL) == 1;
    EC_POINT_free(given);
    return good;
}

/* --- encryption --------------------------------------------------------------------------------------------------- */

/* HMAC with a key of 32 bytes or fewer: zeros behind it change nothing (RFC 2104). */
static digest_t keyed(text_t key, text_t data)
{
    uint8_t padded[SECRET] = {0};
    insist(key.length <= sizeof padded);
    memcpy(padded, key.data, key.length);
    digest_t digest = hash_hmac(padded, data);
    explicit_bzero(padded, sizeof padded);
    return digest;
}

static text_t digest_text(const digest_t *digest)
{
    return (text_t){(const char *)digest->bytes, sizeof digest->bytes};
}

/* RFC 8291, 3.3 and 3.4: what key and nonce come from. */
static digest_t pseudorandom_key(text_t shared, text_t auth, text_t reader, text_t sender, text_t salt)
{
    buffer_t info = {0};
    digest_t combined = keyed(auth, shared);
    buffer_add(&info, "WebPush: info", sizeof "WebPush: info"); /* with its NUL */
    buffer_add_text(&info, reader);
    buffer_add_text(&info, sender);
    buffer_add_char(&info, 1);
    digest_t input = keyed(digest_text(&combined), buffer_text(&info)), key = keyed(salt, digest_text(&input));
    buffer_free(&info);
    explicit_bzero(&combined, sizeof combined);
    explicit_bzero(&input, sizeof input);
    return key;
}

static void gcm(const uint8_t *key, const uint8_t *nonce, text_t plain, uint8_t *out)
{
    static const uint8_t last = 2; /* RFC 8188, 2: the delimiter of the last record */
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int length = 0, more = 0, end = 0;
    MUST(context && EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, key, nonce));
    MUST(EVP_EncryptUpdate(context, out, &length, (const uint8_t *)plain.data, (int)plain.length));
    MUST(EVP_EncryptUpdate(context, out + length, &more, &last, 1));
    MUST(EVP_EncryptFinal_ex(context, out + length + more, &end));
    MUST(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, out + length + more + end));
    EVP_CIPHER_CTX_free(context);
}

static void encrypt(digest_t key, text_t plain, uint8_t *out)
{
    digest_t content = keyed(digest_text(&key), TEXT("Content-Encoding: aes128gcm\0\1"));
    digest_t nonce = keyed(digest_text(&key), TEXT("Content-Encoding: nonce\0\1"));
    gcm(content.bytes, nonce.bytes, plain, out);
    explicit_bzero(&content, sizeof content);
    explicit_bzero(&nonce, sizeof nonce);
}

text_t web_push_encrypt(arena_t *arena, text_t p256dh, text_t auth, text_t plain, const web_push_once_t *given)
{
    web_push_once_t once;
    uint8_t product[WEB_PUSH_POINT];
    if (given != NULL)
        once = *given;
    else
        random_bytes(&once, sizeof once);
    if (auth.length != WEB_PUSH_AUTH || plain.length > WEB_PUSH_PLAIN_MOST || p256dh.length != WEB_PUSH_POINT ||
        !multiply(&once.key, p256dh, product))
        return (text_t){0};
    size_t length = HEAD + plain.length + 1 + TAG;
    uint8_t *out = arena_allocate(arena, length);
    memcpy(out, once.salt, WEB_PUSH_SALT);
    out[WEB_PUSH_SALT + 2] = RECORD >> 8;
    out[WEB_PUSH_SALT + 4] = WEB_PUSH_POINT;
    MUST(multiply(&once.key, (text_t){0}, out + HEAD - WEB_PUSH_POINT));
    digest_t key = pseudorandom_key((text_t){(const char *)product + 1, SECRET}, auth, p256dh,
        (text_t){(const char *)out + HEAD - WEB_PUSH_POINT, WEB_PUSH_POINT}, (text_t){(const char *)once.salt, WEB_PUSH_SALT});
    encrypt(key, plain, out + HEAD);
    explicit_bzero(&key, sizeof key);
    explicit_bzero(&once, sizeof once);
    explicit_bzero(product, sizeof product);
    return (text_t){(const char *)out, length};
}

/* --- who sends ---------------------------------------------------------------------------------------------------- */

static EVP_PKEY *signer_of(const web_push_key_t *key)
{
    uint8_t point[WEB_PUSH_POINT];
    BIGNUM *scalar = scalar_of(key);
    MUST(multiply(key, (text_t){0}, point));
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    MUST(builder && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0));
    MUST(OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point));
    MUST(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar));
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *made = NULL;
    MUST(parameters && context && EVP_PKEY_fromdata_init(context) == 1);
    MUST(EVP_PKEY_fromdata(context, &made, EVP_PKEY_KEYPAIR, parameters) == 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(scalar);
    return made;
}

/* ES256 (RFC 7518, 3.4): r and s, 32 bytes each. */
static void sign(const web_push_key_t *key, text_t text, uint8_t out[static 2 * SECRET])
{
    EVP_PKEY *signer = signer_of(key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t der[80];
    const uint8_t *at = der;
    size_t length = sizeof der;
    MUST(context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signer) == 1);
    MUST(EVP_DigestSign(context, der, &length, (const uint8_t *)text.data, text.length) == 1);
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)length);
    MUST(signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, SECRET) == SECRET);
    MUST(BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + SECRET, SECRET) == SECRET);
    ECDSA_SIG_free(signature);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(signer);
}

text_t web_push_token(arena_t *arena, const web_push_key_t *key, text_t origin, const char *subject, int64_t expires)
{
    uint8_t signature[2 * SECRET];
    text_t claims = arena_format(arena, "{\"aud\":\"%.*s\",\"exp\":%lld,\"sub\":\"%s\"}", TEXT_ARG(origin),
        (long long)(expires / CLOCK_SECOND), subject);
    text_t head = base64url_encode(arena, TEXT("{\"typ\":\"JWT\",\"alg\":\"ES256\"}")), body = base64url_encode(arena, claims);
    text_t said = arena_format(arena, "%.*s.%.*s", TEXT_ARG(head), TEXT_ARG(body));
    sign(key, said, signature);
    text_t signed_by = base64url_encode(arena, (text_t){(const char *)signature, sizeof signature});
    return arena_format(arena, "%.*s.%.*s", TEXT_ARG(said), TEXT_ARG(signed_by));
}
