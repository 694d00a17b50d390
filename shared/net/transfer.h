/* transfer: libcurl's multi interface on our loop. A transfer is an easy handle that its caller has filled; transfer_run suspends
 * the coroutine until it is over. For http.c and smtp.c beside this file: only shared/net includes curl.
 *
 * What always holds: libcurl connects on the loop's stack, and not on a coroutine's (transfer_send, transfer_close and
 * transfer_receive are on theirs); every transfer has a deadline; there are at most `maximum` of them, and one more is refused at once.
 *
 * libcurl resolves names in a thread of its own, which ends with the answer and touches nothing of ours; it is the only thread of
 * the process, and a transfer whose deadline passes does not wait for it. */
#pragma once
#include "../base/loop.h"
#include <curl/curl.h>
#include <stddef.h>

/* Once, before the first transfer: from an actor's start hook (call_loop). */
void transfer_open(loop_t *, size_t maximum);
/* A new easy handle with what all transfers have in common: no signals, no proxy from the environment, no netrc, only `protocols`
 * ("https", "smtp,smtps"). Never NULL; the caller ends it by curl_easy_cleanup. */
CURL *transfer_handle(const char *protocols);

enum transfer_status {
    TRANSFER_OVER,    /* libcurl is done with it: see its code */
    TRANSFER_TIMEOUT, /* the deadline (clock_monotonic()) came first: it may have had its effect over there */
    TRANSFER_BUSY,    /* too many at a time: nothing was sent */
};
/* Inside a coroutine. The handle stays the caller's, and can be asked (curl_easy_getinfo) and used again afterwards. */
enum transfer_status transfer_run(CURL *, int64_t deadline, CURLcode *code);
/* For a protocol of which libcurl's own end would keep the loop (SMTP's): it opens the connection, with TLS and log-in, and no more.
 * When that is over without an error, the caller speaks by transfer_send and transfer_receive, and ends by transfer_close in any case.
 * All but the last inside a coroutine. */
enum transfer_status transfer_connect(CURL *, int64_t deadline, CURLcode *code);
/* All of it, or not TRANSFER_OVER with CURLE_OK. */
enum transfer_status transfer_send(CURL *, const char *data, size_t length, int64_t deadline, CURLcode *code);
/* What came, at least a byte. An end of the connection is an error. */
enum transfer_status transfer_receive(CURL *, char *out, size_t size, size_t *length, int64_t deadline, CURLcode *code);
void transfer_close(CURL *);
/* How many are under way. */
size_t transfer_count(void);
