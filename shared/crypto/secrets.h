/* secrets: the files below var/secrets (0600, directory 0700), made at first run. Who gets which: shm/services.c.
 *
 *     jwt_keys             ring     signs and verifies access tokens (accounts, frontend)
 *     data_keys.accounts   ring     seals columns of accounts
 *     data_keys.children   ring     seals columns of children
 *     index_key            32 bytes HMAC index of phone numbers
 *     token_key            32 bytes refresh tokens and CSRF tokens
 *     db.ROLE              text     password of the PostgreSQL role aipoten_ROLE */
#pragma once
#include "../base/memory.h"

/* Makes what is missing. 0, or -1 with a reason. */
int secrets_ensure(const char *directory, char *error, size_t error_size);
/* The value of one, in *out (caller frees with buffer_free). 0, or -1 with a reason. */
int secrets_read(const char *directory, const char *name, buffer_t *out, char *error, size_t error_size);
/* Puts a new key at the head of a ring and drops the oldest over KEY_RING_MAX. 0, or -1 with a reason. */
int secrets_rotate(const char *directory, const char *ring, char *error, size_t error_size);
