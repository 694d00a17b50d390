/* lanes: against a real PostgreSQL, given by DATABASE_URL (a role that may create tables). Run by
 * test/scenario/16-lanes_test.py, which has one. */
#include "rig.h"

enum { PARALLEL = 40, MANY = 150 /* more than one batch */ };

#define TYPES(FIELD)                                                                                               \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, words)                                                                                             \
    FIELD(integer, small)                                                                                          \
    FIELD(integer, big)                                                                                            \
    FIELD(boolean, flag)                                                                                           \
    FIELD(decimal, weight, .scale = 2)                                                                             \
    FIELD(date, day)                                                                                               \
    FIELD(time, at)                                                                                                \
    FIELD(json, tree)                                                                                              \
    FIELD(bytes, raw)                                                                                              \
    FIELD(text, nothing)
MESSAGE(types, TYPES);

static const char *const kind_names[] = {"one", "two", NULL};
#define KINDS(FIELD) FIELD(choice, kind, .names = kind_names)
MESSAGE(kinds, KINDS);
#define AMOUNTS(FIELD) FIELD(decimal, amount, .scale = 2)
MESSAGE(amounts, AMOUNTS);

STATEMENT(echo, LANE_READ, &one_message, "SELECT $1::bigint AS value");
STATEMENT(divide, LANE_READ, &one_message, "SELECT 100 / $1::bigint AS value");
STATEMENT(sleep, LANE_READ, &one_message, "SELECT length(pg_sleep($1)::text)::bigint AS value");
STATEMENT(sleep_slow, LANE_SLOW, &one_message, "SELECT length(pg_sleep($1)::text)::bigint AS value");
STATEMENT(sneak, LANE_READ, NULL, "INSERT INTO lanes_test.numbers VALUES (99, 0)");
STATEMENT(all_types, LANE_READ, &types_message,
    "SELECT $1::uuid AS id, $2::text AS words, $3::smallint AS small, $4::bigint AS big, $5::boolean AS flag,"
    " $6::numeric(10,2) AS weight, $7::date AS day, $8::timestamptz AS at, $9::text::jsonb AS tree, $10::bytea AS raw,"
    " $11::text AS nothing");
STATEMENT(kind, LANE_READ, &kinds_message, "SELECT $1::text AS kind");
STATEMENT(huge, LANE_READ, &amounts_message, "SELECT $1::text::numeric AS amount");
STATEMENT(insert, LANE_WRITE, NULL, "INSERT INTO lanes_test.numbers VALUES ($1, $2)");
STATEMENT(bump, LANE_WRITE, &one_message, "UPDATE lanes_test.numbers SET value = value + 1 WHERE id = $1 RETURNING value");
STATEMENT(late, LANE_WRITE, &one_message, "SELECT $1::bigint AS value");
STATEMENT(count, LANE_READ, &one_message, "SELECT count(*) AS value FROM lanes_test.numbers WHERE id = $1");
#define WORDS(FIELD) FIELD(text, kind)
MESSAGE(words, WORDS);
STATEMENT(rename, LANE_WRITE, &words_message, "UPDATE lanes_test.names SET kind = kind WHERE id = $1 RETURNING kind");
STATEMENT(one_plan, LANE_WRITE, &one_message, "SELECT (current_setting('plan_cache_mode') = 'force_generic_plan')::integer::bigint AS value");
STATEMENT(end_me, LANE_WRITE, NULL, "SELECT FROM pg_terminate_backend(pg_backend_pid())");
BATCHED(series, &one_message, "SELECT v AS value FROM generate_series(1, $1::bigint) v WHERE $2::text IS NULL ORDER BY v DESC",
    "SELECT v AS value FROM generate_series(1, aipoten_batch.p1::bigint) v WHERE aipoten_batch.p2::text IS NULL ORDER BY v DESC");
BATCHED(share, &one_message, "SELECT 100 / $1::bigint AS value", "SELECT 100 / aipoten_batch.p1::bigint AS value");
BATCHED(wait, &one_message, "SELECT length(pg_sleep($1::bigint / 1000.0)::text)::bigint AS value",
    "SELECT length(pg_sleep(aipoten_batch.p1::bigint / 1000.0)::text)::bigint AS value");
static const statement_t *const statements[] = {&SQL_series, &SQL_share, &SQL_wait, &SQL_echo, &SQL_divide, &SQL_sleep, &SQL_sleep_slow, &SQL_sneak,
    &SQL_all_types, &SQL_late, &SQL_insert, &SQL_bump, &SQL_rename, &SQL_count, &SQL_one_plan, &SQL_end_me, &SQL_kind, &SQL_huge};

#define RUN(transaction, statement, ...)                                                                           \
    transaction_run(                                                                                               \
        transaction, &SQL_##statement, (param_t[]){__VA_ARGS__}, sizeof((param_t[]){__VA_ARGS__}) / sizeof(param_t))

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void echo(int number)
{
    for (int i = 0; i < 20; i++)
        assert_int_equal(value_of(READ(echo, bind_integer(number * 1000 + i))), number * 1000 + i);
}

static void test_parallel_reads(void **state)
{
    (void)state;
    run_all(echo, PARALLEL);
}

/* Every third divides by zero and aborts the batch it is in: the others must not notice. */
static void divide(int number)
{
    for (int i = 0; i < 10; i++) {
        if (number % 3 == 0)
            assert_int_equal(status_of(READ(divide, bind_integer(0))), DB_ERROR);
        else
            assert_int_equal(value_of(READ(divide, bind_integer(number))), 100 / number);
    }
}

static void test_failure_in_a_batch(void **state)
{
    (void)state;
    run_all(divide, PARALLEL);
}

/* --- batched statements ------------------------------------------------------------------------------------------- */

static int shared;

/* Call n gets n rows, from n down to 1; every seventh gets none, by its text. */
static void series(int number)
{
    text_t text = number % 7 == 0 ? TEXT("no") : (text_t){0};
    rows_t *rows = READ(series, bind_integer(number), bind_text(text));
    assert_int_equal(rows->status, DB_OK);
    assert_int_equal(rows->count, number % 7 == 0 ? 0 : number);
    for (int i = 0; i < rows->count; i++) {
        one_t one;
        assert_true(rows_read(rows, i, &one));
        assert_int_equal(one.value, number - i);
    }
    shared += rows->uses != NULL;
    rows_free(&rows);
}

static void share(int number)
{
    rows_t *rows = READ(share, bind_integer(number));
    if (number == 0) /* what is its own fault is not the others' */
        assert_int_equal(status_of(rows), DB_ERROR);
    else
        assert_int_equal(value_of(rows), 100 / number);
}

static void one_shares(int number)
{
    rows_t *rows = READ(series, bind_integer(number + 3), bind_null());
    assert_int_equal(rows->count, number + 3);
    assert_null(rows->uses);
    rows_free(&rows);
}

/* One that is too long takes the batch's time, and then its own only. */
static void wait_some(int number)
{
    rows_t *rows = READ(wait, bind_integer(number == 3 ? 2000 : 1));
    assert_int_equal(status_of(rows), number == 3 ? DB_TIMEOUT : DB_OK);
}

static void wait_too_late(int number)
{
    int64_t early = clock_monotonic() + (number % 2 ? 30 : 1) * CLOCK_MILLISECOND;
    rows_t *rows = lanes_read(lanes, &SQL_wait, (param_t[]){bind_integer(100)}, 1, early);
    assert_int_equal(status_of(rows), DB_TIMEOUT);
    lanes_pause(lanes, 500); /* until the statement_timeout has ended the batch that nobody waits for */
}

static void test_batches(void **state)
{
    (void)state;
    run_all(series, MANY);
    assert_true(shared > MANY / 2);
    run_all(one_shares, 1);
    run_all(share, PARALLEL);
    run_all(wait_some, 8);
    run_all(wait_too_late, 8);
    run_all(series, MANY);
}

/* What a batch cannot carry is said at the start. */
static void test_bad_batches(void **state)
{
    (void)state;
    static statement_t raw = {.name = "raw", .lane = LANE_READ, .row = &one_message,
        .sql = "SELECT length($1::bytea)::bigint AS value", .batched = "SELECT length(aipoten_batch.p1::bytea)::bigint AS value"};
    static statement_t none = {.name = "none", .lane = LANE_READ, .row = &one_message,
        .sql = "SELECT 1::bigint AS value", .batched = "SELECT 1::bigint AS value"};
    static statement_t other = {.name = "other", .lane = LANE_READ, .row = &one_message,
        .sql = "SELECT $1::bigint AS value", .batched = "SELECT aipoten_batch.p1::text AS value"};
    static const struct {
        const statement_t *statement;
        const char *says;
    } cases[] = {{&raw, "which cannot be batched"}, {&none, "nothing to batch"}, {&other, "other columns"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char error[512] = "";
        assert_int_equal(lanes_check(&process, url, &cases[i].statement, 1, error, sizeof error), DB_ERROR);
        assert_non_null(strstr(error, cases[i].says));
    }
}

static void types(int number)
{
    uuid_t id = uuid_new();
    rows_t *rows = READ(all_types, bind_uuid(id), bind_text(TEXT("가나다")), bind_integer(-7), bind_integer(INT64_MIN + 1),
        bind_boolean(true), bind_decimal(-1234567 - number, 2), bind_date(-1), bind_time(1742464800123456),
        bind_text(TEXT("{\"a\": [1, 2]}")), bind_bytes((text_t){"\0\1\2", 3}), bind_null());
    types_t value;
    assert_int_equal(rows->status, DB_OK);
    rows_read(rows, 0, &value);
    assert_true(uuid_equal(value.id, id));
    assert_text(value.words, "가나다");
    assert_int_equal(value.small, -7);
    assert_int_equal(value.big, INT64_MIN + 1);
    assert_true(value.flag);
    assert_int_equal(value.weight, -1234567 - number);
    assert_int_equal(value.day, -1);
    assert_int_equal(value.at, 1742464800123456);
    assert_text(value.tree, "{\"a\": [1, 2]}");
    assert_int_equal(value.raw.length, 3);
    assert_memory_equal(value.raw.data, "\0\1\2", 3);
    assert_true(message_is_null(&value, nothing));
    rows_free(&rows);
}

static void numerics(int number)
{
    static const struct {
        int64_t value;
        int scale;
    } cases[] = {{0, 2}, {1, 2}, {-1, 2}, {5, 2}, {10, 2}, {99, 2}, {100, 2}, {999999, 2}, {10000, 2}, {1000000, 2},
        {12345678, 2}, {-99999999, 2}};
    (void)number;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rows_t *rows = READ(all_types, bind_null(), bind_null(), bind_null(), bind_null(), bind_null(),
            bind_decimal(cases[i].value, cases[i].scale), bind_null(), bind_null(), bind_null(), bind_null(), bind_null());
        types_t value;
        rows_read(rows, 0, &value);
        assert_int_equal(value.weight, cases[i].value);
        rows_free(&rows);
    }
}

/* A name that a later release added to the column fails the call, not the process. */
static void kinds(int number)
{
    kinds_t value;
    rows_t *rows = READ(kind, bind_text(TEXT("two")));
    assert_true(rows_read(rows, 0, &value));
    assert_int_equal(value.kind, 1);
    rows_free(&rows);
    rows = READ(kind, bind_text(TEXT("three")));
    assert_false(rows_read(rows, 0, &value));
    rows_free(&rows);
    (void)number;
}

static int64_t amount_of(const char *text)
{
    amounts_t value;
    rows_t *rows = READ(huge, bind_text(text_of(text)));
    rows_read(rows, 0, &value);
    rows_free(&rows);
    return value.amount;
}

static void amounts(int number)
{
    assert_int_equal(amount_of("12345678901234.567"), 1234567890123456);
    assert_int_equal(amount_of("1e30"), INT64_MAX);
    assert_int_equal(amount_of("-1e30"), INT64_MIN);
    assert_int_equal(amount_of("1e-30"), 0);
    assert_int_equal(amount_of("NaN"), 0);
    (void)number;
}

static void test_types(void **state)
{
    (void)state;
    run_all(kinds, 1);
    run_all(amounts, 1);
    run_all(types, 8);
    run_all(numerics, 1);
}

static void sleep_long(int number)
{
    if (number == 0)
        assert_int_equal(status_of(READ(sleep, bind_text(TEXT("1")))), DB_TIMEOUT);
    else if (number == 1) /* the read lane's limit does not hold in the slow one */
        assert_int_equal(value_of(READ(sleep_slow, bind_text(TEXT("0.4")))), 0);
    else
        assert_int_equal(value_of(READ(echo, bind_integer(number))), number);
}

static void sneak(int number)
{
    (void)number;
    assert_int_equal(status_of(lanes_read(lanes, &SQL_sneak, NULL, 0, soon)), DB_ERROR); /* the lane is read-only */
    assert_int_equal(value_of(READ(count, bind_integer(99))), 0);
}

static void too_late(int number)
{
    soon = clock_monotonic() + 100 * CLOCK_MILLISECOND; /* shorter than the statement's own limit */
    assert_int_equal(status_of(READ(sleep_slow, bind_text(TEXT("0.5")))), DB_TIMEOUT);
    soon = clock_monotonic() + 5 * CLOCK_SECOND; /* and the lane goes on */
    assert_int_equal(value_of(READ(sleep_slow, bind_text(TEXT("0.01")))), 0);
    (void)number;
}

static void test_limits(void **state)
{
    (void)state;
    run_all(sleep_long, 6);
    run_all(sneak, 1);
    run_all(too_late, 1);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static transaction_t *begin(void)
{
    enum db_status status;
    transaction_t *transaction = transaction_begin(lanes, soon, false, &status);
    assert_non_null(transaction);
    return transaction;
}

static void commit_one(int number)
{
    transaction_t *transaction = begin();
    assert_int_equal(status_of(RUN(transaction, insert, bind_integer(number), bind_integer(0))), DB_OK);
    assert_int_equal(transaction_commit(&transaction), DB_OK);
    assert_null(transaction);
    assert_int_equal(value_of(READ(count, bind_integer(number))), 1);
}

static void roll_back(int number)
{
    transaction_t *transaction = begin();
    assert_int_equal(status_of(RUN(transaction, insert, bind_integer(1000 + number), bind_integer(0))), DB_OK);
    transaction_rollback(&transaction);
    assert_int_equal(value_of(READ(count, bind_integer(1000 + number))), 0);
}

/* Who has its statements planned for their values leaves the connection as it was. */
static void plans(int number)
{
    enum db_status status;
    for (int i = 0; i < 3; i++) {
        transaction_t *transaction = transaction_begin(lanes, soon, i == 1, &status);
        assert_non_null(transaction);
        assert_int_equal(value_of(transaction_run(transaction, &SQL_one_plan, NULL, 0)), i != 1);
        if (number % 2)
            transaction_rollback(&transaction);
        else
            assert_int_equal(transaction_commit(&transaction), DB_OK);
        assert_int_equal(value_of(lanes_write(lanes, &SQL_one_plan, NULL, 0, soon)), 0);
    }
}

static void violate(int number)
{
    for (int i = 0; i < 3; i++) { /* also on a connection where the statement is prepared already */
        transaction_t *transaction = begin();
        rows_t *rows = RUN(transaction, insert, bind_integer(number), bind_integer(1));
        assert_int_equal(rows->status, DB_CONSTRAINT);
        assert_string_equal(rows->constraint, "numbers_pkey");
        rows_free(&rows);
        transaction_rollback(&transaction);
    }
}

/* What was sent ahead violates it: the statement behind it is not prepared, and whoever runs it next must not meet that. */
static void violate_ahead(int number)
{
    transaction_t *transaction = begin();
    assert_int_equal(transaction_send(transaction, &SQL_insert, (param_t[]){bind_integer(number), bind_integer(1)}, 2), DB_OK);
    assert_int_equal(status_of(RUN(transaction, late, bind_integer(1))), DB_CONSTRAINT);
    transaction_rollback(&transaction);
    transaction = begin();
    assert_int_equal(value_of(RUN(transaction, late, bind_integer(7))), 7);
    transaction_rollback(&transaction);
}

#define SEND(transaction, statement, ...)                                                                          \
    assert_int_equal(transaction_send(transaction, &SQL_##statement, (param_t[]){__VA_ARGS__},                     \
        sizeof((param_t[]){__VA_ARGS__}) / sizeof(param_t)), DB_OK)
#define SEND_KEPT(transaction, rows, statement, ...)                                                               \
    assert_int_equal(transaction_send_kept(transaction, &SQL_##statement, (param_t[]){__VA_ARGS__},                \
        sizeof((param_t[]){__VA_ARGS__}) / sizeof(param_t), rows), DB_OK)

/* Rows of what travels with COMMIT, or with a statement that is waited for, wherever it stands among the others; on a connection that
 * prepares them and on one that need not. */
static void keep_rows(int number)
{
    for (int i = 0; i < 3; i++) {
        rows_t *first = NULL, *second = NULL, *third = NULL;
        int64_t id = 2000 + number * 10 + i;
        transaction_t *transaction = begin();
        SEND_KEPT(transaction, &first, late, bind_integer(5));
        SEND(transaction, insert, bind_integer(id), bind_integer(40));
        SEND_KEPT(transaction, &second, bump, bind_integer(id));
        if (i == 1) {
            assert_int_equal(value_of(RUN(transaction, bump, bind_integer(id))), 42);
            assert_true(first && second);
        }
        SEND_KEPT(transaction, &third, late, bind_integer(7));
        assert_null(third);
        param_t params[] = {bind_integer(id)};
        assert_int_equal(transaction_commit_after(&transaction, &SQL_bump, params, 1), DB_OK);
        assert_int_equal(value_of(first), 5);
        assert_int_equal(value_of(second), 41);
        assert_int_equal(value_of(third), 7);
    }
}

/* The statement behind it fails with COMMIT: nothing was done, whatever it gave. */
static void keep_in_vain(int number)
{
    rows_t *rows = NULL;
    transaction_t *transaction = begin();
    SEND_KEPT(transaction, &rows, bump, bind_integer(2000 + number));
    SEND(transaction, insert, bind_integer(2000 + number), bind_integer(0));
    assert_int_equal(transaction_commit(&transaction), DB_CONSTRAINT);
    rows_free(&rows);
    transaction = begin();
    assert_int_equal(value_of(RUN(transaction, bump, bind_integer(2000 + number))), 43);
    transaction_rollback(&transaction);
}

static int bumps;

static void bump_one(int number)
{
    (void)number;
    for (int i = 0; i < 5; i++) {
        transaction_t *transaction = begin();
        assert_true(value_of(RUN(transaction, bump, bind_integer(0))) > 0);
        assert_int_equal(transaction_commit(&transaction), DB_OK);
        bumps++;
    }
}

static void check_bumps(int number)
{
    (void)number;
    transaction_t *transaction = begin();
    assert_int_equal(value_of(RUN(transaction, bump, bind_integer(0))), bumps + 1);
    transaction_rollback(&transaction);
}

/* Two that lock the same rows in opposite order: one is told to run again. */
static int deadlocked, finished;

static void lock_two(int number)
{
    transaction_t *transaction = begin();
    assert_int_equal(status_of(RUN(transaction, bump, bind_integer(number))), DB_OK);
    while (deadlocked + finished == 0 && value_of(READ(echo, bind_integer(1))) && running == 2)
        if (clock_monotonic() > soon - 4800 * CLOCK_MILLISECOND)
            break; /* both have their first lock */
    enum db_status status = status_of(RUN(transaction, bump, bind_integer(1 - number)));
    assert_true(status == DB_OK || status == DB_RETRY);
    deadlocked += status == DB_RETRY;
    finished += status == DB_OK;
    transaction_rollback(&transaction);
}

static void test_transactions(void **state)
{
    (void)state;
    run_all(commit_one, PARALLEL); /* more than there are connections: the rest waits its turn */
    run_all(plans, PARALLEL);
    run_all(roll_back, 8);
    run_all(violate, 8);
    run_all(violate_ahead, 1);
    run_all(keep_rows, 8);
    run_all(keep_in_vain, 1);
    run_all(bump_one, 8);
    run_all(check_bumps, 1);
    run_all(lock_two, 2);
    assert_int_equal(deadlocked, 1);
    assert_int_equal(finished, 1);
}

/* --- a migration -------------------------------------------------------------------------------------------------- */

enum { WRITERS = 6 };
static int renamed, outdated;

static void rename_one(int number)
{
    for (int i = 0; i < 2; i++) {
        transaction_t *transaction = begin();
        enum db_status status = status_of(RUN(transaction, rename, bind_integer(number)));
        lanes_pause(lanes, 100); /* until each has a connection of its own */
        transaction_rollback(&transaction);
        renamed += status == DB_OK;
        outdated += status == DB_RETRY;
        if (status != DB_RETRY)
            break;
    }
}

/* All connections have the statement as it was: who met one of them does not meet another when he runs again. */
static void test_migration(void **state)
{
    (void)state;
    run_all(rename_one, WRITERS);
    assert_int_equal(renamed, WRITERS);
    database_run("ALTER TABLE lanes_test.names ALTER kind TYPE varchar(20)");
    run_all(rename_one, 1);
    assert_int_equal(renamed, WRITERS + 1);
    assert_int_equal(outdated, 1);
    run_all(rename_one, WRITERS);
    assert_int_equal(renamed, 2 * WRITERS + 1);
}

/* --- losing PostgreSQL -------------------------------------------------------------------------------------------- */

static void lose_writer(int number)
{
    (void)number;
    transaction_t *transaction = begin();
    assert_int_equal(status_of(lanes_read(lanes, &SQL_echo, (param_t[]){bind_integer(1)}, 1, soon)), DB_OK);
    enum db_status status = status_of(transaction_run(transaction, &SQL_end_me, NULL, 0));
    assert_true(status == DB_UNAVAILABLE || status == DB_RETRY); /* RETRY: it had been idle, and may have been closed then */
    transaction_rollback(&transaction);
    transaction = begin(); /* a new connection */
    assert_true(value_of(RUN(transaction, bump, bind_integer(0))) > 0);
    transaction_rollback(&transaction);
}

static void test_lost_connection(void **state)
{
    (void)state;
    run_all(lose_writer, 1);
    char command[600];
    snprintf(command, sizeof command,
        "psql -XAtq '%s' -c \"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE "
        "'aipoten test.1 %%'\" >/dev/null",
        url);
    assert_int_equal(system(command), 0);
    loop_timer_t *timer = loop->timer(loop, 300, wait_ready, NULL); /* time to notice and to come back */
    loop_ev_run(loop);
    loop->timer_stop(&timer);
    until_ready();
    run_all(echo, 4);
    run_all(bump_one, 4);
}

static void test_bad_statements(void **state)
{
    (void)state;
    STATEMENT(no_table, LANE_READ, NULL, "SELECT FROM nowhere");
    STATEMENT(wrong_column, LANE_READ, &one_message, "SELECT 1::bigint AS other");
    STATEMENT(wrong_type, LANE_READ, &one_message, "SELECT 'a'::text AS value");
    STATEMENT(more_columns, LANE_READ, &one_message, "SELECT 1::bigint AS value, 2 AS more");
    const statement_t *bad[] = {&SQL_no_table, &SQL_wrong_column, &SQL_wrong_type, &SQL_more_columns};
    char error[512];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(lanes_check(&process, url, &bad[i], 1, error, sizeof error), DB_ERROR);
        assert_non_null(strstr(error, bad[i]->name));
        free(bad[i]->plan);
    }
    const statement_t *good = &SQL_echo;
    /* What is no URI is our own configuration, and may have a password in it. */
    assert_int_equal(lanes_check(&process, "postgresql://user:hush@[host/x", &good, 1, error, sizeof error), DB_ERROR);
    assert_null(strstr(error, "hush"));
    assert_int_equal(lanes_check(&process, "postgresql://nobody@127.0.0.1:1/x", &good, 1, error, sizeof error), DB_UNAVAILABLE);
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    database_run("DROP SCHEMA IF EXISTS lanes_test CASCADE");
    database_run("CREATE SCHEMA lanes_test");
    database_run("CREATE TABLE lanes_test.numbers (id bigint PRIMARY KEY, value bigint)");
    database_run("CREATE TABLE lanes_test.names (id bigint PRIMARY KEY, kind varchar(10))");
    database_run("INSERT INTO lanes_test.names SELECT n, 'one' FROM generate_series(0, 9) n");
    rig_open(statements, ARRAY_SIZE(statements));
    return 0;
}

int main(void)
{
    if (!database_given())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel_reads),
        cmocka_unit_test(test_failure_in_a_batch),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_bad_batches),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_migration),
        cmocka_unit_test(test_lost_connection),
        cmocka_unit_test(test_bad_statements),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
