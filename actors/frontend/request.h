/* request: from libh2o's request to an answer, or to an envelope for an actor. */
#pragma once
#include "exchange.h"

/* Registers the handler for every path. */
void requests_open(h2o_pathconf_t *);
/* An exchange for a request that the router never saw, because libh2o refused it by itself. */
exchange_t *request_exchange(h2o_req_t *);
/* Who it is, under which name, in which language: every answer needs that. Returns the bytes of its header
 * fields. */
size_t request_introduce(exchange_t *);
/* The rest of its way, for one whose answer is not in the cache after all (cached.c). */
void request_continue(exchange_t *);
