/* probe_asker: in the place of children; see probe.h. What it writes are children, one a call, after the other has written. */
#include "probe.h"

static statement_t add_child = {.name = "add_child",
    .sql = "INSERT INTO children.children (id, user_id, name, birth_date, gender) VALUES ($1, $2, $3, '2024-01-15', 'female')",
    .lane = LANE_WRITE};
static statement_t touch = {.name = "touch", .sql = "UPDATE children.children SET name = name WHERE false", .lane = LANE_WRITE};
static const statement_t *const statements[] = {&add_child, &touch};

static void child_add(call_t *call)
{
    const label_t *in = call->input;
    db_query(call, &add_child, bind_uuid(uuid_new()), bind_uuid(call->principal.user), bind_text(in->label));
}

static void ask(call_t *call)
{
    const seen_t *seen = actor_call_or_fail(call, "admin", "probe.add", &label_message, call->input, &seen_message);
    child_add(call);
    reply_value(call, seen);
}

/* Two steps are two calls. */
static void ask_twice(call_t *call)
{
    const seen_t *first = actor_call_or_fail(call, "admin", "probe.add", &label_message, call->input, &seen_message);
    const seen_t *second = actor_call_or_fail(call, "admin", "probe.add", &label_message, call->input, &seen_message);
    child_add(call);
    reply_value(call, uuid_equal(first->id, second->id) ? first : second);
}

static void pass_refusal(call_t *call)
{
    actor_call_or_fail(call, "admin", "probe.refuse", NULL, NULL, NULL);
    reply_nothing(call);
}

static void look_at_refusal(call_t *call)
{
    answer_t answer = actor_call(call, "admin", "probe.refuse", NULL, NULL, NULL);
    if (answer.error == ERROR_IN_USE && answer.value == NULL && !answer.doubtful)
        reply_nothing(call);
    else
        call_fail(call, ERROR_INTERNAL);
}

static void ask_wrong(call_t *call)
{
    actor_call_or_fail(call, "admin", "probe.wrong", NULL, NULL, &label_message);
    reply_nothing(call);
}

static void ask_in_transaction(call_t *call)
{
    db_query(call, &touch);
    actor_call(call, "admin", "probe.refuse", NULL, NULL, NULL);
    reply_nothing(call);
}

/* The other hears of it before the client does. */
static void tell(call_t *call)
{
    child_add(call);
    event_emit_direct(call, "probe.told", call->principal.user, &label_message, call->input);
    reply_nothing(call);
}

#define ROW(NAME, FUNCTION, ...)                                                                                   \
    {.operation = "asker." NAME, .method = "POST", .path = "/api/v1/asker/" NAME, .handler = (FUNCTION), .roles = MEMBER,       \
        .summary = "Ask", .input = &label_message, .writes = true, __VA_ARGS__}

static const endpoint_t endpoints[] = {
    ROW("ask", ask, .output = &seen_message),
    ROW("twice", ask_twice, .output = &seen_message),
    ROW("refused", pass_refusal, .shape = SHAPE_NOTHING),
    ROW("look", look_at_refusal, .shape = SHAPE_NOTHING),
    ROW("wrong", ask_wrong, .shape = SHAPE_NOTHING),
    ROW("transaction", ask_in_transaction, .shape = SHAPE_NOTHING),
    ROW("tell", tell, .shape = SHAPE_NOTHING),
};

const actor_t probe_asker_actor = {.name = "children",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = statements,
    .statement_count = ARRAY_SIZE(statements),
    .data_keys = "data_keys.children"};
