/* actors/accounts/mails.c: the tokens that travel by mail. */
#include "../unit.h"
#include "../../../actors/accounts/mails.h"

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

static void test_token_is_found_by_its_digest(void **state)
{
    mail_token_t token = mail_token_new(*state), other = mail_token_new(*state);
    digest_t digest;
    assert_int_equal(token.text.length, 43);
    assert_true(mail_token_digest(*state, token.text, &digest));
    assert_memory_equal(digest.bytes, token.digest.bytes, sizeof(digest.bytes));
    assert_memory_not_equal(other.digest.bytes, token.digest.bytes, sizeof(digest.bytes));
    assert_false(text_equal(token.text, other.text));
}

static void test_what_is_no_token(void **state)
{
    static const char *const cases[] = {"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAA+AAAAAAAAAAAAAAAAAAAAA"};
    digest_t digest;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_false(mail_token_digest(*state, text_of(cases[i]), &digest));
    assert_true(mail_token_digest(*state, TEXT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_token_is_found_by_its_digest, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_token, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
