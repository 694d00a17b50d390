/* outbox: the events that wait, for the operator (aipotenctl events): what is pending, for whom, since when, and what is dead. As
 * the migrator, over all schemas that have deliveries. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Per schema and subscriber: pending, dead, the oldest. 0, or -1 with a sentence in `out`. */
int outbox_status(const char *url, FILE *out, bool json);
/* Dead deliveries of one subscriber are tried again; or, with `skip`, the oldest dead one of each aggregate is given up and the
 * rest of the aggregate goes on. `position` 0: all of them. Says how many. */
int outbox_resolve(const char *url, FILE *out, const char *subscriber, int64_t position, bool skip);
