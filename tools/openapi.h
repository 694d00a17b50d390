/* openapi: the OpenAPI 3.1 document of all actors' rows. Build time only: used by tools/describe.c. */
#pragma once
#include "../shared/actor/actor.h"
#include "../shared/base/panic.h"
#include <jansson.h>

enum direction { DIRECTION_IN, DIRECTION_OUT }; /* of a message: from a client, or to it */

/* The whole document; the caller releases it. Ends the program with a sentence when the rows cannot be described. */
json_t *openapi_document(const actor_t *const *actors, int count);

/* Every schema of the document, each message once. */
typedef struct {
    json_t *schemas;    /* components/schemas; grows */
    json_t *directions; /* name: the direction that it was first used in */
} components_t;

/* A new {"$ref": …} to the message's component, which is added when it is not there yet. A message that comes from clients
 * and goes to them has two. */
json_t *component_ref(components_t *, const message_t *, enum direction);
/* A new schema of one field, with its description. */
json_t *field_schema(components_t *, const field_t *, enum direction);

/* Like json_pack, for what cannot fail. */
#define pack(...) pack_checked(json_pack(__VA_ARGS__))
json_t *pack_checked(json_t *);
_Noreturn void describe_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
