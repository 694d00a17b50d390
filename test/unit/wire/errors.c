#include "../unit.h"
#include "wire/errors.h"
#include <jansson.h>

static void languages(void **state)
{
    static const struct {
        const char *header;
        enum language language;
    } cases[] = {
        {NULL, LANGUAGE_KO},
        {"", LANGUAGE_KO},
        {"ko", LANGUAGE_KO},
        {"en", LANGUAGE_EN},
        {"EN-gb", LANGUAGE_EN},
        {"en-US,en;q=0.9", LANGUAGE_EN},
        {"ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", LANGUAGE_KO},
        {"en;q=0.8,ko;q=0.9", LANGUAGE_KO},
        {"en;q=0.9,ko;q=0.8", LANGUAGE_EN},
        {"en;q=0.5 , ko ; q=0.4", LANGUAGE_EN},
        {"fr,de;q=0.9", LANGUAGE_KO},
        {"fr,*;q=0.5", LANGUAGE_KO},
        {"ko;q=0,*", LANGUAGE_EN},
        {"*;q=0", LANGUAGE_KO},
        {"*,ko;q=0.5", LANGUAGE_EN}, /* the star stands for what is not named */
        {"en;q=0", LANGUAGE_KO},
        {"en;q=2,ko;q=0.1", LANGUAGE_KO},      /* no weight: the range does not count */
        {"en;q=0.1234,ko;q=0.1", LANGUAGE_KO}, /* four digits are none */
        {"en;q=1.000,ko;q=0.999", LANGUAGE_EN},
        {"en;q=1.001,ko;q=0.1", LANGUAGE_KO},
        {"en;x=1,ko;q=0.1", LANGUAGE_KO},
        {"en;Q=0.9,ko;q=0.1", LANGUAGE_EN},
        {"english", LANGUAGE_KO},
        {",,;;,-,en-,;q=1", LANGUAGE_EN},
        {";;;;;;", LANGUAGE_KO},
        {"en;q=", LANGUAGE_KO},
        {"en;q=.5", LANGUAGE_KO},
        {"en;q=0.", LANGUAGE_KO},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (language_of(text_of(cases[i].header)) != cases[i].language)
            fail_msg("language_of(\"%s\")", cases[i].header);
}

static void table(void **state)
{
    static const struct {
        enum error_code code;
        const char *name;
        int status;
    } promised[] = {
        {ERROR_VALIDATION, "VALIDATION_ERROR", 400},
        {ERROR_UNAUTHENTICATED, "UNAUTHENTICATED", 401},
        {ERROR_FORBIDDEN, "FORBIDDEN", 403},
        {ERROR_NOT_FOUND, "NOT_FOUND", 404},
        {ERROR_CONFLICT, "CONFLICT", 409},
        {ERROR_CONSENT_REQUIRED, "CONSENT_REQUIRED", 422},
        {ERROR_PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", 413},
        {ERROR_UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", 415},
        {ERROR_UNPROCESSABLE, "UNPROCESSABLE", 422},
        {ERROR_RATE_LIMITED, "RATE_LIMITED", 429},
        {ERROR_UNAVAILABLE, "UNAVAILABLE", 503},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(promised); i++) {
        assert_string_equal(errors[promised[i].code].code, promised[i].name);
        assert_int_equal(errors[promised[i].code].status, promised[i].status);
    }
    for (int i = ERROR_NONE + 1; i < ERROR_CODES; i++) {
        assert_non_null(errors[i].code);
        assert_true(errors[i].status >= 400 && errors[i].status <= 504);
        for (int k = 0; k < LANGUAGES; k++)
            assert_true(strlen(errors[i].message[k]) > 10);
        for (int k = ERROR_NONE; k < i; k++)
            assert_string_not_equal(errors[i].code, errors[k].code);
    }
}

static const char *const colours[] = {"red", "green", NULL};
static const field_t text = {.name = "t", .type = FIELD_text};
static const field_t password = {.name = "p", .type = FIELD_text, .format = FORMAT_PASSWORD};
static const field_t email = {.name = "e", .type = FIELD_text, .format = FORMAT_EMAIL};
static const field_t weight = {.name = "w", .type = FIELD_decimal, .scale = 3};
static const field_t colour = {.name = "c", .type = FIELD_choice, .names = colours};
static const field_t number = {.name = "n", .type = FIELD_integer};
static const field_t list = {.name = "l", .type = FIELD_list};

static void sentences(void **state)
{
    static const struct {
        problem_t problem;
        const char *english, *korean;
    } cases[] = {
        {{.kind = PROBLEM_TOO_LONG, .of = &text, .bound = 50}, "Must have at most 50 characters.",
            "50자 이하여야 합니다."},
        {{.kind = PROBLEM_TOO_LONG, .of = &password, .bound = 72}, "Must have at most 72 bytes.",
            "72바이트 이하"},
        {{.kind = PROBLEM_TOO_LONG, .of = &list, .bound = 5}, "Must have at most 5 elements.",
            "5개 이하여야 합니다."},
        {{.kind = PROBLEM_FORMAT, .of = &email}, "Must be an e-mail address.", "이메일 주소 형식이"},
        {{.kind = PROBLEM_TOO_SMALL, .of = &weight, .bound = 300}, "Must be at least 0.3.",
            "0.3 이상이어야 합니다."},
        {{.kind = PROBLEM_TOO_LARGE, .of = &weight, .bound = 8000}, "Must be at most 8.",
            "8 이하여야 합니다."},
        {{.kind = PROBLEM_TOO_SMALL, .of = &weight, .bound = -1050}, "Must be at least -1.05.", "-1.05 이상"},
        {{.kind = PROBLEM_TOO_SMALL, .of = &weight, .bound = INT64_MIN},
            "Must be at least -9223372036854775.808.", "-9223372036854775.808"},
        {{.kind = PROBLEM_TOO_SMALL, .of = &weight, .bound = 0}, "Must be at least 0.", "0 이상"},
        {{.kind = PROBLEM_FORMAT, .of = &weight, .bound = 3}, "May have at most 3 digits after the point.",
            "3자리까지"},
        {{.kind = PROBLEM_TOO_LARGE, .of = &number, .bound = INT64_MAX},
            "Must be at most 9223372036854775807.", "9223372036854775807 이하"},
        {{.kind = PROBLEM_CHOICE, .of = &colour}, "Must be one of: red, green.",
            "다음 중 하나여야 합니다: red, green"},
        {{.kind = PROBLEM_TYPE, .of = &colour}, "Must be one of: red, green.", "red, green"},
        {{.kind = PROBLEM_TYPE}, "Must be a JSON object.", "JSON 객체여야 합니다."},
        {{.kind = PROBLEM_SYNTAX, .bound = 17}, "Is not well-formed JSON (at byte 17).", "17번째 바이트"},
        {{.kind = PROBLEM_TOO_DEEP, .bound = 32}, "Must not be nested deeper than 32 levels.", "32단계"},
    };
    (void)state;
    arena_t *arena = arena_create(1 << 20, NULL, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_t english = problem_sentence(arena, &cases[i].problem, LANGUAGE_EN);
        text_t korean = problem_sentence(arena, &cases[i].problem, LANGUAGE_KO);
        assert_text(english, cases[i].english);
        if (strstr(korean.data, cases[i].korean) == NULL)
            fail_msg("%s", korean.data);
    }
    /* Every kind has a sentence for every type, and none leaves a hole. */
    for (int kind = 0; kind < PROBLEM_KINDS; kind++)
        for (int type = -1; type < FIELD_TYPES; type++)
            for (int k = 0; k < LANGUAGES; k++) {
                field_t field = {
                    .name = "f", .type = type < 0 ? FIELD_text : (enum field_type)type, .names = colours};
                problem_t problem = {
                    .kind = (enum problem_kind)kind, .of = type < 0 ? NULL : &field, .bound = 3};
                text_t sentence = problem_sentence(arena, &problem, (enum language)k);
                assert_true(
                    sentence.length > 5 && text_is_utf8(sentence) && strstr(sentence.data, "{}") == NULL);
            }
    arena_destroy(&arena);
}

static void envelope(void **state)
{
    (void)state;
    arena_t *arena = arena_create(1 << 20, NULL, NULL);
    buffer_t out = {0};
    problems_t problems = {.arena = arena};

    error_json(&out, ERROR_NOT_FOUND, LANGUAGE_EN, NULL);
    assert_text(buffer_text(&out), "{\"success\":false,\"error\":{\"code\":\"NOT_FOUND\",\"message\":"
                                   "\"There is nothing here by that name.\",\"details\":[]}}");
    out.length = 0;
    problem_add(&problems, TEXT("email"), PROBLEM_FORMAT, &email, 0);
    problem_add(&problems, TEXT("a\"b"), PROBLEM_UNKNOWN, NULL, 0);
    error_json(&out, ERROR_VALIDATION, LANGUAGE_KO, &problems);
    json_t *root = json_loadb(out.data, out.length, 0, NULL), *details;
    const char *code, *message, *field, *sentence;
    int success = 1;
    assert_non_null(root);
    assert_int_equal(json_unpack(root, "{s:b,s:{s:s,s:s,s:o !} !}", "success", &success, "error", "code",
                         &code, "message", &message, "details", &details),
        0);
    assert_false(success);
    assert_string_equal(code, "VALIDATION_ERROR");
    assert_int_equal(json_array_size(details), 2);
    assert_int_equal(
        json_unpack(json_array_get(details, 1), "{s:s,s:s !}", "field", &field, "message", &sentence), 0);
    assert_string_equal(field, "a\"b");
    assert_string_equal(sentence, "알 수 없는 항목입니다.");
    json_decref(root);
    buffer_free(&out);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(languages), cmocka_unit_test(table),
        cmocka_unit_test(sentences), cmocka_unit_test(envelope)};
    return cmocka_run_group_tests_name("wire/errors", tests, NULL, NULL);
}
