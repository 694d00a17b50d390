/* demo_lists: the words of schema/demo/: surnames, given names by decade and sex, what parents write about their children. */
#pragma once
#include "../base/memory.h"
#include "demo_random.h"
#include <stdio.h>

enum demo_era { ERA_1970, ERA_1980, ERA_1990, ERA_2020, ERAS };
enum demo_sex { SEX_FEMALE, SEX_MALE, SEXES };
enum demo_history { HISTORY_MEDICAL, HISTORY_PRETERM, HISTORY_FAMILY, HISTORY_TREATMENT, HISTORY_NOTES, HISTORIES };

typedef struct {
    const char *text, *roman; /* roman is NULL in histories */
    int weight;
} demo_word_t;

typedef struct {
    demo_word_t *items;
    int count, weight; /* of all together */
} demo_list_t;

typedef struct {
    buffer_t files[3]; /* the words point into these */
    demo_list_t surnames, given[ERAS][SEXES], histories[HISTORIES];
} demo_lists_t;

/* Reads the texts of SCHEMA/demo. false with file, line and reason in `out`; demo_lists_free in both cases. */
bool demo_lists_read(const char *schema_directory, demo_lists_t *, FILE *out);
void demo_lists_free(demo_lists_t *);
/* One word, as often as its weight says. */
const demo_word_t *demo_list_pick(const demo_list_t *, dice_t *);
