/* message_read: msgpack becomes a validated struct. Decoding is typed, bounded and complete: a wrong field is a problem with
 * the field's name, never an abort, and all wrong fields are found in one pass. */
#include "message.h"
#include "packed.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include <math.h>
#include <msgpack.h>

typedef struct {
    enum message_source source;
    problems_t *problems;
} reader_t;

/* Where in the value we are, for the problem's path; built only when there is a problem. */
typedef struct place {
    const struct place *parent;
    text_t name; /* data NULL: an index */
    size_t index;
} place_t;

enum { NAME_SHOWN_MAX = 64 };

static text_t place_path(arena_t *arena, const place_t *place)
{
    if (!place)
        return TEXT("body");
    text_t name = place->name.data ? place->name : arena_format(arena, "%zu", place->index);
    if (name.length > NAME_SHOWN_MAX) {
        name.length = NAME_SHOWN_MAX;
        while (name.length && ((unsigned char)name.data[name.length] & 0xC0) == 0x80)
            name.length--;
    }
    if (!place->parent)
        return arena_copy(arena, name);
    text_t parent = place_path(arena, place->parent);
    return arena_format(arena, "%.*s.%.*s", TEXT_ARG(parent), TEXT_ARG(name));
}

static bool wrong(reader_t *reader, const place_t *place, enum problem_kind kind, const field_t *field, int64_t bound)
{
    if (reader->problems->count < PROBLEMS_MAX) /* the path takes memory */
        problem_add(reader->problems, place_path(reader->problems->arena, place), kind, field, bound);
    return false;
}

/* --- text formats ------------------------------------------------------------------------------------------------- */

static bool all_bytes(text_t text, bool (*fits)(unsigned char))
{
    for (size_t i = 0; i < text.length; i++)
        if (!fits((unsigned char)text.data[i]))
            return false;
    return true;
}

static bool is_printable(unsigned char c)
{
    return c > ' ' && c < 127;
}

static bool is_slug(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_not_control(unsigned char c)
{
    return c >= ' ' && c != 127;
}

static bool is_domain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* The addresses that mail systems accept in practice: printable ASCII, one @, a dot in the domain, 254 bytes (RFC 5321). */
bool message_is_email(text_t text)
{
    const char *at = text.length ? memchr(text.data, '@', text.length) : NULL;
    if (!at || at == text.data || text.length > 254 || at - text.data > 64 || !all_bytes(text, is_printable))
        return false;
    text_t domain = {at + 1, text.length - (size_t)(at + 1 - text.data)};
    if (domain.length < 3 || !all_bytes(domain, is_domain) || !memchr(domain.data, '.', domain.length))
        return false;
    char last = '.';
    for (size_t i = 0; i <= domain.length; i++) {
        char c = i < domain.length ? domain.data[i] : '.';
        if (c == '.' && (last == '.' || last == '-'))
            return false;
        if (c == '-' && last == '.')
            return false;
        last = c;
    }
    for (const char *p = text.data; p < at; p++)
        if (strchr("()<>[]:;,\\\"", *p))
            return false;
    return true;
}

static bool is_phone(text_t text)
{
    int digits = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c >= '0' && c <= '9')
            digits++;
        else if (!(c == '-' || c == ' ' || (c == '+' && i == 0)))
            return false;
    }
    return digits >= 8 && digits <= 15;
}

static bool fits_format(enum text_format format, text_t text)
{
    switch (format) {
    case FORMAT_EMAIL:
        return message_is_email(text);
    case FORMAT_PHONE:
        return is_phone(text);
    case FORMAT_SLUG:
        return all_bytes(text, is_slug);
    case FORMAT_LINE:
        return all_bytes(text, is_not_control) && text_trim(text).length == text.length;
    case FORMAT_TOKEN:
        return all_bytes(text, is_printable);
    case FORMAT_PASSWORD:
    case FORMAT_NONE:
        break;
    }
    return true;
}

/* --- one reader per field type ------------------------------------------------------------------------------------ */

typedef bool (*read_t)(reader_t *, const place_t *, const field_t *, const msgpack_object *, void *member);

static bool is_string(const msgpack_object *object, text_t *text)
{
    if (object->type != MSGPACK_OBJECT_STR)
        return false;
    *text = (text_t){object->via.str.ptr, object->via.str.size};
    if (text->data == NULL)
        text->data = "";
    return true;
}

static bool check_length(reader_t *reader, const place_t *place, const field_t *field, int64_t length)
{
    if (field->min && length < field->min)
        return wrong(reader, place, length == 0 ? PROBLEM_EMPTY : PROBLEM_TOO_SHORT, field, field->min);
    if (field->max && length > field->max)
        return wrong(reader, place, PROBLEM_TOO_LONG, field, field->max);
    return true;
}

static bool read_text(reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    text_t text;
    if (!is_string(object, &text))
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    if (!text_is_utf8(text))
        return wrong(reader, place, PROBLEM_ENCODING, field, 0);
    if (field->format == FORMAT_PASSWORD) { /* bytes, not characters: bcrypt's limit */
        if (text.length < 8)
            return wrong(reader, place, PROBLEM_TOO_SHORT, field, 8);
        if (text.length > 72)
            return wrong(reader, place, PROBLEM_TOO_LONG, field, 72);
    } else if ((field->min || field->max) && !check_length(reader, place, field, (int64_t)text_characters(text))) {
        return false;
    }
    if (!fits_format(field->format, text))
        return wrong(reader, place, PROBLEM_FORMAT, field, 0);
    *(text_t *)member = text;
    return true;
}

static bool check_range(reader_t *reader, const place_t *place, const field_t *field, int64_t value)
{
    bool bounded = field->min || field->max;
    if (bounded && value < field->min)
        return wrong(reader, place, PROBLEM_TOO_SMALL, field, field->min);
    if (bounded && field->max >= field->min && value > field->max)
        return wrong(reader, place, PROBLEM_TOO_LARGE, field, field->max);
    return true;
}

static bool number_of(const reader_t *reader, const msgpack_object *object, int64_t *value)
{
    text_t text;
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= INT64_MAX)
        *value = (int64_t)object->via.u64;
    else if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *value = object->via.i64;
    else if (!(reader->source == SOURCE_QUERY && is_string(object, &text) && text_to_int(text, value)))
        return false;
    return true;
}

static bool read_integer(
    reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    int64_t value;
    if (!number_of(reader, object, &value))
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    *(int64_t *)member = value;
    return check_range(reader, place, field, value);
}

static bool read_boolean(
    reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    text_t text;
    if (object->type == MSGPACK_OBJECT_BOOLEAN)
        *(bool *)member = object->via.boolean;
    else if (reader->source == SOURCE_QUERY && is_string(object, &text) && text_equal(text, TEXT("true")))
        *(bool *)member = true;
    else if (reader->source == SOURCE_QUERY && is_string(object, &text) && text_equal(text, TEXT("false")))
        *(bool *)member = false;
    else
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    return true;
}

/* A client's number with at most `scale` digits after the point; in units of 10^-scale. More digits are refused, not
 * rounded: what is stored is what was sent. */
static bool read_decimal(
    reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    int64_t value, unit = 1;
    for (int i = 0; i < field->scale; i++)
        unit *= 10;
    if (number_of(reader, object, &value)) {
        bool negative = value < 0;
        if (reader->source != SOURCE_PEER && __builtin_mul_overflow(value, unit, &value))
            return wrong(reader, place, negative ? PROBLEM_TOO_SMALL : PROBLEM_TOO_LARGE, field,
                negative ? field->min : field->max);
    } else if (object->type == MSGPACK_OBJECT_FLOAT64 || object->type == MSGPACK_OBJECT_FLOAT32) {
        double scaled = object->via.f64 * (double)unit, nearest = nearbyint(scaled);
        if (!(fabs(scaled) < 9e15))
            return wrong(reader, place, scaled < 0 ? PROBLEM_TOO_SMALL : PROBLEM_TOO_LARGE, field,
                scaled < 0 ? field->min : field->max);
        if (fabs(scaled - nearest) > 1e-6 * (fabs(scaled) > 1 ? fabs(scaled) : 1))
            return wrong(reader, place, PROBLEM_FORMAT, field, field->scale);
        value = (int64_t)nearest;
    } else {
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    }
    *(int64_t *)member = value;
    return check_range(reader, place, field, value);
}

static bool read_date(reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    int64_t number;
    text_t text;
    if (reader->source == SOURCE_PEER && number_of(reader, object, &number))
        *(int32_t *)member = (int32_t)number;
    else if (!is_string(object, &text))
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    else if (date_parse(text.data, text.length, member) != 0)
        return wrong(reader, place, PROBLEM_FORMAT, field, 0);
    return true;
}

static bool read_time(reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    text_t text;
    if (reader->source == SOURCE_PEER && number_of(reader, object, member))
        return true;
    if (!is_string(object, &text))
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    if (time_parse(text.data, text.length, member) != 0)
        return wrong(reader, place, PROBLEM_FORMAT, field, 0);
    return true;
}

static bool read_uuid(reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    text_t text;
    if (reader->source == SOURCE_PEER && object->type == MSGPACK_OBJECT_BIN && object->via.bin.size == 16)
        memcpy(member, object->via.bin.ptr, 16);
    else if (reader->source == SOURCE_PEER || !is_string(object, &text))
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    else if (uuid_parse(text, member) != 0)
        return wrong(reader, place, PROBLEM_FORMAT, field, 0);
    return true;
}

static bool read_choice(
    reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    int64_t number;
    text_t text;
    int count = 0;
    while (field->names[count])
        count++;
    if (reader->source == SOURCE_PEER) {
        if (!number_of(reader, object, &number) || number < 0 || number >= count)
            return wrong(reader, place, PROBLEM_TYPE, field, 0);
        *(int *)member = (int)number;
        return true;
    }
    if (!is_string(object, &text))
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    for (int i = 0; i < count; i++)
        if (text_equal(text, text_of(field->names[i]))) {
            *(int *)member = i;
            return true;
        }
    return wrong(reader, place, PROBLEM_CHOICE, field, 0);
}

static bool read_bytes(reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    if (object->type != MSGPACK_OBJECT_BIN)
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    *(text_t *)member = (text_t){object->via.bin.size ? object->via.bin.ptr : "", object->via.bin.size};
    return true;
}

/* A client's single value, as JSON again. */
static bool read_scalar(reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    static buffer_t json; /* reused: nothing here suspends */
    json.length = 0;
    int64_t number;
    text_t text;
    if (object->type == MSGPACK_OBJECT_BOOLEAN) {
        buffer_add_string(&json, object->via.boolean ? "true" : "false");
    } else if (number_of(reader, object, &number)) {
        buffer_add_integer(&json, number);
    } else if (is_string(object, &text)) {
        if (!text_is_utf8(text))
            return wrong(reader, place, PROBLEM_ENCODING, field, 0);
        if (!check_length(reader, place, field, (int64_t)text_characters(text)))
            return false;
        message_json_string(&json, text);
    } else {
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    }
    *(text_t *)member = arena_copy(reader->problems->arena, buffer_text(&json));
    return true;
}

/* jsonb between our own processes; clients send lists and objects with a message of their own. */
static bool read_json(reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    if (field->scalar && reader->source == SOURCE_CLIENT)
        return read_scalar(reader, place, field, object, member);
    if (reader->source != SOURCE_PEER || !is_string(object, member))
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    return field->scalar || check_length(reader, place, field, (int64_t)((const text_t *)member)->length);
}

static bool read_message(reader_t *, const place_t *, const message_t *, const msgpack_object *, void *out);

static bool read_object(
    reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    void *value = arena_allocate(reader->problems->arena, field->message->size);
    *(const void **)member = value;
    return read_message(reader, place, field->message, object, value);
}

static bool read_list(reader_t *reader, const place_t *place, const field_t *field, const msgpack_object *object, void *member)
{
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return wrong(reader, place, PROBLEM_TYPE, field, 0);
    size_t count = object->via.array.size;
    if (!check_length(reader, place, field, (int64_t)count))
        return false;
    char *items = arena_allocate(reader->problems->arena, count * field->message->size + 1);
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        place_t inner = {.parent = place, .index = i};
        good &= read_message(reader, &inner, field->message, &object->via.array.ptr[i], items + i * field->message->size);
    }
    *(list_t *)member = (list_t){.items = items, .count = count};
    return good;
}

static const read_t reads[FIELD_TYPES] = {
    [FIELD_text] = read_text,
    [FIELD_integer] = read_integer,
    [FIELD_boolean] = read_boolean,
    [FIELD_decimal] = read_decimal,
    [FIELD_date] = read_date,
    [FIELD_time] = read_time,
    [FIELD_uuid] = read_uuid,
    [FIELD_choice] = read_choice,
    [FIELD_json] = read_json,
    [FIELD_bytes] = read_bytes,
    [FIELD_object] = read_object,
    [FIELD_list] = read_list,
};

/* --- messages ----------------------------------------------------------------------------------------------------- */

static bool read_field(reader_t *reader, const place_t *place, const message_t *message, int index,
    const msgpack_object *object, void *out)
{
    const field_t *field = &message->fields[index];
    message_head_t *head = out;
    if (object->type == MSGPACK_OBJECT_NIL) {
        if (field->required || !field->nullable)
            return wrong(reader, place, PROBLEM_NULL, field, 0);
        head->null |= UINT64_C(1) << index;
        return true;
    }
    head->given |= UINT64_C(1) << index;
    return reads[field->type](reader, place, field, object, message_member(out, index));
}

static bool read_positional(
    reader_t *reader, const place_t *place, const message_t *message, const msgpack_object *object, void *out)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != (uint32_t)message->count)
        return wrong(reader, place, PROBLEM_TYPE, NULL, message->count);
    bool good = true;
    for (int i = 0; i < message->count; i++) {
        const field_t *field = &message->fields[i];
        place_t inner = {.parent = place, .name = {field->name, field->name_length}};
        good &= read_field(reader, &inner, message, i, &object->via.array.ptr[i], out);
    }
    return good;
}

static bool read_map(
    reader_t *reader, const place_t *place, const message_t *message, const msgpack_object *object, void *out)
{
    if (object->type != MSGPACK_OBJECT_MAP)
        return wrong(reader, place, PROBLEM_TYPE, NULL, 0);
    message_head_t *head = out;
    bool good = true;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < object->via.map.size; i++) {
        const msgpack_object_kv *pair = &object->via.map.ptr[i];
        place_t inner = {.parent = place};
        if (!is_string(&pair->key, &inner.name))
            return wrong(reader, place, PROBLEM_TYPE, NULL, 0);
        int index = message_find(message, inner.name);
        if (index < 0) {
            good = wrong(reader, &inner, PROBLEM_UNKNOWN, NULL, 0);
            continue;
        }
        if (seen >> index & 1)
            good = wrong(reader, &inner, PROBLEM_DUPLICATE, NULL, 0);
        seen |= UINT64_C(1) << index;
        good &= read_field(reader, &inner, message, index, &pair->val, out);
    }
    for (int i = 0; i < message->count; i++) {
        if (!message->fields[i].required || (seen | head->null) >> i & 1)
            continue;
        place_t inner = {.parent = place, .name = text_of(message->fields[i].name)};
        good = wrong(reader, &inner, PROBLEM_REQUIRED, &message->fields[i], 0);
    }
    return good;
}

static bool read_message(
    reader_t *reader, const place_t *place, const message_t *message, const msgpack_object *object, void *out)
{
    if (message->bare)
        return read_field(reader, place, message, 0, object, out);
    return (message->positional ? read_positional : read_map)(reader, place, message, object, out);
}

bool message_read(const message_t *message, text_t packed, enum message_source source, void *out, problems_t *problems)
{
    static msgpack_zone *zone; /* reused: no call of this function is inside another, and none suspends */
    if (!zone && !(zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE)))
        panic("out of memory");
    memset(out, 0, message->size);
    reader_t reader = {.source = source, .problems = problems};
    msgpack_object object;
    size_t offset = 0;
    bool good = packed_is_sane(packed) &&
                        msgpack_unpack(packed.data, packed.length, &offset, zone, &object) == MSGPACK_UNPACK_SUCCESS
                    ? read_message(&reader, NULL, message, &object, out)
                    : wrong(&reader, NULL, PROBLEM_SYNTAX, NULL, (int64_t)offset);
    msgpack_zone_clear(zone);
    return good;
}
