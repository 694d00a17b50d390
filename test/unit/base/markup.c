/* What is written is well-formed and escaped, whatever is put into it. */
#include "../unit.h"
#include "base/markup.h"

static arena_t *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(1 << 20, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"", ""},
        {"하늘", "하늘"},
        {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"\" onload='x'", "&quot; onload=&#39;x&#39;"},
        {"a & b &lt; c", "a &amp; b &amp;lt; c"},
        {"]]>", "]]&gt;"},
        {"<!-- --", "&lt;!-- --"},
        {"\xF0\x9F\x91\xB6\xF0\x9F\x8F\xBD", "\xF0\x9F\x91\xB6\xF0\x9F\x8F\xBD"}, /* a baby and a tone of skin */
        {"\xE2\x80\xAEleh", "\xE2\x80\xAEleh"},                                     /* right to left: the page isolates it */
        {"a\nb\tc", "a b c"},
        {"a\x01\x1b[2J\x7f", "a[2J"},
        {"a\xEF\xBF\xBEz", "az"},              /* U+FFFE */
        {"\xEF\xBF\xBD", "\xEF\xBF\xBD"},       /* U+FFFD */
        {"\xFF\xC0", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* no UTF-8 */
        {"\xED\x95", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* cut off */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        markup_t markup = {.depth = 0};
        markup_open(&markup, "td");
        markup_attribute(&markup, "title", text_of(cases[i].text));
        markup_text(&markup, text_of(cases[i].text));
        markup_close(&markup, "td");
        char expected[256];
        snprintf(expected, sizeof(expected), "<td title=\"%s\">%s</td>", cases[i].written, cases[i].written);
        assert_text(markup_finish(&markup, arena), expected);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t tenths;
        const char *written;
    } cases[] = {{0, "0"}, {10, "1"}, {125, "12.5"}, {-5, "-0.5"}, {-20, "-2"}, {INT64_MIN, "-922337203685477580.8"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        markup_t markup = {.depth = 0};
        markup_open(&markup, "rect");
        markup_tenths(&markup, "x", cases[i].tenths);
        markup_close(&markup, "rect");
        char expected[64];
        snprintf(expected, sizeof(expected), "<rect x=\"%s\"></rect>", cases[i].written);
        assert_text(markup_finish(&markup, arena), expected);
    }
}

static void test_structure(void **state)
{
    (void)state;
    markup_t markup = {.depth = 0};
    markup_doctype(&markup);
    markup_open(&markup, "html");
    markup_open(&markup, "meta");
    markup_attribute(&markup, "charset", TEXT("utf-8"));
    markup_close(&markup, "meta");
    markup_style(&markup, TEXT("a > b{color:red}"));
    markup_open_class(&markup, "p", "x");
    markup_close(&markup, "p");
    markup_open(&markup, "p");
    markup_text(&markup, TEXT("a"));
    markup_element(&markup, "b", TEXT("c"));
    markup_text(&markup, TEXT("d"));
    markup_close(&markup, "p");
    markup_close(&markup, "html");
    assert_text(markup_finish(&markup, arena), "<!DOCTYPE html>\n<html><meta charset=\"utf-8\"/><style>a > b{color:red}</style>"
                                               "<p class=\"x\"></p><p>a<b>c</b>d</p></html>");
    assert_int_equal(markup.out.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_structure),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
