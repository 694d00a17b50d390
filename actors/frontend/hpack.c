/* hpack: what we have libh2o's HPACK do otherwise. The program's definitions of these two functions come before the library's, also
 * for the library's own calls. Their header is not in Debian's package: types that it names stand here as pointers to anything.
 *
 * Requests. What comes behind a body over HTTP/2 is no header field: libh2o 2.2 adds such trailers to those of the request, where
 * nobody can tell them apart: a token that no proxy saw, or an X-Forwarded-For behind the one that the proxy wrote, which
 * would be believed. RFC 9110 (6.5.1) lets a recipient drop them, as libh2o itself does over HTTP/1.1. And a token that came just
 * so over this connection before is not decoded again (hpack_token.h).
 *
 * Answers. libh2o puts each field into the connection's table and compares each with all that stand there. Those whose
 * value is another one each time would fill it, in vain, and drive out those that are always the same: they are added behind the
 * others as literals that are not indexed (RFC 7541, 6.2.2). */
#include "hpack.h"
#include <dlfcn.h>
#include "base/memory.h"
#include "base/panic.h"
#include "connection.h"
#include "frames.h"
#include "hpack_token.h"

enum {
    FLEETING_MOST = 8,    /* names; likewise fields of one answer */
    FLEETING_BYTES = 128, /* longer values are libh2o's */
    HEAD_MOST = 40,
    INDEX_MOST = 15, /* what a prefix of four bits tells alone (RFC 7541, 5.1); the static table has 61 places */
    FRAME_HEADER = 9,     /* bytes (RFC 9113, 4.1) */
    FRAME_ROOM = 8 << 10, /* an answer whose header may be longer is libh2o's: a frame holds 16 KB at least */
    FIELD_COST = 16,
};

typedef int parse_t(h2o_req_t *, void *table, const uint8_t *from, size_t length, int *pseudo_header_exists_map,
    size_t *content_length, void **digests, const char **reason);
typedef void flatten_t(h2o_buffer_t **, void *table, uint32_t stream, size_t frame_most, h2o_res_t *, h2o_timestamp_t *,
    const h2o_iovec_t *server, size_t content_length);
parse_t h2o_hpack_parse_headers;
flatten_t h2o_hpack_flatten_response;
size_t h2o_hpack_encode_string(uint8_t *to, const char *from, size_t length);

static struct {
    parse_t *parse;
    flatten_t *flatten;
    struct {
        const h2o_iovec_t *name;
        uint8_t head[HEAD_MOST]; /* what stands before the value */
        size_t length;
    } fleeting[FLEETING_MOST];
    size_t count;
} hpack;

static void *function_of(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        panic("libh2o has no %s", name);
    return function;
}

void hpack_open(void)
{
    *(void **)&hpack.parse = function_of("h2o_hpack_parse_headers");
    *(void **)&hpack.flatten = function_of("h2o_hpack_flatten_response");
}

void hpack_fleeting(const h2o_iovec_t *name)
{
    insist(hpack.count < FLEETING_MOST && name->len + 2 < HEAD_MOST);
    int index = h2o_iovec_is_token(name) ? ((const h2o_token_t *)(const void *)name)->http2_static_table_name_index : 0;
    uint8_t *head = hpack.fleeting[hpack.count].head;
    size_t length = 1;
    head[0] = (uint8_t)(index < INDEX_MOST ? index : INDEX_MOST);
    if (index == 0)
        length += h2o_hpack_encode_string(head + 1, name->base, name->len);
    else if (index >= INDEX_MOST)
        head[length++] = (uint8_t)(index - INDEX_MOST);
    hpack.fleeting[hpack.count].length = length;
    hpack.fleeting[hpack.count++].name = name;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* The connection has, or gets, a place for it. */
static void remember(connection_t *connection, const h2o_req_t *req, text_t coded)
{
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, -1);
    if (at < 0 || h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, at) >= 0)
        return;
    if (connection->token == NULL)
        connection->token = memory_allocate(sizeof(*connection->token));
    h2o_iovec_t value = req->headers.entries[at].value;
    hpack_token_remember(connection->token, coded, (text_t){.data = value.base, .length = value.len});
}

int h2o_hpack_parse_headers(h2o_req_t *req, void *table, const uint8_t *from, size_t length, int *pseudo_header_exists_map,
    size_t *content_length, void **digests, const char **reason)
{
    static char made[HPACK_BLOCK_MOST];
    connection_t *connection = connection_of(req);
    text_t block = {.data = (const char *)from, .length = length};
    bool trailers = pseudo_header_exists_map == NULL; /* so libh2o says that pseudo-headers are forbidden here */
    size_t before = req->headers.size, made_length = 0;
    hpack_string_t token;
    if (!frames_head_begins(req, length))
        return FRAMES_CALM;
    bool has_token = !trailers && hpack_token_find(block, &token);
    if (has_token && connection->token != NULL)
        made_length = hpack_token_replace(connection->token, block, &token, made);
    int result = hpack.parse(req, table, made_length > 0 ? (const uint8_t *)made : from, made_length > 0 ? made_length : length,
        pseudo_header_exists_map, content_length, digests, reason);
    if (trailers)
        req->headers.size = before;
    else if (!frames_head_ends(req, length))
        return FRAMES_CALM;
    if (has_token && made_length == 0 && result == 0)
        remember(connection, req, (text_t){.data = block.data + token.bytes, .length = token.length});
    return result;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* -1: it is none of them. */
static int fleeting_find(const h2o_header_t *header)
{
    for (size_t i = 0; i < hpack.count; i++)
        if (header->name == hpack.fleeting[i].name)
            return header->value.len < FLEETING_BYTES - 1 ? (int)i : -1;
    return -1;
}

/* Takes them out of the answer's fields; false: they stay there. */
static bool fleeting_take(h2o_headers_t *headers, h2o_header_t *out, int *which, size_t *count)
{
    size_t kept = 0, bytes = 0;
    *count = 0;
    for (size_t i = 0; i < headers->size; i++)
        bytes += headers->entries[i].name->len + headers->entries[i].value.len + FIELD_COST;
    if (bytes > FRAME_ROOM)
        return false;
    for (size_t i = 0; i < headers->size; i++) {
        int found = *count < FLEETING_MOST ? fleeting_find(&headers->entries[i]) : -1;
        if (found < 0) {
            headers->entries[kept++] = headers->entries[i];
            continue;
        }
        which[*count] = found;
        out[(*count)++] = headers->entries[i];
    }
    headers->size = kept;
    return *count > 0;
}

static void fleeting_write(h2o_buffer_t **buffer, const h2o_header_t *header, int which)
{
    size_t head = hpack.fleeting[which].length, length = header->value.len;
    uint8_t *to = (uint8_t *)h2o_buffer_reserve(buffer, head + 1 + length).base;
    memcpy(to, hpack.fleeting[which].head, head);
    to[head] = (uint8_t)length; /* plain, and shorter than what one byte tells */
    memcpy(to + head + 1, header->value.base, length);
    (*buffer)->size += head + 1 + length;
}

void h2o_hpack_flatten_response(h2o_buffer_t **buffer, void *table, uint32_t stream, size_t frame_most, h2o_res_t *res,
    h2o_timestamp_t *time, const h2o_iovec_t *server, size_t content_length)
{
    h2o_header_t fleeting[FLEETING_MOST];
    int which[FLEETING_MOST];
    size_t count, frame = (*buffer)->size;
    bool any = fleeting_take(&res->headers, fleeting, which, &count);
    hpack.flatten(buffer, table, stream, frame_most, res, time, server, content_length);
    if (!any)
        return;
    for (size_t i = 0; i < count; i++)
        fleeting_write(buffer, &fleeting[i], which[i]);
    size_t payload = (*buffer)->size - frame - FRAME_HEADER;
    for (int i = 0; i < 3; i++)
        (*buffer)->bytes[frame + (size_t)i] = (char)(payload >> 8 * (2 - i));
    for (size_t i = 0; i < count; i++) /* they are the answer's still */
        res->headers.entries[res->headers.size++] = fleeting[i];
}
