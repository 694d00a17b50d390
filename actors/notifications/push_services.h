/* push_services: how many workers of this instance a push service holds. What it has not answered in time is our only measure of it: from
 * then on it holds one, which tries again and again, until it answers. Kept by the process alone: its next one finds out within
 * push.timeout. However many fall silent at once, each of the others has a worker to hold, as long as no more are named than there are
 * workers. */
#pragma once
#include "../../shared/actor/call.h"

enum {
    PUSH_WORKERS = 12,        /* pushes that one instance sends at a time */
    PUSH_SERVICE_SIZE = 256,  /* bytes of a service's name, with its end: DNS has no longer ones */
    PUSH_SERVICE_WORKERS = 4, /* that one service holds at most */
    PUSH_SPEAKING_KEEP = 2,   /* that are left by those who are silent, should more be named than there are workers */
};

/* May one that holds so many hold one more, of those that are free? `without`: how many of the other services named hold none. */
bool push_service_may_hold(int holds, bool silent, int free, int without);
/* Those that hold as many as they may: nothing of theirs is to be claimed. Their names, separated by spaces. */
text_t push_services_full(call_t *);
/* From its claim on a worker is the service's, until it lets go; which it also does when its call ended before it could. */
void push_service_hold(int worker, text_t service);
void push_service_let_go(int worker);
/* What came of the worker's push: has its service answered? */
void push_service_judge(int worker, bool answered);
