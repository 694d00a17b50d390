/* probe_answerer: in the place of admin; see probe.h. What it writes are addresses, one a call. */
#include "probe.h"

static statement_t add_label = {
    .name = "add_label", .sql = "INSERT INTO admin.access_addresses (id, address) VALUES ($1, $2)", .lane = LANE_WRITE};
static const statement_t *const statements[] = {&add_label};

static void add(call_t *call)
{
    const label_t *in = call->input;
    seen_t seen = {0};
    message_set(&seen, id, uuid_new());
    message_set(&seen, language, text_of(call->language == LANGUAGE_EN ? "en" : "ko"));
    if (!uuid_is_zero(call->principal.user))
        message_set(&seen, user, call->principal.user);
    db_query(call, &add_label, bind_uuid(seen.id), bind_bytes(in->label));
    reply_value(call, &seen);
}

static void told(call_t *call)
{
    const label_t *in = call->input;
    db_query(call, &add_label, bind_uuid(uuid_new()), bind_bytes(in->label));
    reply_nothing(call);
}

static void refuse(call_t *call)
{
    call_fail(call, ERROR_IN_USE);
}

/* An answer that no label has. */
static void wrong(call_t *call)
{
    written_t written = {0};
    message_set(&written, id, uuid_new());
    reply_value(call, &written);
}

static const endpoint_t endpoints[] = {
    {.operation = "probe.add", .internal = true, .handler = add, .roles = PARENT, .summary = "Write a label",
        .input = &label_message, .output = &seen_message, .writes = true},
    {.operation = "probe.told", .event = "probe.told", .handler = told, .summary = "Write a label", .input = &label_message,
        .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "probe.refuse", .internal = true, .handler = refuse, .summary = "Refuse", .shape = SHAPE_NOTHING},
    {.operation = "probe.wrong", .internal = true, .handler = wrong, .summary = "Answer another message", .output = &written_message},
};

const actor_t probe_answerer_actor = {.name = "admin",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = statements,
    .statement_count = ARRAY_SIZE(statements),
    .data_keys = "data_keys.admin"};
