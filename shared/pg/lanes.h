/* lanes: an actor's connections to PostgreSQL (architecture.md, "Lanes"). Only this directory includes libpq. Every function
 * that waits suspends the running coroutine; all have a deadline.
 *
 * Read: one pipelined connection; what one turn sends shares one Sync. A statement that fails aborts its batch; the aborted
 * rest is retried alone. Write: a transaction holds a connection of its own, opened as needed, closed when idle. Slow: like
 * read, with its own connection and time limit, opened at first use. A lost connection is opened again with back-off;
 * meanwhile every use of it answers DB_UNAVAILABLE at once. When the machine has no connection left (database.connections), those
 * who need one wait for it until their deadlines, and whoever has nothing to do gives his up. */
#pragma once
#include "../base/loop.h"
#include "../shm/process.h"
#include "statement.h"

enum db_status {
    DB_OK,
    DB_UNAVAILABLE,   /* no connection, or lost meanwhile: 503; the transaction did not commit */
    DB_UNKNOWN,       /* lost during COMMIT: it may have committed */
    DB_RETRY,         /* serialization failure or deadlock: the handler runs again */
    DB_TIMEOUT,       /* statement_timeout or the call's deadline */
    DB_CONSTRAINT,    /* unique, foreign key, check or exclusion: see rows->constraint */
    DB_ERROR,         /* anything else: ours, logged */
};

typedef struct rows {
    enum db_status status;
    int count;
    int64_t affected;       /* rows of an INSERT, UPDATE or DELETE */
    const char *constraint; /* name of the violated one; NULL */
    char sqlstate[6];
    const statement_t *statement;
    void *result; /* PGresult */
    int first;    /* where its rows begin in the result */
    int *uses;    /* how many rows_t share the result; NULL: this one alone */
    struct rows *next;
} rows_t;

typedef struct lanes lanes_t;
typedef struct transaction transaction_t;

/* Prepares and describes every statement on a connection of its own and remembers what PostgreSQL said: DB_OK;
 * DB_UNAVAILABLE: no database now, or no connection left (database.connections), try again; DB_ERROR: a statement does not fit the
 * schema or its message, which fails the start. The reason goes to `error`. Blocks (four seconds at most): only before the process
 * is ready. */
enum db_status lanes_check(
    process_t *, const char *url, const statement_t *const *statements, int count, char *error, size_t error_size);
/* Begins to connect; lanes_ready tells when reads can run. `url` (a libpq URI, borrowed) and the statements must have been
 * checked; NULL: no connection is ever opened, there is only lanes_pause and lanes_yield. Never NULL. */
lanes_t *lanes_open(loop_t *, process_t *, const char *url, const statement_t *const *statements, int count);
/* On the statement's lane, which must not be LANE_WRITE. `deadline` is clock_monotonic(). rows_free the answer. */
rows_t *lanes_read(lanes_t *, const statement_t *, const param_t *, int count, int64_t deadline);

/* BEGIN travels with the first statement. `plans`: its statements may be planned for their values, as batches of a size want it;
 * otherwise one plan of each serves for all of them. NULL when no connection came within the deadline (status says why). */
transaction_t *transaction_begin(lanes_t *, int64_t deadline, bool plans, enum db_status *status);
/* One whose first statement is `write grouped` and whose caller has not run before: it may share a transaction with others. Should
 * that not come to a good end, any of these functions says DB_RETRY, and the caller runs again with transaction_begin. Never NULL. */
transaction_t *transaction_share(lanes_t *, int64_t deadline);
rows_t *transaction_run(transaction_t *, const statement_t *, const param_t *, int count);
/* Sends it with the next one, or with COMMIT: no round trip more. Its rows are nobody's; what fails in it fails there. DB_RETRY: it
 * cannot be sent. */
enum db_status transaction_send(transaction_t *, const statement_t *, const param_t *, int count);
/* The same for a statement whose rows are wanted after COMMIT: *rows, NULL until they came, must stay where it is until the
 * transaction has ended, and is the caller's to free, also when that was no COMMIT. At most TRANSACTION_KEPT_MOST on the way. */
enum db_status transaction_send_kept(transaction_t *, const statement_t *, const param_t *, int count, rows_t **rows);
enum { TRANSACTION_KEPT_MOST = 4 };
/* COMMIT with one more statement just before it, on the same way: no round trip more. What breaks there (DB_CONSTRAINT: the
 * statement broke one) ends the transaction as if rolled back. */
enum db_status transaction_commit_after(transaction_t **, const statement_t *, const param_t *, int count);
/* These end it, clear the caller's pointer and give the connection back. */
enum db_status transaction_commit(transaction_t **);
void transaction_rollback(transaction_t **);
/* Rolled back by who refuses because of what a statement showed. DB_RETRY: others wrote that and it was undone, so the caller must
 * look again. NULL is no transaction: DB_OK. */
enum db_status transaction_refuse(transaction_t **);

/* One statement of lane write that is a transaction by itself, committed when this returns: one round trip. DB_UNKNOWN: it may have
 * been. */
rows_t *lanes_write(lanes_t *, const statement_t *, const param_t *, int count, int64_t deadline);

/* Is the read lane connected, or none wanted? For readiness and 503 at once. */
bool lanes_ready(const lanes_t *);
/* Nothing is under way on any lane. */
bool lanes_idle(const lanes_t *);
void lanes_close(lanes_t **);

/* An answer that no database gave, for the layer above. Never NULL. */
rows_t *rows_failed(const statement_t *, enum db_status status);
/* Suspends the running coroutine for so many milliseconds, give or take a tick. */
void lanes_pause(lanes_t *, int milliseconds);
/* Suspends the running coroutine until the next turn of the loop. */
void lanes_yield(lanes_t *);

/* Reads row `index` into a struct of the statement's message; texts point into the result. Sealed fields stay sealed:
 * call.h opens them. False: it has a choice that this release does not know. */
bool rows_read(const rows_t *, int index, void *out);
void rows_free(rows_t **);
