/* Messages of the admin actor: what is asked of the access log, and what it answers. */
#pragma once
#include "../../shared/actor/actor.h"

/* --- the log as administrators see it ----------------------------------------------------------------------------- */

#define AUDIT_LOG(FIELD)                                                                                         \
    FIELD(integer, position, .required = true, .meaning = "From 1 without a gap")                                  \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(uuid, reader, .required = true, .meaning = "User who read")                                              \
    FIELD(text, reader_role, .required = true)                                                                     \
    FIELD(text, address, .nullable = true, .sealed = "admin.access_addresses", .meaning = "From where")            \
    FIELD(text, record_kind, .required = true, .meaning = "child, user; users: a page of them")                    \
    FIELD(uuid, record, .required = true, .meaning = "What was read; zero for a page of many")                     \
    FIELD(integer, records, .required = true, .meaning = "How many were shown")                                    \
    FIELD(text, operation, .required = true)                                                                       \
    FIELD(time, read_at, .required = true)
MESSAGE(audit_log, AUDIT_LOG);

#define AUDIT_PARAMS(FIELD)                                                                                        \
    FIELD(uuid, reader)                                                                                            \
    FIELD(uuid, record)                                                                                            \
    FIELD(time, from, .meaning = "Read at this time or later")                                                     \
    FIELD(time, to, .meaning = "Read before this time")                                                            \
    PAGE_PARAMS(FIELD)
MESSAGE(audit_params, AUDIT_PARAMS);

/* --- the log as a guardian sees it -------------------------------------------------------------------------------- */

#define CHILD_ACCESS(FIELD)                                                                                        \
    FIELD(uuid, id, .required = true)                                                                              \
    FIELD(text, reader_role, .required = true, .meaning = "As what somebody looked: admin")                        \
    FIELD(text, operation, .required = true)                                                                       \
    FIELD(time, read_at, .required = true)
MESSAGE(child_access, CHILD_ACCESS);

#define CHILD_ACCESS_PARAMS(FIELD) ID_PARAMS(FIELD) PAGE_PARAMS(FIELD)
MESSAGE(child_access_params, CHILD_ACCESS_PARAMS);

/* --- what is held of a person -------------------------------------------------------------------------------------- */

#define PERSONAL_READ(FIELD)                                                                                       \
    FIELD(uuid, id)                                                                                                \
    FIELD(text, reader_role)                                                                                       \
    FIELD(text, address, .nullable = true, .sealed = "admin.access_addresses")                                     \
    FIELD(text, record_kind)                                                                                       \
    FIELD(uuid, record)                                                                                            \
    FIELD(integer, records)                                                                                        \
    FIELD(text, operation)                                                                                         \
    FIELD(time, read_at)
MESSAGE(personal_read, PERSONAL_READ);

/* --- rows that only handlers see ---------------------------------------------------------------------------------- */

#define HEAD_ROW(FIELD)                                                                                            \
    FIELD(integer, position)                                                                                       \
    FIELD(bytes, hash)
MESSAGE(head_row, HEAD_ROW);

#define KEY_ROW(FIELD) FIELD(uuid, id)
MESSAGE(key_row, KEY_ROW);

#define TOTAL_ROW(FIELD) FIELD(integer, total)
MESSAGE(total_row, TOTAL_ROW);

/* The stored bytes themselves, for sealing them anew. */
#define SEALED_ROW(FIELD)                                                                                          \
    FIELD(uuid, id)                                                                                                \
    FIELD(bytes, address)
MESSAGE(sealed_row, SEALED_ROW);
