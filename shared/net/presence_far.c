/* presence_far: scripts, so that what they compare cannot change meanwhile. Times are milliseconds since 1970: those of beats by the
 * server's clock, those of users by their machine's. A field's value is "online announced seen announced_seen"; the field "-" has what
 * is left of tellers that are gone. */
#include "presence_far.h"
#include "../base/clock.h"
#include "../base/log.h"
#include <inttypes.h>
#include <stdio.h>

enum { TELL_MILLISECONDS = 1000, NUMBER_SIZE = 24 };

#define USER_KEY "aipoten:presence:user:"
/* Whose accounts were erased, by when that was said: as long as anybody could still tell of them. */
#define ERASED_KEY "aipoten:presence:erased"
static const text_t tellers_key = {.data = "aipoten:presence:tellers", .length = sizeof("aipoten:presence:tellers") - 1};

#define NOW \
    "local time = redis.call('TIME')\n" \
    "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"

/* beats[teller]: when it last did. gone(teller): it is no longer there. last(value, teller): its four numbers, ended with its teller. */
#define TELLERS NOW \
    "local beats, all = {}, redis.call('HGETALL', KEYS[1])\n" \
    "for i = 1, #all, 2 do beats[all[i]] = tonumber(string.match(all[i + 1], '^%d+')) end\n" \
    "local function gone(teller) return not beats[teller] or now - beats[teller] > tonumber(ARGV[1]) end\n" \
    "local function last(value, teller)\n" \
    "  local online, announced, seen, shown = string.match(value, '^(%d) (%d) (%d+) (%d+)$')\n" \
    "  if not online then return 0, 0, 0, 0 end\n" \
    "  online, announced, seen, shown = tonumber(online), tonumber(announced), tonumber(seen), tonumber(shown)\n" \
    "  if gone(teller) then\n" \
    "    local beat = beats[teller] or 0\n" \
    "    if online == 1 and beat > seen then seen = beat end\n" \
    "    if announced == 1 and beat > shown then shown = beat end\n" \
    "    online, announced = 0, 0\n" \
    "  end\n" \
    "  return online, announced, seen, shown\n" \
    "end\n"

/* ARGV: teller, milliseconds to keep, since when it wants to hear of the erased, how many. A server that was started anew may have an older
 * state. */
static const char beat_script[] = NOW
    "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')\n"
    "local before = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now, run))\n"
    "local all = redis.call('HGETALL', KEYS[1])\n"
    "for i = 1, #all, 2 do\n"
    "  if now - tonumber(string.match(all[i + 1], '^%d+')) > tonumber(ARGV[2]) then redis.call('HDEL', KEYS[1], all[i]) end\n"
    "end\n"
    "redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"
    "local known = before and string.match(before, ' (%w+)$') == run and 1 or 0\n"
    "local erased = redis.call('ZRANGEBYSCORE', '" ERASED_KEY "', ARGV[3], '+inf', 'LIMIT', 0, ARGV[4])\n"
    "local until_ = string.format('%.0f', now)\n"
    "if #erased == tonumber(ARGV[4]) then until_ = redis.call('ZSCORE', '" ERASED_KEY "', erased[#erased]) end\n"
    "return {known, until_, unpack(erased)}\n";

/* KEYS: the user's, the erased. ARGV: the user, milliseconds to keep. */
static const char forget_script[] = NOW
    "redis.call('DEL', KEYS[1])\n"
    "redis.call('ZADD', KEYS[2], now, ARGV[1])\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[2])\n"
    "redis.call('PEXPIRE', KEYS[2], ARGV[2])\n"
    "return 1\n";

/* ARGV: the lease, teller, milliseconds to keep, lines: user and value. Who is not online is kept from when they last were, however often
 * and late that is told; what another machine told may keep them longer. */
static const char tell_script[] = TELLERS
    "for user, value in string.gmatch(ARGV[4], '(%S+) ([^\\n]+)\\n') do\n"
    "  local key = '" USER_KEY "' .. user\n"
    "  local fields, seen, shown, dead = redis.call('HGETALL', key), 0, 0, {}\n"
    "  for i = 1, #fields, 2 do\n"
    "    if fields[i] ~= ARGV[2] and gone(fields[i]) then\n"
    "      local _, _, its_seen, its_shown = last(fields[i + 1], fields[i])\n"
    "      seen, shown = math.max(seen, its_seen), math.max(shown, its_shown)\n"
    "      if fields[i] ~= '-' then dead[#dead + 1] = fields[i] end\n"
    "    end\n"
    "  end\n"
    "  if #dead > 0 then\n"
    "    redis.call('HDEL', key, unpack(dead))\n"
    "    redis.call('HSET', key, '-', string.format('0 0 %.0f %.0f', seen, shown))\n"
    "  end\n"
    "  local online, last_seen = string.match(value, '^(%d) %d (%d+)')\n"
    "  local left = ARGV[3] - (online == '1' and 0 or math.max(0, now - last_seen))\n"
    "  if redis.call('ZSCORE', '" ERASED_KEY "', user) then left = 0 end\n"
    "  if left > 0 then redis.call('HSET', key, ARGV[2], value) else redis.call('HDEL', key, ARGV[2]) end\n"
    "  if left > 0 and left > redis.call('PTTL', key) then redis.call('PEXPIRE', key, string.format('%.0f', left)) end\n"
    "end\n"
    "return 1\n";

/* KEYS[2]: the user's. ARGV: the lease. */
static const char ask_script[] = TELLERS
    "local fields, online, announced, seen, shown = redis.call('HGETALL', KEYS[2]), 0, 0, 0, 0\n"
    "for i = 1, #fields, 2 do\n"
    "  local o, a, s, t = last(fields[i + 1], fields[i])\n"
    "  online, announced, seen, shown = math.max(online, o), math.max(announced, a), math.max(seen, s), math.max(shown, t)\n"
    "end\n"
    "return {online, announced, string.format('%.0f', seen), string.format('%.0f', shown)}\n";

static const char *number(int64_t value, char out[static NUMBER_SIZE])
{
    snprintf(out, NUMBER_SIZE, "%" PRId64, value);
    return out;
}

static void refused_tell(const redis_reply_t *reply)
{
    static bool said;
    if (!said && reply->kind == REPLY_ERROR)
        log_event(LOG_WARNING, "presence_refused", LOG_T("reason", reply->text),
            LOG_S("next", "Redis 5 or later, and EVAL and INFO allowed for redis.url's user; until then each machine knows of itself"));
    said = said || reply->kind == REPLY_ERROR;
}

static bool run(redis_t *redis, const text_t *arguments, int count, int64_t deadline, redis_reply_t *reply)
{
    if (redis_command(redis, arguments, count, deadline, reply) != REDIS_ANSWERED)
        return false;
    refused_tell(reply);
    return true;
}

/* {known, until, user…} */
static bool heard_read(const redis_reply_t *reply, presence_heard_t *out)
{
    *out = (presence_heard_t){.known = false};
    if (reply->kind != REPLY_LIST || reply->count < 2 || reply->count > 2 + PRESENCE_ERASED_MOST ||
        reply->items[0].kind != REPLY_INTEGER || reply->items[1].kind != REPLY_TEXT || !text_to_int(reply->items[1].text, &out->until))
        return false;
    out->known = reply->items[0].integer == 1;
    for (size_t i = 2; i < reply->count; i++)
        if (reply->items[i].kind == REPLY_TEXT && uuid_parse(reply->items[i].text, &out->erased[out->erased_count]) == 0)
            out->erased_count++;
    return true;
}

bool presence_far_beat(const presence_far_t *far, int64_t since, presence_heard_t *out)
{
    redis_reply_t reply = {0};
    char keep[NUMBER_SIZE], from[NUMBER_SIZE], most[NUMBER_SIZE];
    text_t arguments[] = {TEXT("EVAL"), {beat_script, sizeof(beat_script) - 1}, TEXT("1"), tellers_key, text_of(far->teller),
        text_of(number(far->config->realtime.presence_keep, keep)), text_of(number(since, from)),
        text_of(number(PRESENCE_ERASED_MOST, most))};
    bool good = run(far->redis, arguments, ARRAY_SIZE(arguments), clock_monotonic() + TELL_MILLISECONDS * CLOCK_MILLISECOND, &reply) &&
                heard_read(&reply, out);
    redis_reply_free(&reply);
    return good;
}

bool presence_far_forget(redis_t *redis, const config_t *config, uuid_t user, int64_t deadline)
{
    redis_reply_t reply = {0};
    char key[sizeof(USER_KEY) + UUID_TEXT_SIZE] = USER_KEY, keep[NUMBER_SIZE];
    uuid_format(user, key + sizeof(USER_KEY) - 1);
    text_t arguments[] = {TEXT("EVAL"), {forget_script, sizeof(forget_script) - 1}, TEXT("2"), text_of(key), TEXT(ERASED_KEY),
        text_of(key + sizeof(USER_KEY) - 1), text_of(number(config->realtime.presence_keep, keep))};
    bool good = run(redis, arguments, ARRAY_SIZE(arguments), deadline, &reply) && reply.kind == REPLY_INTEGER;
    redis_reply_free(&reply);
    return good;
}

void presence_far_add(buffer_t *lines, uuid_t user, const presence_t *presence)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(user, id);
    buffer_format(lines, "%s %d %d %" PRId64 " %" PRId64 "\n", id, presence->online, presence->announced,
        presence->seen / CLOCK_MILLISECOND, presence->announced_seen / CLOCK_MILLISECOND);
}

bool presence_far_tell(const presence_far_t *far, text_t lines)
{
    redis_reply_t reply = {0};
    char lease[NUMBER_SIZE], keep[NUMBER_SIZE];
    text_t arguments[] = {TEXT("EVAL"), {tell_script, sizeof(tell_script) - 1}, TEXT("1"), tellers_key,
        text_of(number(far->config->realtime.presence_lease, lease)), text_of(far->teller),
        text_of(number(far->config->realtime.presence_keep, keep)), lines};
    bool good = run(far->redis, arguments, ARRAY_SIZE(arguments), clock_monotonic() + TELL_MILLISECONDS * CLOCK_MILLISECOND, &reply) &&
                reply.kind == REPLY_INTEGER;
    redis_reply_free(&reply);
    return good;
}

static bool answer_read(const redis_reply_t *reply, presence_t *out)
{
    int64_t seen, announced_seen;
    if (reply->kind != REPLY_LIST || reply->count != 4 || reply->items[0].kind != REPLY_INTEGER ||
        reply->items[1].kind != REPLY_INTEGER || reply->items[2].kind != REPLY_TEXT || reply->items[3].kind != REPLY_TEXT ||
        !text_to_int(reply->items[2].text, &seen) || !text_to_int(reply->items[3].text, &announced_seen) ||
        seen > INT64_MAX / CLOCK_MILLISECOND || announced_seen > INT64_MAX / CLOCK_MILLISECOND)
        return false;
    *out = (presence_t){.online = reply->items[0].integer == 1,
        .announced = reply->items[1].integer == 1,
        .seen = seen * CLOCK_MILLISECOND,
        .announced_seen = announced_seen * CLOCK_MILLISECOND};
    return true;
}

bool presence_far_ask(redis_t *redis, const config_t *config, uuid_t user, int64_t deadline, presence_t *out)
{
    redis_reply_t reply = {0};
    char key[sizeof(USER_KEY) + UUID_TEXT_SIZE] = USER_KEY, lease[NUMBER_SIZE];
    uuid_format(user, key + sizeof(USER_KEY) - 1);
    text_t arguments[] = {TEXT("EVAL"), {ask_script, sizeof(ask_script) - 1}, TEXT("2"), tellers_key, text_of(key),
        text_of(number(config->realtime.presence_lease, lease))};
    bool good = run(redis, arguments, ARRAY_SIZE(arguments), deadline, &reply) && answer_read(&reply, out);
    redis_reply_free(&reply);
    return good;
}
