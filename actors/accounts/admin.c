/* admin: users as administrators see and change them. Whoever changes a user first locks all administrators, in the order
 * of their ids: two who remove each other meet there, and the second finds that it is no longer one. So there is always an
 * administrator left. */
#include "accounts.h"
#include "base/log.h"
#include "phone.h"
#include "user_search.h"

/* --- list -------------------------------------------------------------------------------------------------------------------- */

enum { LIMIT_DEFAULT = 20, TOTAL_MAX = 10000 };

typedef struct {
    param_t prefix, name, phone; /* all NULL without q */
    user_cursor_t cursor;
    bool after_cursor;
    int64_t page, limit;
} user_search_t;

static user_search_t search_of(call_t *call, const admin_users_params_t *in)
{
    user_search_t search = {.prefix = bind_null(), .name = bind_null(), .phone = bind_null(),
        .page = message_has(in, page) ? in->page : 1,
        .limit = message_has(in, limit) ? in->limit : LIMIT_DEFAULT,
        .after_cursor = message_has(in, cursor)};
    if (search.after_cursor && !user_cursor_read(call->arena, in->cursor, &search.cursor))
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    if (message_has(in, q)) {
        digest_t index = phone_index(call->arena, accounts_keys()->index, in->q);
        text_t bytes = {.data = (const char *)index.bytes, .length = sizeof(index.bytes)};
        search.prefix = bind_text(like_prefix(call->arena, in->q));
        search.name = bind_text(in->q);
        search.phone = bind_bytes(arena_copy(call->arena, bytes));
    }
    return search;
}

/* Two statements, with and without q, so that each has a plan of its own. */
static rows_t *users_page(call_t *call, const admin_users_params_t *in, const user_search_t *search)
{
    param_t after = search->after_cursor ? bind_time(search->cursor.created_at) : bind_null();
    param_t after_id = search->after_cursor ? bind_uuid(search->cursor.id) : bind_null();
    param_t limit = bind_integer(search->limit);
    param_t offset = bind_integer(search->after_cursor ? 0 : (search->page - 1) * search->limit);
    param_t role = BIND(admin_users_params, in, role), status = BIND(admin_users_params, in, status);
    if (!message_has(in, q))
        return db_query(call, &SQL_users_list, role, status, after, after_id, limit, offset);
    return db_query(call, &SQL_users_search, role, status, after, after_id, limit, offset, search->prefix, search->name,
        search->phone);
}

/* Counting stops one past the most that is told (product.md, section 9). */
static int64_t users_total(call_t *call, const admin_users_params_t *in, const user_search_t *search)
{
    param_t role = BIND(admin_users_params, in, role), status = BIND(admin_users_params, in, status);
    const rows_t *rows = message_has(in, q)
        ? db_query(call, &SQL_users_search_count, role, status, search->prefix, search->name, search->phone)
        : db_query(call, &SQL_users_count, role, status);
    const total_t *counted = row_first(call, rows);
    return counted->total;
}

void admin_user_list(call_t *call)
{
    const admin_users_params_t *in = call->params;
    user_search_t search = search_of(call, in);
    int64_t total = users_total(call, in, &search);
    const rows_t *rows = users_page(call, in, &search);
    page_t page = {.page = search.page,
        .limit = search.limit,
        .total = total > TOTAL_MAX ? TOTAL_MAX + 1 : total,
        .total_capped = total > TOTAL_MAX};
    if (rows->count == search.limit) {
        const admin_user_t *last = row_at(call, rows, rows->count - 1);
        page.next_cursor = user_cursor_build(call->arena, (user_cursor_t){.created_at = last->created_at, .id = last->id});
    }
    reply_rows(call, rows, &page);
}

/* --- change ------------------------------------------------------------------------------------------------------------------ */

static void own_record_check(call_t *call, uuid_t target, const admin_user_patch_t *in)
{
    if (!uuid_equal(target, call->principal.user))
        return;
    call_fail_field(call, ERROR_CONFLICT, message_has(in, role) ? "role" : "status", PROBLEM_OWN_ROLE);
}

/* Locks all administrators; at least one other than `target` must be left, and the caller must still be one. */
static void admins_check(call_t *call, uuid_t target)
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
    log_event(LOG_INFO, "user_changed", LOG_S("user", user), LOG_S("by", by), LOG_S("status", user_statuses[status]),
        LOG_S("role", user_roles[role]));
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
    if (now->status == USER_DELETED)
        call_fail(call, ERROR_INVALID_STATE);

    enum user_status status = message_has(in, status) ? (enum user_status)in->status : (enum user_status)now->status;
    int role = message_has(in, role) ? in->role : now->role;
    bool changes = status != (enum user_status)now->status || role != now->role;
    reply_row(call, db_query(call, &SQL_user_standing_update, bind_uuid(params->id), bind_text(text_of(user_statuses[status])),
        bind_text(text_of(user_roles[role])), bind_boolean(changes)));
    if (!changes)
        return;
    db_query(call, &SQL_sessions_end_all, bind_uuid(params->id),
        bind_text(status == USER_SUSPENDED ? TEXT("suspended") : TEXT("role")));
    subject_refuse(call_segment(call), call_config(call), params->id);
    change_log(call, params->id, status, role);
}
