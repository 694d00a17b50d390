/* catalogue: see the header. Between the answer that brought it and its being copied for a caller nothing suspends, so nobody's
 * catalogue is exchanged under it. */
#include "catalogue.h"
#include "../../shared/base/config.h"
#include <stdlib.h>

_Static_assert(RANK_DIFFICULTIES == ARRAY_SIZE(video_difficulties) - 1, "both name the same");

/* In the order of ids. */
typedef struct {
    uuid_t version;
    rank_video_t *videos;
    int count;
} catalogue_t;

static catalogue_t remembered; /* videos NULL: nothing yet */

/* --- reading it --------------------------------------------------------------------------------------------------- */

static rank_video_t video_of(const catalogue_row_t *row)
{
    return (rank_video_t){.id = row->id,
        .areas = (unsigned)row->areas,
        .age_min = (int)row->target_age_min,
        .age_max = (int)row->target_age_max,
        .priority = (int)row->priority,
        .difficulty = (enum rank_difficulty)row->difficulty,
        .views = row->view_count,
        .completions = row->completion_count,
        .published_at = row->published_at};
}

static int by_id(const void *a, const void *b)
{
    const rank_video_t *left = a, *right = b;
    return memcmp(left->id.bytes, right->id.bytes, sizeof left->id.bytes);
}

static void remember(const catalogue_t *catalogue)
{
    size_t size = (size_t)(catalogue->count + 1) * sizeof *catalogue->videos;
    free(remembered.videos);
    remembered = *catalogue;
    remembered.videos = memcpy(memory_allocate(size), catalogue->videos, size);
}

static catalogue_t catalogue_read(call_t *call)
{
    const rows_t *rows = db_query(call, &SQL_catalogue_read, bind_integer(call_config(call)->videos.candidates));
    catalogue_t catalogue = {.videos = arena_allocate(call->arena, ((size_t)rows->count + 1) * sizeof *catalogue.videos)};
    catalogue_row_t row = {0};
    for (int i = 0; i < rows->count; i++) {
        if (!rows_read(rows, i, &row))
            call_fail(call, ERROR_INTERNAL);
        if (message_has(&row, id)) /* else there is no video at all */
            catalogue.videos[catalogue.count++] = video_of(&row);
    }
    catalogue.version = row.version;
    qsort(catalogue.videos, (size_t)catalogue.count, sizeof *catalogue.videos, by_id);
    if (!row.uncommitted)
        remember(&catalogue);
    return catalogue;
}

/* --- for a child -------------------------------------------------------------------------------------------------- */

static bool fits(const rank_video_t *video, int age, unsigned areas)
{
    return (video->areas & areas) != 0 && video->age_min <= age + RANK_WIDENED_MONTHS &&
           video->age_max >= age - RANK_WIDENED_MONTHS;
}

rank_video_t *catalogue_fitting(call_t *call, uuid_t version, const rank_child_t *child, int *count)
{
    catalogue_t all = remembered;
    if (!all.videos || !uuid_equal(all.version, version))
        all = catalogue_read(call);
    unsigned areas = 0;
    for (int area = 0; area < AREAS; area++)
        areas |= (unsigned)child->areas[area].assessed << area;
    int fitting_count = 0;
    for (int i = 0; i < all.count; i++)
        fitting_count += fits(&all.videos[i], child->age, areas);
    rank_video_t *fitting = arena_allocate(call->arena, ((size_t)fitting_count + 1) * sizeof *fitting);
    *count = 0;
    for (int i = 0; i < all.count; i++)
        if (fits(&all.videos[i], child->age, areas))
            fitting[(*count)++] = all.videos[i];
    return fitting;
}

rank_video_t *catalogue_find(rank_video_t *fitting, int count, uuid_t id)
{
    return bsearch(&(rank_video_t){.id = id}, fitting, (size_t)count, sizeof *fitting, by_id);
}
