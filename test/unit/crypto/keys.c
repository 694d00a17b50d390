#include "../unit.h"
#include "crypto/keys.h"

#define A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* 32 bytes of zero: 43 characters */
#define B "__________________________________________8" /* 32 bytes of 255 */

static void rings(void **state)
{
    static const struct {
        const char *text;
        int count; /* 0: refused */
    } cases[] = {
        {"k1:" A, 1},
        {"k2:" B ",k1:" A, 2},
        {"0123456789abcDEF:" A, 1},
        {"1:" A ",2:" A ",3:" A ",4:" A ",5:" A ",6:" A ",7:" A ",8:" A, 8},
        {"1:" A ",2:" A ",3:" A ",4:" A ",5:" A ",6:" A ",7:" A ",8:" A ",9:" A, 0},
        {"", 0},
        {"k1", 0},
        {"k1:", 0},
        {":" A, 0},
        {"k1:" A ",", 0},
        {","
         "k1:" A,
            0},
        {"k1:" A ",k1:" B, 0}, /* the same id twice */
        {"k1:" A "A", 0},      /* 33 bytes */
        {"k1:AAAA", 0},        /* 3 bytes */
        {"k1:" A "=", 0},
        {"k 1:" A, 0},
        {"k-1:" A, 0},
        {"k1 :" A, 0},
        {"0123456789abcDEF0:" A, 0}, /* 17 characters */
        {"k1:" A "\n", 0},
        {"k1:k2:" A, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        key_ring_t ring = {.count = 77};
        int result = key_ring_parse(text_of(cases[i].text), &ring);
        if (result != (cases[i].count ? 0 : -1) || ring.count != (cases[i].count ? cases[i].count : 77))
            fail_msg("key_ring_parse(\"%s\")", cases[i].text);
    }
    key_ring_t ring;
    assert_int_equal(key_ring_parse((text_t){0}, &ring), -1);
}

static void finding(void **state)
{
    key_ring_t ring;
    uint8_t ones[KEY_BYTES];
    (void)state;
    memset(ones, 0xff, sizeof(ones));
    assert_int_equal(key_ring_parse(TEXT("k2:" B ",k1:" A), &ring), 0);
    assert_string_equal(ring.keys[0].id, "k2");
    assert_memory_equal(ring.keys[0].key, ones, KEY_BYTES);
    assert_ptr_equal(key_ring_find(&ring, TEXT("k1")), &ring.keys[1]);
    assert_null(key_ring_find(&ring, TEXT("k")));
    assert_null(key_ring_find(&ring, TEXT("k11")));
    assert_null(key_ring_find(&ring, TEXT("K1")));
    assert_null(key_ring_find(&ring, TEXT("")));
    assert_null(key_ring_find(&ring, (text_t){0}));
    assert_null(key_ring_find(&ring, TEXT("k1\0")));
}

static void staging(void **state)
{
    static const struct {
        const char *text;
        int64_t newest;
        int staged;
    } cases[] = {
        {"k1:" A, 1, -1},
        {"k2:" B ",k1:" A, 2, -1},
        {"k1:" A ",k2:" B, 2, 1},
        {"k2:" A ",k1:" A ",k3:" B, 3, 2},
        {"k10:" A ",k9:" B, 10, -1},
        {"winter:" A, 0, -1},
        {"winter:" A ",summer:" B, 0, -1},
        {"winter:" A ",k1:" B, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        key_ring_t ring;
        assert_int_equal(key_ring_parse(text_of(cases[i].text), &ring), 0);
        assert_int_equal(key_ring_newest(&ring), cases[i].newest);
        assert_int_equal(key_ring_staged(&ring), cases[i].staged);
    }
    assert_int_equal(key_number("k12"), 12);
    const char *const others[] = {"", "k", "12", "K1", "k0", "k1a", "kk1"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_equal(key_number(others[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings), cmocka_unit_test(finding), cmocka_unit_test(staging)};
    return cmocka_run_group_tests_name("crypto/keys", tests, NULL, NULL);
}
