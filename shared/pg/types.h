/* types: PostgreSQL's built-in types by their fixed object ids (pg_type.dat), and its epoch. */
#pragma once

enum {
    TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_NAME = 19, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23, TYPE_TEXT = 25,
    TYPE_JSON = 114, TYPE_BPCHAR = 1042, TYPE_VARCHAR = 1043, TYPE_DATE = 1082, TYPE_TIMESTAMPTZ = 1184,
    TYPE_NUMERIC = 1700, TYPE_UUID = 2950, TYPE_JSONB = 3802,
};

/* Dates and times count from 2000-01-01. */
#define POSTGRES_EPOCH_DAYS 10957
#define POSTGRES_EPOCH_MICROSECONDS (INT64_C(10957) * 86400 * 1000000)
