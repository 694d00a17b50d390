/* plan: what should run, and in which order it comes and goes. */
#pragma once
#include "supervisor.h"

/* Whom a command means: one instance, a service (number 0), or all (service -1). */
typedef struct {
    int service, number;
} target_t;

/* "accounts", "accounts.2", NULL for all. 0, or -1 with a reason. */
int target_parse(const char *text, target_t *out, char *error, size_t error_size);
bool target_has(target_t, const instance_t *);

/* The instances that the configuration wants of services that have none yet. 0, or -1 with a reason. */
int plan_populate(supervisor_t *, char *error, size_t error_size);
/* Reads and checks the configuration file anew; it is in force for whatever starts from now on. 0, or -1 with
 * a reason: then nothing has changed. */
int plan_configure(supervisor_t *, char *error, size_t error_size);
void plan_start(supervisor_t *, target_t);
void plan_stop(supervisor_t *, target_t);
/* One after the other, the next when the one before is READY; the rest stays as it was when one does not come
 * back. */
void plan_restart(supervisor_t *, target_t);
int plan_scale(supervisor_t *, int service, int count, char *error, size_t error_size);
/* Everything goes down, in reverse order; then supervisor->ended. */
void plan_stop_all(supervisor_t *);

/* Once per turn: deadlines, stages, the restart queue. */
void plan_step(supervisor_t *);
/* When plan_step wants to run again, clock_monotonic(); 0: only after an event. */
int64_t plan_deadline(const supervisor_t *);
bool plan_all_ready(const supervisor_t *);
