/* faults: the lanes against a PostgreSQL that dies, errs or falls silent at a chosen step. It is a fake one on the same loop,
 * which speaks as much of the protocol (version 3) as the lanes need, so that each step can be hit exactly. */
#include "../unit.h"
#include "base/clock.h"
#include "base/coroutine.h"
#include "pg/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PARALLEL = 64, CONNECTIONS_MAX = 64, WRITERS = 3 };

/* --- the fake ----------------------------------------------------------------------------------------------------- */

#define NONSENSE "HTTP/1.1 400 Bad Request\r\n\r\nthis is no message of the protocol, is it?"

enum fault {
    NO_FAULT,
    FATAL_AT_SYNC,      /* every answer is given, then FATAL stands where ReadyForQuery should */
    CLOSED_AFTER_ERROR, /* the batch ends as it should, and the connection with it */
    GARBAGE,            /* bytes that are no message of the protocol */
    SILENT,             /* nothing is answered any more */
    CLOSED_AT_COMMIT,   /* COMMIT arrives, its answer does not */
    CLOSED_AT_EXECUTE,
    CLOSED_AT_PREPARE,
    FATAL_AT_PREPARE,
    GARBAGE_AT_PREPARE,
    REFUSING,           /* new connections are closed at once */
};
static enum fault fault;
static int commits, accepted, writers;

typedef struct {
    int fd;
    loop_watch_t *watch;
    buffer_t in, out;
    bool started, skipping, in_transaction;
    char statement[32];
} backend_t;
static backend_t backends[CONNECTIONS_MAX];
static int listener;
static char directory[] = "/tmp/aipoten-faults.XXXXXX";

static loop_t *loop;
static lanes_t *lanes;
static process_t process;
static int running;
static int64_t soon;

static void reply(backend_t *backend, char type, const void *data, size_t length)
{
    uint32_t size = htonl((uint32_t)length + 4);
    buffer_add_char(&backend->out, type);
    buffer_add(&backend->out, &size, 4);
    buffer_add(&backend->out, data, length);
}

#define REPLY(backend, type, literal) reply((backend), (type), (literal), sizeof(literal) - 1)

static void hang_up(backend_t *backend)
{
    ssize_t sent = write(backend->fd, backend->out.data, backend->out.length);
    (void)sent;
    loop->unwatch(&backend->watch);
    close(backend->fd);
    buffer_free(&backend->in);
    buffer_free(&backend->out);
    *backend = (backend_t){.fd = -1};
}

static void execute(backend_t *backend)
{
    const char *statement = backend->statement;
    if (strcmp(statement, "fail") == 0) {
        REPLY(backend, 'E', "SERROR\0VERROR\0C22012\0Mhush: the value 4711\0\0");
        backend->skipping = true;
    } else if (strcmp(statement, "BEGIN") == 0) {
        backend->in_transaction = true;
        REPLY(backend, 'C', "BEGIN\0");
    } else if (strcmp(statement, "COMMIT") == 0) {
        commits++;
        backend->in_transaction = false;
        REPLY(backend, 'C', "COMMIT\0");
    } else if (strcmp(statement, "ROLLBACK") == 0) {
        backend->in_transaction = false;
        REPLY(backend, 'C', "ROLLBACK\0");
    } else {
        REPLY(backend, 'D', "\0\1\0\0\0\10\0\0\0\0\0\0\0\7");
        REPLY(backend, 'C', "SELECT 1\0");
    }
}

static void describe(backend_t *backend)
{
    if (strcmp(backend->statement, "get") == 0 || strcmp(backend->statement, "put") == 0)
        REPLY(backend, 'T', "\0\1value\0\0\0\0\0\0\0\0\0\0\24\0\10\377\377\377\377\0\1");
    else
        REPLY(backend, 'n', "");
}

/* False: the connection is closed. */
static bool message(backend_t *backend, char type, const char *body)
{
    bool commit = strcmp(backend->statement, "COMMIT") == 0;
    if (type == 'X' || (type == 'E' && fault == CLOSED_AT_EXECUTE) || (type == 'E' && fault == CLOSED_AT_COMMIT && commit)) {
        commits += type == 'E' && commit;
        hang_up(backend);
        return false;
    }
    if (type == 'S') {
        bool failed = backend->skipping;
        backend->skipping = false;
        if (fault == FATAL_AT_SYNC) {
            REPLY(backend, 'E', "SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0");
            hang_up(backend);
            return false;
        }
        reply(backend, 'Z', backend->in_transaction ? "T" : "I", 1);
        if (fault == CLOSED_AFTER_ERROR && failed) {
            hang_up(backend);
            return false;
        }
        return true;
    }
    if (backend->skipping)
        return true;
    if (type == 'P' && fault == CLOSED_AT_PREPARE) {
        hang_up(backend);
        return false;
    }
    if (type == 'P' && fault == FATAL_AT_PREPARE) {
        REPLY(backend, 'E', "SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0");
        hang_up(backend);
        return false;
    }
    if (type == 'P' && fault == GARBAGE_AT_PREPARE) {
        buffer_add_string(&backend->out, NONSENSE);
    } else if (type == 'P') {
        writers += strcmp(body, "BEGIN") == 0; /* once on each */
        if (!body[0]) /* the unnamed one: its SQL is its name */
            snprintf(backend->statement, sizeof backend->statement, "%s", body + 1);
        REPLY(backend, '1', "");
    } else if (type == 'B') {
        const char *name = body + strlen(body) + 1;
        if (name[0])
            snprintf(backend->statement, sizeof backend->statement, "%s", name);
        REPLY(backend, '2', "");
    } else if (type == 'D') {
        describe(backend);
    } else if (type == 'E') {
        if (fault == GARBAGE)
            buffer_add_string(&backend->out, NONSENSE);
        else
            execute(backend);
    }
    return true;
}

static void on_bytes(void *argument, int events)
{
    backend_t *backend = argument;
    (void)events;
    char bytes[4096];
    ssize_t got = read(backend->fd, bytes, sizeof bytes);
    if (got <= 0) {
        hang_up(backend);
        return;
    }
    if (fault == SILENT)
        return;
    buffer_add(&backend->in, bytes, (size_t)got);
    for (;;) {
        size_t head = backend->started ? 1 : 0;
        uint32_t size;
        if (backend->in.length < head + 4)
            break;
        memcpy(&size, backend->in.data + head, 4);
        size = ntohl(size);
        if (backend->in.length < head + size)
            break;
        if (!backend->started) {
            backend->started = true;
            REPLY(backend, 'R', "\0\0\0\0");
            REPLY(backend, 'Z', "I");
        } else if (!message(backend, backend->in.data[0], backend->in.data + 5)) {
            return;
        }
        buffer_consume(&backend->in, head + size);
    }
    assert_int_equal(write(backend->fd, backend->out.data, backend->out.length), backend->out.length);
    backend->out.length = 0;
}

static void on_connection(void *argument, int events)
{
    (void)argument, (void)events;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    accepted++;
    if (fault == REFUSING) {
        close(fd);
        return;
    }
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (backends[i].fd < 0) {
            backends[i] = (backend_t){.fd = fd};
            backends[i].watch = loop->watch(loop, fd, LOOP_READ, on_bytes, &backends[i]);
            return;
        }
    fail_msg("more connections than the test has places for");
}

/* --- statements and running pieces -------------------------------------------------------------------------------- */

#define ONE(FIELD) FIELD(integer, value)
MESSAGE(one, ONE);
static void read_value(const field_t *field, const char *data, int length, void *member)
{
    (void)field, (void)length;
    *(int64_t *)member = data[7];
}

#define GIVES_ONE .readers = {read_value}, .types = {20 /* bigint */}, .column_count = 1
static struct statement_plan get_plan = {.number = 0, GIVES_ONE}, fail_plan = {.number = 1}, put_plan = {.number = 2, GIVES_ONE};
static statement_t get = {.name = "get", .sql = "get", .lane = LANE_READ, .row = &one_message, .plan = &get_plan};
static statement_t get_slowly = {.name = "get", .sql = "get", .lane = LANE_SLOW, .row = &one_message, .plan = &get_plan};
static statement_t fail_now = {.name = "fail", .sql = "fail", .lane = LANE_READ, .plan = &fail_plan};
static statement_t put = {.name = "put", .sql = "put", .lane = LANE_WRITE, .row = &one_message, .plan = &put_plan};
static const statement_t *const statements[] = {&get, &get_slowly, &fail_now, &put};

typedef void (*piece_t)(int number);
typedef struct {
    piece_t piece;
    int number;
} work_t;
static work_t work[PARALLEL];

static void run_piece(void *argument)
{
    work_t *item = argument;
    item->piece(item->number);
    running--;
}

static void stop_when_done(void *argument)
{
    (void)argument;
    if (running == 0)
        loop_ev_stop(loop);
    else if (clock_monotonic() > soon + 10 * CLOCK_SECOND)
        fail_msg("%d coroutines never came back", running);
}

static void run_all(piece_t piece, int count)
{
    soon = clock_monotonic() + 5 * CLOCK_SECOND;
    running = count;
    alarm(30); /* for what never comes back to the loop */
    for (int i = 0; i < count; i++) {
        work[i] = (work_t){piece, i};
        coroutine_start(run_piece, &work[i]);
    }
    loop_timer_t *timer = loop->timer(loop, 1, stop_when_done, NULL);
    loop_ev_run(loop);
    loop->timer_stop(&timer);
    alarm(0);
}

static void wait_ready(void *argument)
{
    (void)argument;
    if (lanes_ready(lanes))
        loop_ev_stop(loop);
}

static void wait_lost(void *argument)
{
    (void)argument;
    if (!lanes_ready(lanes))
        loop_ev_stop(loop);
}

static void until(void (*condition)(void *argument))
{
    alarm(30);
    loop_timer_t *timer = loop->timer(loop, 5, condition, NULL);
    loop_ev_run(loop);
    loop->timer_stop(&timer);
    alarm(0);
}

static int wanted_connections;

static void wait_accepted(void *argument)
{
    (void)argument;
    if (accepted >= wanted_connections)
        loop_ev_stop(loop);
}

/* Back to a PostgreSQL that works. */
static void mend(void)
{
    fault = NO_FAULT;
    until(wait_ready);
}

static enum db_status status_of(rows_t *take_rows)
{
    enum db_status status = take_rows->status;
    rows_free(&take_rows);
    return status;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int statuses[DB_ERROR + 1];

static void read_one(int number)
{
    (void)number;
    statuses[status_of(lanes_read(lanes, &get, NULL, 0, soon))]++;
}

static void read_or_fail(int number)
{
    statuses[status_of(lanes_read(lanes, number == 0 ? &fail_now : &get, NULL, 0, soon))]++;
}

static void read_all(piece_t piece, int count)
{
    memset(statuses, 0, sizeof statuses);
    run_all(piece, count);
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
        until(wait_accepted);
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
    run_all(read_soon, 20);
    int64_t begun = clock_monotonic();
    until(wait_lost);
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
    until(wait_lost);
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

static void write_one(int number)
{
    (void)number;
    enum db_status status;
    transaction_t *transaction = transaction_begin(lanes, soon, &status);
    if (transaction) {
        status = status_of(transaction_run(transaction, &put, NULL, 0));
        if (status == DB_OK)
            status = transaction_commit(&transaction);
        else
            transaction_rollback(&transaction);
    }
    statuses[status]++;
}

static void write_all(int count)
{
    memset(statuses, 0, sizeof statuses);
    run_all(write_one, count);
}

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
    transaction_t *transaction = transaction_begin(lanes, begun + 100 * CLOCK_MILLISECOND, &status);
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
    run_all(write_soon, 20); /* on connections that there were */
    run_all(write_soon, 20); /* on new ones */
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

/* The machine's budget has room for one writer, then for none. */
static void test_budget(void **state)
{
    (void)state;
    int64_t connections = process.config.database.connections, idle_close = process.config.database.idle_close;
    mend();
    process.config.database.idle_close = 0;
    while (atomic_load(&process.self->database_connections) > 1)
        write_all(0); /* a turn and more: the idle ones are closed */
    process.config.database.idle_close = idle_close;
    process.config.database.connections = 2;
    accepted = 0;
    write_all(20);
    assert_int_equal(statuses[DB_OK], 20);
    assert_int_equal(accepted, 1);
    fault = CLOSED_AT_EXECUTE;
    write_all(1);
    mend();
    process.config.database.connections = 1;
    write_all(20);
    assert_int_equal(statuses[DB_UNAVAILABLE], 20);
    process.config.database.connections = connections;
    write_all(20);
    assert_int_equal(statuses[DB_OK], 20);
}

/* All connections are held, the first in the queue gives up in the turn in which one becomes free: the second gets it. */
static int order[3], ordered;

static void hold_wait_or_give_up(int number)
{
    enum db_status status;
    int64_t deadline = number == WRITERS ? clock_monotonic() + 30 * CLOCK_MILLISECOND : soon;
    transaction_t *transaction = transaction_begin(lanes, deadline, &status);
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
    run_all(hold_wait_or_give_up, WRITERS + 3);
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
    run_all(write_again_and_again, 2 * WRITERS);
    assert_int_equal(statuses[DB_OK], 2 * WRITERS * ROUNDS);
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", directory);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 128), 0);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        backends[i].fd = -1;
    loop = loop_ev_create();
    loop->watch(loop, listener, LOOP_READ, on_connection, NULL);
    int fd;
    process = (process_t){.service = "test", .number = 1, .segment = segment_create(&fd)};
    process.self = segment_instance(process.segment, 0);
    atomic_store(&process.self->used, 1);
    process.config.database.connections = 20;
    process.config.database.write_connections = WRITERS;
    process.config.database.read_timeout = 200;
    process.config.database.write_timeout = 3000;
    process.config.database.slow_timeout = 3000;
    process.config.database.idle_close = 60000;
    process.config.http.request_timeout = 10000;
    coroutine_configure(PARALLEL, 256 * 1024);
    static char url[128];
    snprintf(url, sizeof url, "postgresql://nobody@/none?host=%s", directory);
    lanes = lanes_open(loop, &process, url, statements, ARRAY_SIZE(statements));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lanes_close(&lanes);
    assert_int_equal(atomic_load(&process.self->database_connections), 0);
    char path[64];
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", directory);
    unlink(path);
    rmdir(directory);
    return 0;
}

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
        cmocka_unit_test(test_closed_at_commit),
        cmocka_unit_test(test_silence_while_writing),
        cmocka_unit_test(test_write_garbage),
        cmocka_unit_test(test_queue_goes_on),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_queue_keeps_its_order),
        cmocka_unit_test(test_nobody_overtakes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
