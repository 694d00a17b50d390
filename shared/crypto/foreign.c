/* foreign: see the header. The depth is counted first because jansson recurses by it, on a coroutine's small stack. */
#include "foreign.h"
#include <inttypes.h>
#include <jansson.h>

static bool depth_bounded(text_t json)
{
    int depth = 0;
    bool string = false;
    for (size_t i = 0; i < json.length; i++) {
        char c = json.data[i];
        if (string && c == '\\')
            i++;
        else if (c == '"')
            string = !string;
        else if (!string && (c == '{' || c == '[') && ++depth > FOREIGN_DEPTH_MAX)
            return false;
        else if (!string && (c == '}' || c == ']'))
            depth--;
    }
    return true;
}

foreign_t *foreign_read(text_t json)
{
    if (json.data == NULL || json.length > FOREIGN_BYTES_MAX || !depth_bounded(json))
        return NULL;
    json_t *root = json_loadb(json.data, json.length, JSON_REJECT_DUPLICATES, NULL);
    if (root != NULL && !json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    return root;
}

void foreign_free(foreign_t **foreign)
{
    json_decref(*foreign);
    *foreign = NULL;
}

const foreign_t *foreign_object(const foreign_t *in, const char *key)
{
    const json_t *value = json_object_get(in, key);
    return json_is_object(value) ? value : NULL;
}

static text_t text_checked(arena_t *arena, text_t text, size_t max)
{
    if (text.length == 0 || text.length > max)
        return (text_t){0};
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return (text_t){0};
    return arena_copy(arena, text);
}

text_t foreign_text(arena_t *arena, const foreign_t *in, const char *key, size_t max)
{
    const json_t *value = json_object_get(in, key);
    if (!json_is_string(value))
        return (text_t){0};
    return text_checked(arena, (text_t){json_string_value(value), json_string_length(value)}, max);
}

text_t foreign_id(arena_t *arena, const foreign_t *in, const char *key, size_t max)
{
    const json_t *value = json_object_get(in, key);
    if (!json_is_integer(value))
        return foreign_text(arena, in, key, max);
    return text_checked(arena, arena_format(arena, "%" PRId64, (int64_t)json_integer_value(value)), max);
}

bool foreign_integer(const foreign_t *in, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(in, key);
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0;
}

bool foreign_true(const foreign_t *in, const char *key)
{
    const json_t *value = json_object_get(in, key);
    return json_is_true(value) || (json_is_string(value) && strcmp(json_string_value(value), "true") == 0);
}

static bool string_is(const json_t *value, const char *wanted)
{
    return text_equal((text_t){json_string_value(value), json_string_length(value)}, text_of(wanted));
}

bool foreign_names(const foreign_t *in, const char *key, const char *wanted, size_t *count)
{
    const json_t *value = json_object_get(in, key);
    *count = json_is_array(value) ? json_array_size(value) : json_is_string(value);
    if (json_is_string(value))
        return string_is(value, wanted);
    bool found = false;
    for (size_t i = 0; json_is_array(value) && i < *count; i++) {
        const json_t *item = json_array_get(value, i);
        if (!json_is_string(item))
            return false;
        found |= string_is(item, wanted);
    }
    return found;
}

bool foreign_has(const foreign_t *in, const char *key)
{
    const json_t *value = json_object_get(in, key);
    return value != NULL && !json_is_null(value);
}
