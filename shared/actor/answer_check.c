/* answer_check: in test builds every success body is read again and held against its row: envelope, shape, each field's
 * presence and type. What does not fit is our own inconsistency. */
#include "internal.h"

#ifdef AIPOTEN_TEST
#include "../base/clock.h"
#include "../base/panic.h"
#include <jansson.h>

static void check_message(const endpoint_t *endpoint, const message_t *message, const json_t *value);

static bool string_fits(const field_t *field, const char *string)
{
    int32_t days;
    int64_t time;
    uuid_t id;
    switch (field->type) {
    case FIELD_date:
        return date_parse(string, strlen(string), &days) == 0;
    case FIELD_time:
        return time_parse(string, strlen(string), &time) == 0;
    case FIELD_uuid:
        return uuid_parse(text_of(string), &id) == 0;
    case FIELD_choice:
        for (int i = 0; field->names[i]; i++)
            if (strcmp(field->names[i], string) == 0)
                return true;
        return false;
    default:
        return field->type == FIELD_text;
    }
}

static bool value_fits(const endpoint_t *endpoint, const field_t *field, const json_t *value)
{
    if (json_is_null(value))
        return field->nullable;
    if (json_is_string(value) && field->type != FIELD_json)
        return string_fits(field, json_string_value(value));
    if (field->type == FIELD_list || (field->type == FIELD_json && field->message)) {
        size_t index;
        json_t *item;
        json_array_foreach((json_t *)(uintptr_t)value, index, item)
            check_message(endpoint, field->message, item);
        return json_is_array(value);
    }
    if (field->type == FIELD_object)
        check_message(endpoint, field->message, value);
    return (field->type == FIELD_integer && json_is_integer(value)) || (field->type == FIELD_boolean && json_is_boolean(value)) ||
           (field->type == FIELD_decimal && json_is_number(value)) || field->type == FIELD_json || field->type == FIELD_object;
}

static void check_message(const endpoint_t *endpoint, const message_t *message, const json_t *value)
{
    if (message->bare) {
        if (!value_fits(endpoint, &message->fields[0], value))
            panic("%s: %s does not fit its field", endpoint->operation, message->name);
        return;
    }
    if (!json_is_object(value))
        panic("%s: %s is no object", endpoint->operation, message->name);
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        int index = message_find(message, text_of(name));
        if (index < 0 || !value_fits(endpoint, &message->fields[index], member))
            panic("%s: %s.%s does not fit its field", endpoint->operation, message->name, name);
    }
    for (int i = 0; i < message->count; i++)
        if (message->fields[i].nullable && !json_object_get(value, message->fields[i].name))
            panic("%s: %s.%s is missing", endpoint->operation, message->name, message->fields[i].name);
}

void answer_check(const endpoint_t *endpoint, text_t body)
{
    if (endpoint->shape == SHAPE_FILE)
        return; /* its bytes do not come by here */
    if (endpoint->shape == SHAPE_PAGE) {
        if (!text_starts_with(body, TEXT("<!DOCTYPE html>")) || !text_is_utf8(body))
            panic("%s: no page", endpoint->operation);
        return;
    }
    json_error_t error;
    json_t *root = json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES, &error);
    if (!root || !json_is_true(json_object_get(root, "success")) || !json_is_object(json_object_get(root, "meta")))
        panic("%s: no envelope: %s", endpoint->operation, root ? "success or meta" : error.text);
    const json_t *data = json_object_get(root, "data");
    size_t index;
    json_t *item;
    if (endpoint->shape == SHAPE_NOTHING && !json_is_null(data))
        panic("%s: data is not null", endpoint->operation);
    if (endpoint->shape == SHAPE_ONE)
        check_message(endpoint, endpoint->output, data);
    if (endpoint->shape == SHAPE_LIST) {
        if (!json_is_array(data))
            panic("%s: data is no list", endpoint->operation);
        json_array_foreach((json_t *)(uintptr_t)data, index, item)
            check_message(endpoint, endpoint->output, item);
    }
    json_decref(root);
}
#endif
