/* json: a client's JSON body becomes msgpack once, in the frontend: size, depth, duplicate keys, UTF-8 and NUL are checked
 * here (RFC 8259 by jansson); what the fields mean is the actor's business. */
#pragma once
#include "message.h"

/* Appends msgpack; the top must be an object. On failure false with one problem in `problems`: syntax (bound: the byte
 * offset), too deep, duplicate, encoding, NUL. */
bool json_to_msgpack(text_t json, int max_depth, buffer_t *out, problems_t *problems);
