/* faults: the lanes against a PostgreSQL that dies, errs or falls silent at a chosen step (fake.h), so that each step can be hit
 * exactly. */
#include "fake.h"
#include <signal.h>
#include <sys/mman.h>

static void wait_lost(void *argument)
{
    (void)argument;
    if (!lanes_ready(lanes))
        loop_ev_stop(loop);
}

static int wanted_connections;

static void wait_accepted(void *argument)
{
    (void)argument;
    if (accepted >= wanted_connections)
        loop_ev_stop(loop);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void read_or_fail(int number)
{
    statuses[status_of(lanes_read(lanes, number == 0 ? &fail_now : &get, NULL, 0, soon))]++;
}

static void test_reads(void **state)
{
    (void)state;
    mend();
    read_all(read_one, 20);
    assert_int_equal(statuses[DB_OK], 20);
    read_all(read_or_fail, 20);
    assert_int_equal(statuses[DB_OK], 19);
    assert_int_equal(statuses[DB_ERROR], 1);
}

/* A backend that is told to end between the last answer of a batch and its Sync. */
static void test_fatal_at_sync(void **state)
{
    (void)state;
    mend();
    fault = FATAL_AT_SYNC;
    read_all(read_one, 10);
    assert_int_equal(statuses[DB_OK], 10);
    mend();
    read_all(read_one, 10);
    assert_int_equal(statuses[DB_OK], 10);
}

/* The aborted rest of a batch is sent again, on a connection that is gone. */
static void test_closed_after_error(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        mend();
        fault = CLOSED_AFTER_ERROR;
        read_all(read_or_fail, 30);
        assert_int_equal(statuses[DB_ERROR], 1);
        assert_int_equal(statuses[DB_UNAVAILABLE], 29);
    }
    mend();
    read_all(read_one, 30);
    assert_int_equal(statuses[DB_OK], 30);
}

static void test_garbage(void **state)
{
    (void)state;
    mend();
    fault = GARBAGE;
    read_all(read_one, 10);
    assert_int_equal(statuses[DB_UNAVAILABLE], 10);
    mend();
    read_all(read_one, 10);
    assert_int_equal(statuses[DB_OK], 10);
}

/* Deadlines hold although nothing comes; the connection is given up soon, and a lane that cannot be opened is waited for no
 * longer than by its caller. */
static void read_soon(int number)
{
    statement_t *statement = number % 2 ? &get_slowly : &get;
    int64_t begun = clock_monotonic();
    enum db_status status = status_of(lanes_read(lanes, statement, NULL, 0, begun + 100 * CLOCK_MILLISECOND));
    assert_true(status == DB_TIMEOUT || status == DB_UNAVAILABLE);
    assert_true(clock_monotonic() - begun < CLOCK_SECOND);
}

/* What ends while it is being prepared is tried again, and never looked at without end. */
static void test_ends_while_preparing(void **state)
{
    (void)state;
    for (fault = CLOSED_AT_PREPARE; fault <= GARBAGE_AT_PREPARE; fault++) {
        enum fault wanted = fault;
        mend();
        fault = CLOSED_AT_EXECUTE;
        read_all(read_one, 4);
        assert_int_equal(statuses[DB_UNAVAILABLE], 4);
        fault = wanted;
        wanted_connections = accepted + 3;
        until(wait_accepted, 5);
        mend();
        read_all(read_one, 4);
        assert_int_equal(statuses[DB_OK], 4);
        fault = wanted;
    }
    fault = NO_FAULT;
}

static void test_silence(void **state)
{
    (void)state;
    mend();
    fault = SILENT;
    run_pieces(read_soon, 20);
    int64_t begun = clock_monotonic();
    until(wait_lost, 5);
    assert_true(clock_monotonic() - begun < 5 * CLOCK_SECOND);
    mend();
    read_all(read_one, 10);
    assert_int_equal(statuses[DB_OK], 10);
}

/* What PostgreSQL says by itself, or said before, is quoted nowhere: its messages may hold values. */
static void test_nothing_is_quoted(void **state)
{
    (void)state;
    mend();
    int before = dup(STDERR_FILENO), file = memfd_create("log", 0);
    dup2(file, STDERR_FILENO);
    read_all(read_or_fail, 1);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (backends[i].fd >= 0) {
            REPLY(&backends[i], 'N', "SWARNING\0VWARNING\0C01000\0Mhush, too\0\0");
            REPLY(&backends[i], 'E', "SFATAL\0VFATAL\0C57P01\0Mhush\0\0");
            hang_up(&backends[i]);
        }
    until(wait_lost, 5);
    mend();
    dup2(before, STDERR_FILENO);
    char said[8192];
    ssize_t length = pread(file, said, sizeof said - 1, 0);
    assert_true(length > 0);
    said[length] = '\0';
    assert_null(strstr(said, "hush"));
    assert_non_null(strstr(said, "\"event\":\"database_notice\",\"severity\":\"FATAL\",\"sqlstate\":\"57P01\""));
    for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
        assert_int_equal(line[0], '{');
    close(before);
    close(file);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void test_writes(void **state)
{
    (void)state;
    mend();
    writers = 0;
    commits = 0;
    for (int i = 0; i < 3; i++)
        write_all(20);
    assert_int_equal(commits, 60);
    assert_in_range(writers, 1, WRITERS); /* they are used again */
}

static void send_one(int number)
{
    enum db_status status;
    rows_t *rows = NULL;
    transaction_t *transaction = transaction_begin(lanes, soon, false, &status);
    assert_int_equal(transaction_send_kept(transaction, &put, NULL, 0, &rows), DB_OK);
    status = number % 2 ? transaction_commit(&transaction) : transaction_commit_after(&transaction, &put, NULL, 0);
    statuses[status]++;
    rows_free(&rows);
}

/* A COMMIT that PostgreSQL has not read when it is given up must be one that shows: of a transaction that PostgreSQL has answered. */
static void test_commits_are_of_what_shows(void **state)
{
    (void)state;
    mend();
    commits = unseen = 0;
    write_all(10);
    memset(statuses, 0, sizeof statuses);
    run_pieces(send_one, 20);
    assert_int_equal(statuses[DB_OK], 20);
    assert_int_equal(commits, 30);
    assert_int_equal(unseen, 0);
}

static void test_closed_at_commit(void **state)
{
    (void)state;
    mend();
    fault = CLOSED_AT_COMMIT;
    write_all(1);
    assert_int_equal(statuses[DB_UNKNOWN], 1);
    mend();
    write_all(10);
    assert_int_equal(statuses[DB_OK], 10);
}

/* A write waits no longer than it may, for the connection or for its answer. */
static void write_soon(int number)
{
    (void)number;
    enum db_status status;
    int64_t begun = clock_monotonic();
    transaction_t *transaction = transaction_begin(lanes, begun + 100 * CLOCK_MILLISECOND, false, &status);
    if (transaction) {
        status = status_of(transaction_run(transaction, &put, NULL, 0));
        transaction_rollback(&transaction);
    }
    assert_true(status == DB_TIMEOUT || status == DB_UNAVAILABLE);
    assert_true(clock_monotonic() - begun < CLOCK_SECOND);
}

static void test_silence_while_writing(void **state)
{
    (void)state;
    mend();
    write_all(WRITERS);
    fault = SILENT;
    run_pieces(write_soon, 20); /* on connections that there were */
    run_pieces(write_soon, 20); /* on new ones */
    mend();
    write_all(20);
    assert_int_equal(statuses[DB_OK], 20);
}

static void test_write_garbage(void **state)
{
    (void)state;
    mend();
    fault = GARBAGE;
    write_all(3);
    assert_int_equal(statuses[DB_OK], 0);
}

/* Nobody in the queue may wait longer because those before him failed. */
static void test_queue_goes_on(void **state)
{
    (void)state;
    mend();
    fault = CLOSED_AT_EXECUTE;
    int64_t begun = clock_monotonic();
    write_all(20);
    assert_int_equal(statuses[DB_OK] + statuses[DB_TIMEOUT], 0);
    assert_true(clock_monotonic() - begun < 2 * CLOCK_SECOND);
    mend();
    fault = REFUSING;
    begun = clock_monotonic();
    write_all(20);
    assert_int_equal(statuses[DB_UNAVAILABLE], 20);
    assert_true(clock_monotonic() - begun < 2 * CLOCK_SECOND);
    mend();
    write_all(20);
    assert_int_equal(statuses[DB_OK], 20);
}

/* All connections are held, the first in the queue gives up in the turn in which one becomes free: the second gets it. */
static int order[3], ordered;

static void hold_wait_or_give_up(int number)
{
    enum db_status status;
    int64_t deadline = number == WRITERS ? clock_monotonic() + 30 * CLOCK_MILLISECOND : soon;
    transaction_t *transaction = transaction_begin(lanes, deadline, false, &status);
    if (number >= WRITERS)
        order[ordered++] = number;
    if (!transaction) {
        assert_int_equal(number, WRITERS);
        assert_int_equal(status, DB_TIMEOUT);
        return;
    }
    assert_int_equal(status_of(transaction_run(transaction, &put, NULL, 0)), DB_OK);
    if (number < WRITERS)
        usleep(20000); /* with what follows, longer than the other one's patience */
    transaction_rollback(&transaction);
}

static void test_queue_keeps_its_order(void **state)
{
    (void)state;
    mend();
    write_all(WRITERS); /* so that no time goes into connecting */
    ordered = 0;
    int64_t begun = clock_monotonic();
    run_pieces(hold_wait_or_give_up, WRITERS + 3);
    assert_true(clock_monotonic() - begun < CLOCK_SECOND);
    assert_int_equal(ordered, 3);
    assert_true(order[0] == WRITERS || order[1] == WRITERS);
    assert_int_equal(order[2], WRITERS + 2);
}

/* Who gives its connection back and wants one again stands behind those who wait. */
enum { ROUNDS = 10 };
static int rounds[2 * WRITERS];

static void write_again_and_again(int number)
{
    for (rounds[number] = 0; rounds[number] < ROUNDS; rounds[number]++) {
        for (int i = 0; i < 2 * WRITERS; i++)
            assert_true(rounds[number] <= rounds[i] + 2);
        write_one(number);
    }
}

static void test_nobody_overtakes(void **state)
{
    (void)state;
    mend();
    memset(statuses, 0, sizeof statuses);
    run_pieces(write_again_and_again, 2 * WRITERS);
    assert_int_equal(statuses[DB_OK], 2 * WRITERS * ROUNDS);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_fatal_at_sync),
        cmocka_unit_test(test_closed_after_error),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_ends_while_preparing),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_nothing_is_quoted),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_commits_are_of_what_shows),
        cmocka_unit_test(test_closed_at_commit),
        cmocka_unit_test(test_silence_while_writing),
        cmocka_unit_test(test_write_garbage),
        cmocka_unit_test(test_queue_goes_on),
        cmocka_unit_test(test_queue_keeps_its_order),
        cmocka_unit_test(test_nobody_overtakes),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}
