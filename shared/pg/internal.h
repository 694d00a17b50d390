/* internal: what the files of shared/pg share. Nobody else includes it, or libpq. */
#pragma once
#include "lanes.h"
#include "../base/coroutine.h"
#include <libpq-fe.h>

enum { PARAMS_MAX = 32, PARAM_SCRATCH = 40 };

/* --- statement.c -------------------------------------------------------------------------------------------------- */

/* Reads a column's binary form into a member. */
typedef void (*column_read_t)(const field_t *, const char *data, int length, void *member);
/* NULL: the field cannot be read from a column of this type. (rows.c) */
column_read_t column_reader(const field_t *, Oid type);

/* What PostgreSQL said of a statement, and which column each field of its message reads. */
typedef struct statement_plan {
    int number; /* bit of the connections' prepared sets */
    int param_count;
    Oid params[PARAMS_MAX];
    char *batched_name, *batched_sql;          /* NULL: it is never batched */
    int batch_most;                            /* calls sent together now (pipeline.c) … */
    int64_t batch_grows_at;                    /* … until then: clock_monotonic */
    int column_count;
    bool said_changed;                         /* in the log */
    Oid types[MESSAGE_FIELDS_MAX];             /* by field, of its column */
    int columns[MESSAGE_FIELDS_MAX];           /* by field */
    column_read_t readers[MESSAGE_FIELDS_MAX]; /* by field */
} statement_plan_t;

/* Parameters as libpq takes them; pointers go into the params that were bound and into scratch. */
typedef struct {
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    char scratch[PARAMS_MAX][PARAM_SCRATCH];
} bound_t;
void params_bind(const statement_t *, const param_t *, int count, bound_t *out);

/* --- rows.c ------------------------------------------------------------------------------------------------------- */

/* Takes the result over and says what it means. */
rows_t *rows_of(const statement_t *, PGresult *take_result);
/* `count` rows of a result that several share, from `first` on; counts itself in *uses. */
rows_t *rows_part(const statement_t *, PGresult *result, int first, int count, int *uses);
/* Are its columns still those that the statement had at the start? `more` columns may stand behind them. */
bool result_fits(const statement_t *, const PGresult *, int more);
enum db_status status_of_sqlstate(const char *sqlstate);
/* The primary message, which names columns and types; NULL when it may quote a value: not for the log. */
const char *error_message(const PGresult *);

/* --- batch.c ------------------------------------------------------------------------------------------------------ */

enum { BATCH_MOST = 64 /* calls in one execution */ };

/* Gives plan->batched_name and _sql; false: a parameter's type cannot be batched, and the error says which. */
bool batch_plan(const statement_t *, statement_plan_t *plan, char *error, size_t size);
/* Can these parameters stand in an array? Else the call is sent alone. */
bool batch_fits(const statement_t *, const param_t *, int count);
/* Sends the batched form with the parameters of `count` calls; false when the connection is gone. */
bool batch_send(PGconn *, const statement_t *, const param_t *const *params, int count);
/* Which rows of the answer are whose: out[i] of call i. False: the rows do not stand in the calls' order. */
typedef struct {
    int first, count;
} batch_part_t;
bool batch_split(const PGresult *, int count, batch_part_t *out);

/* --- places.c ----------------------------------------------------------------------------------------------------- */

/* Of what somebody waits for; the lowest goes first. Further connections for writing: PLACE_FIRST and how many there are. */
enum { PLACE_READ, PLACE_FIRST, PLACE_NONE = 254 };
/* How many places this process could take now. */
int places_free(const process_t *, int rank);
/* False: none is left, or those that are left are others'. */
bool place_take(process_t *, int rank);
void place_give(process_t *);
/* Says to the other processes what this one waits for; to be said again at each tick. PLACE_NONE: nothing. */
void place_wish(process_t *, int rank);
/* How many more than are free the others wait for, or ourselves for a first one, and the lowest rank of those who do. */
typedef struct {
    int count, rank;
} places_wanted_t;
places_wanted_t places_wanted(const process_t *);

/* --- lanes.c ------------------------------------------------------------------------------------------------------ */

/* A coroutine that waits, with a deadline: suspended until wait_wake or the deadline (clock_monotonic). */
typedef struct wait {
    coroutine_t *coroutine;
    int64_t deadline;
    bool expired, woken;
    struct wait *previous, *next;
} wait_t;
/* false when the deadline came first. */
bool wait_for(lanes_t *, wait_t *, int64_t deadline);
/* At the end of the turn; calling it twice or on one that expired does nothing. */
void wait_wake(lanes_t *, wait_t *);

typedef struct pipeline pipeline_t;
typedef struct writer writer_t;
typedef struct group group_t;

struct lanes {
    loop_t *loop;
    process_t *process;
    const char *url;
    const statement_t *const *statements;
    int statement_count;
    wait_t *waiting;                 /* suspended, any order */
    wait_t *woken, **woken_end;      /* to be resumed in this turn, in order */
    wait_t *yielded, **yielded_end;  /* to be resumed in the next one, one a turn */
    pipeline_t *read, *slow;
    writer_t *writers;               /* write connections, in use and idle */
    int writer_count, writers_busy;
    group_t *gathering; /* groups that others can join, or that wait for their turn, in order */
    int groups;         /* under way: at most database.write_groups */
    bool writers_lost; /* said in the log */
    bool leaving;      /* this instance serves no more: nothing idle is kept */
    places_wanted_t wanted; /* at the last tick; less what was given since */
    struct queued *writer_queue, **writer_queue_end; /* callers that wait for a write connection (transaction.c) */
    loop_timer_t *timer;
    struct {
        _Atomic int64_t *queries, *failed, *transactions, *rollbacks, *grouped, *spoiled, *connections, *waiting;
        _Atomic int64_t *statements[LANES], *time[LANES]; /* by lane */
    } counters;
};

enum { TICK_MILLISECONDS = 50 };

/* One statement, or a commit, has taken the time since `began` (clock_monotonic). */
void lanes_count(lanes_t *, enum lane lane, int64_t began);

/* How long a connection that does nothing is kept now, in microseconds. */
int64_t lanes_keep(const lanes_t *);

/* Starts a connection, never NULL; `role` ("read") stands in application_name, options is for libpq's "options". */
PGconn *connection_start(lanes_t *, const char *role, const char *options);
/* Why it was lost: libpq's message, its first line, without values of statements. */
text_t connection_error(const PGconn *);
/* Takes a place in the machine's budget (places.c); false: none is left. connection_end gives it back and finishes *pg. */
bool connection_allowed(lanes_t *, int rank);
void connection_end(lanes_t *, PGconn **pg);

/* --- pipeline.c --------------------------------------------------------------------------------------------------- */

pipeline_t *pipeline_create(lanes_t *, enum lane lane);
rows_t *pipeline_query(pipeline_t *, const statement_t *, const param_t *, int count, int64_t deadline);
void pipeline_turn(pipeline_t *);   /* at the end of each turn: one Sync, flush */
void pipeline_tick(pipeline_t *);   /* reconnects, deadlines */
int pipeline_wish(const pipeline_t *); /* the rank of the place that it waits for, or PLACE_NONE */
bool pipeline_ready(const pipeline_t *);
bool pipeline_idle(const pipeline_t *);
void pipeline_destroy(pipeline_t **);

/* --- writer.c ----------------------------------------------------------------------------------------------------- */

enum { WRITER_STATEMENTS_MAX = 512, WRITER_END_TIMEOUT = 1000 /* milliseconds for the answer to COMMIT or ROLLBACK */ };

struct writer {
    writer_t *next;
    lanes_t *lanes;
    PGconn *pg;
    loop_watch_t *watch;
    int watched; /* events */
    wait_t *wait; /* the coroutine that waits for the socket */
    bool busy;
    bool unsent; /* libpq had no memory for a part of what was to be sent: no answer may be believed */
    bool commands; /* BEGIN and COMMIT are prepared on it */
    bool outdated; /* what is prepared on it, a migration has changed: not to be used again */
    int64_t opened, last_used; /* clock_monotonic(); 0: never yet */
    uint64_t prepared[WRITER_STATEMENTS_MAX / 64];
};

/* NULL: no connection came; *status says why. May suspend. */
writer_t *writer_take(lanes_t *, int64_t deadline, enum db_status *status);
/* Back among the idle ones, or closed when its state is not known. */
void writer_give(writer_t *, bool clean);
/* What is prepared on any of them is not to be used again. */
void writers_renew(lanes_t *);
enum { WRITER_COMMANDS = 4 };
/* What follows in this transaction may be planned for its values (without BEGIN as well, where SET LOCAL does nothing). */
#define WRITER_PLANS "SELECT set_config('plan_cache_mode', 'auto', true)"
/* BEGIN, COMMIT, ROLLBACK or WRITER_PLANS, once writer_prepare_commands was called. Both only send, and give how many results will come. */
int writer_prepare_commands(writer_t *);
int writer_command(writer_t *, const char *command);
/* True when the statement was prepared with it: one result more. */
bool writer_send(writer_t *, const statement_t *, const param_t *, int count);
/* A Sync behind what was sent, and the results up to it, each given to `take`, which owns it, with its number. False: the
 * connection is lost or the deadline came, and the connection must be closed. `committing`: COMMIT is the last of what was sent. */
typedef void (*take_result_t)(void *argument, int number, PGresult *take);
bool writer_exchange(writer_t *, int64_t deadline, bool committing, take_result_t, void *argument);
/* The same where only the last result matters, or the first error. NULL: lost. */
PGresult *writer_last(writer_t *, int64_t deadline, bool committing);
/* What it does with each result: *kept becomes the last one, or stays the first error. */
void writer_keep_last(PGresult **kept, PGresult *take);
void writers_tick(lanes_t *); /* closes idle connections, and wakes who can have one more */
int writers_wish(const lanes_t *); /* as pipeline_wish */
void writers_close(lanes_t *);

/* --- transaction.c ------------------------------------------------------------------------------------------------ */

struct transaction {
    lanes_t *lanes;
    writer_t *writer;
    int64_t deadline;
    bool plans; /* WRITER_PLANS follows BEGIN */
    bool begun, failed;
    bool shows;    /* something was answered: whoever looks sees that it is under way */
    bool prepares; /* what was sent and is not answered yet prepares a statement */
    bool unanswered; /* something was sent ahead of the next statement */
    int answers;     /* results that will come of what was sent and is not answered yet */
    struct {         /* those among them whose rows somebody wants (transaction_send_kept) */
        const statement_t *statement;
        int number;
        rows_t **rows;
    } kept[TRANSACTION_KEPT_MOST];
    int kept_count;
    bool shares;    /* its first statement may run in a group */
    group_t *group; /* it does: group.c owns what follows */
    struct transaction *next;
    const statement_t *statement; /* borrowed while its coroutine waits: first the statement, then the record */
    const param_t *params;
    int count;
    int number; /* of its result */
    rows_t *rows;
    enum db_status status;
    bool changed, decided, commits;
    wait_t wait;
};

/* What the answer to COMMIT says, or the first error of what was sent with it. */
enum db_status commit_status(const PGresult *);

/* --- group.c ------------------------------------------------------------------------------------------------------ */

/* The first statement of a transaction that shares. Afterwards it is in a group, or (rows->status) it is not. */
rows_t *group_run(transaction_t *, const statement_t *, const param_t *, int count);
/* It wants to commit, with this statement (NULL: none) before. It is in no group afterwards. */
enum db_status group_commit(transaction_t *, const statement_t *, const param_t *, int count);
/* It does not want to. */
void group_leave(transaction_t *);
/* The same, because of what it was shown: DB_RETRY when that did not come to be. */
enum db_status group_refuse(transaction_t *);
void groups_turn(lanes_t *); /* at the end of each turn, before what was woken is resumed */
