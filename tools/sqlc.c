/* sqlc: turns an actor's SQL file into C, at build.
 *
 *     sqlc actors/children/children.sql OUTDIR      writes OUTDIR/children.sql.h and OUTDIR/children.sql.c
 *
 * The form of the file stands in shared/pg/statement.h. A statement begins with its header comment
 *
 *     -- name: read|read batched|write|write grouped|slow [-> message]
 *
 * whose following comment lines are documentation, and ends with the first semicolon that stands in no quotes and no comment. What
 * several statements share is a part, which is no statement: `-- name: part`, and {name} where it belongs, further below.
 * Comments before a header belong to the file. What holds always: either both files are written whole, or none is touched and
 * the reason is on standard error as file:line: reason. Whether the SQL fits the schema is checked where the schema is: by the
 * actor when it starts. */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char PART[] = "part"; /* a lane that is none */
enum { STATEMENTS_MAX = 256, PARTS_MAX = 16, NAME_SIZE = 64, MESSAGE_NAME_SIZE = 80 };

struct definition {
    char name[NAME_SIZE], message[MESSAGE_NAME_SIZE];
    const char *lane;
    bool batched, grouped;
    int line;
    const char *sql;
    size_t sql_length;
};

static const struct {
    const char *word, *constant;
} lanes[] = {{"read", "LANE_READ"}, {"write", "LANE_WRITE"}, {"slow", "LANE_SLOW"}, {"part", PART}};
enum { LANES = sizeof(lanes) / sizeof(lanes[0]) };

static const char *file_name;
static struct definition definitions[STATEMENTS_MAX];
static int definition_count;
static struct definition parts[PARTS_MAX];
static int part_count;

static void fail(int line, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
static void fail(int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file_name, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static char *file_read(const char *path, size_t *length)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        fail(0, "cannot be opened");
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (int c; out != NULL && (c = fgetc(in)) != EOF;)
        fputc(c, out);
    if (out == NULL || ferror(in) || fclose(out) != 0)
        fail(0, "cannot be read");
    fclose(in);
    if (strlen(text) != size)
        fail(0, "holds a NUL byte");
    *length = size;
    return text;
}

/* Reads [a-z][a-z0-9_]* into out; the place after it, or NULL. */
static const char *word_read(const char *p, const char *end, char *out, size_t size)
{
    const char *start = p;
    while (p < end && (islower((unsigned char)*p) || (p > start && (isdigit((unsigned char)*p) || *p == '_'))))
        p++;
    size_t length = (size_t)(p - start);
    if (length == 0 || length >= size)
        return NULL;
    memcpy(out, start, length);
    out[length] = '\0';
    return p;
}

static const char *spaces_skip(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

static const char *line_end(const char *p, const char *end)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    return newline ? newline : end;
}

static const char *lane_find(const char *word)
{
    for (int i = 0; i < LANES; i++)
        if (strcmp(lanes[i].word, word) == 0)
            return lanes[i].constant;
    return NULL;
}

static void name_must_be_new(const char *name, int line)
{
    for (int i = 0; i < definition_count; i++)
        if (strcmp(definitions[i].name, name) == 0)
            fail(line, "statement \"%s\" is already defined in line %d", name, definitions[i].line);
    for (int i = 0; i < part_count; i++)
        if (strcmp(parts[i].name, name) == 0)
            fail(line, "part \"%s\" is already defined in line %d", name, parts[i].line);
}

/* Does this word stand here? Only behind one lane it may. */
static bool option_read(const char **p, const char *end, int line, const struct definition *definition, const char *word,
    const char *lane)
{
    size_t length = strlen(word);
    if ((size_t)(end - *p) < length || memcmp(*p, word, length) != 0)
        return false;
    if (strcmp(definition->lane, lane) != 0)
        fail(line, "only statements of the %s lane can be %s, \"%s\" is none", strcmp(lane, "LANE_READ") == 0 ? "read" : "write", word,
            definition->name);
    *p = spaces_skip(*p + length, end);
    return true;
}

/* Is this comment line a header? Fills `out` then; a header that is not well formed ends the program. */
static bool header_read(const char *p, const char *end, int line, struct definition *out)
{
    p = spaces_skip(p + 2, end);
    *out = (struct definition){.line = line};
    p = word_read(p, end, out->name, sizeof(out->name));
    if (p == NULL || p == end || *p != ':')
        return false;
    char lane[NAME_SIZE];
    p = word_read(spaces_skip(p + 1, end), end, lane, sizeof(lane));
    if (p == NULL || (out->lane = lane_find(lane)) == NULL)
        fail(line, "unknown lane of statement \"%s\": it must be read, write or slow", out->name);
    p = spaces_skip(p, end);
    out->batched = option_read(&p, end, line, out, "batched", "LANE_READ");
    out->grouped = option_read(&p, end, line, out, "grouped", "LANE_WRITE");
    if (p + 2 <= end && memcmp(p, "->", 2) == 0) {
        p = word_read(spaces_skip(p + 2, end), end, out->message, sizeof(out->message));
        if (p == NULL)
            fail(line, "after -> the name of a message must follow");
        p = spaces_skip(p, end);
    }
    if (p != end)
        fail(line, "\"%.*s\" does not belong after the header of \"%s\"", (int)(end - p), p, out->name);
    name_must_be_new(out->name, line);
    return true;
}

/* --- the end of a statement --------------------------------------------------------------------------------------- */

/* The place after the quoted run that begins at p; `end` when it is not closed. */
static const char *quoted_skip(const char *p, const char *end, const char *close)
{
    size_t length = strlen(close);
    for (; p + length <= end; p++)
        if (memcmp(p, close, length) == 0)
            return p + length;
    return end;
}

/* $tag$ … $tag$; a parameter like $1 is no quote. */
static const char *dollar_skip(const char *p, const char *end)
{
    const char *q = p + 1;
    while (q < end && (isalpha((unsigned char)*q) || *q == '_' || (q > p + 1 && isdigit((unsigned char)*q))))
        q++;
    char tag[NAME_SIZE];
    size_t length = (size_t)(q - p) + 1;
    if (q == end || *q != '$' || length >= sizeof(tag))
        return p + 1;
    memcpy(tag, p, length);
    tag[length] = '\0';
    return quoted_skip(q + 1, end, tag);
}

static const char *token_skip(const char *p, const char *end)
{
    if (*p == '\'')
        return quoted_skip(p + 1, end, "'"); /* a doubled quote is the end of one run and the start of the next */
    if (*p == '"')
        return quoted_skip(p + 1, end, "\"");
    if (*p == '$')
        return dollar_skip(p, end);
    if (p + 1 < end && p[0] == '-' && p[1] == '-')
        return line_end(p, end);
    if (p + 1 < end && p[0] == '/' && p[1] == '*')
        return quoted_skip(p + 2, end, "*/");
    return p + 1;
}

static const char *semicolon_find(const char *p, const char *end)
{
    while (p < end && *p != ';')
        p = token_skip(p, end);
    return p;
}

static int lines_between(const char *p, const char *end)
{
    int lines = 0;
    for (; p < end; p++)
        lines += *p == '\n';
    return lines;
}

/* {name}: the text of the part of that name, which stands above; p is behind the brace. Gives the place behind it. */
static const char *part_write(FILE *out, const struct definition *definition, const char *p, const char *end)
{
    char name[NAME_SIZE];
    const char *behind = word_read(p, end, name, sizeof(name));
    if (behind == NULL || behind == end || *behind != '}')
        fail(definition->line, "after { the name of a part and } must follow in \"%s\"", definition->name);
    for (int i = 0; i < part_count; i++)
        if (strcmp(parts[i].name, name) == 0) {
            fwrite(parts[i].sql, 1, parts[i].sql_length, out);
            return behind + 1;
        }
    fail(definition->line, "there is no part \"%s\" above \"%s\"", name, definition->name);
}

/* Puts the parts in; the text lives as long as the program. */
static void parts_insert(struct definition *definition)
{
    const char *p = definition->sql, *end = p + definition->sql_length;
    char *text;
    FILE *out = open_memstream(&text, &definition->sql_length);
    while (out != NULL && p < end) {
        const char *next = *p == '{' ? NULL : token_skip(p, end);
        if (next != NULL)
            fwrite(p, 1, (size_t)(next - p), out);
        p = next != NULL ? next : part_write(out, definition, p + 1, end);
    }
    if (out == NULL || fclose(out) != 0)
        fail(definition->line, "out of memory");
    definition->sql = text;
}

/* Reads the SQL of `definition` at p and keeps it; the place after its line. */
static const char *sql_read(struct definition *definition, const char *p, const char *end, int line)
{
    const char *semicolon = semicolon_find(p, end);
    if (semicolon >= end)
        fail(definition->line, "statement \"%s\" has no final semicolon", definition->name);
    if (spaces_skip(p, semicolon) == semicolon)
        fail(line, "statement \"%s\" is empty", definition->name);
    const char *rest_end = line_end(semicolon, end);
    if (spaces_skip(semicolon + 1, rest_end) != rest_end)
        fail(line + lines_between(p, semicolon), "nothing may follow the semicolon of \"%s\" in its line",
            definition->name);
    definition->sql = p;
    definition->sql_length = (size_t)(semicolon - p);
    parts_insert(definition);
    bool part = definition->lane == PART;
    if (part ? part_count == PARTS_MAX : definition_count == STATEMENTS_MAX)
        fail(definition->line, "more than %d %s in one file", part ? PARTS_MAX : STATEMENTS_MAX, part ? "parts" : "statements");
    if (part)
        parts[part_count++] = *definition;
    else
        definitions[definition_count++] = *definition;
    return rest_end;
}

/* A documentation line that reads like a header is a header whose predecessor lost its SQL. */
static void documentation_read(const struct definition *open, const char *p, const char *end, int line)
{
    char word[NAME_SIZE];
    p = word_read(spaces_skip(p + 2, end), end, word, sizeof(word));
    if (p == NULL || p == end || *p != ':')
        return;
    p = word_read(spaces_skip(p + 1, end), end, word, sizeof(word));
    if (p == NULL || lane_find(word) == NULL)
        return;
    p = spaces_skip(p, end);
    if (p == end || memcmp(p, "->", 2) == 0)
        fail(line, "statement \"%s\" of line %d has no SQL before the next header", open->name, open->line);
}

static void source_read(const char *p, const char *end)
{
    struct definition current;
    bool open = false; /* a header was read and its SQL is still to come */
    int line = 1;
    while (p < end) {
        const char *stop = line_end(p, end);
        const char *start = spaces_skip(p, stop);
        if (start + 1 < stop && start[0] == '-' && start[1] == '-') {
            if (open)
                documentation_read(&current, start, stop, line);
            else
                open = header_read(start, stop, line, &current);
        } else if (start < stop && !open) {
            fail(line, "SQL without a header like \"-- name: read -> message\" before it");
        } else if (start < stop) {
            stop = sql_read(&current, p, end, line);
            open = false;
        }
        line += lines_between(p, stop) + 1;
        p = stop + 1;
    }
    if (open)
        fail(current.line, "statement \"%s\" has no SQL", current.name);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void header_write(FILE *out, const char *actor)
{
    fprintf(out, "/* Written by tools/sqlc from %s.sql. */\n#pragma once\n#include \"pg/statement.h\"\n\n", actor);
    for (int i = 0; i < definition_count; i++)
        fprintf(out, "extern statement_t SQL_%s;\n", definitions[i].name);
    fprintf(out, "\nextern const statement_t *const %s_statements[];\nenum { %s_statement_count = %d };\n", actor, actor,
        definition_count); /* a constant: it stands in the initializer of the actor's row */
}

/* One C string literal a line of SQL. */
static void literal_write(FILE *out, const char *sql, size_t length)
{
    bool at_start = true;
    for (size_t i = 0; i < length; i++) {
        if (at_start)
            fputs("        \"", out);
        at_start = sql[i] == '\n';
        if (sql[i] == '\n')
            fputs("\\n\"\n", out);
        else if (sql[i] == '"' || sql[i] == '\\')
            fprintf(out, "\\%c", sql[i]);
        else if (sql[i] == '\t')
            fputs("\\t", out);
        else if (sql[i] != '\r')
            fputc(sql[i], out);
    }
    fputs(at_start ? "        \"\"" : "\"", out);
}

static bool is_name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Words after which PostgreSQL keeps a subquery apart from the query around it. All are reserved: none is a column's name. */
static bool keeps_apart(const char *word, size_t length)
{
    static const char *const words[] = {"order", "limit", "offset", "fetch"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == length && strncasecmp(words[i], word, length) == 0)
            return true;
    return false;
}

/* The SQL with $3 as aipoten_batch.p3, and never merged into the query around it (shared/pg/batch.c says why). */
static char *batched_sql(const struct definition *definition, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    const char *p = definition->sql, *end = p + definition->sql_length;
    int depth = 0;
    bool apart = false;
    while (out != NULL && p < end) {
        const char *word = p;
        while (p < end && is_name_part(*p) && (p > word || *p != '$'))
            p++;
        if (p > word) {
            apart |= depth == 0 && keeps_apart(word, (size_t)(p - word));
            fwrite(word, 1, (size_t)(p - word), out);
            continue;
        }
        depth += (*p == '(') - (*p == ')');
        if (*p == '$' && p + 1 < end && isdigit((unsigned char)p[1])) {
            fputs("aipoten_batch.p", out);
            p++;
            continue;
        }
        const char *next = token_skip(p, end);
        fwrite(p, 1, (size_t)(next - p), out);
        p = next;
    }
    if (out != NULL && !apart)
        fputs("\nOFFSET 0", out);
    if (out == NULL || fclose(out) != 0)
        fail(definition->line, "out of memory");
    return text;
}

static void definition_write(FILE *out, const struct definition *definition)
{
    fprintf(out, "\nstatement_t SQL_%s = {\n    .name = \"%s\",\n    .lane = %s,\n", definition->name, definition->name,
        definition->lane);
    if (definition->message[0] != '\0')
        fprintf(out, "    .row = &%s_message,\n", definition->message);
    if (definition->grouped)
        fputs("    .grouped = true,\n", out);
    fputs("    .sql =\n", out);
    literal_write(out, definition->sql, definition->sql_length);
    if (definition->batched) {
        size_t length;
        char *sql = batched_sql(definition, &length);
        fputs(",\n    .batched =\n", out);
        literal_write(out, sql, length);
        free(sql);
    }
    fputs(",\n};\n", out);
}

static void source_write(FILE *out, const char *actor)
{
    fprintf(out, "/* Written by tools/sqlc from %s.sql. */\n#include \"%s.sql.h\"\n#include \"messages.h\"\n", actor, actor);
    for (int i = 0; i < definition_count; i++)
        definition_write(out, &definitions[i]);
    fprintf(out, "\nconst statement_t *const %s_statements[] = {\n", actor);
    for (int i = 0; i < definition_count; i++)
        fprintf(out, "    &SQL_%s,\n", definitions[i].name);
    fprintf(out, "};\n");
}

/* Writes beside the target and renames, so that a build never sees half a file. */
static void file_write(const char *directory, const char *actor, const char *ending, void (*write)(FILE *, const char *))
{
    char path[4096], temporary[4096 + 4];
    if (snprintf(path, sizeof(path), "%s/%s.sql.%s", directory, actor, ending) >= (int)sizeof(path))
        fail(0, "the output directory's name is too long");
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    FILE *out = fopen(temporary, "w");
    if (out == NULL)
        fail(0, "cannot write %s", temporary);
    write(out, actor);
    if (fflush(out) != 0 || ferror(out) || fclose(out) != 0 || rename(temporary, path) != 0)
        fail(0, "cannot write %s", path);
}

/* "actors/children/children.sql" gives "children". */
static void actor_name(const char *path, char out[static NAME_SIZE])
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *end = base + strlen(base);
    const char *after = word_read(base, end, out, NAME_SIZE);
    if (after == NULL || strcmp(after, ".sql") != 0)
        fail(0, "the file's name must be that of its actor, lower case, with the ending .sql");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: sqlc actors/NAME/NAME.sql OUTDIR\n", stderr);
        return 2;
    }
    file_name = argv[1];
    char actor[NAME_SIZE];
    actor_name(argv[1], actor);
    size_t length;
    char *text = file_read(argv[1], &length);
    source_read(text, text + length);
    if (definition_count == 0)
        fail(1, "holds no statement");
    file_write(argv[2], actor, "h", header_write);
    file_write(argv[2], actor, "c", source_write);
    free(text);
    return 0;
}
