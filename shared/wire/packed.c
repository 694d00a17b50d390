/* packed: one pass over the headers (https://github.com/msgpack/msgpack/blob/master/spec.md), without recursion: how many
 * values are still to come can never exceed the bytes that are left. */
#include "packed.h"

/* What follows the first bytes 0xC0 to 0xDF: bytes of a length or count, fixed payload, and what the count counts. */
static const struct {
    uint8_t length_bytes, payload;
    enum { BYTES, ITEMS, PAIRS, NEVER } counts;
} heads[32] = {
    [0x00] = {0, 0, BYTES}, [0x01] = {0, 0, NEVER}, [0x02] = {0, 0, BYTES}, [0x03] = {0, 0, BYTES}, /* nil, false, true */
    [0x04] = {1, 0, BYTES}, [0x05] = {2, 0, BYTES}, [0x06] = {4, 0, BYTES},                         /* bin */
    [0x07] = {1, 1, BYTES}, [0x08] = {2, 1, BYTES}, [0x09] = {4, 1, BYTES},                         /* ext */
    [0x0A] = {0, 4, BYTES}, [0x0B] = {0, 8, BYTES},                                                 /* float */
    [0x0C] = {0, 1, BYTES}, [0x0D] = {0, 2, BYTES}, [0x0E] = {0, 4, BYTES}, [0x0F] = {0, 8, BYTES}, /* uint */
    [0x10] = {0, 1, BYTES}, [0x11] = {0, 2, BYTES}, [0x12] = {0, 4, BYTES}, [0x13] = {0, 8, BYTES}, /* int */
    [0x14] = {0, 2, BYTES}, [0x15] = {0, 3, BYTES}, [0x16] = {0, 5, BYTES}, [0x17] = {0, 9, BYTES}, /* fixext */
    [0x18] = {0, 17, BYTES},
    [0x19] = {1, 0, BYTES}, [0x1A] = {2, 0, BYTES}, [0x1B] = {4, 0, BYTES}, /* str */
    [0x1C] = {2, 0, ITEMS}, [0x1D] = {4, 0, ITEMS},                         /* array */
    [0x1E] = {2, 0, PAIRS}, [0x1F] = {4, 0, PAIRS},                         /* map */
};

/* Steps over one header and its own bytes; gives how many values it contains. */
static bool step(const uint8_t *data, size_t length, size_t *at, uint64_t *contained)
{
    uint8_t first = data[(*at)++];
    uint64_t bytes = 0;
    *contained = 0;
    if (first < 0x80 || first >= 0xE0) { /* fixint */
        return true;
    } else if (first < 0x90) {
        *contained = 2 * (first & 0x0F);
    } else if (first < 0xA0) {
        *contained = first & 0x0F;
    } else if (first < 0xC0) {
        bytes = first & 0x1F;
    } else {
        uint64_t count = 0;
        if (length - *at < heads[first - 0xC0].length_bytes)
            return false;
        for (int i = 0; i < heads[first - 0xC0].length_bytes; i++)
            count = count << 8 | data[(*at)++];
        bytes = heads[first - 0xC0].payload;
        switch (heads[first - 0xC0].counts) {
        case BYTES:
            bytes += count;
            break;
        case ITEMS:
            *contained = count;
            break;
        case PAIRS:
            *contained = 2 * count;
            break;
        case NEVER:
            return false;
        }
    }
    if (bytes > length - *at)
        return false;
    *at += bytes;
    return true;
}

bool packed_is_sane(text_t packed)
{
    const uint8_t *data = (const uint8_t *)packed.data;
    size_t at = 0;
    uint64_t missing = 1, contained;
    while (missing > 0) {
        if (at >= packed.length || !step(data, packed.length, &at, &contained))
            return false;
        missing += contained - 1;
        if (missing > packed.length - at)
            return false; /* each value takes a byte at least */
    }
    return at == packed.length;
}
