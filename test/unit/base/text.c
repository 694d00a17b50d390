#include "../unit.h"
#include "base/text.h"

static void ints(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t number;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"42", true, 42},
        {"-42", true, -42},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"--1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"0x10", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t number = 77;
        bool good = text_to_int(text_of(cases[i].text), &number);
        if (good != cases[i].good || number != (good ? cases[i].number : 77))
            fail_msg("text_to_int(\"%s\")", cases[i].text);
    }
    int64_t number;
    assert_false(text_to_int((text_t){0}, &number));
}

static void utf8(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        int characters; /* -1: not well-formed */
    } cases[] = {
        {"", 0, 0},
        {"abc", 3, 3},
        {"가나다", 9, 3},
        {"a\xc3\xa9z", 4, 3},
        {"\xf0\x9f\x98\x80", 4, 1},  /* U+1F600 */
        {"\xf4\x8f\xbf\xbf", 4, 1},  /* U+10FFFF */
        {"\xee\x80\x80", 3, 1},      /* U+E000, the first after the surrogates */
        {"\xed\x9f\xbf", 3, 1},      /* U+D7FF, the last before them */
        {"a\0b", 3, -1},             /* NUL */
        {"\xc0\x80", 2, -1},         /* overlong NUL */
        {"\xc1\xbf", 2, -1},         /* overlong */
        {"\xe0\x9f\xbf", 3, -1},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 4, -1}, /* overlong */
        {"\xed\xa0\x80", 3, -1},     /* surrogate */
        {"\xed\xbf\xbf", 3, -1},     /* surrogate */
        {"\xf4\x90\x80\x80", 4, -1}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 4, -1},
        {"\xff", 1, -1},
        {"\x80", 1, -1},         /* continuation alone */
        {"\xc3", 1, -1},         /* cut */
        {"\xe0\xa0", 2, -1},     /* cut */
        {"\xf0\x9f\x98", 3, -1}, /* cut */
        {"\xc3\x28", 2, -1},     /* no continuation */
        {"\xe2\x82\x28", 3, -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_t text = {.data = cases[i].bytes, .length = cases[i].length};
        if (text_is_utf8(text) != (cases[i].characters >= 0))
            fail_msg("text_is_utf8, case %zu", i);
        if (cases[i].characters >= 0)
            assert_int_equal(text_characters(text), cases[i].characters);
    }
    assert_true(text_is_utf8((text_t){0}));
    assert_int_equal(text_utf8_next(text_of("가나")), 3);
    assert_int_equal(text_utf8_next((text_t){.data = "가", .length = 2}), 0);
    assert_int_equal(text_utf8_next((text_t){0}), 0);
    /* Wherever the one wrong byte stands among many. */
    for (size_t at = 0; at < 20; at++) {
        char bytes[20];
        static const char wrong[] = {'\0', '\x80', '\xff', '\xc3'};
        for (size_t i = 0; i < sizeof(wrong); i++) {
            memset(bytes, 'a', sizeof(bytes));
            assert_true(text_is_utf8((text_t){bytes, sizeof(bytes)}));
            bytes[at] = wrong[i];
            assert_false(text_is_utf8((text_t){bytes, sizeof(bytes)}));
        }
    }
}

static void split(void **state)
{
    static const struct {
        const char *text, *parts[4];
    } cases[] = {
        {"", {""}},
        {"a", {"a"}},
        {"a,b,c", {"a", "b", "c"}},
        {",", {"", ""}},
        {"a,", {"a", ""}},
        {",a", {"", "a"}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        text_t rest = text_of(cases[i].text), part;
        int k = 0;
        while (text_split(&rest, ',', &part)) {
            assert_non_null(cases[i].parts[k]);
            assert_text(part, cases[i].parts[k]);
            k++;
        }
        assert_true(k == 4 || cases[i].parts[k] == NULL);
    }
    text_t nothing = {0}, part;
    assert_false(text_split(&nothing, ',', &part));
}

static void comparing(void **state)
{
    (void)state;
    assert_true(text_equal((text_t){0}, TEXT("")));
    assert_true(text_equal(TEXT("a\0b"), TEXT("a\0b")));
    assert_false(text_equal(TEXT("a\0b"), TEXT("a\0c")));
    assert_true(text_equal_nocase(TEXT("Content-TYPE"), TEXT("content-type")));
    assert_false(text_equal_nocase(TEXT("@"), TEXT("`"))); /* differ by the case bit, but are no letters */
    assert_false(text_equal_nocase(TEXT("a"), TEXT("ab")));
    assert_true(text_starts_with(TEXT("Bearer x"), TEXT("Bearer ")));
    assert_true(text_starts_with(TEXT("x"), TEXT("")));
    assert_false(text_starts_with(TEXT("Bear"), TEXT("Bearer ")));
    assert_text(text_trim(TEXT(" \t a b\r\n")), "a b");
    assert_text(text_trim(TEXT("  ")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ints), cmocka_unit_test(utf8), cmocka_unit_test(split), cmocka_unit_test(comparing)};
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
