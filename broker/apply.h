/* apply: what became stale on another machine is stale in this machine's segment as well. */
#pragma once
#include "shm/process.h"
#include "wire/stale.h"

void apply_open(process_t *);
void apply(const stale_t *);
/* Whatever is cached: `why` is for the log. */
void apply_all(const char *why);
