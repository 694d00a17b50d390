/* Batched statements when something goes wrong, against a real PostgreSQL, given by DATABASE_URL (a role that may create tables).
 * Run by test/scenario/16-lanes_test.py, which has one. */
#include "rig.h"
#include "pg/internal.h"
#include <netinet/in.h>
#include <sys/socket.h>

enum { CALLS = 40, ROWS = 400, LONG = 18 /* milliseconds */ };

#define NAMES(FIELD) FIELD(text, name)
MESSAGE(names, NAMES);

BATCHED(twice, &one_message, "SELECT 2 * $1::bigint AS value", "SELECT 2 * aipoten_batch.p1::bigint AS value");
BATCHED(share, &one_message, "SELECT 100 / $1::bigint AS value", "SELECT 100 / aipoten_batch.p1::bigint AS value");
BATCHED(wait, &one_message, "SELECT length(pg_sleep($1::bigint / 1000.0)::text)::bigint AS value",
    "SELECT length(pg_sleep(aipoten_batch.p1::bigint / 1000.0)::text)::bigint AS value");
BATCHED(size, &one_message, "SELECT length($1::text)::bigint AS value", "SELECT length(aipoten_batch.p1::text)::bigint AS value");
BATCHED(days, &one_message, "SELECT $1::date - '2000-01-01'::date + 0::bigint AS value",
    "SELECT aipoten_batch.p1::date - '2000-01-01'::date + 0::bigint AS value");
BATCHED(found, &one_message, "SELECT id AS value FROM batches_test.things WHERE id = $1",
    "SELECT id AS value FROM batches_test.things WHERE id = aipoten_batch.p1 OFFSET 0"); /* as tools/sqlc writes it */
BATCHED(named, &names_message, "SELECT name FROM batches_test.things WHERE id = $1",
    "SELECT name FROM batches_test.things WHERE id = aipoten_batch.p1");
BATCHED(small, &one_message, "SELECT small AS value FROM batches_test.things WHERE id = $1",
    "SELECT small AS value FROM batches_test.things WHERE id = aipoten_batch.p1");
static const statement_t *const statements[] = {
    &SQL_twice, &SQL_share, &SQL_wait, &SQL_size, &SQL_days, &SQL_found, &SQL_named, &SQL_small};

static int shared, counts[DB_ERROR + 1];

static void run_counted(piece_t piece, int count)
{
    shared = 0;
    memset(counts, 0, sizeof counts);
    run_all(piece, count);
}

static int64_t shared_value(rows_t *take_rows)
{
    shared += take_rows->uses != NULL;
    return value_of(take_rows);
}

/* --- what one does to the others ---------------------------------------------------------------------------------- */

/* A third divides by zero: their batch runs apart, the one behind it is aborted and stays a batch. */
static void err_before_others(int number)
{
    if (number < CALLS / 2) {
        rows_t *rows = READ(share, bind_integer(number % 3));
        assert_int_equal(rows->status, number % 3 ? DB_OK : DB_ERROR);
        assert_null(rows->uses);
        rows_free(&rows);
    } else {
        assert_int_equal(shared_value(READ(twice, bind_integer(number))), 2 * number);
    }
}

static void twice(int number)
{
    assert_int_equal(shared_value(READ(twice, bind_integer(number))), 2 * number);
}

static void share(int number)
{
    shared_value(READ(share, bind_integer(number + 1)));
}

static void test_errors(void **state)
{
    (void)state;
    run_counted(err_before_others, CALLS);
    assert_int_equal(shared, CALLS / 2);
    run_counted(share, CALLS);
    assert_int_equal(shared, CALLS); /* a value that is refused does not change how the next are sent */
}

static void wait_longer(int number)
{
    (void)number;
    assert_int_equal(status_of(READ(wait, bind_integer(LONG))), DB_OK);
}

static void wait_little(int number)
{
    (void)number;
    rows_t *rows = READ(wait, bind_integer(1));
    shared += rows->uses != NULL;
    assert_int_equal(status_of(rows), DB_OK);
}

/* Each within its limit, together beyond it: the next are not tried together again, and later they are. */
static void test_limit_of_a_batch(void **state)
{
    (void)state;
    run_counted(wait_longer, 12);
    assert_int_equal(SQL_wait.plan->batch_most, 6);
    run_counted(wait_longer, 12);
    assert_true(SQL_wait.plan->batch_most >= 6);
    int64_t until = clock_monotonic() + 10 * CLOCK_SECOND;
    while (SQL_wait.plan->batch_most < BATCH_MOST && clock_monotonic() < until) {
        run_counted(wait_little, 10);
        assert_int_equal(shared, 10);
    }
    assert_int_equal(SQL_wait.plan->batch_most, BATCH_MOST);
}

/* --- parameters and rows ------------------------------------------------------------------------------------------ */

/* What travels in text form alone must not be taken for binary when others run it, too. */
static void other_kinds(int number)
{
    if (number % 2) {
        assert_int_equal(value_of(READ(size, bind_integer(12345))), 5);
        assert_int_equal(value_of(READ(days, bind_text(TEXT("2000-02-01")))), 31);
    } else {
        assert_int_equal(shared_value(READ(size, bind_text(TEXT("가나다")))), 3);
        assert_int_equal(shared_value(READ(days, bind_date(10957 + number))), number);
    }
}

static void bad_text(int number)
{
    text_t text = number == 7 ? (text_t){"a\0b", 3} : number == 8 ? TEXT("\xff") : TEXT("abcd");
    rows_t *rows = READ(size, bind_text(text));
    assert_int_equal(rows->status, number == 7 || number == 8 ? DB_ERROR : DB_OK);
    rows_free(&rows);
}

/* The rows stand in the table against the order of the calls, and without an index it would be cheaper to read them in that. */
static void found(int number)
{
    assert_int_equal(shared_value(READ(found, bind_integer(number + 1))), number + 1);
}

static void test_parameters_and_rows(void **state)
{
    (void)state;
    run_counted(other_kinds, CALLS);
    assert_int_equal(shared, CALLS);
    run_counted(bad_text, CALLS);
    for (int i = 0; i < 8; i++) { /* PostgreSQL settles on a plan after five */
        run_counted(found, CALLS);
        assert_int_equal(shared, CALLS);
    }
}

/* --- migrations --------------------------------------------------------------------------------------------------- */

/* As the skeleton does: what is told to run again runs again. */
static void named(int number)
{
    rows_t *rows = NULL;
    for (int i = 0; i < 2; i++) {
        rows_free(&rows);
        rows = READ(named, bind_integer(number + 1));
        counts[rows->status]++;
        if (rows->status != DB_RETRY)
            break;
    }
    assert_int_equal(rows->status, DB_OK);
    rows_free(&rows);
}

static void small(int number)
{
    counts[status_of(READ(small, bind_integer(number + 1)))]++;
}

static void test_migrations(void **state)
{
    (void)state;
    run_counted(named, CALLS);
    database_run("ALTER TABLE batches_test.things ALTER name TYPE varchar(20)");
    run_counted(named, PIECES_MAX);
    assert_int_equal(counts[DB_RETRY], PIECES_MAX);
    assert_int_equal(counts[DB_OK], PIECES_MAX);
    run_counted(named, 1);
    run_counted(small, CALLS);
    assert_int_equal(counts[DB_OK], CALLS);
    database_run("ALTER TABLE batches_test.things ALTER small TYPE bigint");
    run_counted(small, CALLS);
    assert_int_equal(counts[DB_RETRY], CALLS);
    until_ready();
    run_counted(small, CALLS); /* eight bytes, of which four would be read */
    assert_int_equal(counts[DB_ERROR], CALLS);
    run_counted(small, 1);
    assert_int_equal(counts[DB_ERROR], 1);
}

/* --- losing PostgreSQL -------------------------------------------------------------------------------------------- */

/* As when PostgreSQL is killed: the end comes without a word. */
static void cut_connections(void)
{
    struct sockaddr_in peer;
    for (int fd = 3; fd < 256; fd++) {
        socklen_t length = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sin_family == AF_INET)
            shutdown(fd, SHUT_RDWR);
    }
}

static void until_lost_or_not(int number)
{
    (void)number;
    rows_t *rows = READ(wait, bind_integer(2));
    counts[status_of(rows)]++;
}

static void end_in_flight(void *argument)
{
    (void)argument;
    static bool done;
    if (!done)
        cut_connections();
    done = true;
}

/* The connection's end and the calls are met in one turn: the calls first, which are gathered when it is lost. */
static void start_late(void *argument)
{
    static int turn;
    loop_timer_t **timer = argument;
    if (turn++ == 0) {
        cut_connections();
        return;
    }
    loop->timer_stop(timer);
    soon = clock_monotonic() + 5 * CLOCK_SECOND;
    running = CALLS;
    for (int i = 0; i < CALLS; i++) {
        work[i] = (work_t){until_lost_or_not, i};
        coroutine_start(run_piece, &work[i]);
    }
}

static void test_lost(void **state)
{
    (void)state;
    memset(counts, 0, sizeof counts);
    loop_timer_t *timer = loop->timer(loop, 20, end_in_flight, NULL);
    run_counted(until_lost_or_not, PIECES_MAX);
    loop->timer_stop(&timer);
    assert_int_equal(counts[DB_OK] + counts[DB_UNAVAILABLE], PIECES_MAX);
    assert_true(counts[DB_UNAVAILABLE] > 0);
    until_ready();
    memset(counts, 0, sizeof counts);
    running = CALLS;
    soon = clock_monotonic() + 5 * CLOCK_SECOND;
    loop_timer_t *late = loop->timer(loop, 1, start_late, &late), *end = loop->timer(loop, 1, stop_when_done, NULL);
    loop_ev_run(loop);
    loop->timer_stop(&end);
    assert_int_equal(counts[DB_UNAVAILABLE], CALLS);
    until_ready();
    run_counted(twice, CALLS);
    assert_int_equal(shared, CALLS);
}

static int setup(void **state)
{
    (void)state;
    database_run("DROP SCHEMA IF EXISTS batches_test CASCADE");
    database_run("CREATE SCHEMA batches_test");
    database_run("CREATE TABLE batches_test.things (id bigint, small integer, name varchar(10))");
    char fill[200];
    snprintf(fill, sizeof fill, "INSERT INTO batches_test.things SELECT n, n, n FROM generate_series(%d, 1, -1) n", ROWS);
    database_run(fill);
    database_run("ANALYZE batches_test.things");
    rig_open(statements, ARRAY_SIZE(statements));
    return 0;
}

int main(void)
{
    if (!database_given())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limit_of_a_batch),
        cmocka_unit_test(test_parameters_and_rows),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_migrations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
