/* control: the socket that aipotenctl talks to, var/run/control.sock (0600; our own user and root only). A
 * line of JSON for a request, a line of JSON for its answer: {"ok": true, …} or {"ok": false, "error":
 * "sentence"}. */
#pragma once
#include "supervisor.h"

/* 0, or -1 with a reason. */
int control_open(supervisor_t *, char *error, size_t error_size);
/* Once per turn: answers those who wait for something that has come, closes those who are too late. */
void control_step(supervisor_t *);
/* When control_step wants to run again, clock_monotonic(); 0: only after an event. */
int64_t control_deadline(void);
