/* Who is in a call's room, with the instance table of a real segment and the other machine played: of each that is gone is told once,
 * whatever comes late, twice or never. */
#include "../unit.h"
#include "base/clock.h"
#include "frontend/exchange.h"
#include "frontend/realtime/call_room.h"
#include "net/broker.h"

enum { LEASE = 10000 /* milliseconds */, SAID_MOST = 512, NEAR = 2, OWN = 1, FAR = 7 /* generations */ };

process_t frontend;
static topic_t topic;
static int64_t now;
static char said[SAID_MOST]; /* "+A -B ?" */
static int published;
static uuid_t far_machine;
static void (*on_frontend)(text_t payload);
static void (*on_time)(void *argument);

int64_t __wrap_clock_monotonic(void);
int64_t __wrap_clock_monotonic(void)
{
    return now;
}

void broker_subscribe(const char *name, void (*on_hint)(text_t payload))
{
    assert_string_equal(name, TOPIC_FRONTENDS);
    on_frontend = on_hint;
}

void broker_publish(text_t name, text_t payload)
{
    realtime_home_t home;
    assert_true(text_equal(name, TEXT(TOPIC_FRONTENDS)) && realtime_read_home(payload, &home) && !home.ended);
    assert_int_equal(home.generation, OWN);
    published++;
}

static loop_timer_t *timer(loop_t *loop, int milliseconds, void (*call)(void *argument), void *argument)
{
    (void)loop, (void)milliseconds, (void)argument;
    on_time = call;
    return NULL;
}

static void add_turn_hook(loop_t *loop, bool (*hook)(void *argument), void *argument)
{
    (void)loop, (void)hook, (void)argument;
}

static void note(const char *sign, const uuid_t *socket)
{
    size_t length = strlen(said);
    snprintf(said + length, SAID_MOST - length, "%s%s%.1s", length > 0 ? " " : "", sign, socket != NULL ? (const char *)socket : "");
}

static void tell(topic_t *of, enum realtime_call_act act, uuid_t user, uuid_t socket, const uuid_t *except)
{
    (void)user, (void)except;
    assert_ptr_equal(of, &topic);
    note(act == CALL_JOINED ? "+" : "-", &socket);
}

static void ask(topic_t *of)
{
    assert_ptr_equal(of, &topic);
    note("?", NULL);
}

static void row_put(int slot, uint64_t generation, enum instance_state state)
{
    segment_instance_t *row = segment_instance(frontend.segment, slot);
    row->service = 3;
    atomic_store(&row->generation, generation);
    atomic_store(&row->state, state);
    atomic_store(&row->used, 1);
    segment_touch(frontend.segment);
}

static int set_up(void **state)
{
    static loop_t loop = {.timer = timer, .add_turn_hook = add_turn_hook};
    int fd;
    (void)state;
    frontend.segment = segment_create(&fd);
    frontend.self = segment_instance(frontend.segment, 0);
    frontend.generation = OWN;
    frontend.config.realtime.presence_lease = LEASE;
    frontend.config.cluster.enabled = true;
    far_machine = uuid_random();
    row_put(0, OWN, INSTANCE_READY);
    call_room_open(&loop, &(call_room_says_t){.tell = tell, .ask = ask});
    return 0;
}

static void pass(int milliseconds)
{
    now += milliseconds * CLOCK_MILLISECOND;
    on_time(NULL);
}

static void wait_for(int milliseconds)
{
    for (int i = 0; i < milliseconds; i += 200)
        pass(200);
}

static int begin(void **state)
{
    (void)state;
    call_room_forget(&topic);
    wait_for(4 * LEASE); /* nothing is remembered of the test before */
    row_put(1, NEAR, INSTANCE_READY);
    snprintf(topic.name, sizeof(topic.name), "room:call:test");
    call_room_begin(&topic);
    said[0] = '\0';
    return 0;
}

/* The socket's and client's names are a letter each. Was it shown? */
static bool hear(enum realtime_call_act act, int generation, char socket, char client)
{
    realtime_call_t call = {0};
    uuid_t id = {{(uint8_t)socket}};
    message_set(&call, act, act);
    message_set(&call, machine, generation == FAR ? far_machine : segment_identity(frontend.segment));
    message_set(&call, generation, generation);
    message_set(&call, socket, id);
    message_set(&call, user, (uuid_t){{9}});
    message_set(&call, client, client);
    return call_room_take(&topic, &call);
}

static void far_says(bool ended)
{
    buffer_t packed = {0};
    realtime_pack_home(far_machine, FAR, ended, &packed);
    on_frontend(buffer_text(&packed));
    buffer_free(&packed);
}

static void test_its_frontend_was_killed(void **state)
{
    (void)state;
    assert_true(hear(CALL_JOINED, NEAR, 'A', 'a'));
    assert_false(hear(CALL_HERE, NEAR, 'B', 'b'));
    assert_true(hear(CALL_JOINED, NEAR, 'C', 'c'));
    assert_true(hear(CALL_LEFT, NEAR, 'C', 'c'));
    row_put(1, NEAR, INSTANCE_BACKOFF);
    assert_true(hear(CALL_JOINED, OWN, 'D', 'a')); /* looked at before it is taken */
    assert_true(strcmp(said, "-A -B") == 0 || strcmp(said, "-B -A") == 0);
    said[0] = '\0';
    assert_false(hear(CALL_SIGNAL, NEAR, 'A', 'a'));
    assert_false(hear(CALL_LEFT, NEAR, 'A', 'a'));
    assert_false(hear(CALL_JOINED, NEAR, 'E', 'e'));
    pass(LEASE);
    assert_string_equal(said, "");
}

static void test_its_client_came_back(void **state)
{
    (void)state;
    hear(CALL_JOINED, NEAR, 'A', 'a');
    assert_true(hear(CALL_JOINED, OWN, 'B', 'a'));
    assert_string_equal(said, "-A");
    assert_false(hear(CALL_SIGNAL, NEAR, 'A', 'a'));
    assert_false(hear(CALL_HERE, NEAR, 'A', 'a'));
    assert_false(hear(CALL_LEFT, NEAR, 'A', 'a'));
    hear(CALL_JOINED, NEAR, 'C', 'a');
    assert_string_equal(said, "-A -B");
    assert_true(hear(CALL_JOINED, OWN, 'D', 'a'));
    row_put(1, NEAR, INSTANCE_BACKOFF);
    assert_true(hear(CALL_SIGNAL, OWN, 'D', 'a'));
    assert_string_equal(said, "-A -B -C");
}

static void test_it_went_to_another_frontend(void **state)
{
    (void)state;
    hear(CALL_JOINED, NEAR, 'A', 'a');
    assert_false(hear(CALL_HERE, FAR, 'A', 'a'));
    row_put(1, NEAR, INSTANCE_BACKOFF);
    pass(200);
    assert_true(hear(CALL_SIGNAL, FAR, 'A', 'a'));
    assert_string_equal(said, "");
    far_says(true);
    assert_string_equal(said, "-A");
}

/* Its WebSocket there may be gone when it comes, or that frontend. */
static void test_it_never_came_to_another_frontend(void **state)
{
    (void)state;
    hear(CALL_JOINED, NEAR, 'A', 'a');
    hear(CALL_JOINED, NEAR, 'B', 'b');
    assert_false(hear(CALL_MOVES, NEAR, 'A', 'a'));
    assert_false(hear(CALL_MOVES, NEAR, 'B', 'b'));
    hear(CALL_HERE, OWN, 'B', 'b');
    wait_for(LEASE / 2);
    assert_string_equal(said, "");
    wait_for(LEASE);
    assert_string_equal(said, "-A");
    hear(CALL_HERE, NEAR, 'B', 'b');
    assert_false(hear(CALL_MOVES, OWN, 'B', 'b')); /* came later than what the next one said */
    assert_false(hear(CALL_MOVES, OWN, 'C', 'c'));
    wait_for(2 * LEASE);
    assert_string_equal(said, "-A");
}

static void test_another_machine_s_word(void **state)
{
    (void)state;
    hear(CALL_JOINED, FAR, 'A', 'a');
    far_says(true);
    far_says(true);
    assert_string_equal(said, "-A");
    assert_false(hear(CALL_SIGNAL, FAR, 'A', 'a')); /* it came late */
    pass(2 * LEASE);
    assert_string_equal(said, "-A");
}

static void test_another_machine_falls_silent(void **state)
{
    (void)state;
    hear(CALL_JOINED, FAR, 'A', 'a');
    hear(CALL_JOINED, FAR, 'B', 'b');
    for (int i = 0; i < 5; i++) {
        wait_for(LEASE / 2);
        far_says(false);
    }
    assert_string_equal(said, "");
    wait_for(2 * LEASE);
    assert_true(strcmp(said, "-A -B") == 0 || strcmp(said, "-B -A") == 0);
    said[0] = '\0';
    far_says(false);
    assert_string_equal(said, "? ?");
    assert_false(hear(CALL_HERE, FAR, 'A', 'a'));
    assert_string_equal(said, "? ? +A");
    for (int i = 0; i < 20; i++)
        far_says(false);
    assert_string_equal(said, "? ? +A ? ? ? ?"); /* so often for B, which has left meanwhile */
    far_says(true);
    assert_string_equal(said, "? ? +A ? ? ? ? -A");
}

static void test_bounds(void **state)
{
    (void)state;
    for (int i = 0; i < CALL_ROOM_MOST; i++)
        hear(CALL_JOINED, NEAR, (char)(1 + i), 0);
    hear(CALL_JOINED, OWN, 'Z', 0);
    assert_true(hear(CALL_LEFT, OWN, 'Z', 0)); /* it is told all the same */
    hear(CALL_JOINED, FAR, 'Y', 0);
    row_put(1, NEAR, INSTANCE_DOWN);
    pass(200);
    hear(CALL_SIGNAL, OWN, 'X', 0);
    assert_int_equal(strlen(said), 3 * CALL_ROOM_MOST - 1);
}

static void test_what_may_be_lost_is_asked_for(void **state)
{
    (void)state;
    hear(CALL_JOINED, NEAR, 'A', 'a');
    hear(CALL_JOINED, NEAR, 'B', 'b');
    call_rooms_lost();
    wait_for(LEASE / 2);
    assert_string_equal(said, "?");
    hear(CALL_HERE, NEAR, 'A', 'a');
    hear(CALL_HERE, NEAR, 'C', 'c');
    wait_for(3 * LEASE);
    assert_string_equal(said, "? -B");
    call_rooms_lost();
    wait_for(400);
    hear(CALL_HERE, NEAR, 'A', 'a');
    hear(CALL_HERE, NEAR, 'C', 'c');
    hear(CALL_HERE, NEAR, 'D', 'd'); /* that it joined was lost */
    wait_for(2 * LEASE);
    assert_string_equal(said, "? -B ? +D");
    assert_false(hear(CALL_LEFT, NEAR, 'B', 'b'));
    assert_true(hear(CALL_LEFT, NEAR, 'A', 'a'));
}

static void test_who_was_slow_to_answer_has_joined_again(void **state)
{
    (void)state;
    hear(CALL_JOINED, NEAR, 'A', 'a');
    call_rooms_lost();
    wait_for(LEASE + 400);
    assert_string_equal(said, "? -A");
    hear(CALL_HERE, NEAR, 'A', 'a');
    assert_string_equal(said, "? -A +A");
}

/* This process stood still, and what the other one said meanwhile waits behind the timer. */
static void test_nobody_is_given_up_for_one_s_own_pause(void **state)
{
    (void)state;
    hear(CALL_JOINED, FAR, 'A', 'a');
    pass(3 * LEASE);
    far_says(false);
    wait_for(LEASE - 400);
    assert_string_equal(said, "");
    wait_for(1000);
    assert_string_equal(said, "-A");
    hear(CALL_JOINED, NEAR, 'B', 'b');
    call_rooms_lost();
    wait_for(400);
    assert_string_equal(said, "-A ?");
    pass(3 * LEASE);
    assert_string_equal(said, "-A ?");
    wait_for(LEASE);
    assert_string_equal(said, "-A ? -B");
}

static void test_it_beats_while_there_are_rooms(void **state)
{
    (void)state;
    published = 0;
    for (int i = 0; i < 50; i++)
        pass(LEASE / 50);
    assert_in_range(published, 5, 6);
    call_room_forget(&topic);
    published = 0;
    pass(LEASE);
    assert_int_equal(published, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_its_frontend_was_killed, begin),
        cmocka_unit_test_setup(test_its_client_came_back, begin),
        cmocka_unit_test_setup(test_it_went_to_another_frontend, begin),
        cmocka_unit_test_setup(test_it_never_came_to_another_frontend, begin),
        cmocka_unit_test_setup(test_another_machine_s_word, begin),
        cmocka_unit_test_setup(test_another_machine_falls_silent, begin),
        cmocka_unit_test_setup(test_bounds, begin),
        cmocka_unit_test_setup(test_what_may_be_lost_is_asked_for, begin),
        cmocka_unit_test_setup(test_who_was_slow_to_answer_has_joined_again, begin),
        cmocka_unit_test_setup(test_nobody_is_given_up_for_one_s_own_pause, begin),
        cmocka_unit_test_setup(test_it_beats_while_there_are_rooms, begin),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
