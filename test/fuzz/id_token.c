/* fuzz: any bytes as a set of keys, as an ID token, and as a provider's JSON: never a crash, and what nobody signed is never good. */
#include "base/panic.h"
#include "crypto/foreign.h"
#include "crypto/hash.h"
#include "crypto/id_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const id_token_rules_t rules = {.issuer = "i", .audience = "a", .nonce = {.data = "n", .length = 1}};
    arena_t *arena = arena_create(1 << 24, NULL, NULL);
    text_t text = {(const char *)data, size}, rest = text, header;
    id_token_t read;
    size_t count;

    jwks_t *set = jwks_read(text);
    insist(id_token_verify(arena, set, &rules, text, &read) != NULL);
    if (text_split(&rest, '\n', &header) && rest.data != NULL) {
        text_t token = arena_format(arena, "%.*s.%.*s.AAAA", TEXT_ARG(base64url_encode(arena, header)),
            TEXT_ARG(base64url_encode(arena, rest)));
        insist(id_token_verify(arena, set, &rules, token, &read) != NULL);
    }
    foreign_t *json = foreign_read(text);
    foreign_text(arena, json, "a", 10);
    foreign_id(arena, foreign_object(json, "b"), "a", 10);
    foreign_names(json, "a", "x", &count);
    foreign_free(&json);
    jwks_destroy(&set);
    arena_destroy(&arena);
    return 0;
}
