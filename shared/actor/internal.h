/* internal: a call with everything that the skeleton keeps for it. Handlers see only its first member. */
#pragma once
#include "actor.h"
#include "../base/coroutine.h"
#include "../crypto/hash.h"
#include "../shm/metrics.h"
#include "../net/second_level.h"
#include "../wire/link.h"
#include <setjmp.h>

enum { PAGE_WINDOW = 10000 /* page times limit (product.md, section 9) */, PAGE_LIMIT = 20 /* when it is absent */ };
enum { REPLY_HEADERS_MAX = 8, VIOLATIONS_MAX = 8, ATTEMPTS_MAX = 4 /* the first and three retries */ };

/* How a handler's run ended. */
enum outcome {
    OUTCOME_STARTED, /* what setjmp gives */
    OUTCOME_FAILED,  /* call_fail: nothing is done */
    OUTCOME_RETRY,   /* run it again */
};

typedef struct {
    enum tag tag;
    uuid_t id;
} job_tag_t;

typedef struct job {
    call_t call;
    struct job *next;
    buffer_t packed; /* the request as it came: decoded texts point into it */
    uint32_t peer;
    int64_t ticket;
    text_t packed_params, packed_body;
    void (*system)(call_t *); /* a call of nobody: start hook, background work; no reply */
    void (*done)(void *argument, enum error_code failed);
    void *argument;

    rows_t *rows; /* freed when the call ends */
    struct kept_rows *kept; /* likewise */
    transaction_t *transaction;
    int attempt;
    struct {
        const char *constraint;
        enum error_code code;
    } violations[VIOLATIONS_MAX];
    int violation_count;
    jmp_buf back;

    bool resent;       /* the frontend sent it before, to an instance that died */
    bool failed_once;  /* and was looked up again since (once.h) */
    bool replayed;     /* the reply is the recorded one */
    bool emitted;      /* an event that a dispatcher delivers, in its transaction */
    struct direct *direct; /* events that it delivers behind its reply (event.c), when this run commits */
    text_t caller;     /* the actor that asks; empty: a frontend */
    int step;          /* calls to other actors in this run of the handler (calls.c) */
    int waits_for;     /* which service, while it does, from 1; 0: none */
    buffer_t heard;    /* the last answer to them */
    struct {           /* its place in the record of calls (once.h) */
        uuid_t id, principal;
        int slot;
        bool keyed, doubtful;
        digest_t body_hash;
    } once;

    job_tag_t *tags; /* in the arena: what the answer depends on, or what was changed (cached.h) */
    int tag_count, tag_room;
    int64_t holds_until; /* clock_now(): the answer may not be given again after it */
    uint64_t stamp;      /* of the cache, older than the first query of this run */
    text_t cache_key;    /* where a frontend wants the answer; empty: nowhere */
    bool wrote;          /* this run began a transaction */
    second_stamp_t far_stamp;       /* of Redis (cached_far.h), older than the first query */
    const cache_entry_t *far_entry; /* the answer came from there; NULL: it was made */

    struct said *said, **said_end; /* hints of this run, in their order */

    int status; /* of the reply; 0: none was given */
    enum error_code error;
    buffer_t body;
    struct {
        const char *name;
        text_t value;
    } headers[REPLY_HEADERS_MAX];
    int header_count;
    int64_t started; /* clock_monotonic() */
} job_t;

/* The one actor of this process. */
typedef struct {
    const actor_t *actor;
    const statement_t *const *statements; /* the actor's and the skeleton's */
    int statement_count;
    process_t process;
    loop_t *loop;
    lanes_t *lanes;
    link_server_t *server;
    key_ring_t data_keys;
    cache_t *cache;
    struct {
        _Atomic int64_t *calls, *errors, *retries, *refused, *in_flight, *queued, *replayed, *deliveries,
            *removed, *stack, *asked, *together, *apart;
    } counters;
    metrics_block_t *metrics;
    int *metrics_rows; /* by endpoint */
} actor_context_t;
extern actor_context_t context;

/* --- actor.c ------------------------------------------------------------------------------------------------------ */

/* An event was committed: the dispatcher's next round is due now. */
void actor_event_committed(void);
/* A direct event was delivered: the dispatcher is to say so soon, with those that come meanwhile. */
void actor_event_settles(void);
/* SQL of the skeleton itself: `format` with the actor's schema in place of each %1$s. Lives until the process ends. */
char *schema_statement(const char *format, const char *schema);

/* --- call.c ------------------------------------------------------------------------------------------------------- */

/* Says in the log that a statement, or COMMIT, took longer than database.slow_log, in the name of its call, which runs now.
 * `took`: microseconds. */
void call_watch(const call_t *call, const char *statement, enum lane lane, int64_t took);
/* Panics in the handler's name when a transaction is open: it would hold its locks and its connection while `what` lasts. */
void call_insist_free(call_t *call, const char *file, int line, const char *what);

struct kept_rows {
    rows_t *rows; /* NULL until they came; the call's, until it ends */
    struct kept_rows *next;
};

/* Background work only: a statement of lane write that is a transaction by itself, committed when this returns. */
rows_t *db_write_params(call_t *call, const statement_t *statement, const param_t *params, int count);
#define db_write(call, statement, ...)                                                                             \
    db_write_params((call), (statement), (const param_t[]){{0}, ##__VA_ARGS__} + 1,                                \
        (int)(sizeof((const param_t[]){{0}, ##__VA_ARGS__}) / sizeof(param_t)) - 1)

/* --- job.c: the life of a call ------------------------------------------------------------------------------------ */

/* A message from a frontend. */
void job_receive(void *argument, text_t value, uint32_t peer);
/* Starts what waits for a coroutine; a turn hook. */
bool job_turn(void *argument);
/* Runs `function` as a call of nobody; `done` hears with what it failed, and both can tell by `argument` which it is (job_of).
 * Only when coroutine_available. */
void job_system(void (*function)(call_t *), void (*done)(void *argument, enum error_code failed), void *argument);
/* Calls that are queued or run. */
int job_count(void);
/* For together.c. An empty call. */
job_t *job_create(void);
void job_release(job_t *job);
/* Reads its parameters and input by its row; false: something is wrong with them. Suspends nothing, ends nothing. */
bool job_read(job_t *job);
/* Runs it from its beginning when there is a coroutine. */
void job_queue(job_t *job);
/* Runs it in this coroutine, to its end. */
void job_run(void *job);
/* Too late, or too many: answered without running anything. */
void job_refuse(job_t *job, enum error_code code);
/* Its reply, which is given, leaves, and that is its end. */
void job_answer(job_t *job);
/* Says that this call runs now (for crash reports and log lines); NULL: none does. */
void job_running(const job_t *job);

/* --- calls.c ------------------------------------------------------------------------------------------------------ */

/* This run of the handler ended in the middle of one. */
void calls_end(job_t *job);

/* --- hints.c ------------------------------------------------------------------------------------------------------ */

/* A run of the handler begins: what an earlier one wanted to say is forgotten. */
void hints_reset(job_t *job);
/* What became of it: says them when it is committed, and that something was lost when nobody knows. */
void hints_publish(job_t *job, enum db_status status);

/* --- reply.c ------------------------------------------------------------------------------------------------------ */

void reply_reset(job_t *job);
void reply_problems(job_t *job, enum error_code code, const problems_t *problems);
/* Appends the reply's envelope. */
void reply_pack(const job_t *job, int64_t ticket, buffer_t *out);
void reply_send(job_t *job);
#ifdef AIPOTEN_TEST
/* Aborts when a success body does not fit its row's output. */
void answer_check(const endpoint_t *endpoint, text_t body);
#endif

static inline job_t *job_of(call_t *call)
{
    return (job_t *)call;
}
