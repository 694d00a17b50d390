/* scoring: what the answers of an attempt amount to, area by area (product.md, section 4). Pure: no clock, no I/O, no allocation.
 *
 * Everything is exact: the value of an answer is a whole number of SCORING_UNIT-ths, a weight a whole number of thousandths, so that
 * a score is a fraction of two integers. Only the hundredths that are printed are rounded, half up; the level is decided on the
 * fraction itself. */
#pragma once
#include "../../shared/base/development.h"
#include <stdbool.h>
#include <stdint.h>

enum answer_type { ANSWER_YES_NO, ANSWER_SCALE, ANSWER_MULTIPLE_CHOICE, ANSWER_TYPES };

enum {
    SCORING_RANGE_MOST = 20,       /* scale_max − scale_min */
    SCORING_CHOICE_WHOLE = 1000,   /* an option's score is in thousandths */
    SCORING_WEIGHT_MOST = 1000000, /* thousandths */
    SCORING_ITEMS_MOST = 1000      /* of an attempt */
};
/* Divisible by each range up to SCORING_RANGE_MOST and by SCORING_CHOICE_WHOLE: lcm(1 … 20, 1000). */
#define SCORING_UNIT INT64_C(5819814000)

/* A question of the attempt's set, and its answer. */
typedef struct {
    enum development_area area;
    enum answer_type type;
    int weight; /* thousandths, 1 to SCORING_WEIGHT_MOST */
    bool reverse, critical;
    int scale_min, scale_max; /* of ANSWER_SCALE */
    bool answered;
    int answer; /* yes_no: 1 or 0; scale: scale_min to scale_max; multiple_choice: the option's score, 0 to SCORING_CHOICE_WHOLE */
    bool missing; /* out: unanswered, and its area needs it */
} scoring_item_t;

typedef struct {
    int asked, answered; /* items; asked 0: the area has no result */
    int score;           /* hundredths, 0 to 10000 */
    enum development_level level;
    bool critical;       /* the level is what it is because of a critical item at 0 */
} scoring_area_t;

/* Fills all of `areas` and gives true; or marks the items that are missing and gives false: of some area more than a fifth of the
 * weight is unanswered. A smaller part is prorated: the score is that of the answered items. */
bool scoring_run(scoring_item_t *items, int count, scoring_area_t areas[static AREAS]);
/* May this answer be given? The same bounds as above. */
bool scoring_answer_fits(const scoring_item_t *);
