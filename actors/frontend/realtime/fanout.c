/* fanout: see the header. One saying after the other; each knows whose turn is next. Who joins meanwhile stands before all others in
 * the topic, where no turn comes any more. */
#include "fanout.h"
#include "frontend/counters.h"
#include "writing.h"
#include <stdlib.h>

enum {
    AT_ONCE = 32,      /* sockets: some 15 microseconds */
    SAYINGS_MOST = 64, /* that wait */
    BYTES_MOST = 64 << 10, /* of these: shown at once to who reads well, they make no slow reader of it (realtime.queue_bytes) */
};

typedef struct saying {
    const topic_t *topic;
    const membership_t *next_member; /* NULL: all were shown it */
    frame_t *frame;
    uuid_t sender; /* nobody's: the nil UUID */
    buffer_t except; /* ids of users, in their order */
    struct saying *next;
} saying_t;

static struct {
    saying_t *first, *last;
    int count;
    size_t bytes;
} fanout;

static int id_compare(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(uuid_t));
}

static bool is_excepted(text_t except, uuid_t user)
{
    return except.length > 0 && bsearch(&user, except.data, except.length / sizeof(user), sizeof(user), id_compare) != NULL;
}

/* To so many of them. */
static void show_some(saying_t *saying, int most)
{
    for (int i = 0; i < most && saying->next_member != NULL; i++) {
        const membership_t *member = saying->next_member;
        const socket_t *socket = member->socket;
        saying->next_member = member->next;
        if (!socket->accepted || uuid_equal(socket->id, saying->sender) || is_excepted(buffer_text(&saying->except), socket->token.user))
            continue;
        session_send(socket->session, saying->frame);
        count(COUNTER_REALTIME_SHOWN, 1);
    }
}

static void said_free(saying_t *said)
{
    frame_release(&said->frame);
    buffer_free(&said->except);
}

static void first_end(void)
{
    saying_t *saying = fanout.first;
    fanout.first = saying->next;
    if (fanout.first == NULL)
        fanout.last = NULL;
    fanout.count--;
    fanout.bytes -= frame_packet(saying->frame).length;
    said_free(saying);
    free(saying);
}

static bool show_more(void)
{
    if (fanout.first != NULL) {
        show_some(fanout.first, AT_ONCE);
        if (fanout.first->next_member == NULL)
            first_end();
    }
    return fanout.first != NULL;
}

void fanout_finish(void)
{
    while (show_more())
        ;
}

static bool waits(const topic_t *topic)
{
    for (const saying_t *saying = fanout.first; saying != NULL; saying = saying->next)
        if (saying->topic == topic)
            return true;
    return false;
}

static bool has_room(size_t bytes)
{
    return fanout.first == NULL || (fanout.count < SAYINGS_MOST && fanout.bytes + bytes <= BYTES_MOST);
}

/* The oldest make room. */
static void say_later(saying_t said)
{
    size_t bytes = frame_packet(said.frame).length;
    while (!has_room(bytes))
        show_more();
    saying_t *saying = memory_allocate(sizeof(*saying));
    *saying = said;
    if (fanout.last != NULL)
        fanout.last->next = saying;
    else
        fanout.first = saying;
    fanout.last = saying;
    fanout.count++;
    fanout.bytes += bytes;
    writing_feed(show_more);
}

void fanout_show(topic_t *topic, frame_t *frame, const uuid_t *sender, text_t except)
{
    saying_t said = {.topic = topic, .next_member = topic->members, .frame = frame_hold(frame)};
    if (sender != NULL)
        said.sender = *sender;
    buffer_add_text(&said.except, except);
    if (topic->count > AT_ONCE || waits(topic)) {
        say_later(said);
        return;
    }
    show_some(&said, AT_ONCE);
    said_free(&said);
}

void fanout_pass(const membership_t *member)
{
    for (saying_t *saying = fanout.first; saying != NULL; saying = saying->next)
        if (saying->next_member == member)
            saying->next_member = member->next;
}

void fanout_forget(const topic_t *topic)
{
    for (saying_t *saying = fanout.first; saying != NULL; saying = saying->next)
        if (saying->topic == topic)
            saying->topic = NULL;
}
