/* matcher: paths to whatever stands for them. Built once at start, then read only: a lookup walks the path's
 * segments through one hash table, without looking at other routes. A static segment wins over a :parameter,
 * also where only the parameter would lead further: "/therapists/me/x" never means the therapist "me". */
#pragma once
#include "base/text.h"

enum { MATCH_PARAMS_MAX = 6, MATCH_PATH_SEGMENTS = 16 };

typedef struct matcher matcher_t;
matcher_t *matcher_create(void);
void matcher_destroy(matcher_t **);
/* The value's place of a path such as "/api/v1/children/:id", NULL in it when it is new. The path must live
 * as long as the matcher. A path the matcher cannot hold is our own inconsistency. */
void **matcher_place(matcher_t *, const char *path);

typedef struct {
    void *value;                     /* NULL: no such path */
    text_t params[MATCH_PARAMS_MAX]; /* as they stand in the path, still encoded, in its order */
    int param_count;
} match_t;
/* `path` without query. Empty segments, "." and ".." never match. */
void matcher_find(const matcher_t *, text_t path, match_t *out);
