/* cache: finished answers in shared memory, by key, for all processes of one machine (architecture.md, "Shared
 * memory"). Actors file and invalidate, frontends look; nobody waits, nobody takes a lock that another may hold on
 * to, and a look costs no system call and no allocation.
 *
 * What always holds, whoever is killed at whatever instruction:
 * - What cache_look and the copies give is one answer as one actor filed it under this very key: never a mixture.
 * - Once cache_invalidate has returned, no look that begins gives an answer that depends on one of its tags and
 *   whose stamp was taken before. So: stamp before the query, commit before the invalidation, invalidation before
 *   the reply.
 * - Once cache_instance_died has returned, no look gives an answer that depends on a tag of that instance's service
 *   and whose stamp was taken before: what it had committed but not yet invalidated is gone with it.
 * - Torn, foreign, over its time, not admitted: a miss. Nothing here is ever the only copy of anything.
 *
 * Sequence, not time, says what is good: there is one counter in the segment; an invalidation writes its next number
 * to the tag's place in a table (places are shared by hash: an answer may be lost by another's invalidation, never
 * kept by it). Time (clock_monotonic(), which all processes of a machine share) only bounds how long. */
#pragma once
#include "segment.h"

enum { CACHE_TAGS_MAX = 24, CACHE_ETAG_SIZE = 24 };

/* The forms of a body; the identity always exists. */
enum cache_form { CACHE_IDENTITY, CACHE_GZIP, CACHE_BROTLI, CACHE_FORMS };
enum { CACHE_ACCEPT_IDENTITY = 1 << CACHE_IDENTITY, CACHE_ACCEPT_GZIP = 1 << CACHE_GZIP,
    CACHE_ACCEPT_BROTLI = 1 << CACHE_BROTLI };

typedef struct {
    uint64_t words[2]; /* 16 bytes that may travel in a message; good for this segment only */
} cache_key_t;

typedef struct {
    uint32_t place;  /* in the table of tags */
    uint32_t owner;  /* index in services[] */
} cache_tag_t;

/* This process's way to the cache. One for each process, kept for good; a child of fork opens its own. */
typedef struct cache cache_t;

/* Supervisor, after segment_create_with_cache: makes the segment's part an empty cache. */
void cache_format(segment_t *);
/* Never NULL: where the segment has no cache (cache.size 0), or one of another layout, all looks are misses and
 * nothing is filed. `self`: this process's row in the instance table; NULL for the supervisor and aipotenctl, which
 * cannot file or claim. In a read-only mapping only cache_stats_read may be called. */
cache_t *cache_open(segment_t *, const segment_instance_t *self);
/* Has it one of another layout? */
bool cache_is_foreign(segment_t *);
bool cache_enabled(const cache_t *);

/* --- names -------------------------------------------------------------------------------------------------------- */

/* `canonical` names the answer wholly: operation, path, parameters, language, and whose it is when it is personal.
 * 128 bits of SipHash under the segment's own key: who does not know it cannot make two names meet. */
cache_key_t cache_key_of(const cache_t *, text_t canonical);
/* `id`: NULL or all zero when the tag has none. `owner` is the service that alone changes what the tag stands for.
 * Panics when there is no such service. */
cache_tag_t cache_tag_of(const cache_t *, const char *name, const uuid_t *id, const char *owner);

/* --- looking: frontends ------------------------------------------------------------------------------------------- */

enum cache_outcome {
    CACHE_HIT,        /* good: send it */
    CACHE_STALE,      /* public, over its time by little, not invalidated: send it; somebody else is filling it */
    CACHE_STALE_FILL, /* the same, and the fill is yours: ask the actor as well, without anybody waiting */
    CACHE_FILL,       /* none, and the fill is yours: ask the actor, and tell it to file */
    CACHE_BUSY,       /* none, somebody is filling it: look again until `busy_until` at most, then ask without filing */
    CACHE_NONE,       /* none, and it cannot be filled now: ask the actor without filing */
};

/* What a look found. Valid as values; the bytes behind it are fetched by the copies below. */
typedef struct {
    enum cache_outcome outcome;
    int64_t busy_until; /* CACHE_BUSY */
    /* CACHE_HIT, CACHE_STALE, CACHE_STALE_FILL: */
    enum cache_form form;
    bool public;
    uint8_t forms;      /* CACHE_ACCEPT_… of all forms it has: more than identity means Vary: Accept-Encoding */
    char etag[CACHE_ETAG_SIZE + 1]; /* of this form, as the header's value; NUL-terminated */
    uint32_t body_length, header_length;
    int64_t filled, expires; /* clock_monotonic() */
    /* For the copies: */
    const void *slot;
    const char *body, *headers;
    uint64_t sequence;
} cache_found_t;

/* Looks for `key` in the best of the accepted forms (brotli, gzip, identity). `now`: clock_monotonic(). With
 * `claim_for` microseconds > 0 a miss claims the fill for that long (the outcomes …_FILL): then the caller must see
 * to it that cache_put or cache_release is called for this key, by whatever process; what is forgotten or dies is
 * free again after that time. With 0 nothing is claimed: CACHE_FILL and CACHE_STALE_FILL do not occur.
 * Each look is counted by its outcome; a look that is repeated while waiting passes claim_for again, so that it takes
 * over a fill that was given up. */
void cache_look(cache_t *, const cache_key_t *key, unsigned accept, int64_t now, int64_t claim_for,
    cache_found_t *found);
/* Copy found->body_length (found->header_length) bytes to out. False when the entry was replaced meanwhile: out
 * holds rubbish, look again (twice at most, then ask the actor). */
bool cache_copy_body(const cache_t *, const cache_found_t *found, char *out);
bool cache_copy_headers(const cache_t *, const cache_found_t *found, char *out);

/* --- filing: actors ----------------------------------------------------------------------------------------------- */

/* The number an answer is filed under: taken before the first query that the answer is made of is sent. */
uint64_t cache_stamp(const cache_t *);

typedef struct {
    cache_key_t key;
    uint64_t stamp;
    const cache_tag_t *tags;
    int tag_count; /* more than CACHE_TAGS_MAX: refused */
    text_t bodies[CACHE_FORMS]; /* data NULL: no such form; identity must not be NULL */
    text_t etags[CACHE_FORMS];  /* as the header's value, quotes included; at most CACHE_ETAG_SIZE bytes */
    text_t headers;             /* opaque to the cache: what frontends send besides, Cache-Tag for one */
    int64_t filled, expires;    /* clock_monotonic() */
    int64_t stale_until;        /* of public ones: at least `expires`; ignored for personal ones */
    bool public;
} cache_entry_t;

enum cache_filed {
    CACHE_FILED,
    CACHE_OUTDATED,  /* a tag was invalidated since the stamp: nothing wrong, the next fill will do */
    CACHE_UNADMITTED, /* the others of its size are used more */
    CACHE_TOO_LARGE, /* or too many tags, or an ETag too long */
    CACHE_IS_OFF,
};
/* All is borrowed for the call. Ends the claim of this key whatever the outcome. */
enum cache_filed cache_put(cache_t *, const cache_entry_t *entry);
/* The fill ended without an answer to file (an error, a row that may not be cached after all): waiters go on. Anybody who
 * knows the key may call it; too often is harmless. */
void cache_release(cache_t *, const cache_key_t *key);

/* Owner of the tags only, after COMMIT and before the reply leaves; also by whoever replays a recorded answer. */
void cache_invalidate(cache_t *, const cache_tag_t *tags, int count);
/* The same for one tag by its name, by whoever need not know its owner: the supervisor and the broker, who pass on. */
void cache_invalidate_named(cache_t *, const char *name, const uuid_t *id);
/* The larger of the tag's and its owner's numbers: an answer stamped before it is outdated. For copies that are
 * kept elsewhere (Redis). */
uint64_t cache_tag_sequence(const cache_t *, cache_tag_t tag);
/* The same as a time, clock_now(): when this machine last heard that it changed; 0: never. For copies that other machines
 * made, whose stamps mean nothing here. */
int64_t cache_tag_changed(const cache_t *, cache_tag_t tag);
/* Tells segments, and with them stamps, apart; the same in all processes of one segment, and no secret. */
uint64_t cache_segment_id(const cache_t *);

/* --- keeping house: the supervisor -------------------------------------------------------------------------------- */

/* The instance in this row of the table has ended. Before the table says so: before its state, pid or generation
 * change. */
void cache_instance_died(cache_t *, int slot);
/* All that depends on tags of this service is outdated: it died on another machine, or what it changed cannot be told.
 * Anybody but readers. Panics when there is no such service. */
void cache_owner_died(cache_t *, const char *owner);
/* Everything filed until now is outdated. */
void cache_flush(cache_t *);

/* --- telling ------------------------------------------------------------------------------------------------------ */

enum { CACHE_CLASSES = 8 };
/* Totals since the segment was made, of all processes, also of those that have ended. */
typedef struct {
    int64_t hits, stale, misses, waits; /* looks, by what they gave; waits: CACHE_BUSY */
    int64_t fills, outdated, unadmitted, too_large; /* cache_put, by outcome */
    int64_t evictions;                              /* good entries that gave way to others */
    int64_t invalidations;                          /* of tags */
    int64_t deaths, flushes;
} cache_counts_t;
typedef struct {
    bool enabled;
    int64_t size; /* of the segment's part */
    uint64_t sequence;
    cache_counts_t counts;
    struct {
        int64_t slot_size, slots, touched; /* touched: slots that were ever used */
        int64_t entries, bytes;            /* good ones: number, and bytes of bodies and headers */
        int64_t outdated;                  /* filled, but over their time or invalidated */
    } classes[CACHE_CLASSES];
} cache_stats_t;
/* Anybody; reads each touched slot's head: not for each request. */
void cache_stats_read(const cache_t *, cache_stats_t *out);
