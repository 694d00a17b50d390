/* cache_claim: who fills what, and how often keys were filled. Both are hints in shared memory: whatever is lost or
 * mixed up here costs a query too many or a bounded wait, never a wrong answer.
 *
 * A claim is one word, so that it is taken, seen and dropped whole:
 *     fingerprint of the key (25 bits) | instance (7) | until, in milliseconds of the shared monotonic clock (32)
 * Two keys of one set with one fingerprint (one in 2^34 pairs) are taken for one: one of them waits once, in vain.
 *
 * The sketch is a count-min sketch (Cormode and Muthukrishnan, 2005) of fills, halved now and then so that it forgets
 * (as TinyLFU does; Einziger, Friedman, Manes, 2017). */
#include "../base/clock.h"
#include "../base/panic.h"
#include "cache_internal.h"

enum { SKETCH_HALVE = SKETCH_ROW * 4, CLAIM_TRIES = 4 };

/* --- claims ------------------------------------------------------------------------------------------------------- */

_Static_assert(SEGMENT_INSTANCES <= 128, "seven bits");

static uint64_t claim_fingerprint(const cache_key_t *key)
{
    return key->words[1] >> 39;
}

static uint64_t claim_word(const cache_key_t *key, int instance, int64_t until)
{
    uint64_t word =
        claim_fingerprint(key) << 39 | (uint64_t)instance << 32 | (uint32_t)(until / CLOCK_MILLISECOND);
    return word ? word : 1;
}

static claim_set_t *claim_set(const cache_t *cache, const cache_key_t *key)
{
    return &cache->claims[(key->words[1] & (CLAIM_SETS - 1))];
}

/* Milliseconds that it has left; 32 bits of them wrap after 49 days, compared by their difference. */
static int32_t claim_left(uint64_t word, int64_t now)
{
    return (int32_t)((uint32_t)word - (uint32_t)(now / CLOCK_MILLISECOND));
}

/* The first way with a claim of this key in force; -1. *free_way: the first that could be taken, and its word. */
static int claim_find(claim_set_t *set, const cache_key_t *key, int64_t now, int *free_way, uint64_t *free_word)
{
    *free_way = -1;
    for (int i = 0; i < CLAIM_WAYS; i++) {
        uint64_t word = atomic_load(&set->words[i]);
        bool over = word == 0 || claim_left(word, now) <= 0;
        if (!over && word >> 39 == claim_fingerprint(key))
            return i;
        if (over && *free_way < 0) {
            *free_way = i;
            *free_word = word;
        }
    }
    return -1;
}

bool claim_take(cache_t *cache, const cache_key_t *key, int64_t now, int64_t claim_for, int64_t *until)
{
    claim_set_t *set = claim_set(cache, key);
    int64_t least = CLOCK_MILLISECOND, most = 3600 * CLOCK_SECOND;
    claim_for = claim_for < least ? least : claim_for > most ? most : claim_for;
    *until = 0;
    for (int try = 0; try < CLAIM_TRIES; try++) {
        int way;
        uint64_t before = 0;
        int taken = claim_find(set, key, now, &way, &before);
        if (taken >= 0) {
            uint64_t word = atomic_load(&set->words[taken]);
            int32_t left = claim_left(word, now);
            *until = now + (left > 0 ? left : 1) * CLOCK_MILLISECOND;
            return false;
        }
        if (way < 0)
            return false; /* as many fills at a time as the set holds */
        /* Who is slower at the same way looks again, and finds the quicker one's claim. */
        if (atomic_compare_exchange_strong(
                &set->words[way], &before, claim_word(key, cache->instance, now + claim_for))) {
            sketch_count(cache, key);
            return true;
        }
    }
    return false;
}

static void claim_drop(_Atomic uint64_t *at, uint64_t word)
{
    atomic_compare_exchange_strong(at, &word, 0);
}

void claim_end(cache_t *cache, const cache_key_t *key)
{
    claim_set_t *set = claim_set(cache, key);
    for (int i = 0; i < CLAIM_WAYS; i++) {
        uint64_t word = atomic_load(&set->words[i]);
        if (word != 0 && word >> 39 == claim_fingerprint(key))
            claim_drop(&set->words[i], word);
    }
}

void claim_end_instance(cache_t *cache, int instance)
{
    for (int s = 0; s < CLAIM_SETS; s++)
        for (int i = 0; i < CLAIM_WAYS; i++) {
            uint64_t word = atomic_load(&cache->claims[s].words[i]);
            if (word != 0 && (int)(word >> 32 & 0x7f) == instance)
                claim_drop(&cache->claims[s].words[i], word);
        }
}

void cache_release(cache_t *cache, const cache_key_t *key)
{
    if (cache->head != NULL)
        claim_end(cache, key);
}

/* --- the sketch --------------------------------------------------------------------------------------------------- */

static _Atomic uint8_t *sketch_at(const cache_t *cache, const cache_key_t *key, int row)
{
    return &cache->sketch[row * SKETCH_ROW + (key->words[0] >> (20 * row + 24)) % SKETCH_ROW];
}

static void sketch_halve(cache_t *cache)
{
    for (int i = 0; i < SKETCH_ROWS * SKETCH_ROW; i++)
        atomic_store_explicit(&cache->sketch[i],
            atomic_load_explicit(&cache->sketch[i], memory_order_relaxed) / 2, memory_order_relaxed);
}

void sketch_count(cache_t *cache, const cache_key_t *key)
{
    for (int row = 0; row < SKETCH_ROWS; row++) {
        _Atomic uint8_t *count = sketch_at(cache, key, row);
        uint8_t value = atomic_load_explicit(count, memory_order_relaxed);
        if (value < USE_MOST)
            atomic_store_explicit(count, value + 1, memory_order_relaxed);
    }
    if ((atomic_fetch_add_explicit(&cache->head->sketched, 1, memory_order_relaxed) + 1) % SKETCH_HALVE == 0)
        sketch_halve(cache);
}

unsigned sketch_estimate(const cache_t *cache, const cache_key_t *key)
{
    unsigned least = USE_MOST;
    for (int row = 0; row < SKETCH_ROWS; row++) {
        unsigned value = atomic_load_explicit(sketch_at(cache, key, row), memory_order_relaxed);
        least = value < least ? value : least;
    }
    return least;
}
