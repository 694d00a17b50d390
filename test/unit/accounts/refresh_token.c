/* actors/accounts/refresh_token.c: what is built reads back, one changed bit does not; the verdict on every
 * state. */
#include "../unit.h"
#include "../../../actors/accounts/refresh_token.h"

static const uint8_t key[32] = {1, 2, 3}, other_key[32] = {4, 5, 6}, nonce[REFRESH_NONCE] = {7, 8, 9};
static const uuid_t session = {
    {0x01, 0x95, 0xb0, 0xb4, 0x3c, 0x1e, 0x7d, 0x60, 0x9f, 0x52, 0x6a, 0x2d, 0x5c, 0x8e, 0x4b, 0x17}};

static int arena_setup(void **state)
{
    *state = arena_create(1 << 20, NULL, NULL);
    return 0;
}

static int arena_teardown(void **state)
{
    arena_destroy((arena_t **)state);
    return 0;
}

static void test_round_trip(void **state)
{
    static const uint32_t rotations[] = {0, 1, 255, 256, 65536, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(rotations); i++) {
        text_t token = refresh_token_build(*state, key, (refresh_token_t){session, rotations[i]}, nonce);
        refresh_token_t read;
        assert_int_equal(token.length, 70);
        assert_true(refresh_token_read(*state, key, token, &read));
        assert_true(uuid_equal(read.session, session));
        assert_int_equal(read.rotation, rotations[i]);
    }
}

/* Every bit of the 52 bytes is authenticated. */
static void test_forged(void **state)
{
    refresh_token_t read;
    text_t token = refresh_token_build(*state, key, (refresh_token_t){session, 3}, nonce);
    text_t bytes;
    assert_true(base64url_decode(*state, token, &bytes));
    for (size_t bit = 0; bit < bytes.length * 8; bit++) {
        text_t changed = arena_copy(*state, bytes);
        ((char *)(uintptr_t)changed.data)[bit / 8] ^= (char)(1 << bit % 8);
        assert_false(refresh_token_read(*state, key, base64url_encode(*state, changed), &read));
    }
    assert_false(refresh_token_read(*state, other_key, token, &read));
}

static void test_malformed(void **state)
{
    static const char *const tokens[] = {"", "A", "AAAA", "not base64!", "eyJhbGciOiJub25lIn0.e30."};
    refresh_token_t read;
    for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
        assert_false(refresh_token_read(*state, key, text_of(tokens[i]), &read));
    text_t token = refresh_token_build(*state, key, (refresh_token_t){session, 3}, nonce);
    assert_false(refresh_token_read(*state, key, (text_t){token.data, token.length - 1}, &read));
    assert_false(refresh_token_read(*state, key, arena_format(*state, "%.*sAAAA", TEXT_ARG(token)), &read));
}

/* Two tokens of one rotation differ by their nonce, and so do their digests. */
static void test_digest(void **state)
{
    static const uint8_t other_nonce[REFRESH_NONCE] = {1};
    text_t one = refresh_token_build(*state, key, (refresh_token_t){session, 3}, nonce);
    text_t two = refresh_token_build(*state, key, (refresh_token_t){session, 3}, other_nonce);
    digest_t a = refresh_token_digest(*state, one), b = refresh_token_digest(*state, two);
    digest_t again = refresh_token_digest(*state, arena_copy(*state, one));
    assert_memory_equal(a.bytes, again.bytes, sizeof(a.bytes));
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
}

static void test_judge(void **state)
{
    (void)state;
    static const digest_t newest = {{1}}, other = {{2}};
    static const struct {
        uint32_t shown;
        bool same_digest, revoked, suspended;
        int64_t now;
        enum refresh_verdict verdict;
    } cases[] = {
        {5, true, false, false, 99, REFRESH_CURRENT},
        {5, true, false, false, 100, REFRESH_REFUSED}, /* expires at 100 */
        {5, true, true, false, 99, REFRESH_REFUSED}, {5, true, false, true, 99, REFRESH_REFUSED},
        {5, false, false, false, 99, REFRESH_REFUSED}, /* of this rotation, yet not the one that was stored */
        {4, false, false, false, 99, REFRESH_SPENT}, {0, false, false, false, 99, REFRESH_SPENT},
        {4, false, false, false, 500, REFRESH_SPENT}, {4, false, false, true, 99, REFRESH_SPENT},
        {4, false, true, false, 99, REFRESH_REFUSED},
        {6, true, false, false, 99,
            REFRESH_REFUSED}, /* the tables are older than the token: a restored backup */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        refresh_family_t family = {.rotation = 5,
            .expires_at = 100,
            .digest = {(const char *)newest.bytes, sizeof(newest.bytes)},
            .revoked = cases[i].revoked,
            .user_active = !cases[i].suspended};
        refresh_token_t token = {.session = session, .rotation = cases[i].shown};
        assert_int_equal(refresh_judge(token, cases[i].same_digest ? newest : other, &family, cases[i].now),
            cases[i].verdict);
    }
}

static void test_csrf(void **state)
{
    uuid_t other_session = session;
    other_session.bytes[15] ^= 1;
    text_t token = csrf_token_build(*state, key, session);
    assert_true(csrf_token_matches(*state, key, session, token));
    assert_false(csrf_token_matches(*state, key, other_session, token));
    assert_false(csrf_token_matches(*state, other_key, session, token));
    assert_false(csrf_token_matches(*state, key, session, (text_t){0}));
    assert_false(csrf_token_matches(*state, key, session, TEXT("")));
    assert_false(csrf_token_matches(*state, key, session, (text_t){token.data, token.length - 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_csrf),
    };
    return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
