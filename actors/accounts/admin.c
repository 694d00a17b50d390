/* admin: users as administrators see and change them. Whoever changes a user first locks all administrators,
 * in the order of their ids: two who remove each other meet there, and the second finds that it is no longer
 * one. So there is always an administrator left. */
#include "accounts.h"
#include "actor/page.h"
#include "actor/record_read.h"
#include "base/log.h"
#include "phone.h"
#include "user_search.h"

/* --- list --------------------------------------------------------------------------------------------------------- */

typedef struct {
    window_t window;
    user_cursor_t cursor;
    param_t role, status;
    param_t prefix, name, phone; /* of q; all NULL without it */
    bool by_text;
} user_search_t;

static void search_text(call_t *call, text_t q, user_search_t *search)
{
    digest_t index = phone_index(call->arena, accounts_keys()->index, q);
    text_t bytes = digest_text(&index);
    search->by_text = true;
    search->prefix = bind_text(like_prefix(call->arena, q));
    search->name = bind_text(q);
    search->phone = bind_bytes(arena_copy(call->arena, bytes));
}

static user_search_t search_of(call_t *call, const admin_users_params_t *in)
{
    user_search_t search = {.window = window_of(in->page, in->limit, in->cursor),
        .role = BIND(admin_users_params, in, role),
        .status = BIND(admin_users_params, in, status)};
    if (message_has(in, cursor) && !user_cursor_read(call->arena, in->cursor, &search.cursor))
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    if (message_has(in, q))
        search_text(call, in->q, &search);
    return search;
}

/* Two statements, with and without q, so that each has a plan of its own. */
static const rows_t *users_page(call_t *call, const user_search_t *search)
{
    bool after = search->window.cursor.data != NULL;
    param_t after_time = after ? bind_time(search->cursor.created_at) : bind_null();
    param_t after_id = after ? bind_uuid(search->cursor.id) : bind_null();
    param_t fetch = bind_integer(search->window.fetch), offset = bind_integer(search->window.offset);
    if (!search->by_text)
        return db_query(
            call, &SQL_users_list, search->role, search->status, after_time, after_id, fetch, offset);
    return db_query(call, &SQL_users_search, search->role, search->status, after_time, after_id, fetch,
        offset, search->prefix, search->name, search->phone);
}

static int64_t users_count(call_t *call, const user_search_t *search)
{
    const rows_t *rows = search->by_text ? db_query(call, &SQL_users_search_count, search->role,
                                               search->status, search->prefix, search->name, search->phone)
                                         : db_query(call, &SQL_users_count, search->role, search->status);
    return ((const total_t *)row_first(call, rows))->total;
}

void admin_user_list(call_t *call)
{
    user_search_t search = search_of(call, call->params);
    const rows_t *rows = users_page(call, &search);
    size_t shown = window_shown(&search.window, rows);
    admin_user_t *users = arena_allocate(call->arena, (shown + 1) * sizeof(*users));
    for (size_t i = 0; i < shown; i++)
        users[i] = *(const admin_user_t *)row_at(call, rows, (int)i);

    text_t next = {0};
    if (window_has_next(&search.window, rows))
        next = user_cursor_build(call->arena,
            (user_cursor_t){.created_at = users[shown - 1].created_at, .id = users[shown - 1].id});
    int64_t total = window_needs_count(&search.window, rows) ? users_count(call, &search)
                                                             : window_total(&search.window, rows);
    page_t page = window_page(&search.window, rows, total, next);
    if (shown > 0)
        record_read_emit(call, "users", (uuid_t){{0}}, (int64_t)shown);
    reply_values(call, users, shown, &page);
}

/* --- change ------------------------------------------------------------------------------------------------------- */

static void own_record_check(call_t *call, uuid_t target, const admin_user_patch_t *in)
{
    if (!uuid_equal(target, call->principal.user))
        return;
    call_fail_field(call, ERROR_CONFLICT, message_has(in, role) ? "role" : "status", PROBLEM_OWN_ROLE);
}

void admins_check(call_t *call, uuid_t target)
{
    const rows_t *rows = db_query(call, &SQL_admins_lock);
    int others = 0;
    bool caller = false;
    for (int i = 0; i < rows->count; i++) {
        const only_id_t *admin = row_at(call, rows, i);
        others += !uuid_equal(admin->id, target);
        caller |= uuid_equal(admin->id, call->principal.user);
    }
    if (others == 0)
        call_fail(call, ERROR_LAST_ADMIN);
    if (!caller)
        call_fail(call, ERROR_FORBIDDEN);
}

static void change_log(call_t *call, uuid_t target, enum user_status status, int role)
{
    char by[UUID_TEXT_SIZE], user[UUID_TEXT_SIZE];
    uuid_format(call->principal.user, by);
    uuid_format(target, user);
    log_event(LOG_INFO, "user_changed", LOG_S("user", user), LOG_S("by", by),
        LOG_S("status", user_statuses[status]), LOG_S("role", user_roles[role]));
}

/* A changed role or status ends all sessions: what was allowed when they began may not be any more. */
void admin_user_patch(call_t *call)
{
    const id_params_t *params = call->params;
    const admin_user_patch_t *in = call->input;
    if (in->head.given == 0)
        call_fail_field(call, ERROR_VALIDATION, "body", PROBLEM_EMPTY);
    own_record_check(call, params->id, in);
    admins_check(call, params->id);
    const standing_t *now = row_or_404(call, db_query(call, &SQL_user_lock, bind_uuid(params->id)));
    enum user_step step =
        message_has(in, status) && in->status == USER_SUSPENDED ? STEP_SUSPEND : STEP_REINSTATE;
    enum user_status reached = user_state_next((enum user_status)now->status, step);
    if (reached == USER_NO_WAY)
        call_fail(call, ERROR_INVALID_STATE);

    enum user_status status = message_has(in, status) ? reached : (enum user_status)now->status;
    int role = message_has(in, role) ? in->role : now->role;
    bool changes = status != (enum user_status)now->status || role != now->role;
    reply_row(call, db_query(call, &SQL_user_standing_update, bind_uuid(params->id),
                        bind_text(text_of(user_statuses[status])), bind_text(text_of(user_roles[role])),
                        bind_boolean(changes)));
    call_tag(call, TAG_USER, params->id);
    record_read_emit(call, "user", params->id, 1); /* the answer shows the whole record */
    if (!changes)
        return;
    user_sessions_end(call, params->id, status == USER_SUSPENDED ? TEXT("suspended") : TEXT("role"));
    change_log(call, params->id, status, role);
}
