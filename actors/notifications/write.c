/* write: what others tell becomes notifications: rows, numbers, and work for each channel that a user wants, in one statement for all that
 * there is to tell at a time. The event's inbox commits with it, so each event is told once, whoever dies. After that the broker tells those who are
 * online; what gets lost there is asked for by its number. */
#include "notifications.h"
#include "../../shared/wire/hint.h"
#include "../../shared/wire/realtime.h"

/* --- what is to be written ----------------------------------------------------------------------------------------- */

static text_t text_take(call_t *call, buffer_t *take_text)
{
    text_t copy = arena_copy(call->arena, buffer_text(take_text));
    buffer_free(take_text);
    return copy;
}

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
    return text_take(call, &ids);
}

static void notice_json(const notification_requested_t *notice, int place, buffer_t *out)
{
    const kind_t *kind = &kinds[notice->type];
    notice_row_t row = {0};
    message_set(&row, place, place);
    message_set(&row, type, notice->type);
    message_set(&row, title, notice->title);
    message_set(&row, message, notice->message);
    if (message_has(notice, title_en))
        message_set(&row, title_en, notice->title_en);
    if (message_has(notice, message_en))
        message_set(&row, message_en, notice->message_en);
    if (message_has(notice, link_url))
        message_set(&row, link_url, notice->link_url);
    if (message_has(notice, subject))
        message_set(&row, subject, notice->subject);
    message_set(&row, in_app, kind->in_app);
    message_set(&row, email, kind->email);
    message_set(&row, push, kind->push);
    message_set(&row, urgent, kind->urgent);
    message_json(&notice_row_message, &row, out);
}

static text_t notices_json(call_t *call, const telling_t *tellings, int count)
{
    buffer_t json = {0};
    for (int i = 0; i < count; i++) {
        buffer_add_char(&json, i > 0 ? ',' : '[');
        notice_json(tellings[i].notice, i, &json);
    }
    buffer_add_char(&json, ']');
    return text_take(call, &json);
}

/* The users of all of them, and whose each is. */
static text_t users_join(call_t *call, const telling_t *tellings, int count, text_t *places)
{
    buffer_t users = {0}, numbers = {0};
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_char(&users, ' ');
        buffer_add_text(&users, tellings[i].users);
        for (int j = 0; j < tellings[i].count; j++)
            buffer_format(&numbers, "%s%d", numbers.length > 0 ? " " : "", i);
    }
    *places = text_take(call, &numbers);
    return text_take(call, &users);
}

/* --- to open pages ------------------------------------------------------------------------------------------------- */

static void event_say(call_t *call, uuid_t user, const realtime_event_t *event)
{
    static buffer_t payload; /* reused: the hint is a copy of its own */
    char id[UUID_TEXT_SIZE];
    uuid_format(user, id);
    payload.length = 0;
    realtime_pack_event(event, &payload);
    call_hint(call, arena_format(call->arena, "user:%s", id), buffer_text(&payload));
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

/* --- the rows ------------------------------------------------------------------------------------------------------- */

int64_t notices_write(call_t *call, const telling_t *tellings, int count)
{
    int total = 0;
    text_t places, users = users_join(call, tellings, count, &places);
    for (int i = 0; i < count; i++)
        total += tellings[i].count;
    const rows_t *rows = db_query(call, &SQL_notifications_write, bind_text(notices_json(call, tellings, count)),
        bind_text(ids_make(call, total)), bind_text(users), bind_text(places));
    for (int i = 0; i < rows->count; i++) {
        const written_t *written = row_at(call, rows, i);
        written_say(call, tellings[written->place].notice, written);
    }
    return rows->count;
}

/* To the user that it names; to nobody, when the account has ended meanwhile. */
telling_t telling_of(call_t *call, const notification_requested_t *notice)
{
    char user[UUID_TEXT_SIZE];
    uuid_format(notice->user, user);
    return (telling_t){.notice = notice, .users = arena_copy(call->arena, text_of(user)), .count = 1};
}

/* --- events --------------------------------------------------------------------------------------------------------- */

void notices_requested(call_t *call, const void *const *inputs, int count)
{
    telling_t *tellings = arena_allocate(call->arena, (size_t)count * sizeof(*tellings));
    for (int i = 0; i < count; i++)
        tellings[i] = telling_of(call, inputs[i]);
    notices_write(call, tellings, count);
}

void notice_requested(call_t *call)
{
    notices_requested(call, &call->input, 1);
    reply_nothing(call);
}

void notices_due(call_t *call, const void *const *inputs, int count)
{
    telling_t *tellings = arena_allocate(call->arena, (size_t)count * sizeof(*tellings));
    notification_requested_t *notices = arena_allocate(call->arena, (size_t)count * sizeof(*notices));
    for (int i = 0; i < count; i++) {
        notices[i] = notice_of_due(call->arena, inputs[i]);
        tellings[i] = telling_of(call, &notices[i]);
    }
    notices_write(call, tellings, count);
}

void notice_due(call_t *call)
{
    notices_due(call, &call->input, 1);
    reply_nothing(call);
}
