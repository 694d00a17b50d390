/* groups: calls that share a transaction, against a real PostgreSQL given by DATABASE_URL. Run by test/scenario/16-lanes_test.py.
 *
 * Each piece does what a call does: a statement, a decision, and a record with COMMIT; told DB_RETRY it does the same alone. */
#include "rig.h"

enum { GROUP = 32 /* as many as one takes */, ALONE = 100 /* what a piece gets when it was told to go alone */ };

#define SHARED(sname, message, text)                                                                               \
    static statement_t SQL_##sname = {.name = #sname, .lane = LANE_WRITE, .grouped = true, .row = message, .sql = text}
SHARED(insert, &one_message, "INSERT INTO groups_test.numbers VALUES ($1, 0) RETURNING id AS value");
SHARED(update, &one_message, "UPDATE groups_test.numbers SET value = value + 1 WHERE id = $1 RETURNING value");
SHARED(end_me, NULL, "SELECT FROM pg_terminate_backend(pg_backend_pid())");
STATEMENT(record, LANE_WRITE, NULL, "INSERT INTO groups_test.records VALUES ($1)");
STATEMENT(count, LANE_READ, &one_message, "SELECT count(*) AS value FROM groups_test.numbers WHERE id >= $1");
STATEMENT(count_records, LANE_READ, &one_message, "SELECT count(*) AS value FROM groups_test.records WHERE id >= $1");
static const statement_t *const statements[] = {
    &SQL_insert, &SQL_update, &SQL_end_me, &SQL_record, &SQL_count, &SQL_count_records};

static int base; /* ids of this test begin here */
static int told[PIECES_MAX];

static int64_t commits(void)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < atomic_load(&process.self->counter_count); i++)
        if (strcmp(process.self->counters[i].name, "database_commits") == 0)
            sum += atomic_load(&process.self->counters[i].value);
    return sum;
}

static rows_t *run(transaction_t *transaction, const statement_t *statement, int64_t id)
{
    return transaction_run(transaction, statement, (param_t[]){bind_integer(id)}, 1);
}

static enum db_status record(transaction_t **transaction, int64_t id)
{
    return transaction_commit_after(transaction, &SQL_record, (param_t[]){bind_integer(id)}, 1);
}

/* The whole of one call, shared. */
static enum db_status insert_shared(int64_t id)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    enum db_status status = status_of(run(transaction, &SQL_insert, id));
    if (status == DB_OK)
        status = record(&transaction, id);
    transaction_rollback(&transaction);
    return status;
}

static void insert(int number)
{
    told[number] = (int)insert_shared(base + number);
}

static void check_rows(int number)
{
    (void)number;
    assert_int_equal(value_of(READ(count, bind_integer(base))), told[0]);
    assert_int_equal(value_of(READ(count_records, bind_integer(base))), told[0]);
}

/* Of rows and of records there are so many. */
static void expect_rows(int count)
{
    told[0] = count;
    run_all(check_rows, 1);
    base += 1000;
}

/* --- all go well -------------------------------------------------------------------------------------------------- */

static void test_one_commit(void **state)
{
    (void)state;
    int64_t before = commits();
    run_all(insert, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(told[i], DB_OK);
    assert_int_equal(commits() - before, 1);
    expect_rows(10);
}

/* As many as fit, one more, and so many that groups wait for their turn. */
static void test_many(void **state)
{
    (void)state;
    const int counts[] = {1, GROUP - 1, GROUP, GROUP + 1, 4 * GROUP, PIECES_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        int64_t before = commits();
        run_all(insert, counts[i]);
        for (int j = 0; j < counts[i]; j++)
            assert_int_equal(told[j], DB_OK);
        assert_int_equal(commits() - before, (counts[i] + GROUP - 1) / GROUP);
        expect_rows(counts[i]);
    }
}

static void update_same(int number)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    told[number] = (int)value_of(run(transaction, &SQL_update, -1));
    assert_int_equal(record(&transaction, base + number), DB_OK);
}

/* Each sees what those before it did. */
static void test_same_row(void **state)
{
    (void)state;
    run_all(update_same, 20);
    bool seen[21] = {0};
    for (int i = 0; i < 20; i++) {
        assert_in_range(told[i], 1, 20);
        assert_false(seen[told[i]]);
        seen[told[i]] = true;
    }
    base += 1000;
}

/* --- somebody does not go along ----------------------------------------------------------------------------------- */

static int odd; /* who is the odd one */
static void (*oddity)(int number);

static void insert_but_one(int number)
{
    if (number == odd)
        oddity(number);
    else
        insert(number);
}

static void insert_twice(int number)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(run(transaction, &SQL_insert, -1)), DB_RETRY); /* it is there: all run again, alone */
    told[number] = ALONE;
    transaction_rollback(&transaction);
}

static void go_without_change(int number)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(run(transaction, &SQL_update, -99)), DB_OK);
    told[number] = ALONE;
    transaction_rollback(&transaction);
}

static void go_after_change(int number)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(run(transaction, &SQL_insert, base + number)), DB_OK);
    told[number] = ALONE;
    transaction_rollback(&transaction);
}

static void go_on_writing(int number)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(run(transaction, &SQL_update, -99)), DB_OK);
    assert_int_equal(status_of(run(transaction, &SQL_insert, base + number)), DB_RETRY);
    told[number] = ALONE;
    transaction_rollback(&transaction);
}

static void record_twice(int number)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(run(transaction, &SQL_insert, base + number)), DB_OK);
    assert_int_equal(record(&transaction, -1), DB_RETRY);
    told[number] = ALONE;
}

static void lose_connection(int number)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(transaction_run(transaction, &SQL_end_me, NULL, 0)), DB_RETRY);
    told[number] = ALONE;
    transaction_rollback(&transaction);
}

/* Too late to commit, and the last to say so. */
static void dawdle(int number)
{
    transaction_t *transaction = transaction_share(lanes, clock_monotonic() + 300 * CLOCK_MILLISECOND);
    assert_int_equal(status_of(run(transaction, &SQL_insert, base + number)), DB_OK);
    lanes_pause(lanes, 400);
    assert_int_equal(record(&transaction, base + number), DB_TIMEOUT);
    told[number] = ALONE;
}

static void test_odd_ones(void **state)
{
    (void)state;
    enum { COUNT = 9 };
    static const struct {
        void (*oddity)(int number);
        int others;
    } cases[] = {{insert_twice, DB_RETRY}, {go_without_change, DB_OK}, {go_after_change, DB_RETRY}, {go_on_writing, DB_OK},
        {record_twice, DB_RETRY}, {lose_connection, DB_RETRY}, {dawdle, DB_RETRY}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (odd = 0; odd < COUNT; odd += COUNT / 2) { /* the leader, one in the middle, the last */
            oddity = cases[i].oddity;
            run_all(insert_but_one, COUNT);
            for (int j = 0; j < COUNT; j++)
                if (told[j] != (j == odd ? ALONE : cases[i].others))
                    fail_msg("case %zu, odd %d: %d was told %d", i, odd, j, told[j]);
            expect_rows(cases[i].others == DB_OK ? COUNT - 1 : 0);
        }
}

static void go_alone(int number)
{
    (void)number;
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(run(transaction, &SQL_update, -99)), DB_OK);
    transaction_rollback(&transaction);
}

/* Nobody is left to commit. */
static void test_all_go(void **state)
{
    (void)state;
    int64_t before = commits();
    run_all(go_alone, 5);
    assert_int_equal(commits(), before);
    expect_rows(0);
}

/* --- who refuses because of what others wrote --------------------------------------------------------------------- */

static bool writer_commits, writer_decided;

static void write_and_take_time(int number)
{
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(run(transaction, &SQL_insert, base + number)), DB_OK);
    lanes_pause(lanes, 100);
    writer_decided = true;
    if (writer_commits)
        assert_int_equal(record(&transaction, base + number), DB_OK);
    else
        transaction_rollback(&transaction);
}

static void refuse(int number)
{
    if (number == 0) {
        write_and_take_time(number);
        return;
    }
    transaction_t *transaction = transaction_share(lanes, soon);
    assert_int_equal(status_of(run(transaction, &SQL_update, number == 1 ? -99 : base)), DB_OK);
    told[number] = (int)transaction_refuse(&transaction);
    assert_null(transaction);
    assert_true(number == 2 || writer_decided); /* who changed something is undone with all, and need not wait */
}

/* Nobody is refused by a row that was never committed. */
static void test_refusals(void **state)
{
    (void)state;
    for (int count = 2; count <= 3; count++)
        for (int commits_too = 0; commits_too < 2; commits_too++) {
            if (count == 3 && commits_too)
                continue; /* piece 2 undoes them all */
            writer_commits = commits_too;
            writer_decided = false;
            run_all(refuse, count);
            for (int i = 1; i < count; i++)
                assert_int_equal(told[i], writer_commits ? DB_OK : DB_RETRY);
            expect_rows(writer_commits);
        }
}

/* --- a lock that somebody else holds -------------------------------------------------------------------------------- */

static bool held;

static void hold_then_write(int number)
{
    enum db_status status;
    if (number == 0) { /* not shared: holds the row for a while */
        transaction_t *transaction = transaction_begin(lanes, soon, false, &status);
        assert_int_equal(status_of(run(transaction, &SQL_update, -1)), DB_OK);
        held = true;
        lanes_pause(lanes, 2000);
        transaction_rollback(&transaction);
        return;
    }
    while (!held)
        lanes_pause(lanes, 1);
    transaction_t *transaction = transaction_share(lanes, clock_monotonic() + (number == 2 ? 600 : 8000) * CLOCK_MILLISECOND);
    told[number] = (int)status_of(run(transaction, number == 1 ? &SQL_update : &SQL_insert, number == 1 ? -1 : base + number));
    if (told[number] == DB_OK)
        told[number] = (int)record(&transaction, base + number);
    transaction_rollback(&transaction);
}

/* Who cannot wait so long goes; what it had sent is undone, and the others are told to run alone. */
static void test_waiting(void **state)
{
    (void)state;
    held = false;
    run_all(hold_then_write, 6);
    assert_int_equal(told[2], DB_TIMEOUT);
    for (int i = 1; i < 6; i++)
        assert_true(i == 2 || told[i] == DB_RETRY);
    expect_rows(0);
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    database_run("DROP SCHEMA IF EXISTS groups_test CASCADE");
    database_run("CREATE SCHEMA groups_test");
    database_run("CREATE TABLE groups_test.numbers (id bigint PRIMARY KEY, value bigint)");
    database_run("CREATE TABLE groups_test.records (id bigint PRIMARY KEY)");
    database_run("INSERT INTO groups_test.numbers VALUES (-1, 0)");
    database_run("INSERT INTO groups_test.records VALUES (-1)");
    rig_open(statements, ARRAY_SIZE(statements));
    process.config.database.write_groups = 2;
    return 0;
}

int main(void)
{
    if (!database_given())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_commit),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_same_row),
        cmocka_unit_test(test_odd_ones),
        cmocka_unit_test(test_all_go),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_waiting),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
