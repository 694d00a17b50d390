/* envelope: what travels between frontend and actors (architecture.md, "Messages"). Both are positional messages: a field
 * too many or missing is the sender's error, never an abort. Bodies and parameters travel packed inside as bin. */
#pragma once
#include "message.h"

enum { ENVELOPE_VERSION = 4 };

enum body_kind { BODY_NONE, BODY_FIELDS, BODY_RAW, BODY_FORM };

#define REQUEST(FIELD)                                                                                             \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(integer, ticket, .required = true, .meaning = "the sender's place for the reply; comes back as it went") \
    FIELD(uuid, call_id, .required = true)                                                                         \
    FIELD(text, trace, .required = true)                                                                           \
    FIELD(text, operation, .required = true)                                                                       \
    FIELD(integer, left, .required = true, .meaning = "milliseconds left of the deadline")                         \
    FIELD(uuid, user, .nullable = true)                                                                            \
    FIELD(integer, role, .required = true)                                                                         \
    FIELD(uuid, session, .nullable = true)                                                                         \
    FIELD(text, address, .nullable = true)                                                                         \
    FIELD(integer, language, .required = true)                                                                     \
    FIELD(text, idempotency_key, .nullable = true)                                                                 \
    FIELD(boolean, resent, .required = true, .meaning = "it was sent before, to an instance that died")            \
    FIELD(text, caller, .nullable = true, .meaning = "the actor that asks; null: a frontend, for a client")        \
    FIELD(bytes, headers, .nullable = true, .meaning = "a map of those that the endpoint's row names")             \
    FIELD(bytes, params, .nullable = true, .meaning = "a map of strings: path and query")                          \
    FIELD(bytes, cache_key, .nullable = true, .meaning = "file the answer under it in the segment's cache")        \
    FIELD(integer, body_kind, .required = true)                                                                    \
    FIELD(bytes, body, .nullable = true)
MESSAGE_POSITIONAL(request, REQUEST);

#define REPLY(FIELD)                                                                                               \
    FIELD(integer, version, .required = true)                                                                      \
    FIELD(integer, ticket, .required = true)                                                                       \
    FIELD(uuid, call_id, .required = true)                                                                         \
    FIELD(integer, status, .required = true)                                                                       \
    FIELD(bytes, headers, .nullable = true, .meaning = "a map of strings")                                         \
    FIELD(bytes, body, .nullable = true, .meaning = "JSON, or a page")                                                        \
    FIELD(text, tags, .nullable = true, .meaning = "cache tags, separated by spaces")
MESSAGE_POSITIONAL(reply, REPLY);

/* A reply with this header has no body: the frontend sends the file of that name below its directory of files instead. */
#define REPLY_FILE_HEADER "x-file"
/* An actor's own takes the place of the policy that answers have otherwise. */
#define REPLY_POLICY_HEADER "content-security-policy"

/* A packed map of strings (headers, params), walked without copying. */
void pairs_begin(buffer_t *out, int count);
void pairs_add(buffer_t *out, text_t name, text_t value);
/* Calls `each` for every pair; false when it is not a map of strings. */
bool pairs_walk(text_t packed, void (*each)(void *argument, text_t name, text_t value), void *argument);
/* The value of one name, data NULL when it is not there. */
text_t pairs_get(text_t packed, text_t name);
