/* cache: opening, names, looking, invalidating. Filing is cache_put.c, single fill and the sketch cache_claim.c,
 * the layout and the memory-order argument cache_internal.h. */
#include "cache.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/memory.h"
#include "../base/panic.h"
#include "../base/siphash.h"
#include "cache_internal.h"
#include "services.h"
#include <unistd.h>

static const char cache_magic[8] = "cache";

/* A list of 20 videos is 14 KB, with its compressed forms about 19 KB. */
const struct cache_class cache_classes[CACHE_CLASSES] = {
    {768, 2}, {1792, 2}, {4096, 2}, {8192, 2}, {16384, 2}, {24576, 4}, {49152, 1}, {131072, 1}};

/* --- geometry ----------------------------------------------------------------------------------------------------- */

/* Not the number of services: a release may append some, and owners' places stay (services.h). */
static uint64_t cache_layout(void)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ CACHE_REVISION;
    const uint64_t parts[] = {sizeof(cache_head_t), sizeof(slot_head_t), offsetof(slot_head_t, use),
        offsetof(slot_head_t, etags), offsetof(cache_head_t, stats), TAG_PLACES, SKETCH_ROW, SKETCH_ROWS, CLAIM_SETS,
        INDEX_WAYS, OWNERS_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        hash = (hash ^ parts[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < CACHE_CLASSES; i++)
        hash = (hash ^ ((uint64_t)cache_classes[i].size << 8 | cache_classes[i].share)) * UINT64_C(1099511628211);
    return hash;
}

static void *part_take(char **at, size_t size)
{
    void *part = *at;
    *at += (size + 4095) & ~(size_t)4095;
    return part;
}

/* Fills in the places; false when `size` holds no cache. Half a key for each set of the index: a full set is rare. */
static bool geometry_of(cache_t *cache, char *part, size_t size)
{
    static const size_t fixed = sizeof(cache_head_t) + 2 * TAG_PLACES * sizeof(uint64_t) + SKETCH_ROWS * SKETCH_ROW +
                                CLAIM_SETS * sizeof(claim_set_t) + 32 * 4096; /* ends of pages */
    uint64_t slots = 0;
    if (size < 2 * fixed)
        return false;
    for (int i = 0; i < CACHE_CLASSES; i++) {
        class_t *class = &cache->classes[i];
        /* Each slot takes its data, its head, and two sets of the index; at most four when the power is rounded up. */
        size_t share = (size - fixed) / 16 * cache_classes[i].share;
        size_t count = share / (cache_classes[i].size + sizeof(slot_head_t) + 4 * sizeof(index_set_t));
        class->data_size = cache_classes[i].size;
        class->slots = (uint32_t)(count < 0xffffe ? count : 0xffffe);
        slots += class->slots;
    }
    for (cache->index_sets = 1; cache->index_sets < 2 * slots;)
        cache->index_sets *= 2;
    char *at = part;
    cache->head = part_take(&at, sizeof(cache_head_t));
    cache->tags = part_take(&at, TAG_PLACES * sizeof(uint64_t));
    cache->tag_times = part_take(&at, TAG_PLACES * sizeof(int64_t));
    cache->sketch = part_take(&at, SKETCH_ROWS * SKETCH_ROW);
    cache->claims = part_take(&at, CLAIM_SETS * sizeof(claim_set_t));
    cache->index = part_take(&at, cache->index_sets * sizeof(index_set_t));
    for (int i = 0; i < CACHE_CLASSES; i++) {
        cache->classes[i].heads = part_take(&at, cache->classes[i].slots * sizeof(slot_head_t));
        cache->classes[i].data = part_take(&at, (size_t)cache->classes[i].slots * cache->classes[i].data_size);
    }
    insist((size_t)(at - part) <= size);
    return true;
}

void cache_format(segment_t *segment)
{
    cache_t cache = {0};
    size_t size;
    char *part = segment_cache_part(segment, &size);
    if (!geometry_of(&cache, part, size))
        return;
    memcpy(cache.head->magic, cache_magic, sizeof(cache_magic));
    cache.head->size = size;
    atomic_store(&cache.head->sequence, 1);
    cache.head->layout = cache_layout();
}

static bool is_ours(const cache_t *cache, size_t size)
{
    return memcmp(cache->head->magic, cache_magic, sizeof(cache_magic)) == 0 && cache->head->layout == cache_layout() &&
           cache->head->size == size;
}

bool cache_is_foreign(segment_t *segment)
{
    cache_t cache = {0};
    size_t size;
    char *part = segment_cache_part(segment, &size);
    return geometry_of(&cache, part, size) && !is_ours(&cache, size);
}

cache_t *cache_open(segment_t *segment, const segment_instance_t *self)
{
    cache_t *cache = memory_zeroed(1, sizeof(*cache));
    size_t size;
    char *part = segment_cache_part(segment, &size);
    cache->segment = segment;
    cache->instance = self == NULL ? -1 : (int)(self - segment_instance(segment, 0));
    insist(cache->instance < SEGMENT_INSTANCES && service_count <= OWNERS_MAX);
    if (!geometry_of(cache, part, size))
        return cache;
    if (!is_ours(cache, size)) {
        log_event(LOG_WARNING, "cache_foreign",
            LOG_S("next", "the segment was made by another build: aipotenctl stop, then start, to have a cache again"));
        *cache = (cache_t){.segment = segment, .instance = cache->instance};
        return cache;
    }
    cache->stats = &cache->head->stats[self == NULL ? SEGMENT_INSTANCES : cache->instance];
    if (self != NULL)
        cache->self = (uint64_t)(uint32_t)getpid() << 32 | (uint32_t)atomic_load(&self->generation);
    return cache;
}

bool cache_enabled(const cache_t *cache)
{
    return cache->head != NULL;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

cache_key_t cache_key_of(const cache_t *cache, text_t canonical)
{
    cache_key_t key;
    siphash_128(segment_hash_key(cache->segment), canonical.data, canonical.length, key.words);
    if (key.words[0] == 0 && key.words[1] == 0)
        key.words[0] = 1; /* all zero is a void slot */
    return key;
}

static uint32_t place_of(const cache_t *cache, const char *name, const uuid_t *id)
{
    char canonical[64 + sizeof(uuid_t)];
    size_t length = strlen(name);
    insist(length > 0 && length < 64);
    memcpy(canonical, name, length + 1); /* its NUL keeps name and id apart */
    if (id != NULL)
        memcpy(canonical + length + 1, id->bytes, sizeof(id->bytes));
    else
        memset(canonical + length + 1, 0, sizeof(uuid_t));
    return (uint32_t)(
        siphash(segment_hash_key(cache->segment), canonical, length + 1 + sizeof(uuid_t)) % TAG_PLACES);
}

cache_tag_t cache_tag_of(const cache_t *cache, const char *name, const uuid_t *id, const char *owner)
{
    int service = service_find(owner);
    if (service < 0)
        panic("tag %s belongs to %s, which is no service", name, owner);
    return (cache_tag_t){.place = place_of(cache, name, id), .owner = (uint32_t)service};
}

/* --- sequence ----------------------------------------------------------------------------------------------------- */

uint64_t cache_stamp(const cache_t *cache)
{
    return cache->head == NULL ? 0 : atomic_load(&cache->head->sequence);
}

/* Raises, never lowers: of two that invalidate at once the later number stays. */
static void raise_to(_Atomic uint64_t *word, uint64_t value)
{
    uint64_t old = atomic_load(word);
    while (old < value && !atomic_compare_exchange_weak(word, &old, value))
        ;
}

static void raise_time(_Atomic int64_t *word, int64_t value)
{
    int64_t old = atomic_load(word);
    while (old < value && !atomic_compare_exchange_weak(word, &old, value))
        ;
}

void cache_invalidate(cache_t *cache, const cache_tag_t *tags, int count)
{
    if (cache->head == NULL || count == 0)
        return;
    /* After this every new stamp is good for the change, which is committed; before it is in the tag's place old
     * entries may still be given, for nobody has been told yet. */
    uint64_t next = atomic_fetch_add(&cache->head->sequence, 1) + 1;
    int64_t now = clock_now();
    for (int i = 0; i < count; i++) {
        insist(tags[i].place < TAG_PLACES);
        raise_time(&cache->tag_times[tags[i].place], now);
        raise_to(&cache->tags[tags[i].place], next);
        CACHE_COUNT(cache, invalidations);
    }
}

void cache_invalidate_named(cache_t *cache, const char *name, const uuid_t *id)
{
    cache_invalidate(cache, &(cache_tag_t){.place = place_of(cache, name, id)}, 1);
}

uint64_t cache_tag_sequence(const cache_t *cache, cache_tag_t tag)
{
    if (cache->head == NULL)
        return 0;
    insist(tag.place < TAG_PLACES && tag.owner < OWNERS_MAX);
    uint64_t latest = atomic_load(&cache->tags[tag.place]), died = atomic_load(&cache->head->died[tag.owner]),
             flushed = atomic_load(&cache->head->flushed);
    latest = died > latest ? died : latest;
    return flushed > latest ? flushed : latest;
}

int64_t cache_tag_changed(const cache_t *cache, cache_tag_t tag)
{
    if (cache->head == NULL)
        return INT64_MAX;
    insist(tag.place < TAG_PLACES && tag.owner < OWNERS_MAX);
    int64_t latest = atomic_load(&cache->tag_times[tag.place]), died = atomic_load(&cache->head->died_at[tag.owner]),
            flushed = atomic_load(&cache->head->flushed_at);
    latest = died > latest ? died : latest;
    return flushed > latest ? flushed : latest;
}

uint64_t cache_segment_id(const cache_t *cache)
{
    static const char name[] = "the segment's own name";
    return siphash(segment_hash_key(cache->segment), name, sizeof(name));
}

static void owner_died(cache_t *cache, int service)
{
    raise_time(&cache->head->died_at[service], clock_now());
    raise_to(&cache->head->died[service], atomic_fetch_add(&cache->head->sequence, 1) + 1);
    CACHE_COUNT(cache, deaths);
}

void cache_instance_died(cache_t *cache, int slot)
{
    int service = segment_instance(cache->segment, slot)->service;
    if (cache->head == NULL || service < 0 || service >= service_count)
        return;
    owner_died(cache, service);
    claim_end_instance(cache, slot);
}

void cache_owner_died(cache_t *cache, const char *owner)
{
    int service = service_find(owner);
    if (service < 0)
        panic("%s is no service", owner);
    if (cache->head != NULL)
        owner_died(cache, service);
}

void cache_flush(cache_t *cache)
{
    if (cache->head == NULL)
        return;
    raise_time(&cache->head->flushed_at, clock_now());
    raise_to(&cache->head->flushed, atomic_fetch_add(&cache->head->sequence, 1) + 1);
    CACHE_COUNT(cache, flushes);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* The order of loads around: see cache_internal.h. */
static void bytes_copy(void *out, const void *from, size_t length)
{
    __asm__ volatile("" : "+r"(from) : : "memory");
    memcpy(out, from, length);
    __asm__ volatile("" : : : "memory");
}

static bool sequence_still(const slot_head_t *slot, uint64_t sequence)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->sequence, memory_order_relaxed) == sequence;
}

#define RELAXED(word) atomic_load_explicit(&(word), memory_order_relaxed)

bool slot_read(const class_t *class, const slot_head_t *slot, const cache_key_t *key, slot_meta_t *out)
{
    out->sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    uint64_t first = RELAXED(slot->key[0]), second = RELAXED(slot->key[1]);
    if (out->sequence & 1 || (first | second) == 0 ||
        (key != NULL && (first != key->words[0] || second != key->words[1])))
        return false;
    out->stamp = RELAXED(slot->stamp);
    out->filled = RELAXED(slot->filled);
    out->expires = RELAXED(slot->expires);
    out->stale_until = RELAXED(slot->stale_until);
    out->header_length = RELAXED(slot->header_length);
    out->tag_count = RELAXED(slot->tag_count);
    out->forms = RELAXED(slot->forms);
    out->public = RELAXED(slot->public);
    uint64_t total = out->header_length;
    for (int i = 0; i < CACHE_FORMS; i++)
        total += out->lengths[i] = RELAXED(slot->lengths[i]);
    if (out->tag_count > CACHE_TAGS_MAX || total > class->data_size)
        return false;
    for (unsigned i = 0; i < out->tag_count; i++)
        out->tags[i] = RELAXED(slot->tags[i]);
    return sequence_still(slot, out->sequence);
}

bool meta_good(const cache_t *cache, const slot_meta_t *meta)
{
    if (meta->stamp < atomic_load_explicit(&cache->head->flushed, memory_order_acquire))
        return false;
    for (unsigned i = 0; i < meta->tag_count; i++) {
        uint32_t place = meta->tags[i] & 0xffff, owner = meta->tags[i] >> 16;
        if (owner >= OWNERS_MAX ||
            meta->stamp < atomic_load_explicit(&cache->tags[place], memory_order_acquire) ||
            meta->stamp < atomic_load_explicit(&cache->head->died[owner], memory_order_acquire))
            return false;
    }
    return true;
}

/* False when the entry was replaced meanwhile. */
static bool found_fill(
    cache_found_t *found, const class_t *class, const slot_head_t *slot, const slot_meta_t *meta, unsigned accept)
{
    accept &= meta->forms;
    enum cache_form form = accept & CACHE_ACCEPT_BROTLI ? CACHE_BROTLI
                           : accept & CACHE_ACCEPT_GZIP ? CACHE_GZIP
                                                        : CACHE_IDENTITY;
    found->form = form;
    found->forms = meta->forms;
    found->public = meta->public;
    found->filled = meta->filled;
    found->expires = meta->expires;
    found->slot = slot;
    found->sequence = meta->sequence;
    found->header_length = meta->header_length;
    found->body_length = meta->lengths[form];
    found->headers = slot_data(class, slot);
    found->body = found->headers + meta->header_length;
    for (int i = 0; i < (int)form; i++)
        found->body += meta->lengths[i];
    bytes_copy(found->etag, slot->etags[form], CACHE_ETAG_SIZE);
    found->etag[CACHE_ETAG_SIZE] = '\0';
    return sequence_still(slot, meta->sequence);
}

/* Readers share this word: it is written only while it still grows. What two lose of each other does not matter. */
static void use_count(slot_head_t *slot)
{
    uint8_t use = RELAXED(slot->use);
    if (use < USE_MOST)
        atomic_store_explicit(&slot->use, use + 1, memory_order_relaxed);
}

/* CACHE_HIT, CACHE_STALE, or CACHE_NONE. */
static enum cache_outcome entry_find(
    cache_t *cache, const cache_key_t *key, unsigned accept, int64_t now, cache_found_t *found)
{
    index_set_t *set = index_set(cache, key);
    for (int i = 0; i < INDEX_WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set->words[i], memory_order_relaxed);
        int number;
        slot_head_t *slot = index_fits(word, key) ? index_slot(cache, word, &number) : NULL;
        slot_meta_t meta;
        if (slot == NULL || !slot_read(&cache->classes[number], slot, key, &meta) || !meta_good(cache, &meta))
            continue;
        if (now >= meta.expires && (!meta.public || now >= meta.stale_until))
            continue;
        if (!found_fill(found, &cache->classes[number], slot, &meta, accept))
            continue;
        use_count(slot);
        return now < meta.expires ? CACHE_HIT : CACHE_STALE;
    }
    return CACHE_NONE;
}

void cache_look(
    cache_t *cache, const cache_key_t *key, unsigned accept, int64_t now, int64_t claim_for, cache_found_t *found)
{
    found->outcome = CACHE_NONE;
    found->busy_until = 0;
    if (cache->head == NULL)
        return;
    found->outcome = entry_find(cache, key, accept, now, found);
    if (found->outcome == CACHE_HIT) {
        CACHE_COUNT(cache, hits);
        return;
    }
    int64_t until = 0;
    bool mine = claim_for > 0 && cache->instance >= 0 && claim_take(cache, key, now, claim_for, &until);
    if (found->outcome == CACHE_STALE) {
        found->outcome = mine ? CACHE_STALE_FILL : CACHE_STALE;
        CACHE_COUNT(cache, stale);
    } else if (mine) {
        found->outcome = CACHE_FILL;
        CACHE_COUNT(cache, misses);
    } else if (until > 0) {
        found->outcome = CACHE_BUSY;
        found->busy_until = until;
        CACHE_COUNT(cache, waits);
    } else {
        CACHE_COUNT(cache, misses);
    }
}

bool cache_copy_body(const cache_t *cache, const cache_found_t *found, char *out)
{
    (void)cache;
    bytes_copy(out, found->body, found->body_length);
    return sequence_still(found->slot, found->sequence);
}

bool cache_copy_headers(const cache_t *cache, const cache_found_t *found, char *out)
{
    (void)cache;
    bytes_copy(out, found->headers, found->header_length);
    return sequence_still(found->slot, found->sequence);
}
