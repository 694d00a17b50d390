/* fault: places where a test can end a process, by SIGKILL, as the kernel or a power cut would. In other builds a point is nothing.
 *
 * A test arms one point of one service: the file fault.SERVICE beside the sockets (AIPOTEN_RUN) says "POINT NTH". The process of that service that
 * comes to this point for the nth time since the file is there renames it to fault.SERVICE.hit and dies; a rename succeeds
 * once, so one process dies. test/scenario/44-faults_test.py finds the points in the sources and goes through them all. */
#pragma once

#ifdef AIPOTEN_TEST
/* Names are "part.moment", each once in the tree: "call.before_commit". */
void fault_point(const char *name);
#else
#define fault_point(name) ((void)0)
#endif
