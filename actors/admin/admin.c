/* admin: the access log, which says who read whose personal data. Owns the schema `admin`; of children it reads the view
 * guardians alone.
 *
 * What always holds: the log is only appended to, by the handler of record.read, a row at a time under the lock of its head, so
 * positions have no gap and each row carries the hash of the one before (shared/crypto/audit_chain.h). The reader's address is
 * the reader's personal data: it is sealed, and no parent sees it. */
#include "admin.sql.h"
#include "messages.h"
#include "../../shared/actor/erasure.h"
#include "../../shared/actor/events.h"
#include "../../shared/actor/page.h"
#include "../../shared/actor/personal_data.h"
#include "../../shared/actor/reseal.h"
#include "../../shared/base/clock.h"
#include "../../shared/base/log.h"
#include "../../shared/base/panic.h"
#include "../../shared/crypto/audit_chain.h"

enum { ANCHOR_LOOK = 600000 /* milliseconds */ };

/* --- appending ---------------------------------------------------------------------------------------------------- */

static digest_t head_hash(const head_row_t *head)
{
    digest_t hash;
    if (!audit_hash_read(head->hash, &hash))
        panic("the head of the access log has a hash of %zu bytes", head->hash.length);
    return hash;
}

static void entry_append(call_t *call, digest_t before, const audit_entry_t *entry)
{
    digest_t hash = audit_hash(before, entry);
    db_send(call, &SQL_access_append, bind_integer(entry->position), bind_bytes(audit_hash_text(&hash)),
        bind_uuid(entry->id), bind_uuid(entry->reader), bind_text(entry->reader_role), bind_text(entry->record_kind),
        bind_uuid(entry->record), bind_integer(entry->records), bind_text(entry->operation), bind_time(entry->read_at),
        bind_time(entry->created_at));
}

static void record_read(call_t *call)
{
    const record_read_t *in = call->input;
    const head_row_t *head = row_first(call, db_query(call, &SQL_head_lock));
    if (head == NULL)
        panic("the access log has no head");
    audit_entry_t entry = {.position = head->position + 1,
        .id = uuid_new(),
        .reader = in->reader,
        .reader_role = in->reader_role,
        .record_kind = in->record_kind,
        .record = in->record,
        .records = in->records,
        .operation = in->operation,
        .read_at = in->at,
        .created_at = clock_now()};
    entry_append(call, head_hash(head), &entry);
    if (message_has(in, address))
        db_send(call, &SQL_address_add, bind_uuid(entry.id),
            bind_sealed(call, "admin.access_addresses", "address", entry.id, in->address), bind_uuid(in->reader));
    reply_nothing(call);
}

/* --- the log as administrators see it ----------------------------------------------------------------------------- */

/* The id of the last row of the page before; NULL: from the newest. */
static param_t cursor_read(call_t *call, const window_t *window)
{
    uuid_t after;
    if (window->cursor.data == NULL)
        return bind_null();
    if (uuid_parse(window->cursor, &after) != 0)
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    return bind_uuid(after);
}

static void audit_list(call_t *call)
{
    const audit_params_t *in = call->params;
    window_t window = window_of(in->page, in->limit, in->cursor);
    param_t reader = BIND(audit_params, in, reader), record = BIND(audit_params, in, record),
            from = BIND(audit_params, in, from), to = BIND(audit_params, in, to);
    const rows_t *rows = db_query(call, &SQL_audit_page, reader, record, from, to, cursor_read(call, &window),
        bind_integer(window.fetch), bind_integer(window.offset));
    size_t shown = window_shown(&window, rows);
    audit_log_t *entries = arena_allocate(call->arena, (shown + 1) * sizeof(*entries));
    for (size_t i = 0; i < shown; i++)
        entries[i] = *(const audit_log_t *)row_at(call, rows, (int)i);
    int64_t total = window_total(&window, rows);
    if (window_needs_count(&window, rows))
        total = ((const total_row_t *)row_first(call, db_query(call, &SQL_audit_count, reader, record, from, to)))->total;
    char next[UUID_TEXT_SIZE] = "";
    if (shown > 0)
        uuid_format(entries[shown - 1].id, next);
    page_t page = window_page(&window, rows, total, text_of(next));
    reply_values(call, entries, shown, &page);
}

/* --- the log as a guardian sees it -------------------------------------------------------------------------------- */

static void child_access_list(call_t *call)
{
    const child_access_params_t *in = call->params;
    window_t window = window_of(in->page, in->limit, in->cursor);
    param_t before = cursor_read(call, &window);
    row_or_404(call, db_query(call, &SQL_guardian_find, bind_uuid(in->id), bind_uuid(call->principal.user)));
    const rows_t *rows = db_query(call, &SQL_child_access_page, bind_uuid(in->id), before, bind_integer(window.fetch),
        bind_integer(window.offset));
    size_t shown = window_shown(&window, rows);
    child_access_t *reads = arena_allocate(call->arena, (shown + 1) * sizeof(*reads));
    for (size_t i = 0; i < shown; i++)
        reads[i] = *(const child_access_t *)row_at(call, rows, (int)i);
    int64_t total = window_total(&window, rows);
    if (window_needs_count(&window, rows))
        total = ((const total_row_t *)row_first(call, db_query(call, &SQL_child_access_count, bind_uuid(in->id))))->total;
    char next[UUID_TEXT_SIZE] = "";
    if (shown > 0)
        uuid_format(reads[shown - 1].id, next);
    page_t page = window_page(&window, rows, total, text_of(next));
    reply_values(call, reads, shown, &page);
}

/* --- what is held of a person ------------------------------------------------------------------------------------- */

static void admin_personal_data(call_t *call)
{
    static const personal_section_t sections[] = {{"reads", &SQL_person_reads}, {"read_by", &SQL_person_read_by}};
    personal_data_reply(call, sections, ARRAY_SIZE(sections));
}

/* Who read what stays for its two years, by ids alone (product.md, section 2); from where it was read does not. */
static void admin_user_erased(call_t *call)
{
    const user_erased_t *in = call->input;
    db_query(call, &SQL_head_lock); /* no read is being filed meanwhile */
    db_query(call, &SQL_reader_forget, bind_uuid(in->user));
    person_forget(call, in->user);
    reply_nothing(call);
}

/* --- background work ---------------------------------------------------------------------------------------------- */

/* The head of today, once: in the table, and in the log, which who may write the table does not reach. */
static void anchor_make(call_t *call)
{
    int32_t today = date_today_seoul();
    const head_row_t *head = row_first(call, db_query(call, &SQL_anchor_add, bind_date(today)));
    if (head == NULL)
        return;
    digest_t hash = head_hash(head);
    char day[11], hex[2 * sizeof(hash.bytes) + 1];
    date_format(today, day);
    for (size_t i = 0; i < sizeof(hash.bytes); i++)
        snprintf(hex + 2 * i, 3, "%02x", hash.bytes[i]);
    log_event(LOG_INFO, "audit_anchor", LOG_S("day", day), LOG_I("position", head->position), LOG_S("hash", hex));
}

static int64_t admin_chore(call_t *call)
{
    static const reseal_t tables[] = {
        {"admin.access_addresses", &SQL_addresses_stale, &SQL_address_reseal, &SQL_addresses_stale_count},
    };
    static bool resealed;
    anchor_make(call);
    int64_t wait = resealed ? -1 : reseal_step(call, tables, ARRAY_SIZE(tables));
    resealed |= wait < 0;
    return wait < 0 || wait > ANCHOR_LOOK ? ANCHOR_LOOK : wait;
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

static const endpoint_t endpoints[] = {
    {.operation = "admin.record_read", .event = "record.read", .handler = record_read,
        .summary = "Append a read of personal data to the access log", .input = &record_read_message,
        .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "admin.audit_logs", .method = "GET", .path = "/api/v1/admin/audit-logs", .handler = audit_list,
        .roles = ADMIN, .summary = "Who read whose personal data, newest first", .params = &audit_params_message,
        .output = &audit_log_message, .shape = SHAPE_LIST},
    {.operation = "children.access_log", .method = "GET", .path = "/api/v1/children/:id/access-log",
        .handler = child_access_list, .roles = PARENT,
        .summary = "Who else looked at a child, newest first, for its guardians", .params = &child_access_params_message,
        .output = &child_access_message, .shape = SHAPE_LIST},

    PERSONAL_DATA_ROW("admin", admin_personal_data),
    {.operation = "admin.user_erased", .event = "user.erased", .handler = admin_user_erased,
        .summary = "Forget from where a reader read", .input = &user_erased_message, .shape = SHAPE_NOTHING,
        .writes = true},
};

const actor_t admin_actor = {.name = "admin",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = admin_statements,
    .statement_count = admin_statement_count,
    .data_keys = "data_keys.admin",
    .chore = admin_chore};
