/* record_read: tells the access log that the caller was shown personal data of somebody else. The event is written in the call's
 * transaction, and the answer leaves only when that has committed: nobody sees what the log does not know. */
#pragma once
#include "call.h"

/* `kind` and `record` say what: "child" and its id; for a page of many, "users" and the zero id. `records`: how many, from 1. */
void record_read_emit(call_t *, const char *kind, uuid_t record, int64_t records);
