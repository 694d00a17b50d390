/* instance: the life of one process, as a table of state and event. */
#pragma once
#include "supervisor.h"

enum instance_event {
    EVENT_START, /* the operator or the plan wants it now */
    EVENT_READY, /* READY=1 */
    EVENT_STOP,  /* the operator or the plan wants it down, or restarted when `wanted` */
    EVENT_HOLD,  /* aipotenctl drain */
    EVENT_LEAVE, /* STOPPING=1: it goes by itself */
    EVENT_TIME,  /* its deadline came */
    EVENT_EXIT,  /* its process ended; last_death is filled */
    INSTANCE_EVENTS
};

void instance_event(instance_t *, enum instance_event);
enum instance_state instance_state(const instance_t *);
/* A place in the table for SERVICE.NUMBER, DOWN; NULL when the segment is full. */
instance_t *instance_create(supervisor_t *, int service, int number);
/* The one in force: no successor; one that leaves only where there is no other. */
instance_t *instance_find(supervisor_t *, int service, int number);
/* "SERVICE.NUMBER" in a buffer of its own that the next call uses again. */
const char *instance_name(const instance_t *);
/* Has it a process? */
bool instance_alive(const instance_t *);
/* Watches a process that runs already. */
void instance_watch(instance_t *);
/* Sets the deadline that its state needs (after adoption, WATCHDOG=1, another configuration). */
void instance_set_deadline(instance_t *);
