/* keys: rings of keys with ids, so that keys can rotate. The text form is "id:base64url,id:base64url": the first signs and
 * seals, all of them verify and open. Ids are 1 to 16 letters and digits; those that we make are k1, k2, … A key that is newer
 * than the first one but stands behind it is staged: it opens already, and will be the first (secrets.h). */
#pragma once
#include "../base/text.h"

enum { KEY_RING_MAX = 8, KEY_ID_SIZE = 17, KEY_BYTES = 32 };

typedef struct {
    char id[KEY_ID_SIZE];
    uint8_t key[KEY_BYTES];
} ring_key_t;

typedef struct {
    ring_key_t keys[KEY_RING_MAX];
    int count;
} key_ring_t;

/* 0, or -1 when the text is no ring. */
int key_ring_parse(text_t text, key_ring_t *out);
/* NULL when no key has this id. */
const ring_key_t *key_ring_find(const key_ring_t *, text_t id);
/* 3 for "k3"; 0 for an id that somebody else thought of. */
int64_t key_number(const char *id);
/* The newest of its numbers, which says whether a process has heard of a staged key. */
int64_t key_ring_newest(const key_ring_t *);
/* Index of the staged key; -1: none is. */
int key_ring_staged(const key_ring_t *);
