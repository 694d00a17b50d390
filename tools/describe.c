/* describe: writes what follows from the actors' rows, at build.
 *
 *     describe OUTDIR      writes OUTDIR/routes.c (shared/actor/route.h), OUTDIR/registry.c (shared/actor/registry.h)
 *                          and OUTDIR/openapi.json
 *
 * It links the handlers of all actors, so that the routes are the rows themselves. Rows that contradict themselves or each
 * other fail the build here, each with a sentence; a row that passes can be routed, documented and answered. */
#include "openapi.h"
#include "../shared/actor/registry.h"
#include "../shared/actor/route.h"
#include "../shared/shm/services.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ACTORS is given by the build: ACTOR(accounts) ACTOR(children) … */
#define ACTOR(name) extern const actor_t name##_actor;
ACTORS
#undef ACTOR
#define ACTOR(name) &name##_actor,
static const actor_t *const actors[] = {ACTORS};
#undef ACTOR

/* What the skeleton expects of the file that is written here. */
const subscription_t registry[] = {{0}};
const int registry_count = 0;
const operation_t registry_operations[] = {{0}};
const int registry_operation_count = 0;
const upstream_service_t registry_services[] = {{0}};
const int registry_service_count = 0;

static int problem_count;

void describe_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("describe: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void problem(const endpoint_t *row, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void problem(const endpoint_t *row, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "describe: %s: ", row->operation);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    problem_count++;
}

/* --- checks of one row -------------------------------------------------------------------------------------------- */

static bool is_get(const endpoint_t *row)
{
    return strcmp(row->method, "GET") == 0;
}

static bool method_is_known(const char *method)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(methods[i], method) == 0)
            return true;
    return false;
}

static bool field_is_sound(const field_t *field)
{
    if (field->type == FIELD_choice)
        return field->names != NULL && field->names[0] != NULL;
    if (field->type == FIELD_object || field->type == FIELD_list)
        return field->message != NULL;
    return field->min <= field->max || field->max == 0;
}

static void message_check(const endpoint_t *row, const message_t *message)
{
    if (message == NULL)
        return;
    if (message->count > MESSAGE_FIELDS_MAX)
        problem(row, "message %s has more than %d fields", message->name, MESSAGE_FIELDS_MAX);
    for (int i = 0; i < message->count; i++) {
        const field_t *field = &message->fields[i];
        if (!field_is_sound(field))
            problem(row, "field %s of %s: a choice needs names, an object or a list a message, and min is at most max",
                field->name, message->name);
        else
            message_check(row, field->message);
        if (message_find(message, text_of(field->name)) != i)
            problem(row, "field %s stands twice in %s", field->name, message->name);
    }
}

static bool segment_is_sound(text_t part)
{
    size_t start = part.length > 0 && part.data[0] == ':';
    for (size_t i = start; i < part.length; i++)
        if (!islower((unsigned char)part.data[i]) && !isdigit((unsigned char)part.data[i]) && part.data[i] != '_'
            && (start == 1 || (part.data[i] != '-' && part.data[i] != '.')))
            return false;
    return part.length > start;
}

static void path_check(const endpoint_t *row)
{
    if (strncmp(row->path, "/api/v1/", 8) != 0)
        problem(row, "path %s must begin with /api/v1/", row->path);
    text_t rest = text_of(row->path + 1), part;
    while (text_split(&rest, '/', &part)) {
        if (!segment_is_sound(part)) {
            problem(row, "path %s: \"%.*s\" is neither lower case letters, digits, '-', '_' nor a :parameter", row->path,
                TEXT_ARG(part));
        } else if (part.data[0] == ':') {
            text_t name = {part.data + 1, part.length - 1};
            if (row->params == NULL || message_find(row->params, name) < 0)
                problem(row, "path %s has :%.*s, but params has no field of this name", row->path, TEXT_ARG(name));
        }
    }
}

static void rate_field_check(const endpoint_t *row)
{
    int index = row->input && row->rate_field ? message_find(row->input, text_of(row->rate_field)) : -1;
    if (row->rate_field != NULL && (index < 0 || row->input->fields[index].type != FIELD_text))
        problem(row, "rate_field %s must be a text field of input", row->rate_field);
}

/* A sealed text has its place in one row of one table: a client cannot send one. */
static void sealed_check(const endpoint_t *row, const message_t *message)
{
    for (int i = 0; message != NULL && i < message->count; i++)
        if (message->fields[i].sealed != NULL)
            problem(row, "field %s of %s: only messages of rows and answers are sealed, never what a client sends",
                message->fields[i].name, message->name);
}

static void params_check(const endpoint_t *row)
{
    for (int i = 0; row->params != NULL && i < row->params->count; i++)
        if (row->params->fields[i].type >= FIELD_json)
            problem(row, "field %s of %s: path and query hold plain values only", row->params->fields[i].name,
                row->params->name);
}

/* What is sealed at rest must not lie open in the cache (product.md, section 4), nor what a client may see once only. */
static bool message_is_open(const message_t *message)
{
    for (int i = 0; message != NULL && i < message->count; i++) {
        const field_t *field = &message->fields[i];
        if (field->sealed != NULL || field->secret || !message_is_open(field->message))
            return false;
    }
    return true;
}

static void cache_check(const endpoint_t *row)
{
    unsigned unlogged = row->roles & ~row->logged;
    const struct {
        bool wrong;
        const char *sentence;
    } rules[] = {
        {!is_get(row) || row->writes, "only a GET can be answered from the cache"},
        {!message_is_open(row->output), "an answer with sealed or secret fields is never kept in the cache"},
        {row->shape == SHAPE_FILE, "a file is not kept in the cache"},
        {row->shape == SHAPE_PAGE, "a page is not kept in the cache"},
        {row->headers != NULL, "the answer may depend on headers, which the cache does not look at"},
        {row->status != 0 && row->status != 200, "the cache answers 200"},
        {row->other_status != 0, "the cache knows of one status only"},
        {row->cache == CACHE_PUBLIC && row->roles != ANYONE, "CACHE_PUBLIC is for ANYONE; what a role is needed for is CACHE_PERSONAL"},
        {row->cache == CACHE_PUBLIC && row->logged != 0, "CACHE_PUBLIC and .logged contradict each other: nobody would be seen reading"},
        {row->cache == CACHE_PERSONAL && row->roles == ANYONE, "CACHE_PERSONAL needs roles: it is somebody's"},
        {row->cache == CACHE_PERSONAL && row->roles != ANYONE && unlogged == 0, "each of its roles is .logged: the cache would answer nobody"},
        {row->cache_seconds < 0, "cache_seconds is a time"},
    };
    for (size_t i = 0; row->cache != CACHE_NEVER && i < ARRAY_SIZE(rules); i++)
        if (rules[i].wrong)
            problem(row, "%s", rules[i].sentence);
    if (row->cache == CACHE_NEVER && (row->cache_seconds != 0 || row->by_language))
        problem(row, "cache_seconds or by_language without .cache");
    if ((row->logged & ~row->roles) != 0)
        problem(row, "logged must be among its roles");
}

static void row_check(const actor_t *actor, const endpoint_t *row)
{
    bool body = row->input != NULL || row->body != BODY_NONE;
    bool output = row->output != NULL;
    const struct {
        bool wrong;
        const char *sentence;
    } rules[] = {
        {row->handler == NULL, "has no handler"},
        {row->summary == NULL, "has no summary"},
        {!method_is_known(row->method), "method must be GET, POST, PUT, PATCH or DELETE"},
        {is_get(row) && body, "a GET takes no body: input and body belong to other methods"},
        {is_get(row) && row->writes, "a GET changes nothing: clients and proxies repeat it"},
        {row->writes && actor->data_keys == NULL, "writes, so its actor needs data_keys: the record of calls is sealed"},
        {row->input != NULL && (row->body == BODY_RAW), "a raw body is not decoded: either input or BODY_RAW"},
        {row->shape == SHAPE_NOTHING && output, "SHAPE_NOTHING answers no data, but output is set"},
        {row->shape == SHAPE_FILE && (output || row->status != 0), "SHAPE_FILE answers a file, with 200 and without output"},
        {row->shape == SHAPE_PAGE && (output || row->status != 0 || !is_get(row)), "SHAPE_PAGE answers a GET with a page, 200 and without output"},
        {row->shape != SHAPE_NOTHING && row->shape != SHAPE_FILE && row->shape != SHAPE_PAGE && !output,
            "an answer with data needs output; without data it is SHAPE_NOTHING"},
        {row->status != 0 && (row->status < 200 || row->status > 299), "status must be that of a success"},
        {row->other_status != 0 && (row->other_status < 200 || row->other_status > 299 || row->other_status == row->status),
            "other_status must be that of another success"},
        {row->rate == RATE_MAIL && row->roles == ANYONE, "mails are counted for the caller: RATE_MAIL needs roles"},
        {(row->roles & ~(unsigned)MEMBER) != 0, "roles must be ANYONE or a set of PARENT, THERAPIST, ADMIN"},
        {service_find(actor->name) < 0, "is answered by a service that shared/shm/services.c does not have"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (rules[i].wrong)
            problem(row, "%s", rules[i].sentence);
    path_check(row);
    cache_check(row);
    params_check(row);
    rate_field_check(row);
    sealed_check(row, row->input);
    sealed_check(row, row->params);
    message_check(row, row->params);
    message_check(row, row->input);
    message_check(row, row->output);
}

/* --- checks of all rows together ---------------------------------------------------------------------------------- */

/* Two paths that differ only in the names of their parameters are one. */
static bool paths_are_one(const char *a, const char *b)
{
    text_t rest_a = text_of(a), rest_b = text_of(b), part_a, part_b;
    for (;;) {
        bool more_a = text_split(&rest_a, '/', &part_a), more_b = text_split(&rest_b, '/', &part_b);
        if (!more_a || !more_b)
            return more_a == more_b;
        bool parameter_a = part_a.length > 0 && part_a.data[0] == ':', parameter_b = part_b.length > 0 && part_b.data[0] == ':';
        if (parameter_a != parameter_b || (!parameter_a && !text_equal(part_a, part_b)))
            return false;
    }
}

/* A subscription is no route: nobody but another actor may send it. */
static void subscription_check(const endpoint_t *row)
{
    if (row->method != NULL || row->path != NULL || row->roles != ANYONE)
        problem(row, "a row with .event has no method, path or roles");
    if (row->input == NULL || row->handler == NULL || !row->writes || row->shape != SHAPE_NOTHING)
        problem(row, "a row with .event needs .input, .handler, .writes and SHAPE_NOTHING");
    if (row->together != NULL && row->event == NULL)
        problem(row, "only a row with .event has .together");
}

/* Neither is what an actor asks of another: its answer is a message of its own, not the envelope of clients. */
static void internal_check(const actor_t *actor, const endpoint_t *row)
{
    if (row->method != NULL || row->path != NULL || row->params != NULL || row->headers != NULL || row->event != NULL)
        problem(row, "a row with .internal has no method, path, params, headers or event");
    if (row->handler == NULL || row->shape == SHAPE_LIST || row->shape == SHAPE_FILE || row->shape == SHAPE_PAGE ||
        (row->shape == SHAPE_ONE) != (row->output != NULL))
        problem(row, "a row with .internal needs .handler, and .output of SHAPE_ONE or SHAPE_NOTHING");
    if (row->writes && actor->data_keys == NULL)
        problem(row, "writes, so its actor needs data_keys: the record of calls is sealed");
    message_check(row, row->input);
    message_check(row, row->output);
}

static const char *place_of(const endpoint_t *row)
{
    return row->internal ? "internal" : row->event ? row->event : row->path;
}

static void pair_check(const endpoint_t *row, const endpoint_t *other)
{
    if (strcmp(row->operation, other->operation) == 0)
        problem(row, "two rows have this operation: %s and %s", place_of(row), place_of(other));
    size_t actor = strcspn(row->operation, ".") + 1;
    if (row->event != NULL && other->event != NULL && strcmp(row->event, other->event) == 0 &&
        strncmp(row->operation, other->operation, actor) == 0)
        problem(row, "an actor gets an event once: %s takes %s as well", other->operation, row->event);
    if (!endpoint_is_route(row) || !endpoint_is_route(other))
        return;
    if (strcmp(row->method, other->method) == 0 && paths_are_one(row->path, other->path))
        problem(row, "%s %s is also %s of %s", row->method, row->path, other->path, other->operation);
}

static void rows_check(void)
{
    const endpoint_t **rows = NULL;
    int count = 0;
    for (size_t a = 0; a < ARRAY_SIZE(actors); a++)
        for (int i = 0; i < actors[a]->endpoint_count; i++) {
            const endpoint_t *row = &actors[a]->endpoints[i];
            if (row->operation == NULL || (endpoint_is_route(row) && (row->method == NULL || row->path == NULL)))
                describe_fail("row %d of the %s actor lacks operation, method or path", i, actors[a]->name);
            if (row->internal)
                internal_check(actors[a], row);
            else if (row->event != NULL)
                subscription_check(row);
            else
                row_check(actors[a], row);
            for (int j = 0; j < count; j++)
                pair_check(row, rows[j]);
            rows = memory_resize(rows, sizeof(*rows) * (size_t)(count + 1));
            rows[count++] = row;
        }
    free(rows);
    if (problem_count > 0)
        describe_fail("%d problems in the actors' rows", problem_count);
}

/* --- routes.c ----------------------------------------------------------------------------------------------------- */

/* ", .name = "value"", or nothing for NULL. Names of rows hold no quotes: path_check and the C source see to it. */
static void string_write(FILE *out, const char *name, const char *value)
{
    if (value != NULL)
        fprintf(out, ", .%s = \"%s\"", name, value);
}

static int names_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How the cache may answer it; the parameters are what its key is made of. */
static void cache_write(FILE *out, const endpoint_t *row)
{
    static const char *const policies[] = {[CACHE_PUBLIC] = "CACHE_PUBLIC", [CACHE_PERSONAL] = "CACHE_PERSONAL"};
    const char *names[MESSAGE_FIELDS_MAX];
    int count = row->params != NULL ? row->params->count : 0;
    if (row->cache == CACHE_NEVER)
        return;
    fprintf(out, ",\n        .cache = %s, .logged = 0x%x, .by_language = %s", policies[row->cache], row->logged,
        row->by_language ? "true" : "false");
    for (int i = 0; i < count; i++)
        names[i] = row->params->fields[i].name;
    qsort(names, (size_t)count, sizeof(*names), names_compare);
    for (int i = 0; i < count; i++)
        fprintf(out, "%s%s%s", i == 0 ? ", .params = \"" : " ", names[i], i == count - 1 ? "\"" : "");
}

static void route_write(FILE *out, const actor_t *actor, const endpoint_t *row)
{
    static const char *const rates[] = {[RATE_API] = "RATE_API", [RATE_LOGIN] = "RATE_LOGIN", [RATE_UPLOAD] = "RATE_UPLOAD",
        [RATE_MAIL] = "RATE_MAIL", [RATE_NONE] = "RATE_NONE",
        [RATE_POLL] = "RATE_POLL"};
    static const char *const bodies[] = {[BODY_NONE] = "BODY_NONE", [BODY_FIELDS] = "BODY_FIELDS", [BODY_RAW] = "BODY_RAW",
        [BODY_FORM] = "BODY_FORM"};
    enum body_kind body = row->input != NULL && row->body == BODY_NONE ? BODY_FIELDS : row->body;
    fprintf(out, "    {.operation = \"%s\", .method = \"%s\", .path = \"%s\",\n", row->operation, row->method, row->path);
    fprintf(out, "        .service = \"%s\", .roles = 0x%x, .rate = %s", actor->name, row->roles,
        rates[row->rate]);
    string_write(out, "rate_field", row->rate_field);
    string_write(out, "headers", row->headers);
    fprintf(out, ", .body = %s, .writes = %s", bodies[body], row->writes ? "true" : "false");
    cache_write(out, row);
    fputs("},\n", out);
}

static bool answers_clients(const actor_t *actor)
{
    for (int i = 0; i < actor->endpoint_count; i++)
        if (endpoint_is_route(&actor->endpoints[i]))
            return true;
    return false;
}

/* The services that have rows, with their hashes, as the array `name`: all, or those that answer clients. */
static void services_write(FILE *out, const char *type, const char *name, bool clients)
{
    fprintf(out, "const %s %ss[] = {\n", type, name);
    for (int s = 0; s < service_count; s++)
        for (size_t a = 0; a < ARRAY_SIZE(actors); a++)
            if (strcmp(actors[a]->name, services[s].name) == 0 && (!clients || answers_clients(actors[a])))
                fprintf(out, "    {.service = \"%s\", .schema_hash = UINT64_C(0x%016llx), .spread = %s},\n",
                    services[s].name, (unsigned long long)actor_schema_hash(actors[a]), services[s].nice ? "true" : "false");
    fprintf(out, "};\nconst int %s_count = ARRAY_SIZE(%ss);\n", name, name);
}

/* The document as lines of string literals. */
static void document_write(FILE *out, const char *text)
{
    fputs("\nconst char openapi_json[] =", out);
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (i % 100 == 0)
            fputs(i ? "\"\n    \"" : "\n    \"", out);
        if (text[i] == '"' || text[i] == '\\')
            fputc('\\', out);
        fputc(text[i], out);
    }
    fputs("\";\nconst size_t openapi_json_length = sizeof(openapi_json) - 1;\n", out);
}

static void routes_write(FILE *out, const char *document)
{
    fputs("/* Written by tools/describe from the actors' rows. */\n#include \"actor/route.h\"\n\n", out);
    fputs("const route_t routes[] = {\n", out);
    for (size_t a = 0; a < ARRAY_SIZE(actors); a++)
        for (int i = 0; i < actors[a]->endpoint_count; i++)
            if (endpoint_is_route(&actors[a]->endpoints[i]))
                route_write(out, actors[a], &actors[a]->endpoints[i]);
    fputs("};\nconst int route_count = ARRAY_SIZE(routes);\n\n", out);
    services_write(out, "route_service_t", "route_service", true);
    document_write(out, document);
}

static void operations_write(FILE *out)
{
    int count = 0;
    fputs("const operation_t registry_operations[] = {\n", out);
    for (size_t a = 0; a < ARRAY_SIZE(actors); a++)
        for (int i = 0; i < actors[a]->endpoint_count; i++) {
            const endpoint_t *row = &actors[a]->endpoints[i];
            if (!row->internal)
                continue;
            fprintf(out, "    {.service = \"%s\", .operation = \"%s\"},\n", actors[a]->name, row->operation);
            count++;
        }
    fprintf(out, "%s};\nconst int registry_operation_count = %d;\n\n", count ? "" : "    {0},\n", count);
}

static void registry_write(FILE *out)
{
    fputs("/* Written by tools/describe from the actors' rows. */\n#include \"actor/registry.h\"\n\n", out);
    fputs("const subscription_t registry[] = {\n", out);
    int count = 0;
    for (size_t a = 0; a < ARRAY_SIZE(actors); a++)
        for (int i = 0; i < actors[a]->endpoint_count; i++) {
            const endpoint_t *row = &actors[a]->endpoints[i];
            if (row->event == NULL)
                continue;
            fprintf(out, "    {.type = \"%s\", .service = \"%s\", .operation = \"%s\"},\n", row->event, actors[a]->name,
                row->operation);
            count++;
        }
    fprintf(out, "%s};\nconst int registry_count = %d;\n\n", count ? "" : "    {0},\n", count);
    operations_write(out);
    services_write(out, "upstream_service_t", "registry_service", false);
}

static FILE *output_open(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *out = fopen(path, "w");
    if (out == NULL)
        describe_fail("cannot write %s", path);
    return out;
}

static void output_close(FILE *out)
{
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        describe_fail("the output cannot be written");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: describe OUTDIR\n", stderr);
        return 2;
    }
    rows_check();
    json_t *document = openapi_document(actors, ARRAY_SIZE(actors));
    char *compact = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15));
    insist(compact != NULL);
    FILE *out = output_open(argv[1], "routes.c");
    routes_write(out, compact);
    output_close(out);
    out = output_open(argv[1], "registry.c");
    registry_write(out);
    output_close(out);
    out = output_open(argv[1], "openapi.json");
    json_dumpf(document, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    fputc('\n', out);
    output_close(out);
    free(compact);
    json_decref(document);
    return 0;
}
