/* admin_questions: the questions as administrators see and change them. A version never changes: PATCH writes the next one under an id
 * of its own and retires the one before, DELETE retires; so an attempt keeps what it began with. Only the newest version of a
 * question can be live, and only a live one can be changed. */
#include "assessments.h"
#include "../../shared/actor/page.h"
#include "../../shared/base/config.h"

_Static_assert(offsetof(question_change_t, retired_at) == offsetof(question_record_t, retired_at), "a change begins with its row");

static const uuid_t everywhere; /* TAG_QUESTIONS has no id */

/* --- looking ------------------------------------------------------------------------------------------------------ */

static const question_scale_t *scale_shown(call_t *call, const question_record_t *record)
{
    question_scale_t *scale = arena_allocate(call->arena, sizeof(*scale));
    *scale = (question_scale_t){0};
    message_set(scale, min, record->scale_min);
    message_set(scale, max, record->scale_max);
    if (message_has(record, scale_labels))
        message_set(scale, labels, record->scale_labels);
    return scale;
}

static admin_question_t question_shown(call_t *call, const question_record_t *record)
{
    admin_question_t shown = {0};
    message_set(&shown, id, record->id);
    message_set(&shown, lineage, record->lineage);
    message_set(&shown, version, record->version);
    message_set(&shown, category, record->category);
    message_set(&shown, age_range_start, record->age_range_start);
    message_set(&shown, age_range_end, record->age_range_end);
    message_set(&shown, question_text, record->question_text);
    message_set(&shown, answer_type, record->answer_type);
    message_set(&shown, weight, record->weight);
    message_set(&shown, reverse, record->reverse);
    message_set(&shown, is_critical, record->is_critical);
    message_set(&shown, order_index, record->order_index);
    message_set(&shown, created_at, record->created_at);
    if (message_has(record, scale_min))
        message_set(&shown, scale, scale_shown(call, record));
    if (message_has(record, options_json))
        message_set(&shown, options, record->options_json);
    if (message_has(record, retired_at))
        message_set(&shown, retired_at, record->retired_at);
    return shown;
}

static void question_reply(call_t *call, const rows_t *rows)
{
    admin_question_t shown = question_shown(call, row_or_404(call, rows));
    reply_value(call, &shown);
}

#define WANTED(params)                                                                                             \
    BIND(admin_questions_params, params, category), BIND(admin_questions_params, params, age),                     \
        BIND(admin_questions_params, params, answer_type), BIND(admin_questions_params, params, retired),          \
        BIND(admin_questions_params, params, lineage)

/* A cursor is the id of the row that the page before ended with. */
static param_t cursor_bind(call_t *call, text_t cursor)
{
    uuid_t id;
    if (!cursor.data)
        return bind_null();
    if (uuid_parse(cursor, &id) != 0)
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    return bind_uuid(id);
}

static text_t cursor_of(call_t *call, uuid_t id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    return arena_copy(call->arena, text_of(text));
}

void admin_question_list(call_t *call)
{
    const admin_questions_params_t *params = call->params;
    window_t window = window_of(params->page, params->limit, params->cursor);
    const rows_t *rows = db_query(call, &SQL_admin_questions_page, WANTED(params), cursor_bind(call, window.cursor),
        bind_integer(window.fetch), bind_integer(window.offset));
    size_t shown = window_shown(&window, rows);
    admin_question_t *questions = arena_allocate(call->arena, (shown + 1) * sizeof(*questions));
    for (size_t i = 0; i < shown; i++)
        questions[i] = question_shown(call, row_at(call, rows, (int)i));
    int64_t total = window_total(&window, rows);
    if (window_needs_count(&window, rows))
        total = ((const total_row_t *)row_first(call, db_query(call, &SQL_admin_questions_count, WANTED(params))))->total;
    text_t next = shown > 0 ? cursor_of(call, questions[shown - 1].id) : (text_t){0};
    page_t page = window_page(&window, rows, total, next);
    reply_values(call, questions, shown, &page);
}

void admin_question_get(call_t *call)
{
    const id_params_t *params = call->params;
    question_reply(call, db_query(call, &SQL_admin_question_get, bind_uuid(params->id)));
}

/* --- what is wrong with it ---------------------------------------------------------------------------------------- */

static void scale_check(const admin_scale_t *scale, problems_t *problems)
{
    if (scale->max <= scale->min) {
        problem_add(problems, TEXT("scale.max"), PROBLEM_TOO_SMALL, NULL, scale->min + 1);
        return;
    }
    size_t steps = (size_t)(scale->max - scale->min + 1);
    if (message_has(scale, labels) && scale->labels.count != steps)
        problem_add(problems, TEXT("scale.labels"), scale->labels.count < steps ? PROBLEM_TOO_SHORT : PROBLEM_TOO_LONG, NULL,
            (int64_t)steps);
}

/* Keys are what answers say, and of two equal labels nobody knows which to choose. */
static void options_check(const list_t *options, problems_t *problems)
{
    const admin_option_t *items = options->items;
    int64_t most = 0;
    for (size_t i = 0; i < options->count; i++) {
        most = items[i].score > most ? items[i].score : most;
        for (size_t k = 0; k < i; k++) {
            if (text_equal(items[i].key, items[k].key))
                problem_add(problems, arena_format(problems->arena, "options.%zu.key", i), PROBLEM_DUPLICATE, NULL, 0);
            if (text_equal(items[i].label, items[k].label))
                problem_add(problems, arena_format(problems->arena, "options.%zu.label", i), PROBLEM_DUPLICATE, NULL, 0);
        }
    }
    if (most == 0)
        problem_add(problems, arena_format(problems->arena, "options.%zu.score", options->count - 1), PROBLEM_TOO_SMALL,
            &admin_option_message.fields[MESSAGE_INDEX(items, score)], 1);
}

/* What one field alone does not tell; all that is wrong is named at once. */
static void change_check(call_t *call, const question_change_t *change)
{
    problems_t *problems = arena_allocate(call->arena, sizeof(*problems));
    problems->arena = call->arena;
    if (change->age_range_end < change->age_range_start)
        problem_add(problems, TEXT("age_range_end"), PROBLEM_TOO_SMALL, NULL, change->age_range_start);
    if (message_has(change, scale) && change->answer_type == ANSWER_SCALE)
        scale_check(change->scale, problems);
    else if (message_has(change, scale))
        problem_add(problems, TEXT("scale"), PROBLEM_UNKNOWN, NULL, 0);
    if (message_has(change, options) && change->answer_type == ANSWER_MULTIPLE_CHOICE)
        options_check(&change->options, problems);
    else if (message_has(change, options))
        problem_add(problems, TEXT("options"), PROBLEM_UNKNOWN, NULL, 0);
    else if (change->answer_type == ANSWER_MULTIPLE_CHOICE && !message_has(change, options_json))
        problem_add(problems, TEXT("options"), PROBLEM_REQUIRED, NULL, 0);
    if (problems->count > 0)
        call_fail_problems(call, ERROR_VALIDATION, problems);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static text_t taken(call_t *call, buffer_t *json)
{
    text_t copy = arena_copy(call->arena, buffer_text(json));
    buffer_free(json);
    return copy;
}

/* A list of structs as JSON. */
static text_t list_json(call_t *call, const message_t *message, const list_t *list)
{
    buffer_t json = {0};
    buffer_add_char(&json, '[');
    for (size_t i = 0; i < list->count; i++) {
        buffer_add_string(&json, i ? "," : "");
        if (message->bare)
            message_json_string(&json, ((const admin_label_t *)list->items)[i].label);
        else
            message_json(message, (const char *)list->items + i * message->size, &json);
    }
    buffer_add_char(&json, ']');
    return taken(call, &json);
}

enum { SCALE_FIRST = 0, SCALE_LAST = 3 }; /* product.md, section 4 */

/* The steps of the scale: those given, those of the version before, or the usual ones; of another type none. */
static void scale_settle(call_t *call, question_change_t *change)
{
    bool is_scale = change->answer_type == ANSWER_SCALE, usual = message_is_null(change, scale) || !message_has(change, scale_min);
    const admin_scale_t *given = is_scale && message_has(change, scale) ? change->scale : NULL;
    if (is_scale && !given && !usual)
        return;
    message_set_null(change, scale_min);
    message_set_null(change, scale_max);
    message_set_null(change, scale_labels);
    if (!is_scale)
        return;
    message_set(change, scale_min, given ? given->min : SCALE_FIRST);
    message_set(change, scale_max, given ? given->max : SCALE_LAST);
    if (given && message_has(given, labels))
        message_set(change, scale_labels, list_json(call, &admin_label_message, &given->labels));
}

static void options_settle(call_t *call, question_change_t *change)
{
    if (change->answer_type != ANSWER_MULTIPLE_CHOICE)
        message_set_null(change, options_json);
    else if (message_has(change, options))
        message_set(change, options_json, list_json(call, &admin_option_message, &change->options));
}

/* Nobody answers more; attempts and answers are bounded by it. */
static void most_check(call_t *call, const question_change_t *change)
{
    const rows_t *rows = db_query(call, &SQL_questions_most, bind_integer(change->age_range_start),
        bind_integer(change->age_range_end));
    if (((const total_row_t *)row_first(call, rows))->total > call_config(call)->assessments.max_questions)
        call_fail(call, ERROR_CONFLICT);
}

static void version_write(call_t *call, question_change_t *change)
{
    change_check(call, change);
    scale_settle(call, change);
    options_settle(call, change);
    call_tag(call, TAG_QUESTIONS, everywhere);
    const rows_t *written = db_query(call, &SQL_question_insert, bind_uuid(change->id), bind_uuid(change->lineage),
        bind_integer(change->version), BIND(question_change, change, category),
        BIND(question_change, change, age_range_start), BIND(question_change, change, age_range_end),
        BIND(question_change, change, question_text), BIND(question_change, change, answer_type),
        BIND(question_change, change, weight), BIND(question_change, change, reverse),
        BIND(question_change, change, is_critical), BIND(question_change, change, order_index),
        BIND(question_change, change, scale_min), BIND(question_change, change, scale_max),
        BIND(question_change, change, scale_labels), BIND(question_change, change, options_json));
    most_check(call, change);
    question_reply(call, written);
}

void admin_question_create(call_t *call)
{
    question_change_t change = {0};
    message_set(&change, id, uuid_new());
    message_set(&change, lineage, change.id);
    message_set(&change, version, 1);
    message_set(&change, weight, WEIGHT_WHOLE);
    message_set(&change, reverse, false);
    message_set(&change, is_critical, false);
    message_set(&change, order_index, 0);
    message_merge(&question_create_message, call->input, &question_change_message, &change);
    version_write(call, &change);
}

/* The live version of this id, locked; 404 when there is none of it, 409 when another one took its place. */
static const question_record_t *live_lock(call_t *call, uuid_t id)
{
    const question_record_t *record = row_or_404(call, db_query(call, &SQL_question_lock, bind_uuid(id)));
    if (message_has(record, retired_at))
        call_fail(call, ERROR_INVALID_STATE);
    return record;
}

void admin_question_update(call_t *call)
{
    const id_params_t *params = call->params;
    const question_patch_t *patch = call->input;
    if ((patch->head.given | patch->head.null) == 0)
        call_fail_field(call, ERROR_VALIDATION, "body", PROBLEM_EMPTY);
    question_change_t change = {0};
    memcpy(&change, live_lock(call, params->id), sizeof(question_record_t));
    message_merge(&question_patch_message, patch, &question_change_message, &change);
    db_send(call, &SQL_question_retire, bind_uuid(params->id));
    message_set(&change, id, uuid_new());
    message_set(&change, version, change.version + 1);
    version_write(call, &change);
}

void admin_question_retire(call_t *call)
{
    const id_params_t *params = call->params;
    live_lock(call, params->id);
    call_tag(call, TAG_QUESTIONS, everywhere);
    db_send(call, &SQL_question_retire, bind_uuid(params->id));
    reply_nothing(call);
}
