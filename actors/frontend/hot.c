/* hot: a set-associative table. An entry is at first only a mark that this body was asked for; asked for again, it is copied. Who
 * finds a set full of others takes from their heat, and what has none left gives way. */
#include "hot.h"

enum { SETS = 64, WAYS = 4, HEAT_MOST = 15, COPY_FROM = 2 /* times */, LOOKED_AT = 8 };

typedef struct {
    const void *slot; /* NULL: free */
    uint64_t sequence;
    enum cache_form form;
    unsigned heat;
    size_t length;
    char *body; /* counted by libh2o; NULL: a mark */
} hot_t;

static struct {
    hot_t entries[SETS][WAYS];
    size_t limit, bytes;
    unsigned hand; /* where the next search for room begins */
} hot;

static void drop(hot_t *entry)
{
    if (entry->body != NULL) {
        h2o_mem_release_shared(entry->body);
        hot.bytes -= entry->length;
    }
    *entry = (hot_t){.slot = NULL};
}

void hot_open(size_t limit)
{
    hot.limit = limit;
    for (int i = 0; i < SETS * WAYS && hot.bytes > limit; i++)
        drop(&hot.entries[i / WAYS][i % WAYS]);
}

size_t hot_bytes(void)
{
    return hot.bytes;
}

static hot_t *set_of(const cache_found_t *found)
{
    uint64_t hash = ((uint64_t)(uintptr_t)found->slot ^ (uint64_t)found->form) * UINT64_C(0x9e3779b97f4a7c15);
    return hot.entries[hash >> 58];
}
_Static_assert(SETS == 1 << (64 - 58), "the highest bits of the hash");

static void cool(hot_t *entry)
{
    if (entry->heat > 0)
        entry->heat--;
    else
        drop(entry);
}

static bool names(const hot_t *entry, const cache_found_t *found)
{
    return entry->slot == found->slot && entry->form == found->form;
}

/* Its mark, or its body as it was before; NULL: there is no place for it now. */
static hot_t *place_for(const cache_found_t *found)
{
    hot_t *set = set_of(found), *place = NULL;
    for (int i = 0; i < WAYS; i++) {
        if (names(&set[i], found))
            return &set[i];
        if (set[i].slot == NULL)
            place = &set[i];
    }
    if (place == NULL)
        for (int i = 0; i < WAYS; i++) {
            cool(&set[i]);
            if (set[i].slot == NULL)
                place = &set[i];
        }
    return place;
}

/* Some others are looked at: those that nobody asks for any more go. */
static bool room_make(size_t length, const hot_t *but)
{
    for (int i = 0; i < LOOKED_AT && hot.bytes + length > hot.limit; i++) {
        hot_t *entry = &hot.entries[0][0] + hot.hand++ % (SETS * WAYS);
        if (entry != but && entry->slot != NULL)
            cool(entry);
    }
    return hot.bytes + length <= hot.limit;
}

static void copy(hot_t *entry, const cache_t *cache, const cache_found_t *found)
{
    if (!room_make(found->body_length, entry))
        return;
    char *body = h2o_mem_alloc_shared(NULL, found->body_length, NULL);
    if (!cache_copy_body(cache, found, body)) {
        h2o_mem_release_shared(body);
        return;
    }
    entry->body = body;
    entry->length = found->body_length;
    hot.bytes += entry->length;
}

text_t hot_body(h2o_mem_pool_t *pool, const cache_t *cache, const cache_found_t *found)
{
    text_t none = {.data = NULL};
    if (found->body_length < HOT_SMALLEST || found->body_length > hot.limit)
        return none;
    hot_t *entry = place_for(found);
    if (entry == NULL)
        return none;
    if (entry->slot == NULL || entry->sequence != found->sequence) {
        unsigned heat = entry->heat; /* who asks for what is often changed asks for it again */
        drop(entry);
        *entry = (hot_t){.slot = found->slot, .sequence = found->sequence, .form = found->form, .heat = heat};
    }
    if (entry->heat < HEAT_MOST)
        entry->heat++;
    if (entry->body == NULL && entry->heat >= COPY_FROM)
        copy(entry, cache, found);
    if (entry->body == NULL)
        return none;
    h2o_mem_link_shared(pool, entry->body);
    return (text_t){.data = entry->body, .length = entry->length};
}
