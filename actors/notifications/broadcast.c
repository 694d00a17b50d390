/* broadcast: an administrator tells everybody in a role something. The order is a row; a chore goes through the users by their ids, some
 * hundred a transaction, which also notes how far it came. So whoever dies leaves what the next one goes on from: nobody is left
 * out, nobody is told twice, and the order's row always says how many were. Who registers meanwhile is told if the way still leads by.
 * Open pages hear of it at once, by one word for all of a role (the event `broadcast`); each one's own notification comes after. */
#include "notifications.h"
#include "../../shared/actor/page.h"
#include "../../shared/base/fault.h"
#include "../../shared/base/log.h"
#include "../../shared/wire/hint.h"
#include "../../shared/wire/realtime.h"

enum {
    MUTED_MOST = 1000, /* users that one word can leave out */
    MEMORY_PART = 2,   /* of actor.request_memory, for what a batch says */
    WORDS_COPIES = 2,  /* of each user's: as the list shows them, and as open pages are told */
    WORDS_AROUND = 512 /* bytes around them, in each */
};

void link_check(call_t *call, text_t link)
{
    if (link.data != NULL && (!text_starts_with(link, TEXT("/")) || text_starts_with(link, TEXT("//"))))
        call_fail_field(call, ERROR_VALIDATION, "link_url", PROBLEM_FORMAT);
}

static text_t said_json(call_t *call, const broadcast_t *broadcast)
{
    broadcast_said_t said = {0};
    buffer_t json = {0};
    message_set(&said, id, broadcast->id);
    message_set(&said, title, broadcast->title);
    message_set(&said, message, broadcast->message);
    if (message_has(broadcast, title_en))
        message_set(&said, title_en, broadcast->title_en);
    if (message_has(broadcast, message_en))
        message_set(&said, message_en, broadcast->message_en);
    if (message_has(broadcast, link_url))
        message_set(&said, link_url, broadcast->link_url);
    message_set(&said, created_at, broadcast->created_at);
    message_json(&broadcast_said_message, &said, &json);
    text_t copy = arena_copy(call->arena, buffer_text(&json));
    buffer_free(&json);
    return copy;
}

/* In both languages: one frame goes to all but those who do not want to be shown such things. Too many of them: nothing is said. */
static void broadcast_say(call_t *call, const broadcast_t *broadcast)
{
    realtime_event_t event = {0};
    buffer_t payload = {0};
    const rows_t *muted = db_query(call, &SQL_broadcast_muted, bind_text(text_of(broadcast_roles[broadcast->role])),
        bind_integer(MUTED_MOST + 1));
    if (muted->count > MUTED_MOST)
        return;
    uuid_t *except = arena_allocate(call->arena, (size_t)(muted->count + 1) * sizeof(*except));
    for (int i = 0; i < muted->count; i++)
        except[i] = ((const key_row_t *)row_at(call, muted, i))->id;
    message_set(&event, name, TEXT("broadcast"));
    message_set(&event, arguments, said_json(call, broadcast));
    message_set(&event, except, ((text_t){(const char *)except, (size_t)muted->count * sizeof(*except)}));
    realtime_pack_event(&event, &payload);
    for (int i = 0; i < BROADCAST_ALL; i++)
        if (broadcast->role == i || broadcast->role == BROADCAST_ALL)
            call_hint(call, arena_format(call->arena, TOPIC_ROLE "%s", broadcast_roles[i]), buffer_text(&payload));
    buffer_free(&payload);
}

#define BROADCAST_BINDS(mname, value)                                                                              \
    BIND(mname, value, role), BIND(mname, value, title), BIND(mname, value, message), BIND(mname, value, title_en), \
        BIND(mname, value, message_en), BIND(mname, value, link_url)

void broadcast_create(call_t *call)
{
    const broadcast_create_t *in = call->input;
    if (message_has(in, link_url))
        link_check(call, in->link_url);
    const rows_t *rows = db_query(call, &SQL_broadcast_create, bind_uuid(uuid_new()), bind_uuid(call->principal.user),
        BROADCAST_BINDS(broadcast_create, in));
    broadcast_say(call, row_first(call, rows));
    reply_row(call, rows);
}

/* The system itself has something to say. */
void broadcast_requested(call_t *call)
{
    broadcast_say(call, row_first(call, db_query(call, &SQL_broadcast_create, bind_uuid(uuid_new()), bind_null(),
                                      BROADCAST_BINDS(notification_broadcast, call->input))));
    reply_nothing(call);
}

void broadcast_get(call_t *call)
{
    const id_params_t *params = call->params;
    reply_row(call, db_query(call, &SQL_broadcast_get, bind_uuid(params->id)));
}

void broadcasts_list(call_t *call)
{
    const page_params_t *params = call->params;
    window_t window = window_of(params->page, params->limit, params->cursor);
    uuid_t before;
    memset(&before, 0xff, sizeof(before));
    if (window.cursor.data && uuid_parse(window.cursor, &before) != 0)
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    const rows_t *rows = db_query(call, &SQL_broadcasts_page, bind_uuid(before), bind_integer(window.fetch),
        bind_integer(window.offset));
    size_t shown = window_shown(&window, rows);
    broadcast_t *broadcasts = arena_allocate(call->arena, (shown + 1) * sizeof(*broadcasts));
    for (size_t i = 0; i < shown; i++)
        broadcasts[i] = *(const broadcast_t *)row_at(call, rows, (int)i);
    int64_t total = window_total(&window, rows);
    if (window_needs_count(&window, rows))
        total = ((const total_row_t *)row_first(call, db_query(call, &SQL_broadcasts_count)))->total;
    char next[UUID_TEXT_SIZE] = "";
    if (shown > 0)
        uuid_format(broadcasts[shown - 1].id, next);
    page_t page = window_page(&window, rows, total, text_of(next));
    reply_values(call, broadcasts, shown, &page);
}

/* --- a batch ------------------------------------------------------------------------------------------------------ */

static notification_requested_t notice_of(const broadcast_work_t *work)
{
    notification_requested_t notice = {0};
    message_set(&notice, type, NOTIFY_SYSTEM);
    message_set(&notice, title, work->title);
    message_set(&notice, message, work->message);
    if (work->title_en.data)
        message_set(&notice, title_en, work->title_en);
    if (work->message_en.data)
        message_set(&notice, message_en, work->message_en);
    if (work->link_url.data)
        message_set(&notice, link_url, work->link_url);
    return notice;
}

static text_t ids_of(call_t *call, const rows_t *rows)
{
    buffer_t ids = {0};
    for (int i = 0; i < rows->count; i++) {
        char id[UUID_TEXT_SIZE];
        uuid_format(((const key_row_t *)row_at(call, rows, i))->id, id);
        buffer_add(&ids, i > 0 ? " " : "", i > 0);
        buffer_add_string(&ids, id);
    }
    text_t copy = arena_copy(call->arena, buffer_text(&ids));
    buffer_free(&ids);
    return copy;
}

/* So many users that what is said to them fits into a call's memory: of long words fewer than broadcast_batch, else the batch would be
 * refused for ever, and all that is behind it. */
static int64_t batch_of(call_t *call, const broadcast_work_t *work)
{
    static buffer_t json; /* reused: nothing here suspends */
    const config_t *config = call_config(call);
    const text_t words[] = {work->title, work->message, work->title_en, work->message_en, work->link_url};
    json.length = 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (words[i].data != NULL)
            message_json_string(&json, words[i]);
    int64_t each = WORDS_COPIES * ((int64_t)json.length + WORDS_AROUND);
    int64_t room = config->actor.request_memory / MEMORY_PART / each, most = config->notifications.broadcast_batch;
    return room >= most ? most : room > 0 ? room : 1;
}

void broadcast_step(call_t *call)
{
    param_t after = bind_integer(call_config(call)->notifications.broadcast_after);
    const broadcast_work_t *work = row_first(call, db_query(call, &SQL_broadcast_take, after));
    if (work == NULL) {
        call_commit(call);
        return;
    }
    int64_t most = batch_of(call, work), told = 0;
    const rows_t *users = db_query(call, &SQL_broadcast_users, bind_uuid(work->after_user), bind_text(work->role), bind_integer(most));
    uuid_t last = work->after_user;
    if (users->count > 0) {
        notification_requested_t notice = notice_of(work);
        last = ((const key_row_t *)row_at(call, users, users->count - 1))->id;
        telling_t telling = {.notice = &notice, .users = ids_of(call, users), .count = users->count};
        told = notices_write(call, &telling, 1);
    }
    fault_point("broadcast.written");
    bool whole = users->count < most;
    db_query(call, &SQL_broadcast_advance, bind_uuid(work->id), bind_uuid(last), bind_integer(told), bind_boolean(whole));
    call_commit(call);
    fault_point("broadcast.committed");
    if (whole) {
        char id[UUID_TEXT_SIZE];
        uuid_format(work->id, id);
        log_event(LOG_INFO, "broadcast_whole", LOG_S("broadcast", id));
    }
}
