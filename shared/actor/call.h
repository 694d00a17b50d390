/* call: what a handler sees of the request it answers. A handler reads straight down: it queries, decides, replies. It never
 * frees, never touches a connection; what cannot go on ends it by call_fail, which does not return.
 *
 * The transaction belongs to the call. The first statement of lane `write` begins it; it commits when the handler returns,
 * and only then is the reply sent; call_fail rolls it back. On a serialization failure or a deadlock the handler runs again
 * from its start (three times at most), so it must do nothing but SQL and replies before it returns. */
#pragma once
#include "../crypto/seal.h"
#include "../crypto/token.h"
#include "../pg/lanes.h"
#include "../wire/envelope.h"
#include "../wire/errors.h"
#include "tags.h"

struct endpoint;
typedef struct call {
    const struct endpoint *endpoint;
    uuid_t id;
    text_t trace, address, idempotency_key;
    struct {
        uuid_t user, session;
        enum role role; /* ROLE_NONE: nobody is logged in */
    } principal;
    enum language language;
    const void *params; /* struct of the row's params message; NULL without one */
    const void *input;  /* struct of the row's input message; NULL without one */
    text_t raw;         /* BODY_RAW: the body */
    text_t headers;     /* pairs: those that the row names */
    arena_t *arena;     /* ends with the call */
    int64_t deadline;   /* clock_monotonic() */
    void *kept;         /* the handler's own: NULL at first, and what it was when the handler runs again */
} call_t;

/* --- SQL ---------------------------------------------------------------------------------------------------------- */

/* Runs the statement on its lane and waits. Never NULL and never failed: what PostgreSQL cannot do now is answered 503, what
 * breaks a constraint by db_on_violation's code, anything else 500 and a log line. */
rows_t *db_query_params(call_t *, const statement_t *, const param_t *, int count);
#define db_query(call, statement, ...)                                                                             \
    db_query_params((call), (statement), (const param_t[]){{0}, ##__VA_ARGS__} + 1,                                \
        (int)(sizeof((const param_t[]){{0}, ##__VA_ARGS__}) / sizeof(param_t)) - 1)
/* A statement of lane `write` whose rows do not matter and that breaks no constraint: it travels with the next one, or with COMMIT,
 * and costs no wait. */
void db_send_params(call_t *, const statement_t *, const param_t *, int count);
#define db_send(call, statement, ...)                                                                              \
    db_send_params((call), (statement), (const param_t[]){{0}, ##__VA_ARGS__} + 1,                                 \
        (int)(sizeof((const param_t[]){{0}, ##__VA_ARGS__}) / sizeof(param_t)) - 1)
/* The same for one whose rows are wanted: they have come when a later db_query of this call has returned, and after COMMIT. Four at most
 * between two of those. */
typedef struct kept_rows kept_rows_t;
const kept_rows_t *db_send_kept_params(call_t *, const statement_t *, const param_t *, int count);
#define db_send_kept(call, statement, ...)                                                                         \
    db_send_kept_params((call), (statement), (const param_t[]){{0}, ##__VA_ARGS__} + 1,                            \
        (int)(sizeof((const param_t[]){{0}, ##__VA_ARGS__}) / sizeof(param_t)) - 1)
/* Never NULL and never failed, as those of db_query. */
const rows_t *db_kept(call_t *, const kept_rows_t *);
/* If a later statement of this call violates the constraint of this name, it is answered with this error. */
void db_on_violation(call_t *, const char *constraint, enum error_code code);
/* Row `index` as a struct of the statement's message, sealed fields opened; NULL when there is no such row. */
const void *row_at(call_t *, const rows_t *, int index);
/* The same where one that cannot be opened must not keep others waiting: *opened is false then, the log says why, and its fields stay sealed. */
const void *row_at_opened(call_t *, const rows_t *, int index, bool *opened);
#define row_first(call, rows) row_at((call), (rows), 0)
/* The first row, or the call ends with 404. */
const void *row_or_404(call_t *, const rows_t *);
/* A text sealed for its place; a NULL text stays NULL. */
param_t bind_sealed(call_t *, const char *table, const char *column, uuid_t row, text_t plain);

/* --- replies ------------------------------------------------------------------------------------------------------ */

/* One value of the row's output message, with the row's status (200, or 201). */
void reply_value(call_t *, const void *value);
void reply_row(call_t *, const rows_t *); /* its first row; 404 when there is none */
/* All rows as a list. `page` may be NULL; total < 0: not known. */
typedef struct {
    int64_t page, limit, total;
    bool total_capped;
    text_t next_cursor; /* data NULL: no more */
    bool tells_unread;  /* of notifications */
    int64_t unread;
} page_t;
void reply_rows(call_t *, const rows_t *, const page_t *);
/* Like reply_rows, of structs of the row's output message that the handler made: `count` of them, one after the other. */
void reply_values(call_t *, const void *values, size_t count, const page_t *);
/* {"success": true, "data": null} */
void reply_nothing(call_t *);
/* After a success: its status is the row's other_status. */
void reply_other_status(call_t *);
/* The file of this name below call_files(), which the frontend sends; `as` is the name that it is saved under. The name is ours,
 * never a client's: letters, digits, '-' and '.' in it, no more. Without such a file the client gets 404. */
void reply_file(call_t *, const char *name, const char *as);
/* An HTML page in call->language; its bytes are copied. `style` is the text of its <style>: a browser takes nothing else, no script and
 * nothing from elsewhere (Content-Security-Policy), and neither does it send anything anywhere. */
void reply_page(call_t *, text_t page, text_t style);
/* A response header. */
void reply_header(call_t *, const char *name, text_t value);
/* An error as the answer of a handler that returns: its transaction commits. */
void reply_error(call_t *, enum error_code);
/* An error with nothing done: rolls back. */
_Noreturn void call_fail(call_t *, enum error_code);
/* A 400 (or `code`) that names one field. */
_Noreturn void call_fail_field(call_t *, enum error_code, const char *field, enum problem_kind);
/* The same with several problems; those of `problems`, which must have one at least. */
_Noreturn void call_fail_problems(call_t *, enum error_code, const problems_t *);
/* The value of a request header that the row names; data NULL when it was not sent. */
text_t call_header(call_t *, const char *name);

/* The answer is this user's, although nobody is logged in: so it stands in the record of calls (once.h), from where it can be
 * removed when it must not be given again. */
void call_answer_of(call_t *, uuid_t user);

/* --- the cache ---------------------------------------------------------------------------------------------------- */

/* In a GET with .cache: the answer depends on this. In what writes (also events and background work): this changed, and no answer
 * that carries it is given any more once the client hears of it; only the tag's owner may say so. The id is zero where the
 * tag has none. Elsewhere it does nothing, so that handlers may share what reads. */
void call_tag(call_t *, enum tag, uuid_t id);
/* In a GET with .cache: the answer holds until then, at most (clock_now()): an age changes at midnight. */
void call_cache_until(call_t *, int64_t time);

/* --- hints -------------------------------------------------------------------------------------------------------- */

/* Says it by the broker, to whoever follows the topic (wire/hint.h: "user:UUID"), once what this call did is committed; nothing when it
 * fails. A hint may be lost, then those who follow look at what is true: never the only carrier of anything. */
void call_hint(call_t *, text_t topic, text_t payload);

/* --- the actor around it ------------------------------------------------------------------------------------------ */

/* Lets the process do everything else that is ready before the handler goes on: before work that keeps the processor for
 * long (a password's hash). Ends the call with 504 when its deadline has passed. */
#define call_yield(call) call_yield_at((call), __FILE__, __LINE__)
void call_yield_at(call_t *, const char *file, int line);
/* Around a wait for something outside of the system (shared/net): others run meanwhile, and no transaction may be open. */
#define call_leave(call) call_leave_at((call), __FILE__, __LINE__)
void call_leave_at(call_t *, const char *file, int line);
void call_return(call_t *);
/* Background work only: what was done so far is committed (the call fails when that fails), before call_leave. */
void call_commit(call_t *);
/* Background work only: after a long wait its deadline is once more that of a request. */
void call_renew(call_t *);
/* Commits what the call has done so far, before call_leave. Its next run, here or in another instance, must find that and go on
 * from it: a claim that names call->id. In a GET: writes down what follows from what was stored already, which is no change. */
void call_claim(call_t *);
/* For shared/net, from the start hook. */
loop_t *call_loop(const call_t *);
const config_t *call_config(const call_t *);
/* The number of this instance: mailer.2 is 2. */
int call_instance(const call_t *);
/* var/mail, for the mailer. */
const char *call_mail_directory(const call_t *);
segment_t *call_segment(const call_t *);
/* Where files are written that the frontend sends (reply_file): private to the system's processes. */
const char *call_files(const call_t *);
/* The ring of actor_t.data_keys; NULL when the actor seals nothing. */
const key_ring_t *call_data_keys(const call_t *);
