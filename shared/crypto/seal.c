/* seal: AES-256-GCM (NIST SP 800-38D) with random nonces. A key seals far fewer than 2^32 values before it is
 * rotated, which is the bound for random 96-bit nonces. The place is authenticated, not stored: what was
 * moved does not open. */
#include "seal.h"
#include "../base/panic.h"
#include "hash.h"
#include <openssl/evp.h>
#include <stdio.h>

enum { NONCE_SIZE = 12, TAG_SIZE = 16, PLACE_SIZE = 256, PLAIN_MAX = 16 * 1024 * 1024 };

static const EVP_CIPHER *cipher(void)
{
    static EVP_CIPHER *fetched; /* looking it up costs more than sealing */
    if (fetched == NULL && (fetched = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)) == NULL)
        panic("OpenSSL has no AES-256-GCM");
    return fetched;
}

static EVP_CIPHER_CTX *context(void)
{
    static EVP_CIPHER_CTX *made;
    if (made == NULL && (made = EVP_CIPHER_CTX_new()) == NULL)
        panic("out of memory: a cipher context");
    return made;
}

/* The additional data: "schema.table:column:row id". */
static int place_format(seal_place_t place, char out[static PLACE_SIZE])
{
    char row[UUID_TEXT_SIZE];
    uuid_format(place.row, row);
    int length = snprintf(out, PLACE_SIZE, "%s:%s:%s", place.table, place.column, row);
    insist(length > 0 && length < PLACE_SIZE);
    return length;
}

text_t seal(arena_t *arena, const key_ring_t *ring, seal_place_t place, text_t plain)
{
    char aad[PLACE_SIZE];
    int aad_length = place_format(place, aad), written = 0, ended = 0;
    insist(ring->count > 0 && plain.length <= PLAIN_MAX);
    const ring_key_t *key = &ring->keys[0];
    size_t id_length = strlen(key->id), head = 1 + id_length + NONCE_SIZE;
    uint8_t *out = arena_allocate(arena, head + plain.length + TAG_SIZE);
    uint8_t *nonce = out + 1 + id_length;
    EVP_CIPHER_CTX *ctx = context();

    out[0] = (uint8_t)id_length;
    memcpy(out + 1, key->id, id_length);
    random_bytes(nonce, NONCE_SIZE);
    bool good = EVP_EncryptInit_ex2(ctx, cipher(), key->key, nonce, NULL) == 1 &&
                EVP_EncryptUpdate(ctx, NULL, &written, (const uint8_t *)aad, aad_length) == 1;
    written = 0;
    if (plain.length > 0)
        good = good && EVP_EncryptUpdate(
                           ctx, out + head, &written, (const uint8_t *)plain.data, (int)plain.length) == 1;
    good = good && EVP_EncryptFinal_ex(ctx, out + head + written, &ended) == 1 &&
           (size_t)(written + ended) == plain.length &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + head + plain.length) == 1;
    EVP_CIPHER_CTX_reset(ctx); /* forgets the key */
    if (!good)
        panic("OpenSSL could not seal %s.%s", place.table, place.column);
    return (text_t){.data = (char *)out, .length = head + plain.length + TAG_SIZE};
}

/* Takes the key's id and the nonce off *sealed; false when it is too short. */
static bool head_read(text_t *sealed, text_t *id, const uint8_t **nonce)
{
    size_t id_length = sealed->length > 0 ? (uint8_t)sealed->data[0] : 0, head = 1 + id_length + NONCE_SIZE;

    if (id_length == 0 || id_length >= KEY_ID_SIZE || sealed->length < head + TAG_SIZE ||
        sealed->length > PLAIN_MAX + head + TAG_SIZE)
        return false;
    *id = (text_t){sealed->data + 1, id_length};
    *nonce = (const uint8_t *)sealed->data + 1 + id_length;
    sealed->data += head;
    sealed->length -= head;
    return true;
}

bool seal_open(arena_t *arena, const key_ring_t *ring, seal_place_t place, text_t sealed, text_t *plain)
{
    char aad[PLACE_SIZE];
    int aad_length = place_format(place, aad), written = 0, ended = 0;
    const uint8_t *nonce;
    text_t id;

    if (!head_read(&sealed, &id, &nonce))
        return false;
    const ring_key_t *key = key_ring_find(ring, id);
    if (key == NULL)
        return false;
    size_t length = sealed.length - TAG_SIZE;
    uint8_t *out = arena_allocate(arena, length + 1),
            tag[TAG_SIZE]; /* NUL-terminated, as texts from the database are */
    EVP_CIPHER_CTX *ctx = context();

    memcpy(tag, sealed.data + length, TAG_SIZE);
    bool good = EVP_DecryptInit_ex2(ctx, cipher(), key->key, nonce, NULL) == 1 &&
                EVP_DecryptUpdate(ctx, NULL, &written, (const uint8_t *)aad, aad_length) == 1;
    written = 0;
    if (length > 0)
        good = good && EVP_DecryptUpdate(ctx, out, &written, (const uint8_t *)sealed.data, (int)length) == 1;
    good = good && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + written, &ended) == 1;
    EVP_CIPHER_CTX_reset(ctx);
    if (!good) {
        explicit_bzero(out, length); /* what did not authenticate is nobody's */
        return false;
    }
    *plain = (text_t){.data = (char *)out, .length = length};
    return true;
}

bool seal_is_current(const key_ring_t *ring, text_t sealed)
{
    const uint8_t *nonce;
    text_t id;
    return ring->count > 0 && head_read(&sealed, &id, &nonce) && text_equal(id, text_of(ring->keys[0].id));
}

text_t seal_prefix(arena_t *arena, const key_ring_t *ring)
{
    insist(ring->count > 0);
    return arena_format(arena, "%c%s", (int)strlen(ring->keys[0].id), ring->keys[0].id);
}
