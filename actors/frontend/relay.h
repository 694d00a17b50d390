/* relay: requests that wait for an actor. Keeps them within their limits and deadlines, hands the answers
 * back, and decides what becomes of them when their instance dies. */
#pragma once
#include "exchange.h"
#include "wire/envelope.h"

void relay_open(loop_t *, process_t *);
void relay_close(void);
/* Sends the request to the service's least loaded instance, or answers 503. `request` misses only its ticket.
 */
void relay_send(exchange_t *, request_t *request);
