/* redis: see the header. A command's waiter lies on the stack of its coroutine, which stays suspended until hiredis has called back:
 * with the answer, or with none when the connection ends. */
#include "redis.h"
#include "../base/clock.h"
#include "../base/coroutine.h"
#include "../base/log.h"
#include "../base/memory.h"
#include "../base/panic.h"
#include <ctype.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    TICK_MILLISECONDS = 50,
    CONNECT_MILLISECONDS = 3000, /* until it is logged in */
    BACKOFF_FIRST = 50,
    BACKOFF_MOST = 2000,
    REDIS_REPLY_MAX = 1 << 20,
    REPLY_DEPTH_MAX = 8,
};

struct redis {
    struct redis *next;
    loop_t *loop;
    char *host, *user, *password; /* host: a path for unix://; user and password may be NULL */
    bool unix_socket;
    int port, database;
    redisAsyncContext *context; /* NULL: not connected */
    loop_watch_t *watch;
    int events;
    bool ready, said;
    int64_t connect_by, retry_at; /* clock_monotonic() */
    int backoff, greetings; /* answers to AUTH and SELECT that are awaited */
    int commands;
    const char *channel; /* NULL: commands are sent */
    redis_listener_t listener;
    int silence;      /* milliseconds */
    int64_t heard_at; /* clock_monotonic() */
};

typedef struct waiter {
    struct waiter *next;
    coroutine_t *coroutine;
    redis_t *redis;
    int64_t deadline;
    redis_reply_t *reply;
    enum redis_status status;
    bool done;
} waiter_t;

static struct {
    redis_t *all;
    waiter_t *waiting;
    bool opened;
} connections;

/* --- replies ------------------------------------------------------------------------------------------------------ */

static bool reply_copy(const struct redisReply *from, redis_reply_t *to, size_t *left, int depth)
{
    static const int kinds[] = {[REDIS_REPLY_STRING] = REPLY_TEXT, [REDIS_REPLY_STATUS] = REPLY_STATUS,
        [REDIS_REPLY_ERROR] = REPLY_ERROR, [REDIS_REPLY_INTEGER] = REPLY_INTEGER, [REDIS_REPLY_ARRAY] = REPLY_LIST,
        [REDIS_REPLY_NIL] = REPLY_NOTHING};
    size_t size = sizeof *to + (from->type == REDIS_REPLY_STRING ? (size_t)from->len : 0);
    *to = (redis_reply_t){0};
    if (depth == REPLY_DEPTH_MAX || size > *left || from->type < 0 || (size_t)from->type >= ARRAY_SIZE(kinds))
        return false;
    *left -= size;
    to->kind = kinds[from->type];
    to->integer = from->integer;
    if (to->kind == REPLY_TEXT || to->kind == REPLY_STATUS || to->kind == REPLY_ERROR) {
        char *text = memory_allocate((size_t)from->len + 1);
        memcpy(text, from->str, (size_t)from->len);
        to->text = (text_t){text, (size_t)from->len};
    }
    if (to->kind != REPLY_LIST || from->elements == 0)
        return true;
    if (from->elements > *left / sizeof *to)
        return false;
    to->items = memory_zeroed(from->elements, sizeof *to->items);
    to->count = from->elements;
    for (size_t i = 0; i < to->count; i++)
        if (!reply_copy(from->element[i], &to->items[i], left, depth + 1))
            return false;
    return true;
}

void redis_reply_free(redis_reply_t *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        redis_reply_free(&reply->items[i]);
    free(reply->items);
    free((char *)(uintptr_t)reply->text.data);
    *reply = (redis_reply_t){0};
}

/* --- the connection ----------------------------------------------------------------------------------------------- */

static void lost(redis_t *redis, const char *reason)
{
    if (!redis->said)
        log_event(LOG_WARNING, "redis_unavailable", LOG_S("reason", reason), LOG_S("next", "connecting again; see redis.url"));
    redis->said = true;
    redis->context = NULL;
    redis->ready = false;
    redis->greetings = 0;
    redis->retry_at = clock_monotonic() + redis->backoff * CLOCK_MILLISECOND;
    redis->backoff = redis->backoff * 2 < BACKOFF_MOST ? redis->backoff * 2 : BACKOFF_MOST;
}

/* Ends the connection; whoever waits for it hears that it is lost. Not from inside a callback of hiredis. */
static void drop(redis_t *redis, const char *reason)
{
    redisAsyncContext *context = redis->context;
    if (context == NULL)
        return;
    lost(redis, reason); /* first: the callbacks that end the commands see it */
    context->data = NULL;
    redisAsyncFree(context);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    (void)status;
    if (context->data != NULL)
        lost(context->data, "the connection was closed");
}

static void ready(redis_t *redis)
{
    redis->ready = true;
    redis->backoff = BACKOFF_FIRST;
    if (redis->said)
        log_event(LOG_INFO, "redis_back");
    redis->said = false;
}

/* The confirmation of SUBSCRIBE and what is said in the channel; no answer when the connection ends. */
static void on_said(redisAsyncContext *context, void *answer, void *argument)
{
    redis_t *redis = context->data;
    const struct redisReply *reply = answer;
    (void)argument;
    if (redis == NULL || reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 || reply->element[0]->type != REDIS_REPLY_STRING) {
        redis->connect_by = redis->heard_at = 0; /* the tick drops it */
        log_event(LOG_ERROR, "redis_refuses", LOG_S("channel", redis->channel),
            LOG_S("next", "may this user of Redis subscribe to it?"));
        return;
    }
    redis->heard_at = clock_monotonic();
    if (!redis->ready) {
        ready(redis);
        redis->listener.on_subscribed(redis->listener.argument);
    } else if (reply->element[2]->type == REDIS_REPLY_STRING) {
        redis->listener.on_message(redis->listener.argument, (text_t){reply->element[2]->str, (size_t)reply->element[2]->len});
    }
}

static void on_greeting(redisAsyncContext *context, void *answer, void *argument)
{
    redis_t *redis = context->data;
    const struct redisReply *reply = answer;
    (void)argument;
    if (redis == NULL || reply == NULL)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        redis->connect_by = 0; /* the tick drops it */
        log_event(LOG_ERROR, "redis_refuses", LOG_S("next", "are user, password and database in redis.url right?"));
    } else if (--redis->greetings == 0 && redis->channel == NULL) {
        ready(redis);
    } else if (redis->greetings == 0) {
        redisAsyncCommand(redis->context, on_said, NULL, "SUBSCRIBE %s", redis->channel);
    }
}

static void on_connect(const redisAsyncContext *context, int status)
{
    redis_t *redis = context->data;
    if (redis == NULL)
        return;
    if (status != REDIS_OK) {
        lost(redis, "no connection"); /* hiredis frees the context */
        return;
    }
    redisAsyncContext *own = redis->context;
    redis->greetings = (redis->password != NULL) + 1;
    if (redis->password != NULL && redis->user != NULL)
        redisAsyncCommand(own, on_greeting, NULL, "AUTH %s %s", redis->user, redis->password);
    else if (redis->password != NULL)
        redisAsyncCommand(own, on_greeting, NULL, "AUTH %s", redis->password);
    redisAsyncCommand(own, on_greeting, NULL, "SELECT %d", redis->database);
}

/* --- hiredis' wishes: it reads and writes when the loop says ---------------------------------------------------------- */

static void socket_ready(void *argument, int events)
{
    redis_t *redis = argument;
    if (events & LOOP_READ)
        redisAsyncHandleRead(redis->context);
    if (events & LOOP_WRITE && redis->context != NULL && redis->watch != NULL)
        redisAsyncHandleWrite(redis->context);
}

static void events_set(redis_t *redis, int events)
{
    redis->events = events;
    if (redis->watch != NULL)
        redis->loop->watch_change(redis->watch, events);
}

static void add_read(void *argument)
{
    events_set(argument, ((redis_t *)argument)->events | LOOP_READ);
}

static void del_read(void *argument)
{
    events_set(argument, ((redis_t *)argument)->events & ~LOOP_READ);
}

static void add_write(void *argument)
{
    events_set(argument, ((redis_t *)argument)->events | LOOP_WRITE);
}

static void del_write(void *argument)
{
    events_set(argument, ((redis_t *)argument)->events & ~LOOP_WRITE);
}

static void cleanup(void *argument)
{
    redis_t *redis = argument;
    redis->loop->unwatch(&redis->watch);
}

static void begin(redis_t *redis)
{
    redisAsyncContext *context =
        redis->unix_socket ? redisAsyncConnectUnix(redis->host) : redisAsyncConnect(redis->host, redis->port);
    if (context == NULL)
        panic("out of memory: a connection to Redis");
    if (context->err != 0) {
        redisAsyncFree(context);
        lost(redis, "no connection");
        return;
    }
    redis->context = context;
    redis->connect_by = clock_monotonic() + CONNECT_MILLISECONDS * CLOCK_MILLISECOND;
    redis->events = 0;
    redis->watch = redis->loop->watch(redis->loop, context->c.fd, 0, socket_ready, redis);
    context->data = redis;
    context->ev.data = redis;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    redisAsyncSetConnectCallback(context, on_connect);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static void on_answer(redisAsyncContext *context, void *answer, void *argument)
{
    (void)context;
    waiter_t *waiter = argument;
    size_t left = REDIS_REPLY_MAX;
    waiter->redis->commands--;
    waiter->done = true;
    waiter->status = answer != NULL && reply_copy(answer, waiter->reply, &left, 0) ? REDIS_ANSWERED : REDIS_LOST;
}

/* Resuming is left to the end of the turn, so that no handler runs inside hiredis. */
static bool turn(void *argument)
{
    (void)argument;
    bool any = false;
    for (waiter_t **at = &connections.waiting; *at;) {
        waiter_t *waiter = *at;
        if (!waiter->done) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        coroutine_resume(waiter->coroutine); /* the waiter lies on its stack: not to be touched after this */
        any = true;
        at = &connections.waiting;
    }
    return any;
}

/* An answer that is late makes the connection suspect: those behind it would be late as well. */
static void expire(int64_t now)
{
    for (waiter_t *waiter = connections.waiting; waiter; waiter = waiter->next)
        if (!waiter->done && waiter->deadline <= now)
            drop(waiter->redis, "no answer in time"); /* ends it, and others behind it */
}

static void tick(void *argument)
{
    (void)argument;
    int64_t now = clock_monotonic();
    expire(now);
    for (redis_t *redis = connections.all; redis; redis = redis->next) {
        if (redis->context != NULL && !redis->ready && redis->connect_by <= now)
            drop(redis, "no greeting in time");
        if (redis->channel != NULL && redis->ready && now - redis->heard_at >= redis->silence * CLOCK_MILLISECOND)
            drop(redis, "nothing was heard");
        if (redis->context == NULL && redis->retry_at <= now)
            begin(redis);
    }
}

enum redis_status redis_command(redis_t *redis, const text_t *arguments, int count, int64_t deadline, redis_reply_t *reply)
{
    const char *values[REDIS_ARGUMENTS_MAX];
    size_t lengths[REDIS_ARGUMENTS_MAX];
    insist(coroutine_current() != NULL && count <= REDIS_ARGUMENTS_MAX && redis->channel == NULL);
    *reply = (redis_reply_t){0};
    if (!redis->ready || redis->commands >= REDIS_COMMANDS_MAX || clock_monotonic() >= deadline)
        return REDIS_UNAVAILABLE;
    for (int i = 0; i < count; i++) {
        values[i] = arguments[i].data;
        lengths[i] = arguments[i].length;
    }
    waiter_t waiter = {.next = connections.waiting,
        .coroutine = coroutine_current(),
        .redis = redis,
        .deadline = deadline,
        .reply = reply,
        .status = REDIS_LOST};
    if (redisAsyncCommandArgv(redis->context, on_answer, &waiter, count, values, lengths) != REDIS_OK)
        return REDIS_UNAVAILABLE; /* the connection is being closed */
    redis->commands++;
    connections.waiting = &waiter;
    coroutine_suspend();
    if (waiter.status != REDIS_ANSWERED)
        redis_reply_free(reply);
    return waiter.status;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* %40 and the like; the text ends where `end` says. */
static char *part_keep(const char *from, const char *end)
{
    char *out = memory_allocate((size_t)(end - from) + 1), *to = out;
    for (; from < end; from++) {
        if (*from == '%' && end - from > 2 && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2])) {
            *to++ = (char)strtol((char[]){from[1], from[2], '\0'}, NULL, 16);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return out;
}

static bool url_read(redis_t *redis, const char *url)
{
    if (strncmp(url, "unix://", 7) == 0) {
        redis->unix_socket = true;
        redis->host = memory_string(url + 7);
        return url[7] == '/';
    }
    if (strncmp(url, "redis://", 8) != 0)
        return false;
    const char *host = url + 8, *end = host + strcspn(host, "/"), *at = memrchr(host, '@', (size_t)(end - host));
    if (at != NULL) {
        const char *colon = memchr(host, ':', (size_t)(at - host));
        if (colon > host)
            redis->user = part_keep(host, colon);
        if (colon != NULL)
            redis->password = part_keep(colon + 1, at);
        host = at + 1;
    }
    const char *colon = memrchr(host, ':', (size_t)(end - host));
    int64_t port = 6379, database = 0;
    if (colon != NULL && !text_to_int((text_t){colon + 1, (size_t)(end - colon - 1)}, &port))
        return false;
    if (*end == '/' && end[1] != '\0' && !text_to_int(text_of(end + 1), &database))
        return false;
    redis->host = part_keep(host, colon != NULL ? colon : end);
    redis->port = (int)port;
    redis->database = (int)database;
    return redis->host[0] != '\0' && port > 0 && port < 65536 && database >= 0 && database < 65536;
}

redis_t *redis_open(loop_t *loop, const char *url)
{
    redis_t *redis = memory_zeroed(1, sizeof *redis);
    redis->loop = loop;
    redis->backoff = BACKOFF_FIRST;
    if (!url_read(redis, url)) {
        free(redis->host);
        free(redis->user);
        free(redis->password);
        free(redis);
        return NULL;
    }
    if (!connections.opened) {
        connections.opened = true;
        loop->add_turn_hook(loop, turn, NULL);
        loop->timer(loop, TICK_MILLISECONDS, tick, NULL);
    }
    redis->next = connections.all;
    connections.all = redis;
    return redis; /* the next tick connects */
}

redis_t *redis_subscribe(loop_t *loop, const char *url, const char *channel, int silence, const redis_listener_t *listener)
{
    redis_t *redis = redis_open(loop, url);
    if (redis == NULL)
        return NULL;
    redis->channel = channel;
    redis->silence = silence;
    redis->listener = *listener;
    return redis;
}

bool redis_ready(const redis_t *redis)
{
    return redis->ready;
}
