/* Words and form of mails: every template in each language, values that try to be more than values, and the header. */
#include "../unit.h"
#include "../../../actors/mailer/compose.h"
#include "../../../actors/mailer/render.h"

#define BASE "https://app.example.com"

static arena_t *arena;

static bool contains(text_t text, const char *part)
{
    return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

static mail_content_t content_make(const char *name, mail_field_t *fields, size_t count)
{
    mail_content_t content = {0};
    message_set(&content, to, TEXT("reader@example.com"));
    if (name)
        message_set(&content, name, text_of(name));
    message_set(&content, fields, (list_t){.items = fields, .count = count});
    return content;
}

static mail_field_t field_make(const char *name, const char *value)
{
    mail_field_t field = {0};
    message_set(&field, name, text_of(name));
    message_set(&field, value, text_of(value));
    return field;
}

static void templates_are_sound(void **state)
{
    (void)state;
    assert_null(render_check());
}

/* What each template needs, where its link goes, and what it does without. */
static void every_template(void **state)
{
    static const struct {
        enum mail_template template;
        const char *fields[3], *link;
    } cases[] = {
        {MAIL_EMAIL_VERIFICATION, {"token"}, BASE "/verify-email#token=va%20l%2Bue"},
        {MAIL_PASSWORD_RESET, {"token"}, BASE "/reset-password#token=va%20l%2Bue"},
        {MAIL_ACCOUNT_DELETED, {"until"}, BASE "/login"},
        {MAIL_GUARDIAN_INVITATION, {"child", "token"}, BASE "/guardian-invitation#child=va%20l%2Bue&token=va%20l%2Bue"},
        {MAIL_EXPORT_READY, {NULL}, BASE "/account/export"},
        {MAIL_NOTIFICATION, {"id", "title", "message"}, BASE "/notifications#id=va%20l%2Bue"},
    };
    (void)state;
    assert_int_equal(ARRAY_SIZE(cases), ARRAY_SIZE(mail_templates) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int language = 0; language < LANGUAGES; language++) {
            mail_field_t fields[3] = {{{0}}};
            size_t count = 0;
            while (count < 3 && cases[i].fields[count]) {
                fields[count] = field_make(cases[i].fields[count], "va l+ue");
                count++;
            }
            mail_content_t content = content_make("김보호", fields, count);
            words_t words;
            assert_null(render(arena, cases[i].template, (enum language)language, &content, BASE, &words));
            assert_true(contains(words.text, "김보호") && contains(words.html, "김보호"));
            assert_true(contains(words.text, cases[i].link));
            assert_true(words.subject.length > 10 && !contains(words.subject, "{") && !contains(words.text, "{"));
            assert_true(contains(words.html, "<html>") && contains(words.html, "</html>") && !contains(words.html, "{"));
            assert_true(contains(words.subject, language == LANGUAGE_KO ? "니다" : " ") || contains(words.subject, "요") ||
                        contains(words.subject, "안내") || contains(words.subject, "초대"));
            if (count > 0) {
                content = content_make(NULL, fields, count - 1);
                assert_string_equal(
                    render(arena, cases[i].template, (enum language)language, &content, BASE, &words), cases[i].fields[count - 1]);
            }
        }
}

static void values_are_only_values(void **state)
{
    static const struct {
        const char *name, *in_text, *in_html;
    } cases[] = {
        {"<b>&\"'", "<b>&\"'님", "&lt;b&gt;&amp;&quot;&#39;님"},
        {"{link}{until}{body}", "{link}{until}{body}님", "{link}{until}{body}님"},
        {"a\r\nBcc: x@y.example\r\n\r\nb", "aBcc: x@y.exampleb님", "aBcc: x@y.exampleb님"},
        {"\x7f\x01z", "z님", "z님"},
        {"", "회원님", "회원님"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        mail_field_t fields[] = {field_make("until", "<i>5</i>")};
        mail_content_t content = content_make(cases[i].name, fields, 1);
        words_t words;
        assert_null(render(arena, MAIL_ACCOUNT_DELETED, LANGUAGE_KO, &content, BASE, &words));
        assert_true(contains(words.text, cases[i].in_text));
        assert_true(contains(words.html, cases[i].in_html));
        assert_true(contains(words.html, "&lt;i&gt;5&lt;/i&gt;"));
    }
}

static void header_has_its_lines(void **state)
{
    static const char *const evil = "x\r\nBcc: victim@example.com\r\n\r\n<b>";
    (void)state;
    buffer_t out = {0};
    letter_t letter = {.id = {{1, 2, 3}}, .at = INT64_C(1763848800) * 1000000, .from = "noreply@aipoten.example",
        .from_name = evil, .to = TEXT("a@b.example>\r\nBcc: v@w.example"), .to_name = text_of(evil), .language = "ko",
        .subject = text_of(evil), .text = TEXT(".\r\n.\r\nQUIT\r\n"), .html = TEXT("<p>.</p>")};
    compose(&letter, &out);
    buffer_add_char(&out, '\0');
    static const char *const lines[] = {"Date: Sat, 22 Nov 2025 22:00:00 +0000\r\n", "\r\nFrom: =?UTF-8?B?",
        "\r\n <noreply@aipoten.example>\r\n", "\r\nSubject: =?UTF-8?B?", "\r\n <a@b.exampleBcc:v@w.example>\r\n",
        "\r\nMessage-ID: <01020300-0000-0000-0000-000000000000@aipoten.example>\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        assert_non_null(strstr(out.data, lines[i]));
    assert_null(strstr(out.data, "\r\nBcc"));
    assert_null(strstr(out.data, "\n.")); /* nothing that ends SMTP's DATA */
    for (const char *line = out.data; *line; line = strstr(line, "\r\n") + 2)
        assert_true(strcspn(line, "\r") <= 76 && line[strcspn(line, "\r\n")] == '\r');
    buffer_free(&out);
}

/* An encoded word holds whole characters (RFC 2047, 5). */
static void words_hold_whole_characters(void **state)
{
    (void)state;
    buffer_t out = {0};
    letter_t letter = {.from = "a@b.example", .from_name = "", .to = TEXT("c@d.example"), .language = "ko",
        .subject = TEXT("a가나다라마바사아자차카타파하거너더러"), .text = TEXT("x"), .html = TEXT("y")};
    compose(&letter, &out);
    buffer_add_char(&out, '\0');
    /* 1 + 12·3 = 37 bytes in the first word: another character would make 40. */
    assert_non_null(strstr(out.data, "Subject: =?UTF-8?B?YeqwgOuCmOuLpOudvOuniOuwlOyCrOyVhOyekOywqOy5tO2DgA==?=\r\n =?UTF-8?B?"));
    buffer_free(&out);
}

static int start(void **state)
{
    (void)state;
    arena = arena_create(4 << 20, NULL, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(templates_are_sound), cmocka_unit_test(every_template),
        cmocka_unit_test(values_are_only_values), cmocka_unit_test(header_has_its_lines),
        cmocka_unit_test(words_hold_whole_characters)};
    return cmocka_run_group_tests(tests, start, stop);
}
