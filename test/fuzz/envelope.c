/* fuzz: any bytes as what travels between our processes: requests, replies, their maps of strings, hints to and from the broker,
 * what brokers tell each other. Refused, or read to the end: packed again and read again it is the same. */
#include "base/panic.h"
#include "wire/envelope.h"
#include "wire/hint.h"
#include "wire/stale.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static arena_t *arena;

static void pair_seen(void *argument, text_t name, text_t value)
{
    text_t all = *(text_t *)argument;
    insist(name.length == 0 || (name.data >= all.data && name.data + name.length <= all.data + all.length));
    insist(value.length == 0 || (value.data >= all.data && value.data + value.length <= all.data + all.length));
}

static void pairs_one(text_t packed)
{
    pairs_walk(packed, pair_seen, &packed);
    text_t found = pairs_get(packed, TEXT("a"));
    insist(found.length == 0 || (found.data > packed.data && found.data + found.length <= packed.data + packed.length));
}

/* `size` bytes of a struct at `value`; false: it was refused, with a reason. */
static bool message_one(const message_t *message, text_t packed, void *value)
{
    problems_t problems = {.arena = arena};
    bool good = message_read(message, packed, SOURCE_PEER, value, &problems);
    insist(good == (problems.count == 0));
    return good;
}

static void again(const message_t *message, const void *value)
{
    buffer_t first = {0}, second = {0};
    void *read = arena_allocate(arena, message->size);
    message_pack(message, value, &first);
    insist(message_one(message, buffer_text(&first), read));
    message_pack(message, read, &second);
    insist(text_equal(buffer_text(&first), buffer_text(&second)));
    buffer_free(&first);
    buffer_free(&second);
}

static void stale_one(text_t packed)
{
    static stale_t stale, other;
    buffer_t first = {0}, second = {0};
    if (!stale_read(packed, &stale)) {
        return;
    }
    stale_pack(&stale, &first);
    insist(stale_read(buffer_text(&first), &other));
    stale_pack(&other, &second);
    insist(text_equal(buffer_text(&first), buffer_text(&second)));
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    text_t packed = {.data = (const char *)data, .length = size};
    request_t request;
    reply_t reply;
    hint_t hint;
    arena = arena_create(1 << 20, NULL, NULL);
    pairs_one(packed);
    if (message_one(&request_message, packed, &request)) {
        pairs_one(request.headers);
        pairs_one(request.params);
        again(&request_message, &request);
    }
    if (message_one(&reply_message, packed, &reply)) {
        pairs_one(reply.headers);
        again(&reply_message, &reply);
    }
    if (message_one(&hint_message, packed, &hint)) {
        stale_one(hint.payload);
        again(&hint_message, &hint);
    }
    stale_one(packed);
    arena_destroy(&arena);
    return 0;
}
