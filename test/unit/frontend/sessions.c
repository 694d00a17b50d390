/* Hundreds of clients at one frontend, with time and what stands around sessions and sockets played: whose session was ended, or whose
 * token has expired, is told so within a second though no word of it came; what is said to all reaches all, also when the frontend
 * stops; however long turns take. */
#include "../unit.h"
#include "base/clock.h"
#include "frontend/auth.h"
#include "frontend/counters.h"
#include "frontend/limits.h"
#include "frontend/loop_h2o.h"
#include "frontend/relay.h"
#include "frontend/realtime/api.h"
#include "frontend/realtime/call_room.h"
#include "frontend/realtime/fanout.h"
#include "frontend/realtime/news.h"
#include "frontend/realtime/online.h"
#include "frontend/realtime/polling.h"
#include "frontend/realtime/video_call.h"
#include "frontend/realtime/websocket.h"
#include "net/broker.h"
#include "shm/rate.h"
#include "shm/revocation.h"
#include <poll.h>
#include <sys/timerfd.h>

enum { CLIENTS = 300, TIMERS_MOST = 4, EPOCH = 1000000000 /* clock_now() ahead of clock_monotonic() */ };

typedef struct {
    session_t *session;
    uuid_t token_session;
    int64_t expires, told; /* clock_monotonic() when it was told of its end; 0: it was not */
    int broadcasts;
} client_t;

static client_t clients[CLIENTS], *connecting;
static struct {
    int milliseconds;
    int64_t due;
    void (*on_time)(void *argument);
} timers[TIMERS_MOST];
static int timer_count, pause_fd, written; /* written: frames in this turn */
static bool (*on_turn)(void *argument);
static void (*on_pause_over)(void *argument, int events);
static int64_t now = 1000 * CLOCK_SECOND;
static uint64_t version = 7;
static uuid_t ended;

process_t frontend;
_Atomic int64_t *counters[COUNTERS];

/* --- what is played ------------------------------------------------------------------------------------------------ */

int64_t __wrap_clock_monotonic(void);
int64_t __wrap_clock_monotonic(void)
{
    return now;
}

int64_t __wrap_clock_now(void);
int64_t __wrap_clock_now(void)
{
    return now + EPOCH;
}

static void take_all(client_t *client, session_t *session)
{
    for (frame_t *frame; (frame = queue_take(&session->queue)) != NULL; frame_release(&frame)) {
        text_t packet = frame_packet(frame);
        now += 5; /* it takes some microseconds */
        written++;
        if (text_equal(packet, TEXT("41")) || text_equal(packet, TEXT("1")))
            client->told = client->told != 0 ? client->told : now;
        else if (text_equal(packet, TEXT("broadcast")))
            client->broadcasts++;
    }
}

void websocket_flush(websocket_t *websocket)
{
    client_t *client = (client_t *)(void *)websocket;
    take_all(client, client->session);
    session_written(client->session);
}

void websocket_leave(session_t *session)
{
    client_t *client = (client_t *)(void *)session->websocket;
    take_all(client, session);
    client->session = NULL;
    client->told = client->told != 0 ? client->told : now;
    session->websocket = NULL;
}

void websockets_look(void)
{
}

void websockets_bury(void)
{
}

void polling_flush(session_t *session)
{
    (void)session;
    fail();
}

void polling_leave(session_t *session)
{
    assert_null(session->poll);
}

void polling_say(session_t *session, text_t packet)
{
    (void)session, (void)packet;
    fail();
}

bool auth_check_token(text_t token, int64_t at, token_t *out, const char **reason)
{
    (void)token, (void)at, (void)reason;
    *out = (token_t){.user = uuid_random(), .session = uuid_random(), .role = ROLE_PARENT, .expires = connecting->expires + EPOCH};
    connecting->token_session = out->session;
    return true;
}

bool revocation_ended(segment_t *segment, uuid_t session, int64_t at)
{
    (void)segment, (void)at;
    return uuid_equal(session, ended);
}

int64_t revocation_not_before(segment_t *segment, uuid_t session, uuid_t user, int64_t at)
{
    (void)segment, (void)session, (void)user, (void)at;
    return 0;
}

uint64_t revocation_version(const segment_t *segment)
{
    (void)segment;
    return version;
}

rate_result_t rate_check(segment_t *segment, const char *class, text_t key, int64_t limit, int64_t window, int64_t at)
{
    (void)segment, (void)class, (void)key, (void)limit, (void)window, (void)at;
    return (rate_result_t){.allowed = true};
}

text_t process_secret(const char *name)
{
    return text_of(name);
}

void loop_h2o_again(loop_t *loop)
{
    (void)loop;
}

bool broker_follow(text_t topic)
{
    return topic.length > 0;
}

void broker_unfollow(text_t topic)
{
    (void)topic;
}

bool limits_address(limits_t *limits, enum rate_class class, address_t client, int64_t at)
{
    (void)limits, (void)class, (void)client, (void)at;
    return true;
}

bool relay_ask(const question_t *question, void (*on_answer)(void *argument, int status, text_t body), void *argument)
{
    (void)question, (void)on_answer, (void)argument;
    return false;
}

void news_open(loop_t *loop, const namespace_t *namespace)
{
    (void)loop, (void)namespace;
}

void news_begin(socket_t *socket, topic_t *topic)
{
    (void)socket, (void)topic;
}

bool news_move(socket_t *socket, const topic_t *topic)
{
    (void)socket, (void)topic;
    return true;
}

void news_continue(socket_t *socket, topic_t *topic)
{
    (void)socket, (void)topic;
}

void news_recover(socket_t *socket, topic_t *topic, int64_t seq, void (*done)(socket_t *, bool recovered))
{
    (void)socket, (void)topic, (void)seq, (void)done;
    fail();
}

void news_forget(topic_t *topic)
{
    (void)topic;
}

void call_room_forget(topic_t *topic)
{
    (void)topic;
}

void video_call_open(loop_t *loop, text_t turn_secret)
{
    (void)loop, (void)turn_secret;
}

void online_open(loop_t *loop)
{
    (void)loop;
}

#define OF_SOCKET(name)         \
    void name(socket_t *socket) \
    {                           \
        (void)socket;           \
    }
OF_SOCKET(online_enter)
OF_SOCKET(online_leave)
OF_SOCKET(news_forget_socket)
OF_SOCKET(video_call_forget)
OF_SOCKET(video_call_moved)

#define OF_EVENT(name)               \
    void name(const event_t *event)  \
    {                                \
        (void)event;                 \
        fail();                      \
    }
OF_EVENT(online_announce)
OF_EVENT(online_withdraw)
OF_EVENT(online_ask)
OF_EVENT(video_call_join)
OF_EVENT(video_call_signal)
OF_EVENT(video_call_leave)

/* --- the loop ------------------------------------------------------------------------------------------------------- */

static loop_watch_t *watch(loop_t *loop, int fd, int events, void (*on_ready)(void *argument, int events), void *argument)
{
    (void)loop, (void)events, (void)argument;
    pause_fd = fd;
    on_pause_over = on_ready;
    return NULL;
}

static loop_timer_t *timer(loop_t *loop, int milliseconds, void (*on_time)(void *argument), void *argument)
{
    (void)loop, (void)argument;
    assert_true(timer_count < TIMERS_MOST);
    timers[timer_count].milliseconds = milliseconds;
    timers[timer_count].on_time = on_time;
    timers[timer_count++].due = loop_due(now, milliseconds, false);
    return NULL;
}

static void add_turn_hook(loop_t *loop, bool (*hook)(void *argument), void *argument)
{
    (void)loop, (void)argument;
    on_turn = hook;
}

/* One that takes so long. */
static void turn(int milliseconds)
{
    struct pollfd pause = {.fd = pause_fd, .events = POLLIN};
    now += milliseconds * CLOCK_MILLISECOND;
    struct itimerspec left;
    timerfd_gettime(pause_fd, &left);
    if (poll(&pause, 1, left.it_value.tv_nsec > 0 ? 1000 : 0) == 1)
        on_pause_over(NULL, LOOP_READ);
    for (int i = 0; i < timer_count; i++)
        if (timers[i].due <= now) {
            timers[i].due = loop_due(now, timers[i].milliseconds, true);
            timers[i].on_time(NULL);
        }
    written = 0;
    on_turn(NULL);
}

static void enter(client_t *client, int64_t expires)
{
    *client = (client_t){.expires = expires};
    connecting = client;
    client->session = session_create(&socket_service, (address_t){.bytes = {1}}, LANGUAGE_KO, (websocket_t *)(void *)client);
    assert_true(session_receive(client->session,
        &(engine_packet_t){.type = ENGINE_MESSAGE, .data = TEXT("0{\"token\":\"t\"}")}));
}

static int connected(void)
{
    int count = 0;
    for (int i = 0; i < CLIENTS; i++)
        count += clients[i].session != NULL;
    return count;
}

/* Until all that was queued has been written. */
static void settle(void)
{
    do
        turn(1);
    while (written > 0);
}

static int set_up(void **state)
{
    static loop_t loop = {.watch = watch, .timer = timer, .add_turn_hook = add_turn_hook};
    static _Atomic int64_t places[COUNTERS];
    (void)state;
    for (int i = 0; i < COUNTERS; i++)
        counters[i] = &places[i];
    frontend.config.realtime.max_sessions = 4 * CLIENTS;
    frontend.config.realtime.connect_timeout = frontend.config.realtime.ping_interval = frontend.config.realtime.ping_timeout = 100000000;
    frontend.config.realtime.queue_bytes = frontend.config.realtime.queue_messages = 1000000;
    frontend.config.realtime.messages = 1000;
    frontend.config.http.drain_timeout = 2000;
    topics_open();
    sockets_open(api_namespaces, api_namespace_count);
    sessions_open(&loop);
    api_open(&loop);
    for (int i = 0; i < CLIENTS; i++)
        enter(&clients[i], INT64_MAX / 2);
    settle();
    assert_int_equal(connected(), CLIENTS);
    return 0;
}

/* --- cases ---------------------------------------------------------------------------------------------------------- */

static const int turn_lengths[] = {1, 20, 40, 90};

/* At whatever moment of a sweep, and whosever. */
static void test_who_was_logged_out_is_told_within_a_second(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        int length = turn_lengths[i % 4];
        client_t *client = &clients[i * 37 % CLIENTS];
        for (int j = 0; j < i * 13 % 50; j++)
            turn(length);
        int64_t since = now;
        ended = client->token_session;
        version++;
        while (client->told == 0 && now - since < 5 * CLOCK_SECOND)
            turn(length);
        assert_in_range(client->told - since, 0, CLOCK_SECOND);
        turn(length);
        assert_null(client->session);
        enter(client, INT64_MAX / 2);
        assert_int_equal(connected(), CLIENTS);
    }
    settle();
}

static void test_whose_token_expired_is_told_soon(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        int length = turn_lengths[i % 4];
        client_t *client = &clients[i * 53 % CLIENTS];
        connecting = client;
        client->expires = now + 300 * CLOCK_MILLISECOND;
        session_close(client->session, "test");
        enter(client, client->expires);
        while (client->told == 0 && now - client->expires < 5 * CLOCK_SECOND)
            turn(length);
        assert_in_range(client->told - client->expires, 0, CLOCK_SECOND + 200 * CLOCK_MILLISECOND);
        turn(length);
        enter(client, INT64_MAX / 2);
    }
    settle();
}

/* It was ended where it came from, behind the last look there, and is behind ours here. */
static void test_who_was_logged_out_comes_from_another_frontend(void **state)
{
    buffer_t packed = {0};
    (void)state;
    client_t *client = &clients[7];
    assert_true(session_pack(client->session, false, &packed));
    client->session->moved = true;
    session_close(client->session, "test");
    ended = client->token_session;
    client->told = 0;
    client->session = session_unpack(
        &socket_service, (address_t){.bytes = {1}}, LANGUAGE_KO, (websocket_t *)(void *)client, buffer_text(&packed));
    assert_non_null(client->session);
    turn(1);
    turn(1);
    assert_int_not_equal(client->told, 0);
    assert_null(client->session);
    enter(client, INT64_MAX / 2);
    settle();
    buffer_free(&packed);
}

static void say_to_all(void)
{
    frame_t *frame = frame_make(TEXT("broadcast"), false);
    fanout_show(topic_find(TEXT("role:parent")), frame, NULL, (text_t){.data = NULL});
    frame_release(&frame);
}

static int told(int times)
{
    int count = 0;
    for (int i = 0; i < CLIENTS; i++)
        count += clients[i].broadcasts == times;
    return count;
}

/* A slice at a time; and who has something else to be told meanwhile is told that first. */
static void test_a_broadcast_in_slices(void **state)
{
    (void)state;
    say_to_all();
    turn(1);
    assert_in_range(told(1), 1, CLIENTS / 2);
    session_send_packet(clients[0].session, TEXT("2"), false);
    turn(1);
    turn(1);
    assert_int_equal(clients[0].session->queue.count, 0);
    for (int i = 0; i < 1000 && told(1) < CLIENTS; i++)
        turn(1);
    assert_int_equal(told(1), CLIENTS);
    settle();
    assert_int_equal(told(1), CLIENTS);
}

/* Who is sent away has heard what was said before. The last case. */
static void test_a_broadcast_while_the_frontend_stops(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        clients[i].broadcasts = 0;
    sessions_drain();
    turn(400);
    int left = connected();
    assert_in_range(left, 1, CLIENTS - 1);
    say_to_all();
    turn(100);
    assert_in_range(connected(), 1, left - 1);
    while (connected() > 0)
        turn(1);
    assert_int_equal(told(1), left);
    assert_int_equal(told(0), CLIENTS - left);
    assert_int_equal(sessions_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_was_logged_out_is_told_within_a_second),
        cmocka_unit_test(test_whose_token_expired_is_told_soon),
        cmocka_unit_test(test_who_was_logged_out_comes_from_another_frontend),
        cmocka_unit_test(test_a_broadcast_in_slices),
        cmocka_unit_test(test_a_broadcast_while_the_frontend_stops),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
