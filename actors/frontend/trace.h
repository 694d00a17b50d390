/* trace: the id under which one request is found in all logs. A client may bring one; it is never more than a
 * name. */
#pragma once
#include "base/uuid.h"

/* The trace id of a valid W3C traceparent (version 00, www.w3.org/TR/trace-context), else a valid
 * X-Request-Id (1 to 64 letters, digits, "-", "_", "."), else data NULL. Points into what came. */
text_t trace_of(text_t traceparent, text_t request_id);
/* 32 hexadecimal digits of a call id. */
text_t trace_new(uuid_t call, char out[static 33]);
