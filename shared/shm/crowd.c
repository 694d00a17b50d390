/* crowd: the tables; one writer each. */
#include "crowd.h"
#include "../base/panic.h"
#include "../base/siphash.h"

enum { ROWS = 2, PLACES = 4096 };

typedef _Atomic uint32_t table_t[ROWS][PLACES];

typedef struct {
    _Atomic uint64_t generations[SEGMENT_INSTANCES]; /* of the instance that counts there; 0: nobody did */
    _Alignas(4096) table_t tables[SEGMENT_INSTANCES]; /* no memory until somebody counts */
} crowd_t;

static crowd_t *crowd_of(segment_t *segment)
{
    size_t size;
    crowd_t *crowd = segment_crowd_tables(segment, &size);
    insist(size >= sizeof(crowd_t));
    return crowd;
}

static void places_of(segment_t *segment, text_t address, uint16_t place[static ROWS])
{
    uint64_t hash = siphash(segment_hash_key(segment), address.data, address.length);
    for (int i = 0; i < ROWS; i++, hash >>= 16)
        place[i] = (uint16_t)(hash % PLACES);
}

int crowd_begin(segment_t *segment, const segment_instance_t *self)
{
    int slot = 0;
    crowd_t *crowd = crowd_of(segment);
    while (segment_instance(segment, slot) != self)
        slot++;
    atomic_store(&crowd->generations[slot], 0);
    memset((void *)crowd->tables[slot], 0, sizeof(table_t));
    atomic_store(&crowd->generations[slot], atomic_load(&self->generation));
    return slot;
}

void crowd_change(segment_t *segment, int slot, text_t address, int change)
{
    uint16_t place[ROWS];
    crowd_t *crowd = crowd_of(segment);
    insist(slot >= 0 && slot < SEGMENT_INSTANCES);
    places_of(segment, address, place);
    for (int i = 0; i < ROWS; i++) {
        _Atomic uint32_t *count = &crowd->tables[slot][i][place[i]];
        uint32_t value = atomic_load_explicit(count, memory_order_relaxed);
        insist(change > 0 || value > 0);
        atomic_store_explicit(count, value + (uint32_t)change, memory_order_relaxed);
    }
}

/* Does the process live that counts there? */
static bool is_living(segment_t *segment, int slot, uint64_t generation)
{
    const segment_instance_t *row = segment_instance(segment, slot);
    uint32_t state = atomic_load(&row->state);
    return generation != 0 && atomic_load(&row->used) && generation == atomic_load(&row->generation) &&
           state >= INSTANCE_STARTING && state <= INSTANCE_STOPPING;
}

int64_t crowd_elsewhere(segment_t *segment, int slot, text_t address)
{
    uint16_t place[ROWS];
    int64_t total = 0;
    const crowd_t *crowd = crowd_of(segment);
    places_of(segment, address, place);
    for (int other = 0; other < SEGMENT_INSTANCES; other++) {
        if (other == slot || !is_living(segment, other, atomic_load(&crowd->generations[other])))
            continue;
        uint32_t least = UINT32_MAX;
        for (int i = 0; i < ROWS; i++) {
            uint32_t value = atomic_load_explicit(&crowd->tables[other][i][place[i]], memory_order_relaxed);
            if (value < least)
                least = value;
        }
        total += least;
    }
    return total;
}
