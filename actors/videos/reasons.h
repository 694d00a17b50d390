/* reasons: why a video is recommended, as parents are told it: a sentence about the area by its level, and one about the video by the
 * reason that rank.h gave. Pure. It never judges the child and is no diagnosis (product.md, section 4). */
#pragma once
#include "rank.h"
#include "../../shared/base/memory.h"
#include "../../shared/wire/errors.h"

typedef struct {
    enum rank_reason reason;
    enum development_area area;
    enum development_level level;
    enum rank_difficulty difficulty;
    int age, age_min, age_max; /* months: the child's, the video's */
} reason_t;

/* What stands in the database: order of enum rank_reason. */
extern const char *const reason_codes[RANK_REASONS + 1];
text_t reason_text(arena_t *, const reason_t *, enum language);
