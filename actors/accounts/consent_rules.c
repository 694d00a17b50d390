/* consent_rules: the table itself. */
#include "consent_rules.h"
#include "base/panic.h"
#include <inttypes.h>
#include <stdio.h>

const consent_rule_t consent_rules[] = {
    {.kind = "terms", .version = 1},
    {.kind = "privacy", .version = 1},
    {.kind = "child_health", .version = 1},
    {.kind = "child_guardian", .version = 1},
    {.kind = "marketing", .version = 1},
    {.kind = "sharing", .version = 1},
};
const int consent_rule_count = ARRAY_SIZE(consent_rules);

int64_t consent_version(int kind)
{
    insist(kind >= 0 && kind < consent_rule_count);
    return consent_rules[kind].version;
}

text_t consent_rules_json(arena_t *arena)
{
    char text[600];
    size_t length = 0;
    for (int i = 0; i < consent_rule_count; i++) {
        length += (size_t)snprintf(text + length, sizeof(text) - length,
            "%c{\"kind\":\"%s\",\"current_version\":%" PRId64 "}", i == 0 ? '[' : ',', consent_rules[i].kind,
            consent_rules[i].version);
        insist(length < sizeof(text) - 1);
    }
    text[length++] = ']';
    return arena_copy(arena, (text_t){.data = text, .length = length});
}
