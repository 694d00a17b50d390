#include "render.h"
#include "../../shared/base/embed.h"
#include "../../shared/base/markup.h"
#include "../../shared/base/panic.h"
#include <ctype.h>

#define FILE_IN(symbol, file) EMBED(symbol, TEMPLATES "/" file)
#define BOTH(name)                                                                                                 \
    FILE_IN(mail_template_##name##_ko, #name ".ko");                                                               \
    FILE_IN(mail_template_##name##_en, #name ".en")
#define WORDS_OF(name)                                                                                             \
    {{mail_template_##name##_ko, mail_template_##name##_ko_end}, {mail_template_##name##_en, mail_template_##name##_en_end}}

FILE_IN(mail_layout, "layout");
BOTH(email_verification);
BOTH(password_reset);
BOTH(account_deleted);
BOTH(guardian_invitation);
BOTH(export_ready);
BOTH(notification);

/* A token stands behind the #: browsers do not send that part, so it is in no server's log. */
static const struct {
    const char *link;   /* path in the web client, with places */
    const char *fields; /* places of the words, beside {name} and {link}; NULL: none */
    struct {
        const char *begin, *end;
    } files[LANGUAGES];
} templates[] = {
    [MAIL_EMAIL_VERIFICATION] = {.link = "/verify-email#token={token}", .files = WORDS_OF(email_verification)},
    [MAIL_PASSWORD_RESET] = {.link = "/reset-password#token={token}", .files = WORDS_OF(password_reset)},
    [MAIL_ACCOUNT_DELETED] = {.link = "/login", .fields = "{until}", .files = WORDS_OF(account_deleted)},
    [MAIL_GUARDIAN_INVITATION] = {.link = "/guardian-invitation#child={child}&token={token}",
        .files = WORDS_OF(guardian_invitation)},
    [MAIL_EXPORT_READY] = {.link = "/account/export", .files = WORDS_OF(export_ready)},
    [MAIL_NOTIFICATION] = {.link = "/notifications#id={id}", .fields = "{title}{message}", .files = WORDS_OF(notification)},
};
_Static_assert(ARRAY_SIZE(templates) == ARRAY_SIZE(mail_templates) - 1, "a row for each template");

/* How somebody is called whose name is not known. */
static const text_t nobody[LANGUAGES] = {
    [LANGUAGE_KO] = {"회원", sizeof "회원" - 1}, [LANGUAGE_EN] = {"there", sizeof "there" - 1}};

/* --- places ------------------------------------------------------------------------------------------------------- */

enum form { FORM_TEXT, FORM_HTML, FORM_URL };

typedef struct {
    enum language language;
    const mail_content_t *content;
    text_t link, body; /* empty while the link itself is made; body: of the layout */
} values_t;

static bool field_find(const mail_content_t *content, text_t name, text_t *out)
{
    const mail_field_t *fields = content->fields.items;
    for (size_t i = 0; i < content->fields.count; i++)
        if (text_equal(fields[i].name, name)) {
            *out = fields[i].value;
            return true;
        }
    return false;
}

static bool value_find(const values_t *values, text_t name, text_t *out)
{
    if (text_equal(name, TEXT("name"))) {
        *out = values->content->name.length ? values->content->name : nobody[values->language];
        return true;
    }
    if (text_equal(name, TEXT("link")) && values->link.length) {
        *out = values->link;
        return true;
    }
    return field_find(values->content, name, out);
}

static void add_value(buffer_t *out, text_t value, enum form form)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        const char *escaped = form == FORM_HTML ? markup_escape((char)c) : NULL;
        if (c < ' ' || c == 127)
            continue;
        if (form == FORM_URL && !isalnum(c) && !strchr("-._~", c)) /* RFC 3986, 2.3 */
            buffer_format(out, "%%%02X", c);
        else if (escaped)
            buffer_add_string(out, escaped);
        else
            buffer_add_char(out, (char)c);
    }
}

/* The place that the text begins with; false: it begins with none. */
static bool place_at(text_t text, text_t *name)
{
    size_t length = 1;
    if (text.length == 0 || text.data[0] != '{')
        return false;
    while (length < text.length && (islower((unsigned char)text.data[length]) || text.data[length] == '_'))
        length++;
    *name = (text_t){text.data + 1, length - 1};
    return length > 1 && length < text.length && text.data[length] == '}';
}

/* NULL, or what is missing. */
static const char *fill(arena_t *arena, text_t words, const values_t *values, enum form form, text_t *out)
{
    buffer_t filled = {0};
    const char *missing = NULL;
    for (text_t name, value; words.length > 0 && !missing;) {
        size_t used = 1;
        if (!place_at(words, &name)) {
            buffer_add_char(&filled, words.data[0]);
        } else if (text_equal(name, TEXT("body")) && values->body.length) {
            buffer_add_text(&filled, values->body); /* is HTML already */
            used = name.length + 2;
        } else if (value_find(values, name, &value)) {
            add_value(&filled, value, form);
            used = name.length + 2;
        } else {
            missing = arena_string(arena, name);
        }
        words.data += used;
        words.length -= used;
    }
    *out = arena_copy(arena, buffer_text(&filled));
    buffer_free(&filled);
    return missing;
}

/* --- the parts of a file ------------------------------------------------------------------------------------------ */

static bool file_split(enum mail_template template, enum language language, words_t *out)
{
    static const text_t head = {"Subject: ", sizeof "Subject: " - 1}, line = {"\n----\n", sizeof "\n----\n" - 1};
    const char *begin = templates[template].files[language].begin, *end = templates[template].files[language].end;
    text_t file = {begin, (size_t)(end - begin)};
    const char *rest = memchr(file.data, '\n', file.length);
    const char *bar = memmem(file.data, file.length, line.data, line.length);
    if (!text_starts_with(file, head) || rest == NULL || bar == NULL || bar < rest)
        return false;
    out->subject = (text_t){begin + head.length, (size_t)(rest - begin) - head.length};
    out->text = (text_t){rest + 1, (size_t)(bar - rest)};
    out->html = (text_t){bar + line.length, (size_t)(end - bar) - line.length};
    return out->subject.length > 0 && memchr(out->subject.data, '{', out->subject.length) == NULL;
}

static text_t layout(void)
{
    return (text_t){mail_layout, (size_t)(mail_layout_end - mail_layout)};
}

const char *render(arena_t *arena, enum mail_template template, enum language language, const mail_content_t *content,
    const char *base_url, words_t *out)
{
    words_t file;
    values_t values = {.language = language, .content = content};
    if (!file_split(template, language, &file))
        panic("template %s: render_check was not asked", mail_templates[template]);
    text_t path, body;
    const char *missing = fill(arena, text_of(templates[template].link), &values, FORM_URL, &path);
    if (missing)
        return missing;
    values.link = arena_format(arena, "%s%.*s", base_url, TEXT_ARG(path));
    out->subject = file.subject;
    missing = fill(arena, file.text, &values, FORM_TEXT, &out->text);
    if (!missing)
        missing = fill(arena, file.html, &values, FORM_HTML, &body);
    if (missing)
        return missing;
    values.body = body;
    return fill(arena, layout(), &values, FORM_HTML, &out->html);
}

/* --- the check ---------------------------------------------------------------------------------------------------- */

static bool places_are_known(text_t words, const char *fields)
{
    for (text_t name; words.length > 0; words.data++, words.length--) {
        char place[64];
        if (words.data[0] != '{')
            continue;
        if (!place_at(words, &name))
            return false;
        snprintf(place, sizeof place, "{%.*s}", TEXT_ARG(name));
        if (!text_equal(name, TEXT("name")) && !text_equal(name, TEXT("link")) &&
            (fields == NULL || strstr(fields, place) == NULL))
            return false;
    }
    return true;
}

const char *render_check(void)
{
    static char wrong[128];
    for (size_t i = 0; i < ARRAY_SIZE(templates); i++)
        for (int language = 0; language < LANGUAGES; language++) {
            words_t file;
            const char *fields = templates[i].fields;
            if (templates[i].link != NULL && file_split((enum mail_template)i, (enum language)language, &file) && text_is_utf8(file.subject) &&
                text_is_utf8(file.text) && text_is_utf8(file.html) && places_are_known(file.text, fields) &&
                places_are_known(file.html, fields))
                continue;
            snprintf(wrong, sizeof wrong, "template %s.%s: no subject, no line ----, not UTF-8, or a place that nothing fills",
                mail_templates[i], mail_languages[language]);
            return wrong;
        }
    return NULL;
}
