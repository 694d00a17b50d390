/* ID tokens and what they are checked by: shared/crypto/id_token.c, jwks.c, foreign.c; and service_token.c. */
#include "../unit.h"
#include "base/clock.h"
#include "crypto/service_token.h"
#include "crypto/foreign.h"
#include "crypto/hash.h"
#include "crypto/id_token.h"
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define NOW_SECONDS INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define NOW (NOW_SECONDS * CLOCK_SECOND)

static arena_t *arena;
static EVP_PKEY *rsa, *ec, *other;
static text_t jwks_text;
static jwks_t *set;
static id_token_rules_t rules;

static text_t number_text(EVP_PKEY *key, const char *name, int size)
{
    BIGNUM *number = NULL;
    uint8_t bytes[1024];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    int length = size > 0 ? BN_bn2binpad(number, bytes, size) : BN_bn2bin(number, bytes);
    BN_free(number);
    return base64url_encode(arena, (text_t){(char *)bytes, (size_t)length});
}

static text_t rsa_text(EVP_PKEY *key, const char *id, const char *more)
{
    return arena_format(arena, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"n\":\"%.*s\",\"e\":\"%.*s\"%s}", id,
        TEXT_ARG(number_text(key, OSSL_PKEY_PARAM_RSA_N, 0)), TEXT_ARG(number_text(key, OSSL_PKEY_PARAM_RSA_E, 0)), more);
}

static text_t ec_text(EVP_PKEY *key, const char *id, const char *more)
{
    return arena_format(arena, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%.*s\",\"y\":\"%.*s\"%s}", id,
        TEXT_ARG(number_text(key, OSSL_PKEY_PARAM_EC_PUB_X, 32)), TEXT_ARG(number_text(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32)),
        more);
}

static int make(void **state)
{
    (void)state;
    arena = arena_create(1 << 24, NULL, NULL);
    rsa = EVP_RSA_gen(2048);
    other = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    jwks_text = arena_format(arena, "{\"keys\":[%.*s,%.*s]}", TEXT_ARG(rsa_text(rsa, "r1", ",\"use\":\"sig\",\"alg\":\"RS256\"")),
        TEXT_ARG(ec_text(ec, "e1", "")));
    set = jwks_read(jwks_text);
    rules = (id_token_rules_t){.issuer = "https://id.example", .audience = "client", .nonce = TEXT("n-1"), .now = NOW};
    return set == NULL || jwks_count(set) != 2;
}

static int destroy(void **state)
{
    (void)state;
    jwks_destroy(&set);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(other);
    EVP_PKEY_free(ec);
    arena_destroy(&arena);
    return 0;
}

/* --- signing whatever a test wants -------------------------------------------------------------------------------- */

static text_t raw_pair(const uint8_t *der, size_t length)
{
    uint8_t *raw = arena_allocate(arena, 64);
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)length);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
    ECDSA_SIG_free(pair);
    return (text_t){(char *)raw, 64};
}

static text_t sign(EVP_PKEY *key, const char *header, const char *claims)
{
    text_t body = arena_format(arena, "%.*s.%.*s", TEXT_ARG(base64url_encode(arena, text_of(header))),
        TEXT_ARG(base64url_encode(arena, text_of(claims))));
    uint8_t signature[1024];
    size_t length = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &length, (const uint8_t *)body.data, body.length), 1);
    EVP_MD_CTX_free(context);
    text_t bytes = EVP_PKEY_is_a(key, "EC") ? raw_pair(signature, length) : (text_t){(char *)signature, length};
    return arena_format(arena, "%.*s.%.*s", TEXT_ARG(body), TEXT_ARG(base64url_encode(arena, bytes)));
}

static const char *judge(text_t token)
{
    id_token_t read;
    const char *reason = id_token_verify(arena, set, &rules, token, &read);
    return reason != NULL ? reason : "good";
}

#define RS "{\"alg\":\"RS256\",\"kid\":\"r1\"}"
#define CLAIMS(rest)                                                                                               \
    "{\"iss\":\"https://id.example\",\"sub\":\"u1\",\"exp\":1767225900,\"iat\":1767225600,\"nonce\":\"n-1\"," rest "}"
#define GOOD CLAIMS("\"aud\":\"client\"")

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void test_read(void **state)
{
    (void)state;
    id_token_t read;
    static const char claims[] =
        CLAIMS("\"aud\":\"client\",\"email\":\"kim@example.com\",\"email_verified\":true,\"name\":\"김하나\"");
    assert_null(id_token_verify(arena, set, &rules, sign(rsa, RS, claims), &read));
    assert_text(read.subject, "u1");
    assert_text(read.email, "kim@example.com");
    assert_text(read.name, "김하나");
    assert_true(read.email_verified);
    assert_null(id_token_verify(
        arena, set, &rules, sign(ec, "{\"alg\":\"ES256\",\"kid\":\"e1\",\"typ\":\"JWT\"}", GOOD), &read));
    assert_null(read.email.data);
    assert_null(read.name.data);
    assert_false(read.email_verified);
}

static void test_email_verified(void **state)
{
    static const struct {
        const char *claims;
        bool verified;
    } cases[] = {
        {CLAIMS("\"aud\":\"client\",\"email\":\"a@b.kr\",\"email_verified\":\"true\""), true}, /* Apple */
        {CLAIMS("\"aud\":\"client\",\"email\":\"a@b.kr\",\"email_verified\":\"false\""), false},
        {CLAIMS("\"aud\":\"client\",\"email\":\"a@b.kr\",\"email_verified\":false"), false},
        {CLAIMS("\"aud\":\"client\",\"email\":\"a@b.kr\",\"email_verified\":1"), false},
        {CLAIMS("\"aud\":\"client\",\"email\":\"a@b.kr\""), false},
        {CLAIMS("\"aud\":\"client\",\"email_verified\":true"), false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        id_token_t read;
        assert_null(id_token_verify(arena, set, &rules, sign(rsa, RS, cases[i].claims), &read));
        assert_int_equal(read.email_verified, cases[i].verified);
    }
}

static void test_claims(void **state)
{
    static const struct {
        const char *claims, *verdict;
    } cases[] = {
        {GOOD, "good"},
        {CLAIMS("\"aud\":[\"client\"]"), "good"},
        {CLAIMS("\"aud\":[\"client\",\"else\"],\"azp\":\"client\""), "good"},
        {CLAIMS("\"aud\":\"client\",\"azp\":\"client\",\"nbf\":1767225600"), "good"},
        {CLAIMS("\"aud\":[\"client\",\"else\"]"), "audience"},
        {CLAIMS("\"aud\":[\"client\",\"else\"],\"azp\":\"else\""), "audience"},
        {CLAIMS("\"aud\":\"client\",\"azp\":\"else\""), "audience"},
        {CLAIMS("\"aud\":\"client\",\"azp\":7"), "audience"},
        {CLAIMS("\"aud\":\"else\""), "audience"},
        {CLAIMS("\"aud\":\"client2\""), "audience"},
        {CLAIMS("\"aud\":[]"), "audience"},
        {CLAIMS("\"aud\":[\"client\",7],\"azp\":\"client\""), "audience"},
        {CLAIMS("\"aud\":{\"client\":1}"), "audience"},
        {CLAIMS("\"x\":1"), "audience"},
        {CLAIMS("\"aud\":\"client\",\"nbf\":1767225661"), "issued"},
        {CLAIMS("\"aud\":\"client\",\"aud\":\"client\""), "malformed"},
        {"[]", "malformed"},
        {"{", "malformed"},
        {"{\"aud\":\"client\"}", "issuer"},
        {"{\"iss\":\"https://id.example/\",\"aud\":\"client\"}", "issuer"},
        {"{\"iss\":[\"https://id.example\"],\"aud\":\"client\"}", "issuer"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\"}", "expired"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225600,\"iat\":1767225000}", "expired"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":\"1767225900\"}", "expired"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225900.5}", "expired"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":-1}", "expired"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225900}", "issued"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767229900,\"iat\":1767225661}", "issued"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225601,\"iat\":1767225601}", "issued"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225900,\"iat\":1767225600}", "nonce"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225900,\"iat\":1767225600,\"nonce\":\"n-2\"}",
            "nonce"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225900,\"iat\":1767225600,\"nonce\":\"\"}",
            "nonce"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225900,\"iat\":1767225600,\"nonce\":\"n-1\"}",
            "subject"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225900,\"iat\":1767225600,\"nonce\":\"n-1\","
         "\"sub\":\"a\\nb\"}",
            "subject"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"client\",\"exp\":1767225900,\"iat\":1767225600,\"nonce\":\"n-1\","
         "\"sub\":7}",
            "subject"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(judge(sign(rsa, RS, cases[i].claims)), cases[i].verdict);
}

static void test_headers(void **state)
{
    static const struct {
        const char *header, *verdict;
    } cases[] = {
        {RS, "good"},
        {"{\"alg\":\"RS256\",\"kid\":\"r2\"}", "key"},
        {"{\"alg\":\"RS256\"}", "key"},
        {"{\"alg\":\"RS256\",\"kid\":7}", "key"},
        {"{\"alg\":\"none\",\"kid\":\"r1\"}", "algorithm"},
        {"{\"alg\":\"None\",\"kid\":\"r1\"}", "algorithm"},
        {"{\"alg\":\"HS256\",\"kid\":\"r1\"}", "algorithm"},
        {"{\"alg\":\"ES256\",\"kid\":\"r1\"}", "algorithm"}, /* another key's algorithm */
        {"{\"alg\":\"RS256\",\"kid\":\"e1\"}", "algorithm"},
        {"{\"alg\":\"RS512\",\"kid\":\"r1\"}", "algorithm"},
        {"{\"alg\":\"PS256\",\"kid\":\"r1\"}", "algorithm"},
        {"{\"kid\":\"r1\"}", "malformed"},
        {"{\"alg\":\"RS256\",\"kid\":\"r1\",\"crit\":[\"b64\"],\"b64\":false}", "malformed"},
        {"\"RS256\"", "malformed"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(judge(sign(rsa, cases[i].header, GOOD)), cases[i].verdict);
    assert_string_equal(judge(sign(other, RS, GOOD)), "signature");
    assert_string_equal(judge(sign(ec, RS, GOOD)), "signature");
}

/* A public key is no secret: it must not be one for an HMAC. */
static void test_confusion(void **state)
{
    (void)state;
    BIO *pem = BIO_new(BIO_s_mem());
    char *bytes;
    uint8_t mac[32];
    PEM_write_bio_PUBKEY(pem, rsa);
    long length = BIO_get_mem_data(pem, &bytes);
    text_t body = arena_format(arena, "%.*s.%.*s",
        TEXT_ARG(base64url_encode(arena, TEXT("{\"alg\":\"HS256\",\"kid\":\"r1\"}"))),
        TEXT_ARG(base64url_encode(arena, TEXT(GOOD))));
    assert_non_null(HMAC(EVP_sha256(), bytes, (int)length, (const uint8_t *)body.data, body.length, mac, NULL));
    BIO_free(pem);
    text_t encoded = base64url_encode(arena, (text_t){(char *)mac, sizeof(mac)});
    assert_string_equal(judge(arena_format(arena, "%.*s.%.*s", TEXT_ARG(body), TEXT_ARG(encoded))), "algorithm");
    text_t none = base64url_encode(arena, TEXT("{\"alg\":\"none\"}"));
    text_t claims = base64url_encode(arena, TEXT(GOOD));
    assert_string_equal(judge(arena_format(arena, "%.*s.%.*s.", TEXT_ARG(none), TEXT_ARG(claims))), "algorithm");
}

static void test_forms(void **state)
{
    (void)state;
    text_t good = sign(rsa, RS, GOOD), es = sign(ec, "{\"alg\":\"ES256\",\"kid\":\"e1\"}", GOOD);
    assert_string_equal(judge(good), "good");
    assert_string_equal(judge(es), "good");
    assert_string_equal(judge((text_t){0}), "malformed");
    assert_string_equal(judge(TEXT("")), "malformed");
    assert_string_equal(judge(TEXT("a.b")), "malformed");
    assert_string_equal(judge(arena_format(arena, "%.*s.x", TEXT_ARG(good))), "malformed");
    assert_string_equal(judge(arena_format(arena, "%.*s=", TEXT_ARG(good))), "malformed");
    assert_string_equal(judge((text_t){es.data, es.length - 2}), "signature"); /* a whole byte shorter */
    char *zero = arena_string(arena, es);
    memset(zero + es.length - 86, 'A', 86); /* r = s = 0 (CVE-2022-21449) */
    assert_string_equal(judge(text_of(zero)), "signature");
    for (size_t i = 0; i < good.length; i += 7) { /* no byte may change */
        char *changed = arena_string(arena, good);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_string_not_equal(judge(text_of(changed)), "good");
    }
    char *huge = arena_allocate(arena, ID_TOKEN_MAX + 2);
    memset(huge, 'A', ID_TOKEN_MAX + 1);
    assert_string_equal(judge(text_of(huge)), "malformed");
}

static void test_sets(void **state)
{
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    const struct {
        text_t json;
        int keys; /* -1: no set at all */
    } cases[] = {
        {jwks_text, 2},
        {TEXT("{\"keys\":[]}"), 0},
        {TEXT("{\"keys\":{}}"), -1},
        {TEXT("{}"), -1},
        {TEXT("[]"), -1},
        {TEXT("<html>"), -1},
        {TEXT(""), -1},
        {TEXT("{\"keys\":[7,\"x\",null,{},{\"kty\":\"RSA\",\"kid\":\"a\"},{\"kty\":\"oct\",\"kid\":\"b\",\"k\":\"AAAA\"}]}"), 0},
        {arena_format(arena, "{\"keys\":[%.*s]}", TEXT_ARG(rsa_text(weak, "w", ""))), 0},
        {arena_format(arena, "{\"keys\":[%.*s]}", TEXT_ARG(rsa_text(rsa, "w", ",\"use\":\"enc\""))), 0},
        {arena_format(arena, "{\"keys\":[%.*s]}", TEXT_ARG(rsa_text(rsa, "w", ",\"alg\":\"RS512\""))), 0},
        {arena_format(arena, "{\"keys\":[%.*s]}", TEXT_ARG(ec_text(ec, "w", ",\"alg\":\"RS256\""))), 0},
        {TEXT("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"off\","
              "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}"),
            0}, /* not on the curve */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        jwks_t *read = jwks_read(cases[i].json);
        assert_int_equal(read != NULL ? jwks_count(read) : -1, cases[i].keys);
        jwks_destroy(&read);
    }
    EVP_PKEY_free(weak);
    assert_null(jwks_find(set, TEXT("R1")));
    assert_null(jwks_find(NULL, TEXT("r1")));
}

static void test_foreign(void **state)
{
    (void)state;
    char deep[64] = "{\"a\":";
    memset(deep + 5, '[', FOREIGN_DEPTH_MAX);
    assert_null(foreign_read(text_of(deep)));
    assert_null(foreign_read(TEXT("{\"a\":1,\"a\":2}")));
    foreign_t *json = foreign_read(TEXT("{\"id\":123456789012,\"text\":\"[[[[[[[[[[[[[[[[[[[[{\\\"\",\"tab\":\"a\\tb\",\"empty\":\"\","
                                        "\"long\":\"12345\",\"null\":null,\"inner\":{\"x\":\"y\"}}"));
    assert_non_null(json);
    assert_text(foreign_id(arena, json, "id", 20), "123456789012");
    assert_null(foreign_id(arena, json, "id", 5).data);
    assert_text(foreign_id(arena, json, "long", 5), "12345");
    assert_null(foreign_text(arena, json, "id", 20).data);
    assert_null(foreign_text(arena, json, "tab", 20).data);
    assert_null(foreign_text(arena, json, "empty", 20).data);
    assert_null(foreign_text(arena, json, "long", 4).data);
    assert_null(foreign_text(arena, json, "none", 4).data);
    assert_false(foreign_has(json, "null"));
    assert_text(foreign_text(arena, foreign_object(json, "inner"), "x", 4), "y");
    assert_null(foreign_object(json, "id"));
    assert_null(foreign_text(arena, foreign_object(json, "id"), "x", 4).data);
    foreign_free(&json);
}

/* What we sign ourselves is good by the same checks. */
static void test_client_secret(void **state)
{
    (void)state;
    BIO *pem = BIO_new(BIO_s_mem());
    char *bytes;
    PEM_write_bio_PrivateKey(pem, ec, NULL, NULL, 0, NULL, NULL);
    text_t key = {NULL, 0};
    key.length = (size_t)BIO_get_mem_data(pem, &bytes) - 1; /* without its last line end, as a secret's file is read */
    key.data = arena_string(arena, (text_t){bytes, key.length});
    BIO_free(pem);
    service_token_t what = {.issuer = "TEAM", .key_id = "e1", .subject = "com.example.app", .audience = "https://apple.example",
        .issued = NOW, .expires = NOW + CLOCK_DAY};
    text_t secret = service_token_make(arena, &what, key), rest = secret, part;
    assert_non_null(secret.data);
    id_token_rules_t apple = {.issuer = "TEAM", .audience = "https://apple.example", .nonce = TEXT(""), .now = NOW};
    id_token_t read;
    assert_string_equal(id_token_verify(arena, set, &apple, secret, &read), "nonce"); /* it has none; all before that is right */
    text_t header, claims;
    text_split(&rest, '.', &part);
    assert_true(base64url_decode(arena, part, &header));
    text_split(&rest, '.', &part);
    assert_true(base64url_decode(arena, part, &claims));
    assert_non_null(strstr(arena_string(arena, header), "\"kid\":\"e1\""));
    assert_non_null(strstr(arena_string(arena, claims), "\"sub\":\"com.example.app\""));
    assert_null(service_token_make(arena, &what, TEXT("")).data);
    assert_null(service_token_make(arena, &what, TEXT("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_email_verified),
        cmocka_unit_test(test_claims), cmocka_unit_test(test_headers), cmocka_unit_test(test_confusion),
        cmocka_unit_test(test_forms), cmocka_unit_test(test_sets), cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_client_secret)};
    return cmocka_run_group_tests(tests, make, destroy);
}
