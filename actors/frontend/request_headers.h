/* request_headers: one walk over a request's header fields finds all that the frontend reads, and their size.
 */
#pragma once
#include "exchange.h"

/* Once, before the first request. */
void request_headers_open(void);
/* Fills exchange->headers (of a field that came twice the first counts) and returns the bytes of all fields
 * together. */
size_t request_headers_read(exchange_t *);
/* HTTP/1.1: is there one way to read where the request ends, and whom it asks? Two lengths, a length beside chunks, two hosts,
 * or a folded line are read one way by libh2o and perhaps another way by a proxy before us, and what one of them takes for a
 * body is a request to the other (RFC 9112, 11.2). Libh2o keeps the head where it came until the answer. */
bool request_head_is_clear(const exchange_t *);
/* The value of any field: of one that came several times all values, joined as RFC 9110 (5.3) and RFC 9113
 * (8.2.3) say; data NULL: not sent. */
text_t request_header_value(exchange_t *, text_t name);
/* From these headers: whose request it is, whether it came over TLS, its trace id. */
void request_client(exchange_t *);
void request_trace(exchange_t *);
/* The origin, when it may read the answer; otherwise data NULL. */
text_t request_origin(const exchange_t *);
