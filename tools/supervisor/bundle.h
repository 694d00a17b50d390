/* bundle: the secrets of one child, as the text of its AIPOTEN_SECRETS_FD (shared/shm/process.h). */
#pragma once
#include "../../shared/base/memory.h"
#include "supervisor.h"

/* A memfd with the secrets that the service's row names; -1 with a reason. */
int bundle_make(const supervisor_t *, const service_t *, char *error, size_t error_size);
/* `url` with another user and password; its other parts stay. 0, or -1 with a reason: it is no URI. */
int bundle_database_url(
    const char *url, const char *user, text_t password, buffer_t *out, char *error, size_t error_size);
/* Host, port and database of `url`, nothing that is secret; for people. */
void bundle_database_place(const char *url, char *out, size_t out_size);
