/* frames: what comes over a connection before it is a request. Libh2o 2.2 has no hook there, but calls its own exported functions
 * through the dynamic linker, where the program's definitions come first (as in hpack.c): h2o_socket_read_start tells whose bytes
 * are read, h2o_http2_decode_frame sees each HTTP/2 frame, decrypted, and may refuse it with an error of the connection
 * (RFC 9113, 5.4.1), and h2o_http2__encode_rst_stream_frame sees each stream that libh2o itself resets. */
#pragma once
#include <h2o.h>
#include <stdbool.h>

enum { FRAMES_CALM = -11 }; /* ENHANCE_YOUR_CALM (RFC 9113, 7) as libh2o's functions return it */

/* Panics when the library has one of these functions no longer. Before the first connection. */
void frames_open(void);
/* The connection's socket is gone. */
struct connection;
void frames_forget(const struct connection *);
/* A request's header block of so many bytes is about to be read: false: it is too large for any answer. */
bool frames_head_begins(h2o_req_t *, size_t length);
/* It has been read: false: it has too many fields. */
bool frames_head_ends(h2o_req_t *, size_t length);
