#include "../unit.h"
#include "base/clock.h"
#include "crypto/hash.h"

static arena_t *arena;

static int make(void **state)
{
    (void)state;
    arena = arena_create(1 << 24, NULL, NULL);
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

static void assert_hex(const uint8_t *bytes, const char *hex)
{
    char shown[65];
    for (int i = 0; i < 32; i++)
        snprintf(shown + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(shown, hex);
}

static void digests(void **state)
{
    uint8_t key[32];
    (void)state;
    /* FIPS 180-4's examples */
    assert_hex(
        hash_sha256(TEXT("abc")).bytes, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hex(
        hash_sha256((text_t){0}).bytes, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /* RFC 4231, test case 2: its short key is the same as one padded with zeros */
    memset(key, 0, sizeof(key));
    memcpy(key, "Jefe", 4);
    assert_hex(hash_hmac(key, TEXT("what do ya want for nothing?")).bytes,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_memory_equal(hash_hmac(key, (text_t){0}).bytes, hash_hmac(key, TEXT("")).bytes, 32);
}

static void comparing(void **state)
{
    (void)state;
    assert_true(secret_equal(TEXT("abc"), TEXT("abc")));
    assert_false(secret_equal(TEXT("abc"), TEXT("abd")));
    assert_false(secret_equal(TEXT("abc"), TEXT("ab")));
    assert_true(secret_equal(TEXT(""), (text_t){0}));
    uint8_t first[32], second[32];
    random_bytes(first, sizeof(first));
    random_bytes(second, sizeof(second));
    assert_memory_not_equal(first, second, 32);
    random_bytes(first, 0);
}

static void base64(void **state)
{
    static const struct {
        const char *plain;
        size_t length;
        const char *encoded;
    } cases[] = {
        {"", 0, ""},
        {"f", 1, "Zg"},
        {"fo", 2, "Zm8"},
        {"foo", 3, "Zm9v"},
        {"foob", 4, "Zm9vYg"},
        {"\xfb\xff\xfe", 3, "-__-"},
        {"\0\0", 2, "AAA"},
    };
    static const char *const bad[] = {
        "A", "AAAAA", "Zg==", "Zm9v=", "Zm 9", "Zm+v", "Zm/v", "Zh", "Zm9", "Zm8\n", "\xc3\xa9zz"};
    text_t plain;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_t encoded = base64url_encode(arena, (text_t){cases[i].plain, cases[i].length});
        assert_text(encoded, cases[i].encoded);
        assert_true(base64url_decode(arena, encoded, &plain));
        assert_int_equal(plain.length, cases[i].length);
        assert_memory_equal(plain.data, cases[i].plain, plain.length);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (base64url_decode(arena, text_of(bad[i]), &plain))
            fail_msg("base64url_decode(\"%s\")", bad[i]);
    for (size_t size = 0; size < 300; size++) {
        char bytes[300];
        random_bytes(bytes, size);
        assert_true(base64url_decode(arena, base64url_encode(arena, (text_t){bytes, size}), &plain));
        assert_int_equal(plain.length, size);
        assert_memory_equal(plain.data, bytes, size);
    }
    /* Into a place of fixed size. */
    uint8_t four[4];
    size_t length;
    assert_true(base64url_decode_into(TEXT("Zm9vYg"), four, sizeof(four), &length));
    assert_int_equal(length, 4);
    assert_false(base64url_decode_into(TEXT("Zm9vYmE"), four, sizeof(four), &length));
}

static void passwords(void **state)
{
    static const char longest[] = "123456789012345678901234567890123456789012345678901234567890123456789012";
    (void)state;
    text_t hash = password_hash(arena, TEXT("correct horse"), 4),
           other = password_hash(arena, TEXT("correct horse"), 4);
    assert_int_equal(hash.length, 60);
    assert_true(text_starts_with(hash, TEXT("$2b$04$")));
    assert_false(text_equal(hash, other)); /* another salt */
    assert_true(password_matches(TEXT("correct horse"), hash, 4));
    assert_true(password_matches(TEXT("correct horse"), other, 4));
    assert_false(password_matches(TEXT("correct horsf"), hash, 4));
    assert_false(password_matches(TEXT("correct hors"), hash, 4));
    /* A published test vector. */
    assert_true(password_matches(
        TEXT("U*U"), TEXT("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"), 4));
    /* All of the 72 bytes count. */
    hash = password_hash(arena, text_of(longest), 4);
    assert_true(password_matches(text_of(longest), hash, 4));
    assert_false(password_matches((text_t){longest, 71}, hash, 4));
    /* What is no password, or no hash. */
    assert_false(password_matches(TEXT(""), hash, 4));
    assert_false(password_matches(TEXT("a\0b"), hash, 4));
    assert_false(password_matches(
        TEXT("1234567890123456789012345678901234567890123456789012345678901234567890123"), hash, 4));
    assert_false(password_matches(TEXT("x"), TEXT(""), 4));
    assert_false(password_matches(TEXT("x"), (text_t){0}, 4));
    assert_false(password_matches(TEXT("x"), TEXT("$2b$04$short"), 4));
    assert_false(password_matches(TEXT("x"), TEXT("*0"), 4));
    assert_false(password_matches(TEXT("x"), TEXT("x"), 4));
}

static void cost(void **state)
{
    (void)state;
    assert_int_equal(password_cost(password_hash(arena, TEXT("correct horse"), 4)), 4);
    assert_int_equal(password_cost(password_hash(arena, TEXT("correct horse"), 5)), 5);
    assert_int_equal(password_cost(TEXT("")), -1);
    assert_int_equal(password_cost((text_t){0}), -1);
    assert_int_equal(password_cost(TEXT("$2b$1x$abc")), -1);
    assert_int_equal(password_cost(TEXT("$2a$10$abc")), -1);
    assert_int_equal(password_cost(TEXT("$2b$10")), -1);
}

/* An unknown address takes as long as a wrong password, also as one of a hash made when hashing was quicker. */
static void timing(void **state)
{
    (void)state;
    text_t hash = password_hash(arena, TEXT("correct horse"), 8), older = password_hash(arena, TEXT("correct horse"), 4);
    int64_t begin = clock_monotonic();
    for (int i = 0; i < 5; i++)
        password_matches(TEXT("wrong horse"), hash, 8);
    int64_t wrong = clock_monotonic() - begin;
    begin = clock_monotonic();
    for (int i = 0; i < 5; i++)
        password_matches(TEXT("wrong horse"), TEXT(""), 8);
    int64_t unknown = clock_monotonic() - begin;
    assert_true(unknown > wrong / 3 && unknown < wrong * 3);
    begin = clock_monotonic();
    for (int i = 0; i < 5; i++)
        assert_false(password_matches(TEXT("wrong horse"), older, 8));
    wrong = clock_monotonic() - begin;
    assert_true(unknown > wrong / 3 && unknown < wrong * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(digests), cmocka_unit_test(comparing),
        cmocka_unit_test(base64), cmocka_unit_test(passwords), cmocka_unit_test(cost), cmocka_unit_test(timing)};
    return cmocka_run_group_tests_name("crypto/hash", tests, make, destroy);
}
