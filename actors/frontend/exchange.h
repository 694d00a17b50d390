/* exchange: one request and its answer, from the router to the last header. It lives in the request's pool
 * and dies with the request; only the pending table (relay.c) names it beyond a turn, and is told when it
 * dies. */
#pragma once
#include <h2o.h>
#include "connection.h"
#include "crypto/token.h"
#include "limits.h"
#include "routing.h"
#include "shm/cache.h"
#include "shm/process.h"

/* The request headers that the frontend itself reads; each row in request_headers.c. */
enum request_header {
    HEADER_ACCEPT_ENCODING,
    HEADER_ACCEPT_LANGUAGE,
    HEADER_AUTHORIZATION,
    HEADER_CONTENT_TYPE,
    HEADER_IF_NONE_MATCH,
    HEADER_ORIGIN,
    HEADER_TRACEPARENT,
    HEADER_REQUEST_ID,
    HEADER_IDEMPOTENCY_KEY,
    HEADER_PREFLIGHT_METHOD,
    HEADER_FORWARDED_FOR,
    HEADER_FORWARDED_PROTO,
    REQUEST_HEADERS
};

typedef struct exchange {
    h2o_req_t *req;
    connection_t *connection;
    const resource_t *resource;       /* NULL: the path means nothing */
    const destination_t *destination; /* NULL: its method means nothing there */
    enum method method;
    text_t headers[REQUEST_HEADERS]; /* data NULL: not sent */
    text_t path, query;              /* as they came; query data NULL: none */
    text_t params[MATCH_PARAMS_MAX]; /* of the path, still encoded */
    uuid_t call;
    text_t trace;
    char trace_bytes[33];
    int64_t started;  /* clock_monotonic() */
    int64_t now;      /* clock_now() */
    address_t client; /* whose request it is, behind trusted proxies */
    bool secure;      /* came to us, or to the trusted proxy before us, over TLS */
    enum language language;
    token_t token; /* role ROLE_NONE: nobody's */
    text_t origin; /* data NULL: none, or one that may not read the answer */
    limits_t limits;
    text_t packed; /* the envelope as it was sent, for sending it again */
    int losses;      /* instances that died with it */
    int64_t held_at; /* clock_monotonic() since when it waits for an instance that is coming back; 0: it does not */
    bool answered;
    bool own_policy;       /* the actor's answer brought its Content-Security-Policy */
    bool cache_files;      /* the actor is to file its answer under cache_key (cached.c) */
    uint8_t cache_waits;   /* how often it has waited for another request's answer */
    cache_key_t cache_key;
    struct fill *fill;     /* others wait for its answer; NULL: none, or the pending table has it */
} exchange_t;
/* A pool takes anything larger from malloc. */
_Static_assert(sizeof(exchange_t) < 1000, "an exchange fits in a chunk of libh2o's pools");

static inline text_t text_of_iovec(h2o_iovec_t v)
{
    return (text_t){.data = v.base, .length = v.len};
}

/* What all files of the frontend share; set once by main.c before anything runs. */
extern process_t frontend;
/* True from the moment that no new connection is accepted. */
extern bool frontend_draining;
