/* query: percent-encoding (RFC 3986) and application/x-www-form-urlencoded pairs. Knows nothing of HTTP's
 * library. */
#pragma once
#include "wire/message.h"

typedef struct {
    text_t name, value;
} pair_t;

enum { QUERY_PAIRS_MAX = 64 };
typedef struct {
    pair_t items[QUERY_PAIRS_MAX];
    int count;
} query_t;

/* Decodes into `scratch`, which holds at least encoded.length bytes; *out points there. The result is UTF-8
 * without NUL. PROBLEM_KINDS when it is well, else what is wrong. `plus`: "+" is a space (queries and forms,
 * not paths). */
enum problem_kind percent_decode(text_t encoded, bool plus, char *scratch, text_t *out);
/* "a=1&b=%EA%B0%80": names and values decoded into `scratch` (query.length bytes). Each wrong parameter is a
 * problem that names it: badly encoded, given twice, or too many. True when there was none. */
bool query_read(text_t query, char *scratch, query_t *out, problems_t *problems);
/* Was a parameter of this name read? */
bool query_has(const query_t *, text_t name);
/* A name that came from a client, short enough to be shown to it. */
text_t name_shown(text_t name);
