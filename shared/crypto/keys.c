/* keys: the text form of rings, read strictly: a ring with an unreadable key is no ring. */
#include "keys.h"
#include "hash.h"

static bool is_id(text_t id)
{
    if (id.length == 0 || id.length >= KEY_ID_SIZE)
        return false;
    for (size_t i = 0; i < id.length; i++) {
        char c = id.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

/* Adds "id:base64url"; false when it is none, when the id is there already, or when the ring is full. */
static bool ring_add(key_ring_t *ring, text_t part)
{
    text_t id;
    size_t length;

    if (ring->count == KEY_RING_MAX || !text_split(&part, ':', &id) || !is_id(id) ||
        key_ring_find(ring, id) != NULL)
        return false;
    ring_key_t *key = &ring->keys[ring->count];
    if (part.data == NULL || !base64url_decode_into(part, key->key, sizeof(key->key), &length) ||
        length != KEY_BYTES)
        return false;
    memcpy(key->id, id.data, id.length);
    key->id[id.length] = '\0';
    ring->count++;
    return true;
}

int key_ring_parse(text_t text, key_ring_t *out)
{
    key_ring_t ring = {.count = 0};
    text_t part;
    int result = 0;

    while (result == 0 && text_split(&text, ',', &part))
        if (!ring_add(&ring, part))
            result = -1;
    if (ring.count == 0)
        result = -1;
    if (result == 0)
        *out = ring;
    explicit_bzero(&ring, sizeof(ring));
    return result;
}

const ring_key_t *key_ring_find(const key_ring_t *ring, text_t id)
{
    for (int i = 0; i < ring->count; i++)
        if (text_equal(text_of(ring->keys[i].id), id))
            return &ring->keys[i];
    return NULL;
}

int64_t key_number(const char *id)
{
    int64_t number;
    return id[0] == 'k' && text_to_int(text_of(id + 1), &number) && number > 0 ? number : 0;
}

/* Index of the key with the highest number: the first of them when none has one. */
static int newest_index(const key_ring_t *ring)
{
    int newest = 0;
    for (int i = 1; i < ring->count; i++)
        if (key_number(ring->keys[i].id) > key_number(ring->keys[newest].id))
            newest = i;
    return newest;
}

int64_t key_ring_newest(const key_ring_t *ring)
{
    return ring->count > 0 ? key_number(ring->keys[newest_index(ring)].id) : 0;
}

int key_ring_staged(const key_ring_t *ring)
{
    int newest = newest_index(ring);
    return newest > 0 ? newest : -1;
}
