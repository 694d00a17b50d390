/* history: the attempts of a child, or of all children of whom the caller may see them, newest first. Guardians are answered from the
 * cache; what therapists and admins see goes to the access log, once for each child on the page. */
#include "assessments.h"
#include "../../shared/actor/page.h"

typedef struct {
    window_t window;
    uuid_t before; /* the page begins behind it; no id is as large as the first */
    param_t child, status, from, to;
    const statement_t *page, *count;
} search_t;

static const uuid_t last_id = {
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static search_t search_of(call_t *call, const attempts_params_t *in)
{
    bool all = attempt_for_admin(call), one = message_has(in, child_id);
    search_t search = {.page = !all ? &SQL_attempts_page : one ? &SQL_attempts_page_child : &SQL_attempts_page_all,
        .count = !all ? &SQL_attempts_count : one ? &SQL_attempts_count_child : &SQL_attempts_count_all,
        .window = window_of(in->page, in->limit, in->cursor),
        .before = last_id,
        .child = BIND(attempts_params, in, child_id),
        .status = BIND(attempts_params, in, status),
        .from = BIND(attempts_params, in, from),
        .to = BIND(attempts_params, in, to)};
    if (message_has(in, cursor) && uuid_parse(in->cursor, &search.before) != 0)
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    return search;
}

static const rows_t *page_query(call_t *call, const search_t *search)
{
    return db_query(call, search->page, search->child, bind_uuid(call->principal.user), search->status, search->from, search->to,
        bind_uuid(search->before), bind_integer(search->window.fetch), bind_integer(search->window.offset));
}

static int64_t total_query(call_t *call, const search_t *search)
{
    const rows_t *rows = db_query(call, search->count, search->child, bind_uuid(call->principal.user), search->status, search->from,
        search->to);
    return ((const total_row_t *)row_first(call, rows))->total;
}

/* 404 for a child of whom nothing may be seen. The answer depends on which children those are, on each one's attempts, and on the
 * time at which an attempt expires. */
static void children_check(call_t *call, const search_t *search, bool one)
{
    if (attempt_for_admin(call)) {
        if (one)
            row_or_404(call, db_query(call, &SQL_attempt_child, search->child));
        return;
    }
    const rows_t *rows = db_query(call, &SQL_children_seen, search->child, bind_uuid(call->principal.user));
    if (one)
        row_or_404(call, rows);
    call_tag(call, TAG_GUARDIAN, call->principal.user);
    for (int i = 0; i < rows->count; i++) {
        const seen_child_t *child = row_at(call, rows, i);
        call_tag(call, TAG_ATTEMPTS, child->child_id);
        if (message_has(child, expires_at))
            call_cache_until(call, child->expires_at);
    }
}

/* Each child on the page once. */
static void read_tell(call_t *call, const attempt_t *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool told = false;
        for (size_t k = 0; k < i && !told; k++)
            told = uuid_equal(attempts[k].child_id, attempts[i].child_id);
        if (!told)
            attempt_read_tell(call, attempts[i].child_id);
    }
}

void attempt_list(call_t *call)
{
    const attempts_params_t *params = call->params;
    search_t search = search_of(call, params);
    children_check(call, &search, message_has(params, child_id));
    const rows_t *rows = page_query(call, &search);
    size_t shown = window_shown(&search.window, rows);
    attempt_t *attempts = arena_allocate(call->arena, (shown + 1) * sizeof(*attempts));
    for (size_t i = 0; i < shown; i++)
        attempts[i] = *(const attempt_t *)row_at(call, rows, (int)i);
    read_tell(call, attempts, shown);
    int64_t total =
        window_needs_count(&search.window, rows) ? total_query(call, &search) : window_total(&search.window, rows);
    char next[UUID_TEXT_SIZE] = "";
    if (shown > 0)
        uuid_format(attempts[shown - 1].id, next);
    page_t page = window_page(&search.window, rows, total, text_of(next));
    reply_values(call, attempts, shown, &page);
}
