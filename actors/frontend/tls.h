/* tls: the server's side of TLS 1.3 and 1.2, with the certificate and key that the supervisor hands over. */
#pragma once
#include <openssl/ssl.h>
#include "base/text.h"
#include "shm/segment.h"

/* PEM texts. NULL with a reason when they are none, or do not belong together. */
SSL_CTX *tls_make(text_t certificate_chain, text_t key, const segment_t *, char *error, size_t error_size);
/* The same at the start: exits then. */
SSL_CTX *tls_open(text_t certificate_chain, text_t key, const segment_t *);
