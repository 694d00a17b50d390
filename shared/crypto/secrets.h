/* secrets: the files below var/secrets (0600, directory 0700), made at first run. Who gets which: shm/services.c.
 *
 *     jwt_keys             ring     signs and verifies access tokens (accounts, frontend)
 *     data_keys.accounts   ring     seals columns of accounts
 *     data_keys.children   ring     seals columns of children
 *     index_key            32 bytes HMAC index of phone numbers
 *     token_key            32 bytes refresh tokens and CSRF tokens
 *     db.ROLE              text     password of the PostgreSQL role aipoten_ROLE
 *     metrics_token        text     Bearer token that may read /metrics from anywhere (frontend)
 *     smtp_password        given    of mail.user at mail.host
 *     oauth.PROVIDER       given    by google, kakao, naver: the client secret; by apple: the private key (PEM)
 *
 * What is given by others is put there by a person and never made; as long as it is not there, its value is empty. */
#pragma once
#include "../base/memory.h"
#include "keys.h"

/* Makes what is missing. 0, or -1 with a reason. */
int secrets_ensure(const char *directory, char *error, size_t error_size);
/* The value of one, in *out (caller frees with buffer_free). 0, or -1 with a reason. */
int secrets_read(const char *directory, const char *name, buffer_t *out, char *error, size_t error_size);

/* A key changes in steps, because processes that hold the ring as it was and as it is run side by side (aipotenctl secrets):
 *
 *     stage     a new key at the end: once every process was started anew, all of them open what it will seal
 *     promote   the staged key comes to the front and seals from then on; safe when all processes know it
 *     retire    what stands behind the first is dropped; safe when nothing is left that it sealed or signed
 *
 * None of them looks at processes or rows: that is for the caller. Each gives 0, or -1 with a reason, and then nothing has
 * changed. */
int secrets_stage(const char *directory, const char *ring, char *error, size_t error_size);
int secrets_promote(const char *directory, const char *ring, char *error, size_t error_size);
/* A staged key stays. */
int secrets_retire(const char *directory, const char *ring, char *error, size_t error_size);

/* What may be told of a ring: no bytes of its keys. */
typedef struct {
    int count, staged; /* staged: index, -1: none is */
    char ids[KEY_RING_MAX][KEY_ID_SIZE];
    int64_t changed; /* when the file was written, microseconds */
} ring_ids_t;

int secrets_ring_ids(const char *directory, const char *ring, ring_ids_t *out, char *error, size_t error_size);
