/* demo_growth: plausible heights, weights and head circumferences of children from birth to seven years. Demo data only: it
 * judges nobody's growth. */
#pragma once
#include "demo_lists.h"

/* A child's own build, kept through the years: deviations from the middle in thousandths. */
typedef struct {
    int height, weight, head;
} demo_build_t;

typedef struct {
    int height; /* mm */
    int weight; /* 10 g */
    int head;   /* mm */
} demo_size_t;

demo_build_t demo_build(dice_t *);
/* At `days` since birth, corrected by weeks of pregnancy; the dice make a little error of measurement. */
demo_size_t demo_growth_at(enum demo_sex, demo_build_t, int gestational_weeks, int days, dice_t *);
/* In 10 g. */
int demo_birth_weight(enum demo_sex, demo_build_t, int gestational_weeks);
