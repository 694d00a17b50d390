/* links: see links.c. */
#pragma once
#include "../../shared/actor/actor.h"

/* Before the first link is asked: the actor's start. */
void links_open(call_t *);
/* A link each time: the actor's worker. */
int64_t links_work(call_t *, int worker);
