/* demo_copy: see the header; the format is the one of PostgreSQL's manual, "COPY", "Text Format". */
#include "demo_copy.h"
#include "../base/clock.h"
#include "admin_sql.h"
#include <inttypes.h>

enum { BLOCK_BYTES = 64 << 10 };

bool copy_begin(copy_t *copy, PGconn *connection, FILE *report, const char *sql)
{
    *copy = (copy_t){.connection = connection, .report = report};
    return admin_execute(connection, report, "could not begin to load", sql);
}

static buffer_t *column(copy_t *copy)
{
    if (copy->begun)
        buffer_add_char(&copy->block, '\t');
    copy->begun = true;
    return &copy->block;
}

void copy_null(copy_t *copy)
{
    buffer_add_string(column(copy), "\\N");
}

void copy_string(copy_t *copy, const char *value)
{
    if (!value) {
        copy_null(copy);
        return;
    }
    buffer_t *out = column(copy);
    for (; *value; value++) {
        const char *escape = *value == '\\'   ? "\\\\"
                             : *value == '\t' ? "\\t"
                             : *value == '\n' ? "\\n"
                             : *value == '\r' ? "\\r"
                                              : NULL;
        if (escape)
            buffer_add_string(out, escape);
        else
            buffer_add_char(out, *value);
    }
}

void copy_bytes(copy_t *copy, text_t value)
{
    static const char digits[] = "0123456789abcdef";
    buffer_t *out = column(copy);
    buffer_add_string(out, "\\\\x");
    for (size_t i = 0; i < value.length; i++) {
        buffer_add_char(out, digits[(uint8_t)value.data[i] >> 4]);
        buffer_add_char(out, digits[(uint8_t)value.data[i] & 15]);
    }
}

void copy_integer(copy_t *copy, int64_t value)
{
    buffer_format(column(copy), "%" PRId64, value);
}

void copy_decimal(copy_t *copy, int64_t value, int scale)
{
    int64_t unit = 1;
    for (int i = 0; i < scale; i++)
        unit *= 10;
    buffer_format(column(copy), "%" PRId64 ".%0*" PRId64, value / unit, scale, value % unit);
}

void copy_boolean(copy_t *copy, bool value)
{
    buffer_add_char(column(copy), value ? 't' : 'f');
}

void copy_uuid(copy_t *copy, uuid_t value)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(value, text);
    buffer_add_string(column(copy), text);
}

void copy_date(copy_t *copy, int32_t days)
{
    char text[11];
    date_format(days, text);
    buffer_add_string(column(copy), text);
}

void copy_time(copy_t *copy, int64_t microseconds)
{
    char text[28];
    time_format(microseconds, text);
    buffer_add_string(column(copy), text);
}

static void block_send(copy_t *copy)
{
    if (!copy->failed && copy->block.length &&
        PQputCopyData(copy->connection, copy->block.data, (int)copy->block.length) != 1)
        copy->failed = true;
    copy->block.length = 0;
}

void copy_row_end(copy_t *copy)
{
    buffer_add_char(&copy->block, '\n');
    copy->begun = false;
    copy->rows++;
    if (copy->block.length >= BLOCK_BYTES)
        block_send(copy);
}

bool copy_end(copy_t *copy)
{
    block_send(copy);
    buffer_free(&copy->block);
    if (PQputCopyEnd(copy->connection, NULL) != 1)
        copy->failed = true;
    PGresult *result = PQgetResult(copy->connection);
    bool done = !copy->failed && PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!done)
        admin_explain(copy->connection, result, copy->report, "could not load");
    while (result) {
        PQclear(result);
        result = PQgetResult(copy->connection);
    }
    return done;
}
