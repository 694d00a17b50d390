/* The pure rules of logging in by another company: oauth_rules.c, oauth_answers.c. */
#include "../unit.h"
#include "../../../actors/accounts/oauth_answers.h"
#include "../../../actors/accounts/oauth_rules.h"

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

static void test_decide(void **state)
{
    static const struct {
        oauth_situation_t now;
        enum oauth_step step;
    } cases[] = {
        {{.known = true}, OAUTH_ENTER},
        {{.known = true, .email = true, .verified = true, .taken = true, .account_verified = true}, OAUTH_ENTER},
        {{0}, OAUTH_NO_EMAIL},
        {{.email = true}, OAUTH_CREATE},
        {{.email = true, .verified = true}, OAUTH_CREATE},
        {{.email = true, .taken = true}, OAUTH_LINK_REQUIRED},
        {{.email = true, .taken = true, .verified = true}, OAUTH_LINK_REQUIRED},
        {{.email = true, .taken = true, .account_verified = true}, OAUTH_LINK_REQUIRED},
        {{.email = true, .taken = true, .verified = true, .account_verified = true}, OAUTH_LINK},
        {{.linking = true}, OAUTH_LINK},
        {{.linking = true, .email = true, .taken = true}, OAUTH_LINK},
        {{.linking = true, .known = true}, OAUTH_OTHERS},
        {{.linking = true, .known = true, .own = true}, OAUTH_ENTER},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(oauth_decide(&cases[i].now), cases[i].step);
}

/* Over all situations: no account is joined by an address that either side has not verified. */
static void test_decide_never(void **state)
{
    (void)state;
    for (int bits = 0; bits < 1 << 7; bits++) {
        oauth_situation_t now = {.known = bits & 1,
            .linking = bits & 2,
            .own = bits & 4,
            .email = bits & 8,
            .verified = bits & 16,
            .taken = bits & 32,
            .account_verified = bits & 64};
        enum oauth_step step = oauth_decide(&now);
        if (step == OAUTH_LINK && !now.linking)
            assert_true(now.email && now.verified && now.taken && now.account_verified && !now.known);
        if (step == OAUTH_CREATE)
            assert_true(now.email && !now.taken && !now.known && !now.linking);
        if (step == OAUTH_ENTER)
            assert_true(now.known && (!now.linking || now.own));
    }
}

/* The example of RFC 7636, appendix B. */
static void test_challenge(void **state)
{
    text_t challenge = TEXT("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert_true(oauth_verifier_matches(*state, TEXT("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), challenge));
    assert_false(oauth_verifier_matches(*state, TEXT("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"), challenge));
    assert_false(oauth_verifier_matches(*state, challenge, challenge)); /* "plain" */
    assert_true(oauth_challenge_valid(challenge));
    assert_false(oauth_challenge_valid(TEXT("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN"))); /* no encoder writes it */
    assert_false(oauth_challenge_valid(TEXT("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c=")));
    assert_false(oauth_challenge_valid(TEXT("E9Melhoa")));
    assert_false(oauth_challenge_valid(TEXT("")));
}

static void test_name(void **state)
{
    static const struct {
        const char *name, *email, *wanted;
    } cases[] = {
        {"김하나", "hana@example.com", "김하나"},
        {"  Kim  ", "hana@example.com", "Kim"},
        {NULL, "hana@example.com", "hana"},
        {"   ", "hana@example.com", "hana"},
        {"가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가",
            "a@b.kr",
            "가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가"},
        {"12345678901234567890123456789012345678901234567890", "a@b.kr",
            "12345678901234567890123456789012345678901234567890"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_text(oauth_name(*state, text_of(cases[i].name), text_of(cases[i].email)), cases[i].wanted);
}

static void test_tokens(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum token_answer answer;
    } cases[] = {
        {200, "{\"access_token\":\"a\",\"id_token\":\"i\",\"token_type\":\"Bearer\"}", ANSWER_TOKENS},
        {200, "{\"id_token\":\"i\"}", ANSWER_TOKENS},
        {200, "{\"access_token\":7}", ANSWER_BROKEN},
        {200, "{\"access_token\":\"a\\r\\nx: y\"}", ANSWER_BROKEN}, /* would become a header */
        {200, "{}", ANSWER_BROKEN},
        {200, "[]", ANSWER_BROKEN},
        {200, "<html>", ANSWER_BROKEN},
        {200, "", ANSWER_BROKEN},
        {200, "{\"error\":\"invalid_request\",\"error_description\":\"no valid data in session\"}",
            ANSWER_REFUSED}, /* Naver */
        {200, "{\"error\":\"invalid_grant\",\"access_token\":\"a\"}", ANSWER_REFUSED},
        {400, "{\"error\":\"invalid_grant\",\"error_code\":\"KOE320\"}", ANSWER_REFUSED}, /* Kakao */
        {400, "{\"access_token\":\"a\"}", ANSWER_BROKEN},
        {401, "{\"error\":\"invalid_client\"}", ANSWER_CLIENT},
        {400, "{\"error\":\"unauthorized_client\"}", ANSWER_CLIENT},
        {302, "{\"access_token\":\"a\"}", ANSWER_BROKEN},
        {201, "{\"access_token\":\"a\"}", ANSWER_BROKEN},
        {500, "{\"error\":\"invalid_grant\"}", ANSWER_BROKEN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        tokens_answer_t tokens;
        assert_int_equal(token_answer_read(*state, cases[i].status, text_of(cases[i].body), &tokens), cases[i].answer);
        if (cases[i].answer != ANSWER_TOKENS)
            assert_null(tokens.access_token.data);
    }
}

static void test_kakao(void **state)
{
    static const struct {
        const char *account;
        bool email, verified;
    } cases[] = {
        {"\"email\":\"a@b.kr\",\"is_email_valid\":true,\"is_email_verified\":true", true, true},
        {"\"email\":\"a@b.kr\",\"is_email_valid\":false,\"is_email_verified\":true", true, false},
        {"\"email\":\"a@b.kr\",\"is_email_valid\":true,\"is_email_verified\":false", true, false},
        {"\"email\":\"a@b.kr\",\"is_email_verified\":true", true, false},
        {"\"email\":\"a@b.kr\"", true, false},
        {"\"email_needs_agreement\":true,\"is_email_valid\":true,\"is_email_verified\":true", false, false},
        {"\"email\":{\"a\":1},\"is_email_valid\":true,\"is_email_verified\":true", false, false},
    };
    id_token_t person;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_t body = arena_format(*state,
            "{\"id\":123456789,\"kakao_account\":{%s,\"profile\":{\"nickname\":\"홍길동\"}}}", cases[i].account);
        assert_true(kakao_person_read(*state, body, &person));
        assert_text(person.subject, "123456789");
        assert_text(person.name, "홍길동");
        assert_int_equal(person.email.data != NULL, cases[i].email);
        assert_int_equal(person.email_verified, cases[i].verified);
    }
    assert_true(kakao_person_read(*state, TEXT("{\"id\":1}"), &person));
    assert_null(person.email.data);
    assert_false(kakao_person_read(*state, TEXT("{\"id\":1.5}"), &person));
    assert_false(kakao_person_read(*state, TEXT("{\"msg\":\"no\",\"code\":-401}"), &person));
    assert_false(kakao_person_read(*state, TEXT("oops"), &person));
}

static void test_naver(void **state)
{
    id_token_t person;
    assert_true(naver_person_read(*state,
        TEXT("{\"resultcode\":\"00\",\"message\":\"success\",\"response\":{\"id\":\"32742776\",\"email\":\"a@naver."
             "com\","
             "\"name\":\"오픈\",\"email_verified\":true}}"),
        &person));
    assert_text(person.subject, "32742776");
    assert_text(person.email, "a@naver.com");
    assert_text(person.name, "오픈");
    assert_false(person.email_verified); /* whatever stands there: Naver documents no such thing */
    assert_true(naver_person_read(
        *state, TEXT("{\"resultcode\":\"00\",\"response\":{\"id\":\"3\",\"nickname\":\"N\"}}"), &person));
    assert_text(person.name, "N");
    assert_null(person.email.data);
    assert_false(naver_person_read(*state, TEXT("{\"resultcode\":\"024\",\"response\":{\"id\":\"3\"}}"), &person));
    assert_false(naver_person_read(*state, TEXT("{\"response\":{\"id\":\"3\"}}"), &person));
    assert_false(naver_person_read(*state, TEXT("{\"resultcode\":\"00\",\"response\":{\"id\":3}}"), &person));
    assert_false(naver_person_read(*state, TEXT("{\"resultcode\":\"00\",\"id\":\"3\"}"), &person));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decide), cmocka_unit_test(test_decide_never),
        cmocka_unit_test(test_challenge), cmocka_unit_test(test_name), cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_kakao), cmocka_unit_test(test_naver)};
    return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
