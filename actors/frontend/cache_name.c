/* cache_name: see the header. The name is: the row's (routing.c), language, role and user of personal ones, then for each parameter
 * that was given its place among those that the row knows, the length of its value, the value. */
#include "cache_name.h"
#include "query.h"

typedef struct {
    char *at;
    const char *end;
} name_t;

static bool put(name_t *name, const void *data, size_t length)
{
    if ((size_t)(name->end - name->at) < length)
        return false;
    memcpy(name->at, data, length);
    name->at += length;
    return true;
}

static bool put_parameter(name_t *name, uint16_t place, text_t value)
{
    uint16_t head[] = {place, (uint16_t)value.length};
    return value.length <= UINT16_MAX && put(name, head, sizeof(head)) && (value.length == 0 || put(name, value.data, value.length));
}

/* The value of a known parameter; data NULL: it was not given. False: it is no value. */
static bool parameter_value(const cache_asked_t *asked, const query_t *query, text_t name, char *scratch, text_t *value)
{
    const destination_t *destination = asked->destination;
    *value = (text_t){.data = NULL};
    for (int i = 0; i < destination->param_count; i++)
        if (text_equal(destination->params[i], name))
            return asked->params[i].length <= CACHE_NAME_MOST &&
                   percent_decode(asked->params[i], false, scratch, value) == PROBLEM_KINDS && !query_has(query, name);
    for (int i = 0; i < query->count; i++)
        if (text_equal(query->items[i].name, name))
            *value = query->items[i].value;
    return true;
}

static bool put_parameters(const cache_asked_t *asked, arena_t *arena, name_t *name)
{
    static query_t query; /* nothing here suspends */
    static problems_t problems;
    const destination_t *destination = asked->destination;
    char in_query[CACHE_NAME_MOST], in_path[CACHE_NAME_MOST];
    int given = destination->param_count;
    query.count = 0;
    problems.count = 0;
    problems.arena = arena;
    if (asked->query.length > CACHE_NAME_MOST)
        return false;
    if (asked->query.length > 0 && !query_read(asked->query, in_query, &query, &problems)) {
        arena_reset(arena);
        return false;
    }
    for (int i = 0; i < destination->known_count; i++) {
        text_t value;
        if (!parameter_value(asked, &query, destination->known[i], in_path, &value))
            return false;
        if (value.data == NULL)
            continue;
        if (!put_parameter(name, (uint16_t)i, value))
            return false;
        given--;
    }
    return given + query.count == 0; /* otherwise there was one that the row does not know */
}

size_t cache_name_make(const cache_asked_t *asked, arena_t *arena, char out[static CACHE_NAME_MOST])
{
    const destination_t *destination = asked->destination;
    name_t name = {.at = out, .end = out + CACHE_NAME_MOST};
    uint8_t language = destination->by_language ? (uint8_t)(asked->language + 1) : 0, role = (uint8_t)asked->role;
    if (!put(&name, destination->cache_name.data, destination->cache_name.length) || !put(&name, &language, 1))
        return 0;
    if (destination->cache == CACHE_PERSONAL && (!put(&name, &role, 1) || !put(&name, asked->user.bytes, sizeof(uuid_t))))
        return 0;
    if (destination->known_count + asked->query.length > 0 && !put_parameters(asked, arena, &name))
        return 0;
    return (size_t)(name.at - out);
}
