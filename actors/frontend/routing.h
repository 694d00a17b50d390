/* routing: which destination a method and a path mean. Destinations are the actors' rows (actor/route.h) and
 * what the frontend answers itself (builtin.c), compiled once at start into what a request needs. */
#pragma once
#include "actor/route.h"
#include "matcher.h"

/* The methods that rows may have come first; HEAD is served by GET's row. */
enum method {
    METHOD_GET,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_ROUTED,
    METHOD_HEAD = METHOD_ROUTED,
    METHOD_OPTIONS,
    METHOD_OTHER
};
enum method method_of(text_t name);
/* "OTHER" for what a client invented. */
const char *method_name(enum method);

struct exchange;
/* What the frontend answers itself. */
typedef struct {
    const char *operation, *method, *path;
    enum rate_class rate;
    void (*answer)(struct exchange *);
} builtin_t;

enum { DESTINATION_HEADERS_MAX = 8, DESTINATION_PARAMS_MAX = 24 };

typedef struct {
    text_t operation, path;
    const builtin_t *builtin; /* NULL: an actor answers */
    enum method method;
    int service; /* index in route_services[] */
    unsigned roles;
    enum rate_class rate;
    text_t rate_field; /* data NULL: none */
    enum body_kind body;
    bool writes;
    int answers; /* counters_operation */
    text_t params[MATCH_PARAMS_MAX]; /* names, in the path's order */
    int param_count;
    text_t headers[DESTINATION_HEADERS_MAX]; /* request headers that are passed on */
    int header_count;
    enum cache_policy cache;
    unsigned cache_roles; /* those who may be answered from the cache: of CACHE_PERSONAL */
    bool by_language;     /* the cache keeps an answer for each language */
    text_t cache_name;    /* what its keys begin with: the build's rows of the service, and the operation */
    text_t known[DESTINATION_PARAMS_MAX]; /* of a row with a cache: all parameters of path and query, sorted */
    int known_count;
} destination_t;

/* A path with what its methods lead to. */
typedef struct {
    const destination_t *by_method[METHOD_ROUTED];
    text_t allow; /* "GET, HEAD, PATCH, OPTIONS" */
    char allow_bytes[64];
} resource_t;

/* Rows that contradict each other, or a service without a schema hash, are our own inconsistency. */
void routing_build(const route_t *rows, int row_count, const route_service_t *services, int service_count,
    const builtin_t *builtins, int builtin_count);
/* The destination of a row that stands beside the table. */
void routing_builtin(const builtin_t *, destination_t *out);
extern const matcher_t *routing_matcher;
/* The path's resource, NULL: none; parameters as they stand in the path. */
static inline const resource_t *routing_find(text_t path, match_t *match)
{
    matcher_find(routing_matcher, path, match);
    return match->value;
}
