#include "markup.h"
#include "panic.h"

/* Those that have no end tag (HTML, 13.1.2): "<br/>" is one in both languages. */
static bool is_void(const char *name)
{
    static const char *const names[] = {"br", "col", "hr", "meta"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void tag_end(markup_t *markup)
{
    if (markup->in_tag)
        buffer_add_char(&markup->out, '>');
    markup->in_tag = false;
}

/* What XML 1.0 (2.2) has no place for, not even escaped; white space but the blank becomes one. */
static size_t forbidden(const unsigned char *at, size_t left)
{
    if (*at < ' ' || *at == 127)
        return 1;
    return left >= 3 && at[0] == 0xEF && at[1] == 0xBF && at[2] >= 0xBE ? 3 : 0; /* U+FFFE, U+FFFF */
}

const char *markup_escape(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

/* What is not UTF-8 is shown as what cannot be shown. */
static void add_escaped(buffer_t *out, text_t text)
{
    for (size_t i = 0, length; i < text.length; i += length) {
        text_t rest = {text.data + i, text.length - i};
        const char *escaped = markup_escape(text.data[i]);
        if ((length = forbidden((const unsigned char *)rest.data, rest.length)) > 0) {
            if (*rest.data == '\n' || *rest.data == '\t')
                buffer_add_char(out, ' ');
        } else if (escaped != NULL) {
            buffer_add_string(out, escaped);
            length = 1;
        } else if ((length = text_utf8_next(rest)) > 0) {
            buffer_add(out, rest.data, length);
        } else {
            buffer_add_text(out, TEXT("\xEF\xBF\xBD"));
            length = 1;
        }
    }
}

void markup_doctype(markup_t *markup)
{
    insist(markup->out.length == 0);
    buffer_add_text(&markup->out, TEXT("<!DOCTYPE html>\n"));
}

void markup_open(markup_t *markup, const char *name)
{
    tag_end(markup);
    insist(markup->depth < MARKUP_DEPTH);
    markup->open[markup->depth++] = name;
    buffer_add_char(&markup->out, '<');
    buffer_add_string(&markup->out, name);
    markup->in_tag = true;
}

static void attribute_begin(markup_t *markup, const char *name)
{
    insist(markup->in_tag);
    buffer_add_char(&markup->out, ' ');
    buffer_add_string(&markup->out, name);
    buffer_add_text(&markup->out, TEXT("=\""));
}

void markup_attribute(markup_t *markup, const char *name, text_t value)
{
    attribute_begin(markup, name);
    add_escaped(&markup->out, value);
    buffer_add_char(&markup->out, '"');
}

void markup_tenths(markup_t *markup, const char *name, int64_t tenths)
{
    uint64_t size = tenths < 0 ? 0 - (uint64_t)tenths : (uint64_t)tenths;
    attribute_begin(markup, name);
    if (tenths < 0)
        buffer_add_char(&markup->out, '-');
    buffer_add_integer(&markup->out, (int64_t)(size / 10));
    if (size % 10) {
        buffer_add_char(&markup->out, '.');
        buffer_add_char(&markup->out, (char)('0' + size % 10));
    }
    buffer_add_char(&markup->out, '"');
}

void markup_text(markup_t *markup, text_t text)
{
    tag_end(markup);
    add_escaped(&markup->out, text);
}

void markup_close(markup_t *markup, const char *name)
{
    if (markup->depth == 0 || strcmp(markup->open[markup->depth - 1], name) != 0)
        panic("markup: %s is closed within %s", name, markup->depth ? markup->open[markup->depth - 1] : "nothing");
    markup->depth--;
    if (is_void(name)) {
        insist(markup->in_tag);
        buffer_add_text(&markup->out, TEXT("/>"));
        markup->in_tag = false;
        return;
    }
    tag_end(markup);
    buffer_add_text(&markup->out, TEXT("</"));
    buffer_add_string(&markup->out, name);
    buffer_add_char(&markup->out, '>');
}

void markup_element(markup_t *markup, const char *name, text_t text)
{
    markup_open(markup, name);
    markup_text(markup, text);
    markup_close(markup, name);
}

void markup_style(markup_t *markup, text_t css)
{
    for (size_t i = 0; i < css.length; i++)
        insist(css.data[i] != '<' && css.data[i] != '&'); /* would be read in two ways, as HTML and as XML */
    markup_open(markup, "style");
    tag_end(markup);
    buffer_add_text(&markup->out, css);
    markup_close(markup, "style");
}

text_t markup_finish(markup_t *markup, arena_t *arena)
{
    if (markup->depth > 0)
        panic("markup: %s is not closed", markup->open[markup->depth - 1]);
    text_t whole = arena_copy(arena, buffer_text(&markup->out));
    buffer_free(&markup->out);
    *markup = (markup_t){.depth = 0};
    return whole;
}
