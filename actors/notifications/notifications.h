/* notifications: what the files of this actor share. */
#pragma once
#include "kinds.h"
#include "messages.h"
#include "notifications.sql.h"

/* write.c: notifications come to life. A notice is what is said to one user, or, without one, to many. */
void notice_requested(call_t *);
void notice_due(call_t *);
void notices_requested(call_t *, const void *const *inputs, int count);
void notices_due(call_t *, const void *const *inputs, int count);
/* A notice and whom it is for: ids, separated by spaces, `count` of them. All borrowed. */
typedef struct {
    const notification_requested_t *notice;
    text_t users;
    int count;
} telling_t;
/* For the one user that the notice names. */
telling_t telling_of(call_t *, const notification_requested_t *);
/* In the call's transaction, as far as the users are there. How many were. */
int64_t notices_write(call_t *, const telling_t *, int count);

/* list.c: one's own notifications. */
void notifications_list(call_t *);
void notification_read(call_t *);
void notifications_read_all(call_t *);
void notification_delete(call_t *);
/* What new_notification carries: as the list shows it. */
text_t notice_arguments(call_t *, const notification_t *);
void notifications_missed(call_t *);
void call_party_ask(call_t *);

/* presence.c: who is online. */
void presence_open(call_t *);
void presence_ask(call_t *);

/* preferences.c */
void preferences_get(call_t *);
void preferences_put(call_t *);

/* broadcast.c */
/* Ends the call with 400 unless it is a relative path, as link_url must be. */
void link_check(call_t *, text_t link);
void broadcast_create(call_t *);
void broadcast_requested(call_t *);
void broadcast_get(call_t *);
void broadcasts_list(call_t *);
/* One batch, committed. */
void broadcast_step(call_t *);

/* later.c: what is said at its time. */
void reminder_scheduled(call_t *);
void reminder_cancelled(call_t *);
/* The next few reminders; the next few mails: committed. */
void reminders_step(call_t *);
void emails_step(call_t *);

/* devices.c */
void device_create(call_t *);
void devices_list(call_t *);
void device_delete(call_t *);
void push_key_get(call_t *);

/* push.c: one push from its claim to its end. */
void push_open(call_t *);
int64_t push_work(call_t *, int worker);
void push_worker_failed(int worker);

/* presence.c: what is held of a person, as personal_presence; NULL: nothing. And that nothing is, on any machine: before the first
 * statement of the call. */
const void *presence_held(call_t *, uuid_t user);
void presence_erase(call_t *, uuid_t user);

/* personal.c */
void notifications_personal_data(call_t *);
void notifications_user_erased(call_t *);
void notifications_child_deleted(call_t *);

/* reseal.c */
int64_t notifications_reseal(call_t *);
