/* What a process tells its broker, with the link to that one played: a batch that found the broker's queue full is gone, and what was
 * subscribed in it is told again. */
#include "../unit.h"
#include "base/clock.h"
#include "net/broker.h"
#include "shm/services.h"
#include "wire/link.h"

enum { HEARD_MOST = 4096, PROBLEM_BYTES = 64 << 10 };

static process_t process;
static bool (*turn_hook)(void *argument);
static int64_t now = CLOCK_SECOND;
static bool full;             /* the broker's queue */
static bool dropped;          /* link_client_lost */
static char waiting[HEARD_MOST]; /* this turn's batch: "+user:1 -user:1 " */
static char heard[HEARD_MOST];   /* by the broker */
static int losses;            /* times that who follows was told to look */

int64_t __wrap_clock_monotonic(void);
int64_t __wrap_clock_monotonic(void)
{
    return now;
}

/* --- the link ------------------------------------------------------------------------------------------------------ */

link_client_t *link_client_open(loop_t *loop, const char *endpoint, link_receive_t receive, void *argument)
{
    static char link;
    (void)loop, (void)endpoint, (void)receive, (void)argument;
    waiting[0] = heard[0] = '\0';
    return (link_client_t *)&link;
}

void link_client_close(loop_t *loop, link_client_t **link)
{
    (void)loop;
    *link = NULL;
}

static _Noreturn void on_limit(void *argument)
{
    (void)argument;
    fail();
    abort();
}

void link_client_send(link_client_t *link, text_t value)
{
    static arena_t *arena;
    hint_t hint;
    assert_non_null(link);
    arena = arena != NULL ? arena : arena_create(PROBLEM_BYTES, on_limit, NULL);
    problems_t problems = {.arena = arena};
    assert_true(message_read(&hint_message, value, SOURCE_PEER, &hint, &problems));
    if (hint.act == HINT_PUBLISH)
        return;
    size_t length = strlen(waiting);
    snprintf(waiting + length, HEARD_MOST - length, "%c%.*s ", hint.act == HINT_SUBSCRIBE ? '+' : '-', TEXT_ARG(hint.topic));
    arena_reset(arena);
}

bool link_client_lost(link_client_t *link)
{
    bool lost = dropped;
    assert_non_null(link);
    dropped = false;
    return lost;
}

/* --- turns --------------------------------------------------------------------------------------------------------- */

/* The batch of what was said leaves after the hook, or does not. */
static void turn(void)
{
    turn_hook(NULL);
    if (waiting[0] == '\0')
        return;
    if (full)
        dropped = true;
    else
        snprintf(heard + strlen(heard), HEARD_MOST - strlen(heard), "%s", waiting);
    waiting[0] = '\0';
}

static void turns(int count)
{
    while (count-- > 0)
        turn();
}

static void keep_hook(loop_t *loop, bool (*hook)(void *), void *argument)
{
    (void)loop, (void)argument;
    turn_hook = hook;
}

static void on_topic(text_t topic, text_t payload)
{
    (void)topic, (void)payload;
}

static void on_lost(void)
{
    losses++;
}

static void another_broker(void)
{
    segment_instance_t *row = segment_instance(process.segment, 0);
    row->service = service_find("broker");
    atomic_store(&row->generation, segment_next_generation(process.segment));
    atomic_store(&row->state, INSTANCE_READY);
    atomic_store(&row->used, true);
    segment_touch(process.segment);
}

static int setup(void **state)
{
    static loop_t loop = {.add_turn_hook = keep_hook};
    int fd;
    (void)state;
    process = (process_t){.service = "test", .number = 1, .segment = segment_create(&fd), .run_directory = "/nowhere"};
    process.config.broker.topics = 100;
    broker_open(&loop, &process);
    broker_on_topics(on_topic, on_lost);
    assert_true(broker_follow(TEXT("user:1")) && broker_follow(TEXT("user:2")));
    turns(3);
    return 0;
}

/* A broker that has heard all there is to hear. */
static int begin(void **state)
{
    (void)state;
    full = false;
    another_broker();
    turns(3);
    assert_string_equal(heard, "+lost +user:1 +user:2 ");
    heard[0] = '\0';
    losses = 0;
    return 0;
}

static void pass(int64_t milliseconds)
{
    now += milliseconds * CLOCK_MILLISECOND;
    turns(3);
}

/* --- what holds ---------------------------------------------------------------------------------------------------- */

static void test_another_broker_is_told_all(void **state)
{
    (void)state;
    another_broker();
    turns(3);
    assert_string_equal(heard, "+lost +user:1 +user:2 ");
    assert_int_equal(losses, 1);
    pass(1000);
    assert_string_equal(heard, "+lost +user:1 +user:2 ");
    assert_int_equal(losses, 1);
}

static void test_what_a_full_queue_lost_is_told_again(void **state)
{
    (void)state;
    full = true;
    assert_true(broker_follow(TEXT("user:3")));
    turn();
    full = false;
    turns(3); /* not at once: there may be no room yet */
    assert_string_equal(heard, "");
    pass(200);
    assert_string_equal(heard, "+lost +user:1 +user:2 +user:3 ");
    assert_int_equal(losses, 1);
    broker_unfollow(TEXT("user:3"));
    turn();
    pass(200);
    assert_string_equal(heard, "+lost +user:1 +user:2 +user:3 -user:3 ");
    assert_int_equal(losses, 1);
}

/* Nobody looks at what is true before the broker has heard what it is to tell of. */
static void test_it_is_told_until_there_is_room(void **state)
{
    (void)state;
    full = true;
    assert_true(broker_follow(TEXT("user:3")));
    for (int i = 0; i < 20; i++)
        pass(200);
    assert_string_equal(heard, "");
    assert_int_equal(losses, 0);
    full = false;
    pass(200);
    assert_string_equal(heard, "+lost +user:1 +user:2 +user:3 ");
    assert_int_equal(losses, 1);
    broker_unfollow(TEXT("user:3"));
    turn();
}

static void test_who_comes_meanwhile_is_told_of_once(void **state)
{
    (void)state;
    full = true;
    assert_true(broker_follow(TEXT("user:3")));
    turns(2);
    full = false;
    assert_true(broker_follow(TEXT("user:4")));
    turns(3);
    assert_string_equal(heard, "");
    pass(200);
    assert_string_equal(heard, "+lost +user:1 +user:2 +user:3 +user:4 ");
    broker_unfollow(TEXT("user:4"));
    broker_unfollow(TEXT("user:3"));
    turn();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_another_broker_is_told_all, begin),
        cmocka_unit_test_setup(test_what_a_full_queue_lost_is_told_again, begin),
        cmocka_unit_test_setup(test_it_is_told_until_there_is_room, begin),
        cmocka_unit_test_setup(test_who_comes_meanwhile_is_told_of_once, begin),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
