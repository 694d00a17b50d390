/* listener: the two listening sockets that the supervisor made, TLS and plain, and the connections they
 * accept. */
#pragma once
#include <h2o.h>
#include <openssl/ssl.h>
#include "base/loop.h"

/* A descriptor of -1 is not listened on; `tls` may be NULL when https_fd is -1. */
void listeners_open(h2o_context_t *, loop_t *, SSL_CTX *tls);
/* New connections get this one from now on. The one before must live until no handshake of it can begin any more. */
SSL_CTX *listeners_use(SSL_CTX *tls);
/* Accepts nothing more; what waits in the kernel's queue is for the other frontends. */
void listeners_close(void);
