/* certificate: the TLS certificate of listen.tls_certificate and listen.tls_key, or the self-signed one for
 * localhost that is made at first run below var/tls (EC P-256; the key's file is 0600 and made new when it is
 * about to expire). */
#pragma once
#include "../../shared/base/config.h"
#include "../../shared/base/memory.h"

/* Makes the self-signed one when it is needed. 0, or -1 with a reason. */
int certificate_ensure(const config_t *, const char *tls_directory, char *error, size_t error_size);
/* Do certificate and key exist, and fit each other? 0, or -1 with file and reason. */
int certificate_check(const config_t *, const char *tls_directory, char *error, size_t error_size);
/* The PEM text of the certificate or of the key. 0, or -1 with a reason. */
int certificate_read(
    const config_t *, const char *tls_directory, bool key, buffer_t *out, char *error, size_t error_size);
