#include "../unit.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "crypto/token.h"

#define NOW (INT64_C(1767225600) * CLOCK_SECOND) /* 2026-01-01T00:00:00Z */

static arena_t *arena;
static key_ring_t ring, rotated;
static token_rules_t rules;
static token_t token;

static int make(void **state)
{
    (void)state;
    arena = arena_create(1 << 24, NULL, NULL);
    ring.count = 1;
    memcpy(ring.keys[0].id, "k1", 3);
    random_bytes(ring.keys[0].key, KEY_BYTES);
    rotated.count = 2;
    memcpy(rotated.keys[0].id, "k2", 3);
    random_bytes(rotated.keys[0].key, KEY_BYTES);
    rotated.keys[1] = ring.keys[0];
    rules = (token_rules_t){.ring = &ring, .issuer = "aipoten", .audience = "aipoten-api"};
    token = (token_t){.user = uuid_new(),
        .session = uuid_new(),
        .role = ROLE_PARENT,
        .issued = NOW + 123456,
        .expires = NOW + 900 * CLOCK_SECOND + 123456};
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

static const char *verify(const token_rules_t *by, text_t text, int64_t now)
{
    token_t read;
    const char *reason = "(none)";
    bool good = token_verify(by, text, now, &read, &reason);
    return good ? "good" : reason;
}

/* Signs what it is told, however wrong, with a key. */
static text_t forge(const char *header, const char *claims, const uint8_t *key)
{
    text_t body = arena_format(arena, "%.*s.%.*s", TEXT_ARG(base64url_encode(arena, text_of(header))),
        TEXT_ARG(base64url_encode(arena, text_of(claims))));
    digest_t signature = hash_hmac(key, body);
    text_t encoded = base64url_encode(arena, (text_t){(char *)signature.bytes, 32});
    return arena_format(arena, "%.*s.%.*s", TEXT_ARG(body), TEXT_ARG(encoded));
}

#define HEADER "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"k1\"}"
#define USER                                                                                                 \
    "\"sub\":\"0190163d-8694-739b-aea5-966c26f8ad91\",\"sid\":\"0190163d-8694-739b-aea5-966c26f8ad92\""
#define CLAIMS                                                                                               \
    "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER                                                     \
    ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}"

static void round_trip(void **state)
{
    token_t read;
    const char *reason;
    (void)state;
    for (enum role role = ROLE_PARENT; role < ROLES; role++) {
        token.role = role;
        text_t text = token_sign(arena, &rules, &token);
        assert_true(token_verify(&rules, text, NOW + CLOCK_SECOND, &read, &reason));
        assert_true(uuid_equal(read.user, token.user));
        assert_true(uuid_equal(read.session, token.session));
        assert_int_equal(read.role, role);
        assert_true(read.issued == token.issued); /* to the microsecond: a revocation is */
        assert_true(read.expires >= token.expires && read.expires < token.expires + CLOCK_SECOND);
        assert_int_equal(role_of(text_of(role_name(role))), role);
    }
    token.role = ROLE_PARENT;
    assert_int_equal(role_of(TEXT("none")), ROLE_NONE);
    assert_int_equal(role_of(TEXT("Admin")), ROLE_NONE);
    assert_int_equal(role_of((text_t){0}), ROLE_NONE);
}

static void expiry(void **state)
{
    text_t text = token_sign(arena, &rules, &token);
    token_t read;
    const char *reason;
    (void)state;
    assert_true(token_verify(&rules, text, NOW, &read, &reason));
    assert_string_equal(verify(&rules, text, read.expires - 1), "good");
    assert_string_equal(verify(&rules, text, read.expires), "expired");
    assert_string_equal(verify(&rules, text, read.expires + CLOCK_DAY), "expired");
}

static void rotation(void **state)
{
    token_rules_t after = rules;
    (void)state;
    after.ring = &rotated;
    assert_string_equal(verify(&after, token_sign(arena, &rules, &token), NOW), "good");
    assert_string_equal(verify(&rules, token_sign(arena, &after, &token), NOW), "key");
}

static void strangers(void **state)
{
    token_rules_t other = rules;
    text_t text = token_sign(arena, &rules, &token);
    key_ring_t same_id = ring;
    (void)state;
    other.issuer = "somebody";
    assert_string_equal(verify(&other, text, NOW), "claims");
    other = rules;
    other.audience = "aipoten-web";
    assert_string_equal(verify(&other, text, NOW), "claims");
    other = rules;
    random_bytes(same_id.keys[0].key, KEY_BYTES);
    other.ring = &same_id;
    assert_string_equal(verify(&other, text, NOW), "signature");
}

static void headers(void **state)
{
    static const struct {
        const char *header, *reason;
    } cases[] = {
        {HEADER, "good"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\"}", "good"},
        {"{\"alg\":\"none\",\"kid\":\"k1\"}", "algorithm"},
        {"{\"alg\":\"none\"}", "algorithm"},
        {"{\"alg\":\"None\",\"kid\":\"k1\"}", "algorithm"},
        {"{\"alg\":\"HS384\",\"kid\":\"k1\"}", "algorithm"},
        {"{\"alg\":\"HS512\",\"kid\":\"k1\"}", "algorithm"},
        {"{\"alg\":\"RS256\",\"kid\":\"k1\"}", "algorithm"},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\"}", "algorithm"},
        {"{\"alg\":\"hs256\",\"kid\":\"k1\"}", "algorithm"},
        {"{\"alg\":\"\",\"kid\":\"k1\"}", "algorithm"},
        {"{\"alg\":\"HS256\"}", "key"},
        {"{\"alg\":\"HS256\",\"kid\":\"k9\"}", "key"},
        {"{\"alg\":\"HS256\",\"kid\":\"\"}", "key"},
        {"{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", "key"},
        {"{\"alg\":\"HS256\",\"kid\":1}", "malformed"},
        {"{\"alg\":256,\"kid\":\"k1\"}", "malformed"},
        {"{\"kid\":\"k1\"}", "malformed"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"JWE\"}", "malformed"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":7}", "malformed"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\",\"crit\":[\"b64\"]}", "malformed"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\",\"jwk\":{}}", "malformed"},
        {"{\"alg\":\"HS256\",\"alg\":\"none\",\"kid\":\"k1\"}", "malformed"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\\u0000\"}", "malformed"},
        {"[]", "malformed"},
        {"\"HS256\"", "malformed"},
        {"{", "malformed"},
        {"", "malformed"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *reason = verify(&rules, forge(cases[i].header, CLAIMS, ring.keys[0].key), NOW);
        if (strcmp(reason, cases[i].reason) != 0)
            fail_msg("%s: %s", cases[i].header, reason);
    }
}

static void claims(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":1,\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":[\"aipoten-api\"]," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"root\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"none\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":3,\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":\"1767226500\"}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500.5}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":null}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":true}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":1000000,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":-1,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":-1,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":9223372036854775807}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\"," USER
        ",\"role\":\"admin\",\"iat\":1767226500,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\",\"sub\":\"0190163d-8694-739b-aea5-966c26f8ad91\""
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
        "{\"iss\":\"aipoten\",\"aud\":\"aipoten-api\",\"sid\":\"0190163d-8694-739b-aea5-966c26f8ad91\","
        "\"sub\":\"1\""
        ",\"role\":\"admin\",\"iat\":1767225600,\"iat_us\":5,\"exp\":1767226500}",
    };
    (void)state;
    assert_string_equal(verify(&rules, forge(HEADER, CLAIMS, ring.keys[0].key), NOW), "good");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *reason = verify(&rules, forge(HEADER, bad[i], ring.keys[0].key), NOW);
        if (strcmp(reason, "claims") != 0)
            fail_msg("%s: %s", bad[i], reason);
    }
    /* No JSON at all. */
    assert_string_not_equal(verify(&rules, forge(HEADER, "nothing", ring.keys[0].key), NOW), "good");
    assert_string_not_equal(verify(&rules, forge(HEADER, "[]", ring.keys[0].key), NOW), "good");
    assert_string_not_equal(verify(&rules, forge(HEADER, "\"\"", ring.keys[0].key), NOW), "good");
}

static void shapes(void **state)
{
    text_t good = token_sign(arena, &rules, &token);
    static const char *const bad[] = {"", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "Bearer x", "null"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_string_equal(verify(&rules, text_of(bad[i]), NOW), "malformed");
    assert_string_equal(verify(&rules, (text_t){0}, NOW), "malformed");
    /* Without its signature, with a longer one, with padding, with white space. */
    const char *dot = memrchr(good.data, '.', good.length);
    assert_string_equal(verify(&rules, (text_t){good.data, (size_t)(dot - good.data)}, NOW), "malformed");
    assert_string_equal(verify(&rules, (text_t){good.data, (size_t)(dot - good.data) + 1}, NOW), "malformed");
    assert_string_not_equal(verify(&rules, arena_format(arena, "%.*s=", TEXT_ARG(good)), NOW), "good");
    assert_string_not_equal(verify(&rules, arena_format(arena, "%.*s ", TEXT_ARG(good)), NOW), "good");
    assert_string_not_equal(verify(&rules, arena_format(arena, "%.*sAAAA", TEXT_ARG(good)), NOW), "good");
    assert_string_not_equal(verify(&rules, arena_format(arena, "%.*s.AAAA", TEXT_ARG(good)), NOW), "good");
    /* Every changed character, and every prefix. */
    char *copy = malloc(good.length);
    for (size_t i = 0; i < good.length; i++) {
        memcpy(copy, good.data, good.length);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        assert_string_not_equal(verify(&rules, (text_t){copy, good.length}, NOW), "good");
        copy[i] = '\0';
        assert_string_not_equal(verify(&rules, (text_t){copy, good.length}, NOW), "good");
        assert_string_not_equal(verify(&rules, (text_t){good.data, i}, NOW), "good");
    }
    free(copy);
    /* A megabyte. */
    copy = malloc(1 << 20);
    memset(copy, 'A', 1 << 20);
    assert_string_equal(verify(&rules, (text_t){copy, 1 << 20}, NOW), "malformed");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(expiry),
        cmocka_unit_test(rotation), cmocka_unit_test(strangers), cmocka_unit_test(headers),
        cmocka_unit_test(claims), cmocka_unit_test(shapes)};
    return cmocka_run_group_tests_name("crypto/token", tests, make, destroy);
}
