/* jwks: see the header. libjwt takes PEM only, and lets a token's header choose what its key is used for; so the keys are made
 * by OpenSSL from their numbers, and carry their algorithm themselves. */
#include "jwks.h"
#include "foreign.h"
#include "hash.h"
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum {
    RSA_BYTES_MIN = 256, /* RFC 7518, section 3.3: 2048 bits at least */
    RSA_BYTES_MAX = 1024,
    POINT_BYTES = 32, /* a coordinate of P-256 */
};

struct jwks_key {
    char id[JWKS_ID_MAX + 1];
    enum { RS256, ES256 } algorithm;
    EVP_PKEY *key;
};

struct jwks {
    int count;
    jwks_key_t keys[JWKS_KEYS_MAX];
};

static const char *const algorithm_names[] = {[RS256] = "RS256", [ES256] = "ES256"};

/* The string of a member; NULL when it is none. */
static const char *member(const json_t *key, const char *name)
{
    return json_string_value(json_object_get(key, name));
}

/* An absent member permits everything (RFC 7517, sections 4.2 and 4.4). */
static bool member_permits(const json_t *key, const char *name, const char *wanted)
{
    const json_t *value = json_object_get(key, name);
    return value == NULL || (json_is_string(value) && strcmp(json_string_value(value), wanted) == 0);
}

static EVP_PKEY *key_make(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

/* A number's bytes; false unless there are `min` to `max` of them. */
static bool number_read(const json_t *key, const char *name, size_t min, size_t max, uint8_t *out, size_t *length)
{
    const char *encoded = member(key, name);
    return encoded != NULL && base64url_decode_into(text_of(encoded), out, max, length) && *length >= min;
}

static EVP_PKEY *rsa_make(const json_t *key)
{
    uint8_t modulus[RSA_BYTES_MAX], exponent[8];
    size_t modulus_length, exponent_length;
    if (!number_read(key, "n", RSA_BYTES_MIN, sizeof(modulus), modulus, &modulus_length) ||
        !number_read(key, "e", 1, sizeof(exponent), exponent, &exponent_length) || modulus[0] == 0)
        return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_length, NULL), *e = BN_bin2bn(exponent, (int)exponent_length, NULL);
    bool good = BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) &&
                OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
                OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
    EVP_PKEY *made = good ? key_make("RSA", build) : NULL;
    BN_free(n);
    BN_free(e);
    OSSL_PARAM_BLD_free(build);
    return made;
}

/* A point that is not on the curve makes no key. */
static EVP_PKEY *ec_make(const json_t *key)
{
    uint8_t point[1 + 2 * POINT_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t length;
    const char *curve = member(key, "crv");
    if (curve == NULL || strcmp(curve, "P-256") != 0 ||
        !number_read(key, "x", POINT_BYTES, POINT_BYTES, point + 1, &length) ||
        !number_read(key, "y", POINT_BYTES, POINT_BYTES, point + 1 + POINT_BYTES, &length))
        return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    bool good = OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
                OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
    EVP_PKEY *made = good ? key_make("EC", build) : NULL;
    OSSL_PARAM_BLD_free(build);
    return made;
}

static const struct {
    const char *type, *algorithm;
    EVP_PKEY *(*make)(const json_t *);
} kinds[] = {[RS256] = {"RSA", "RS256", rsa_make}, [ES256] = {"EC", "ES256", ec_make}};

/* False when we have no use for it. */
static bool key_read(const json_t *key, jwks_key_t *out)
{
    const char *type = member(key, "kty"), *id = member(key, "kid");
    if (type == NULL || id == NULL || strlen(id) > JWKS_ID_MAX || !member_permits(key, "use", "sig"))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(type, kinds[i].type) != 0 || !member_permits(key, "alg", kinds[i].algorithm))
            continue;
        out->algorithm = i;
        out->key = kinds[i].make(key);
        memcpy(out->id, id, strlen(id) + 1);
        return out->key != NULL;
    }
    return false;
}

jwks_t *jwks_read(text_t text)
{
    json_t *root = foreign_read(text);
    const json_t *keys = json_object_get(root, "keys");
    jwks_t *set = json_is_array(keys) ? memory_zeroed(1, sizeof(*set)) : NULL;
    for (size_t i = 0; set != NULL && i < json_array_size(keys) && set->count < JWKS_KEYS_MAX; i++)
        set->count += key_read(json_array_get(keys, i), &set->keys[set->count]);
    json_decref(root);
    return set;
}

void jwks_destroy(jwks_t **set)
{
    for (int i = 0; *set != NULL && i < (*set)->count; i++)
        EVP_PKEY_free((*set)->keys[i].key);
    free(*set);
    *set = NULL;
}

int jwks_count(const jwks_t *set)
{
    return set->count;
}

const jwks_key_t *jwks_find(const jwks_t *set, text_t id)
{
    for (int i = 0; set != NULL && i < set->count; i++)
        if (text_equal(id, text_of(set->keys[i].id)))
            return &set->keys[i];
    return NULL;
}

const char *jwks_algorithm(const jwks_key_t *key)
{
    return algorithm_names[key->algorithm];
}

/* RFC 7518, section 3.4: r and s, 32 bytes each; OpenSSL wants them in DER. The length, or 0. */
static size_t signature_der(text_t signature, uint8_t out[static 80])
{
    if (signature.length != 2 * POINT_BYTES)
        return 0;
    const uint8_t *bytes = (const uint8_t *)signature.data;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, POINT_BYTES, NULL), *s = BN_bin2bn(bytes + POINT_BYTES, POINT_BYTES, NULL);
    ECDSA_SIG_set0(pair, r, s); /* takes both */
    int length = i2d_ECDSA_SIG(pair, &out);
    ECDSA_SIG_free(pair);
    return length > 0 ? (size_t)length : 0;
}

bool jwks_verify(const jwks_key_t *key, text_t signed_bytes, text_t signature)
{
    uint8_t der[80];
    const uint8_t *bytes = (const uint8_t *)signature.data;
    size_t length = signature.length;
    if (key->algorithm == ES256) {
        length = signature_der(signature, der);
        bytes = der;
    }
    if (length == 0)
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->key) == 1 &&
                EVP_DigestVerify(context, bytes, length, (const uint8_t *)signed_bytes.data, signed_bytes.length) == 1;
    EVP_MD_CTX_free(context);
    return good;
}
