/* notifications: what the files of this actor share. */
#pragma once
#include "kinds.h"
#include "messages.h"
#include "notifications.sql.h"

/* write.c: notifications come to life. A notice is what is said to one user, or, without one, to many. */
void notice_requested(call_t *);
void notice_due(call_t *);
/* In the call's transaction: to these users (ids, separated by spaces, `count` of them), as far as they are there. How many were. */
int64_t notice_write(call_t *, const notification_requested_t *, text_t users, int count);

/* personal.c */
void notifications_personal_data(call_t *);
void notifications_user_erased(call_t *);
void notifications_child_deleted(call_t *);

/* reseal.c */
int64_t notifications_reseal(call_t *);
