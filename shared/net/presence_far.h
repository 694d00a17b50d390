/* presence_far: who is online on which machine, in Redis: what shm/presence.h is for one machine, for all of them. The broker of each
 * machine tells what changed there (broker/seen.c); who asks adds what its own segment knows.
 *
 * A user's key has a field for each teller with what was last told of the user: so nobody undoes what another machine told. A teller
 * counts as long as it beats: what a dead one told makes nobody online, and those it held were last seen when it last beat. The
 * server's clock decides that. Keys end realtime.presence_keep after the user's last change. Redis may forget anything at any time:
 * a teller hears so by its next beat, and tells all again. */
#pragma once
#include "../base/config.h"
#include "../base/memory.h"
#include "../shm/presence.h"
#include "redis.h"

enum { PRESENCE_ERASED_MOST = 100 };

/* What a beat brought. */
typedef struct {
    bool known;                            /* what was told before is still there */
    uuid_t erased[PRESENCE_ERASED_MOST];   /* whose accounts were erased since the beat before, perhaps told before; the rest comes next */
    int erased_count;
    int64_t until;                         /* `since` of the next beat */
} presence_heard_t;

/* All of them inside a coroutine; `teller` is a word that is made anew at each start. */
typedef struct {
    redis_t *redis;
    const config_t *config;
    const char *teller;
} presence_far_t;

/* since: what the beat before gave; 0: the first. False: Redis did not take it. */
bool presence_far_beat(const presence_far_t *, int64_t since, presence_heard_t *);
/* Appends a user to what is to be told. */
void presence_far_add(buffer_t *lines, uuid_t user, const presence_t *);
/* False: it may not have been told. */
bool presence_far_tell(const presence_far_t *, text_t lines);
/* The account is no more: nothing is kept of it, what others may yet tell of it is not taken, and each machine hears so by its next beats.
 * False: Redis may not have taken it, within `deadline` (clock_monotonic()). */
bool presence_far_forget(redis_t *, const config_t *, uuid_t user, int64_t deadline);
/* What all machines know. False: Redis does not say, within `deadline` (clock_monotonic()). */
bool presence_far_ask(redis_t *, const config_t *, uuid_t user, int64_t deadline, presence_t *out);
