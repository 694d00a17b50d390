/* question_rules: see the header. All rules of an attempt are read when one of them is not known; from there on nothing suspends until
 * they are copied, so nobody forgets one in between. */
#include "question_rules.h"
#include "../../shared/base/panic.h"
#include <stdlib.h>

enum { KNOWN_MOST = 4096 }; /* then all are forgotten: a bank of questions has a thousand or two */

_Static_assert((int)SCORING_ITEMS_MOST <= (int)KNOWN_MOST, "those of an attempt are known together");

typedef struct {
    uuid_t id;
    scoring_item_t item; /* without an answer */
    buffer_t options;    /* "a 0 b 500 c 1000" */
} rule_t;

/* In the order of ids. */
static rule_t known[KNOWN_MOST];
static int known_count;

static int rule_by_id(const void *one, const void *other)
{
    return memcmp(&((const rule_t *)one)->id, &((const rule_t *)other)->id, sizeof(uuid_t));
}

static const rule_t *rule_find(uuid_t id)
{
    return bsearch(&(rule_t){.id = id}, known, (size_t)known_count, sizeof *known, rule_by_id);
}

/* --- remembering -------------------------------------------------------------------------------------------------- */

static void forget_all(void)
{
    for (int i = 0; i < known_count; i++)
        buffer_free(&known[i].options);
    known_count = 0;
}

static rule_t rule_of(const question_rule_row_t *row)
{
    rule_t rule = {.id = row->id};
    rule.item = (scoring_item_t){.area = (enum development_area)row->category,
        .type = (enum answer_type)row->answer_type,
        .weight = (int)row->weight,
        .reverse = row->reverse,
        .critical = row->is_critical,
        .scale_min = (int)row->scale_min,
        .scale_max = (int)row->scale_max};
    if (message_has(row, option_scores))
        buffer_add_text(&rule.options, row->option_scores);
    return rule;
}

static void remember(call_t *call, const rows_t *rows)
{
    insist(rows->count <= KNOWN_MOST);
    if (known_count + rows->count > KNOWN_MOST)
        forget_all();
    int before = known_count;
    for (int i = 0; i < rows->count; i++) {
        const question_rule_row_t *row = row_at(call, rows, i);
        if (!bsearch(&(rule_t){.id = row->id}, known, (size_t)before, sizeof *known, rule_by_id))
            known[known_count++] = rule_of(row);
    }
    qsort(known, (size_t)known_count, sizeof *known, rule_by_id);
}

static bool all_known(const asked_t *asked)
{
    for (int i = 0; i < asked->count; i++)
        if (rule_find(asked->ids[i]) == NULL)
            return false;
    return true;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* "a 0 b 500", "b": 500. */
static bool option_score(text_t options, text_t key, int64_t *out)
{
    text_t each, score;
    while (text_split(&options, ' ', &each) && text_split(&options, ' ', &score))
        if (text_equal(each, key))
            return text_to_int(score, out);
    return false;
}

/* As responses.c let it in: JSON. */
static bool answer_read(const rule_t *rule, text_t response, int64_t *out)
{
    switch (rule->item.type) {
    case ANSWER_YES_NO:
        *out = text_equal(response, TEXT("true"));
        return true;
    case ANSWER_SCALE:
        return text_to_int(response, out);
    default:
        return response.length >= 2 &&
               option_score(buffer_text(&rule->options), (text_t){response.data + 1, response.length - 2}, out);
    }
}

static int answer_by_question(const void *id, const void *answer)
{
    return memcmp(id, &((const answer_row_t *)answer)->question_id, sizeof(uuid_t));
}

static const answer_row_t *answers_copy(call_t *call, const rows_t *rows)
{
    answer_row_t *answers = arena_allocate(call->arena, ((size_t)rows->count + 1) * sizeof *answers);
    for (int i = 0; i < rows->count; i++)
        answers[i] = *(const answer_row_t *)row_at(call, rows, i);
    return answers;
}

/* --- an attempt --------------------------------------------------------------------------------------------------- */

static asked_t ids_read(call_t *call, text_t ids)
{
    size_t most = ids.length / (UUID_TEXT_SIZE - 1) + 1;
    asked_t asked = {.ids = arena_allocate(call->arena, most * sizeof *asked.ids)};
    text_t id;
    while (text_split(&ids, ' ', &id))
        if (uuid_parse(id, &asked.ids[asked.count]) == 0)
            asked.count++;
    return asked;
}

asked_t asked_of(call_t *call, text_t ids, const rows_t *answers)
{
    asked_t asked = ids_read(call, ids);
    if (!all_known(&asked))
        remember(call, db_query(call, &SQL_question_rules, bind_text(ids)));
    const answer_row_t *given = answers_copy(call, answers);
    asked.items = arena_allocate(call->arena, ((size_t)asked.count + 1) * sizeof *asked.items);
    int count = 0;
    for (int i = 0; i < asked.count; i++) {
        const rule_t *rule = rule_find(asked.ids[i]);
        if (rule == NULL)
            continue; /* deleted by hand: nobody is asked it any more */
        const answer_row_t *answer = bsearch(&rule->id, given, (size_t)answers->count, sizeof *given, answer_by_question);
        int64_t value = 0;
        asked.ids[count] = rule->id;
        asked.items[count] = rule->item;
        asked.items[count].answered = answer != NULL && answer_read(rule, answer->response, &value);
        asked.items[count++].answer = (int)value;
    }
    asked.count = count;
    return asked;
}
