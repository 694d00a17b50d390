/* segment: the layout. The mapped memory is the struct below and behind it the cache's part, nothing is
 * allocated beside it. What always holds: the memfd has exactly the size that its header says and is sealed
 * against another; `layout` of the header tells builds
 * apart that would read it differently; a descriptor opened read-only gives a read-only mapping (aipotenctl),
 * in which no function that writes may be called. */
#include "segment.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "../base/siphash.h"
#include "metrics.h"
#include "services.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SEGMENT_REVISION = 2, /* raise it when a part changes its meaning but not its size */
    RATE_SIZE = 2 << 20,
    REVOCATION_SIZE = 512 << 10,
    BAN_SIZE = 192 << 10,  /* some 8,000 bans */
    CROWD_SIZE = (4 << 10) + SEGMENT_INSTANCES * (32 << 10), /* used by frontends only */
    PRESENCE_SIZE = (4 << 10) + SEGMENT_INSTANCES * ((36 << 10) + (3 << 20)), /* likewise, where users come: 48 bytes each */
    NOW_READ_TRIES = 8,
};

static const char segment_magic[8] = "aipoten";

struct segment {
    char magic[8];
    uint64_t layout;
    uint64_t size;
    uint8_t hash_key[16];
    _Atomic uint64_t version;
    _Atomic uint64_t generation;
    segment_service_t services[SEGMENT_SERVICES];
    _Alignas(64) segment_instance_t instances[SEGMENT_INSTANCES];
    _Alignas(4096) uint8_t rate[RATE_SIZE];
    _Alignas(4096) uint8_t revocation[REVOCATION_SIZE];
    _Alignas(4096) uint8_t bans[BAN_SIZE];
    _Alignas(4096) uint8_t crowd[CROWD_SIZE];
    _Alignas(4096) uint8_t presence[PRESENCE_SIZE];
    _Alignas(4096) metrics_table_t metrics; /* mostly never touched, and then it is no memory */
    _Alignas(4096) uint8_t cache[]; /* up to `size` */
};

_Static_assert(
    ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics in shared memory must be lock-free");

/* Two builds whose numbers agree read the same bytes at the same places. */
static uint64_t segment_layout(void)
{
    const uint64_t parts[] = {SEGMENT_REVISION, sizeof(struct segment), sizeof(segment_instance_t),
        sizeof(segment_counter_t), sizeof(segment_now_t), offsetof(segment_instance_t, now),
        offsetof(segment_instance_t, counters), offsetof(struct segment, rate),
        offsetof(struct segment, revocation), sizeof(metrics_block_t), offsetof(metrics_block_t, rows),
        offsetof(metrics_block_t, histograms), METRICS_BOUNDS, offsetof(struct segment, bans),
        offsetof(struct segment, crowd), offsetof(struct segment, presence)};
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        hash = (hash ^ parts[i]) * UINT64_C(1099511628211);
    return hash;
}

static const char *const state_names[INSTANCE_STATES] = {
    [INSTANCE_DOWN] = "DOWN",
    [INSTANCE_STARTING] = "STARTING",
    [INSTANCE_READY] = "READY",
    [INSTANCE_DRAINING] = "DRAINING",
    [INSTANCE_STOPPING] = "STOPPING",
    [INSTANCE_BACKOFF] = "BACKOFF",
    [INSTANCE_FAILED] = "FAILED",
};

const char *instance_state_name(enum instance_state state)
{
    return (unsigned)state < INSTANCE_STATES ? state_names[state] : "UNKNOWN";
}

static segment_t *segment_map(int fd, size_t size, int protection)
{
    void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, size, MADV_DONTDUMP);
    return memory;
}

segment_t *segment_create(int *fd)
{
    return segment_create_with_cache(fd, 0);
}

segment_t *segment_create_with_cache(int *fd, size_t cache_size)
{
    size_t size = sizeof(struct segment) + cache_size;
    *fd = memfd_create("aipoten", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return NULL;
    segment_t *segment = NULL;
    if (ftruncate(*fd, (off_t)size) == 0 &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        segment = segment_map(*fd, size, PROT_READ | PROT_WRITE);
    if (segment == NULL) {
        int reason = errno;
        close(*fd);
        errno = reason;
        *fd = -1;
        return NULL;
    }
    if (getrandom(segment->hash_key, sizeof(segment->hash_key), 0) != sizeof(segment->hash_key))
        panic("getrandom gives nothing: %s", strerror(errno));
    memcpy(segment->magic, segment_magic, sizeof(segment_magic));
    segment->layout = segment_layout();
    segment->size = size;
    atomic_store(&segment->version, 1);
    return segment;
}

segment_t *segment_attach(int fd, char *error, size_t error_size)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        snprintf(error, error_size, "descriptor %d: %s", fd, strerror(errno));
        return NULL;
    }
    if (status.st_size < (off_t)sizeof(struct segment)) {
        snprintf(error, error_size, "the segment has %lld bytes, this build expects at least %zu",
            (long long)status.st_size, sizeof(struct segment));
        return NULL;
    }
    bool read_only = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
    size_t size = (size_t)status.st_size;
    segment_t *segment = segment_map(fd, size, read_only ? PROT_READ : PROT_READ | PROT_WRITE);
    if (segment == NULL) {
        snprintf(error, error_size, "mapping the segment: %s", strerror(errno));
        return NULL;
    }
    if (memcmp(segment->magic, segment_magic, sizeof(segment_magic)) != 0 ||
        segment->layout != segment_layout() || segment->size != size) {
        snprintf(error, error_size,
            "the segment was made by another build (layout %016llx, this build has %016llx)",
            (unsigned long long)segment->layout, (unsigned long long)segment_layout());
        munmap(segment, size);
        return NULL;
    }
    return segment;
}

void segment_detach(segment_t **take_segment)
{
    munmap(*take_segment, (*take_segment)->size);
    *take_segment = NULL;
}

segment_instance_t *segment_instance(segment_t *segment, int index)
{
    insist(index >= 0 && index < SEGMENT_INSTANCES);
    return &segment->instances[index];
}

segment_service_t *segment_service(segment_t *segment, int service)
{
    insist(service >= 0 && service < SEGMENT_SERVICES);
    return &segment->services[service];
}

uint64_t segment_version(const segment_t *segment)
{
    return atomic_load_explicit(&segment->version, memory_order_acquire);
}

void segment_touch(segment_t *segment)
{
    atomic_fetch_add_explicit(&segment->version, 1, memory_order_release);
}

uint64_t segment_next_generation(segment_t *segment)
{
    return atomic_fetch_add(&segment->generation, 1) + 1;
}

void segment_endpoint(
    const segment_instance_t *instance, const char *run_directory, char *out, size_t out_size)
{
    insist(instance->service >= 0 && instance->service < service_count);
    snprintf(out, out_size, "ipc://%s/%s.%d.%llu", run_directory, services[instance->service].name,
        instance->number, (unsigned long long)atomic_load(&instance->generation));
}

const uint8_t *segment_hash_key(const segment_t *segment)
{
    return segment->hash_key;
}

uuid_t segment_identity(const segment_t *segment)
{
    static const char meant[] = "identity";
    uint64_t words[2];
    uuid_t identity;
    siphash_128(segment->hash_key, meant, sizeof(meant), words);
    memcpy(identity.bytes, words, sizeof(identity.bytes));
    return identity;
}

void *segment_rate_table(segment_t *segment, size_t *size)
{
    *size = sizeof(segment->rate);
    return segment->rate;
}

void *segment_revocation_table(segment_t *segment, size_t *size)
{
    *size = sizeof(segment->revocation);
    return segment->revocation;
}

void *segment_cache_part(segment_t *segment, size_t *size)
{
    *size = segment->size - sizeof(struct segment);
    return segment->cache;
}

metrics_table_t *segment_metrics_table(segment_t *segment)
{
    return &segment->metrics;
}

void *segment_ban_table(segment_t *segment, size_t *size)
{
    *size = sizeof(segment->bans);
    return segment->bans;
}

void *segment_crowd_tables(segment_t *segment, size_t *size)
{
    *size = sizeof(segment->crowd);
    return segment->crowd;
}

void *segment_presence_tables(segment_t *segment, size_t *size)
{
    *size = sizeof(segment->presence);
    return segment->presence;
}

static void copy_cut(char *out, size_t out_size, text_t text)
{
    size_t length = text.length < out_size - 1 ? text.length : out_size - 1;
    if (length > 0)
        memcpy(out, text.data, length);
    out[length] = '\0';
}

_Atomic int64_t *counter_declare(
    segment_instance_t *instance, const char *name, const char *unit, const char *meaning)
{
    uint32_t count = atomic_load(&instance->counter_count);
    for (uint32_t i = 0; i < count && i < SEGMENT_COUNTERS; i++) {
        segment_counter_t *seen = &instance->counters[i];
        if (strncmp(seen->name, name, sizeof(seen->name) - 1) == 0) {
            atomic_store(&seen->value, 0);
            return &seen->value;
        }
    }
    if (count >= SEGMENT_COUNTERS)
        panic("counter %s is one more than SEGMENT_COUNTERS", name);
    segment_counter_t *counter = &instance->counters[count];
    copy_cut(counter->name, sizeof(counter->name), text_of(name));
    copy_cut(counter->unit, sizeof(counter->unit), text_of(unit));
    copy_cut(counter->meaning, sizeof(counter->meaning), text_of(meaning));
    atomic_store(&counter->value, 0);
    atomic_store_explicit(&instance->counter_count, count + 1, memory_order_release);
    return &counter->value;
}

void now_set(segment_instance_t *instance, text_t operation, uuid_t call, text_t trace)
{
    segment_now_t *now = &instance->now;
    uint32_t sequence = atomic_load_explicit(&now->sequence, memory_order_relaxed) | 1;
    atomic_store_explicit(&now->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    copy_cut(now->operation, sizeof(now->operation), operation);
    if (operation.length > 0) {
        now->call = call;
        copy_cut(now->trace, sizeof(now->trace), trace);
        now->since = clock_now();
    }
    atomic_store_explicit(&now->sequence, sequence + 1, memory_order_release);
}

bool now_get(const segment_instance_t *instance, segment_now_t *out)
{
    const segment_now_t *now = &instance->now;
    for (int try = 0; try < NOW_READ_TRIES; try++) {
        uint32_t before = atomic_load_explicit(&now->sequence, memory_order_acquire);
        if (before & 1)
            continue;
        memcpy(out, now, sizeof(*out));
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&now->sequence, memory_order_relaxed) == before) {
            out->operation[sizeof(out->operation) - 1] = '\0';
            out->trace[sizeof(out->trace) - 1] = '\0';
            return true;
        }
    }
    return false;
}
