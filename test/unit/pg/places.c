/* places: what happens when the machine's connections are short: who waits, who gives, who goes first, and what dead processes leave.
 * Other processes are rows of the segment that the test fills, and at the end real ones. */
#include "fake.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void read_slowly(int number)
{
    (void)number;
    statuses[status_of(lanes_read(lanes, &get_slowly, NULL, 0, soon))]++;
}

/* --- other processes ---------------------------------------------------------------------------------------------- */

enum { OTHERS = 3, PLENTY = 20 };
static process_t others[OTHERS];

static int64_t held_by(const process_t *which)
{
    return atomic_load(&which->self->database_connections);
}

static void other_open(int number)
{
    others[number] = process;
    others[number].self = segment_instance(process.segment, 1 + number);
    atomic_store(&others[number].self->used, 1);
    atomic_store(&others[number].self->database_connections, 0);
    place_wish(&others[number], PLACE_NONE);
}

/* What the machine has: `places`, of which others[0] holds all but `left` beyond our own. */
static void scarce(int left)
{
    for (int i = 0; i < OTHERS; i++)
        other_open(i);
    process.config.database.connections = PLENTY;
    for (int i = 0; i < OTHERS; i++)
        others[i].config = process.config;
    atomic_store(&others[0].self->database_connections, PLENTY - held_by(&process) - left);
}

static void plenty(void)
{
    for (int i = 0; i < OTHERS; i++)
        other_open(i);
    process.config.database.connections = PLENTY;
    mend();
}

/* Our read lane, and so many connections for writing. */
static int64_t wanted_held;

static void wait_held(void *argument)
{
    (void)argument;
    if (held_by(&process) == wanted_held)
        loop_ev_stop(loop);
}

static void until_held(int64_t count)
{
    wanted_held = count;
    until(wait_held, 1);
}

static void only_reading(void)
{
    int64_t idle_close = process.config.database.idle_close;
    plenty();
    process.config.database.idle_close = 0;
    until_held(1);
    process.config.database.idle_close = idle_close;
}

static int writing; /* pieces that hold a connection until all of them do */

static void write_together(int number)
{
    (void)number;
    enum db_status status;
    transaction_t *transaction = transaction_begin(lanes, soon, false, &status);
    assert_non_null(transaction);
    writing++;
    while (writing < WRITERS)
        lanes_pause(lanes, 1);
    assert_int_equal(status_of(transaction_run(transaction, &put, NULL, 0)), DB_OK);
    assert_int_equal(transaction_commit(&transaction), DB_OK);
}

static void all_writers(void)
{
    plenty();
    writing = 0;
    run_pieces(write_together, WRITERS);
    assert_int_equal(held_by(&process), 1 + WRITERS);
}

static int ticks;

static void count_ticks(void *argument)
{
    (void)argument;
    if (--ticks <= 0)
        loop_ev_stop(loop);
}

/* So many ticks of the lanes at least. */
static void pass(int count)
{
    ticks = count + 1;
    until(count_ticks, TICK_MILLISECONDS);
}

/* --- giving ------------------------------------------------------------------------------------------------------- */

static int wish_rank;

/* others[1] waits, and takes what it gets. */
static void wait_taken(void *argument)
{
    (void)argument;
    if (place_take(&others[1], wish_rank)) {
        place_wish(&others[1], PLACE_NONE);
        loop_ev_stop(loop);
    } else {
        place_wish(&others[1], wish_rank);
    }
}

static void until_taken(int rank)
{
    wish_rank = rank;
    until(wait_taken, 5);
}

/* What is idle is kept while nobody wants it, and each who wants one gets one. */
static void test_idle_ones_are_given(void **state)
{
    (void)state;
    all_writers();
    scarce(0);
    pass(4);
    assert_int_equal(held_by(&process), 1 + WRITERS);
    for (int i = 1; i <= WRITERS; i++) {
        until_taken(PLACE_FIRST + i);
        assert_int_equal(held_by(&process), 1 + WRITERS - i);
        pass(4);
        assert_int_equal(held_by(&process), 1 + WRITERS - i);
    }
    write_all(0);
    assert_true(lanes_ready(lanes));
}

/* A wish that nobody says again is that of a process that is dead or hangs: it moves nothing. */
static void test_old_wishes(void **state)
{
    (void)state;
    all_writers();
    scarce(1);
    place_wish(&others[1], PLACE_READ);
    assert_false(place_take(&others[2], PLACE_FIRST));
    atomic_store(&others[1].self->database_wish_said, clock_monotonic() - CLOCK_SECOND);
    assert_true(place_take(&others[2], PLACE_FIRST));
    pass(4);
    assert_int_equal(held_by(&process), 1 + WRITERS);
    atomic_store(&others[1].self->database_wish_said, clock_monotonic());
    until_held(WRITERS);
}

/* Nobody takes what is another's, whatever he holds already. */
static void test_order(void **state)
{
    (void)state;
    only_reading();
    scarce(1);
    place_wish(&others[1], PLACE_FIRST + 1);
    usleep(1000);
    assert_int_equal(places_free(&others[2], PLACE_FIRST + 1), 0); /* who came later */
    assert_false(place_take(&others[2], PLACE_FIRST + 1));
    assert_false(place_take(&others[2], PLACE_FIRST + 2));
    assert_false(place_take(&others[1], PLACE_FIRST + 2)); /* nor for what is less urgent than one's own wish */
    assert_int_equal(places_free(&others[2], PLACE_FIRST), 1);
    place_wish(&others[2], PLACE_READ);
    assert_false(place_take(&others[1], PLACE_FIRST + 1));
    assert_true(place_take(&others[2], PLACE_READ));
    place_wish(&others[2], PLACE_NONE);
    assert_false(place_take(&others[1], PLACE_FIRST + 1)); /* none is left */
    place_give(&others[2]);
    assert_true(place_take(&others[1], PLACE_FIRST + 1));
    assert_int_equal(held_by(&others[1]), 1);
    assert_int_equal(held_by(&others[2]), 0);
}

/* Of equals who waits longer goes first, also when it says so again. */
static void test_who_waits_longer(void **state)
{
    (void)state;
    only_reading();
    scarce(1);
    place_wish(&others[1], PLACE_FIRST);
    usleep(1000);
    place_wish(&others[2], PLACE_FIRST);
    usleep(1000);
    place_wish(&others[1], PLACE_FIRST);
    assert_false(place_take(&others[2], PLACE_FIRST));
    assert_true(place_take(&others[1], PLACE_FIRST));
}

/* Whose own lane has none has its own idle ones for it: nobody else may have any to give. */
static void test_from_oneself(void **state)
{
    (void)state;
    only_reading();
    all_writers();
    scarce(0);
    read_all(read_slowly, 1);
    assert_int_equal(statuses[DB_OK], 1);
    assert_int_equal(held_by(&process), 1 + WRITERS);
    only_reading();
    read_all(read_slowly, 1);
    scarce(0);
    write_all(1);
    assert_int_equal(statuses[DB_OK], 1);
    assert_int_equal(held_by(&process), 2);
    only_reading();
    all_writers();
    fault = CLOSED_AT_EXECUTE;
    read_all(read_one, 1);
    assert_int_equal(held_by(&process), WRITERS);
    fault = NO_FAULT;
    scarce(0);
    until_ready();
    assert_int_equal(held_by(&process), WRITERS);
}

/* An instance that serves no more keeps nothing, wanted or not. */
static void test_draining(void **state)
{
    (void)state;
    all_writers();
    read_all(read_slowly, 1);
    assert_int_equal(held_by(&process), 2 + WRITERS);
    atomic_store(&process.self->state, INSTANCE_DRAINING);
    until_held(1);
    write_all(3);
    assert_int_equal(statuses[DB_OK], 3);
    until_held(1);
    atomic_store(&process.self->state, INSTANCE_READY);
    write_all(3);
    pass(4);
    assert_true(held_by(&process) > 1);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static int64_t wished; /* how it was said when the places came */

/* Places come when we have said for a while that we wait. */
static void relieve(void *argument)
{
    (void)argument;
    int64_t wish = atomic_load(&process.self->database_wish);
    if (wish == 0 || clock_monotonic() - (wish >> 8) < 60 * CLOCK_MILLISECOND)
        return;
    wished = (wish & 255) - 1;
    atomic_store(&others[0].self->database_connections, 0);
}

static void run_relieved(void (*run)(piece_t, int), piece_t piece, int count)
{
    wished = PLACE_NONE;
    loop_timer_t *timer = loop->timer(loop, 5, relieve, NULL);
    run(piece, count);
    loop->timer_stop(&timer);
}

/* Without any place calls wait until there are some. */
static void test_waits(void **state)
{
    (void)state;
    only_reading();
    scarce(0);
    run_relieved(read_all, write_one, 20);
    assert_int_equal(wished, PLACE_FIRST);
    assert_int_equal(statuses[DB_OK], 20);
    only_reading();
    scarce(0);
    run_relieved(read_all, read_slowly, 20);
    assert_int_equal(wished, PLACE_FIRST);
    assert_int_equal(statuses[DB_OK], 20);
    pass(2);
    assert_int_equal(atomic_load(&process.self->database_wish), 0);
}

/* Who lost the connection for reading, and its place to another, answers nobody 503 for that. */
static void test_reads_wait(void **state)
{
    (void)state;
    only_reading();
    fault = CLOSED_AT_EXECUTE;
    read_all(read_one, 1);
    assert_int_equal(statuses[DB_UNAVAILABLE], 1);
    fault = NO_FAULT;
    scarce(0);
    pass(20); /* longer than until the next try */
    run_relieved(read_all, read_one, 20);
    assert_int_equal(wished, PLACE_READ);
    assert_int_equal(statuses[DB_OK], 20);
}

/* … nor him who comes when it has a place again and connects. */
static int met;

static void read_when_it_connects(int number)
{
    while (held_by(&process) == 0)
        lanes_yield(lanes);
    met += !lanes_ready(lanes);
    read_one(number);
}

static void test_reads_wait_for_what_connects(void **state)
{
    (void)state;
    only_reading();
    fault = CLOSED_AT_EXECUTE;
    read_all(read_one, 1);
    fault = NO_FAULT;
    scarce(0);
    pass(20);
    met = 0;
    run_relieved(read_all, read_when_it_connects, 20);
    assert_true(met > 0);
    assert_int_equal(statuses[DB_OK], 20);
}

/* … but no longer than until its deadline, and then nobody is waited for. */
static void write_shortly(int number)
{
    (void)number;
    soon = clock_monotonic() + 50 * CLOCK_MILLISECOND;
    write_one(number);
}

static void read_slowly_shortly(int number)
{
    soon = clock_monotonic() + 50 * CLOCK_MILLISECOND;
    read_slowly(number);
}

static void test_waits_no_longer(void **state)
{
    (void)state;
    only_reading();
    scarce(0);
    read_all(write_shortly, 20);
    assert_int_equal(statuses[DB_TIMEOUT], 20);
    read_all(read_slowly_shortly, 20);
    assert_int_equal(statuses[DB_TIMEOUT], 20);
    pass(2);
    assert_int_equal(atomic_load(&process.self->database_wish), 0);
    assert_int_equal(held_by(&process), 1);
    write_all(0);
    scarce(1); /* one is enough for all */
    accepted = 0;
    write_all(20);
    assert_int_equal(statuses[DB_OK], 20);
    assert_int_equal(accepted, 1);
}

/* A process that starts is no exception. */
static void test_the_check_waits(void **state)
{
    (void)state;
    only_reading();
    scarce(0);
    char error[512];
    const statement_t *one = &get;
    assert_int_equal(lanes_check(&others[1], fake_url, &one, 1, error, sizeof error), DB_UNAVAILABLE);
    assert_non_null(strstr(error, "database.connections"));
    assert_int_equal(held_by(&others[1]), 0);
    assert_false(place_take(&others[2], PLACE_FIRST));
    place_give(&others[0]);
    assert_false(place_take(&others[2], PLACE_FIRST)); /* it is the other's who waits to start */
    assert_true(place_take(&others[1], PLACE_READ));
}

/* --- under load --------------------------------------------------------------------------------------------------- */

static bool working;

static void write_on(int number)
{
    while (working) {
        soon = clock_monotonic() + 5 * CLOCK_SECOND;
        write_one(number);
    }
}

/* Three times another one that has no connection for writing wants one: all of ours are given, although calls of ours wait. */
static void take_all(void *argument)
{
    static int taken;
    (void)argument;
    if (!place_take(&others[1], PLACE_FIRST)) {
        place_wish(&others[1], PLACE_FIRST);
        return;
    }
    place_wish(&others[1], PLACE_NONE);
    if (++taken < WRITERS)
        return;
    assert_int_equal(held_by(&process), 1);
    atomic_store(&others[1].self->database_connections, 0);
    working = false;
}

static void test_those_who_have_none(void **state)
{
    (void)state;
    all_writers();
    scarce(0);
    working = true;
    loop_timer_t *timer = loop->timer(loop, 5, take_all, NULL);
    read_all(write_on, 4 * WRITERS);
    loop->timer_stop(&timer);
    assert_false(working);
    assert_true(statuses[DB_OK] > 4 * WRITERS);
    for (int status = DB_OK + 1; status <= DB_ERROR; status++)
        assert_int_equal(statuses[status], 0);
}

/* A budget that was made smaller is kept also by who never pauses. */
static void until_smaller(void *argument)
{
    (void)argument;
    working = held_by(&process) > process.config.database.connections;
}

static void test_smaller(void **state)
{
    (void)state;
    only_reading();
    all_writers();
    process.config.database.connections = 2;
    working = true;
    loop_timer_t *timer = loop->timer(loop, 5, until_smaller, NULL);
    read_all(write_on, 4 * WRITERS);
    loop->timer_stop(&timer);
    assert_int_equal(held_by(&process), 2);
    for (int status = DB_OK + 1; status <= DB_ERROR; status++)
        assert_int_equal(statuses[status], 0);
}

/* Processes that write without end, with fewer connections than they could use: nobody fails, nobody starves, one of them is
 * killed and leaves nothing, and PostgreSQL never sees more connections than the machine may have. */
enum { CHILDREN = 6, SPARE = 4, LOAD = 8, ENOUGH = 60 };
static struct child {
    _Atomic int64_t good, bad;
    _Atomic bool ends;
} *children;
static pid_t pids[CHILDREN]; /* 0: it is gone */

static void child_write(int number)
{
    struct child *self = &children[process.number];
    while (!atomic_load(&self->ends)) {
        soon = clock_monotonic() + 10 * CLOCK_SECOND;
        memset(statuses, 0, sizeof statuses);
        write_one(number);
        atomic_fetch_add(statuses[DB_OK] ? &self->good : &self->bad, 1);
    }
}

static _Noreturn void child_run(int number)
{
    alarm(HANGS_AFTER);
    process.number = number;
    process.self = segment_instance(process.segment, 1 + number);
    atomic_store(&process.self->used, 1);
    loop = loop_ev_create();
    lanes = lanes_open(loop, &process, fake_url, statements, ARRAY_SIZE(statements));
    until_ready();
    run_pieces(child_write, LOAD);
    lanes_close(&lanes);
    _exit(held_by(&process) != 0);
}

static int most_backends;

static bool count_backends(void *argument)
{
    (void)argument;
    int alive = 0;
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        alive += backends[i].fd >= 0;
    most_backends = alive > most_backends ? alive : most_backends;
    return false;
}

static int64_t goals[CHILDREN];

static void wait_goals(void *argument)
{
    (void)argument;
    for (int i = 0; i < CHILDREN; i++)
        if (pids[i] && atomic_load(&children[i].good) < goals[i])
            return;
    loop_ev_stop(loop);
}

static void all_write(int64_t more)
{
    for (int i = 0; i < CHILDREN; i++)
        goals[i] = atomic_load(&children[i].good) + more;
    until(wait_goals, 5);
}

static void wait_ended(void *argument)
{
    (void)argument;
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
            assert_int_equal(status, 0);
            pids[i] = 0;
        }
        if (pids[i])
            return;
    }
    loop_ev_stop(loop);
}

static void test_processes(void **state)
{
    (void)state;
    only_reading();
    children = mmap(NULL, CHILDREN * sizeof *children, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(children != MAP_FAILED);
    process.config.database.connections = 1 + CHILDREN + SPARE;
    loop->add_turn_hook(loop, count_backends, NULL);
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            child_run(i);
        assert_true(pids[i] > 0);
    }
    all_write(ENOUGH);
    kill(pids[0], SIGKILL);
    waitpid(pids[0], NULL, 0);
    pids[0] = 0;
    atomic_store(&segment_instance(process.segment, 1)->database_connections, 0); /* as the supervisor does */
    all_write(ENOUGH);
    for (int i = 0; i < CHILDREN; i++) {
        atomic_store(&children[i].ends, true);
        assert_int_equal(atomic_load(&children[i].bad), 0);
    }
    until(wait_ended, 5);
    assert_in_range(most_backends, CHILDREN + SPARE, 1 + CHILDREN + SPARE);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_ones_are_given),
        cmocka_unit_test(test_old_wishes),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_who_waits_longer),
        cmocka_unit_test(test_from_oneself),
        cmocka_unit_test(test_draining),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_reads_wait),
        cmocka_unit_test(test_reads_wait_for_what_connects),
        cmocka_unit_test(test_waits_no_longer),
        cmocka_unit_test(test_the_check_waits),
        cmocka_unit_test(test_those_who_have_none),
        cmocka_unit_test(test_smaller),
        cmocka_unit_test(test_processes),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}
