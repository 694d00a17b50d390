/* logs: var/log/SERVICE.N.log and supervisor.log. A child writes to its file by itself, whether a supervisor
 * lives or not; so rotation copies a file that grew too big and cuts it (lines written in between may be
 * lost), up to log.keep_files copies. */
#pragma once
#include "supervisor.h"

/* A descriptor that appends, for the child; notes where the file stands. -1 with a reason. */
int logs_open(instance_t *, char *error, size_t error_size);
/* Our own log becomes standard error. 0, or -1 with a reason. */
int logs_redirect(const paths_t *, char *error, size_t error_size);
/* Its last error line since its start, else its last warning or other line; empty: there is none. */
void logs_last_words(const instance_t *, char *out, size_t out_size);
/* Rotates what is too big; call it every few seconds. */
void logs_rotate(supervisor_t *);
