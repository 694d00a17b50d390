/* routing: compiles rows into destinations. What is built here lives until the process ends and is read only.
 */
#include "routing.h"
#include "base/memory.h"
#include "base/panic.h"
#include "counters.h"

static const char *const method_names[] = {
    [METHOD_GET] = "GET",
    [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH",
    [METHOD_DELETE] = "DELETE",
    [METHOD_HEAD] = "HEAD",
    [METHOD_OPTIONS] = "OPTIONS",
    [METHOD_OTHER] = "OTHER",
};

const matcher_t *routing_matcher;

enum method method_of(text_t name)
{
    for (enum method method = METHOD_GET; method < METHOD_OTHER; method++)
        if (text_equal(name, text_of(method_names[method])))
            return method;
    return METHOD_OTHER;
}

const char *method_name(enum method method)
{
    return method_names[method];
}

/* The names behind the colons of a path. */
static void params_compile(destination_t *destination)
{
    text_t rest = destination->path, segment;
    while (text_split(&rest, '/', &segment))
        if (segment.length > 1 && segment.data[0] == ':')
            destination->params[destination->param_count++] =
                (text_t){.data = segment.data + 1, .length = segment.length - 1};
}

static void headers_compile(destination_t *destination, const char *names)
{
    text_t rest = text_of(names), name;
    while (text_split(&rest, ' ', &name)) {
        if (name.length == 0)
            continue;
        if (destination->header_count == DESTINATION_HEADERS_MAX)
            panic(
                "%.*s passes on more headers than DESTINATION_HEADERS_MAX", TEXT_ARG(destination->operation));
        destination->headers[destination->header_count++] = name;
    }
}

static void cache_compile(destination_t *destination, const route_t *row, const route_service_t *services)
{
    text_t rest = text_of(row->params), name;
    destination->cache = row->cache;
    destination->cache_roles = row->roles & ~row->logged;
    destination->by_language = row->by_language;
    /* Two builds whose rows differ share no answers. */
    size_t length = strlen(row->operation);
    char *bytes = memory_allocate(sizeof(services->schema_hash) + length);
    memcpy(bytes, &services[destination->service].schema_hash, sizeof(services->schema_hash));
    memcpy(bytes + sizeof(services->schema_hash), row->operation, length);
    destination->cache_name = (text_t){.data = bytes, .length = sizeof(services->schema_hash) + length};
    while (row->params != NULL && text_split(&rest, ' ', &name)) {
        if (destination->known_count == DESTINATION_PARAMS_MAX)
            panic("%s has more parameters than DESTINATION_PARAMS_MAX", row->operation);
        destination->known[destination->known_count++] = name;
    }
}

static void allow_add(resource_t *resource, const char *method)
{
    const char *parts[] = {resource->allow.length > 0 ? ", " : "", method};
    for (int i = 0; i < 2; i++) {
        size_t length = strlen(parts[i]);
        insist(resource->allow.length + length <= sizeof(resource->allow_bytes));
        memcpy(resource->allow_bytes + resource->allow.length, parts[i], length);
        resource->allow.length += length;
    }
}

static void destination_add(
    matcher_t *matcher, destination_t *destination, const char *method, const char *path)
{
    destination->method = method_of(text_of(method));
    destination->path = text_of(path);
    destination->answers = counters_operation(destination->operation);
    if (destination->method >= METHOD_ROUTED)
        panic("%s %s: no row may have this method", method, path);
    void **place = matcher_place(matcher, path);
    if (*place == NULL)
        *place = memory_zeroed(1, sizeof(resource_t));
    resource_t *resource = *place;
    if (resource->by_method[destination->method] != NULL)
        panic("%s %s: two rows", method, path);
    resource->by_method[destination->method] = destination;
    params_compile(destination);

    resource->allow.data = resource->allow_bytes;
    resource->allow.length = 0;
    for (enum method m = METHOD_GET; m < METHOD_ROUTED; m++)
        if (resource->by_method[m] != NULL) {
            allow_add(resource, method_names[m]);
            if (m == METHOD_GET)
                allow_add(resource, method_names[METHOD_HEAD]);
        }
    allow_add(resource, method_names[METHOD_OPTIONS]);
}

static int service_index(const route_t *row, const route_service_t *services, int service_count)
{
    for (int i = 0; i < service_count; i++)
        if (strcmp(services[i].service, row->service) == 0)
            return i;
    panic("%s: its service %s has no schema hash", row->operation, row->service);
}

void routing_builtin(const builtin_t *row, destination_t *out)
{
    *out = (destination_t){.operation = text_of(row->operation),
        .path = text_of(row->path),
        .builtin = row,
        .service = -1,
        .roles = ANYONE,
        .rate = row->rate};
    out->answers = counters_operation(out->operation);
}

void routing_build(const route_t *rows, int row_count, const route_service_t *services, int service_count,
    const builtin_t *builtins, int builtin_count)
{
    matcher_t *matcher = matcher_create();
    for (int i = 0; i < row_count; i++) {
        const route_t *row = &rows[i];
        destination_t *destination = memory_zeroed(1, sizeof(*destination));
        *destination = (destination_t){.operation = text_of(row->operation),
            .service = service_index(row, services, service_count),
            .roles = row->roles,
            .rate = row->rate,
            .rate_field = text_of(row->rate_field),
            .body = row->body,
            .writes = row->writes};
        if (row->headers != NULL)
            headers_compile(destination, row->headers);
        if (row->cache != CACHE_NEVER)
            cache_compile(destination, row, services);
        destination_add(matcher, destination, row->method, row->path);
    }
    for (int i = 0; i < builtin_count; i++) {
        const builtin_t *row = &builtins[i];
        destination_t *destination = memory_zeroed(1, sizeof(*destination));
        routing_builtin(row, destination);
        destination_add(matcher, destination, row->method, row->path);
    }
    routing_matcher = matcher;
}
