/* write: what others tell becomes a notification: its row, its number, and work for each channel that the user wants, in one
 * statement. The event's inbox commits with it, so each event is told once, whoever dies. After that the broker tells those who are
 * online; what gets lost there is asked for by its number. */
#include "notifications.h"
#include "../../shared/wire/hint.h"
#include "../../shared/wire/realtime.h"

/* So many ids, separated by spaces; they are ordered as they are made. */
static text_t ids_make(call_t *call, int count)
{
    buffer_t ids = {0};
    for (int i = 0; i < count; i++) {
        char id[UUID_TEXT_SIZE];
        uuid_format(uuid_new(), id);
        if (i > 0)
            buffer_add_char(&ids, ' ');
        buffer_add_string(&ids, id);
    }
    text_t copy = arena_copy(call->arena, buffer_text(&ids));
    buffer_free(&ids);
    return copy;
}

/* --- to open pages ------------------------------------------------------------------------------------------------- */

static void event_say(call_t *call, uuid_t user, const realtime_event_t *event)
{
    char id[UUID_TEXT_SIZE];
    buffer_t payload = {0};
    uuid_format(user, id);
    realtime_pack_event(event, &payload);
    text_t copy = arena_copy(call->arena, buffer_text(&payload));
    buffer_free(&payload);
    call_hint(call, arena_format(call->arena, "user:%s", id), copy);
}

/* As the list would show it to this user. */
static text_t arguments_of(call_t *call, const notification_requested_t *notice, const written_t *written)
{
    bool english = written->language == LANGUAGE_EN;
    notification_t shown = {0};
    message_set(&shown, id, written->id);
    message_set(&shown, type, notice->type);
    message_set(&shown, title, english && message_has(notice, title_en) ? notice->title_en : notice->title);
    message_set(&shown, message, english && message_has(notice, message_en) ? notice->message_en : notice->message);
    if (message_has(notice, link_url))
        message_set(&shown, link_url, notice->link_url);
    message_set(&shown, is_read, false);
    message_set(&shown, seq, written->seq);
    message_set(&shown, created_at, written->created_at);
    return notice_arguments(call, &shown);
}

static void written_say(call_t *call, const notification_requested_t *notice, const written_t *written)
{
    realtime_event_t event = {0};
    if (written->in_app) {
        message_set(&event, name, TEXT("new_notification"));
        message_set(&event, id, written->id);
        message_set(&event, seq, written->seq);
        message_set(&event, arguments, arguments_of(call, notice, written));
        event_say(call, written->user_id, &event);
    }
    if (message_has(notice, event)) { /* a page that shows the thing itself wants to know, whatever of notifications */
        event = (realtime_event_t){0};
        message_set(&event, name, notice->event);
        message_set(&event, arguments, message_has(notice, arguments) ? notice->arguments : TEXT("{}"));
        event_say(call, written->user_id, &event);
    }
}

/* --- the row -------------------------------------------------------------------------------------------------------- */

int64_t notice_write(call_t *call, const notification_requested_t *notice, text_t users, int count)
{
    const kind_t *kind = &kinds[notice->type];
    const rows_t *rows = db_query(call, &SQL_notifications_write, bind_text(ids_make(call, count)), bind_text(users),
        BIND(notification_requested, notice, type), BIND(notification_requested, notice, title),
        BIND(notification_requested, notice, message), BIND(notification_requested, notice, title_en),
        BIND(notification_requested, notice, message_en), BIND(notification_requested, notice, link_url),
        bind_boolean(kind->in_app), bind_boolean(kind->email), bind_boolean(kind->push), bind_boolean(kind->urgent),
        BIND(notification_requested, notice, subject));
    for (int i = 0; i < rows->count; i++)
        written_say(call, notice, row_at(call, rows, i));
    return rows->count;
}

static void notice_write_one(call_t *call, const notification_requested_t *notice)
{
    char user[UUID_TEXT_SIZE];
    uuid_format(notice->user, user);
    notice_write(call, notice, text_of(user), 1); /* to nobody, when the account has ended meanwhile */
    reply_nothing(call);
}

void notice_requested(call_t *call)
{
    notice_write_one(call, call->input);
}

void notice_due(call_t *call)
{
    notification_requested_t notice = notice_of_due(call->arena, call->input);
    notice_write_one(call, &notice);
}
