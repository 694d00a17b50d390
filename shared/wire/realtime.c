/* realtime: see the header. */
#include "realtime.h"
#include "../base/panic.h"

enum { PROBLEM_BYTES = 16 << 10 };

#define REALTIME_SAID(FIELD)                \
    FIELD(integer, version, .required = true) \
    FIELD(integer, kind, .required = true)    \
    FIELD(bytes, said, .required = true)
MESSAGE_POSITIONAL(realtime_said, REALTIME_SAID);

static void pack(enum realtime_kind kind, const message_t *message, const void *value, buffer_t *out)
{
    buffer_t inner = {0};
    realtime_said_t said = {0};
    message_pack(message, value, &inner);
    message_set(&said, version, REALTIME_VERSION);
    message_set(&said, kind, kind);
    message_set(&said, said, buffer_text(&inner));
    message_pack(&realtime_said_message, &said, out);
    buffer_free(&inner);
}

void realtime_pack_event(const realtime_event_t *event, buffer_t *out)
{
    pack(REALTIME_EVENT, &realtime_event_message, event, out);
}

void realtime_pack_end(const realtime_end_t *end, buffer_t *out)
{
    pack(REALTIME_END, &realtime_end_message, end, out);
}

void realtime_pack_call(const realtime_call_t *call, buffer_t *out)
{
    pack(REALTIME_CALL, &realtime_call_message, call, out);
}

void realtime_pack_home(uuid_t machine, uint64_t generation, bool ended, buffer_t *out)
{
    realtime_home_t home = {0};
    message_set(&home, version, REALTIME_VERSION);
    message_set(&home, machine, machine);
    message_set(&home, generation, (int64_t)generation);
    message_set(&home, ended, ended);
    message_pack(&realtime_home_message, &home, out);
}

static _Noreturn void on_arena_limit(void *argument)
{
    (void)argument;
    panic("the problems of one realtime message take more than %d bytes", PROBLEM_BYTES);
}

static bool read_one(const message_t *message, text_t packed, void *out)
{
    static arena_t *arena;
    problems_t problems;
    if (arena == NULL)
        arena = arena_create(PROBLEM_BYTES, on_arena_limit, NULL);
    problems.arena = arena;
    problems.count = 0;
    bool good = message_read(message, packed, SOURCE_PEER, out, &problems);
    arena_reset(arena);
    return good;
}

bool realtime_read(text_t payload, realtime_t *out)
{
    realtime_said_t said;
    if (!read_one(&realtime_said_message, payload, &said) || said.version != REALTIME_VERSION)
        return false;
    switch (said.kind) {
    case REALTIME_EVENT:
        out->kind = REALTIME_EVENT;
        return read_one(&realtime_event_message, said.said, &out->event) &&
               out->event.arguments.length <= REALTIME_ARGUMENTS_MOST;
    case REALTIME_END:
        out->kind = REALTIME_END;
        return read_one(&realtime_end_message, said.said, &out->end);
    case REALTIME_CALL:
        out->kind = REALTIME_CALL;
        return read_one(&realtime_call_message, said.said, &out->call) && out->call.act >= 0 && out->call.act < CALL_ACTS &&
               (!message_has(&out->call, data) || out->call.data.length <= REALTIME_ARGUMENTS_MOST);
    default:
        return false;
    }
}

bool realtime_read_home(text_t payload, realtime_home_t *out)
{
    return read_one(&realtime_home_message, payload, out) && out->version == REALTIME_VERSION;
}
