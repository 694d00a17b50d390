/* user_search: see user_search.h. A cursor holds nothing that its reader was not shown, so it is not signed.
 */
#include "user_search.h"
#include "crypto/hash.h"

text_t like_prefix(arena_t *arena, text_t begin)
{
    char *pattern = arena_allocate(arena, begin.length * 2 + 1);
    size_t length = 0;
    for (size_t i = 0; i < begin.length; i++) {
        char c = begin.data[i];
        if (c == '%' || c == '_' || c == '\\')
            pattern[length++] = '\\';
        pattern[length++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    pattern[length++] = '%';
    return (text_t){.data = pattern, .length = length};
}

text_t user_cursor_build(arena_t *arena, user_cursor_t cursor)
{
    uint8_t bytes[24];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)cursor.created_at >> (56 - 8 * i));
    memcpy(bytes + 8, cursor.id.bytes, 16);
    return base64url_encode(arena, (text_t){.data = (const char *)bytes, .length = sizeof(bytes)});
}

bool user_cursor_read(arena_t *arena, text_t text, user_cursor_t *out)
{
    text_t decoded;
    if (!base64url_decode(arena, text, &decoded) || decoded.length != 24)
        return false;
    const uint8_t *bytes = (const uint8_t *)decoded.data;
    uint64_t time = 0;
    for (int i = 0; i < 8; i++)
        time = time << 8 | bytes[i];
    out->created_at = (int64_t)time;
    memcpy(out->id.bytes, bytes + 8, 16);
    /* Years 1970 to 9999, so that PostgreSQL can read it. */
    return out->created_at >= 0 && out->created_at < INT64_C(253402300800000000);
}
