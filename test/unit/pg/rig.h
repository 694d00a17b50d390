/* rig: what the tests of the lanes against a real PostgreSQL share: a loop, its lanes, and pieces that run in coroutines. Included
 * once by a program, which names its database in DATABASE_URL. */
#pragma once
#include "pieces.h"
#include <signal.h>

static const char *url;

#define STATEMENT(sname, slane, message, text)                                                                     \
    static statement_t SQL_##sname = {.name = #sname, .lane = slane, .row = message, .sql = text}
#define BATCHED(sname, message, text, batched_text)                                                                \
    static statement_t SQL_##sname = {                                                                             \
        .name = #sname, .lane = LANE_READ, .row = message, .sql = text, .batched = batched_text}

#define READ(statement, ...)                                                                                       \
    lanes_read(lanes, &SQL_##statement, (param_t[]){__VA_ARGS__}, sizeof((param_t[]){__VA_ARGS__}) / sizeof(param_t), soon)

static int64_t value_of(rows_t *take_rows)
{
    one_t one;
    assert_int_equal(take_rows->status, DB_OK);
    assert_int_equal(take_rows->count, 1);
    rows_read(take_rows, 0, &one);
    rows_free(&take_rows);
    return one.value;
}

static void run_all(piece_t piece, int count)
{
    run_pieces(piece, count);
    assert_true(lanes_idle(lanes));
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

/* SQL, each text a command of its own, by another connection. */
static void database_run(const char *sql)
{
    char command[1000];
    assert_in_range(snprintf(command, sizeof command, "psql -XAtq -v ON_ERROR_STOP=1 '%s' -c \"%s\" >/dev/null", url, sql), 1,
        sizeof command - 1);
    assert_int_equal(system(command), 0);
}

static void rig_open(const statement_t *const *statements, int count)
{
    char error[512];
    process_make(6);
    if (lanes_check(&process, url, statements, count, error, sizeof error) != DB_OK)
        fail_msg("%s", error);
    loop = loop_ev_create();
    lanes = lanes_open(loop, &process, url, statements, count);
    until_ready();
}

static int teardown(void **state)
{
    (void)state;
    lanes_close(&lanes);
    assert_int_equal(atomic_load(&process.self->database_connections), 0);
    return 0;
}

static bool database_given(void)
{
    url = getenv("DATABASE_URL");
    if (!url)
        fputs("DATABASE_URL must name a database for the test\n", stderr);
    signal(SIGPIPE, SIG_IGN);
    return url != NULL;
}
