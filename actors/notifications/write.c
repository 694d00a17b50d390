/* write: what others tell becomes a notification: its row, its number, and work for each channel that the user wants, in one
 * statement. The event's inbox commits with it, so each event is told once, whoever dies. */
#include "notifications.h"

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

int64_t notice_write(call_t *call, const notification_requested_t *notice, text_t users, int count)
{
    const kind_t *kind = &kinds[notice->type];
    const rows_t *rows = db_query(call, &SQL_notifications_write, bind_text(ids_make(call, count)), bind_text(users),
        BIND(notification_requested, notice, type), BIND(notification_requested, notice, title),
        BIND(notification_requested, notice, message), BIND(notification_requested, notice, title_en),
        BIND(notification_requested, notice, message_en), BIND(notification_requested, notice, link_url),
        bind_boolean(kind->in_app), bind_boolean(kind->email), bind_boolean(kind->push), bind_boolean(kind->urgent),
        BIND(notification_requested, notice, subject));
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
