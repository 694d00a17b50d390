/* second_level: see the header. Everything that talks to Redis is a script there, so that what it compares cannot change meanwhile. What
 * need not be waited for lies in two queues (words that changed, answers to store), which one coroutine at a time carries to Redis:
 * words first. Words are never dropped: too many become the owner's one word; answers are. */
#include "second_level.h"
#include "../base/clock.h"
#include "../base/coroutine.h"
#include "../base/log.h"
#include "../base/panic.h"
#include "../crypto/hash.h"
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FORMAT = 1,
    WORDS_MOST = 8192,  /* bytes of words that wait */
    STORES_MOST = 16,   /* answers that wait */
    WORDS_IN_SCRIPT = 12, /* REDIS_ARGUMENTS_MAX, less what stands before them */
    TELL_MILLISECONDS = 1000,
    RETRY_MILLISECONDS = 100,
    KEY_SIZE = 96,
};

/* Clocks of machines agree at least so far, or answers of others are trusted too early after a change here. */
#define CLOCKS_AGREE (2 * CLOCK_SECOND)

/* KEYS[1]: the hash of numbers. It begins anew when this server did not make it, or when it has grown too large. */
#define STATE \
    "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')\n" \
    "local state = redis.call('HMGET', KEYS[1], 'run', 'sequence', 'born')\n" \
    "if state[1] ~= run or redis.call('HLEN', KEYS[1]) > 200000 then\n" \
    "  local time = redis.call('TIME')\n" \
    "  local number = time[1] * 1000000 + time[2]\n" \
    "  if state[2] and tonumber(state[2]) >= number then number = tonumber(state[2]) + 1 end\n" \
    "  number = string.format('%.0f', number)\n" \
    "  redis.call('DEL', KEYS[1])\n" \
    "  redis.call('HSET', KEYS[1], 'run', run, 'sequence', number, 'born', number)\n" \
    "  state = {run, number, number}\n" \
    "end\n" \
    "local function good(stamp, words)\n" \
    "  if tonumber(stamp) < tonumber(state[3]) then return false end\n" \
    "  for word in string.gmatch(words, '%S+') do\n" \
    "    local number = redis.call('HGET', KEYS[1], 'tag ' .. word)\n" \
    "    if number and tonumber(number) > tonumber(stamp) then return false end\n" \
    "  end\n" \
    "  return true\n" \
    "end\n"

/* KEYS[2]: the answer's. */
static const char fetch_script[] = STATE
    "local answer = redis.call('HMGET', KEYS[2], 'stamp', 'words', 'value')\n"
    "if answer[3] and good(answer[1], answer[2]) then return {state[2], answer[2], answer[3]} end\n"
    "return {state[2]}\n";

/* ARGV: stamp, words, value, milliseconds to live. */
static const char store_script[] = STATE
    "if not good(ARGV[1], ARGV[2]) then return 0 end\n"
    "redis.call('HSET', KEYS[2], 'stamp', ARGV[1], 'words', ARGV[2], 'value', ARGV[3])\n"
    "redis.call('PEXPIRE', KEYS[2], ARGV[4])\n"
    "return 1\n";

/* ARGV: words. */
static const char changed_script[] = STATE
    "local number = redis.call('HINCRBY', KEYS[1], 'sequence', 1)\n"
    "for i = 1, #ARGV do redis.call('HSET', KEYS[1], 'tag ' .. ARGV[i], string.format('%.0f', number)) end\n"
    "return 1\n";

static const text_t state_key = {.data = "aipoten:cache:tags", .length = sizeof("aipoten:cache:tags") - 1};

/* How an answer begins in Redis; then headers and the bodies of its forms. */
typedef struct {
    uint32_t format, header_length;
    uint64_t segment, local;
    int64_t time, until;
    uint32_t lengths[CACHE_FORMS]; /* UINT32_MAX: no such form */
    char etags[CACHE_FORMS][CACHE_ETAG_SIZE];
} value_head_t;

typedef struct store {
    struct store *next;
    char key[KEY_SIZE];
    char stamp[24];
    buffer_t words, value;
    int64_t until;
} store_t;

static struct {
    redis_t *redis; /* NULL: off */
    const config_t *config;
    uint64_t segment;
    const cache_t *cache;
    char owner[64];      /* its word */
    buffer_t words;      /* that changed and were not told yet, a space behind each */
    store_t *stores, **stores_end;
    int store_count;
    bool carrying;
    int64_t retry_at;
} second;

/* --- names and values --------------------------------------------------------------------------------------------- */

static void key_make(text_t name, char out[static KEY_SIZE])
{
    digest_t digest = hash_sha256(name);
    size_t length = (size_t)snprintf(out, KEY_SIZE, "aipoten:cache:%d:", FORMAT);
    for (size_t i = 0; i < sizeof(digest.bytes); i++)
        length += (size_t)snprintf(out + length, KEY_SIZE - length, "%02x", digest.bytes[i]);
}

static void value_pack(const second_stamp_t *stamp, const cache_entry_t *entry, int64_t until, buffer_t *out)
{
    value_head_t head = {.format = FORMAT,
        .header_length = (uint32_t)entry->headers.length,
        .segment = second.segment,
        .local = stamp->local,
        .time = stamp->time,
        .until = until};
    for (int i = 0; i < CACHE_FORMS; i++) {
        bool given = entry->bodies[i].data != NULL;
        head.lengths[i] = given ? (uint32_t)entry->bodies[i].length : UINT32_MAX;
        if (given && entry->etags[i].length > 0 && entry->etags[i].length <= CACHE_ETAG_SIZE)
            memcpy(head.etags[i], entry->etags[i].data, entry->etags[i].length);
    }
    buffer_add(out, &head, sizeof(head));
    buffer_add_text(out, entry->headers);
    for (int i = 0; i < CACHE_FORMS; i++)
        if (entry->bodies[i].data != NULL)
            buffer_add_text(out, entry->bodies[i]);
}

static bool text_take(text_t *rest, uint32_t length, text_t *out)
{
    if (length > rest->length)
        return false;
    *out = (text_t){.data = rest->data, .length = length};
    rest->data += length;
    rest->length -= length;
    return true;
}

/* It becomes a header: whoever may write to Redis must not write what else an answer says. */
static bool etag_is_sound(text_t etag)
{
    for (size_t i = 0; i < etag.length; i++)
        if (etag.data[i] <= ' ' || etag.data[i] == 127)
            return false;
    return etag.length > 0;
}

/* False: of another build, or damaged. */
static bool value_read(text_t value, second_answer_t *out)
{
    value_head_t head;
    if (value.length < sizeof(head))
        return false;
    memcpy(&head, value.data, sizeof(head));
    text_t rest = {.data = value.data + sizeof(head), .length = value.length - sizeof(head)};
    if (head.format != FORMAT || head.lengths[CACHE_IDENTITY] == UINT32_MAX ||
        !text_take(&rest, head.header_length, &out->headers))
        return false;
    for (int i = 0; i < CACHE_FORMS; i++) {
        const char *etag = value.data + offsetof(value_head_t, etags) + (size_t)i * CACHE_ETAG_SIZE;
        out->bodies[i] = out->etags[i] = (text_t){.data = NULL};
        if (head.lengths[i] == UINT32_MAX)
            continue;
        if (!text_take(&rest, head.lengths[i], &out->bodies[i]))
            return false;
        out->etags[i] = (text_t){.data = etag, .length = strnlen(etag, CACHE_ETAG_SIZE)};
        if (!etag_is_sound(out->etags[i]))
            return false;
    }
    out->segment = head.segment;
    out->local = head.local;
    out->time = head.time;
    out->until = head.until;
    return rest.length == 0 && head.until > clock_now();
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

bool second_ready(void)
{
    return second.redis != NULL && redis_ready(second.redis);
}

/* An answer of the fetching script. True: an answer was found in it. */
static bool fetched_read(const redis_reply_t *reply, second_stamp_t *stamp, second_answer_t *answer)
{
    if (reply->kind != REPLY_LIST || reply->count < 1 || reply->items[0].kind != REPLY_TEXT ||
        reply->items[0].text.length >= sizeof(stamp->sequence))
        return false;
    memcpy(stamp->sequence, reply->items[0].text.data, reply->items[0].text.length);
    stamp->sequence[reply->items[0].text.length] = '\0';
    stamp->good = true;
    if (reply->count != 3 || reply->items[1].kind != REPLY_TEXT || reply->items[2].kind != REPLY_TEXT)
        return false;
    text_t words = reply->items[1].text, value = reply->items[2].text;
    buffer_reserve(&answer->packed, words.length + value.length);
    buffer_add_text(&answer->packed, value);
    buffer_add_text(&answer->packed, words);
    answer->words = (text_t){.data = answer->packed.data + value.length, .length = words.length};
    return value_read((text_t){.data = answer->packed.data, .length = value.length}, answer);
}

static void refused_tell(const redis_reply_t *reply)
{
    static bool said;
    if (!said && reply->kind == REPLY_ERROR)
        log_event(LOG_WARNING, "second_level_refused", LOG_T("reason", reply->text),
            LOG_S("next", "Redis 5 or later, and EVAL and INFO allowed for redis.url's user; or cache.redis: off"));
    said = said || reply->kind == REPLY_ERROR;
}

bool second_fetch(text_t name, second_stamp_t *stamp, second_answer_t *answer)
{
    char key[KEY_SIZE];
    redis_reply_t reply;
    *stamp = (second_stamp_t){.local = second.redis != NULL ? cache_stamp(second.cache) : 0, .time = clock_now()};
    *answer = (second_answer_t){0};
    if (!second_ready())
        return false;
    key_make(name, key);
    text_t arguments[] = {TEXT("EVAL"), {fetch_script, sizeof(fetch_script) - 1}, TEXT("2"), state_key, text_of(key)};
    int64_t deadline = clock_monotonic() + second.config->cache.redis_wait * CLOCK_MILLISECOND;
    if (redis_command(second.redis, arguments, ARRAY_SIZE(arguments), deadline, &reply) != REDIS_ANSWERED)
        return false;
    bool found = fetched_read(&reply, stamp, answer);
    refused_tell(&reply);
    redis_reply_free(&reply);
    return found;
}

bool second_trusted(const cache_t *cache, const second_answer_t *answer, cache_tag_t tag)
{
    if (answer->segment == second.segment)
        return answer->local >= cache_tag_sequence(cache, tag);
    return answer->time > cache_tag_changed(cache, tag) + CLOCKS_AGREE;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

/* True: done, whatever came of it. */
static bool tell(const text_t *arguments, int count)
{
    redis_reply_t reply;
    int64_t deadline = clock_monotonic() + TELL_MILLISECONDS * CLOCK_MILLISECOND;
    if (redis_command(second.redis, arguments, count, deadline, &reply) != REDIS_ANSWERED)
        return false;
    bool done = reply.kind == REPLY_INTEGER;
    refused_tell(&reply);
    redis_reply_free(&reply);
    return done;
}

/* Some of the words that wait. They stay until Redis has them; new ones come behind them meanwhile. */
static bool tell_words(void)
{
    static buffer_t words; /* one coroutine at a time carries */
    text_t arguments[4 + WORDS_IN_SCRIPT] = {TEXT("EVAL"), {changed_script, sizeof(changed_script) - 1}, TEXT("1"), state_key};
    int count = 4;
    words.length = 0;
    buffer_add(&words, second.words.data, second.words.length);
    text_t rest = buffer_text(&words), word;
    size_t taken = 0;
    while (count < 4 + WORDS_IN_SCRIPT && rest.length > 0 && text_split(&rest, ' ', &word)) {
        taken += word.length + 1;
        arguments[count++] = word;
    }
    if (!tell(arguments, count))
        return false;
    /* Too many may have become one meanwhile: then that one is still to be told. */
    if (second.words.length >= taken && memcmp(second.words.data, words.data, taken) == 0)
        buffer_consume(&second.words, taken);
    return true;
}

static void store_free(store_t *take_store)
{
    buffer_free(&take_store->words);
    buffer_free(&take_store->value);
    free(take_store);
}

static store_t *store_next(void)
{
    store_t *store = second.stores;
    second.stores = store->next;
    second.store_count--;
    if (second.stores == NULL)
        second.stores_end = &second.stores;
    return store;
}

static int64_t life_left(int64_t until)
{
    int64_t now = clock_now(), most = SECOND_LEVEL_LIFE * CLOCK_SECOND;
    return until > now + most ? most : until - now;
}

static bool tell_store(void)
{
    store_t *store = store_next();
    char life[24];
    int64_t left = life_left(store->until) / CLOCK_MILLISECOND;
    snprintf(life, sizeof(life), "%lld", (long long)left);
    text_t arguments[] = {TEXT("EVAL"), {store_script, sizeof(store_script) - 1}, TEXT("2"), state_key, text_of(store->key),
        text_of(store->stamp), buffer_text(&store->words), buffer_text(&store->value), text_of(life)};
    bool told = left <= 0 || tell(arguments, ARRAY_SIZE(arguments));
    store_free(store);
    return told;
}

static void carry(void *argument)
{
    (void)argument;
    bool told = true;
    while (told && (second.words.length > 0 || second.stores != NULL))
        told = second.words.length > 0 ? tell_words() : tell_store();
    if (!told)
        second.retry_at = clock_monotonic() + RETRY_MILLISECONDS * CLOCK_MILLISECOND;
    second.carrying = false;
}

/* After each turn: what handlers left. */
static bool turn(void *argument)
{
    (void)argument;
    bool any = second.words.length > 0 || second.stores != NULL;
    if (!any || second.carrying || !second_ready() || !coroutine_available() || clock_monotonic() < second.retry_at)
        return false;
    second.carrying = true;
    coroutine_start(carry, NULL);
    return false;
}

static void retry(void *argument)
{
    turn(argument); /* what was not told waits for no handler */
}

void second_changed(text_t words)
{
    if (second.redis == NULL || words.length == 0)
        return;
    if (second.words.length + words.length + 1 > WORDS_MOST) {
        second.words.length = 0;
        words = text_of(second.owner);
    }
    buffer_add_text(&second.words, words);
    buffer_add_char(&second.words, ' ');
}

void second_changed_all(void)
{
    second_changed(text_of(second.owner));
}

void second_store(text_t name, const second_stamp_t *stamp, text_t words, const cache_entry_t *entry, int64_t until)
{
    if (!stamp->good || !second_ready() || second.store_count >= STORES_MOST)
        return;
    store_t *store = memory_zeroed(1, sizeof(*store));
    store->until = until;
    value_pack(stamp, entry, until, &store->value);
    if (store->value.length > SECOND_VALUE_MOST) {
        store_free(store);
        return;
    }
    key_make(name, store->key);
    memcpy(store->stamp, stamp->sequence, sizeof(store->stamp));
    buffer_add_text(&store->words, words);
    *second.stores_end = store;
    second.stores_end = &store->next;
    second.store_count++;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

void second_open(loop_t *loop, const config_t *config, const cache_t *cache, const char *owner)
{
    if (second.redis != NULL || config->redis.url[0] == '\0' || !config->cache.redis || !cache_enabled(cache))
        return;
    second.redis = redis_open(loop, config->redis.url);
    if (second.redis == NULL) {
        log_event(LOG_ERROR, "redis_url", LOG_S("next", "redis.url must be like redis://user:password@127.0.0.1:6379/0"));
        return;
    }
    second.config = config;
    second.cache = cache;
    second.segment = cache_segment_id(cache);
    second.stores_end = &second.stores;
    insist(snprintf(second.owner, sizeof(second.owner), "@%s", owner) < (int)sizeof(second.owner));
    second_changed_all();
    loop->add_turn_hook(loop, turn, NULL);
    loop->timer(loop, RETRY_MILLISECONDS, retry, NULL);
}
