/* relay: requests that wait for an actor. Keeps them within their limits and deadlines, hands the answers
 * back, and decides what becomes of them when their instance dies. */
#pragma once
#include "exchange.h"
#include "wire/envelope.h"

void relay_open(loop_t *, process_t *);
void relay_close(void);
/* What the frontend itself asks an actor: an internal operation (actor/operations.h), for somebody. */
typedef struct {
    const char *service, *operation;
    const message_t *input_message;
    const void *input;
    const token_t *principal;
    enum language language;
    text_t address; /* the client's, as the access log shows it; data NULL: it is not told */
} question_t;
/* Called once, with the answer's status and body (the operation's packed output message); status 0: nobody answered in time. False:
 * nobody can be asked now, and it is not called. */
bool relay_ask(const question_t *, void (*on_answer)(void *argument, int status, text_t body), void *argument);
/* Sends the request to the service's least loaded instance, or answers 503. `request` misses only its ticket.
 */
void relay_send(exchange_t *, request_t *request);
