/* adopt: what a supervisor leaves for the next one, and what the next one makes of it.
 *
 * var/run/state names each process with its start time (a pid that was used again is not adopted). The
 * segment and the listening sockets are taken out of the living processes themselves by pidfd_getfd(2). Root
 * with CAP_SYS_PTRACE may do that; without it (an ordinary user, or root in most containers) the children
 * allow it to their own user (shared/shm/process.c), and root asks through a helper process of that user.
 * When they cannot be had, or the processes belong to a build with another segment, they are ended in order
 * and all starts anew.
 *
 * Adopted processes are not our children: their death is seen (pidfd), its status is not. */
#pragma once
#include "supervisor.h"

/* Fills segment, sockets and instances from processes that still run. True: adopted; false: nothing runs any
 * more. */
bool adopt(supervisor_t *);
/* Ends what an earlier supervisor left running, frontends first; how many that were. Needs paths and config
 * only. */
int adopt_end(supervisor_t *);
/* Writes var/run/state when it is out of date. */
void state_save(supervisor_t *);
/* After an orderly stop. */
void state_remove(const supervisor_t *);
