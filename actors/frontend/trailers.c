/* trailers: what comes behind a body over HTTP/2 is no header field. Libh2o 2.2 adds such fields to those of the request, where
 * nobody can tell them apart: a token that no proxy saw, or an X-Forwarded-For behind the one that the proxy wrote, which
 * would be believed. RFC 9110 (6.5.1) lets a recipient drop them, as libh2o itself does over HTTP/1.1.
 *
 * The program's definition of this function comes before the library's, also for the library's own calls. Its header is not
 * in Debian's package: the types that it names stand here as pointers to anything. */
#include <dlfcn.h>
#include <h2o.h>
#include "base/panic.h"
#include "frames.h"

typedef int parse_t(h2o_req_t *, void *table, const uint8_t *from, size_t length, int *pseudo_header_exists_map,
    size_t *content_length, void **digests, const char **reason);
parse_t h2o_hpack_parse_headers;

int h2o_hpack_parse_headers(h2o_req_t *req, void *table, const uint8_t *from, size_t length, int *pseudo_header_exists_map,
    size_t *content_length, void **digests, const char **reason)
{
    static parse_t *parse;
    if (parse == NULL && (*(void **)&parse = dlsym(RTLD_NEXT, "h2o_hpack_parse_headers")) == NULL)
        panic("libh2o has no h2o_hpack_parse_headers");
    size_t before = req->headers.size;
    if (!frames_head_begins(req, length))
        return FRAMES_CALM;
    int result = parse(req, table, from, length, pseudo_header_exists_map, content_length, digests, reason);
    if (pseudo_header_exists_map == NULL) /* so libh2o says that pseudo-headers are forbidden here */
        req->headers.size = before;
    else if (!frames_head_ends(req, length))
        return FRAMES_CALM;
    return result;
}
