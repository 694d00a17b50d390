/* presence: the tables; one writer each, and readers that wait for nobody.
 *
 * An entry is guarded by a sequence that is odd while it is written; a reader that meets one looks again a few times and then passes it
 * by. Each write is given the table's next version, which the entry, its set and last the table are marked with: so whoever has seen
 * a version finds what is newer by looking at the sets. A writer that is killed in the middle leaves an odd entry, which is emptied
 * by the one that takes the table over. */
#include "presence.h"
#include "../base/panic.h"
#include "../base/siphash.h"

enum { READ_TRIES = 16, FORGET_MOST = 128 /* that wait for the next beat */ };

typedef struct {
    _Atomic uint32_t sequence; /* 0: never used */
    uint16_t sockets, announced;
    uint64_t version;
    int64_t seen, announced_seen;
    uuid_t user;
} entry_t;

typedef struct {
    _Atomic uint64_t version; /* of the latest write */
    _Atomic int64_t beat;
    _Atomic uint64_t forget[FORGET_MOST]; /* name_of the users of whom nothing is to be remembered; 0: free */
    _Atomic bool forget_all;              /* there were more: nothing of anybody who is not online */
    _Alignas(4096) _Atomic uint64_t versions[PRESENCE_SETS]; /* likewise, in each set; 0: never written */
    entry_t sets[PRESENCE_SETS][PRESENCE_WAYS];
} table_t;

typedef struct {
    _Atomic uint64_t generations[SEGMENT_INSTANCES]; /* of the instance that writes there; 0: nobody did, and its table is no memory */
    _Alignas(4096) table_t tables[SEGMENT_INSTANCES];
} presences_t;

_Static_assert(sizeof(entry_t) == 48, "what a user takes");

static presences_t *presences_of(segment_t *segment)
{
    size_t size;
    presences_t *presences = segment_presence_tables(segment, &size);
    insist(size >= sizeof(presences_t));
    return presences;
}

static table_t *table_of(segment_t *segment, int slot)
{
    insist(slot >= 0 && slot < SEGMENT_INSTANCES);
    return &presences_of(segment)->tables[slot];
}

static uint64_t name_of(segment_t *segment, uuid_t user)
{
    uint64_t name = siphash(segment_hash_key(segment), user.bytes, sizeof(user.bytes));
    return name != 0 ? name : PRESENCE_SETS;
}

static int set_of(segment_t *segment, uuid_t user)
{
    return (int)(name_of(segment, user) % PRESENCE_SETS);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void entry_write(table_t *table, int set, entry_t *entry, const entry_t *value)
{
    uint64_t version = atomic_load_explicit(&table->version, memory_order_relaxed) + 1;
    uint32_t sequence = atomic_load_explicit(&entry->sequence, memory_order_relaxed) | 1;
    atomic_store_explicit(&entry->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    entry->sockets = value->sockets;
    entry->announced = value->announced;
    entry->seen = value->seen;
    entry->announced_seen = value->announced_seen;
    entry->user = value->user;
    entry->version = version;
    atomic_store_explicit(&entry->sequence, sequence + 1 != 0 ? sequence + 1 : 2, memory_order_release);
    atomic_store_explicit(&table->versions[set], version, memory_order_release);
    atomic_store_explicit(&table->version, version, memory_order_release);
}

/* The user's, or the one that is to become it: never used, or else of whom was away for longest. NULL: all of the set are online. */
static entry_t *entry_find(table_t *table, int set, uuid_t user)
{
    entry_t *free = NULL;
    for (int way = 0; way < PRESENCE_WAYS; way++) {
        entry_t *entry = &table->sets[set][way];
        bool used = atomic_load_explicit(&entry->sequence, memory_order_relaxed) != 0;
        if (used && uuid_equal(entry->user, user))
            return entry;
        if (!used || (entry->sockets == 0 && (free == NULL || entry->seen < free->seen)))
            free = entry;
        if (!used)
            break; /* they are taken in their order */
    }
    return free;
}

bool presence_change(segment_t *segment, int slot, uuid_t user, int sockets, int announced, int64_t now)
{
    table_t *table = table_of(segment, slot);
    int set = set_of(segment, user);
    entry_t *entry = entry_find(table, set, user), value = {.user = user};
    if (entry == NULL)
        return false;
    if (uuid_equal(entry->user, user))
        value = *entry;
    insist(value.sockets + sockets >= 0 && value.announced + announced >= 0);
    if (value.sockets + sockets > UINT16_MAX)
        return false;
    if (value.announced > 0 || announced > 0)
        value.announced_seen = now;
    value.sockets = (uint16_t)(value.sockets + sockets);
    value.announced = (uint16_t)(value.announced + announced);
    value.seen = now;
    entry_write(table, set, entry, &value);
    return true;
}

/* Of those of the set that bear the name (0: any) who is not online is forgotten. False: somebody is. */
static bool set_forget(segment_t *segment, table_t *table, int set, uint64_t name)
{
    bool all = true;
    for (int way = 0; way < PRESENCE_WAYS; way++) {
        entry_t *entry = &table->sets[set][way];
        if (atomic_load_explicit(&entry->sequence, memory_order_relaxed) == 0)
            break;
        if (uuid_is_zero(entry->user) || (name != 0 && name_of(segment, entry->user) != name))
            continue;
        all &= entry->sockets == 0;
        if (entry->sockets == 0)
            entry_write(table, set, entry, &(entry_t){0});
    }
    return all;
}

static void forget_asked(segment_t *segment, table_t *table)
{
    bool all = atomic_exchange(&table->forget_all, false);
    for (int set = 0; all && set < PRESENCE_SETS; set++)
        if (atomic_load_explicit(&table->versions[set], memory_order_relaxed) != 0)
            set_forget(segment, table, set, 0);
    for (int i = 0; i < FORGET_MOST; i++) {
        uint64_t name = atomic_load(&table->forget[i]);
        if (name != 0 && set_forget(segment, table, (int)(name % PRESENCE_SETS), name))
            atomic_store(&table->forget[i], 0);
    }
}

void presence_beat(segment_t *segment, int slot, int64_t now)
{
    table_t *table = table_of(segment, slot);
    atomic_store(&table->beat, now);
    forget_asked(segment, table);
}

/* Its process is gone: nobody of it is online. */
static void entry_end(table_t *table, int set, entry_t *entry, int64_t beat)
{
    entry_t value = {0};
    bool torn = atomic_load(&entry->sequence) % 2 != 0;
    if (!torn) {
        if (entry->sockets == 0)
            return;
        value = *entry;
        value.seen = beat > value.seen ? beat : value.seen;
        if (value.announced > 0 && beat > value.announced_seen)
            value.announced_seen = beat;
        value.sockets = value.announced = 0;
    }
    entry_write(table, set, entry, &value);
}

int presence_begin(segment_t *segment, const segment_instance_t *self)
{
    int slot = 0;
    while (segment_instance(segment, slot) != self)
        slot++;
    table_t *table = table_of(segment, slot);
    _Atomic uint64_t *generation = &presences_of(segment)->generations[slot];
    int64_t beat = atomic_load(&table->beat);
    for (int set = 0; atomic_load(generation) != 0 && set < PRESENCE_SETS; set++)
        for (int way = 0; way < PRESENCE_WAYS && atomic_load(&table->sets[set][way].sequence) != 0; way++)
            entry_end(table, set, &table->sets[set][way], beat);
    atomic_store(generation, atomic_load(&self->generation));
    return slot;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool entry_read(const entry_t *entry, entry_t *out)
{
    for (int try = 0; try < READ_TRIES; try++) {
        uint32_t before = atomic_load_explicit(&entry->sequence, memory_order_acquire);
        if (before == 0)
            return false;
        if (before % 2 != 0)
            continue;
        memcpy(out, entry, sizeof(*out));
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&entry->sequence, memory_order_relaxed) == before)
            return true;
    }
    return false;
}

/* Does the process live that writes there? */
static bool is_living(segment_t *segment, int slot, uint64_t generation)
{
    const segment_instance_t *row = segment_instance(segment, slot);
    uint32_t state = atomic_load(&row->state);
    return atomic_load(&row->used) && generation == atomic_load(&row->generation) && state >= INSTANCE_STARTING &&
           state <= INSTANCE_STOPPING;
}

static int64_t later(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

static void entry_tell(const entry_t *entry, bool living, int64_t beat, int64_t now, presence_t *out)
{
    bool online = entry->sockets > 0, announced = entry->announced > 0;
    int64_t until = living ? now : beat;
    out->online |= online && living;
    out->announced |= announced && living;
    out->seen = later(out->seen, later(entry->seen, online ? until : 0));
    out->announced_seen = later(out->announced_seen, later(entry->announced_seen, announced ? until : 0));
}

presence_t presence_of(segment_t *segment, uuid_t user, int64_t now)
{
    presence_t found = {.online = false};
    int set = set_of(segment, user);
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++) {
        const table_t *table = table_of(segment, slot);
        entry_t entry;
        uint64_t generation = atomic_load(&presences_of(segment)->generations[slot]);
        if (generation == 0 || atomic_load_explicit(&table->versions[set], memory_order_acquire) == 0)
            continue; /* reading what was never written would make it memory */
        for (int way = 0; way < PRESENCE_WAYS; way++)
            if (entry_read(&table->sets[set][way], &entry) && uuid_equal(entry.user, user))
                entry_tell(&entry, is_living(segment, slot, generation), atomic_load(&table->beat), now, &found);
    }
    return found;
}

/* --- forgetting --------------------------------------------------------------------------------------------------- */

static bool is_remembered(const table_t *table, int set, uuid_t user)
{
    entry_t entry;
    if (atomic_load_explicit(&table->versions[set], memory_order_acquire) == 0)
        return false;
    for (int way = 0; way < PRESENCE_WAYS; way++)
        if (entry_read(&table->sets[set][way], &entry) && uuid_equal(entry.user, user))
            return true;
    return false;
}

static void forget_ask(table_t *table, uint64_t name)
{
    for (int i = 0; i < FORGET_MOST; i++) {
        uint64_t there = 0;
        if (atomic_compare_exchange_strong(&table->forget[i], &there, name) || there == name)
            return;
    }
    atomic_store(&table->forget_all, true);
}

void presence_forget(segment_t *segment, uuid_t user)
{
    int set = set_of(segment, user);
    for (int slot = 0; slot < SEGMENT_INSTANCES; slot++)
        if (atomic_load(&presences_of(segment)->generations[slot]) != 0 && is_remembered(table_of(segment, slot), set, user))
            forget_ask(table_of(segment, slot), name_of(segment, user));
}

/* --- what has changed --------------------------------------------------------------------------------------------- */

bool presence_changed(segment_t *segment, int slot, const presence_cursor_t *cursor)
{
    if (atomic_load(&presences_of(segment)->generations[slot]) == 0)
        return false;
    return cursor->since != cursor->until ||
           atomic_load_explicit(&table_of(segment, slot)->version, memory_order_acquire) != cursor->until;
}

bool presence_next(segment_t *segment, int slot, presence_cursor_t *cursor, uuid_t *user)
{
    const table_t *table = table_of(segment, slot);
    if (!presence_changed(segment, slot, cursor))
        return false;
    if (cursor->since == cursor->until) {
        cursor->until = atomic_load_explicit(&table->version, memory_order_acquire);
        cursor->set = cursor->way = 0;
    }
    for (; cursor->set < PRESENCE_SETS; cursor->set++, cursor->way = 0) {
        if (atomic_load_explicit(&table->versions[cursor->set], memory_order_acquire) <= cursor->since)
            continue;
        while (cursor->way < PRESENCE_WAYS) {
            entry_t entry;
            if (!entry_read(&table->sets[cursor->set][cursor->way++], &entry) || entry.version <= cursor->since ||
                uuid_is_zero(entry.user))
                continue;
            *user = entry.user;
            return true;
        }
    }
    cursor->since = cursor->until;
    return false;
}
