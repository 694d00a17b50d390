/* message_write: a struct becomes msgpack (for other processes) or JSON (for clients), field by field, each type by its row
 * in a table. */
#include "message.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include <msgpack.h>

static bool has(const message_head_t *head, int index)
{
    return head->given >> index & 1;
}

static bool is_null(const message_head_t *head, int index)
{
    return head->null >> index & 1;
}

/* --- msgpack ------------------------------------------------------------------------------------------------------ */

static int append(void *out, const char *data, size_t length)
{
    buffer_add(out, data, length);
    return 0;
}

typedef void (*pack_t)(msgpack_packer *, const field_t *, const void *member);

static void pack_text(msgpack_packer *packer, const field_t *field, const void *member)
{
    (void)field;
    const text_t *text = member;
    msgpack_pack_str(packer, text->length);
    msgpack_pack_str_body(packer, text->data, text->length);
}

static void pack_bytes(msgpack_packer *packer, const field_t *field, const void *member)
{
    (void)field;
    const text_t *bytes = member;
    msgpack_pack_bin(packer, bytes->length);
    msgpack_pack_bin_body(packer, bytes->data, bytes->length);
}

static void pack_integer(msgpack_packer *packer, const field_t *field, const void *member)
{
    (void)field;
    msgpack_pack_int64(packer, *(const int64_t *)member);
}

static void pack_date(msgpack_packer *packer, const field_t *field, const void *member)
{
    (void)field;
    msgpack_pack_int64(packer, *(const int32_t *)member);
}

static void pack_choice(msgpack_packer *packer, const field_t *field, const void *member)
{
    (void)field;
    msgpack_pack_int64(packer, *(const int *)member);
}

static void pack_boolean(msgpack_packer *packer, const field_t *field, const void *member)
{
    (void)field;
    *(const bool *)member ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
}

static void pack_uuid(msgpack_packer *packer, const field_t *field, const void *member)
{
    (void)field;
    msgpack_pack_bin(packer, 16);
    msgpack_pack_bin_body(packer, ((const uuid_t *)member)->bytes, 16);
}

static void pack_object(msgpack_packer *packer, const field_t *field, const void *member)
{
    message_pack(field->message, *(const void *const *)member, packer->data);
}

static void pack_list(msgpack_packer *packer, const field_t *field, const void *member)
{
    const list_t *list = member;
    msgpack_pack_array(packer, list->count);
    for (size_t i = 0; i < list->count; i++)
        message_pack(field->message, (const char *)list->items + i * field->message->size, packer->data);
}

static const pack_t packs[FIELD_TYPES] = {
    [FIELD_text] = pack_text,
    [FIELD_integer] = pack_integer,
    [FIELD_boolean] = pack_boolean,
    [FIELD_decimal] = pack_integer,
    [FIELD_date] = pack_date,
    [FIELD_time] = pack_integer,
    [FIELD_uuid] = pack_uuid,
    [FIELD_choice] = pack_choice,
    [FIELD_json] = pack_text,
    [FIELD_bytes] = pack_bytes,
    [FIELD_object] = pack_object,
    [FIELD_list] = pack_list,
};

void message_pack(const message_t *message, const void *value, buffer_t *out)
{
    const message_head_t *head = value;
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    bool named = !message->positional && !message->bare;
    if (message->positional)
        msgpack_pack_array(&packer, (size_t)message->count);
    else if (named)
        msgpack_pack_map(&packer, (size_t)__builtin_popcountll(head->given | head->null));
    for (int i = 0; i < message->count; i++) {
        const field_t *field = &message->fields[i];
        bool given = has(head, i);
        if (named) {
            if (!given && !is_null(head, i))
                continue;
            msgpack_pack_str(&packer, field->name_length);
            msgpack_pack_str_body(&packer, field->name, field->name_length);
        }
        if (given)
            packs[field->type](&packer, field, message_member(value, i));
        else
            msgpack_pack_nil(&packer);
    }
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

/* 0: as it is; 'u': \u00XX; otherwise the letter after the backslash. */
static const char escapes[256] = {
    ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    [0] = 'u', [1] = 'u', [2] = 'u', [3] = 'u', [4] = 'u', [5] = 'u', [6] = 'u', [7] = 'u', [11] = 'u', [14] = 'u',
    [15] = 'u', [16] = 'u', [17] = 'u', [18] = 'u', [19] = 'u', [20] = 'u', [21] = 'u', [22] = 'u', [23] = 'u',
    [24] = 'u', [25] = 'u', [26] = 'u', [27] = 'u', [28] = 'u', [29] = 'u', [30] = 'u', [31] = 'u', [127] = 'u',
};

void message_json_string(buffer_t *out, text_t text)
{
    buffer_reserve(out, text.length + 2);
    buffer_add_char(out, '"');
    size_t start = 0;
    for (size_t i = 0; i < text.length; i++) {
        char escape = escapes[(unsigned char)text.data[i]];
        if (!escape)
            continue;
        buffer_add(out, text.data + start, i - start);
        if (escape == 'u')
            buffer_format(out, "\\u%04x", (unsigned char)text.data[i]);
        else
            buffer_add(out, (char[]){'\\', escape}, 2);
        start = i + 1;
    }
    buffer_add(out, text.data + start, text.length - start);
    buffer_add_char(out, '"');
}

typedef void (*json_t)(buffer_t *, const field_t *, const void *member);

static void json_text(buffer_t *out, const field_t *field, const void *member)
{
    (void)field;
    message_json_string(out, *(const text_t *)member);
}

static void json_integer(buffer_t *out, const field_t *field, const void *member)
{
    (void)field;
    buffer_add_integer(out, *(const int64_t *)member);
}

static void json_boolean(buffer_t *out, const field_t *field, const void *member)
{
    (void)field;
    buffer_add_text(out, *(const bool *)member ? TEXT("true") : TEXT("false"));
}

/* 3250 with scale 3 is 3.25: no trailing zeros, so that the same number is always the same text. */
static void json_decimal(buffer_t *out, const field_t *field, const void *member)
{
    int64_t value = *(const int64_t *)member, unit = 1;
    for (int i = 0; i < field->scale; i++)
        unit *= 10;
    if (value < 0 && value > -unit)
        buffer_add_char(out, '-');
    buffer_add_integer(out, value / unit);
    uint64_t fraction = (uint64_t)(value % unit < 0 ? -(value % unit) : value % unit);
    if (!fraction)
        return;
    buffer_add_char(out, '.');
    while (fraction) {
        unit /= 10;
        buffer_add_char(out, (char)('0' + fraction / (uint64_t)unit));
        fraction %= (uint64_t)unit;
    }
}

static void json_date(buffer_t *out, const field_t *field, const void *member)
{
    (void)field;
    char text[12] = "\"";
    date_format(*(const int32_t *)member, text + 1);
    text[11] = '"';
    buffer_add(out, text, sizeof text);
}

static void json_time(buffer_t *out, const field_t *field, const void *member)
{
    (void)field;
    char text[29] = "\"";
    size_t length = time_format(*(const int64_t *)member, text + 1);
    text[length + 1] = '"';
    buffer_add(out, text, length + 2);
}

static void json_uuid(buffer_t *out, const field_t *field, const void *member)
{
    (void)field;
    char text[UUID_TEXT_SIZE + 1] = "\"";
    uuid_format(*(const uuid_t *)member, text + 1);
    text[UUID_TEXT_SIZE] = '"';
    buffer_add(out, text, sizeof text);
}

static void json_choice(buffer_t *out, const field_t *field, const void *member)
{
    message_json_string(out, text_of(field->names[*(const int *)member]));
}

static void json_raw(buffer_t *out, const field_t *field, const void *member)
{
    (void)field;
    buffer_add_text(out, *(const text_t *)member);
}

static void json_object(buffer_t *out, const field_t *field, const void *member)
{
    message_json(field->message, *(const void *const *)member, out);
}

static void json_list(buffer_t *out, const field_t *field, const void *member)
{
    const list_t *list = member;
    buffer_add_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i)
            buffer_add_char(out, ',');
        message_json(field->message, (const char *)list->items + i * field->message->size, out);
    }
    buffer_add_char(out, ']');
}

static const json_t jsons[FIELD_TYPES] = {
    [FIELD_text] = json_text,
    [FIELD_integer] = json_integer,
    [FIELD_boolean] = json_boolean,
    [FIELD_decimal] = json_decimal,
    [FIELD_date] = json_date,
    [FIELD_time] = json_time,
    [FIELD_uuid] = json_uuid,
    [FIELD_choice] = json_choice,
    [FIELD_json] = json_raw,
    [FIELD_object] = json_object,
    [FIELD_list] = json_list,
};

void message_json(const message_t *message, const void *value, buffer_t *out)
{
    const message_head_t *head = value;
    if (message->bare) {
        insist(has(head, 0));
        jsons[message->fields[0].type](out, &message->fields[0], message_member(value, 0));
        return;
    }
    char separator = '{';
    for (int i = 0; i < message->count; i++) {
        const field_t *field = &message->fields[i];
        if (!has(head, i) && !field->nullable)
            continue;
        if (!jsons[field->type])
            panic("%s.%s cannot be JSON", message->name, field->name);
        buffer_add_char(out, separator);
        buffer_add(out, field->key, field->name_length + 3);
        if (has(head, i))
            jsons[field->type](out, field, message_member(value, i));
        else
            buffer_add(out, "null", 4);
        separator = ',';
    }
    if (separator == '{')
        buffer_add_char(out, '{');
    buffer_add_char(out, '}');
}
