/* handover: a supervisor becomes that of another release by execve(2): the same process with the same children, the lock, the
 * segment and the listening sockets in its hands. It adopts the children as one would that comes after a death (adopt.h). */
#pragma once
#include "supervisor.h"

/* Are the programs there? Then handover_run goes there. 0, or -1 with a reason. */
int handover_prepare(supervisor_t *, const char *directory, char *error, size_t error_size);
/* Does not return when it succeeds. When it does, everything is as before, and the log says why. */
void handover_run(supervisor_t *);
/* At the start: takes what the one before us left in our hands. True: there was one. */
bool handover_take(supervisor_t *);
