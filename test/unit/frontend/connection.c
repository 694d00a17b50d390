/* Looks at all connections, with sockets and time played: each is looked at within some two seconds, however late the looks come, and
 * whoever comes and goes meanwhile. */
#include "../unit.h"
#include "base/clock.h"
#include "frontend/connection.h"
#include "frontend/counters.h"
#include "frontend/exchange.h"
#include "frontend/frames.h"
#include "shm/bans.h"
#include "shm/crowd.h"
#include "shm/rate.h"

enum { CLIENTS = 500, COME_MOST = 4000, LOOK = 1000 /* milliseconds, of main.c */ };

process_t frontend;
_Atomic int64_t *counters[COUNTERS];

static h2o_context_t context;
static h2o_globalconf_t global;
static h2o_socket_t *sockets[COME_MOST];
static int looked[COME_MOST]; /* times; a handshake that never ends tells of each */
static int come, closing;     /* closing: the socket that goes when it is looked at; -1: none */
static int64_t now, look_due;

/* --- what is played ------------------------------------------------------------------------------------------------ */

int64_t __wrap_clock_monotonic(void);
int64_t __wrap_clock_monotonic(void)
{
    return now;
}

static void leave(int place)
{
    h2o_socket_t *socket = sockets[place];
    sockets[place] = NULL;
    socket->on_close.cb(socket->on_close.data);
    free(socket);
}

void abuse_end(connection_t *connection, enum abuse kind)
{
    int place = (int)(uintptr_t)connection->socket->data;
    assert_int_equal(kind, ABUSE_SLOW_HEADER);
    looked[place]++;
    if (place == closing)
        leave(place);
}

void abuse_request(connection_t *connection)
{
    (void)connection;
}

void abuse_settle(connection_t *connection)
{
    (void)connection;
}

void frames_forget(const connection_t *connection)
{
    (void)connection;
}

int crowd_begin(segment_t *segment, const segment_instance_t *self)
{
    (void)segment, (void)self;
    return 0;
}

void crowd_change(segment_t *segment, int slot, text_t address, int change)
{
    (void)segment, (void)slot, (void)address, (void)change;
}

int64_t crowd_elsewhere(segment_t *segment, int slot, text_t address)
{
    (void)segment, (void)slot, (void)address;
    return 0;
}

int64_t bans_until(segment_t *segment, text_t key, int64_t at)
{
    (void)segment, (void)key, (void)at;
    return 0;
}

uint64_t bans_version(segment_t *segment)
{
    (void)segment;
    return 0;
}

rate_result_t rate_check(segment_t *segment, const char *class, text_t key, int64_t limit, int64_t window, int64_t at)
{
    (void)segment, (void)class, (void)key, (void)limit, (void)window, (void)at;
    return (rate_result_t){.allowed = true};
}

void h2o_context_update_timestamp_cache(h2o_context_t *ctx)
{
    (void)ctx;
}

static int each_request(h2o_context_t *ctx, int (*each)(h2o_req_t *req, void *argument), void *argument)
{
    (void)ctx, (void)each, (void)argument;
    return 0;
}

static void enter(void)
{
    h2o_socket_t *socket = calloc(1, sizeof(*socket));
    assert_true(come < COME_MOST);
    socket->data = (void *)(uintptr_t)come;
    sockets[come++] = socket;
    connection_open(socket, (address_t){.bytes = {1}}, true, false);
}

/* Turns that take so long, for so long: the timers come as main.c's do. */
static void turns(int milliseconds, int each)
{
    for (int64_t end = now + milliseconds * CLOCK_MILLISECOND; now < end;) {
        now += each * CLOCK_MILLISECOND;
        connections_look_on();
        if (now < look_due)
            continue;
        look_due = now + LOOK * CLOCK_MILLISECOND;
        connections_look(&context);
    }
}

static int set_up(void **state)
{
    static _Atomic int64_t places[COUNTERS];
    (void)state;
    for (int i = 0; i < COUNTERS; i++)
        counters[i] = &places[i];
    frontend.config.http.header_timeout = 1;
    frontend.config.http.idle_timeout = frontend.config.http.max_connections = 1000000;
    context.globalconf = &global;
    context.loop = h2o_evloop_create();
    global.http2.callbacks.foreach_request = each_request;
    connections_open();
    return 0;
}

static int begin(void **state)
{
    (void)state;
    come = 0;
    closing = -1;
    memset(looked, 0, sizeof(looked));
    for (int i = 0; i < CLIENTS; i++)
        enter();
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < come; i++)
        if (sockets[i] != NULL)
            leave(i);
    assert_int_equal(connections_count(), 0);
    return 0;
}

static int seen(int times)
{
    int count = 0;
    for (int i = 0; i < CLIENTS; i++)
        count += sockets[i] != NULL && looked[i] >= times;
    return count;
}

/* --- cases ---------------------------------------------------------------------------------------------------------- */

static void test_in_parts(void **state)
{
    (void)state;
    turns(2 * LOOK, CONNECTIONS_LOOK_ON);
    assert_int_equal(seen(1), CLIENTS);
    memset(looked, 0, sizeof(looked));
    turns(CONNECTIONS_LOOK_ON, CONNECTIONS_LOOK_ON);
    assert_in_range(seen(1), 0, CLIENTS / 16);
    turns(10 * LOOK, CONNECTIONS_LOOK_ON);
    assert_int_equal(seen(10), CLIENTS);
}

static void test_late(void **state)
{
    static const int turn[] = {37, 50, 120, 400, 1000, 1700};
    for (size_t i = 0; i < sizeof(turn) / sizeof(*turn); i++) {
        turns(5 * LOOK, turn[i]);
        assert_int_equal(seen(2), CLIENTS);
        end(state);
        begin(state);
    }
}

/* Those before all others in the list are new ones, and they are many. */
static void test_who_come(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < 30; j++)
            enter();
        turns(CONNECTIONS_LOOK_ON, CONNECTIONS_LOOK_ON);
    }
    assert_int_equal(seen(1), CLIENTS);
}

/* Whoever leaves at whatever moment, also while it is looked at, all others are looked at. */
static void test_who_leave(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS / 2; i++) {
        turns(CONNECTIONS_LOOK_ON, CONNECTIONS_LOOK_ON);
        leave(2 * i);
        closing = 2 * i + 101;
    }
    memset(looked, 0, sizeof(looked));
    turns(2 * LOOK, CONNECTIONS_LOOK_ON);
    assert_int_equal(seen(1), connections_count());
    assert_in_range(connections_count(), 1, CLIENTS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_parts, begin, end),
        cmocka_unit_test_setup_teardown(test_late, begin, end),
        cmocka_unit_test_setup_teardown(test_who_come, begin, end),
        cmocka_unit_test_setup_teardown(test_who_leave, begin, end),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
