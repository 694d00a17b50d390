/* cache_internal: how the cache lies in the segment's part; for cache*.c only. Zero-filled memory behind the head is an
 * empty cache.
 *
 *     head | tags | times of tags | sketch | claims | index | class 0: heads of slots | data of slots | class 1: …
 *
 * Where each begins is computed from the part's size alone (geometry_of), by each process for itself: no place or
 * size that steers a memory access is read from shared memory, but for lengths inside a slot and numbers of slots in
 * the index, which are checked against the geometry after they were copied.
 *
 * Slots are guarded by sequence locks. A writer takes `holder` by compare-and-swap, makes `sequence` odd, writes,
 * makes it even again, gives `holder` back. A reader copies between two equal and even readings of `sequence`
 * (Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012):
 *
 *     writer: sequence = odd (relaxed); fence(release); words (relaxed), bytes; sequence = even (release)
 *     reader: s1 = sequence (acquire); words (relaxed), bytes; fence(acquire); s2 = sequence (relaxed)
 *
 * A reader that saw anything of a write saw what a release fence or store put behind the odd number, so its acquire
 * fence makes s2 at least odd and unequal; one that read s1 even sees all that came before it. Words are atomics.
 * The bytes of bodies are copied by memcpy, hidden from the compiler (bytes_copy): nothing is decided by them before
 * s2 has proved them whole, and each CPU's fences order plain loads as they order atomic ones.
 *
 * A holder that died leaves its slot as it was: with an even number it is whole, the old entry or the new one; with
 * an odd one no reader takes it, until a writer sees that the holder is dead, becomes the holder and writes all of it
 * anew under a number that was never given before. */
#pragma once
#include "cache.h"

enum {
    CACHE_REVISION = 2,
    TAG_PLACES = 1 << 16,
    SKETCH_ROW = 1 << 14,
    SKETCH_ROWS = 2,
    CLAIM_WAYS = 8,
    CLAIM_SETS = 1 << 9,
    INDEX_WAYS = 8,
    USE_MOST = 15,
    OWNERS_MAX = 64,
    STAT_ROWS = SEGMENT_INSTANCES + 1, /* the last is the supervisor's */
    HEAD_SIZE = 256,
};

/* Each row has one writer: the process of that instance. */
typedef struct {
    _Alignas(64) _Atomic int64_t counts[sizeof(cache_counts_t) / sizeof(int64_t)];
} stat_row_t;

typedef struct {
    char magic[8];
    uint64_t layout, size;
    _Alignas(64) _Atomic uint64_t sequence; /* the one that says what is good */
    _Alignas(64) _Atomic uint64_t flushed;
    _Atomic uint64_t died[OWNERS_MAX]; /* by cache_tag_t.owner */
    _Atomic int64_t flushed_at, died_at[OWNERS_MAX]; /* when that was, by the wall clock */
    struct {
        _Alignas(64) _Atomic uint64_t touched; /* slots that were ever taken: the first so many */
        _Atomic uint64_t hand;                 /* where the next search for a victim begins */
    } classes[CACHE_CLASSES];
    _Alignas(64) _Atomic uint64_t sketched; /* since the sketch was halved */
    stat_row_t stats[STAT_ROWS];
} cache_head_t;

typedef struct {
    _Alignas(64) _Atomic uint64_t sequence; /* odd: being written, or given up in the middle */
    _Atomic uint64_t holder;                /* who writes; 0: nobody */
    _Atomic uint64_t key[2];                /* all zero: void */
    _Atomic uint64_t stamp;
    _Atomic int64_t filled, expires, stale_until;
    _Atomic uint32_t lengths[CACHE_FORMS]; /* of bodies; their order in `data`: headers, then the forms */
    _Atomic uint32_t header_length;
    _Atomic uint16_t tag_count;
    _Atomic uint8_t forms, public;
    _Atomic uint32_t tags[CACHE_TAGS_MAX]; /* tag_packed */
    char etags[CACHE_FORMS][CACHE_ETAG_SIZE];
    _Atomic uint8_t use; /* not guarded: how often it was given lately, 0 to USE_MOST */
} slot_head_t;
_Static_assert(sizeof(slot_head_t) == HEAD_SIZE, "four cache lines");

typedef struct {
    _Alignas(64) _Atomic uint64_t words[INDEX_WAYS]; /* index_word; 0: free. Hints: the slot's own key decides */
} index_set_t;

typedef struct {
    _Alignas(64) _Atomic uint64_t words[CLAIM_WAYS]; /* claim_word; 0: free */
} claim_set_t;

typedef struct {
    slot_head_t *heads;
    char *data;
    uint32_t data_size; /* of one slot */
    uint32_t slots;     /* 0: the part is too small for one */
} class_t;

struct cache {
    segment_t *segment;
    cache_head_t *head; /* NULL: off */
    _Atomic uint64_t *tags;
    _Atomic int64_t *tag_times; /* when the tag was last changed, by the wall clock */
    _Atomic uint8_t *sketch;
    claim_set_t *claims;
    index_set_t *index;
    uint64_t index_sets; /* a power of two */
    class_t classes[CACHE_CLASSES];
    stat_row_t *stats;
    uint64_t self; /* as in slot_head_t.holder; 0: may not write entries */
    int instance;  /* index in the instance table, -1: none */
};

/* The slot's data in each class, and its share of the part in sixteenths. */
extern const struct cache_class {
    uint32_t size, share;
} cache_classes[CACHE_CLASSES];

#define CACHE_COUNT(cache, what) \
    counter_add(&(cache)->stats->counts[offsetof(cache_counts_t, what) / sizeof(int64_t)], 1)

/* What is copied of a slot before it is believed. */
typedef struct {
    uint64_t sequence, stamp;
    int64_t filled, expires, stale_until;
    uint32_t lengths[CACHE_FORMS], header_length;
    unsigned tag_count;
    uint8_t forms, public;
    uint32_t tags[CACHE_TAGS_MAX];
} slot_meta_t;
/* False: not this key's (key NULL: any that is not void), being written, or nonsense. */
bool slot_read(const class_t *, const slot_head_t *, const cache_key_t *key, slot_meta_t *out);
/* Has nothing it depends on been changed, as far as the tables say? */
bool meta_good(const cache_t *, const slot_meta_t *meta);

/* 40 bits of the key's second word, 4 of the class, 20 of the slot's number plus one. */
static inline uint64_t index_word(const cache_key_t *key, int class, uint32_t slot)
{
    return (key->words[1] >> 24 << 24) | (uint64_t)class << 20 | (slot + 1);
}
static inline bool index_fits(uint64_t word, const cache_key_t *key)
{
    return (word ^ key->words[1]) >> 24 == 0 && (word & 0xfffff) != 0;
}
static inline index_set_t *index_set(const cache_t *cache, const cache_key_t *key)
{
    return &cache->index[key->words[0] & (cache->index_sets - 1)];
}
/* The slot an index word names; NULL when there is none such. */
static inline slot_head_t *index_slot(const cache_t *cache, uint64_t word, int *class)
{
    uint32_t slot = (uint32_t)(word & 0xfffff) - 1;
    *class = (int)(word >> 20 & 0xf);
    return *class < CACHE_CLASSES && slot < cache->classes[*class].slots ? &cache->classes[*class].heads[slot] : NULL;
}
static inline char *slot_data(const class_t *class, const slot_head_t *slot)
{
    return class->data + (size_t)(slot - class->heads) * class->data_size;
}
static inline uint32_t tag_packed(cache_tag_t tag)
{
    return tag.place | tag.owner << 16;
}

/* cache_claim.c: who fills what. */
/* True: the fill is the caller's. False: somebody's until *until, or nobody's (*until 0: no room to note it). */
bool claim_take(cache_t *, const cache_key_t *key, int64_t now, int64_t claim_for, int64_t *until);
void claim_end(cache_t *, const cache_key_t *key);
void claim_end_instance(cache_t *, int instance);
/* How often a key was filled lately, about. */
void sketch_count(cache_t *, const cache_key_t *key);
unsigned sketch_estimate(const cache_t *, const cache_key_t *key);
