/* redis: a connection to Redis on our loop, awaited from coroutines. Over hiredis' asynchronous interface; only shared/net
 * includes it.
 *
 * What always holds: a connection that is lost, or whose answer is late, is opened again with back-off; meanwhile commands are
 * refused at once. Commands are answered in their order, so one that blocks holds up those behind it: whoever blocks has a
 * connection of its own. At most REDIS_COMMANDS_MAX wait on one; of a reply over a megabyte nothing is told.
 *
 * A host that is a name is resolved when the connection is opened, on the loop: give an address, or a name in /etc/hosts. */
#pragma once
#include "../base/loop.h"
#include "../base/text.h"

enum { REDIS_COMMANDS_MAX = 64, REDIS_ARGUMENTS_MAX = 16 };

typedef struct redis redis_t;
/* redis://[user[:password]@]host[:port][/database] or unix:///path; the text is borrowed for good. Begins to connect. NULL: no
 * such URL. */
redis_t *redis_open(loop_t *, const char *url);
/* Connected, logged in, and not known to be lost. */
bool redis_ready(const redis_t *);

enum redis_status {
    REDIS_ANSWERED,    /* see the reply, which may be an error */
    REDIS_UNAVAILABLE, /* no connection, or too many commands: nothing was sent */
    REDIS_LOST,        /* the connection or the time: it may have been done */
};

/* A copy of what Redis answered. */
typedef struct redis_reply {
    enum { REPLY_NOTHING, REPLY_TEXT, REPLY_STATUS, REPLY_ERROR, REPLY_INTEGER, REPLY_LIST } kind;
    int64_t integer;
    text_t text;
    struct redis_reply *items; /* `count` of them */
    size_t count;
} redis_reply_t;

/* Inside a coroutine. `reply` is filled when it was answered; give it to redis_reply_free. */
enum redis_status redis_command(redis_t *, const text_t *arguments, int count, int64_t deadline, redis_reply_t *reply);
void redis_reply_free(redis_reply_t *);

/* A connection that only listens to one channel. It is opened again when it is lost, and when it heard nothing for `silence`
 * milliseconds: so somebody must say something more often, perhaps we ourselves. What is said while there is none is lost: each
 * on_subscribed means that something may have been. Neither callback may suspend. `channel` is borrowed for good. */
typedef struct {
    void (*on_subscribed)(void *argument); /* from now on everything is heard */
    void (*on_message)(void *argument, text_t message);
    void *argument;
} redis_listener_t;
redis_t *redis_subscribe(loop_t *, const char *url, const char *channel, int silence, const redis_listener_t *);
