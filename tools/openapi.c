/* openapi: the OpenAPI 3.1 document, from the same rows that route, validate and authorize (architecture.md, rule 5). Which
 * errors an endpoint may answer follows from its row: whoever has parameters may get a 400, whoever names roles a 401 and a
 * 403, and so on; a row adds only what its handler decides itself.
 *
 * A new answer of the frontend or the skeleton to all requests is added in response_errors; a new built-in path in
 * builtins[]. Order is that of the rows, so that a change of the document reads like the change of the rows. */
#include "openapi.h"
#include <stdlib.h>

#define API_PREFIX "/api/v1/"

/* --- errors ------------------------------------------------------------------------------------------------------- */

static bool has_body(const endpoint_t *row)
{
    return row->input != NULL || row->body == BODY_RAW || row->body == BODY_FORM;
}

/* The errors of a row as a set of codes. */
static uint64_t response_errors(const endpoint_t *row)
{
    const struct {
        bool follows;
        enum error_code code;
    } rules[] = {
        {row->params != NULL || has_body(row) || row->writes, ERROR_VALIDATION},
        {row->roles != ANYONE, ERROR_UNAUTHENTICATED},
        {row->roles != ANYONE, ERROR_FORBIDDEN},
        {strchr(row->path, ':') != NULL, ERROR_NOT_FOUND},
        {has_body(row), ERROR_PAYLOAD_TOO_LARGE},
        {has_body(row), ERROR_UNSUPPORTED_MEDIA_TYPE},
        {row->writes, ERROR_KEY_REUSED},
        {row->writes, ERROR_IN_PROGRESS},
        {row->rate != RATE_NONE, ERROR_RATE_LIMITED},
        {true, ERROR_UNAVAILABLE},
        {true, ERROR_TIMEOUT},
    };
    uint64_t set = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (rules[i].follows)
            set |= UINT64_C(1) << rules[i].code;
    for (size_t i = 0; i < ARRAY_SIZE(row->errors); i++)
        if (row->errors[i] != ERROR_NONE)
            set |= UINT64_C(1) << row->errors[i];
    return set;
}

static json_t *challenge_header(void)
{
    return pack("{s:{s:s, s:{s:s}}}", "WWW-Authenticate", "description", "Bearer (RFC 6750)", "schema", "type", "string");
}

static json_t *retry_header(void)
{
    return pack("{s:{s:s, s:{s:s, s:i}}}", "Retry-After", "description", "Seconds to wait before the next try", "schema", "type",
        "integer", "minimum", 0);
}

/* The response of one status: its description names each of the codes that share the status. */
static json_t *error_response(uint64_t set, int status)
{
    json_t *text = json_string("");
    for (int code = ERROR_NONE + 1; code < ERROR_CODES; code++) {
        if (!(set >> code & 1) || errors[code].status != status)
            continue;
        const char *before = json_string_value(text);
        json_t *longer = json_sprintf("%s%s%s: %s", before, *before ? " · " : "", errors[code].code,
            errors[code].message[LANGUAGE_EN]);
        json_decref(text);
        text = pack_checked(longer);
    }
    json_t *response = pack("{s:o, s:{s:{s:{s:s}}}}", "description", text, "content", "application/json", "schema", "$ref",
        "#/components/schemas/error");
    if (status == 429 || status == 503)
        json_object_set_new(response, "headers", retry_header());
    if (status == 401)
        json_object_set_new(response, "headers", challenge_header());
    return response;
}

static void errors_add(json_t *responses, uint64_t set)
{
    for (int status = 400; status < 600; status++) {
        bool used = false;
        for (int code = ERROR_NONE + 1; code < ERROR_CODES; code++)
            used |= (set >> code & 1) && errors[code].status == status;
        char key[8];
        snprintf(key, sizeof(key), "%d", status);
        if (used)
            json_object_set_new(responses, key, error_response(set, status));
    }
}

/* --- success ------------------------------------------------------------------------------------------------------ */

static json_t *data_schema(components_t *components, const endpoint_t *row)
{
    if (row->shape == SHAPE_NOTHING || row->output == NULL)
        return pack("{s:s}", "type", "null");
    json_t *reference = component_ref(components, row->output, DIRECTION_OUT);
    return row->shape == SHAPE_LIST ? pack("{s:s, s:o}", "type", "array", "items", reference) : reference;
}

static const char *status_words(int status)
{
    return status == 201 ? "Created" : status == 202 ? "Accepted" : "Done";
}

static json_t *text_header(const char *description)
{
    return pack("{s:s, s:{s:s}}", "description", description, "schema", "type", "string");
}

/* What answers of a row with a cache have besides, also the 304. */
static json_t *cache_headers(const endpoint_t *row)
{
    json_t *headers = pack("{s:o, s:o}", "ETag",
        text_header("Of these bytes in this encoding; for If-None-Match"), "Vary",
        text_header(row->by_language ? "Accept-Encoding, Accept-Language" : "Accept-Encoding"));
    if (row->cache == CACHE_PUBLIC)
        json_object_set_new(headers, "Cache-Tag", text_header("What it depends on, separated by commas: a CDN purges by them"));
    return headers;
}

static json_t *success_response(components_t *components, const endpoint_t *row, int status)
{
    if (row->shape == SHAPE_FILE)
        return pack("{s:s, s:{s:{s:{s:s}}}}", "description", "The file", "content", "application/json", "schema", "type", "object");
    if (row->shape == SHAPE_PAGE)
        return pack("{s:s, s:{s:{s:{s:s}}}}", "description", "A page to read and to print, in the language of Accept-Language", "content",
            "text/html", "schema", "type", "string");
    json_t *properties = pack("{s:{s:b}, s:o}", "success", "const", 1, "data", data_schema(components, row));
    json_object_set_new(properties, "meta",
        row->shape == SHAPE_LIST ? pack("{s:s}", "$ref", "#/components/schemas/page_meta")
                                 : pack("{s:s, s:b}", "type", "object", "additionalProperties", 0));
    json_t *response = pack("{s:s, s:{s:{s:{s:s, s:o, s:[s, s, s], s:b}}}}", "description", status_words(status), "content",
        "application/json", "schema", "type", "object", "properties", properties, "required", "success", "data", "meta",
        "additionalProperties", 0);
    if (row->cache)
        json_object_set_new(response, "headers", cache_headers(row));
    if (row->writes)
        json_object_set_new(response, "headers", pack("{s:{s:s, s:{s:s, s:s}}}", "Idempotency-Replayed", "description",
            "This is the answer to an earlier request under the same Idempotency-Key", "schema", "type", "string", "const",
            "true"));
    return response;
}

static void success_add(json_t *responses, components_t *components, const endpoint_t *row, int status)
{
    char key[8];
    snprintf(key, sizeof(key), "%d", status);
    json_object_set_new(responses, key, success_response(components, row, status));
}

/* --- parameters and bodies ---------------------------------------------------------------------------------------- */

/* Is the field one of the path's ":name"s? */
static bool in_path(const char *path, const char *name)
{
    text_t rest = text_of(path), part;
    while (text_split(&rest, '/', &part))
        if (part.length > 1 && part.data[0] == ':'
            && text_equal((text_t){part.data + 1, part.length - 1}, text_of(name)))
            return true;
    return false;
}

static json_t *parameter_json(components_t *components, const endpoint_t *row, const field_t *field)
{
    bool path = in_path(row->path, field->name);
    json_t *schema = field_schema(components, field, DIRECTION_IN);
    json_t *parameter = pack("{s:s, s:s, s:b}", "name", field->name, "in", path ? "path" : "query", "required",
        path || field->required);
    json_t *description = json_object_get(schema, "description");
    if (description != NULL)
        json_object_set(parameter, "description", description);
    json_object_del(schema, "description");
    json_object_set_new(parameter, "schema", schema);
    return parameter;
}

/* Headers that OpenAPI describes elsewhere or that every client sends by itself are left out. */
static bool header_is_described(text_t name)
{
    static const char *const hidden[] = {"accept", "authorization", "content-type", "cookie", "origin", "user-agent", "host"};
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        if (text_equal(name, text_of(hidden[i])))
            return false;
    return name.length > 0;
}

static json_t *parameters_json(components_t *components, const endpoint_t *row)
{
    json_t *parameters = json_array();
    for (int i = 0; row->params != NULL && i < row->params->count; i++)
        json_array_append_new(parameters, parameter_json(components, row, &row->params->fields[i]));
    text_t rest = text_of(row->headers), name;
    while (rest.data != NULL && text_split(&rest, ' ', &name))
        if (header_is_described(name))
            json_array_append_new(parameters, pack("{s:s%, s:s, s:b, s:{s:s}}", "name", name.data, name.length, "in", "header",
                "required", 0, "schema", "type", "string"));
    if (row->cache)
        json_array_append_new(parameters, pack("{s:s, s:s, s:b, s:s, s:{s:s}}", "name", "If-None-Match", "in", "header", "required", 0,
            "description", "ETags that the client has, or *", "schema", "type", "string"));
    if (row->writes)
        json_array_append_new(parameters, pack("{s:s, s:s, s:b, s:s, s:{s:s, s:i, s:i, s:s}}", "name", "Idempotency-Key", "in",
            "header", "required", 0, "description",
            row->brief ? "Chosen by the client. The same request under the same key, within an hour and while the session lives, "
                         "is done once and answered the same"
                       : "Chosen by the client. The same request under the same key, within a day, is done once and answered the "
                         "same",
            "schema", "type", "string", "minLength", 1, "maxLength", 255, "pattern", "^[!-~]+$"));
    return parameters;
}

static json_t *body_json(components_t *components, const endpoint_t *row)
{
    const char *type = row->body == BODY_RAW ? "application/octet-stream"
                       : row->body == BODY_FORM ? "application/x-www-form-urlencoded" : "application/json";
    json_t *schema = row->input ? component_ref(components, row->input, DIRECTION_IN) : json_object();
    bool required = row->body == BODY_RAW;
    for (int i = 0; row->input != NULL && i < row->input->count; i++)
        required |= row->input->fields[i].required;
    return pack("{s:b, s:{s:{s:o}}}", "required", required, "content", type, "schema", schema);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

/* "/api/v1/children/:id" becomes "/api/v1/children/{id}"; the caller releases it. */
static json_t *path_template(const char *path)
{
    buffer_t out = {0};
    text_t rest = text_of(path + 1), part;
    while (text_split(&rest, '/', &part)) {
        bool parameter = part.length > 0 && part.data[0] == ':';
        text_t name = parameter ? (text_t){part.data + 1, part.length - 1} : part;
        buffer_format(&out, parameter ? "/{%.*s}" : "/%.*s", TEXT_ARG(name));
    }
    json_t *text = json_stringn(out.data, out.length);
    buffer_free(&out);
    return pack_checked(text);
}

/* The first part of the path after the prefix: "children". */
static json_t *tag_of(const endpoint_t *row)
{
    const char *start = row->path + strlen(API_PREFIX);
    return pack_checked(json_stringn(start, strcspn(start, "/")));
}

static const char *role_names(unsigned roles, char *out, size_t size)
{
    static const struct {
        unsigned role;
        const char *name;
    } rows[] = {{PARENT, "parent"}, {THERAPIST, "therapist"}, {ADMIN, "admin"}};
    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (roles & rows[i].role)
            snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? ", " : "", rows[i].name);
    return out;
}

static json_t *operation_json(components_t *components, const endpoint_t *row)
{
    char roles[80];
    json_t *operation = pack("{s:s, s:s, s:[o]}", "operationId", row->operation, "summary", row->summary, "tags", tag_of(row));
    if (row->roles == ANYONE)
        json_object_set_new(operation, "security", json_array());
    else
        json_object_set_new(operation, "description", pack_checked(json_sprintf("For: %s.",
            role_names(row->roles, roles, sizeof(roles)))));
    json_t *parameters = parameters_json(components, row);
    if (json_array_size(parameters) > 0)
        json_object_set(operation, "parameters", parameters);
    json_decref(parameters);
    if (has_body(row))
        json_object_set_new(operation, "requestBody", body_json(components, row));
    json_t *responses = json_object();
    success_add(responses, components, row, row->status ? row->status : 200);
    if (row->other_status)
        success_add(responses, components, row, row->other_status);
    if (row->cache)
        json_object_set_new(responses, "304", pack("{s:s, s:o}", "description", "If-None-Match has its ETag: as the client knows it",
            "headers", cache_headers(row)));
    errors_add(responses, response_errors(row));
    json_object_set_new(operation, "responses", responses);
    return operation;
}

static const char *method_key(const char *method, char out[static 8])
{
    size_t i = 0;
    for (; method[i] != '\0' && i < 7; i++)
        out[i] = (char)(method[i] | 0x20);
    out[i] = '\0';
    return out;
}

static void row_add(json_t *paths, components_t *components, const endpoint_t *row)
{
    json_t *template = path_template(row->path);
    const char *path = json_string_value(template);
    if (json_object_get(paths, path) == NULL)
        json_object_set_new(paths, path, json_object());
    char key[8];
    json_object_set_new(json_object_get(paths, path), method_key(row->method, key), operation_json(components, row));
    json_decref(template);
}

/* --- what the frontend answers itself ----------------------------------------------------------------------------- */

/* Their answers as JSON Schema: they come from no message. */
static const char health[] = "{'type': 'object', 'properties': {'success': {'const': true}, 'data': {'type': 'object', 'properties':"
                             " {'status': {'const': 'ok'}}, 'required': ['status']}}, 'required': ['success', 'data']}";
static const char readiness[] =
    "{'type': 'object', 'properties': {'status': {'const': 'ready'}, 'services': {'type': 'object', 'additionalProperties':"
    " {'type': 'object', 'properties': {'ready': {'type': 'integer'}}, 'required': ['ready']}}},"
    " 'required': ['status', 'services'], 'additionalProperties': false}";
static const char ready[] = "{'type': 'object', 'properties': {'success': {'const': true}, 'data': {'$ref':"
                            " '#/components/schemas/readiness'}}, 'required': ['success', 'data']}";
/* Its details name each service that has no ready instance. */
static const char not_ready[] = "{'$ref': '#/components/schemas/error'}";
static const char document[] = "{'type': 'object', 'required': ['openapi', 'paths']}";

static const struct {
    const char *path, *operation, *summary, *answer, *unavailable;
} builtins[] = {
    {"/healthz", "system.healthz", "Does the frontend run", health, NULL},
    {"/readyz", "system.readyz", "Is there an instance of every service", ready, not_ready},
    {"/api/v1/openapi.json", "system.openapi", "This document", document, NULL},
};

/* Schemas above are written with ' instead of ", which reads better in C. */
static json_t *schema_read(const char *text)
{
    char *copy = memory_string(text);
    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    json_t *schema = json_loads(copy, 0, NULL);
    free(copy);
    return pack_checked(schema);
}

static json_t *builtin_response(const char *description, const char *schema)
{
    return pack("{s:s, s:{s:{s:o}}}", "description", description, "content", "application/json", "schema", schema_read(schema));
}

static void builtins_add(json_t *paths, components_t *components)
{
    json_object_set_new(components->schemas, "readiness", schema_read(readiness));
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
        json_t *responses = pack("{s:o}", "200", builtin_response("Done", builtins[i].answer));
        errors_add(responses, UINT64_C(1) << ERROR_HEADERS_TOO_LARGE);
        if (builtins[i].unavailable != NULL) {
            json_t *response = builtin_response("Not now", builtins[i].unavailable);
            json_object_set_new(response, "headers", retry_header());
            json_object_set_new(responses, "503", response);
        }
        json_object_set_new(paths, builtins[i].path,
            pack("{s:{s:s, s:s, s:[s], s:[], s:o}}", "get", "operationId", builtins[i].operation, "summary", builtins[i].summary,
                "tags", "system", "security", "responses", responses));
    }
}

/* --- the document ------------------------------------------------------------------------------------------------- */

/* One tag for each first part of a path; its description names the actor behind it. */
static json_t *tags_json(const actor_t *const *actors, int count)
{
    json_t *tags = json_array(), *seen = json_object();
    for (int a = 0; a < count; a++)
        for (int i = 0; i < actors[a]->endpoint_count; i++) {
            if (!endpoint_is_route(&actors[a]->endpoints[i]))
                continue;
            json_t *tag = tag_of(&actors[a]->endpoints[i]);
            const char *name = json_string_value(tag);
            if (json_object_get(seen, name) == NULL) {
                json_object_set_new(seen, name, json_true());
                json_array_append_new(tags, pack("{s:s, s:o}", "name", name, "description",
                    pack_checked(json_sprintf("%s%s, answered by the %s actor", API_PREFIX, name, actors[a]->name))));
            }
            json_decref(tag);
        }
    json_decref(seen);
    json_array_append_new(tags, pack("{s:s, s:s}", "name", "system", "description", "Answered by the frontend itself"));
    return tags;
}

/* Declared like any message, so that the envelope's parts have one form of description. */
#define ERROR_DETAIL(FIELD)                                                                                        \
    FIELD(text, field, .required = true, .meaning = "Path of the field: email, items.2.name; body for the whole")  \
    FIELD(text, message, .required = true, .meaning = "Korean, or English when Accept-Language prefers it")
MESSAGE(error_detail, ERROR_DETAIL);

static json_t *error_schema(components_t *components)
{
    json_t *codes = json_array();
    for (int code = ERROR_NONE + 1; code < ERROR_CODES; code++)
        json_array_append_new(codes, json_string(errors[code].code));
    json_t *properties = pack("{s:{s:s, s:o}, s:{s:s}, s:{s:s, s:o}}", "code", "type", "string", "enum", codes, "message", "type",
        "string", "details", "type", "array", "items", component_ref(components, &error_detail_message, DIRECTION_OUT));
    json_t *inner = pack("{s:s, s:o, s:[s, s, s], s:b}", "type", "object", "properties", properties, "required", "code", "message",
        "details", "additionalProperties", 0);
    return pack("{s:s, s:{s:{s:b}, s:o}, s:[s, s], s:b}", "type", "object", "properties", "success", "const", 0, "error", inner,
        "required", "success", "error", "additionalProperties", 0);
}

#define PAGE_META(FIELD)                                                                                           \
    FIELD(integer, page, .min = 1, .max = 10000)                                                                   \
    FIELD(integer, limit, .min = 1, .max = 100)                                                                    \
    FIELD(integer, total, .min = 0, .max = 10001, .meaning = "Counted up to 10001; not counted with a cursor")                                \
    FIELD(boolean, total_capped, .meaning = "There are more than total says")                                      \
    FIELD(text, next_cursor, .meaning = "For the parameter cursor; not there on the last page")                  \
    FIELD(integer, unread, .min = 0, .meaning = "Of notifications: how many of all are not read")
MESSAGE(page_meta, PAGE_META);

static json_t *security_schemes(void)
{
    return pack("{s:{s:s, s:s, s:s, s:s}}", "bearer", "type", "http", "scheme", "bearer", "bearerFormat", "JWT", "description",
        "The access token of POST /api/v1/auth/login, valid 15 minutes");
}

static json_t *info_json(void)
{
    return pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "title", "aipoten API", "version", "1.0.0", "description",
        "Child development checks, play videos and therapists. Every answer is an envelope: {success, data, meta} or {success, "
        "error}. Ids are UUIDv7, times UTC in RFC 3339, calendar rules in Asia/Seoul. Messages are Korean, or English when "
        "Accept-Language prefers it. In PATCH bodies null clears a field and an absent field keeps its value.",
        "license", "name", "Proprietary", "identifier", "LicenseRef-Proprietary");
}

json_t *openapi_document(const actor_t *const *actors, int count)
{
    components_t components = {.schemas = json_object(), .directions = json_object()};
    json_t *paths = json_object();
    for (int a = 0; a < count; a++)
        for (int i = 0; i < actors[a]->endpoint_count; i++)
            if (endpoint_is_route(&actors[a]->endpoints[i]))
                row_add(paths, &components, &actors[a]->endpoints[i]);
    builtins_add(paths, &components);
    json_object_set_new(components.schemas, "error", error_schema(&components));
    json_decref(component_ref(&components, &page_meta_message, DIRECTION_OUT));
    json_decref(components.directions);
    return pack("{s:s, s:o, s:[{s:s, s:s}], s:o, s:[{s:[]}], s:o, s:{s:o, s:o}}", "openapi", "3.1.0", "info", info_json(),
        "servers", "url", "/", "description", "The server that this document came from", "tags", tags_json(actors, count),
        "security", "bearer", "paths", paths, "components", "securitySchemes", security_schemes(), "schemas",
        components.schemas);
}
