/* list: one's own notifications, newest first, or what came after one of them; reading and deleting; and the same for actors that
 * ask. Who changes something locks the user's counter first. */
#include "notifications.h"
#include "../../shared/actor/operations.h"
#include "../../shared/actor/page.h"

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

void notifications_list(call_t *call)
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

void notification_read(call_t *call)
{
    const id_params_t *params = call->params;
    param_t user = bind_uuid(call->principal.user);
    db_send(call, &SQL_counter_lock, user);
    reply_row(call, db_query(call, &SQL_notification_read, bind_uuid(params->id), user));
}

void notifications_read_all(call_t *call)
{
    param_t user = bind_uuid(call->principal.user);
    db_send(call, &SQL_counter_lock, user);
    reply_row(call, db_query(call, &SQL_notifications_read_all, user));
}

void notification_delete(call_t *call)
{
    const id_params_t *params = call->params;
    param_t user = bind_uuid(call->principal.user);
    db_send(call, &SQL_counter_lock, user);
    row_or_404(call, db_query(call, &SQL_notification_delete, bind_uuid(params->id), user));
    reply_nothing(call);
}

/* --- for actors that ask ------------------------------------------------------------------------------------------ */

text_t notice_arguments(call_t *call, const notification_t *notification)
{
    buffer_t json = {0};
    message_json(&notification_message, notification, &json);
    text_t copy = arena_copy(call->arena, buffer_text(&json));
    buffer_free(&json);
    return copy;
}

static list_t missed_after(call_t *call, int64_t seq, bool *complete)
{
    const rows_t *rows = db_query(call, &SQL_notifications_after, bind_uuid(call->principal.user),
        bind_boolean(call->language == LANGUAGE_EN), bind_boolean(false), bind_integer(seq), bind_integer(MISSED_MOST + 1),
        bind_integer(0));
    size_t count = rows->count > MISSED_MOST ? MISSED_MOST : (size_t)rows->count;
    missed_event_t *events = arena_allocate(call->arena, (count + 1) * sizeof(*events));
    for (size_t i = 0; i < count; i++) {
        const notification_t *notification = row_at(call, rows, (int)i);
        message_set(&events[i], id, notification->id);
        message_set(&events[i], seq, notification->seq);
        message_set(&events[i], arguments, notice_arguments(call, notification));
    }
    *complete = rows->count <= MISSED_MOST;
    return (list_t){.items = events, .count = count};
}

/* The newest number is asked for first: what comes in between is then among the events, and never behind a number that was told. */
void notifications_missed(call_t *call)
{
    const missed_after_t *in = call->input;
    const rows_t *rows = db_query(call, &SQL_newest_seq, bind_uuid(call->principal.user));
    int64_t newest = ((const seq_row_t *)row_first(call, rows))->seq;
    bool complete = true;
    list_t events = {0};
    if (message_has(in, seq))
        events = missed_after(call, in->seq, &complete);
    if (events.count > 0 && ((const missed_event_t *)events.items)[events.count - 1].seq > newest)
        newest = ((const missed_event_t *)events.items)[events.count - 1].seq;
    missed_t answer = {0};
    message_set(&answer, complete, complete);
    message_set(&answer, newest, newest);
    message_set(&answer, events, events);
    reply_value(call, &answer);
}

void call_party_ask(call_t *call)
{
    const call_wish_t *in = call->input;
    const rows_t *rows = db_query(call, &SQL_call_party, bind_uuid(in->consultation), bind_uuid(call->principal.user));
    call_leave_given_t answer = {0};
    message_set(&answer, consultation, in->consultation);
    message_set(&answer, allowed, rows->count > 0);
    reply_value(call, &answer);
}
