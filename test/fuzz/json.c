/* fuzz: any bytes as a client's JSON. What is accepted must be one msgpack map; what is refused has exactly
 * one problem whose sentences can be written. */
#include "base/panic.h"
#include "wire/errors.h"
#include "wire/json.h"
#include <msgpack.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_t *arena = arena_create(1 << 24, NULL, NULL);
    problems_t problems = {.arena = arena};
    buffer_t out = {0}, answer = {0};

    if (json_to_msgpack((text_t){(const char *)data, size}, 32, &out, &problems)) {
        msgpack_unpacked unpacked;
        size_t offset = 0;
        msgpack_unpacked_init(&unpacked);
        insist(msgpack_unpack_next(&unpacked, out.data, out.length, &offset) == MSGPACK_UNPACK_SUCCESS);
        insist(offset == out.length && unpacked.data.type == MSGPACK_OBJECT_MAP && problems.count == 0);
        msgpack_unpacked_destroy(&unpacked);
    } else {
        insist(problems.count == 1 && out.length == 0 && text_is_utf8(problems.items[0].field));
        error_json(&answer, ERROR_VALIDATION, LANGUAGE_KO, &problems);
        error_json(&answer, ERROR_VALIDATION, LANGUAGE_EN, &problems);
    }
    buffer_free(&answer);
    buffer_free(&out);
    arena_destroy(&arena);
    return 0;
}
