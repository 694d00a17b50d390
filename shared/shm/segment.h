/* segment: the memory all processes of one machine share. A memfd that the supervisor makes and every child
 * inherits, not dumped into cores, versioned: a segment of another layout is refused at attach.
 *
 * It holds, in this order: header, services, instance table, rate limits (rate.h), not-before times (revocation.h), banned
 * addresses (bans.h), connections of addresses (crowd.h), who is online (presence.h), metrics (metrics.h), the cache of hot
 * answers (cache.h), whose size is configuration: memory that was never touched takes none.
 *
 * Instance table: `state`, `generation`, `pid` and `schema` are written by the supervisor alone. Each
 * instance writes its own counters and its own `now`; nobody else does. Routing is decided by this table
 * only, never by a hint. */
#pragma once
#include "../base/text.h"
#include "../base/uuid.h"
#include <stdatomic.h>
#include <sys/types.h>

enum { SEGMENT_INSTANCES = 64, SEGMENT_COUNTERS = 128, SEGMENT_SERVICES = 32, SEGMENT_HOST_SIZE = 64 };

/* The supervisor's states; names by instance_state_name. */
enum instance_state {
    INSTANCE_DOWN,
    INSTANCE_STARTING,
    INSTANCE_READY,
    INSTANCE_DRAINING,
    INSTANCE_STOPPING,
    INSTANCE_BACKOFF,
    INSTANCE_FAILED,
    INSTANCE_STATES
};
const char *instance_state_name(enum instance_state state);

/* What happened to a service's processes since the segment was made. The supervisor alone writes it. */
typedef struct {
    _Atomic uint64_t starts, deaths;
} segment_service_t;

/* A self-describing counter: what it counts stands beside the value. Units `now`, `open` and `key` say that it is a level; any
 * other that it only grows, from 0 at the start of its process. */
typedef struct {
    char name[40], unit[12], meaning[76]; /* NUL-terminated; written once, before `count` includes it */
    _Atomic int64_t value;
} segment_counter_t;

/* What a process is doing, for crash reports and `aipotenctl top`. */
typedef struct {
    _Atomic uint32_t sequence; /* odd while it is being written */
    char operation[48];        /* empty: idle */
    uuid_t call;
    char trace[40];
    int64_t since; /* clock_now() */
} segment_now_t;

typedef struct {
    _Atomic uint32_t used; /* 0: free row */
    _Atomic uint32_t state;
    _Atomic uint64_t generation; /* of this start; unique in the segment, never 0 */
    _Atomic int32_t pid;
    int16_t service;         /* index in services[] */
    int16_t number;          /* 1, 2, … */
    _Atomic uint64_t schema; /* hash of the endpoint rows it serves, as it reported; skew is not routed to */
    _Atomic int64_t started; /* clock_now() */
    _Atomic int64_t
        database_connections; /* written by the instance; the sum is bounded by database.connections */
    _Atomic int64_t database_wish, database_wish_said; /* written by the instance: that it waits for one (pg/places.c) */
    segment_now_t now;
    _Atomic uint32_t counter_count;
    segment_counter_t counters[SEGMENT_COUNTERS];
} segment_instance_t;

typedef struct segment segment_t;

/* Supervisor: a new segment; its descriptor in *fd (close-on-exec). NULL with errno. */
segment_t *segment_create(int *fd);
/* The same with room for a cache of so many bytes; cache_format makes it one. */
segment_t *segment_create_with_cache(int *fd, size_t cache_size);
/* Child, ctl: maps an inherited descriptor; NULL with a reason in error. */
segment_t *segment_attach(int fd, char *error, size_t error_size);
/* Takes the mapping away and clears the pointer; for who outlives a segment (aipotenctl top). */
void segment_detach(segment_t **);

segment_instance_t *segment_instance(segment_t *, int index);
/* Of a row of services[]. */
segment_service_t *segment_service(segment_t *, int service);
/* Grows with each change of any instance's state; compare it to know whether to look at the table again. */
uint64_t segment_version(const segment_t *);
void segment_touch(segment_t *);
/* A generation never given before in this segment. */
uint64_t segment_next_generation(segment_t *);
/* The endpoint of an instance, "ipc://RUN/SERVICE.NUMBER.GENERATION"; run_directory comes from AIPOTEN_RUN.
 */
void segment_endpoint(const segment_instance_t *, const char *run_directory, char *out, size_t out_size);
/* Random per segment: seeds of hashes that clients could otherwise aim at. */
const uint8_t *segment_hash_key(const segment_t *); /* 16 bytes */
/* A name of this machine's segment that may be told to other machines: with it, generations mean something there. */
uuid_t segment_identity(const segment_t *);

/* The parts that other files of this directory own. */
void *segment_rate_table(segment_t *, size_t *size);
void *segment_revocation_table(segment_t *, size_t *size);
void *segment_ban_table(segment_t *, size_t *size);
void *segment_crowd_tables(segment_t *, size_t *size);
void *segment_presence_tables(segment_t *, size_t *size);
void *segment_cache_part(segment_t *, size_t *size); /* size 0: the segment has none */
struct metrics_table *segment_metrics_table(segment_t *);

/* Declares a counter of this instance; ask once and keep the pointer. The strings are cut at their field's
 * size. Panics when SEGMENT_COUNTERS are declared. A name seen before gives the same counter, set to 0. */
_Atomic int64_t *counter_declare(
    segment_instance_t *, const char *name, const char *unit, const char *meaning);
static inline void counter_add(_Atomic int64_t *counter, int64_t amount)
{
    /* One writer: no locked instruction is needed. */
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
}

/* Publishes what this process is doing; an empty operation means idle. Cheap enough for each switch of a
 * handler. */
void now_set(segment_instance_t *, text_t operation, uuid_t call, text_t trace);
/* Copies it; false when it was being written meanwhile. */
bool now_get(const segment_instance_t *, segment_now_t *out);
