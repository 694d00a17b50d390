/* consent_rules: which texts users are asked to agree to, and in which version (product.md, section 3). A new
 * version of a text is a new number here: what was agreed to before stays on record, and clients see that
 * they must ask again. */
#pragma once
#include "base/memory.h"

typedef struct {
    const char *kind;
    int64_t version; /* of the text in force */
} consent_rule_t;

extern const consent_rule_t consent_rules[]; /* in the order of consent_kinds[] */
extern const int consent_rule_count;

/* The version in force of consent_kinds[kind]. */
int64_t consent_version(int kind);
/* All rules as [{"kind": …, "current_version": …}], for a statement that joins them. */
text_t consent_rules_json(arena_t *);
