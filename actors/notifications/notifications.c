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
#include "../../shared/actor/page.h"
#include "../../shared/actor/personal_data.h"
#include "../../shared/actor/retention.h"

/* --- the list ----------------------------------------------------------------------------------------------------- */

/* Where a page begins: before this number, or with `after` behind it. */
typedef struct {
    window_t window;
    int64_t from;
    bool after, unread;
} view_t;

static int64_t seq_of(call_t *call, uuid_t notification)
{
    const seq_row_t *row = row_or_404(call,
        db_query(call, &SQL_notification_seq, bind_uuid(notification), bind_uuid(call->principal.user)));
    return row->seq;
}

static view_t view_of(call_t *call, const notifications_params_t *params)
{
    view_t view = {.window = window_of(params->page, params->limit, params->cursor),
        .from = INT64_MAX,
        .after = message_has(params, after),
        .unread = message_has(params, unread) && params->unread};
    if (view.window.cursor.data) {
        if (!text_to_int(view.window.cursor, &view.from) || view.from < 0)
            call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    } else if (view.after) {
        view.from = seq_of(call, params->after);
    }
    return view;
}

static int64_t total_query(call_t *call, const view_t *view)
{
    const rows_t *rows = db_query(call, &SQL_notifications_count, bind_uuid(call->principal.user), bind_boolean(view->unread),
        bind_integer(view->after ? view->from : 0));
    return ((const total_row_t *)row_first(call, rows))->total;
}

static int64_t unread_query(call_t *call)
{
    const rows_t *rows = db_query(call, &SQL_unread_count, bind_uuid(call->principal.user));
    return ((const unread_row_t *)row_first(call, rows))->unread;
}

static void notifications_list(call_t *call)
{
    view_t view = view_of(call, call->params);
    const rows_t *rows = db_query(call, view.after ? &SQL_notifications_after : &SQL_notifications_page,
        bind_uuid(call->principal.user), bind_boolean(call->language == LANGUAGE_EN), bind_boolean(view.unread),
        bind_integer(view.from), bind_integer(view.window.fetch), bind_integer(view.window.offset));
    size_t shown = window_shown(&view.window, rows);
    notification_t *notifications = arena_allocate(call->arena, (shown + 1) * sizeof(*notifications));
    for (size_t i = 0; i < shown; i++)
        notifications[i] = *(const notification_t *)row_at(call, rows, (int)i);
    int64_t total = window_needs_count(&view.window, rows) ? total_query(call, &view) : window_total(&view.window, rows);
    text_t next =
        shown > 0 ? arena_format(call->arena, "%lld", (long long)notifications[shown - 1].seq) : (text_t){0};
    page_t page = window_page(&view.window, rows, total, next);
    page.tells_unread = true;
    page.unread = unread_query(call);
    reply_values(call, notifications, shown, &page);
}

/* --- reading and deleting ----------------------------------------------------------------------------------------- */

static void notification_read(call_t *call)
{
    const id_params_t *params = call->params;
    param_t user = bind_uuid(call->principal.user);
    db_send(call, &SQL_counter_lock, user);
    reply_row(call, db_query(call, &SQL_notification_read, bind_uuid(params->id), user));
}

static void notifications_read_all(call_t *call)
{
    param_t user = bind_uuid(call->principal.user);
    db_send(call, &SQL_counter_lock, user);
    reply_row(call, db_query(call, &SQL_notifications_read_all, user));
}

static void notification_delete(call_t *call)
{
    const id_params_t *params = call->params;
    param_t user = bind_uuid(call->principal.user);
    db_send(call, &SQL_counter_lock, user);
    row_or_404(call, db_query(call, &SQL_notification_delete, bind_uuid(params->id), user));
    reply_nothing(call);
}

/* --- background --------------------------------------------------------------------------------------------------- */

static int64_t notifications_purge(call_t *call, int64_t before, int64_t most)
{
    param_t time = bind_time(before), count = bind_integer(most);
    db_send(call, &SQL_old_users, time, count);
    db_send(call, &SQL_old_unlink, time, count);
    return ((const total_row_t *)row_first(call, db_query(call, &SQL_old_purge, time, count)))->total;
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define NOTIFICATIONS "/api/v1/notifications"

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

    {.operation = "notifications.requested", .event = "notification.requested", .handler = notice_requested,
        .summary = "Tell somebody something", .input = &notification_requested_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "notifications.assessment_due", .event = "assessment.due", .handler = notice_due,
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
};

const actor_t notifications_actor = {.name = "notifications",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = notifications_statements,
    .statement_count = notifications_statement_count,
    .data_keys = "data_keys.notifications",
    .chore = notifications_reseal,
    .retentions = retentions,
    .retention_count = ARRAY_SIZE(retentions)};
