/* accept: see the header. */
#include "accept.h"

enum { WEIGHT_MOST = 1000, WEIGHT_NONE = -1 };

/* "0.25" in thousandths; what is no weight (RFC 9110, 12.4.2) counts as 1, as if it had not been said. */
static int weight_read(text_t text)
{
    int weight = 0, scale = WEIGHT_MOST;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (i == 1 ? c != '.' : c < '0' || c > '9')
            return WEIGHT_MOST;
        if (i == 1)
            continue;
        weight += (c - '0') * scale;
        scale /= 10;
    }
    return text.length == 0 || text.length > 5 || weight > WEIGHT_MOST ? WEIGHT_MOST : weight;
}

/* One "gzip;q=0.5": cuts the coding from it. */
static int weight_of(text_t item, text_t *coding)
{
    int weight = WEIGHT_MOST;
    text_t part;
    text_split(&item, ';', coding);
    *coding = text_trim(*coding);
    while (text_split(&item, ';', &part)) {
        part = text_trim(part);
        if (part.length >= 2 && (part.data[0] | 0x20) == 'q' && part.data[1] == '=')
            weight = weight_read((text_t){part.data + 2, part.length - 2});
    }
    return weight;
}

static int form_of(text_t coding)
{
    static const struct {
        text_t name;
        enum cache_form form;
    } names[] = {{TEXT("gzip"), CACHE_GZIP}, {TEXT("br"), CACHE_BROTLI}, {TEXT("identity"), CACHE_IDENTITY},
        {TEXT("x-gzip"), CACHE_GZIP}};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (text_equal_nocase(coding, names[i].name))
            return (int)names[i].form;
    return -1;
}

unsigned accept_forms(text_t accept_encoding)
{
    int weights[CACHE_FORMS] = {WEIGHT_NONE, WEIGHT_NONE, WEIGHT_NONE}, others = WEIGHT_NONE;
    text_t item, coding;
    if (accept_encoding.data == NULL)
        return CACHE_ACCEPT_IDENTITY;
    while (text_split(&accept_encoding, ',', &item)) {
        int weight = weight_of(item, &coding), form = form_of(coding);
        if (form >= 0)
            weights[form] = weight;
        else if (text_equal(coding, TEXT("*")))
            others = weight;
    }
    for (int form = CACHE_GZIP; form < CACHE_FORMS; form++)
        if (weights[form] == WEIGHT_NONE)
            weights[form] = others;
    int best = weights[CACHE_GZIP] > weights[CACHE_BROTLI] ? weights[CACHE_GZIP] : weights[CACHE_BROTLI];
    unsigned accepted = CACHE_ACCEPT_IDENTITY;
    for (int form = CACHE_GZIP; form < CACHE_FORMS; form++)
        if (weights[form] > 0 && weights[form] == best && weights[form] >= weights[CACHE_IDENTITY])
            accepted |= 1U << form;
    return accepted;
}

/* An ETag without the mark of weakness. */
static text_t opaque(text_t etag)
{
    etag = text_trim(etag);
    return text_starts_with(etag, TEXT("W/")) ? (text_t){etag.data + 2, etag.length - 2} : etag;
}

/* Our ETags hold no comma, so that one in another's cuts nothing of ours apart. */
bool accept_has(text_t if_none_match, text_t etag)
{
    text_t item;
    if (if_none_match.data == NULL)
        return false;
    if (text_equal(text_trim(if_none_match), TEXT("*")))
        return true;
    while (text_split(&if_none_match, ',', &item))
        if (text_equal(opaque(item), opaque(etag)))
            return true;
    return false;
}
