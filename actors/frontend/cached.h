/* cached: answers from the cache in shared memory (shm/cache.h), in the turn in which they were asked for; and requests that wait
 * for one that another request is making.
 *
 * What always holds: who may read is decided before the cache is asked (request.c), so that a token's end is seen here as well;
 * an answer that an actor gave looks the same as one from the cache; of those who ask at the same time for what the cache has not,
 * one asks the actor, and the others wait for cache.fill_wait at most, each of them for its own look into the cache: nobody is given
 * what was read before he asked. */
#pragma once
#include "exchange.h"
#include "wire/envelope.h"

void cached_open(loop_t *, process_t *);
/* The settings behind it have changed: cors.origins, cache.hot. */
void cached_configure(const config_t *);
/* True: answered, or waiting. False: the actor must be asked now; request_continue does it later for those that wait. Of a GET or
 * HEAD whose row has a cache, by whom it may be answered from there. */
bool cached_answer(exchange_t *);
/* What the actor shall file its answer under; data NULL: nothing. */
text_t cached_key(const exchange_t *);
/* An actor's success in a row with a cache: answers with what every such answer has. */
void cached_reply(exchange_t *, const reply_t *);

/* A fill is somebody's request to an actor for all who wait. The pending table takes it from the exchange, for the exchange may
 * die before the actor answers; whoever has it ends it, whatever came of it. NULL is no fill. */
typedef struct fill fill_t;
fill_t *cached_take_fill(exchange_t *);
void cached_end_fill(fill_t *);
