/* actor: the skeleton every domain actor runs in. An actor is its table of endpoints, its statements and a main:
 *
 *     const actor_t children_actor = {.name = "children", .endpoints = endpoints, .endpoint_count = ARRAY_SIZE(endpoints),
 *         .statements = children_statements, .statement_count = children_statement_count};
 *
 * One row declares an endpoint; routing, validation, authorization, rate class, metrics and OpenAPI come from it
 * (architecture.md, rule 5). */
#pragma once
#include "call.h"

enum rate_class { RATE_API, RATE_LOGIN, RATE_UPLOAD, RATE_MAIL, RATE_NONE, RATE_POLL /* realtime, the frontend's own */ };
enum shape {
    SHAPE_ONE,
    SHAPE_LIST,
    SHAPE_NOTHING,
    SHAPE_FILE, /* JSON without an envelope: reply_file */
    SHAPE_PAGE, /* HTML for people: reply_page; its errors are those of every row */
};

enum { ANYONE = 0, PARENT = 1 << ROLE_PARENT, THERAPIST = 1 << ROLE_THERAPIST, ADMIN = 1 << ROLE_ADMIN,
    MEMBER = PARENT | THERAPIST | ADMIN };

/* Who may be given an answer again from the cache in shared memory, as long as no tag of it (tags.h) has changed. */
enum cache_policy {
    CACHE_NEVER,
    CACHE_PUBLIC,   /* everybody, and caches outside: the handler sees no principal, even when one has logged in */
    CACHE_PERSONAL, /* the same user in the same role; outside it is kept by nobody */
};

typedef struct endpoint {
    const char *operation; /* "children.create": in messages, logs, counters, OpenAPI's operationId */
    const char *method, *path; /* "/api/v1/children/:id"; static paths win over parameters */
    void (*handler)(call_t *);
    const char *event;         /* a subscription instead of method and path: this type of event (events.h) is its input. No
                                  client can call it; its effect happens once for each event */
    /* With .event: the same for several events at once, in the order in which they came and in one transaction (together.h); `inputs`
     * are what .handler would find in call->input. It gives no reply. When it fails, each is handled alone. */
    void (*together)(call_t *, const void *const *inputs, int count);
    bool internal;             /* an operation for other actors (calls.h) instead of method and path. No client can call it;
                                  `roles` is asked of whom the call is made for */
    const char *summary;       /* OpenAPI, English, no full stop */
    unsigned roles;            /* who may call: a set of roles, ANYONE: no token needed */
    const message_t *params;   /* path and query; must have a field for each :parameter */
    const message_t *input;    /* body */
    const message_t *output;   /* data */
    enum shape shape;
    int status;                /* of success; 0: 200 */
    int other_status;          /* of another success, given by reply_other_status; 0: none */
    enum body_kind body;       /* BODY_FIELDS is implied by input */
    enum rate_class rate;
    const char *rate_field;    /* input field that is counted beside the address: of RATE_LOGIN an account's e-mail; else a
                                  password, whose tries count for the caller */
    const char *headers;       /* request headers that are passed on, lower case, separated by spaces */
    enum error_code errors[8]; /* beyond those that follow from the row; for OpenAPI */
    bool writes;               /* changes something: never retried by the frontend on its own */
    enum cache_policy cache;   /* of a GET whose handler names by call_tag all that its answer depends on */
    int cache_seconds;         /* at most; 0: cache.max_age */
    bool by_language;          /* with .cache: the answer differs by the reader's language; else its handler must not look at it */
    unsigned logged;           /* roles whose reading is told to the access log (record_read.h): never answered from the cache */
    bool brief;                /* what it answers is soon worth nothing: kept for an Idempotency-Key an hour, not a day */
} endpoint_t;

/* Can a client call it? Others are called by actors alone: event, internal. */
static inline bool endpoint_is_route(const endpoint_t *endpoint)
{
    return endpoint->event == NULL && !endpoint->internal;
}

struct retention;
typedef struct actor {
    const char *name; /* of its service and, when it has tables, of its schema */
    const endpoint_t *endpoints;
    int endpoint_count;
    const statement_t *const *statements; /* NULL: it has no tables, and its processes no connection to PostgreSQL */
    int statement_count;
    const char *data_keys; /* secret with the ring that seals its columns, and .chore = reseal.h; NULL: it seals nothing, and no row writes */
    /* Runs once as a call of nobody when the lanes are open, before READY; call_fail fails the start. May be NULL. */
    void (*start)(call_t *);
    /* Background work of instance 1 alone, as a call of nobody with the deadline of a request: a short step at a time, first
     * when READY. Returns the milliseconds until the next step, negative: there is none any more. A step that failed
     * (call_fail, no database) is run again after ten seconds. May be NULL. */
    int64_t (*chore)(call_t *);
    const struct retention *retentions; /* what it keeps for a time only (retention.h); may be NULL */
    int retention_count;
    /* Background work of every instance of the actor's own service, `workers` of them at a time, each with its index: what
     * waits long for others (call_leave) belongs here. Otherwise like a chore. */
    int64_t (*worker)(call_t *, int index);
    int workers; /* at most ACTOR_WORKERS_MAX */
    void (*worker_failed)(int index); /* its call ended with an error, and it pauses; may be NULL */
} actor_t;

enum { ACTOR_WORKERS_MAX = 16 };

/* Runs until told to stop; the process's exit status. */
int actor_main(const actor_t *);

/* Two processes whose rows of an actor differ do not talk: the frontend routes only to equal hashes. */
uint64_t actor_schema_hash(const actor_t *);

/* Fields that several actors use. */
#define ID_PARAMS(FIELD) FIELD(uuid, id, .required = true)
MESSAGE(id_params, ID_PARAMS);

/* page · limit at most 10,000 (product.md, section 9). */
#define PAGE_PARAMS(FIELD)                                                                                         \
    FIELD(integer, page, .min = 1, .max = 10000, .meaning = "From 1; page times limit is at most 10000")           \
    FIELD(integer, limit, .min = 1, .max = 100, .meaning = "Items per page, 20 when absent")                       \
    FIELD(text, cursor, .max = 200, .format = FORMAT_TOKEN, .meaning = "next_cursor of the page before, instead of page")
MESSAGE(page_params, PAGE_PARAMS);
