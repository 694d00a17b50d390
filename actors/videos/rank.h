/* rank: which videos are recommended after an assessment, in which order and why (product.md, section 5). Pure: no clock, no I/O,
 * integers only, so that the same facts always give the same list.
 *
 * A video belongs to the weakest of the child's areas that it trains, and to no other: it is compared with that area's videos and
 * stands once at most. Each area has as many places as its level gives. Videos that are made for the child's age come first to them;
 * only when they are too few, those whose ages miss it by three months at most, without points for their age. What has got a place
 * stands in the order of points, whichever way it came. */
#pragma once
#include "../../shared/base/development.h"
#include "../../shared/base/uuid.h"

enum rank_difficulty { RANK_EASY, RANK_MEDIUM, RANK_HARD, RANK_DIFFICULTIES };

enum {
    RANK_PLACES_OF_AREA = 4,                              /* at most */
    RANK_PLACES_MOST = AREAS * RANK_PLACES_OF_AREA,
    RANK_WIDENED_MONTHS = 3,                              /* by which the ages of a video may miss the child's */
    RANK_REST_DAYS = 30,                                  /* a video that was completed is not recommended so long */
};

/* What an assessment found. The level is told, not derived: a critical item can lower it whatever the score. */
typedef struct {
    int age; /* months: the used one */
    struct {
        bool assessed;
        int score; /* hundredths: 0 to 10000 */
        enum development_level level;
    } areas[AREAS];
} rank_child_t;

typedef struct {
    uuid_t id;
    unsigned areas; /* bit a: trains the area a */
    int age_min, age_max, priority; /* months, months, 1 to 10 */
    enum rank_difficulty difficulty;
    int64_t views, completions;
    int64_t published_at;
    int64_t completed_at; /* with this child, the last time; 0: never */
    bool viewed, prescribed; /* with this child, to this child */
} rank_video_t;

/* What a place's reason tells beyond area and level (reasons.h). Their names: reason_codes. */
enum rank_reason {
    RANK_FITS,       /* made for the child's age */
    RANK_OLDER,      /* made for children a little older */
    RANK_YOUNGER,    /* made for children a little younger */
    RANK_AGAIN,      /* completed some time ago */
    RANK_PRESCRIBED, /* by a therapist */
    RANK_REASONS
};

typedef struct {
    const rank_video_t *video; /* one of those given */
    enum development_area area;
    enum rank_reason reason;
    int points; /* 0 to 100 */
} rank_place_t;

/* P of a video as one of this area, which must be an assessed one. */
int rank_points(const rank_child_t *, enum development_area, const rank_video_t *);
/* Places of a level, 4 to 1. */
int rank_places(enum development_level);
/* Fills the places in their order, the first recommendation first; how many there are. Times (`now`, those of the videos) are
 * microseconds. Videos that are not to be recommended at all (withdrawn, dead) are not to be given. */
int rank_videos(const rank_child_t *, const rank_video_t *videos, int count, int64_t now, rank_place_t out[RANK_PLACES_MOST]);
