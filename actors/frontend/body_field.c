/* body_field: a walk over msgpack (github.com/msgpack/msgpack/blob/master/spec.md). Each format byte has a
 * row: how many bytes of length follow it, how many bytes of payload it has beside, and whether it holds
 * other values. What is cut off, or too deep, ends the walk. */
#include "body_field.h"

enum { DEPTH_MAX = 64 };
enum kind { KIND_SCALAR, KIND_STRING, KIND_ARRAY, KIND_MAP };

typedef struct {
    uint8_t kind, length_bytes, fixed; /* fixed: payload, or the count when length_bytes is 0 */
} format_t;

static const format_t formats[256] = {
    [0x00 ... 0x7F] = {KIND_SCALAR, 0, 0},
    [0x80 ... 0x8F] = {KIND_MAP, 0, 0},
    [0x90 ... 0x9F] = {KIND_ARRAY, 0, 0},
    [0xA0 ... 0xBF] = {KIND_STRING, 0, 0},
    [0xC0 ... 0xC3] = {KIND_SCALAR, 0, 0},
    [0xC4] = {KIND_SCALAR, 1, 0},
    [0xC5] = {KIND_SCALAR, 2, 0},
    [0xC6] = {KIND_SCALAR, 4, 0}, /* bin */
    [0xC7] = {KIND_SCALAR, 1, 1},
    [0xC8] = {KIND_SCALAR, 2, 1},
    [0xC9] = {KIND_SCALAR, 4, 1}, /* ext */
    [0xCA] = {KIND_SCALAR, 0, 4},
    [0xCB] = {KIND_SCALAR, 0, 8}, /* float */
    [0xCC] = {KIND_SCALAR, 0, 1},
    [0xCD] = {KIND_SCALAR, 0, 2},
    [0xCE] = {KIND_SCALAR, 0, 4},
    [0xCF] = {KIND_SCALAR, 0, 8},
    [0xD0] = {KIND_SCALAR, 0, 1},
    [0xD1] = {KIND_SCALAR, 0, 2},
    [0xD2] = {KIND_SCALAR, 0, 4},
    [0xD3] = {KIND_SCALAR, 0, 8},
    [0xD4] = {KIND_SCALAR, 0, 2},
    [0xD5] = {KIND_SCALAR, 0, 3},
    [0xD6] = {KIND_SCALAR, 0, 5},
    [0xD7] = {KIND_SCALAR, 0, 9},
    [0xD8] = {KIND_SCALAR, 0, 17},
    [0xD9] = {KIND_STRING, 1, 0},
    [0xDA] = {KIND_STRING, 2, 0},
    [0xDB] = {KIND_STRING, 4, 0},
    [0xDC] = {KIND_ARRAY, 2, 0},
    [0xDD] = {KIND_ARRAY, 4, 0},
    [0xDE] = {KIND_MAP, 2, 0},
    [0xDF] = {KIND_MAP, 4, 0},
    [0xE0 ... 0xFF] = {KIND_SCALAR, 0, 0},
};

typedef struct {
    enum kind kind;
    uint32_t count; /* elements of an array, pairs of a map */
    text_t string;
} value_t;

/* Reads one head (and the payload of what is no container); *rest moves on. */
static bool value_take(text_t *rest, value_t *out)
{
    if (rest->length == 0)
        return false;
    uint8_t byte = (uint8_t)rest->data[0];
    const format_t *format = &formats[byte];
    size_t head = 1 + (size_t)format->length_bytes, size = 0;
    if (rest->length < head)
        return false;
    for (size_t i = 1; i < head; i++)
        size = size << 8 | (uint8_t)rest->data[i];
    if (format->length_bytes == 0 && format->kind != KIND_SCALAR)
        size = format->kind == KIND_STRING ? byte & 0x1F : byte & 0x0F;
    out->kind = format->kind;
    out->count = (uint32_t)size;
    size_t payload = format->kind >= KIND_ARRAY ? 0 : size + format->fixed;
    if (rest->length - head < payload)
        return false;
    out->string = (text_t){.data = rest->data + head, .length = payload};
    rest->data += head + payload;
    rest->length -= head + payload;
    return true;
}

static bool value_skip(text_t *rest)
{
    uint64_t left[DEPTH_MAX] = {1};
    for (int depth = 0; depth >= 0;) {
        if (left[depth] == 0) {
            depth--;
            continue;
        }
        left[depth]--;
        value_t value;
        if (!value_take(rest, &value))
            return false;
        if (value.kind < KIND_ARRAY)
            continue;
        if (++depth == DEPTH_MAX)
            return false;
        left[depth] = (uint64_t)value.count * (value.kind == KIND_MAP ? 2 : 1);
    }
    return true;
}

text_t body_string(text_t map, text_t name)
{
    const text_t none = {.data = NULL};
    value_t head, key, value;
    if (!value_take(&map, &head) || head.kind != KIND_MAP)
        return none;
    for (uint32_t i = 0; i < head.count; i++) {
        if (!value_take(&map, &key) || key.kind != KIND_STRING)
            return none;
        if (!text_equal(key.string, name)) {
            if (!value_skip(&map))
                return none;
            continue;
        }
        return value_take(&map, &value) && value.kind == KIND_STRING ? value.string : none;
    }
    return none;
}
