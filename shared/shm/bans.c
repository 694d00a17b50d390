/* bans: a set-associative table. An entry is a few words, each written as one: when two addresses take the same entry at once, one
 * of them is banned too shortly, or with the other's repetitions. Nothing worse can come of it, whoever dies where, and nobody
 * ever waits. */
#include "bans.h"
#include "../base/panic.h"
#include "../base/siphash.h"

enum { WAYS = 8, DOUBLINGS_MOST = 16 };

typedef struct {
    _Atomic uint64_t client; /* keyed hash; 0: never used */
    _Atomic int64_t until;   /* clock_monotonic(): the same for all processes of the machine */
    _Atomic uint64_t times;  /* bans in a row */
} ban_t;

typedef struct {
    _Atomic uint64_t version;
    _Alignas(64) ban_t bans[][WAYS];
} table_t;

static table_t *table_of(segment_t *segment, size_t *sets)
{
    size_t size;
    table_t *table = segment_ban_table(segment, &size);
    *sets = (size - sizeof(table_t)) / sizeof(table->bans[0]);
    insist(*sets > 0);
    return table;
}

static uint64_t client_hash(segment_t *segment, text_t key)
{
    uint64_t hash = siphash(segment_hash_key(segment), key.data, key.length);
    return hash ? hash : 1;
}

int64_t bans_until(segment_t *segment, text_t key, int64_t now)
{
    size_t sets;
    table_t *table = table_of(segment, &sets);
    uint64_t client = client_hash(segment, key);
    const ban_t *set = table->bans[(client >> 8) % sets];
    for (int i = 0; i < WAYS; i++)
        if (atomic_load_explicit(&set[i].client, memory_order_relaxed) == client) {
            int64_t until = atomic_load_explicit(&set[i].until, memory_order_relaxed);
            return until > now ? until : 0;
        }
    return 0;
}

/* Its entry, or the one of its set that ends first. */
static ban_t *entry_find(ban_t *set, uint64_t client)
{
    ban_t *victim = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (atomic_load(&set[i].client) == client)
            return &set[i];
        if (atomic_load(&set[i].until) < atomic_load(&victim->until))
            victim = &set[i];
    }
    return victim;
}

int64_t bans_add(segment_t *segment, text_t key, int64_t now, int64_t first, int64_t most)
{
    size_t sets;
    table_t *table = table_of(segment, &sets);
    uint64_t client = client_hash(segment, key);
    ban_t *ban = entry_find(table->bans[(client >> 8) % sets], client);
    int64_t before = atomic_load(&ban->until);
    bool same = atomic_load(&ban->client) == client;
    if (same && before > now)
        return before;
    uint64_t times = same && now - before < most ? atomic_load(&ban->times) : 0;
    if (times > DOUBLINGS_MOST)
        times = DOUBLINGS_MOST;
    int64_t length = first << times;
    int64_t until = now + (length < most ? length : most);
    atomic_store(&ban->client, client);
    atomic_store(&ban->times, times + 1);
    atomic_store(&ban->until, until);
    atomic_fetch_add(&table->version, 1);
    return until;
}

uint64_t bans_version(segment_t *segment)
{
    size_t sets;
    return atomic_load_explicit(&table_of(segment, &sets)->version, memory_order_relaxed);
}
