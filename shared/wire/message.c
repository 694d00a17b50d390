/* message: what both directions share: finding fields, merging a patch, collecting problems. */
#include "message.h"
#include "../base/panic.h"

int message_find(const message_t *message, text_t name)
{
    for (int i = 0; i < message->count; i++) {
        const field_t *field = &message->fields[i];
        if (field->name_length == name.length && memcmp(field->name, name.data, name.length) == 0)
            return i;
    }
    return -1;
}

void message_merge(const message_t *patch_message, const void *patch, const message_t *target_message, void *target)
{
    const message_head_t *from = patch;
    message_head_t *to = target;
    for (int i = 0; i < patch_message->count; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (!((from->given | from->null) & bit))
            continue;
        const field_t *field = &patch_message->fields[i];
        int j = message_find(target_message, text_of(field->name));
        if (j < 0 || target_message->fields[j].type != field->type || target_message->fields[j].scale != field->scale)
            panic("%s.%s does not fit %s", patch_message->name, field->name, target_message->name);
        uint64_t target_bit = UINT64_C(1) << j;
        memcpy(message_member(target, j), message_member(patch, i), MESSAGE_SLOT);
        to->given = (to->given & ~target_bit) | (from->given & bit ? target_bit : 0);
        to->null = (to->null & ~target_bit) | (from->null & bit ? target_bit : 0);
    }
}

void problem_add(problems_t *problems, text_t field, enum problem_kind kind, const field_t *of, int64_t bound)
{
    if (problems->count == PROBLEMS_MAX)
        return;
    problems->items[problems->count++] =
        (problem_t){.field = arena_copy(problems->arena, field), .kind = kind, .of = of, .bound = bound};
}
