/* demo_growth: medians near those of the WHO's growth standards (0–5 years) and reference (5–7), with
 * straight lines between. */
#include "demo_growth.h"

typedef struct {
    int month;
    int height[SEXES]; /* mm */
    int weight[SEXES]; /* 10 g */
    int head[SEXES];   /* mm */
} growth_row_t;

static const growth_row_t growth[] = {
    {0, {491, 499}, {320, 330}, {339, 345}},
    {1, {537, 547}, {420, 450}, {365, 373}},
    {3, {598, 614}, {580, 640}, {395, 405}},
    {6, {657, 676}, {730, 790}, {422, 433}},
    {9, {701, 720}, {820, 890}, {438, 450}},
    {12, {740, 757}, {895, 965}, {449, 461}},
    {18, {807, 823}, {1020, 1090}, {462, 474}},
    {24, {860, 873}, {1150, 1220}, {472, 483}},
    {36, {951, 961}, {1390, 1430}, {485, 495}},
    {48, {1027, 1033}, {1610, 1630}, {493, 502}},
    {60, {1094, 1100}, {1820, 1830}, {499, 507}},
    {72, {1151, 1160}, {2020, 2050}, {503, 512}},
    {84, {1208, 1217}, {2240, 2290}, {507, 516}},
};

/* Thousandths of the median that one deviation is worth. */
enum { HEIGHT_DEVIATION = 38, WEIGHT_DEVIATION = 105, HEAD_DEVIATION = 26 };
/* Of the scales and tapes. */
enum { HEIGHT_ERROR = 2, WEIGHT_ERROR = 6, HEAD_ERROR = 2 };
enum { DAYS_PER_100_MONTHS = 3044, TERM_WEEKS = 40 };

/* Median weight at birth in 10 g, from 28 weeks on. */
static const int birth_weights[] = {
    110, 127, 145, 163, 181, 203, 226, 250, 275, 296, 316, 330, 344, 354, 360};
enum { BIRTH_WEEKS_FIRST = 28 };

demo_build_t demo_build(dice_t *dice)
{
    demo_build_t build = {.height = dice_normal(dice)};
    /* Tall children are heavier: half of the deviation is shared. */
    build.weight = (build.height + dice_normal(dice)) / 2;
    build.head = (build.height + 2 * dice_normal(dice)) / 3;
    return build;
}

static int between(int from, int to, int part, int whole)
{
    return from + (int)((int64_t)(to - from) * part / whole);
}

static int deviate(int median, int deviation, int own, int error, dice_t *dice)
{
    int64_t thousandths = (int64_t)deviation * own / 1000 + (int64_t)error * dice_normal(dice) / 1000;
    return (int)(median + median * thousandths / 1000);
}

demo_size_t demo_growth_at(
    enum demo_sex sex, demo_build_t build, int gestational_weeks, int days, dice_t *dice)
{
    if (gestational_weeks < TERM_WEEKS - 3)
        days -= (TERM_WEEKS - gestational_weeks) * 7;
    int hundredths = days <= 0 ? 0 : (int)((int64_t)days * 10000 / DAYS_PER_100_MONTHS);
    size_t next = 1;
    while (next < ARRAY_SIZE(growth) - 1 && growth[next].month * 100 <= hundredths)
        next++;
    const growth_row_t *from = &growth[next - 1], *to = &growth[next];
    int part = hundredths - from->month * 100, whole = (to->month - from->month) * 100;
    if (part > whole)
        part = whole;
    return (demo_size_t){
        .height = deviate(between(from->height[sex], to->height[sex], part, whole), HEIGHT_DEVIATION,
            build.height, HEIGHT_ERROR, dice),
        .weight = deviate(between(from->weight[sex], to->weight[sex], part, whole), WEIGHT_DEVIATION,
            build.weight, WEIGHT_ERROR, dice),
        .head = deviate(between(from->head[sex], to->head[sex], part, whole), HEAD_DEVIATION, build.head,
            HEAD_ERROR, dice),
    };
}

int demo_birth_weight(enum demo_sex sex, demo_build_t build, int gestational_weeks)
{
    int row = gestational_weeks - BIRTH_WEEKS_FIRST, last = (int)ARRAY_SIZE(birth_weights) - 1;
    int median = birth_weights[row < 0 ? 0 : row > last ? last : row];
    if (sex == SEX_MALE)
        median += median * 3 / 100;
    return median + median * (WEIGHT_DEVIATION * build.weight / 1000) / 1000;
}
