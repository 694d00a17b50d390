/* stream: see the header. The group is made when Redis says that there is none: at the first use, and after it was emptied. */
#include "stream.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/memory.h"
#include <stdio.h>

enum { ANSWER_MILLISECONDS = 3000, /* beyond the time that a command may block */ STREAM_LENGTH_MAX = 100000, SAY_AGAIN_SECONDS = 10 };

static text_t number_text(char out[static 24], int64_t number)
{
    snprintf(out, 24, "%lld", (long long)number);
    return text_of(out);
}

static bool reply_is(const redis_reply_t *reply, int kind)
{
    return (int)reply->kind == kind;
}

static bool is_error(const redis_reply_t *reply, text_t code)
{
    return reply_is(reply, REPLY_ERROR) && text_starts_with(reply->text, code);
}

/* Whoever asks again and again would fill the log. */
static void refusal_log(text_t command, text_t answer)
{
    static int64_t said;
    text_t code = {0};
    int64_t now = clock_monotonic();
    text_split(&answer, ' ', &code);
    if (said != 0 && now - said < SAY_AGAIN_SECONDS * CLOCK_SECOND)
        return;
    said = now;
    log_event(LOG_ERROR, "redis_refused", LOG_T("command", command), LOG_T("code", code),
        LOG_S("next", "is it Redis 7, with memory left, and writable?"));
}

/* Sends it and gives whether the answer is of that kind. Other answers are ours or Redis' fault, and logged. */
static bool run(redis_t *redis, const text_t *arguments, int count, int64_t deadline, redis_reply_t *reply)
{
    if (redis_command(redis, arguments, count, deadline, reply) != REDIS_ANSWERED)
        return false;
    if (!reply_is(reply, REPLY_ERROR) || is_error(reply, TEXT("NOGROUP")) || is_error(reply, TEXT("BUSYGROUP")))
        return true;
    refusal_log(arguments[0], reply->text);
    redis_reply_free(reply);
    return false;
}

static bool group_make(redis_t *redis, const stream_t *stream, int64_t deadline)
{
    redis_reply_t reply;
    const text_t arguments[] = {
        TEXT("XGROUP"), TEXT("CREATE"), text_of(stream->key), text_of(stream->group), TEXT("0"), TEXT("MKSTREAM")};
    bool good = run(redis, arguments, ARRAY_SIZE(arguments), deadline, &reply);
    if (good)
        redis_reply_free(&reply);
    return good;
}

bool stream_add(redis_t *redis, const stream_t *stream, text_t id, int64_t deadline)
{
    char most[24];
    redis_reply_t reply;
    const text_t arguments[] = {TEXT("XADD"), text_of(stream->key), TEXT("MAXLEN"), TEXT("~"),
        number_text(most, STREAM_LENGTH_MAX), TEXT("*"), TEXT("id"), id};
    bool good = run(redis, arguments, ARRAY_SIZE(arguments), deadline, &reply);
    if (good)
        redis_reply_free(&reply);
    return good;
}

bool stream_length(redis_t *redis, const stream_t *stream, int64_t *length, int64_t deadline)
{
    redis_reply_t reply;
    const text_t arguments[] = {TEXT("XLEN"), text_of(stream->key)};
    if (!run(redis, arguments, ARRAY_SIZE(arguments), deadline, &reply))
        return false;
    *length = reply.integer;
    redis_reply_free(&reply);
    return true;
}

static bool text_keep(const redis_reply_t *reply, char *out, size_t size)
{
    if (!reply_is(reply, REPLY_TEXT) || reply->text.length == 0 || reply->text.length >= size)
        return false;
    memcpy(out, reply->text.data, reply->text.length);
    out[reply->text.length] = '\0';
    return true;
}

/* The first of [[entry, ["id", ID]], …]. One of another form (or deleted meanwhile) has an entry and no id: it is to be done away. */
static void entry_read(const redis_reply_t *entries, stream_item_t *out)
{
    *out = (stream_item_t){0};
    if (entries->count == 0 || entries->items[0].count != 2)
        return;
    const redis_reply_t *entry = &entries->items[0], *fields = &entry->items[1];
    if (!text_keep(&entry->items[0], out->entry, sizeof out->entry) || fields->count != 2 ||
        !text_keep(&fields->items[1], out->id, sizeof out->id))
        out->id[0] = '\0';
}

bool stream_take(redis_t *redis, const stream_t *stream, const char *consumer, int milliseconds, stream_item_t *out)
{
    char block[24];
    redis_reply_t reply;
    int64_t deadline = clock_monotonic() + (milliseconds + ANSWER_MILLISECONDS) * CLOCK_MILLISECOND;
    const text_t arguments[] = {TEXT("XREADGROUP"), TEXT("GROUP"), text_of(stream->group), text_of(consumer), TEXT("COUNT"),
        TEXT("1"), TEXT("BLOCK"), number_text(block, milliseconds), TEXT("STREAMS"), text_of(stream->key), TEXT(">")};
    *out = (stream_item_t){0};
    if (!run(redis, arguments, ARRAY_SIZE(arguments), deadline, &reply))
        return false;
    bool made = !is_error(&reply, TEXT("NOGROUP")) || group_make(redis, stream, deadline);
    if (reply.count == 1 && reply.items[0].count == 2) /* [[key, entries]] */
        entry_read(&reply.items[0].items[1], out);
    redis_reply_free(&reply);
    return made;
}

bool stream_take_over(
    redis_t *redis, const stream_t *stream, const char *consumer, int64_t idle, stream_item_t *out, int64_t deadline)
{
    char least[24];
    redis_reply_t reply;
    const text_t arguments[] = {TEXT("XAUTOCLAIM"), text_of(stream->key), text_of(stream->group), text_of(consumer),
        number_text(least, idle), TEXT("0-0"), TEXT("COUNT"), TEXT("1")};
    *out = (stream_item_t){0};
    if (!run(redis, arguments, ARRAY_SIZE(arguments), deadline, &reply))
        return false;
    if (reply.count >= 2) /* [cursor, entries, …] */
        entry_read(&reply.items[1], out);
    redis_reply_free(&reply);
    return true;
}

bool stream_done(redis_t *redis, const stream_t *stream, const stream_item_t *item, int64_t deadline)
{
    redis_reply_t reply;
    const text_t acknowledge[] = {TEXT("XACK"), text_of(stream->key), text_of(stream->group), text_of(item->entry)};
    const text_t delete[] = {TEXT("XDEL"), text_of(stream->key), text_of(item->entry)};
    if (!run(redis, acknowledge, ARRAY_SIZE(acknowledge), deadline, &reply))
        return false;
    redis_reply_free(&reply);
    if (!run(redis, delete, ARRAY_SIZE(delete), deadline, &reply))
        return false;
    redis_reply_free(&reply);
    return true;
}
