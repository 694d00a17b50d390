/* fuzz: any bytes as an access token, and as header and claims of one that is signed with the right key:
 * never a crash, and what is not signed is never good. The other readers of short texts come along. */
#include "base/clock.h"
#include "base/panic.h"
#include "crypto/hash.h"
#include "crypto/token.h"
#include "wire/errors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void short_texts(text_t text)
{
    uuid_t id;
    int32_t days;
    int64_t number;
    key_ring_t ring;
    char shown[28];

    uuid_parse(text, &id);
    text_to_int(text, &number);
    language_of(text);
    key_ring_parse(text, &ring);
    if (text.length > 0 && date_parse(text.data, text.length, &days) == 0) {
        date_format(days, shown);
        insist(text_equal(text_of(shown), text));
    }
    if (text.length > 0 && time_parse(text.data, text.length, &number) == 0)
        insist(time_format(number, shown) >= 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const key_ring_t ring = {
        .keys = {{.id = "k1", .key = "0123456789abcdef0123456789abcde"}}, .count = 1};
    const token_rules_t rules = {.ring = &ring, .issuer = "i", .audience = "a"};
    arena_t *arena = arena_create(1 << 24, NULL, NULL);
    text_t text = {(const char *)data, size}, rest = text, header;
    const char *reason;
    token_t token;

    short_texts(text);
    insist(!token_verify(&rules, text, 0, &token, &reason) && reason != NULL);
    if (text_split(&rest, '\n', &header) && rest.data != NULL) {
        text_t body = arena_format(arena, "%.*s.%.*s", TEXT_ARG(base64url_encode(arena, header)),
            TEXT_ARG(base64url_encode(arena, rest)));
        digest_t signature = hash_hmac(ring.keys[0].key, body);
        text_t encoded = base64url_encode(arena, (text_t){(char *)signature.bytes, sizeof(signature.bytes)});
        token_verify(
            &rules, arena_format(arena, "%.*s.%.*s", TEXT_ARG(body), TEXT_ARG(encoded)), 0, &token, &reason);
    }
    arena_destroy(&arena);
    return 0;
}
