/* route: the endpoint rows of all actors as the frontend and aipotenctl see them. routes.c is written at build by
 * tools/describe.c from the same rows that the actors run, so that a route and its handler cannot differ. */
#pragma once
#include "actor.h"
#include "../net/upstream.h"

typedef struct {
    const char *operation, *method, *path;
    const char *service;  /* the instances that answer it */
    unsigned roles;       /* ANYONE or a set of roles */
    enum rate_class rate;
    const char *rate_field; /* NULL: none */
    const char *headers;    /* NULL: none */
    enum body_kind body;
    bool writes;
    enum cache_policy cache; /* of whoever is not among `logged` */
    unsigned logged;
    bool by_language;
    const char *params; /* of a row with .cache: the names of all of them, sorted, separated by spaces; NULL: none */
} route_t;

/* schema_hash: actor_schema_hash of its rows at build. */
typedef upstream_service_t route_service_t;

extern const route_t routes[];
extern const int route_count;
extern const route_service_t route_services[];
extern const int route_service_count;
/* The OpenAPI 3.1 document, served at /api/v1/openapi.json. */
extern const char openapi_json[];
extern const size_t openapi_json_length;
