/* fuzz: any bytes as a request's target and as what a proxy forwards. Whatever is decoded is UTF-8 without
 * NUL and no longer than it was; whatever is wrong can be told; a match's parameters lie inside the path. */
#include "base/panic.h"
#include "frontend/address.h"
#include "frontend/matcher.h"
#include "frontend/query.h"
#include "frontend/trace.h"
#include "wire/errors.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const matcher_t *routes(void)
{
    static const char *const paths[] = {"/a", "/a/:id", "/a/:id/b/:other", "/a/me", "/a/me/b", "/:any/c"};
    static matcher_t *matcher;
    if (matcher == NULL) {
        matcher = matcher_create();
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
            *matcher_place(matcher, paths[i]) = (void *)(uintptr_t)paths[i];
    }
    return matcher;
}

static void match_one(text_t path)
{
    match_t match;
    matcher_find(routes(), path, &match);
    insist(match.param_count <= MATCH_PARAMS_MAX);
    for (int i = 0; i < match.param_count; i++)
        insist(match.params[i].length > 0 && match.params[i].data > path.data &&
               match.params[i].data + match.params[i].length <= path.data + path.length);
}

static void query_one(text_t text)
{
    arena_t *arena = arena_create(1 << 24, NULL, NULL);
    problems_t problems = {.arena = arena};
    buffer_t answer = {0};
    query_t query;
    char *scratch = malloc(text.length + 1);
    bool good = query_read(text, scratch, &query, &problems);
    insist(good == (problems.count == 0));
    for (int i = 0; i < query.count; i++)
        insist(text_is_utf8(query.items[i].name) && text_is_utf8(query.items[i].value) &&
               query.items[i].name.length > 0);
    error_json(&answer, ERROR_VALIDATION, LANGUAGE_EN, &problems);
    insist(text_is_utf8(buffer_text(&answer)));
    free(scratch);
    buffer_free(&answer);
    arena_destroy(&arena);
}

static void address_one(text_t text)
{
    networks_t trusted = {.count = 1};
    address_t peer = {{0}};
    network_t network;
    char shown[ADDRESS_TEXT];
    insist(network_parse(TEXT("::/1"), &trusted.items[0]));
    address_t client = address_resolve(&trusted, peer, &text, 1);
    insist(address_format(client, shown) > 0);
    network_parse(text, &network);
    trace_of(text, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    text_t text = {.data = (const char *)data, .length = size}, path = {.data = NULL}, rest = text;
    match_one(text);
    query_one(text);
    address_one(text);
    if (text_split(&rest, '?', &path))
        match_one(path);
    return 0;
}
