/* rules: see the header. None is a parser of URLs or of HTML: they refuse what is surely not meant. */
#include "rules.h"
#include <arpa/inet.h>

bool link_is_sound(text_t url)
{
    const text_t scheme = TEXT("https://");
    if (!text_starts_with(url, scheme) || url.length == scheme.length)
        return false;
    for (size_t i = 0; i < url.length; i++)
        if (strchr("\"<>\\^`{|} ", url.data[i]) != NULL) /* RFC 3986 has no place for them */
            return false;
    return strchr("/?#:@", url.data[scheme.length]) == NULL;
}

enum link_state link_state_of(int status)
{
    if (status >= 200 && status < 400) /* a redirect leads somewhere */
        return LINK_ALIVE;
    if (status == 408)
        return LINK_UNTOLD;
    if (status == 401 || status == 403)
        return LINK_FORBIDDEN;
    return status == 429 || status >= 500 ? LINK_REFUSED : LINK_FAILED;
}

/* Where `part` begins in `text`; its length: nowhere. ASCII case does not matter. */
static size_t find(text_t text, text_t part)
{
    for (size_t i = 0; i + part.length <= text.length; i++)
        if (text_equal_nocase((text_t){text.data + i, part.length}, part))
            return i;
    return text.length;
}

bool embed_is_sound(text_t code)
{
    const text_t begin = TEXT("<iframe "), end = TEXT("></iframe>");
    if (!text_starts_with(code, begin) || code.length < begin.length + end.length ||
        !text_equal((text_t){code.data + code.length - end.length, end.length}, end))
        return false;
    text_t attributes = {code.data + begin.length, code.length - begin.length - end.length};
    static const char *const refused[] = {"<", ">", "srcdoc", "javascript:", " on"}; /* onload=… */
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        if (find(attributes, text_of(refused[i])) < attributes.length)
            return false;
    return text_starts_with(attributes, TEXT("src=\"https://")) ||
           find(attributes, TEXT(" src=\"https://")) < attributes.length;
}

text_t viewer_address(arena_t *arena, text_t address)
{
    struct in6_addr bytes;
    if (inet_pton(AF_INET6, arena_string(arena, address), &bytes) != 1)
        return address;
    memset(bytes.s6_addr + 8, 0, 8);
    char *network = arena_allocate(arena, INET6_ADDRSTRLEN);
    return text_of(inet_ntop(AF_INET6, &bytes, network, INET6_ADDRSTRLEN));
}
