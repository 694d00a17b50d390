/* export_link: see export_link.h. HMAC-SHA256 over a word that keeps it apart from what else the key signs, the id, and the time
 * as eight bytes, the highest first. */
#include "export_link.h"

text_t export_link_sign(arena_t *arena, const uint8_t key[static 32], uuid_t id, int64_t expires)
{
    static const char purpose[] = "export"; /* with its NUL */
    char message[sizeof(purpose) + sizeof(id.bytes) + 8];
    memcpy(message, purpose, sizeof(purpose));
    memcpy(message + sizeof(purpose), id.bytes, sizeof(id.bytes));
    for (int i = 0; i < 8; i++)
        message[sizeof(message) - 1 - (size_t)i] = (char)((uint64_t)expires >> 8 * i);
    digest_t mac = hash_hmac(key, (text_t){.data = message, .length = sizeof(message)});
    return base64url_encode(arena, (text_t){.data = (const char *)mac.bytes, .length = sizeof(mac.bytes)});
}

bool export_link_is_signed(
    arena_t *arena, const uint8_t key[static 32], uuid_t id, int64_t expires, text_t signature)
{
    return secret_equal(export_link_sign(arena, key, id, expires), signature);
}
