/* feedback: the words that go with a result, by area, level and language (product.md, section 4). Pure tables. They are warm,
 * concrete and fit every age that is asked about; they tell what was seen and what one can do, and never name a condition. */
#pragma once
#include "scoring.h"
#include "../../shared/wire/errors.h"

typedef struct {
    const char *feedback;        /* two sentences: what was seen */
    const char *recommendations; /* what one can do at home, and whom to ask */
} feedback_t;

/* `critical`: the level comes from a critical item at 0, whatever the score (scoring_area_t). */
feedback_t feedback_of(enum development_area area, enum development_level level, bool critical, enum language language);
