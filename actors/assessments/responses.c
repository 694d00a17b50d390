/* responses: answers are put, one or several at a time; another answer to the same question takes the place of the one before, so that
 * several devices can go on with an attempt (product.md, section 4). All of a request are put, or none. */
#include "assessments.h"

typedef struct {
    const response_put_t *items;
    size_t count;
    bool single; /* the body is the answer itself */
} given_t;

/* --- what was sent ------------------------------------------------------------------------------------------------ */

static problems_t *problems_new(call_t *call)
{
    problems_t *problems = arena_allocate(call->arena, sizeof(*problems));
    problems->arena = call->arena;
    problems->count = 0;
    return problems;
}

/* "responses.3.response", or "response" where there is one answer only. */
static void problem_of(problems_t *problems, const given_t *given, size_t index, const char *member, enum problem_kind kind,
    const field_t *of, int64_t bound)
{
    text_t field =
        given->single ? text_of(member) : arena_format(problems->arena, "responses.%zu.%s", index, member);
    problem_add(problems, field, kind, of, bound);
}

static given_t single_of(call_t *call, const responses_put_t *in, problems_t *problems)
{
    response_put_t *item = arena_allocate(call->arena, sizeof(*item));
    *item = (response_put_t){0};
    message_set(item, question_id, in->question_id);
    message_set(item, response, in->response);
    if (!message_has(in, question_id))
        problem_add(problems, TEXT("question_id"), PROBLEM_REQUIRED, NULL, 0);
    if (!message_has(in, response))
        problem_add(problems, TEXT("response"), PROBLEM_REQUIRED, NULL, 0);
    return (given_t){.items = item, .count = 1, .single = true};
}

static void duplicates_find(const given_t *given, problems_t *problems)
{
    for (size_t i = 1; i < given->count; i++)
        for (size_t k = 0; k < i; k++)
            if (uuid_equal(given->items[k].question_id, given->items[i].question_id)) {
                problem_of(problems, given, i, "question_id", PROBLEM_DUPLICATE, NULL, 0);
                break;
            }
}

/* Either form; both together, or neither, is refused. */
static given_t given_of(call_t *call, const responses_put_t *in)
{
    problems_t *problems = problems_new(call);
    given_t given = {.items = in->responses.items, .count = in->responses.count};
    if (!message_has(in, responses))
        given = single_of(call, in, problems);
    else if (message_has(in, question_id) || message_has(in, response))
        problem_add(problems, message_has(in, question_id) ? TEXT("question_id") : TEXT("response"), PROBLEM_UNKNOWN, NULL, 0);
    duplicates_find(&given, problems);
    if (problems->count > 0)
        call_fail_problems(call, ERROR_VALIDATION, problems);
    return given;
}

/* --- does an answer fit its question? ----------------------------------------------------------------------------- */

static const field_t boolean_field = {.type = FIELD_boolean}, integer_field = {.type = FIELD_integer},
                     text_field = {.type = FIELD_text};

static void yes_no_check(problems_t *problems, const given_t *given, size_t index, const rule_row_t *rule)
{
    (void)rule;
    text_t response = given->items[index].response;
    if (!text_equal(response, TEXT("true")) && !text_equal(response, TEXT("false")))
        problem_of(problems, given, index, "response", PROBLEM_TYPE, &boolean_field, 0);
}

static void scale_check(problems_t *problems, const given_t *given, size_t index, const rule_row_t *rule)
{
    int64_t step;
    if (!text_to_int(given->items[index].response, &step))
        problem_of(problems, given, index, "response", PROBLEM_TYPE, &integer_field, 0);
    else if (step < rule->scale_min)
        problem_of(problems, given, index, "response", PROBLEM_TOO_SMALL, &integer_field, rule->scale_min);
    else if (step > rule->scale_max)
        problem_of(problems, given, index, "response", PROBLEM_TOO_LARGE, &integer_field, rule->scale_max);
}

static void choice_check(problems_t *problems, const given_t *given, size_t index, const rule_row_t *rule)
{
    text_t response = given->items[index].response, keys = rule->option_keys, key;
    if (response.data[0] != '"') {
        problem_of(problems, given, index, "response", PROBLEM_TYPE, &text_field, 0);
        return;
    }
    text_t chosen = {response.data + 1, response.length - 2}; /* keys have nothing that JSON escapes */
    while (text_split(&keys, ' ', &key))
        if (text_equal(key, chosen))
            return;
    problem_of(problems, given, index, "response", PROBLEM_CHOICE, NULL, 0);
}

static void answers_check(call_t *call, const given_t *given, const rows_t *rules)
{
    static void (*const checks[])(problems_t *, const given_t *, size_t, const rule_row_t *) = {
        [ANSWER_YES_NO] = yes_no_check, [ANSWER_SCALE] = scale_check, [ANSWER_MULTIPLE_CHOICE] = choice_check};
    problems_t *problems = problems_new(call);
    for (size_t i = 0; i < given->count; i++) {
        const rule_row_t *rule = row_at(call, rules, (int)i);
        if (message_has(rule, answer_type))
            checks[rule->answer_type](problems, given, i, rule);
        else
            problem_of(problems, given, i, "question_id", PROBLEM_CHOICE, NULL, 0);
    }
    if (problems->count > 0)
        call_fail_problems(call, ERROR_VALIDATION, problems);
}

/* --- putting them ------------------------------------------------------------------------------------------------- */

/* The ids as a JSON array; or the answers, each with an id for its row. */
static param_t json_of(call_t *call, const given_t *given, bool answers)
{
    static buffer_t json; /* reused: nothing here suspends */
    char question[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    json.length = 0;
    for (size_t i = 0; i < given->count; i++) {
        uuid_format(given->items[i].question_id, question);
        buffer_add_char(&json, i == 0 ? '[' : ',');
        if (!answers) {
            buffer_format(&json, "\"%s\"", question);
            continue;
        }
        uuid_format(uuid_new(), id);
        buffer_format(&json, "{\"id\":\"%s\",\"question_id\":\"%s\",\"response\":", id, question);
        buffer_add_text(&json, given->items[i].response);
        buffer_add_char(&json, '}');
    }
    buffer_add_char(&json, ']');
    return bind_text(arena_copy(call->arena, buffer_text(&json)));
}

static void progress_reply(call_t *call, uuid_t attempt, const rows_t *rows)
{
    size_t count = (size_t)rows->count;
    category_progress_t *categories = arena_allocate(call->arena, count * sizeof(*categories));
    int64_t answered = 0, asked = 0;
    for (size_t i = 0; i < count; i++) {
        categories[i] = *(const category_progress_t *)row_at(call, rows, (int)i);
        answered += categories[i].answered;
        asked += categories[i].asked;
    }
    responses_answer_t answer = {0};
    message_set(&answer, assessment_id, attempt);
    message_set(&answer, answered, answered);
    message_set(&answer, asked, asked);
    message_set(&answer, categories, (list_t){.items = categories, .count = count});
    reply_value(call, &answer);
}

void responses_put(call_t *call)
{
    const id_params_t *params = call->params;
    given_t given = given_of(call, call->input);
    param_t attempt = bind_uuid(params->id), user = bind_uuid(call->principal.user);
    const rows_t *rules = db_query(call, &SQL_response_rules, attempt, user, json_of(call, &given, false));
    const rule_row_t *first = row_or_404(call, rules);
    uuid_t child = first->child_id;
    if (first->status != ATTEMPT_IN_PROGRESS)
        call_fail(call, ERROR_INVALID_STATE);
    answers_check(call, &given, rules);
    const rows_t *progress = db_query(call, &SQL_responses_put, attempt, user, json_of(call, &given, true));
    if (progress->count == 0)
        call_fail(call, ERROR_INVALID_STATE);
    call_tag(call, TAG_ATTEMPTS, child);
    progress_reply(call, params->id, progress);
}
