/* progress: what the person who started the system sees until it is READY, on standard output. Nothing
 * afterwards. */
#pragma once
#include "supervisor.h"

/* Once per turn: a line for each instance that became ready or failed, and the last line. */
void progress_step(supervisor_t *);
