/* later: what is said at its time: reminders that others ordered, and mails that waited for the end of quiet hours. PostgreSQL holds what
 * is due and says what time it is, so a restart forgets nothing; a row goes in the transaction that says it, so it is said once. */
#include "notifications.h"
#include "../../shared/base/fault.h"
#include "../../shared/base/log.h"

enum { REMINDERS = 20, EMAILS = 20 /* of one transaction */, UNOPENED_PAUSE = 3600000 /* milliseconds: until somebody has put the key back */ };

/* --- reminders ---------------------------------------------------------------------------------------------------- */

void reminder_scheduled(call_t *call)
{
    const notification_scheduled_t *in = call->input;
    const notification_requested_t *notice = in->notification;
    if (message_has(notice, link_url))
        link_check(call, notice->link_url); /* now: at its time it would hold up those that are said with it */
    buffer_t packed = {0};
    message_pack(&notification_requested_message, notice, &packed);
    text_t body = arena_copy(call->arena, buffer_text(&packed));
    buffer_free(&packed);
    db_query(call, &SQL_reminder_set, bind_uuid(in->reminder), bind_uuid(notice->user), bind_time(in->due_at),
        BIND(notification_scheduled, in, not_after), bind_sealed(call, "notifications.reminders", "body", in->reminder, body));
    reply_nothing(call);
}

void reminder_cancelled(call_t *call)
{
    const notification_cancelled_t *in = call->input;
    db_query(call, &SQL_reminder_cancel, bind_uuid(in->reminder));
    reply_nothing(call);
}

/* False: it was written by another release. */
static bool reminder_read(call_t *call, const reminder_row_t *reminder, notification_requested_t *notice)
{
    problems_t *problems = arena_allocate(call->arena, sizeof(*problems));
    problems->arena = call->arena;
    if (message_read(&notification_requested_message, reminder->body, SOURCE_PEER, notice, problems))
        return true;
    char id[UUID_TEXT_SIZE];
    uuid_format(reminder->id, id);
    log_event(LOG_ERROR, "reminder_unreadable", LOG_S("reminder", id),
        LOG_S("next", "written by another release; it was not said: whoever ordered it must say so by hand"));
    return false;
}

/* NULL: it cannot be opened, and is put off. */
static const reminder_row_t *reminder_open(call_t *call, const rows_t *rows, int index)
{
    bool opened = true;
    const reminder_row_t *reminder = row_at_opened(call, rows, index, &opened);
    if (!opened)
        db_send(call, &SQL_reminder_put_off, bind_uuid(reminder->id), bind_integer(UNOPENED_PAUSE));
    return opened ? reminder : NULL;
}

void reminders_step(call_t *call)
{
    telling_t tellings[REMINDERS];
    char done[REMINDERS * UUID_TEXT_SIZE] = "", *end = done; /* ids, separated by spaces */
    int count = 0;
    const rows_t *rows = db_query(call, &SQL_reminders_take, bind_integer(REMINDERS));
    for (int i = 0; i < rows->count; i++) {
        const reminder_row_t *reminder = reminder_open(call, rows, i);
        if (reminder == NULL)
            continue;
        if (end > done)
            *end++ = ' ';
        uuid_format(reminder->id, end);
        end += UUID_TEXT_SIZE - 1;
        notification_requested_t *notice = arena_allocate(call->arena, sizeof(*notice));
        if (!reminder->late && reminder_read(call, reminder, notice))
            tellings[count++] = telling_of(call, notice);
    }
    db_send(call, &SQL_reminders_done, bind_text(text_of(done)));
    if (count > 0)
        notices_write(call, tellings, count);
    fault_point("reminder.written");
    call_commit(call);
    fault_point("reminder.committed");
}

/* --- mails -------------------------------------------------------------------------------------------------------- */

static void email_request(call_t *call, const email_row_t *row)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(row->id, id);
    mail_field_t fields[3] = {0};
    message_set(&fields[0], name, TEXT("id"));
    message_set(&fields[0], value, text_of(id));
    message_set(&fields[1], name, TEXT("title"));
    message_set(&fields[1], value, row->title);
    message_set(&fields[2], name, TEXT("message"));
    message_set(&fields[2], value, row->message);
    mail_requested_t mail = {0};
    message_set(&mail, template, MAIL_NOTIFICATION);
    message_set(&mail, user, row->user_id);
    message_set(&mail, to, row->email);
    message_set(&mail, name, row->name);
    message_set(&mail, language, row->language);
    message_set(&mail, fields, (list_t){.items = fields, .count = ARRAY_SIZE(fields)});
    event_emit(call, "mail.requested", row->user_id, &mail_requested_message, &mail);
}

void emails_step(call_t *call)
{
    const rows_t *rows = db_query(call, &SQL_emails_take, bind_integer(EMAILS));
    for (int i = 0; i < rows->count; i++)
        email_request(call, row_at(call, rows, i));
    fault_point("email.requested");
    call_commit(call);
    fault_point("email.committed");
}
