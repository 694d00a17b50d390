/* news: see the header. A topic of a user remembers the newest number that was shown (`seq`). What comes next is shown; what came
 * already is dropped; what leaves something out makes the topic be behind, and those that are behind are asked for one after the other,
 * so many at a time. Where nobody was shown anything yet, the newest number there is says where to begin, or what was heard of before it
 * came: that happened after somebody had connected.
 *
 * What always holds: `seq` goes forward by what is shown, and back when somebody joins who was shown less. An answer counts only as far as
 * it begins where the topic still is: what was asked from further on than that is asked again. */
#include "news.h"
#include "actor/operations.h"
#include "api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "call_room.h"
#include "fanout.h"
#include "frontend/counters.h"
#include "frontend/relay.h"
#include "net/broker.h"
#include "video_call.h"
#include <stdlib.h>

enum {
    TICK = 25,           /* milliseconds */
    ASKED_MOST = 64,     /* questions under way */
    ASKED_PER_TICK = 20, /* 800 in a second */
    RETRY = 1000,        /* milliseconds until a question that nobody answered is asked again */
    RETRY_RECOVERY = 200, /* likewise: somebody waits for it */
    UUID_MILLISECONDS = 6, /* bytes of a UUIDv7 */
    MISSED_BYTES = 4 << 20,
    UNKNOWN = -1,
};

typedef struct catch_up {
    topic_t *topic;
    int64_t seq;    /* UNKNOWN: the newest has not been heard of */
    int64_t heard;  /* the lowest that was said meanwhile; UNKNOWN: none */
    int64_t not_before; /* clock_monotonic(): nobody answered just now */
    bool asking, again, behind;
    struct asked *asked;
    struct catch_up *next; /* that is behind */
} catch_up_t;

/* A question under way, which outlives who asked. */
typedef struct asked {
    catch_up_t *catch_up; /* NULL: its topic is gone, or it is a socket's */
    struct recovery *recovery;
    int64_t after; /* UNKNOWN: the newest */
} asked_t;

typedef struct recovery {
    socket_t *socket;
    topic_t *topic;
    int64_t seq;
    asked_t *asked; /* NULL: nobody could be asked, or answered: again at `not_before` */
    int64_t not_before;
    void (*done)(socket_t *, bool);
    struct recovery *previous, *next;
} recovery_t;

static struct {
    const namespace_t *namespace;
    catch_up_t *first, *last; /* behind */
    recovery_t *recovery, *last_recovery; /* in the order of their coming: many when many come back at once, or nobody answers */
    int asked;
    arena_t *values; /* of the answer at hand */
    buffer_t arguments;
} news;

/* --- showing ------------------------------------------------------------------------------------------------------ */

/* With its number as the last argument: from there on a client that comes back wants to know (connection state recovery). */
static frame_t *notification_frame(text_t name, int64_t seq, text_t arguments)
{
    char event[REALTIME_NAME_MOST + 1];
    snprintf(event, sizeof(event), "%.*s", TEXT_ARG(name));
    news.arguments.length = 0;
    buffer_add_text(&news.arguments, arguments);
    if (seq != UNKNOWN)
        buffer_format(&news.arguments, ",\"%lld\"", (long long)seq);
    return socket_event_frame(news.namespace, event, buffer_text(&news.arguments));
}

/* To those who have not been shown it. */
static void show_numbered(topic_t *topic, text_t name, int64_t seq, text_t arguments)
{
    frame_t *frame = notification_frame(name, seq, arguments);
    for (membership_t *member = topic->members; member != NULL; member = member->next) {
        socket_t *socket = member->socket;
        if (!socket->accepted || seq <= socket->seq)
            continue;
        socket->seq = seq;
        session_send(socket->session, frame);
        count(COUNTER_REALTIME_SHOWN, 1);
    }
    frame_release(&frame);
}

static void show(topic_t *topic, text_t name, text_t arguments, const uuid_t *sender, text_t except)
{
    frame_t *frame = notification_frame(name, UNKNOWN, arguments);
    fanout_show(topic, frame, sender, except);
    frame_release(&frame);
}

void news_show(topic_t *topic, const char *name, text_t arguments, const uuid_t *sender)
{
    show(topic, text_of(name), arguments, sender, (text_t){.data = NULL});
}

/* --- being behind ------------------------------------------------------------------------------------------------- */

static void behind_add(catch_up_t *catch_up)
{
    if (catch_up->asking)
        catch_up->again = true;
    if (catch_up->behind || catch_up->asking)
        return;
    catch_up->behind = true;
    catch_up->next = NULL;
    if (news.last != NULL)
        news.last->next = catch_up;
    else
        news.first = catch_up;
    news.last = catch_up;
}

static void behind_remove(catch_up_t *catch_up)
{
    catch_up_t *before = NULL;
    if (!catch_up->behind)
        return;
    for (catch_up_t *one = news.first; one != catch_up; one = one->next)
        before = one;
    if (before != NULL)
        before->next = catch_up->next;
    else
        news.first = catch_up->next;
    if (news.last == catch_up)
        news.last = before;
    catch_up->behind = false;
}

static void on_missed(void *argument, int status, text_t body);

/* False: it cannot be asked now. */
static bool ask(asked_t *asked, const socket_t *socket, int64_t seq)
{
    missed_after_t after = {0};
    if (seq != UNKNOWN)
        message_set(&after, seq, seq);
    else
        message_set_null(&after, seq);
    asked->after = seq;
    if (!relay_ask(&(question_t){.service = "notifications",
                       .operation = "notifications.missed",
                       .input_message = &missed_after_message,
                       .input = &after,
                       .principal = &socket->token,
                       .language = socket->session->language},
            on_missed, asked))
        return false;
    news.asked++;
    count(COUNTER_REALTIME_ASKED, 1);
    return true;
}

static bool ask_for(catch_up_t *catch_up)
{
    asked_t *asked = memory_zeroed(1, sizeof(*asked));
    asked->catch_up = catch_up;
    catch_up->asked = asked;
    catch_up->asking = true;
    catch_up->again = false;
    if (ask(asked, catch_up->topic->members->socket, catch_up->seq))
        return true;
    catch_up->asking = false;
    catch_up->asked = NULL;
    free(asked);
    return false;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    panic("an answer of notifications.missed takes more than %d bytes", MISSED_BYTES);
}

static const missed_t *missed_read(int status, text_t body)
{
    problems_t problems;
    if (status != 200)
        return NULL;
    problems.arena = news.values; /* lists are laid out there */
    problems.count = 0;
    missed_t *missed = arena_allocate(news.values, sizeof(*missed));
    bool good = message_read(&missed_message, arena_copy(news.values, body), SOURCE_PEER, missed, &problems);
    return good ? missed : NULL;
}

/* Nobody was shown anything yet, and up to `seq` nobody needs to be; but what was heard of since. */
static void begin_at(catch_up_t *catch_up, int64_t seq)
{
    int64_t heard = catch_up->heard;
    catch_up->heard = UNKNOWN;
    catch_up->seq = heard != UNKNOWN && heard <= seq ? heard - 1 : seq;
    if (heard != UNKNOWN)
        behind_add(catch_up);
}

/* The newest was asked for; somebody who came meanwhile may have said where to begin. */
static void take_newest(catch_up_t *catch_up, int64_t newest)
{
    if (catch_up->seq == UNKNOWN)
        begin_at(catch_up, newest);
    for (membership_t *member = catch_up->topic->members; member != NULL; member = member->next)
        if (member->socket->seq == UNKNOWN)
            member->socket->seq = catch_up->seq;
}

static void take_missed(catch_up_t *catch_up, const missed_t *missed)
{
    const missed_event_t *events = missed->events.items;
    for (size_t i = 0; i < missed->events.count; i++) {
        if (events[i].seq <= catch_up->seq)
            continue;
        catch_up->seq = events[i].seq;
        show_numbered(catch_up->topic, TEXT("new_notification"), events[i].seq, events[i].arguments);
    }
    if (!missed->complete)
        behind_add(catch_up);
    else if (catch_up->seq < missed->newest) /* deleted ones are not told */
        catch_up->seq = missed->newest;
}

static int64_t milliseconds_of(uuid_t id)
{
    int64_t time = 0;
    for (int i = 0; i < UUID_MILLISECONDS; i++)
        time = time << 8 | id.bytes[i];
    return time;
}

static void recovery_add(recovery_t *recovery)
{
    recovery->socket->recovery = recovery;
    recovery->previous = news.last_recovery;
    if (news.last_recovery != NULL)
        news.last_recovery->next = recovery;
    else
        news.recovery = recovery;
    news.last_recovery = recovery;
}

static void recovery_remove(recovery_t *recovery)
{
    recovery->socket->recovery = NULL;
    if (recovery->previous != NULL)
        recovery->previous->next = recovery->next;
    else
        news.recovery = recovery->next;
    if (recovery->next != NULL)
        recovery->next->previous = recovery->previous;
    else
        news.last_recovery = recovery->previous;
    if (recovery->asked != NULL)
        recovery->asked->recovery = NULL;
    free(recovery);
}

static void take_answer(catch_up_t *catch_up, const asked_t *asked, const missed_t *missed)
{
    bool again = catch_up->again || missed == NULL;
    if (missed == NULL)
        catch_up->not_before = clock_monotonic() + RETRY * CLOCK_MILLISECOND;
    else if (asked->after == UNKNOWN)
        take_newest(catch_up, missed->newest);
    else if (asked->after <= catch_up->seq)
        take_missed(catch_up, missed);
    else
        again = true;
    if (again)
        behind_add(catch_up);
}

/* All that was missed happened within realtime.recovery, and is not more than one answer holds. Nobody was shown a number that was never
 * given: from there on nothing new would be news. */
static bool is_recoverable(const missed_t *missed, int64_t seq)
{
    const missed_event_t *events = missed->events.items;
    int64_t before = clock_now() / CLOCK_MILLISECOND - frontend.config.realtime.recovery;
    return missed->complete && seq <= missed->newest && (missed->events.count == 0 || milliseconds_of(events[0].id) >= before);
}

static void take_recovery(recovery_t *recovery, const missed_t *missed)
{
    socket_t *socket = recovery->socket;
    topic_t *topic = recovery->topic;
    catch_up_t *catch_up = topic->catch_up;
    void (*done)(socket_t *, bool) = recovery->done;
    int64_t seq = recovery->seq;
    bool recovered = is_recoverable(missed, seq);
    recovery_remove(recovery);
    done(socket, recovered);
    if (!recovered || socket->session->closed)
        return;
    const missed_event_t *events = missed->events.items;
    for (size_t i = 0; i < missed->events.count; i++) {
        frame_t *frame = notification_frame(TEXT("new_notification"), events[i].seq, events[i].arguments);
        session_send(socket->session, frame);
        frame_release(&frame);
        seq = events[i].seq;
    }
    socket->seq = seq > missed->newest ? seq : missed->newest;
    count(COUNTER_REALTIME_RECOVERED, 1);
    if (catch_up->seq == UNKNOWN)
        begin_at(catch_up, socket->seq);
    else if (catch_up->seq > socket->seq) { /* others were shown more meanwhile: all are taken back to where this one is */
        catch_up->seq = socket->seq;
        behind_add(catch_up);
    }
}

static void on_missed(void *argument, int status, text_t body)
{
    asked_t *asked = argument;
    catch_up_t *catch_up = asked->catch_up;
    recovery_t *recovery = asked->recovery;
    news.asked--;
    const missed_t *missed = missed_read(status, body);
    if (missed == NULL)
        count(COUNTER_REALTIME_UNANSWERED, 1);
    if (recovery != NULL) {
        recovery->asked = NULL;
        if (missed != NULL)
            take_recovery(recovery, missed);
    }
    if (catch_up != NULL) {
        catch_up->asking = false;
        catch_up->asked = NULL;
        take_answer(catch_up, asked, missed);
    }
    free(asked);
    arena_reset(news.values);
}

/* False: nobody can be asked now. */
static bool recovery_ask(recovery_t *recovery)
{
    asked_t *asked = memory_zeroed(1, sizeof(*asked));
    asked->recovery = recovery;
    recovery->asked = asked;
    recovery->not_before = clock_monotonic() + RETRY_RECOVERY * CLOCK_MILLISECOND;
    if (ask(asked, recovery->socket, recovery->seq))
        return true;
    recovery->asked = NULL;
    free(asked);
    return false;
}

static void on_time(void *argument)
{
    int64_t now = clock_monotonic();
    catch_up_t *last = news.last, *catch_up = NULL;
    (void)argument;
    for (int i = 0; i < ASKED_PER_TICK && news.asked < ASKED_MOST && catch_up != last && (catch_up = news.first) != NULL; i++) {
        behind_remove(catch_up);
        if (catch_up->not_before > now || !ask_for(catch_up))
            behind_add(catch_up);
    }
    for (recovery_t *recovery = news.recovery; recovery != NULL && news.asked < ASKED_MOST; recovery = recovery->next)
        if (recovery->asked == NULL && recovery->not_before <= now && !recovery_ask(recovery))
            break;
}

/* --- hints -------------------------------------------------------------------------------------------------------- */

static void take_numbered(topic_t *topic, const realtime_event_t *event)
{
    catch_up_t *catch_up = topic->catch_up;
    if (catch_up->seq != UNKNOWN && event->seq <= catch_up->seq)
        return;
    if (catch_up->seq == UNKNOWN && (catch_up->heard == UNKNOWN || event->seq < catch_up->heard))
        catch_up->heard = event->seq;
    if (catch_up->asking || catch_up->seq == UNKNOWN || event->seq > catch_up->seq + 1) {
        behind_add(catch_up); /* the answer under way may have been read before it */
        return;
    }
    catch_up->seq = event->seq;
    show_numbered(topic, event->name, event->seq, event->arguments);
}

static void on_topic(text_t name, text_t payload)
{
    realtime_t said;
    topic_t *topic = topic_find(name);
    if (topic == NULL)
        return;
    if (!realtime_read(payload, &said)) {
        count(COUNTER_REALTIME_UNREADABLE, 1);
        return;
    }
    if (said.kind == REALTIME_END)
        api_end(topic, &said.end);
    else if (said.kind == REALTIME_CALL)
        video_call_heard(topic, &said.call);
    else if (topic->catch_up != NULL && message_has(&said.event, seq))
        take_numbered(topic, &said.event);
    else
        show(topic, said.event.name, said.event.arguments, message_has(&said.event, id) ? &said.event.id : NULL, said.event.except);
}

static void look_again(topic_t *topic)
{
    if (topic->catch_up != NULL)
        behind_add(topic->catch_up);
}

static void on_lost(void)
{
    count(COUNTER_REALTIME_LOST, 1);
    topics_each(look_again);
    call_rooms_lost();
}

/* --- sockets ------------------------------------------------------------------------------------------------------ */

static catch_up_t *catch_up_of(topic_t *topic)
{
    if (topic->catch_up == NULL) {
        topic->catch_up = memory_zeroed(1, sizeof(*topic->catch_up));
        *topic->catch_up = (catch_up_t){.topic = topic, .seq = UNKNOWN, .heard = UNKNOWN};
    }
    return topic->catch_up;
}

void news_begin(socket_t *socket, topic_t *topic)
{
    catch_up_t *catch_up = catch_up_of(topic);
    socket->seq = catch_up->seq;
    if (catch_up->seq == UNKNOWN && !catch_up->behind && !catch_up->asking && (news.asked >= ASKED_MOST || !ask_for(catch_up)))
        behind_add(catch_up);
}

/* What was heard of while the newest is asked for is news to it, though it may never be known here. */
bool news_move(socket_t *socket, const topic_t *topic)
{
    const catch_up_t *catch_up = topic->catch_up;
    if (socket->seq == UNKNOWN && catch_up->heard != UNKNOWN)
        socket->seq = catch_up->heard - 1;
    return socket->seq != UNKNOWN;
}

void news_continue(socket_t *socket, topic_t *topic)
{
    catch_up_t *catch_up = catch_up_of(topic);
    if (socket->seq == UNKNOWN) {
        news_begin(socket, topic);
        return;
    }
    if (catch_up->seq == UNKNOWN)
        begin_at(catch_up, socket->seq);
    else if (catch_up->seq > socket->seq)
        catch_up->seq = socket->seq;
    behind_add(catch_up);
}

void news_recover(socket_t *socket, topic_t *topic, int64_t seq, void (*done)(socket_t *, bool))
{
    recovery_t *recovery = memory_zeroed(1, sizeof(*recovery));
    catch_up_of(topic);
    *recovery = (recovery_t){.socket = socket, .topic = topic, .seq = seq, .done = done};
    recovery_add(recovery);
    if (news.asked < ASKED_MOST)
        recovery_ask(recovery);
}

void news_forget(topic_t *topic)
{
    catch_up_t *catch_up = topic->catch_up;
    if (catch_up == NULL)
        return;
    behind_remove(catch_up);
    if (catch_up->asked != NULL)
        catch_up->asked->catch_up = NULL;
    free(catch_up);
    topic->catch_up = NULL;
}

void news_forget_socket(socket_t *socket)
{
    if (socket->recovery != NULL)
        recovery_remove(socket->recovery);
}

void news_open(loop_t *loop, const namespace_t *namespace)
{
    news.namespace = namespace;
    news.values = arena_create(MISSED_BYTES, on_limit, NULL);
    broker_on_topics(on_topic, on_lost);
    loop->timer(loop, TICK, on_time, NULL);
}
