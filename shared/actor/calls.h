/* calls: what an actor asks of another and waits for (architecture.md, "Messages"). What must happen but may happen later is an
 * event (events.h); a call is for what the answer needs now.
 *
 * An operation is a row of the other actor's table with .internal and its messages, which both sides must know: they stand in
 * operations.h. It is asked for whom this call is made: principal, language and trace go with it, and what is left of the
 * deadline.
 *
 * What always holds: the n-th call of a handler has the same id in every run of the same call, so a writing operation is done
 * once however often this handler runs, wherever, whoever dies (once.h): under an Idempotency-Key or for an event as well. Its
 * input must follow from the call alone, or the other side refuses the second run. Calls come before the first statement of lane
 * `write`: a transaction that waits for another actor is a panic which names the handler's line. When the handler fails after
 * a call, what the call did stays done: what must be taken back is an event's work.
 *
 * Calls go one way: who answers for an operation must not ask back, directly or through others. */
#pragma once
#include "call.h"

/* An operation that is offered, and by whom. */
typedef struct {
    const char *service, *operation;
} operation_t;

/* What came of it. */
typedef struct {
    enum error_code error; /* ERROR_NONE: done. ERROR_UNAVAILABLE, ERROR_TIMEOUT: nobody answered, see doubtful */
    bool doubtful;         /* nobody answered, but somebody may have done it, or be at it still */
    const void *value;     /* struct of output_message, in the call's arena; NULL after an error and without output */
} answer_t;

typedef struct {
    const message_t *input_message; /* NULL: without */
    const void *input;
    const message_t *output_message; /* NULL: without */
} exchange_of_t;

/* Asks `operation` ("children.personal_data") of `service` ("children") and waits. Messages are those of its row. A dead
 * instance's call is sent to another one (http.losses_most), and while the service restarts it waits, for http.patience. */
#define actor_call(call, service, operation, input_message, input, output_message)                                  \
    actor_call_at((call), (service), (operation), &(const exchange_of_t){(input_message), (input), (output_message)},  \
        __FILE__, __LINE__)
answer_t actor_call_at(call_t *, const char *service, const char *operation, const exchange_of_t *, const char *file, int line);
/* How many calls of this process wait for that service's answers. Where an answer takes long (a hash), who asks bounds their number by it:
 * each keeps one of actor.max_coroutines, which all others need as well. */
int calls_waiting(const char *service);
/* The answer's value; without one the call ends with the other's error, as far as it is the client's to know. */
#define actor_call_or_fail(call, service, operation, input_message, input, output_message)                          \
    answer_or_fail((call), (operation), actor_call(call, service, operation, input_message, input, output_message))
const void *answer_or_fail(call_t *, const char *operation, answer_t);

/* Several actors offer operations of one name ("children.personal_data", "admin.personal_data"): the index-th of
 * "personal_data", NULL after the last. */
const operation_t *operation_offered(const char *name, int index);
