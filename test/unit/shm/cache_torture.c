/* shm/cache, tortured: unit-shm-cache_torture [SECONDS [SEED]] (4 seconds unless told; ctest and test_cache.py run it).
 *
 * Readers look without pause. Fillers file answers that describe themselves (key, version, form, length, and a pattern made of these).
 * Changers raise the version of a key in the "database", invalidate, and acknowledge. This process is the supervisor: it kills fillers,
 * changers and readers with SIGKILL at instants by chance, stops some for a while, says so as the real one does, and starts new ones.
 *
 * Some of what readers find they take from their own copy, as frontends do (frontend/hot.h).
 *
 * A reader fails the test when a body is not wholly of one entry, when it is of another key, form or entry than ETag and headers say, or when
 * it is older than a change that was acknowledged before the look began. When an actor dies, its change counts as acknowledged once
 * cache_instance_died has returned: then its successor could have told the client. */
#include "base/clock.h"
#include "base/panic.h"
#include "frontend/hot.h"
#include "shm/cache_internal.h"
#include "shm/services.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEYS = 300,
    READERS = 2,
    FILLERS = 2,
    CHANGERS = 2,
    PROCESSES = READERS + FILLERS + CHANGERS,
    CACHE_BYTES = 6 << 20, /* too small for all: entries are evicted all the time */
    BODY_MOST = 60000,
    HOT_BYTES = 200000, /* too little, likewise */
    FILL_WAIT = 2000,
    SECONDS_MOST = 60, /* more than were asked for, where the machine is so busy that too little happens */
};

/* Everybody's, beside the segment. */
typedef struct {
    _Atomic uint64_t database[KEYS];     /* the committed version */
    _Atomic uint64_t acknowledged[KEYS]; /* what some client was told */
    _Atomic int64_t changing[PROCESSES]; /* the key that a changer is about to commit, plus one */
    _Atomic int64_t reads, hits, hot, torn, changes, fills, failures;
} world_t;

static world_t *world;
static segment_t *segment;
static cache_t *volatile own, *volatile last; /* kept for good: nobody closes a cache */
static uint64_t random_state;

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t by_chance(uint64_t below)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(random_state) % below;
}

/* Few keys are asked for often. */
static int key_by_chance(void)
{
    return (int)(by_chance(2) ? by_chance(20) : by_chance(KEYS));
}

/* --- answers that describe themselves ------------------------------------------------------------------------------- */

typedef struct {
    uint64_t key, version, form, length;
} label_t;

static uint32_t length_of(uint64_t key, uint64_t version, uint64_t form)
{
    uint64_t most = key % 10 == 0 ? BODY_MOST : key % 3 == 0 ? 16000 : 600;
    return (uint32_t)(sizeof(label_t) + mix(key << 32 ^ version << 2 ^ form) % most / 8 * 8);
}

static void body_make(char *out, uint64_t key, uint64_t version, uint64_t form)
{
    label_t label = {key, version, form, length_of(key, version, form)};
    uint64_t seed = mix(key << 40 ^ version << 3 ^ form);
    memcpy(out, &label, sizeof(label));
    for (uint64_t at = sizeof(label); at < label.length; at += 8) {
        uint64_t word = seed + at * UINT64_C(0x9e3779b97f4a7c15);
        memcpy(out + at, &word, 8);
    }
}

static bool body_whole(const char *body, uint32_t length)
{
    label_t label;
    memcpy(&label, body, sizeof(label));
    if (label.length != length || label.length != length_of(label.key, label.version, label.form))
        return false;
    uint64_t seed = mix(label.key << 40 ^ label.version << 3 ^ label.form);
    for (uint64_t at = sizeof(label); at < label.length; at += 8) {
        uint64_t word;
        memcpy(&word, body + at, 8);
        if (word != seed + at * UINT64_C(0x9e3779b97f4a7c15))
            return false;
    }
    return true;
}

static cache_key_t key_of(const cache_t *cache, int key)
{
    char name[32];
    snprintf(name, sizeof(name), "key %d", key);
    return cache_key_of(cache, text_of(name));
}

static cache_tag_t tag_of(const cache_t *cache, int key)
{
    uuid_t id = {{0}};
    id.bytes[0] = (uint8_t)key;
    id.bytes[1] = (uint8_t)(key >> 8);
    id.bytes[2] = 1;
    return cache_tag_of(cache, "child", &id, "children");
}

/* --- those who read, fill and change ---------------------------------------------------------------------------------- */

static void failed(const char *what, int key, uint64_t version, uint64_t least)
{
    fprintf(stderr, "FAILED: %s: key %d, version %llu, acknowledged %llu\n", what, key, (unsigned long long)version,
        (unsigned long long)least);
    atomic_fetch_add(&world->failures, 1);
}

/* One in two bodies is taken from the reader's own copy, if it has one. */
static bool body_take(const cache_t *cache, const cache_found_t *found, char *out)
{
    h2o_mem_pool_t pool;
    text_t body = {.data = NULL};
    h2o_mem_init_pool(&pool);
    if (by_chance(2))
        body = hot_body(&pool, cache, found);
    if (body.data != NULL) {
        atomic_fetch_add_explicit(&world->hot, 1, memory_order_relaxed);
        insist(body.length == found->body_length && hot_bytes() <= HOT_BYTES);
        memcpy(out, body.data, body.length);
    }
    h2o_mem_clear_pool(&pool);
    return body.data != NULL || cache_copy_body(cache, found, out);
}

static void found_check(cache_t *cache, int key, uint64_t least, const cache_found_t *found)
{
    static char body[1 << 17], headers[1 << 17];
    char expected[CACHE_ETAG_SIZE + 1];
    label_t label;
    if (!body_take(cache, found, body) || !cache_copy_headers(cache, found, headers)) {
        atomic_fetch_add_explicit(&world->torn, 1, memory_order_relaxed);
        return;
    }
    memcpy(&label, body, sizeof(label));
    snprintf(expected, sizeof(expected), "\"%llx-%d\"", (unsigned long long)label.version, (int)found->form);
    if (!body_whole(body, found->body_length))
        failed("a mixture", key, label.version, least);
    else if (label.key != (uint64_t)key || label.form != found->form)
        failed("another's answer", key, label.version, least);
    else if (strcmp(expected, found->etag) != 0 || found->header_length != sizeof(label) ||
             memcmp(headers, &(label_t){label.key, label.version, 0, 0}, sizeof(label)) != 0)
        failed("headers of another answer", key, label.version, least);
    else if (label.version < least)
        failed("a stale answer", key, label.version, least);
}

static _Noreturn void read_on(cache_t *cache)
{
    hot_open(HOT_BYTES);
    for (;;) {
        int key = key_by_chance();
        cache_key_t name = key_of(cache, key);
        cache_found_t found;
        uint64_t least = atomic_load(&world->acknowledged[key]); /* before the look */
        cache_look(cache, &name, (unsigned)by_chance(8), clock_monotonic(), by_chance(2) ? FILL_WAIT : 0, &found);
        atomic_fetch_add_explicit(&world->reads, 1, memory_order_relaxed);
        if (found.outcome != CACHE_HIT && found.outcome != CACHE_STALE && found.outcome != CACHE_STALE_FILL)
            continue;
        atomic_fetch_add_explicit(&world->hits, 1, memory_order_relaxed);
        found_check(cache, key, least, &found);
    }
}

static void file(cache_t *cache, int key, uint64_t stamp, uint64_t version)
{
    static char bodies[CACHE_FORMS][1 << 16];
    char etags[CACHE_FORMS][CACHE_ETAG_SIZE + 8];
    label_t headers = {(uint64_t)key, version, 0, 0};
    cache_tag_t tag = tag_of(cache, key);
    int64_t now = clock_monotonic();
    cache_entry_t entry = {.key = key_of(cache, key),
        .stamp = stamp,
        .tags = &tag,
        .tag_count = 1,
        .headers = {(char *)&headers, sizeof(headers)},
        .filled = now,
        .expires = now + 20 * CLOCK_MILLISECOND,
        .stale_until = now + 40 * CLOCK_MILLISECOND,
        .public = key % 2};
    for (int form = 0; form < (key % 4 == 0 ? 1 : CACHE_FORMS); form++) {
        body_make(bodies[form], (uint64_t)key, version, (uint64_t)form);
        entry.bodies[form] = (text_t){bodies[form], length_of((uint64_t)key, version, (uint64_t)form)};
        snprintf(etags[form], sizeof(etags[form]), "\"%llx-%d\"", (unsigned long long)version, form);
        entry.etags[form] = text_of(etags[form]);
    }
    if (cache_put(cache, &entry) == CACHE_FILED)
        atomic_fetch_add_explicit(&world->fills, 1, memory_order_relaxed);
}

static _Noreturn void fill_on(cache_t *cache)
{
    for (;;) {
        int key = key_by_chance();
        uint64_t stamp = cache_stamp(cache);
        uint64_t version = atomic_load(&world->database[key]); /* the query */
        if (by_chance(50) == 0)
            usleep((useconds_t)by_chance(2000)); /* a change may commit and be acknowledged before it is filed */
        file(cache, key, stamp, version);
    }
}

static void raise_to(_Atomic uint64_t *word, uint64_t value)
{
    uint64_t old = atomic_load(word);
    while (old < value && !atomic_compare_exchange_weak(word, &old, value))
        ;
}

static _Noreturn void change_on(cache_t *cache, int process)
{
    for (;;) {
        int key = key_by_chance();
        cache_tag_t tag = tag_of(cache, key);
        atomic_store(&world->changing[process], key + 1);
        uint64_t version = atomic_fetch_add(&world->database[key], 1) + 1; /* COMMIT */
        if (by_chance(20) == 0)
            usleep((useconds_t)by_chance(1000)); /* here it is killed often */
        cache_invalidate(cache, &tag, 1);
        raise_to(&world->acknowledged[key], version); /* the reply */
        atomic_fetch_add_explicit(&world->changes, 1, memory_order_relaxed);
        usleep((useconds_t)by_chance(200));
    }
}

/* --- the supervisor ------------------------------------------------------------------------------------------------- */

static pid_t processes[PROCESSES];

static const char *service_of(int process)
{
    return process < READERS ? "frontend" : process < READERS + FILLERS ? "accounts" : "children";
}

static void start(int process)
{
    segment_instance_t *row = segment_instance(segment, process);
    atomic_store(&row->generation, segment_next_generation(segment));
    row->service = (int16_t)service_find(service_of(process));
    row->number = (int16_t)(process + 1);
    atomic_store(&row->used, 1);
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    processes[process] = fork();
    if (processes[process] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        cache_t *cache = cache_open(segment, row);
        random_state = mix(random_state + (uint64_t)process);
        if (process < READERS)
            read_on(cache);
        if (process < READERS + FILLERS)
            fill_on(cache);
        change_on(cache, process);
    }
    insist(processes[process] > 0);
    atomic_store(&row->pid, processes[process]);
}

/* What the real one does in process_ended, and what the frontends do then: they give the dead one's requests to another. */
static void end(cache_t *cache, int process)
{
    kill(processes[process], SIGKILL);
    waitpid(processes[process], NULL, 0);
    int64_t changing = atomic_exchange(&world->changing[process], 0);
    uint64_t committed = changing > 0 ? atomic_load(&world->database[changing - 1]) : 0;
    cache_instance_died(cache, process);
    if (changing > 0)
        raise_to(&world->acknowledged[changing - 1], committed);
    atomic_store(&segment_instance(segment, process)->pid, 0);
}

static int process_by_chance(void)
{
    uint64_t which = by_chance(20);
    if (which == 0)
        return (int)by_chance(READERS);
    if (which < 3)
        return READERS + FILLERS + (int)by_chance(CHANGERS); /* each empties the cache */
    return READERS + (int)by_chance(FILLERS);
}

/* Has enough happened to mean anything? */
static bool enough(int64_t seconds, int kills)
{
    return kills > seconds * 20 && atomic_load(&world->hits) > seconds * 10000 && atomic_load(&world->hot) > seconds * 100 &&
           atomic_load(&world->fills) > seconds * 1000 && atomic_load(&world->changes) > seconds * 100;
}

static int kill_on(cache_t *cache, int64_t seconds)
{
    int kills = 0, stopped = -1;
    int64_t until = clock_monotonic() + seconds * CLOCK_SECOND, last_of_all = until + SECONDS_MOST * CLOCK_SECOND;
    while ((clock_monotonic() < until || (!enough(seconds, kills) && clock_monotonic() < last_of_all)) &&
           atomic_load(&world->failures) == 0) {
        usleep((useconds_t)(200 + by_chance(4000)));
        int process = process_by_chance();
        if (stopped >= 0) {
            kill(processes[stopped], SIGCONT);
            stopped = -1;
        } else if (by_chance(10) == 0) {
            kill(processes[process], SIGSTOP);
            stopped = process;
            continue;
        }
        end(cache, process);
        kills++;
        if (by_chance(200) == 0)
            cache_flush(cache);
        start(process);
    }
    return kills;
}

/* After all that, no slot is lost to the dead: one filler alone can file everywhere. */
static int slots_lost(void)
{
    segment_instance_t *row = segment_instance(segment, PROCESSES);
    row->service = (int16_t)service_find("children");
    atomic_store(&row->generation, segment_next_generation(segment));
    atomic_store(&row->used, 1);
    cache_t *cache = last = cache_open(segment, row);
    for (int process = 0; process < PROCESSES; process++)
        atomic_store(&segment_instance(segment, process)->generation, segment_next_generation(segment));
    for (int round = 0; round < 200; round++) {
        cache_flush(cache); /* so that every slot is free to be taken */
        for (int key = 0; key < KEYS; key++)
            file(cache, key, cache_stamp(cache), UINT32_MAX + (uint64_t)round);
    }
    int lost = 0;
    for (int number = 0; number < CACHE_CLASSES; number++)
        for (uint64_t i = 0; i < atomic_load(&cache->head->classes[number].touched) && i < cache->classes[number].slots; i++)
            lost += atomic_load(&cache->classes[number].heads[i].holder) != 0;
    return lost;
}

int main(int count, char **arguments)
{
    int64_t seconds = count > 1 ? atoi(arguments[1]) : 4;
    random_state = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t)clock_now();
    printf("seed %llu\n", (unsigned long long)random_state);
    fflush(stdout);
    int fd;
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    segment = segment_create_with_cache(&fd, CACHE_BYTES);
    insist(world != MAP_FAILED && segment != NULL);
    cache_format(segment);
    cache_t *cache = own = cache_open(segment, NULL);
    for (int process = 0; process < PROCESSES; process++)
        start(process);
    int kills = kill_on(cache, seconds);
    for (int process = 0; process < PROCESSES; process++)
        end(cache, process);
    int lost = slots_lost();
    cache_stats_t stats;
    cache_stats_read(cache, &stats);
    printf("%d killed; %lld reads, %lld of them hits (%lld from a copy), %lld replaced while they were copied; %lld fills, %lld evictions, %lld changes; "
           "%d slots lost; %lld failures\n",
        kills, (long long)world->reads, (long long)world->hits, (long long)world->hot, (long long)world->torn, (long long)world->fills,
        (long long)stats.counts.evictions, (long long)world->changes, lost, (long long)world->failures);
    bool worked = enough(seconds, kills) && stats.counts.evictions > 0;
    if (!worked)
        printf("FAILED: too little happened to mean anything\n");
    fflush(stdout);
    return world->failures == 0 && lost == 0 && worked ? 0 : 1;
}
