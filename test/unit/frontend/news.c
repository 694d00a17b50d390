/* What a user's sockets are shown, with everything around news and topics played: the broker says what this file says, the actor answers
 * when this file wants it to, from a table that grows meanwhile. Whatever comes late, twice or never: each socket is shown each number
 * once and in order, from where it began. */
#include "../unit.h"
#include "actor/operations.h"
#include "base/clock.h"
#include "frontend/counters.h"
#include "frontend/realtime/api.h"
#include "frontend/realtime/call_room.h"
#include "frontend/realtime/news.h"
#include "frontend/realtime/video_call.h"
#include "frontend/realtime/writing.h"
#include "frontend/relay.h"
#include "net/broker.h"

enum { QUESTIONS_MOST = 256, AT_ONCE = 64 /* questions under way, of news.c */, SHOWN_MOST = 256, NOBODY = -1 /* asked for the newest */ };

typedef struct {
    session_t session;
    socket_t socket;
    char shown[SHOWN_MOST]; /* "4 5 6" */
    int done;               /* times that its recovery ended */
    bool recovered;
} client_t;

static struct {
    int64_t after;
    void (*on_answer)(void *argument, int status, text_t body);
    void *argument;
} questions[QUESTIONS_MOST];
static int asked;
static bool reachable;
static int64_t now;
static uuid_t user;
static void (*on_topic)(text_t topic, text_t payload);
static void (*on_time)(void *argument);
static char topic_name[HINT_TOPIC_MAX + 1];

/* --- what is played ------------------------------------------------------------------------------------------------ */

process_t frontend;
_Atomic int64_t *counters[COUNTERS];
static const namespace_t namespace = {.name = "/"};

int64_t __wrap_clock_monotonic(void);
int64_t __wrap_clock_monotonic(void)
{
    return now;
}

bool relay_ask(const question_t *question, void (*on_answer)(void *argument, int status, text_t body), void *argument)
{
    const missed_after_t *after = question->input;
    if (!reachable)
        return false;
    assert_true(asked < QUESTIONS_MOST);
    questions[asked].after = message_has(after, seq) ? after->seq : NOBODY;
    questions[asked].on_answer = on_answer;
    questions[asked++].argument = argument;
    return true;
}

void broker_on_topics(void (*hear)(text_t topic, text_t payload), void (*on_lost)(void))
{
    (void)on_lost;
    on_topic = hear;
}

bool broker_follow(text_t topic)
{
    return topic.length > 0;
}

void broker_unfollow(text_t topic)
{
    (void)topic;
}

void api_end(topic_t *topic, const realtime_end_t *end)
{
    (void)topic, (void)end;
    fail();
}

void video_call_heard(topic_t *topic, const realtime_call_t *call)
{
    (void)topic, (void)call;
    fail();
}

void call_rooms_lost(void)
{
}

void call_room_forget(topic_t *topic)
{
    assert_null(topic->call_room);
}

frame_t *socket_event_frame(const namespace_t *in, const char *name, text_t arguments)
{
    assert_ptr_equal(in, &namespace);
    assert_string_equal(name, "new_notification");
    return frame_make(arguments, false);
}

void writing_feed(bool (*more)(void))
{
    (void)more;
    fail();
}

/* {},"5" */
void session_send(session_t *session, frame_t *frame)
{
    client_t *client = (client_t *)session;
    text_t arguments = frame_packet(frame);
    size_t length = strlen(client->shown);
    assert_true(text_starts_with(arguments, TEXT("{},\"")));
    snprintf(client->shown + length, SHOWN_MOST - length, "%s%.*s", length > 0 ? " " : "", (int)arguments.length - 5, arguments.data + 4);
}

static loop_timer_t *timer(loop_t *loop, int milliseconds, void (*call)(void *argument), void *argument)
{
    (void)loop, (void)milliseconds, (void)argument;
    on_time = call;
    return NULL;
}

/* --- what happens --------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static _Atomic int64_t places[COUNTERS];
    static loop_t loop = {.timer = timer};
    (void)state;
    for (int i = 0; i < COUNTERS; i++)
        counters[i] = &places[i];
    frontend.config.realtime.recovery = 120000;
    topics_open();
    news_open(&loop, &namespace);
    return 0;
}

/* Another user for each test. */
static int begin(void **state)
{
    char text[UUID_TEXT_SIZE];
    (void)state;
    user = uuid_new();
    uuid_format(user, text);
    snprintf(topic_name, sizeof(topic_name), TOPIC_USER "%s", text);
    asked = 0;
    reachable = true;
    now += 10 * CLOCK_SECOND;
    return 0;
}

static topic_t *come(client_t *client)
{
    *client = (client_t){.socket = {.session = &client->session, .namespace = &namespace, .id = uuid_random(), .seq = -1}};
    client->socket.token.user = user;
    assert_true(topic_join(&client->socket, text_of(topic_name)));
    return topic_find(text_of(topic_name));
}

static void join(client_t *client)
{
    topic_t *topic = come(client);
    client->socket.accepted = true;
    news_begin(&client->socket, topic);
}

static void moves_here(client_t *client, int64_t seq)
{
    topic_t *topic = come(client);
    client->socket.accepted = true;
    client->socket.seq = seq;
    news_continue(&client->socket, topic);
}

static void on_done(socket_t *socket, bool recovered)
{
    client_t *client = (client_t *)socket->session;
    client->done++;
    client->recovered = recovered;
    socket->accepted = true;
}

static void comes_back(client_t *client, int64_t seq)
{
    topic_t *topic = come(client);
    news_recover(&client->socket, topic, seq, on_done);
}

static void leave(client_t *client)
{
    news_forget_socket(&client->socket);
    topics_leave(&client->socket);
}

static void hint(int64_t seq)
{
    realtime_event_t event = {0};
    buffer_t payload = {0};
    message_set(&event, name, TEXT("new_notification"));
    message_set(&event, id, uuid_new());
    message_set(&event, seq, seq);
    message_set(&event, arguments, TEXT("{}"));
    realtime_pack_event(&event, &payload);
    on_topic(text_of(topic_name), buffer_text(&payload));
    buffer_free(&payload);
}

static void tick(int milliseconds)
{
    now += milliseconds * CLOCK_MILLISECOND;
    on_time(NULL);
}

/* The answer to this question, as the table was when its newest number was this. */
static void answer(int question, int64_t newest)
{
    missed_event_t events[MISSED_MOST] = {0};
    missed_t missed = {0};
    size_t count = 0;
    buffer_t body = {0};
    assert_true(question < asked);
    for (int64_t seq = questions[question].after + 1; questions[question].after != NOBODY && seq <= newest; seq++, count++) {
        message_set(&events[count], id, uuid_new());
        message_set(&events[count], seq, seq);
        message_set(&events[count], arguments, TEXT("{}"));
    }
    message_set(&missed, complete, true);
    message_set(&missed, newest, newest);
    message_set(&missed, events, (list_t){.items = events, .count = count});
    message_pack(&missed_message, &missed, &body);
    questions[question].on_answer(questions[question].argument, 200, buffer_text(&body));
    buffer_free(&body);
}

static void no_answer(int question)
{
    assert_true(question < asked);
    questions[question].on_answer(questions[question].argument, 0, (text_t){.data = NULL});
}

/* --- cases ---------------------------------------------------------------------------------------------------------- */

static void test_from_the_newest_on(void **state)
{
    client_t client;
    (void)state;
    join(&client);
    assert_int_equal(asked, 1);
    assert_int_equal(questions[0].after, NOBODY);
    answer(0, 5);
    hint(6);
    hint(6);
    hint(5);
    assert_string_equal(client.shown, "6");
    hint(8);
    tick(20);
    assert_int_equal(questions[1].after, 6);
    hint(9);
    answer(1, 8);
    tick(20);
    answer(2, 9);
    assert_string_equal(client.shown, "6 7 8 9");
    leave(&client);
}

/* It was connected when it was said; the answer may be from before, or from after that. */
static void test_a_hint_while_the_newest_is_asked(void **state)
{
    static const struct {
        int64_t newest;
        const char *shown;
    } cases[] = {{4, "5 6"}, {5, "5 6"}, {6, "5 6"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        client_t client;
        begin(state);
        join(&client);
        hint(5);
        hint(6);
        answer(0, cases[i].newest);
        tick(20);
        assert_int_equal(asked, 2);
        answer(1, 6);
        assert_string_equal(client.shown, cases[i].shown);
        leave(&client);
    }
}

static void test_a_hint_while_nobody_answers(void **state)
{
    client_t client;
    (void)state;
    reachable = false;
    join(&client);
    hint(5);
    tick(20);
    reachable = true;
    tick(20);
    no_answer(0);
    tick(1000);
    answer(1, 7);
    tick(20);
    answer(2, 7);
    assert_string_equal(client.shown, "5 6 7");
    leave(&client);
}

static void test_recovery(void **state)
{
    client_t client;
    (void)state;
    comes_back(&client, 3);
    assert_int_equal(questions[0].after, 3);
    answer(0, 5);
    assert_true(client.recovered);
    assert_string_equal(client.shown, "4 5");
    hint(6);
    assert_string_equal(client.shown, "4 5 6");
    assert_int_equal(client.done, 1);
    leave(&client);
}

/* Of another database than this one, or made up. */
static void test_recovery_from_a_number_that_was_never_given(void **state)
{
    client_t client, other;
    (void)state;
    comes_back(&client, 9);
    answer(0, 5);
    assert_int_equal(client.done, 1);
    assert_false(client.recovered);
    join(&other);
    answer(1, 5);
    hint(6);
    assert_string_equal(other.shown, "6");
    leave(&client);
    leave(&other);
}

/* It waits until somebody knows, instead of being let in without what it missed. */
static void test_recovery_while_nobody_answers(void **state)
{
    client_t client;
    (void)state;
    reachable = false;
    comes_back(&client, 3);
    assert_int_equal(client.done, 0);
    tick(300);
    reachable = true;
    tick(300);
    assert_int_equal(asked, 1);
    no_answer(0);
    assert_int_equal(client.done, 0);
    hint(5);
    tick(300);
    for (int i = 1; i < 3; i++)
        answer(i, 5);
    tick(300);
    answer(3, 5);
    assert_int_equal(client.done, 1);
    assert_true(client.recovered);
    assert_string_equal(client.shown, "4 5");
    leave(&client);
}

/* All come back: so many are asked for at once, the others in the order of their coming; who has gone meanwhile is not. */
static void test_many_recoveries(void **state)
{
    static client_t clients[3 * AT_ONCE];
    (void)state;
    for (int i = 0; i < 3 * AT_ONCE; i++)
        comes_back(&clients[i], 3);
    assert_int_equal(asked, AT_ONCE);
    tick(20);
    assert_int_equal(asked, AT_ONCE);
    leave(&clients[AT_ONCE]);
    for (int i = 0; i < 3 * AT_ONCE - 1; i++) {
        answer(i, 5);
        tick(20);
    }
    assert_int_equal(asked, 3 * AT_ONCE - 1);
    for (int i = 0; i < 3 * AT_ONCE; i++) {
        assert_string_equal(clients[i].shown, i != AT_ONCE ? "4 5" : "");
        assert_true(i == AT_ONCE || clients[i].recovered);
        if (i != AT_ONCE)
            leave(&clients[i]);
    }
}

static void test_who_goes_while_it_is_recovered(void **state)
{
    client_t client;
    (void)state;
    comes_back(&client, 3);
    leave(&client);
    answer(0, 5);
    assert_int_equal(client.done, 0);
    assert_string_equal(client.shown, "");
}

/* An answer that begins further on than somebody who came meanwhile has been shown is asked again. */
static void test_somebody_from_further_back_comes_while_it_is_asked(void **state)
{
    client_t first, second;
    (void)state;
    join(&first);
    answer(0, 5);
    hint(7);
    tick(20);
    assert_int_equal(questions[1].after, 5);
    moves_here(&second, 2);
    answer(1, 7);
    tick(20);
    assert_int_equal(questions[2].after, 2);
    answer(2, 7);
    assert_string_equal(first.shown, "6 7");
    assert_string_equal(second.shown, "3 4 5 6 7");
    leave(&first);
    leave(&second);
}

/* Where to begin is said by who comes back, before the newest number is known; what the others heard of is not passed over. */
static void test_recovery_while_the_newest_is_asked(void **state)
{
    client_t first, second;
    (void)state;
    join(&first);
    hint(6);
    comes_back(&second, 3);
    answer(1, 6);
    assert_string_equal(second.shown, "4 5 6");
    answer(0, 7);
    tick(20);
    answer(2, 7);
    assert_string_equal(first.shown, "6 7");
    assert_string_equal(second.shown, "4 5 6 7");
    leave(&first);
    leave(&second);
}

/* Where it is to go on elsewhere: known, heard of, or not yet. */
static void test_it_goes_to_another_frontend(void **state)
{
    client_t first, second, there;
    (void)state;
    join(&first);
    assert_false(news_move(&first.socket, topic_find(text_of(topic_name))));
    hint(6);
    assert_true(news_move(&first.socket, topic_find(text_of(topic_name))));
    leave(&first);
    moves_here(&there, first.socket.seq);
    tick(20);
    assert_int_equal(questions[1].after, 5);
    answer(1, 7);
    assert_string_equal(there.shown, "6 7");
    leave(&there);
    join(&second);
    assert_false(news_move(&second.socket, topic_find(text_of(topic_name))));
    answer(2, 7);
    assert_true(news_move(&second.socket, topic_find(text_of(topic_name))));
    assert_int_equal(second.socket.seq, 7);
    leave(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_from_the_newest_on, begin),
        cmocka_unit_test_setup(test_a_hint_while_the_newest_is_asked, begin),
        cmocka_unit_test_setup(test_a_hint_while_nobody_answers, begin),
        cmocka_unit_test_setup(test_recovery, begin),
        cmocka_unit_test_setup(test_recovery_from_a_number_that_was_never_given, begin),
        cmocka_unit_test_setup(test_recovery_while_nobody_answers, begin),
        cmocka_unit_test_setup(test_many_recoveries, begin),
        cmocka_unit_test_setup(test_who_goes_while_it_is_recovered, begin),
        cmocka_unit_test_setup(test_somebody_from_further_back_comes_while_it_is_asked, begin),
        cmocka_unit_test_setup(test_recovery_while_the_newest_is_asked, begin),
        cmocka_unit_test_setup(test_it_goes_to_another_frontend, begin),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
