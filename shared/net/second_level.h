/* second_level: finished public answers in Redis, for all machines (architecture.md, "Redis"): a cache that is not in this machine's
 * shared memory may be in another's. Who fills asks here before its query, and stores here afterwards. Whatever is slow, away, foreign
 * or doubtful is a miss; nobody but a filler ever waits, and at most cache.redis_wait.
 *
 * What makes an answer unusable, on every machine: tags, as in shm/cache.h. In Redis there is one counter and, for each tag that was
 * changed, its number then; an answer is good when its stamp (the counter before its query) is not below the numbers of its tags. One
 * hash holds all of that with the server's own run_id, and scripts change and compare it in one step. When it is lost (emptied, evicted,
 * restored from a copy of yesterday, another server after a failover) it begins anew, above all stamps that were ever given.
 *
 * Changes are told to Redis after the reply has left, again and again until it has them. On the machine where something was changed that is
 * no matter: an answer that this machine's own tags outdate is not taken either (second_trusted). Elsewhere it is the time that a hint of the
 * broker would take as well.
 *
 * Words are tags as text, "video:0198…" or "videos", and "@videos" for all that the actor videos owns: a restarted instance says that
 * word, because its predecessor may have died between a COMMIT and telling. */
#pragma once
#include "../base/config.h"
#include "../base/loop.h"
#include "../base/memory.h"
#include "../shm/cache.h"

enum { SECOND_LEVEL_LIFE = 600 /* seconds */, SECOND_VALUE_MOST = 256 << 10 };

/* Once per process: opens a connection where redis.url and cache.redis say so. `owner`: the actor, whose answers of before are
 * made unusable. The configuration is borrowed for good. */
void second_open(loop_t *, const config_t *, const cache_t *, const char *owner);
/* Is there one that could be asked now? */
bool second_ready(void);

/* Taken before the query. */
typedef struct {
    bool good;         /* false: Redis did not say; nothing is stored under it */
    char sequence[24]; /* Redis' number */
    uint64_t local;    /* cache_stamp */
    int64_t time;      /* clock_now() */
} second_stamp_t;

/* An answer found. Its texts point into `packed`. */
typedef struct {
    buffer_t packed; /* the caller frees it, also when nothing was found */
    text_t words;
    text_t bodies[CACHE_FORMS], etags[CACHE_FORMS], headers;
    uint64_t segment, local; /* who made it, and its stamp there */
    int64_t time;            /* when it was asked of the database, by its maker's clock */
    int64_t until;           /* clock_now(): may not be given after this; INT64_MAX: nothing is said */
} second_answer_t;

/* In a coroutine, before the query. `name` names the answer in all machines of this build (it need not be short). True: `answer`
 * is found, and good as far as Redis knows; false: *stamp is for second_store. */
bool second_fetch(text_t name, second_stamp_t *stamp, second_answer_t *answer);
/* Is it good as far as this machine knows? To be asked for each of its tags. */
bool second_trusted(const cache_t *, const second_answer_t *, cache_tag_t tag);
/* Hands over an answer to be stored; never waits. All is borrowed for the call. `until` as above. Too many at a time, or one that is too
 * large: dropped. */
void second_store(text_t name, const second_stamp_t *, text_t words, const cache_entry_t *entry, int64_t until);
/* After COMMIT: these words, separated by spaces, have changed; never waits. */
void second_changed(text_t words);
/* Likewise all that the opener's actor owns. */
void second_changed_all(void);
