/* http: requests to servers of others, awaited in a coroutine (transfer.h). The answer is bounded in bytes, the wait in time;
 * redirects are answers like others, never followed; nothing is unpacked; TLS certificates are checked. Plain http goes to the
 * loopback only, and only where the caller allows it. Never while a transaction is open: call_leave before, call_return after. */
#pragma once
#include "../base/memory.h"
#include <sys/socket.h>

enum { HTTP_HEADERS_MAX = 8 };

typedef struct {
    const char *url;
    text_t form;                           /* POST as application/x-www-form-urlencoded; data NULL: GET */
    text_t body;                           /* POST of this, whose content-type is among the headers; data NULL: form decides */
    const char *headers[HTTP_HEADERS_MAX]; /* "authorization: Bearer …", up to the first NULL */
    size_t max_bytes;                      /* of the answer's body */
    int64_t deadline;                      /* clock_monotonic() */
    bool plain_loopback; /* http://127.0.0.1, http://localhost and http://[::1] are fine (tests, development) */
    bool public_only;    /* a URL that others name: no address of a private network is connected to, whatever its host's name says */
} http_request_t;

enum http_outcome {
    HTTP_ANSWERED,  /* with whatever status */
    HTTP_TIMEOUT,   /* it may have had its effect over there */
    HTTP_TOO_LARGE, /* the answer; it had its effect over there */
    HTTP_BUSY,      /* too many transfers at a time: nothing was sent */
    HTTP_REFUSED,   /* the URL may not be asked: nothing was sent */
    HTTP_FAILED,    /* no connection, no trust, or no whole answer */
};

typedef struct {
    int status;
    text_t body;        /* in the arena */
    const char *reason; /* why there is no answer, for the log; holds nothing of the request */
} http_answer_t;

/* Inside a coroutine. */
enum http_outcome http_run(arena_t *, const http_request_t *, http_answer_t *);
/* May this URL be asked? https, or plain http to the loopback where that is allowed. */
bool http_url_allowed(const char *url, bool plain_loopback);

/* Is it an address of the Internet at large? */
bool http_address_public(const struct sockaddr *);

/* Appends "name=value" with what RFC 3986 reserves escaped, after '&' unless `out` is empty or ends with '?'. */
void http_form_add(buffer_t *out, const char *name, text_t value);
