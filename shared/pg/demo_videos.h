/* demo_videos: the play videos of the demo data, put together from the texts of schema/demo/videos.txt: a play, one of the things it
 * is played with, and what stands before the title. Pure: a video follows from its number alone. As many as there are such
 * combinations differ in their titles; those after them are further parts ("2편"). */
#pragma once
#include "../base/memory.h"
#include "../base/uuid.h"
#include <stdio.h>

enum { DEMO_THINGS_MAX = 12, DEMO_AREAS_MAX = 6, DEMO_TAGS_MAX = 4 };

typedef struct {
    const char *slug, *name;
    uuid_t id;
    int64_t created_at;
} demo_category_t;

typedef struct {
    const char *words;    /* before a title; "": nothing */
    const char *not_with; /* slugs of categories, separated by commas */
} demo_setting_t;

typedef struct {
    int from_month;
    const char *words;
} demo_caution_t;

typedef struct {
    int category; /* index */
    const char *areas[DEMO_AREAS_MAX], *things[DEMO_THINGS_MAX];
    int area_count, thing_count, first_month, last_month;
    const char *title, *description, *how, *effect, *beside;
    int combinations, before; /* of this play, and of all plays before it */
} demo_play_t;

typedef struct {
    buffer_t file; /* the words point into it */
    demo_category_t *categories;
    demo_setting_t *settings;
    const char **tags;
    demo_caution_t *cautions;
    demo_play_t *plays;
    int category_count, setting_count, tag_count, caution_count, play_count;
    int combinations;
} demo_video_lists_t;

typedef struct {
    int index;
    uuid_t id;
    const demo_play_t *play;
    const char *tags[DEMO_TAGS_MAX], *platform, *difficulty;
    const char *caution; /* NULL: none */
    int tag_count, duration, age_min, age_max, priority, view_count, bookmark_count, completion_count;
    bool is_published;
    int64_t created_at, published_at, checked_at;
    char code[12]; /* of its address at the platform */
    buffer_t title, description, how, beside; /* NUL-terminated */
} demo_video_t;

/* Reads SCHEMA/demo/videos.txt. false with file, line and reason in `out`; demo_video_lists_free in both cases. */
bool demo_video_lists_read(const char *schema_directory, demo_video_lists_t *, FILE *out);
void demo_video_lists_free(demo_video_lists_t *);
/* Fills a zeroed or already used *video; each tenth is not published. demo_video_free after the last. */
void demo_video_make(const demo_video_lists_t *, int index, int count, demo_video_t *video);
void demo_video_free(demo_video_t *);
/* Appends `pattern` with the thing in place of {}, and with its particle in place of {을}, {은}, {이}, {과}, {으로}. */
void demo_thing_write(buffer_t *out, const char *pattern, const char *thing);
