/* forms: zlib and libbrotlienc, with windows no larger than the body. */
#include "forms.h"
#include "../base/panic.h"
#include <brotli/encode.h>
#include <zlib.h>

enum {
    GZIP_LEVEL = 6,
    GZIP_FRAME = 16, /* deflateInit2: with gzip's head and trailer */
    GZIP_MEMORY = 8,
    BROTLI_LEVEL = 5,
    WINDOW_LEAST = 10,
    WINDOW_MOST = 15,
};

static int window_for(size_t length)
{
    int bits = WINDOW_LEAST;
    while (bits < WINDOW_MOST && (size_t)1 << bits < length)
        bits++;
    return bits;
}

/* What saves less than a tenth costs more than it saves. */
static bool keep(buffer_t *out, size_t length, size_t body_length)
{
    if (length == 0 || length > body_length / 10 * 9)
        return false;
    out->length += length;
    return true;
}

bool form_gzip(text_t body, buffer_t *out)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)body.data, .avail_in = (uInt)body.length};
    if (body.length > UINT32_MAX / 2 ||
        deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, window_for(body.length) + GZIP_FRAME, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t most = deflateBound(&stream, (uLong)body.length);
    buffer_reserve(out, most);
    stream.next_out = (Bytef *)out->data + out->length;
    stream.avail_out = (uInt)most;
    bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    size_t length = stream.total_out;
    deflateEnd(&stream);
    return done && keep(out, length, body.length);
}

bool form_brotli(text_t body, buffer_t *out)
{
    size_t length = BrotliEncoderMaxCompressedSize(body.length);
    if (length == 0)
        return false;
    buffer_reserve(out, length);
    bool done = BrotliEncoderCompress(BROTLI_LEVEL, window_for(body.length) + 1, BROTLI_MODE_TEXT, body.length,
        (const uint8_t *)body.data, &length, (uint8_t *)out->data + out->length);
    return done && keep(out, length, body.length);
}
