/* pause: what nobody waits for lets what somebody waits for go first. */
#pragma once

/* The calling coroutine goes on after one to two milliseconds; others run meanwhile, so job_running(NULL) comes before. (lanes_pause is
 * for longer waits: it ends at a tick of the lanes.) */
void pause_shortly(void);
