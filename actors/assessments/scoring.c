/* scoring: see the header. */
#include "scoring.h"
#include "../../shared/base/panic.h"
#include "../../shared/base/text.h"

/* Of one area: weights in thousandths; `earned` in thousandths of weight times SCORING_UNIT-ths. */
typedef struct {
    int64_t asked, answered, earned;
    bool critical;
} sum_t;

/* From this percentage on (product.md: excellent ≥ 80, good ≥ 60, caution ≥ 40). */
static const int level_from[LEVELS] = {
    [LEVEL_EXCELLENT] = 80, [LEVEL_GOOD] = 60, [LEVEL_CAUTION] = 40, [LEVEL_NEEDS_OBSERVATION] = 0};

enum {
    PRORATED_PART = 5,  /* a fifth of the weight, 20 %, may be unanswered */
    HUNDREDTHS = 10000  /* of 100 points */
};

/* The largest sum: all items of one area, each worth all of its weight. */
_Static_assert((__int128)SCORING_ITEMS_MOST * SCORING_WEIGHT_MOST * SCORING_UNIT <= INT64_MAX, "a sum fits");
_Static_assert(SCORING_UNIT % SCORING_CHOICE_WHOLE == 0 && SCORING_UNIT % 16 == 0 && SCORING_UNIT % 9 == 0 &&
                   SCORING_UNIT % 7 == 0 && SCORING_UNIT % 11 == 0 && SCORING_UNIT % 13 == 0 && SCORING_UNIT % 17 == 0 && SCORING_UNIT % 19 == 0,
    "every range up to 20 divides the unit");

bool scoring_answer_fits(const scoring_item_t *item)
{
    switch (item->type) {
    case ANSWER_YES_NO:
        return item->answer == 0 || item->answer == 1;
    case ANSWER_SCALE:
        return item->answer >= item->scale_min && item->answer <= item->scale_max;
    case ANSWER_MULTIPLE_CHOICE:
        return item->answer >= 0 && item->answer <= SCORING_CHOICE_WHOLE;
    case ANSWER_TYPES:
        break;
    }
    panic("an answer of type %d", (int)item->type);
}

/* What a value of 1 is in steps of the answer, and how many of them were given. */
static int64_t value_of(const scoring_item_t *item)
{
    int whole = item->type == ANSWER_SCALE             ? item->scale_max - item->scale_min
                : item->type == ANSWER_MULTIPLE_CHOICE ? SCORING_CHOICE_WHOLE
                                                       : 1;
    insist(whole >= 1 && (whole <= SCORING_RANGE_MOST || item->type == ANSWER_MULTIPLE_CHOICE) && scoring_answer_fits(item));
    int steps = item->type == ANSWER_SCALE ? item->answer - item->scale_min : item->answer;
    int64_t value = steps * (SCORING_UNIT / whole);
    return item->reverse ? SCORING_UNIT - value : value;
}

static void item_add(const scoring_item_t *item, sum_t *sum, scoring_area_t *area)
{
    insist(item->weight >= 1 && item->weight <= SCORING_WEIGHT_MOST);
    sum->asked += item->weight;
    area->asked++;
    if (!item->answered)
        return;
    int64_t value = value_of(item);
    sum->answered += item->weight;
    sum->earned += item->weight * value;
    sum->critical |= item->critical && value == 0;
    area->answered++;
}

static bool too_little(const sum_t *sum)
{
    return (sum->asked - sum->answered) * PRORATED_PART > sum->asked;
}

/* The fraction is earned / (answered · SCORING_UNIT), of 1. */
static void area_judge(const sum_t *sum, scoring_area_t *area)
{
    __int128 earned = sum->earned, whole = (__int128)sum->answered * SCORING_UNIT;
    area->score = (int)((2 * HUNDREDTHS * earned + whole) / (2 * whole));
    area->level = LEVEL_EXCELLENT;
    while (100 * earned < level_from[area->level] * whole)
        area->level++;
    area->critical = sum->critical;
    if (sum->critical)
        area->level = LEVEL_NEEDS_OBSERVATION;
}

bool scoring_run(scoring_item_t *items, int count, scoring_area_t areas[static AREAS])
{
    sum_t sums[AREAS] = {0};
    bool enough = true;
    insist(count >= 0 && count <= SCORING_ITEMS_MOST);
    memset(areas, 0, AREAS * sizeof *areas);
    for (int i = 0; i < count; i++) {
        insist((unsigned)items[i].area < AREAS);
        item_add(&items[i], &sums[items[i].area], &areas[items[i].area]);
    }
    for (int i = 0; i < count; i++) {
        items[i].missing = !items[i].answered && too_little(&sums[items[i].area]);
        enough &= !items[i].missing;
    }
    for (int i = 0; enough && i < AREAS; i++)
        if (areas[i].asked > 0)
            area_judge(&sums[i], &areas[i]);
    return enough;
}
