/* yielding: long work that lets others run every half a millisecond.
 *
 * A kernel asks only at its ticks (4 ms apart at 250 Hz) whether somebody who just woke up may run now, if he was not entitled to it
 * by a hair when he woke (EEVDF, Linux 6.6 and later): a process that computes without pause makes others wait for a tick,
 * however low its priority is.
 *
 * Only for who runs under SCHED_IDLE, which priority_lower() chooses where the process has a group of its own: since Linux 6.18 each
 * sched_yield(2) gives away the rest of a slice among those of the same group, and half a millisecond of work would cost a tenth
 * of a second, times the weight: a hash took longer than a request may as soon as one other kept its processor busy. */
#pragma once

/* From here to yielding_end() this thread calls sched_yield(2) every half a millisecond, by SIGALRM and the process's real-time
 * interval timer, which are this module's; under other policies nothing happens. System calls in between may end with EINTR. Not nested; other threads block the signal. */
void yielding_begin(void);
void yielding_end(void);
