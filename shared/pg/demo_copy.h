/* demo_copy: rows in the text format of COPY, streamed in blocks. One row is its columns in order, then copy_row_end. */
#pragma once
#include "../base/memory.h"
#include "../base/uuid.h"
#include <libpq-fe.h>
#include <stdio.h>

typedef struct {
    PGconn *connection;
    FILE *report;
    buffer_t block;
    bool begun, failed; /* a column of this row is there; the server took no more */
    int64_t rows;
} copy_t;

/* "COPY table (columns) FROM STDIN". false with a sentence in `report`. */
bool copy_begin(copy_t *, PGconn *, FILE *report, const char *sql);
void copy_null(copy_t *);
void copy_string(copy_t *, const char *value); /* NULL is null */
void copy_bytes(copy_t *, text_t value);
void copy_integer(copy_t *, int64_t value);
void copy_decimal(copy_t *, int64_t value, int scale);
void copy_boolean(copy_t *, bool value);
void copy_uuid(copy_t *, uuid_t value);
void copy_date(copy_t *, int32_t days);
void copy_time(copy_t *, int64_t microseconds);
void copy_row_end(copy_t *);
/* Ends it and frees. false with PostgreSQL's reason in `report`. */
bool copy_end(copy_t *);
