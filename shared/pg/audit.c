/* audit: see the header. What always holds: a row whose hash does not follow is compared with the others of its kind before it is
 * named, since one row that moved makes its old and new neighbours look wrong as well; after it the chain is followed from the
 * hash that stands there, so that each fault is found once. */
#include "audit.h"
#include "../base/panic.h"
#include "../crypto/audit_chain.h"
#include "admin_sql.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
    SUSPECTS_MOST = 32,  /* more than these are named without asking what happened to them: the work grows by the cube */
    FINDINGS_MOST = 100, /* lines */
};

static const char begin_sql[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                "DECLARE audit_rows NO SCROLL CURSOR FOR SELECT position, id, reader, reader_role, record_kind,"
                                " record, records, operation, (extract(epoch FROM read_at) * 1000000)::bigint,"
                                " (extract(epoch FROM created_at) * 1000000)::bigint, encode(hash, 'hex')"
                                " FROM admin.access_log ORDER BY position";
static const char fetch_sql[] = "FETCH 1000 FROM audit_rows";
static const char head_sql[] = "SELECT position, encode(hash, 'hex') FROM admin.access_log_head";
static const char anchors_sql[] = "SELECT a.day, a.position, encode(a.hash, 'hex'), encode(l.hash, 'hex')"
                                  " FROM admin.anchors a LEFT JOIN admin.access_log l ON l.position = a.position ORDER BY a.day";
static const char row_sql[] = "SELECT encode(hash, 'hex') FROM admin.access_log WHERE position = $1";

typedef struct {
    audit_entry_t entry; /* texts: of the result, or copies that the suspect owns */
    digest_t hash;       /* as it stands in the table */
    digest_t before;     /* of the row before */
} audit_row_t;

typedef struct {
    PGconn *connection;
    const audit_options_t *options;
    json_t *problems;
    int64_t last;       /* position of the row before; 0: none */
    digest_t last_hash;
    int64_t rows, anchors, found;
    audit_row_t suspects[SUSPECTS_MOST];
    int suspect_count;
} audit_t;

/* --- findings ----------------------------------------------------------------------------------------------------- */

/* A sentence about a position. */
static void finding(audit_t *audit, int64_t position, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void finding(audit_t *audit, int64_t position, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (audit->found++ >= FINDINGS_MOST)
        return;
    json_array_append_new(audit->problems, json_pack("{s:I, s:s}", "position", (json_int_t)position, "problem", text));
    if (!audit->options->json)
        fprintf(audit->options->out, "%s\n", text);
}

static bool same(digest_t a, digest_t b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static void hex_write(digest_t hash, char out[static 65])
{
    for (size_t i = 0; i < sizeof(hash.bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", hash.bytes[i]);
}

/* Zero when it is none: it matches nothing then. */
static digest_t hex_read(const char *hex)
{
    digest_t hash = {{0}};
    if (strlen(hex) != 2 * sizeof(hash.bytes))
        return hash;
    for (size_t i = 0; i < sizeof(hash.bytes); i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        hash.bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return hash;
}

/* --- rows whose hash does not follow ------------------------------------------------------------------------------ */

static text_t text_keep(text_t text)
{
    char *copy = memory_allocate(text.length + 1);
    memcpy(copy, text.data, text.length);
    return (text_t){.data = copy, .length = text.length};
}

static void suspect_add(audit_t *audit, const audit_row_t *row)
{
    if (audit->suspect_count == SUSPECTS_MOST) {
        finding(audit, row->entry.position, "position %" PRId64 " does not follow from the one before", row->entry.position);
        return;
    }
    audit_row_t *suspect = &audit->suspects[audit->suspect_count++];
    *suspect = *row;
    suspect->entry.reader_role = text_keep(row->entry.reader_role);
    suspect->entry.record_kind = text_keep(row->entry.record_kind);
    suspect->entry.operation = text_keep(row->entry.operation);
}

/* Would the suspect's contents, at this position and after any row that is known here, have one of these hashes? */
static bool fits_at(const audit_t *audit, const audit_row_t *suspect, int64_t position, digest_t own, digest_t there)
{
    audit_entry_t entry = suspect->entry;
    entry.position = position;
    for (int i = 0; i < 2 * audit->suspect_count; i++) {
        const audit_row_t *other = &audit->suspects[i / 2];
        digest_t hash = audit_hash(i % 2 ? other->hash : other->before, &entry);
        if (same(hash, own) || same(hash, there))
            return true;
    }
    return false;
}

static void suspect_judge(audit_t *audit, const audit_row_t *suspect)
{
    int64_t position = suspect->entry.position;
    if (fits_at(audit, suspect, position, suspect->hash, suspect->hash))
        return; /* it is right: the row before it is another one now */
    for (int i = 0; i < audit->suspect_count; i++) {
        const audit_row_t *other = &audit->suspects[i];
        if (other != suspect && fits_at(audit, suspect, other->entry.position, suspect->hash, other->hash)) {
            finding(audit, position, "position %" PRId64 " holds the row of position %" PRId64 ": they were swapped", position,
                other->entry.position);
            return;
        }
    }
    finding(audit, position, "position %" PRId64 " was changed (or the one before it together with its hash)", position);
}

static void suspects_judge(audit_t *audit)
{
    for (int i = 0; i < audit->suspect_count; i++)
        suspect_judge(audit, &audit->suspects[i]);
    for (int i = 0; i < audit->suspect_count; i++) {
        free((char *)(uintptr_t)audit->suspects[i].entry.reader_role.data);
        free((char *)(uintptr_t)audit->suspects[i].entry.record_kind.data);
        free((char *)(uintptr_t)audit->suspects[i].entry.operation.data);
    }
}

/* --- the chain ---------------------------------------------------------------------------------------------------- */

static int64_t number_at(const PGresult *result, int row, int column)
{
    int64_t number = 0;
    insist(text_to_int(text_of(PQgetvalue(result, row, column)), &number));
    return number;
}

static uuid_t id_at(const PGresult *result, int row, int column)
{
    uuid_t id;
    insist(uuid_parse(text_of(PQgetvalue(result, row, column)), &id) == 0);
    return id;
}

static audit_row_t row_of(const audit_t *audit, const PGresult *result, int row)
{
    return (audit_row_t){.entry = {.position = number_at(result, row, 0),
                             .id = id_at(result, row, 1),
                             .reader = id_at(result, row, 2),
                             .reader_role = text_of(PQgetvalue(result, row, 3)),
                             .record_kind = text_of(PQgetvalue(result, row, 4)),
                             .record = id_at(result, row, 5),
                             .records = number_at(result, row, 6),
                             .operation = text_of(PQgetvalue(result, row, 7)),
                             .read_at = number_at(result, row, 8),
                             .created_at = number_at(result, row, 9)},
        .hash = hex_read(PQgetvalue(result, row, 10)),
        .before = audit->last_hash};
}

static void missing_say(audit_t *audit, int64_t first, int64_t last, const char *where)
{
    if (first == last)
        finding(audit, first, "position %" PRId64 " is missing%s", first, where);
    else
        finding(audit, first, "positions %" PRId64 " to %" PRId64 " are missing%s", first, last, where);
}

static void row_check(audit_t *audit, const audit_row_t *row)
{
    int64_t position = row->entry.position;
    if (position != audit->last + 1)
        missing_say(audit, audit->last + 1, position - 1, ""); /* what it followed from is gone with them */
    else if (!same(audit_hash(row->before, &row->entry), row->hash))
        suspect_add(audit, row);
    audit->last = position;
    audit->last_hash = row->hash;
    audit->rows++;
}

static bool rows_check(audit_t *audit)
{
    for (;;) {
        PGresult *result = admin_query(audit->connection, audit->options->out, "could not read the log", fetch_sql, 0, NULL);
        if (result == NULL)
            return false;
        int count = PQntuples(result);
        for (int i = 0; i < count; i++) {
            audit_row_t row = row_of(audit, result, i);
            row_check(audit, &row);
        }
        PQclear(result);
        if (count == 0)
            break;
    }
    suspects_judge(audit);
    return true;
}

/* --- what stands beside it ---------------------------------------------------------------------------------------- */

static bool head_check(audit_t *audit)
{
    PGresult *result = admin_query(audit->connection, audit->options->out, "could not read the head", head_sql, 0, NULL);
    if (result == NULL)
        return false;
    int64_t position = PQntuples(result) ? number_at(result, 0, 0) : 0;
    if (PQntuples(result) == 0)
        finding(audit, 0, "the head is missing");
    else if (position > audit->last)
        missing_say(audit, audit->last + 1, position, " at the end: the head knows of more");
    else if (position < audit->last)
        finding(audit, position, "the head says %" PRId64 ", but the log goes on to %" PRId64, position, audit->last);
    else if (!same(hex_read(PQgetvalue(result, 0, 1)), audit->last_hash))
        finding(audit, position, "the head's hash is not that of position %" PRId64, position);
    PQclear(result);
    return true;
}

static bool anchors_check(audit_t *audit)
{
    PGresult *result = admin_query(audit->connection, audit->options->out, "could not read the anchors", anchors_sql, 0, NULL);
    if (result == NULL)
        return false;
    audit->anchors = PQntuples(result);
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t position = number_at(result, i, 1);
        const char *day = PQgetvalue(result, i, 0);
        if (PQgetisnull(result, i, 3))
            finding(audit, position, "position %" PRId64 " is missing: it was the anchor of %s", position, day);
        else if (strcmp(PQgetvalue(result, i, 2), PQgetvalue(result, i, 3)) != 0)
            finding(audit, position, "position %" PRId64 " or before it was written anew after it became the anchor of %s",
                position, day);
    }
    PQclear(result);
    return true;
}

/* An anchor that somebody kept elsewhere: "POSITION:HASH". */
static bool kept_anchor_check(audit_t *audit)
{
    if (audit->options->anchor == NULL)
        return true;
    text_t rest = text_of(audit->options->anchor), number;
    int64_t position;
    if (!text_split(&rest, ':', &number) || !text_to_int(number, &position) || rest.length != 64) {
        fprintf(audit->options->out, "an anchor is POSITION:HASH, the hash in 64 hexadecimal digits\n");
        return false;
    }
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, position);
    PGresult *result = admin_query(
        audit->connection, audit->options->out, "could not read the log", row_sql, 1, (const char *const[]){text});
    if (result == NULL)
        return false;
    if (PQntuples(result) == 0)
        finding(audit, position, "position %" PRId64 " is missing: it is the anchor that was given", position);
    else if (!text_equal_nocase(text_of(PQgetvalue(result, 0, 0)), rest))
        finding(audit, position, "position %" PRId64 " or before it was written anew after the anchor that was given", position);
    PQclear(result);
    return true;
}

static void report(const audit_t *audit)
{
    char hash[65];
    FILE *out = audit->options->out;
    hex_write(audit->last_hash, hash);
    if (audit->options->json) {
        json_t *all = json_pack("{s:I, s:{s:I, s:s}, s:I, s:I, s:O}", "rows", (json_int_t)audit->rows, "last", "position",
            (json_int_t)audit->last, "hash", hash, "anchors", (json_int_t)audit->anchors, "found",
            (json_int_t)audit->found, "problems", audit->problems);
        json_dumpf(all, out, JSON_INDENT(2));
        fputc('\n', out);
        json_decref(all);
        return;
    }
    fprintf(out, "%" PRId64 " rows, %" PRId64 " anchors: ", audit->rows, audit->anchors);
    if (audit->found == 0)
        fprintf(out, "everything fits; the last is %" PRId64 ":%s\n", audit->last, hash);
    else
        fprintf(out, "%" PRId64 " problems\n", audit->found);
}

int audit_verify(const audit_options_t *options)
{
    audit_t *audit = memory_zeroed(1, sizeof(*audit));
    audit->options = options;
    audit->problems = json_array();
    audit->connection = admin_connect(options->url, options->out);
    bool read = audit->connection != NULL && admin_settings(audit->connection, options->out) &&
                admin_execute(audit->connection, options->out, "could not look at the access log (aipotenctl db migrate?)",
                    begin_sql) &&
                rows_check(audit) && head_check(audit) && anchors_check(audit) && kept_anchor_check(audit);
    if (read)
        report(audit);
    int result = read && audit->found == 0 ? 0 : 1;
    PQfinish(audit->connection);
    json_decref(audit->problems);
    free(audit);
    return result;
}
