/* cache_put: filing. Which slot: the key's own, else one whose entry is no longer good, else one never used, else
 * that of the least used among a few; an entry that is used gives way only to a key that was filled more often
 * lately, so that a scan, which asks for each thing once, passes by what is used. Nobody waits for a slot: one that is held is
 * not considered. */
#include "../base/clock.h"
#include "../base/panic.h"
#include "cache_internal.h"
#include <errno.h>
#include <signal.h>

enum {
    LOOKED_AT = 8,   /* slots considered for a new entry */
    AGE_ONE_IN = 16, /* of so many searches one lets what it considered age: each slot once for every two puts a slot */
    TRIES = 3,       /* somebody else took it meanwhile */
};

/* --- holding ------------------------------------------------------------------------------------------------------ */

/* Certain only: a process is gone when the kernel says so, or when no row of the table has its generation any more
 * (the supervisor gives a row a new one after it has waited for the former process's end). */
static bool holder_dead(const cache_t *cache, uint64_t holder)
{
    if (kill((pid_t)(holder >> 32), 0) != 0 && errno == ESRCH)
        return true;
    for (int i = 0; i < SEGMENT_INSTANCES; i++) {
        segment_instance_t *row = segment_instance(cache->segment, i);
        if (atomic_load(&row->used) && (uint32_t)atomic_load(&row->generation) == (uint32_t)holder)
            return false;
    }
    return true;
}

static bool slot_hold(const cache_t *cache, slot_head_t *slot)
{
    uint64_t holder = 0;
    if (atomic_compare_exchange_strong(&slot->holder, &holder, cache->self))
        return true;
    return holder_dead(cache, holder) && atomic_compare_exchange_strong(&slot->holder, &holder, cache->self);
}

/* Readers see an odd number before any change. What a dead writer left odd stays odd. */
static void write_begin(slot_head_t *slot)
{
    uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    atomic_store_explicit(&slot->sequence, sequence | 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void write_end(slot_head_t *slot)
{
    uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    atomic_store_explicit(&slot->sequence, sequence + 1, memory_order_release);
}

static void slot_release(slot_head_t *slot)
{
    atomic_store_explicit(&slot->holder, 0, memory_order_release);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

#define SET(word, value) atomic_store_explicit(&(word), (value), memory_order_relaxed)

static uint64_t entry_size(const cache_entry_t *entry)
{
    uint64_t size = entry->headers.length;
    for (int i = 0; i < CACHE_FORMS; i++)
        size += entry->bodies[i].data == NULL ? 0 : entry->bodies[i].length;
    return size;
}

static char *append(char *at, text_t text)
{
    if (text.length > 0)
        memcpy(at, text.data, text.length);
    return at + text.length;
}

static void bodies_write(const class_t *class, slot_head_t *slot, const cache_entry_t *entry)
{
    char *at = append(slot_data(class, slot), entry->headers);
    uint8_t forms = 0;
    for (int i = 0; i < CACHE_FORMS; i++) {
        bool given = entry->bodies[i].data != NULL;
        SET(slot->lengths[i], given ? (uint32_t)entry->bodies[i].length : 0);
        memset(slot->etags[i], 0, CACHE_ETAG_SIZE);
        if (!given)
            continue;
        forms |= (uint8_t)(1 << i);
        at = append(at, entry->bodies[i]);
        append(slot->etags[i], entry->etags[i]);
    }
    SET(slot->forms, forms);
}

/* The slot is held. */
static void slot_write(const class_t *class, slot_head_t *slot, const cache_entry_t *entry)
{
    bool same = atomic_load(&slot->key[0]) == entry->key.words[0] && atomic_load(&slot->key[1]) == entry->key.words[1];
    write_begin(slot);
    SET(slot->key[0], entry->key.words[0]);
    SET(slot->key[1], entry->key.words[1]);
    SET(slot->stamp, entry->stamp);
    SET(slot->filled, entry->filled);
    SET(slot->expires, entry->expires);
    SET(slot->stale_until, entry->stale_until);
    SET(slot->public, entry->public);
    SET(slot->header_length, (uint32_t)entry->headers.length);
    SET(slot->tag_count, (uint16_t)entry->tag_count);
    for (int i = 0; i < entry->tag_count; i++)
        SET(slot->tags[i], tag_packed(entry->tags[i]));
    bodies_write(class, slot, entry);
    if (!same)
        SET(slot->use, 0);
    write_end(slot);
}

static void slot_void(slot_head_t *slot)
{
    write_begin(slot);
    SET(slot->key[0], 0);
    SET(slot->key[1], 0);
    write_end(slot);
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

/* Void, torn, over its time or outdated. */
static bool slot_useless(const cache_t *cache, const class_t *class, const slot_head_t *slot, int64_t now)
{
    slot_meta_t meta;
    return !slot_read(class, slot, NULL, &meta) || !meta_good(cache, &meta) ||
           now >= (meta.public ? meta.stale_until : meta.expires);
}

/* A slot that was never used; NULL when all were. */
static slot_head_t *slot_untouched(cache_t *cache, int number)
{
    const class_t *class = &cache->classes[number];
    _Atomic uint64_t *touched = &cache->head->classes[number].touched;
    if (atomic_load(touched) >= class->slots)
        return NULL;
    uint64_t slot = atomic_fetch_add(touched, 1);
    return slot < class->slots ? &class->heads[slot] : NULL;
}

static void slot_age(slot_head_t *slot)
{
    uint8_t use = atomic_load_explicit(&slot->use, memory_order_relaxed);
    if (use > 0)
        SET(slot->use, use - 1);
}

/* The best of the few that come next, or NULL; *good: an entry that could still be given is lost by it. */
static slot_head_t *victim_find(cache_t *cache, int number, const cache_entry_t *entry, bool *good)
{
    const class_t *class = &cache->classes[number];
    uint64_t touched = atomic_load(&cache->head->classes[number].touched);
    uint32_t used = touched < class->slots ? (uint32_t)touched : class->slots;
    uint64_t hand = atomic_fetch_add(&cache->head->classes[number].hand, LOOKED_AT);
    bool age = hand / LOOKED_AT % AGE_ONE_IN == 0 && used == class->slots;
    slot_head_t *least = NULL;
    unsigned least_use = USE_MOST + 1;
    *good = false;
    for (uint32_t i = 0; i < LOOKED_AT && i < used; i++) {
        slot_head_t *slot = &class->heads[(hand + i) % used];
        if (slot_useless(cache, class, slot, entry->filled))
            return slot;
        unsigned use = atomic_load_explicit(&slot->use, memory_order_relaxed);
        if (use < least_use) {
            least_use = use;
            least = slot;
        }
        if (age)
            slot_age(slot);
    }
    slot_head_t *untouched = slot_untouched(cache, number);
    if (untouched != NULL)
        return untouched;
    *good = true;
    return least_use == 0 || sketch_estimate(cache, &entry->key) > least_use ? least : NULL;
}

/* --- the index ---------------------------------------------------------------------------------------------------- */

/* The key's present slot, or NULL. */
static slot_head_t *slot_own(cache_t *cache, const cache_key_t *key, int *number)
{
    index_set_t *set = index_set(cache, key);
    for (int i = 0; i < INDEX_WAYS; i++) {
        uint64_t word = atomic_load(&set->words[i]);
        slot_head_t *slot = index_fits(word, key) ? index_slot(cache, word, number) : NULL;
        if (slot != NULL && atomic_load(&slot->key[0]) == key->words[0] && atomic_load(&slot->key[1]) == key->words[1])
            return slot;
    }
    return NULL;
}

/* Does the word lead to a slot of another key, or nowhere? */
static bool index_idle(const cache_t *cache, const index_set_t *set, uint64_t word)
{
    int number;
    slot_head_t *slot = index_slot(cache, word, &number);
    if (word == 0 || slot == NULL)
        return true;
    cache_key_t key = {{atomic_load(&slot->key[0]), atomic_load(&slot->key[1])}};
    return !index_fits(word, &key) || index_set(cache, &key) != set;
}

static void index_publish(cache_t *cache, const cache_key_t *key, int number, const slot_head_t *slot)
{
    index_set_t *set = index_set(cache, key);
    uint64_t word = index_word(key, number, (uint32_t)(slot - cache->classes[number].heads));
    for (int try = 0; try < TRIES; try++) {
        int way = (int)(key->words[1] >> 21 & (INDEX_WAYS - 1)); /* a full set: any */
        bool idle = false;
        for (int i = 0; i < INDEX_WAYS; i++) {
            uint64_t other = atomic_load(&set->words[i]);
            if (other == word)
                return;
            if (index_fits(other, key)) {
                way = i;
                break;
            }
            if (!idle && index_idle(cache, set, other)) {
                way = i;
                idle = true;
            }
        }
        uint64_t before = atomic_load(&set->words[way]);
        if (atomic_compare_exchange_strong(&set->words[way], &before, word))
            return;
    }
}

/* --- filing ------------------------------------------------------------------------------------------------------- */

static int class_for(const cache_t *cache, const cache_entry_t *entry)
{
    uint64_t size = entry_size(entry);
    for (int i = 0; i < CACHE_CLASSES; i++)
        if (size <= cache->classes[i].data_size && cache->classes[i].slots > 0)
            return i;
    return -1;
}

static bool entry_fits(const cache_entry_t *entry)
{
    if (entry->tag_count > CACHE_TAGS_MAX)
        return false;
    for (int i = 0; i < CACHE_FORMS; i++)
        if (entry->bodies[i].data != NULL && entry->etags[i].length > CACHE_ETAG_SIZE)
            return false;
    return true;
}

static bool entry_good(const cache_t *cache, const cache_entry_t *entry)
{
    if (entry->stamp < atomic_load(&cache->head->flushed))
        return false;
    for (int i = 0; i < entry->tag_count; i++)
        if (entry->stamp < cache_tag_sequence(cache, entry->tags[i]))
            return false;
    return true;
}

/* Writes it into a slot of class `number`: where the key stands already when that has the size. */
static enum cache_filed file_in(cache_t *cache, int number, const cache_entry_t *entry)
{
    const class_t *class = &cache->classes[number];
    int own_number = -1;
    slot_head_t *own = slot_own(cache, &entry->key, &own_number);
    for (int try = 0; try < TRIES; try++) {
        bool good = false;
        slot_head_t *slot = own != NULL && own_number == number && try == 0 ? own
                                                                           : victim_find(cache, number, entry, &good);
        if (slot == NULL)
            return CACHE_UNADMITTED;
        if (!slot_hold(cache, slot))
            continue;
        slot_write(class, slot, entry);
        slot_release(slot);
        index_publish(cache, &entry->key, number, slot);
        if (good)
            CACHE_COUNT(cache, evictions);
        if (own != NULL && own != slot && slot_hold(cache, own)) {
            if (atomic_load(&own->key[0]) == entry->key.words[0] && atomic_load(&own->key[1]) == entry->key.words[1])
                slot_void(own); /* it changed its size */
            slot_release(own);
        }
        return CACHE_FILED;
    }
    return CACHE_UNADMITTED;
}

enum cache_filed cache_put(cache_t *cache, const cache_entry_t *entry)
{
    if (cache->head == NULL)
        return CACHE_IS_OFF;
    insist(cache->self != 0 && entry->bodies[CACHE_IDENTITY].data != NULL && entry->tag_count >= 0);
    insist(!entry->public || entry->stale_until >= entry->expires);
    int number = class_for(cache, entry);
    enum cache_filed filed;
    if (number < 0 || !entry_fits(entry)) {
        filed = CACHE_TOO_LARGE;
        CACHE_COUNT(cache, too_large);
    } else if (!entry_good(cache, entry)) {
        filed = CACHE_OUTDATED;
        CACHE_COUNT(cache, outdated);
    } else if ((filed = file_in(cache, number, entry)) == CACHE_FILED) {
        CACHE_COUNT(cache, fills);
    } else {
        CACHE_COUNT(cache, unadmitted);
    }
    claim_end(cache, &entry->key);
    return filed;
}
