/* cached_far: public answers in Redis (net/second_level.h), from an actor's side. A frontend's miss comes to an actor with the wish to file;
 * before the handler runs, an answer that another instance or machine made is taken instead, and what the handler made is handed over. */
#pragma once
#include "internal.h"

/* At the actor's start. */
void cached_far_open(void);
/* In the call's coroutine, before its handler: true: the reply is there, as the handler would have made it. */
bool cached_far_fetch(job_t *);
/* The entry that is being filed, of this call's answer. */
void cached_far_store(const job_t *, const cache_entry_t *);
