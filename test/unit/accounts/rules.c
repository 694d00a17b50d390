/* The small pure rules of actors/accounts: phone.c, headers.c, consent_rules.c, user_search.c. */
#include "../unit.h"
#include "../../../actors/accounts/consent_rules.h"
#include "../../../actors/accounts/headers.h"
#include "../../../actors/accounts/messages.h"
#include "../../../actors/accounts/phone.h"
#include "../../../actors/accounts/user_search.h"

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

static void test_phone_normalise(void **state)
{
    static const struct {
        const char *typed, *normal;
    } cases[] = {
        {"010-1234-5678", "01012345678"},
        {"01012345678", "01012345678"},
        {" 010 1234 5678 ", "01012345678"},
        {"+82 10-1234-5678", "01012345678"},
        {"+82 010-1234-5678", "01012345678"},
        {"+82 2 312 3456", "023123456"},
        {"02-312-3456", "023123456"},
        {"+1 212 555 0100", "+12125550100"},
        {"82 10 1234 5678", "821012345678"},
        {"+82", "0"},
        {"+", ""},
        {"", ""},
        {"kim", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_text(phone_normalise(*state, text_of(cases[i].typed)), cases[i].normal);
}

static void test_phone_index(void **state)
{
    static const uint8_t key[32] = {1}, other[32] = {2};
    digest_t a = phone_index(*state, key, TEXT("+82 10-1234-5678")),
             b = phone_index(*state, key, TEXT("01012345678"));
    digest_t c = phone_index(*state, key, TEXT("01012345679")),
             d = phone_index(*state, other, TEXT("01012345678"));
    assert_memory_equal(a.bytes, b.bytes, 32);
    assert_memory_not_equal(a.bytes, c.bytes, 32);
    assert_memory_not_equal(a.bytes, d.bytes, 32);
}

static void test_cookie_find(void **state)
{
    (void)state;
    static const struct {
        const char *header, *value; /* NULL: not there */
    } cases[] = {
        {"aipoten_refresh=abc", "abc"},
        {"a=1; aipoten_refresh=abc; b=2", "abc"},
        {"a=1;aipoten_refresh=abc", "abc"},
        {"aipoten_refresh=\"abc\"", "abc"},
        {"aipoten_refresh=a=b", "a=b"},
        {"aipoten_refresh=one; aipoten_refresh=two", "one"},
        {"aipoten_refresh=", ""},
        {"xaipoten_refresh=abc", NULL},
        {"aipoten_refresh", NULL},
        {"AIPOTEN_REFRESH=abc", NULL},
        {"a=aipoten_refresh=abc", NULL},
        {"; ;;", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_t value = cookie_find(text_of(cases[i].header), TEXT(REFRESH_COOKIE));
        assert_int_equal(value.data != NULL, cases[i].value != NULL);
        if (cases[i].value)
            assert_text(value, cases[i].value);
    }
    assert_null(cookie_find((text_t){0}, TEXT(REFRESH_COOKIE)).data);
}

static void test_refresh_cookie(void **state)
{
    assert_text(refresh_cookie(*state, TEXT("abc"), 604800),
        "aipoten_refresh=abc; Max-Age=604800; Path=/api/v1/auth; HttpOnly; Secure; SameSite=Strict");
    assert_text(refresh_cookie(*state, TEXT(""), 0),
        "aipoten_refresh=; Max-Age=0; Path=/api/v1/auth; HttpOnly; Secure; SameSite=Strict");
}

static void test_origin_allowed(void **state)
{
    (void)state;
    static const char *items[] = {"https://app.example.kr", "http://localhost:5173"};
    static const config_list_t allowed = {.items = items, .count = 2};
    static const struct {
        const char *origin, *host;
        bool allowed;
    } cases[] = {
        {"https://app.example.kr", "api.example.kr", true},
        {"http://localhost:5173", NULL, true},
        {"https://api.example.kr", "api.example.kr", true},
        {"https://api.example.kr:8443", "API.example.kr:8443", true},
        {"http://api.example.kr", "api.example.kr", false},
        {"https://api.example.kr.evil.com", "api.example.kr", false},
        {"https://evil.com", "api.example.kr", false},
        {"https://app.example.kr.evil.com", "api.example.kr", false},
        {"https://api.example.kr:8443", "api.example.kr", false},
        {"https://", "", false},
        {"https://", NULL, false},
        {"null", "api.example.kr", false},
        {"", "api.example.kr", false},
        {NULL, "api.example.kr", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(
            origin_allowed(&allowed, text_of(cases[i].origin), text_of(cases[i].host)), cases[i].allowed);
}

static void test_agent_label(void **state)
{
    assert_text(agent_label(*state, TEXT(" curl/7.88\r\n\x01 ")), "curl/7.88");
    assert_text(agent_label(*state, TEXT("\xEC\x95\x84 x")), "x");
    assert_null(agent_label(*state, TEXT("\x80\xff")).data);
    assert_null(agent_label(*state, (text_t){0}).data);
    char long_agent[500];
    memset(long_agent, 'a', sizeof(long_agent));
    assert_int_equal(agent_label(*state, (text_t){long_agent, sizeof(long_agent)}).length, 200);
}

/* The rules stand in the order of the message's choice: an index of one is an index of the other. */
static void test_consent_rules(void **state)
{
    assert_int_equal(consent_rule_count, ARRAY_SIZE(consent_kinds) - 1);
    for (int i = 0; i < consent_rule_count; i++) {
        assert_string_equal(consent_rules[i].kind, consent_kinds[i]);
        assert_true(consent_version(i) > 0);
    }
    text_t json = consent_rules_json(*state);
    assert_true(text_starts_with(json, TEXT("[{\"kind\":\"terms\",\"current_version\":")));
    assert_int_equal(json.data[json.length - 1], ']');
}

static void test_like_prefix(void **state)
{
    assert_text(like_prefix(*state, TEXT("Kim")), "kim%");
    assert_text(like_prefix(*state, TEXT("50%_\\")), "50\\%\\_\\\\%");
    assert_text(like_prefix(*state, TEXT("")), "%");
}

static void test_user_cursor(void **state)
{
    user_cursor_t cursor = {.created_at = INT64_C(1742434200123456), .id = {{1, 2, 3}}}, read;
    assert_true(user_cursor_read(*state, user_cursor_build(*state, cursor), &read));
    assert_int_equal(read.created_at, cursor.created_at);
    assert_true(uuid_equal(read.id, cursor.id));
    cursor.created_at = -1;
    assert_false(user_cursor_read(*state, user_cursor_build(*state, cursor), &read));
    cursor.created_at = INT64_MAX;
    assert_false(user_cursor_read(*state, user_cursor_build(*state, cursor), &read));
    assert_false(user_cursor_read(*state, TEXT(""), &read));
    assert_false(user_cursor_read(*state, TEXT("AAAA"), &read));
    assert_false(user_cursor_read(*state, TEXT("!"), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phone_normalise),
        cmocka_unit_test(test_phone_index),
        cmocka_unit_test(test_cookie_find),
        cmocka_unit_test(test_refresh_cookie),
        cmocka_unit_test(test_origin_allowed),
        cmocka_unit_test(test_agent_label),
        cmocka_unit_test(test_consent_rules),
        cmocka_unit_test(test_like_prefix),
        cmocka_unit_test(test_user_cursor),
    };
    return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
