/* measurements: how a child grows; at most one measurement a day. The newest says how tall and heavy the child is now. */
#include "children.h"
#include "../../shared/actor/page.h"
#include "../../shared/base/clock.h"

/* The day before which the page begins: the cursor is the last day of the page before. */
static int32_t cursor_read(call_t *call, const window_t *window)
{
    int32_t before = date_of(9999, 1, 1);
    if (window->cursor.data && date_parse(window->cursor.data, window->cursor.length, &before) != 0)
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    return before;
}

static int64_t total_query(call_t *call, uuid_t child)
{
    const total_row_t *row = row_first(call, db_query(call, &SQL_measurements_count, bind_uuid(child)));
    return row->total;
}

void measurements_list(call_t *call)
{
    const measurement_params_t *params = call->params;
    window_t window = window_of(params->page, params->limit, params->cursor);
    int32_t before = cursor_read(call, &window);
    row_or_404(call, db_query(call, &SQL_child_visible, bind_uuid(params->id), bind_uuid(call->principal.user),
        bind_boolean(viewer_is_admin(call))));
    const rows_t *rows = db_query(call, &SQL_measurements_page, bind_uuid(params->id), bind_date(before),
        bind_integer(window.fetch), bind_integer(window.offset));
    size_t shown = window_shown(&window, rows);
    measurement_t *measurements = arena_allocate(call->arena, (shown + 1) * sizeof(*measurements));
    for (size_t i = 0; i < shown; i++)
        measurements[i] = *(const measurement_t *)row_at(call, rows, (int)i);
    char next[11] = "";
    if (shown > 0)
        date_format(measurements[shown - 1].measured_on, next);
    int64_t total = window_needs_count(&window, rows) ? total_query(call, params->id) : window_total(&window, rows);
    page_t page = window_page(&window, rows, total, text_of(next));
    child_read_tell(call, params->id);
    call_tag(call, TAG_CHILD, params->id);
    reply_values(call, measurements, shown, &page);
}

void measurements_create(call_t *call)
{
    const id_params_t *params = call->params;
    const measurement_create_t *in = call->input;
    if (in->measured_on > date_today_seoul())
        call_fail_field(call, ERROR_VALIDATION, "measured_on", PROBLEM_FUTURE);
    if (!message_has(in, height) && !message_has(in, weight) && !message_has(in, head_circumference))
        call_fail_field(call, ERROR_VALIDATION, "body", PROBLEM_EMPTY);
    const birth_row_t *child = row_or_404(call,
        db_query(call, &SQL_child_birth, bind_uuid(params->id), bind_uuid(call->principal.user)));
    if (in->measured_on < child->birth_date)
        call_fail_field(call, ERROR_VALIDATION, "measured_on", PROBLEM_TOO_EARLY);
    db_on_violation(call, "child_measurements_day_key", ERROR_CONFLICT);
    call_tag(call, TAG_CHILD, params->id);
    reply_row(call, db_query(call, &SQL_measurement_insert, bind_uuid(uuid_new()), bind_uuid(params->id),
        BIND(measurement_create, in, measured_on), BIND(measurement_create, in, height),
        BIND(measurement_create, in, weight), BIND(measurement_create, in, head_circumference)));
}
