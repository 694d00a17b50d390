/* What is said to many, with sessions played: each that was there when it was said, and still is when its turn comes, is shown it once,
 * and in order, whoever comes and goes meanwhile. */
#include "../unit.h"
#include "frontend/counters.h"
#include "frontend/realtime/call_room.h"
#include "frontend/realtime/fanout.h"
#include "frontend/realtime/news.h"
#include "frontend/realtime/writing.h"
#include "net/broker.h"

enum { CLIENTS = 100, SHOWN_MOST = 400, SAYINGS_MOST = 64 /* of fanout.c */ };

typedef struct {
    session_t session;
    socket_t socket;
    char shown[SHOWN_MOST]; /* "abc" */
} client_t;

static client_t clients[CLIENTS + 1];
static bool (*feed)(void);
static const text_t NAME = {"role:parent", 11};

_Atomic int64_t *counters[COUNTERS];

/* --- what is played ------------------------------------------------------------------------------------------------ */

void session_send(session_t *session, frame_t *frame)
{
    client_t *client = (client_t *)session;
    size_t length = strlen(client->shown);
    assert_true(length + 1 < SHOWN_MOST);
    client->shown[length] = frame_packet(frame).data[0];
}

void writing_feed(bool (*more)(void))
{
    feed = more;
}

bool broker_follow(text_t topic)
{
    return topic.length > 0;
}

void broker_unfollow(text_t topic)
{
    (void)topic;
}

void news_forget(topic_t *topic)
{
    (void)topic;
}

void call_room_forget(topic_t *topic)
{
    (void)topic;
}

static client_t *come(int place)
{
    client_t *client = &clients[place];
    *client = (client_t){.socket = {.session = &client->session, .id = uuid_random(), .accepted = true}};
    client->socket.token.user = uuid_random();
    assert_true(topic_join(&client->socket, NAME));
    return client;
}

static void say_text(text_t text, const uuid_t *sender, text_t except)
{
    frame_t *frame = frame_make(text, false);
    fanout_show(topic_find(NAME), frame, sender, except);
    frame_release(&frame);
}

static void say(char word, const uuid_t *sender, text_t except)
{
    say_text((text_t){&word, 1}, sender, except);
}

static void say_to_all(char word)
{
    say(word, NULL, (text_t){.data = NULL});
}

/* So many times, or until there is nothing left. */
static void go_on(int times)
{
    for (int i = 0; i < times && feed != NULL; i++)
        if (!feed())
            feed = NULL;
}

static int set_up(void **state)
{
    static _Atomic int64_t places[COUNTERS];
    (void)state;
    for (int i = 0; i < COUNTERS; i++)
        counters[i] = &places[i];
    topics_open();
    return 0;
}

static int begin(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        come(i);
    return 0;
}

static int end(void **state)
{
    (void)state;
    go_on(CLIENTS);
    assert_null(feed);
    for (int i = 0; i <= CLIENTS; i++)
        topics_leave(&clients[i].socket);
    assert_null(topic_find(NAME));
    return 0;
}

static int heard(const char *words)
{
    int count = 0;
    for (int i = 0; i < CLIENTS; i++)
        count += strcmp(clients[i].shown, words) == 0;
    return count;
}

/* --- cases ---------------------------------------------------------------------------------------------------------- */

static void test_a_few_at_a_time(void **state)
{
    (void)state;
    say_to_all('a');
    assert_int_equal(heard(""), CLIENTS);
    go_on(1);
    assert_in_range(heard("a"), 1, CLIENTS / 2);
    go_on(CLIENTS);
    assert_int_equal(heard("a"), CLIENTS);
}

static void test_few_are_shown_at_once(void **state)
{
    (void)state;
    for (int i = 5; i < CLIENTS; i++)
        topics_leave(&clients[i].socket);
    say_to_all('a');
    assert_int_equal(heard("a"), 5);
    assert_null(feed);
}

/* Also when all but a few leave in between: what is said then does not come first. */
static void test_in_order(void **state)
{
    (void)state;
    say_to_all('a');
    go_on(1);
    say_to_all('b');
    for (int i = 5; i < CLIENTS; i++)
        topics_leave(&clients[i].socket);
    say_to_all('c');
    go_on(CLIENTS);
    for (int i = 0; i < 5; i++)
        assert_string_equal(clients[i].shown, "abc");
}

static void test_who_comes_later_is_not_told(void **state)
{
    (void)state;
    say_to_all('a');
    go_on(1);
    const client_t *later = come(CLIENTS);
    say_to_all('b');
    go_on(CLIENTS);
    assert_string_equal(later->shown, "b");
    assert_int_equal(heard("ab"), CLIENTS);
}

/* Whoever leaves at whatever moment, everybody else is told once. */
static void test_who_leaves(void **state)
{
    for (int leaves = 0; leaves < CLIENTS; leaves++) {
        say_to_all('a');
        go_on(1);
        topics_leave(&clients[leaves].socket);
        go_on(CLIENTS);
        for (int i = 0; i < CLIENTS; i++)
            if (i != leaves)
                assert_string_equal(clients[i].shown, "a");
        end(state);
        begin(state);
    }
}

static void test_all_leave(void **state)
{
    (void)state;
    say_to_all('a');
    go_on(1);
    int told = heard("a");
    for (int i = 0; i < CLIENTS; i++)
        topics_leave(&clients[i].socket);
    assert_null(topic_find(NAME));
    go_on(CLIENTS);
    assert_int_equal(heard("a"), told);
    begin(state); /* another topic, perhaps where the other one was */
    say_to_all('b');
    go_on(CLIENTS);
    assert_int_equal(heard("b"), CLIENTS);
}

static int by_id(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(uuid_t));
}

static void test_not_to_some(void **state)
{
    uuid_t users[3] = {clients[7].socket.token.user, clients[50].socket.token.user, clients[99].socket.token.user};
    (void)state;
    qsort(users, 3, sizeof(users[0]), by_id);
    clients[20].socket.accepted = false;
    say('a', &clients[30].socket.id, (text_t){(const char *)users, sizeof(users)});
    memset(users, 0, sizeof(users)); /* they are the caller's */
    go_on(CLIENTS);
    assert_int_equal(heard("a"), CLIENTS - 5);
    assert_string_equal(clients[20].shown, "");
    assert_string_equal(clients[30].shown, "");
    assert_string_equal(clients[50].shown, "");
}

static void test_finish(void **state)
{
    (void)state;
    say_to_all('a');
    go_on(1);
    say_to_all('b');
    fanout_finish();
    assert_int_equal(heard("ab"), CLIENTS);
}

/* More than may wait: those before are shown first. */
static void test_bounded(void **state)
{
    char all[3 * SAYINGS_MOST + 1] = "";
    (void)state;
    for (int i = 0; i < 3 * SAYINGS_MOST; i++) {
        all[i] = (char)('a' + i % 26);
        say_to_all(all[i]);
        assert_true(strlen(clients[0].shown) + SAYINGS_MOST > (size_t)i);
    }
    go_on(CLIENTS * SAYINGS_MOST);
    assert_int_equal(heard(all), CLIENTS);
}

/* No more than that: who reads well has room for what waits, and nobody waits for all of it to be shown. */
static void test_the_oldest_makes_room(void **state)
{
    (void)state;
    for (int i = 0; i <= SAYINGS_MOST; i++)
        say_to_all((char)(i == 0 ? 'a' : 'b'));
    assert_int_equal(heard("a"), CLIENTS);
    go_on(CLIENTS * SAYINGS_MOST);
}

static void test_bytes_are_bounded(void **state)
{
    static char words[20 << 10], large[100 << 10] = "f";
    (void)state;
    for (int i = 0; i < 5; i++) {
        memset(words, 'a' + i, sizeof(words));
        say_text((text_t){words, sizeof(words)}, NULL, (text_t){.data = NULL});
    }
    assert_int_equal(heard("ab"), CLIENTS);
    go_on(CLIENTS);
    assert_int_equal(heard("abcde"), CLIENTS);
    say_text((text_t){large, sizeof(large)}, NULL, (text_t){.data = NULL});
    assert_int_equal(heard("abcde"), CLIENTS);
    go_on(CLIENTS);
    assert_int_equal(heard("abcdef"), CLIENTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_few_at_a_time, begin, end),
        cmocka_unit_test_setup_teardown(test_few_are_shown_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_in_order, begin, end),
        cmocka_unit_test_setup_teardown(test_who_comes_later_is_not_told, begin, end),
        cmocka_unit_test_setup_teardown(test_who_leaves, begin, end),
        cmocka_unit_test_setup_teardown(test_all_leave, begin, end),
        cmocka_unit_test_setup_teardown(test_not_to_some, begin, end),
        cmocka_unit_test_setup_teardown(test_finish, begin, end),
        cmocka_unit_test_setup_teardown(test_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_the_oldest_makes_room, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes_are_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
