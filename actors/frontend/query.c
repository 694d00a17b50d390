/* query: decoding; see the header. */
#include "query.h"

enum { NAME_SHOWN_MAX = 64 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is it so plain that it is its own decoding? Most values are: ids, numbers, words. */
static bool is_plain(text_t text, bool plus)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '%' || c >= 0x80 || c == 0 || (plus && c == '+'))
            return false;
    }
    return true;
}

enum problem_kind percent_decode(text_t encoded, bool plus, char *scratch, text_t *out)
{
    if (encoded.length == 0)
        encoded.data = "";
    *out = encoded;
    if (is_plain(encoded, plus))
        return PROBLEM_KINDS;
    size_t length = 0;
    for (size_t i = 0; i < encoded.length; i++) {
        char c = encoded.data[i];
        if (c == '%') {
            int high = i + 2 < encoded.length ? hex_value(encoded.data[i + 1]) : -1;
            int low = high >= 0 ? hex_value(encoded.data[i + 2]) : -1;
            if (low < 0)
                return PROBLEM_ENCODING;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        if (c == '\0')
            return PROBLEM_NUL;
        scratch[length++] = c;
    }
    *out = (text_t){.data = scratch, .length = length};
    return text_is_utf8(*out) ? PROBLEM_KINDS : PROBLEM_ENCODING;
}

text_t name_shown(text_t name)
{
    if (name.length <= NAME_SHOWN_MAX)
        return name;
    name.length = NAME_SHOWN_MAX;
    while (name.length && ((unsigned char)name.data[name.length] & 0xC0) == 0x80)
        name.length--;
    return name;
}

bool query_has(const query_t *query, text_t name)
{
    for (int i = 0; i < query->count; i++)
        if (text_equal(query->items[i].name, name))
            return true;
    return false;
}

static bool wrong(problems_t *problems, text_t name, enum problem_kind kind, int64_t bound)
{
    problem_add(problems, name_shown(name), kind, NULL, bound);
    return false;
}

/* One "name=value"; *scratch moves on behind what was written there. */
static bool pair_read(text_t part, char **scratch, query_t *out, problems_t *problems)
{
    text_t value = part, name, decoded;
    text_split(&value, '=', &name);
    if (value.data == NULL)
        value = TEXT("");
    enum problem_kind kind = percent_decode(name, true, *scratch, &name);
    if (kind == PROBLEM_KINDS && name.length == 0)
        kind = PROBLEM_EMPTY;
    if (kind != PROBLEM_KINDS)
        return wrong(problems, TEXT("query"), kind, 0);
    if (name.data == *scratch)
        *scratch += name.length;
    kind = percent_decode(value, true, *scratch, &decoded);
    if (kind != PROBLEM_KINDS)
        return wrong(problems, name, kind, 0);
    if (decoded.data == *scratch)
        *scratch += decoded.length;
    if (query_has(out, name))
        return wrong(problems, name, PROBLEM_DUPLICATE, 0);
    if (out->count == QUERY_PAIRS_MAX)
        return wrong(problems, TEXT("query"), PROBLEM_TOO_LONG, QUERY_PAIRS_MAX);
    out->items[out->count++] = (pair_t){.name = name, .value = decoded};
    return true;
}

bool query_read(text_t query, char *scratch, query_t *out, problems_t *problems)
{
    text_t part;
    bool good = true;
    out->count = 0;
    while (text_split(&query, '&', &part))
        if (part.length > 0 && problems->count < PROBLEMS_MAX)
            good &= pair_read(part, &scratch, out, problems);
    return good;
}
