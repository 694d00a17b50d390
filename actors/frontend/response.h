/* response: how an answer leaves: status, the headers that every answer has, body; counted and logged. */
#pragma once
#include "exchange.h"

/* Prepares what depends on the configuration only. */
void responses_open(void);
/* HSTS may change while we run. */
void responses_configure(const config_t *);
/* An answer in JSON (or of `type`). The body is borrowed until the request ends; see response_copy. At most
 * once for an exchange. `packed_headers`: an actor's map of further headers, may be empty. */
void response_send(exchange_t *, int status, text_t type, text_t packed_headers, text_t body);
/* The file of this name in the directory of files, with an actor's headers; 404 when there is none. */
void response_file(exchange_t *, text_t type, text_t packed_headers, text_t name);
/* Closes the connections on which a piece of a file has waited for http.idle_timeout: libh2o waits for its reader without end,
 * and the file stays open so long. */
void responses_cut_slow(void);
/* The founding document's error envelope; `problems` may be NULL. */
void response_error(exchange_t *, enum error_code, const problems_t *problems);
/* Same, and tells when to try again, in seconds. */
void response_unavailable(exchange_t *, enum error_code, int64_t retry_after);
/* Adds a header to the answer that is not sent yet. The name is a constant in lower case (of a token:
 * &H2O_TOKEN_X->buf, which HPACK encodes better); the value is borrowed. */
void response_header(exchange_t *, const h2o_iovec_t *name, text_t value);
/* A copy that lives as long as the request. */
text_t response_copy(exchange_t *, text_t);
/* The connection goes on as something else than HTTP (101): counted and logged; libh2o sends it. */
void response_switched(exchange_t *);
/* The client went away before its answer: counted and logged as 499. */
void response_abandoned(exchange_t *);
/* Is this response ours, or did libh2o make it by itself? */
/* Bytes of its answer that libh2o holds, from h2o_start_response on. */
size_t response_owed(const h2o_req_t *);
bool response_is_ours(const h2o_req_t *);
/* For a response that libh2o made by itself: the headers of every answer; counting and logging it. */
void response_common_headers(exchange_t *);
void response_foreign(exchange_t *, size_t bytes);

#define TYPE_JSON TEXT("application/json")
