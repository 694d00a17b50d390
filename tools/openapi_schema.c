/* openapi_schema: messages as JSON Schema 2020-12, the dialect of OpenAPI 3.1. What a schema allows is what message_read
 * accepts, and what it promises of an answer is what message_json writes: a field that may be null is always there, one that is
 * neither required nor nullable may be missing. */
#include "openapi.h"
#include <math.h>

json_t *pack_checked(json_t *value)
{
    insist(value != NULL);
    return value;
}

/* --- one type ----------------------------------------------------------------------------------------------------- */

static void text_format_add(json_t *schema, enum text_format format)
{
    static const struct {
        const char *keyword, *value, *example;
    } formats[] = {
        [FORMAT_EMAIL] = {"format", "email", "parent@example.com"},
        [FORMAT_PHONE] = {"pattern", "^\\+?[0-9][0-9 -]*$", "010-1234-5678"},
        [FORMAT_PASSWORD] = {"format", "password", "correct horse battery"},
        [FORMAT_SLUG] = {"pattern", "^[a-z0-9-]*$", NULL},
        [FORMAT_LINE] = {"pattern", "^[^\\u0000-\\u001f\\u007f]*$", NULL},
        [FORMAT_TOKEN] = {"pattern", "^[!-~]*$", NULL},
    };
    if (format == FORMAT_NONE)
        return;
    json_object_set_new(schema, formats[format].keyword, pack("s", formats[format].value));
    if (formats[format].example)
        json_object_set_new(schema, "examples", pack("[s]", formats[format].example));
}

static json_t *text_schema(const field_t *field)
{
    json_t *schema = pack("{s:s}", "type", "string");
    bool password = field->format == FORMAT_PASSWORD;
    int64_t min = password ? 8 : field->min, max = password ? 72 : field->max;
    if (min > 0)
        json_object_set_new(schema, "minLength", json_integer(min));
    if (max > 0)
        json_object_set_new(schema, "maxLength", json_integer(max));
    text_format_add(schema, field->format);
    return schema;
}

static json_t *number_schema(const field_t *field)
{
    bool whole = field->type == FIELD_integer;
    json_t *schema = whole ? pack("{s:s, s:s}", "type", "integer", "format", "int64") : pack("{s:s}", "type", "number");
    if (field->min != 0 || field->max != 0) {
        double unit = pow(10, field->scale);
        json_object_set_new(schema, "minimum", whole ? json_integer(field->min) : json_real((double)field->min / unit));
        if (field->max >= field->min)
            json_object_set_new(
                schema, "maximum", whole ? json_integer(field->max) : json_real((double)field->max / unit));
    }
    return schema;
}

static json_t *choice_schema(const field_t *field)
{
    json_t *names = json_array();
    for (int i = 0; field->names[i] != NULL; i++)
        json_array_append_new(names, json_string(field->names[i]));
    if (field->nullable)
        json_array_append_new(names, json_null());
    return pack("{s:s, s:o}", "type", "string", "enum", names);
}

static json_t *list_schema(components_t *components, const field_t *field, enum direction direction)
{
    const message_t *item = field->message;
    json_t *items = item->bare ? field_schema(components, &item->fields[0], direction) : component_ref(components, item, direction);
    json_t *schema = pack("{s:s, s:o}", "type", "array", "items", items);
    if (field->min > 0)
        json_object_set_new(schema, "minItems", json_integer(field->min));
    if (field->max > 0)
        json_object_set_new(schema, "maxItems", json_integer(field->max));
    return schema;
}

static json_t *scalar_schema(const field_t *field)
{
    json_t *schema = pack("{s:[s, s, s]}", "type", "boolean", "integer", "string");
    if (field->max > 0)
        json_object_set_new(schema, "maxLength", json_integer(field->max));
    return schema;
}

static json_t *example_schema(const char *format, const char *example)
{
    return pack("{s:s, s:s, s:[s]}", "type", "string", "format", format, "examples", example);
}

static json_t *type_schema(components_t *components, const field_t *field, enum direction direction)
{
    switch (field->type) {
    case FIELD_text:
        return text_schema(field);
    case FIELD_integer:
    case FIELD_decimal:
        return number_schema(field);
    case FIELD_boolean:
        return pack("{s:s}", "type", "boolean");
    case FIELD_date:
        return example_schema("date", "2024-01-15");
    case FIELD_time:
        return example_schema("date-time", "2025-03-20T01:30:00Z");
    case FIELD_uuid:
        return example_schema("uuid", "0195b0b4-3c1e-7d60-9f52-6a2d5c8e4b17");
    case FIELD_choice:
        return choice_schema(field);
    case FIELD_object:
        return component_ref(components, field->message, direction);
    case FIELD_list:
        return list_schema(components, field, direction);
    case FIELD_json:
        if (field->scalar)
            return scalar_schema(field);
        return field->message ? list_schema(components, field, direction) : json_object(); /* any value */
    default:
        panic("%s cannot be JSON", field->name);
    }
}

/* --- one field ---------------------------------------------------------------------------------------------------- */

/* "type": "string" becomes "type": ["string", "null"]; a reference becomes a choice. */
static json_t *schema_make_nullable(json_t *schema)
{
    json_t *type = json_object_get(schema, "type");
    if (json_object_get(schema, "$ref") != NULL)
        return pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
    if (json_is_array(type))
        json_array_append_new(type, json_string("null"));
    else if (type != NULL)
        json_object_set_new(schema, "type", pack("[O, s]", type, "null"));
    return schema;
}

static void schema_describe(json_t *schema, const field_t *field)
{
    char text[400];
    const char *meaning = field->meaning ? field->meaning : "";
    if (field->type == FIELD_decimal)
        snprintf(text, sizeof(text), "%s%sDecimal places: %d at most", meaning, *meaning ? ". " : "", field->scale);
    else
        snprintf(text, sizeof(text), "%s", meaning);
    if (text[0] != '\0')
        json_object_set_new(schema, "description", json_string(text));
}

json_t *field_schema(components_t *components, const field_t *field, enum direction direction)
{
    json_t *schema = type_schema(components, field, direction);
    if (field->nullable)
        schema = schema_make_nullable(schema);
    schema_describe(schema, field);
    if (field->secret && direction == DIRECTION_IN)
        json_object_set_new(schema, "writeOnly", json_true());
    return schema;
}

/* --- one message -------------------------------------------------------------------------------------------------- */

static json_t *message_schema(components_t *components, const message_t *message, enum direction direction)
{
    json_t *properties = json_object(), *required = json_array();
    for (int i = 0; i < message->count; i++) {
        const field_t *field = &message->fields[i];
        if (field->type == FIELD_bytes)
            continue; /* never in JSON */
        json_object_set_new(properties, field->name, field_schema(components, field, direction));
        if (field->required || (direction == DIRECTION_OUT && field->nullable))
            json_array_append_new(required, json_string(field->name));
    }
    json_t *schema = pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
    if (json_array_size(required) > 0)
        json_object_set(schema, "required", required);
    json_decref(required);
    return schema;
}

/* Under its own name, or with the direction at its end when the name is taken by the other direction. */
static void component_name(components_t *components, const message_t *message, enum direction direction, char *out, size_t size)
{
    const json_t *taken = json_object_get(components->directions, message->name);
    if (taken == NULL)
        json_object_set_new(components->directions, message->name, json_integer(direction));
    bool own = taken == NULL || json_integer_value(taken) == direction;
    snprintf(out, size, "%s%s", message->name, own ? "" : direction == DIRECTION_IN ? "_input" : "_output");
}

/* Messages are static in each file that includes their header, so that they are known by name, not by address. */
json_t *component_ref(components_t *components, const message_t *message, enum direction direction)
{
    char name[160], reference[200];
    component_name(components, message, direction, name, sizeof(name));
    json_t *schema = message_schema(components, message, direction);
    json_t *known = json_object_get(components->schemas, name);
    if (known != NULL && !json_equal(known, schema))
        describe_fail("message %s: two messages of this name differ; give one of them another name", message->name);
    if (known == NULL)
        json_object_set(components->schemas, name, schema);
    json_decref(schema);
    snprintf(reference, sizeof(reference), "#/components/schemas/%s", name);
    return pack("{s:s}", "$ref", reference);
}
