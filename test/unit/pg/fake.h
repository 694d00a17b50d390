/* fake: a PostgreSQL on the test's own loop, which speaks as much of the protocol (version 3) as the lanes need and dies, errs or
 * falls silent at the step that `fault` names. Included once by a program, after pieces.h, whose loop it uses. */
#pragma once
#include "pieces.h"
#include "pg/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { CONNECTIONS_MAX = 64 };

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
static int commits, accepted, writers, unseen; /* COMMITs that came before the transaction could be seen */

typedef struct {
    int fd;
    loop_watch_t *watch;
    buffer_t in, out;
    bool started, skipping, in_transaction, seen;
    char statement[32];
} backend_t;
static backend_t backends[CONNECTIONS_MAX];
static int listener;
static char directory[] = "/tmp/aipoten-faults.XXXXXX";

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
        unseen += !backend->seen;
        backend->in_transaction = backend->seen = false;
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
        backend->seen = backend->in_transaction;
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
    ssize_t sent = write(backend->fd, backend->out.data, backend->out.length);
    if (sent < 0 && errno == EPIPE) { /* a client that was killed */
        hang_up(backend);
        return;
    }
    assert_int_equal(sent, backend->out.length);
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

enum { WRITERS = 3 };

/* --- statements that it understands, and lanes that run them ------------------------------------------------------- */

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

/* Back to a PostgreSQL that works. */
static void mend(void)
{
    fault = NO_FAULT;
    until_ready();
}

static int statuses[DB_ERROR + 1];

static void read_one(int number)
{
    (void)number;
    statuses[status_of(lanes_read(lanes, &get, NULL, 0, soon))]++;
}

static void read_all(piece_t piece, int count)
{
    memset(statuses, 0, sizeof statuses);
    run_pieces(piece, count);
}

static void write_one(int number)
{
    (void)number;
    enum db_status status;
    transaction_t *transaction = transaction_begin(lanes, soon, false, &status);
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
    run_pieces(write_one, count);
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

static char fake_url[128];

static int fake_open(void **state)
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
    process_make(WRITERS);
    snprintf(fake_url, sizeof fake_url, "postgresql://nobody@/none?host=%s", directory);
    lanes = lanes_open(loop, &process, fake_url, statements, ARRAY_SIZE(statements));
    return 0;
}

static int fake_close(void **state)
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
