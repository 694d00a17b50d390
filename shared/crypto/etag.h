/* etag: the validator of an answer (RFC 9110, 8.8.3), made of its bytes, so that every process, machine and start gives the same. */
#pragma once
#include "hash.h"

enum { ETAG_SIZE = 23 }; /* with quotes and NUL */

/* `whose`: what else it is made of; of a personal answer its user, so that two users' ETags tell nothing of each other's answers.
 * `form`: '\0' for the identity, another character for each compressed form of the same body. */
void etag_make(text_t whose, text_t body, char form, char out[static ETAG_SIZE]);
