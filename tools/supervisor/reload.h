/* reload: what runs is told of a changed configuration and of another TLS certificate, without a restart. */
#pragma once
#include "supervisor.h"
#include <jansson.h>

/* Reads and checks configuration, certificate and key, and tells every process. 0, or -1 with file and reason: then nothing has
 * changed. */
int reload_begin(supervisor_t *, char *error, size_t error_size);
/* Those that have not answered are told again, until the time is over. */
void reload_step(supervisor_t *);
int64_t reload_deadline(void);
/* "NUMBER reason" of a process. */
void reload_answered(instance_t *, text_t answer);
/* Of the last one; what is started has it already. */
int64_t reload_number(void);
/* The outcome, a new object; NULL: not all have answered. */
json_t *reload_outcome(supervisor_t *);
