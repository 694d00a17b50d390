/* notifications: what everybody is told: kept here, shown in a list, and sent on by the channels that a user wants.
 *
 * Owns the schema `notifications`; of accounts it reads the view recipients. Others never write here: they emit
 * notification.requested (shared/actor/events.h) in the transaction that is its reason, or an event of their own that this actor finds
 * the words for (write.c, kinds.c).
 *
 * What always holds: the table is the truth, whatever a socket, a mail or a push said of it. A user's notifications are numbered under
 * the lock of the user's counter, in the order of their commits: who has seen one and asks for what came after it (`?after=`) misses
 * nothing, although ids are not ordered so (product.md, section 8). `unread` is exact, because all that changes it holds that lock. */
#include "notifications.h"
#include "push_services.h"
#include "../../shared/actor/operations.h"
#include "../../shared/actor/personal_data.h"
#include "../../shared/actor/retention.h"
#include "../../shared/base/clock.h"

/* --- background --------------------------------------------------------------------------------------------------- */

enum { LOOK_PAUSE = 250 /* milliseconds between two looks for what is due */ };

static void reseal_now_and_then(call_t *call)
{
    static int64_t next;
    if (clock_monotonic() < next)
        return;
    int64_t wait = notifications_reseal(call);
    call_commit(call);
    next = wait < 0 ? INT64_MAX : clock_monotonic() + wait * CLOCK_MILLISECOND;
}

static int64_t notifications_chore(call_t *call)
{
    reseal_now_and_then(call);
    param_t after = bind_integer(call_config(call)->notifications.broadcast_after);
    const work_due_t *due = row_first(call, db_query(call, &SQL_work_look, after));
    bool reminders = due->reminders, emails = due->emails, broadcasts = due->broadcasts;
    if (reminders)
        reminders_step(call);
    if (emails)
        emails_step(call);
    if (broadcasts)
        broadcast_step(call);
    return reminders || emails || broadcasts ? 0 : LOOK_PAUSE;
}

static int64_t notifications_purge(call_t *call, int64_t before, int64_t most)
{
    param_t time = bind_time(before), count = bind_integer(most);
    db_send(call, &SQL_old_users, time, count);
    db_send(call, &SQL_old_unlink, time, count);
    return ((const total_row_t *)row_first(call, db_query(call, &SQL_old_purge, time, count)))->total;
}

static void notifications_start(call_t *call)
{
    push_open(call);
    presence_open(call);
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define NOTIFICATIONS "/api/v1/notifications"
#define ADMIN_NOTIFICATIONS "/api/v1/admin/notifications"

/* Answers are not cached: what they show changes with every notification, and sockets tell clients when to ask. */
static const endpoint_t endpoints[] = {
    {.operation = "notifications.list", .method = "GET", .path = NOTIFICATIONS, .handler = notifications_list, .roles = MEMBER,
        .summary = "One's notifications, newest first; after one of them: what came since, oldest first",
        .params = &notifications_params_message, .output = &notification_message, .shape = SHAPE_LIST,
        .errors = {ERROR_NOT_FOUND}},
    {.operation = "notifications.read", .method = "PATCH", .path = NOTIFICATIONS "/:id/read", .handler = notification_read,
        .roles = MEMBER, .summary = "Mark a notification as read", .params = &id_params_message,
        .output = &notification_state_message, .writes = true},
    {.operation = "notifications.read_all", .method = "PATCH", .path = NOTIFICATIONS "/read-all",
        .handler = notifications_read_all, .roles = MEMBER, .summary = "Mark all notifications as read",
        .output = &read_all_message, .writes = true},
    {.operation = "notifications.delete", .method = "DELETE", .path = NOTIFICATIONS "/:id", .handler = notification_delete,
        .roles = MEMBER, .summary = "Delete a notification", .params = &id_params_message, .shape = SHAPE_NOTHING,
        .writes = true},

    {.operation = "notifications.preferences.get", .method = "GET", .path = NOTIFICATIONS "/preferences",
        .handler = preferences_get, .roles = MEMBER, .summary = "Which notifications one wants, by which channel, and when",
        .output = &preferences_message},
    {.operation = "notifications.preferences.put", .method = "PUT", .path = NOTIFICATIONS "/preferences",
        .handler = preferences_put, .roles = MEMBER, .summary = "Choose them anew, all of them", .input = &preferences_put_message,
        .output = &preferences_message, .writes = true},

    {.operation = "notifications.push_key", .method = "GET", .path = NOTIFICATIONS "/push-key", .handler = push_key_get,
        .roles = MEMBER, .summary = "The key that a browser subscribes to pushes with", .output = &push_public_message},
    {.operation = "notifications.devices", .method = "GET", .path = NOTIFICATIONS "/devices", .handler = devices_list,
        .roles = MEMBER, .summary = "One's devices that pushes go to", .output = &device_message, .shape = SHAPE_LIST},
    {.operation = "notifications.devices.create", .method = "POST", .path = NOTIFICATIONS "/devices", .handler = device_create,
        .roles = MEMBER, .summary = "Register a device for pushes; one that somebody else had registered changes hands",
        .input = &device_create_message, .output = &device_message, .status = 201, .errors = {ERROR_CONFLICT}, .writes = true},
    {.operation = "notifications.devices.delete", .method = "DELETE", .path = NOTIFICATIONS "/devices/:id",
        .handler = device_delete, .roles = MEMBER, .summary = "Send it no more pushes", .params = &id_params_message,
        .shape = SHAPE_NOTHING, .writes = true},

    {.operation = "admin.notifications.broadcast", .method = "POST", .path = ADMIN_NOTIFICATIONS "/broadcast",
        .handler = broadcast_create, .roles = ADMIN, .summary = "Tell everybody in a role something",
        .input = &broadcast_create_message, .output = &broadcast_message, .status = 202, .writes = true},
    {.operation = "admin.notifications.broadcasts", .method = "GET", .path = ADMIN_NOTIFICATIONS "/broadcasts",
        .handler = broadcasts_list, .roles = ADMIN, .summary = "What everybody was told, newest first",
        .params = &page_params_message, .output = &broadcast_message, .shape = SHAPE_LIST},
    {.operation = "admin.notifications.broadcasts.get", .method = "GET", .path = ADMIN_NOTIFICATIONS "/broadcasts/:id",
        .handler = broadcast_get, .roles = ADMIN, .summary = "How far one of them is", .params = &id_params_message,
        .output = &broadcast_message},

    {.operation = "notifications.missed", .internal = true, .handler = notifications_missed, .roles = MEMBER,
        .summary = "What came after a number", .input = &missed_after_message, .output = &missed_message},
    {.operation = "notifications.may_join_call", .internal = true, .handler = call_party_ask, .roles = MEMBER,
        .summary = "Who may enter the room of a consultation", .input = &call_wish_message,
        .output = &call_leave_given_message},
    {.operation = "notifications.presence", .internal = true, .handler = presence_ask, .roles = MEMBER,
        .summary = "Who is online", .input = &presence_wish_message, .output = &presence_told_message},

    {.operation = "notifications.scheduled", .event = "notification.scheduled", .handler = reminder_scheduled,
        .summary = "Keep what is to be said at a time", .input = &notification_scheduled_message, .shape = SHAPE_NOTHING,
        .writes = true},
    {.operation = "notifications.cancelled", .event = "notification.cancelled", .handler = reminder_cancelled,
        .summary = "Do not say it", .input = &notification_cancelled_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "notifications.requested", .event = "notification.requested", .handler = notice_requested,
        .together = notices_requested, .summary = "Tell somebody something", .input = &notification_requested_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "notifications.broadcast", .event = "notification.broadcast", .handler = broadcast_requested,
        .summary = "Tell everybody of a role", .input = &notification_broadcast_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "notifications.assessment_due", .event = "assessment.due", .handler = notice_due, .together = notices_due,
        .summary = "Remind of an assessment", .input = &assessment_due_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "notifications.user_erased", .event = "user.erased", .handler = notifications_user_erased,
        .summary = "Forget an erased user", .input = &user_erased_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "notifications.child_deleted", .event = "child.deleted", .handler = notifications_child_deleted,
        .summary = "Empty what was said about a deleted child", .input = &child_deleted_message, .shape = SHAPE_NOTHING,
        .writes = true},
    PERSONAL_DATA_ROW("notifications", notifications_personal_data),
};

static const retention_t retentions[] = {
    {"notifications", offsetof(config_t, retention.notifications), .step = notifications_purge},
    {"pushes", offsetof(config_t, retention.pushes), .statement = &SQL_pushes_purge},
};

const actor_t notifications_actor = {.name = "notifications",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = notifications_statements,
    .statement_count = notifications_statement_count,
    .data_keys = "data_keys.notifications",
    .start = notifications_start,
    .chore = notifications_chore,
    .worker = push_work,
    .worker_failed = push_worker_failed,
    .workers = PUSH_WORKERS,
    .retentions = retentions,
    .retention_count = ARRAY_SIZE(retentions)};
