/* personal_data: see the header. A page's place is the number of its section and the id of the row before: "2:ID". */
#include "personal_data.h"
#include "../base/panic.h"
#include <stdio.h>

enum { PAGE_ROWS = 20, PLACE_SIZE = 16 + UUID_TEXT_SIZE };

/* False: nothing that we gave. */
static bool place_read(text_t place, int count, int *section, uuid_t *after)
{
    text_t number;
    int64_t value;
    if (!text_split(&place, ':', &number) || !text_to_int(number, &value) || value < 0 || value >= count)
        return false;
    *section = (int)value;
    return uuid_parse(place, after) == 0;
}

static text_t place_write(call_t *call, int section, uuid_t after)
{
    char id[UUID_TEXT_SIZE], place[PLACE_SIZE];
    uuid_format(after, id);
    snprintf(place, sizeof(place), "%d:%s", section, id);
    return arena_copy(call->arena, text_of(place));
}

/* The rows as a JSON array; *last: the first field of the last one. */
static text_t rows_json(call_t *call, const rows_t *rows, int count, uuid_t *last)
{
    const message_t *message = rows->statement->row;
    insist(message->fields[0].type == FIELD_uuid);
    static buffer_t json; /* reused: nothing here suspends, nor ends the call but for want of memory */
    json.length = 0;
    buffer_add_char(&json, '[');
    for (int i = 0; i < count; i++) {
        const void *row = row_at(call, rows, i);
        if (i > 0)
            buffer_add_char(&json, ',');
        message_json(message, row, &json);
        *last = *(const uuid_t *)message_member(row, 0);
    }
    buffer_add_char(&json, ']');
    return arena_copy(call->arena, buffer_text(&json));
}

static text_t held_json(call_t *call, const personal_section_t *section, uuid_t user)
{
    const void *held = section->held(call, user);
    static buffer_t json;
    json.length = 0;
    buffer_add_char(&json, '[');
    if (held != NULL)
        message_json(section->message, held, &json);
    buffer_add_char(&json, ']');
    return arena_copy(call->arena, buffer_text(&json));
}

/* The section's rows after one, and where those begin that come next: `last`, if there are more. */
static text_t page_json(call_t *call, const personal_section_t *section, uuid_t user, uuid_t after, uuid_t *last, bool *more)
{
    *more = false;
    if (section->held != NULL)
        return held_json(call, section, user);
    const rows_t *rows = db_query(call, section->statement, bind_uuid(user), bind_uuid(after), bind_integer(PAGE_ROWS + 1));
    *more = rows->count > PAGE_ROWS;
    return rows_json(call, rows, *more ? PAGE_ROWS : rows->count, last);
}

void personal_data_reply(call_t *call, const personal_section_t *sections, int count)
{
    const person_t *in = call->input;
    int section = 0;
    uuid_t after = {{0}}, last = {{0}};
    if (message_has(in, after) && !place_read(in->after, count, &section, &after))
        call_fail_field(call, ERROR_VALIDATION, "after", PROBLEM_FORMAT);
    bool more;
    text_t rows = page_json(call, &sections[section], in->user, after, &last, &more);
    personal_data_t page = {0};
    message_set(&page, section, text_of(sections[section].name));
    message_set(&page, opens, uuid_is_zero(after));
    message_set(&page, closes, !more);
    message_set(&page, rows, rows);
    if (more)
        message_set(&page, next, place_write(call, section, last));
    else if (section + 1 < count)
        message_set(&page, next, place_write(call, section + 1, (uuid_t){{0}}));
    reply_value(call, &page);
}
