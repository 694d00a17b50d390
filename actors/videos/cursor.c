/* cursor: its text is base64url of rank, time and id, 8, 8 and 16 bytes. It holds nothing that its reader was not shown, so it
 * is not signed. */
#include "cursor.h"
#include "../../shared/crypto/hash.h"

enum { CURSOR_BYTES = 32 };
#define TIME_MOST INT64_C(253402300799999999) /* the end of the year 9999 */

const cursor_t cursor_first = {.rank = INT32_MAX,
    .time = TIME_MOST,
    .id = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}};

static void number_write(uint8_t *out, int64_t number)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
}

static int64_t number_read(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return (int64_t)number;
}

text_t cursor_build(arena_t *arena, cursor_t cursor)
{
    uint8_t bytes[CURSOR_BYTES];
    number_write(bytes, cursor.rank);
    number_write(bytes + 8, cursor.time);
    memcpy(bytes + 16, cursor.id.bytes, 16);
    return base64url_encode(arena, (text_t){(const char *)bytes, sizeof bytes});
}

bool cursor_read(arena_t *arena, text_t text, cursor_t *out)
{
    text_t decoded;
    if (!base64url_decode(arena, text, &decoded) || decoded.length != CURSOR_BYTES)
        return false;
    const uint8_t *bytes = (const uint8_t *)decoded.data;
    out->rank = number_read(bytes);
    out->time = number_read(bytes + 8);
    memcpy(out->id.bytes, bytes + 16, 16);
    return out->rank >= 0 && out->rank <= INT32_MAX && out->time >= 0 && out->time <= TIME_MOST;
}
