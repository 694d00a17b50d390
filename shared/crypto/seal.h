/* seal: columns that are encrypted at rest (product.md, section 3): AES-256-GCM with
 *     stored = id length (1 byte), key id, nonce (12), ciphertext, tag (16)      AAD = "schema.table:column:row id"
 * so that a value moved to another row, column or table does not open. */
#pragma once
#include "../base/memory.h"
#include "../base/uuid.h"
#include "keys.h"

/* Where a sealed value stands; `table` is "children.children". */
typedef struct {
    const char *table, *column;
    uuid_t row;
} seal_place_t;

/* Seals with the ring's first key; bytes in the arena. */
text_t seal(arena_t *, const key_ring_t *, seal_place_t, text_t plain);
/* false: no such key, another place, or damaged. */
bool seal_open(arena_t *, const key_ring_t *, seal_place_t, text_t sealed, text_t *plain);
/* Is it sealed with the ring's first key? (Rotation finds rows for which it is not.) */
bool seal_is_current(const key_ring_t *, text_t sealed);
/* How everything that the ring's first key sealed begins; for finding the rest in SQL. Bytes in the arena. */
text_t seal_prefix(arena_t *, const key_ring_t *);
