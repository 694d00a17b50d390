/* Random attempts and what scoring.c makes of them, as lines for COPY: `scoring_random SEED FIRST COUNT ITEMS RESULTS` writes the
 * attempts FIRST … FIRST + COUNT − 1 into two files. An attempt depends on the seed and its number alone.
 * test/scenario/36-scoring_test.py lets PostgreSQL reckon the same. */
#include "../../../actors/assessments/scoring.h"
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS_MOST = 48 };

static const char *const type_names[ANSWER_TYPES] = {"yes_no", "scale", "multiple_choice"};
static uint64_t state;

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do. */
static uint64_t next(void)
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int between(int least, int most)
{
    return least + (int)(next() % (uint64_t)(most - least + 1));
}

static bool one_in(int n)
{
    return between(1, n) == 1;
}

/* Small weights meet the borders often, large ones come close to them; the bank's lie between. */
static int weight(int manner)
{
    static const int bank[] = {500, 1000, 1500, 2000};
    switch (manner) {
    case 0:
        return between(1, 6);
    case 1:
        return bank[between(0, 3)];
    case 2:
        return between(1, 2000);
    default:
        return between(1, SCORING_WEIGHT_MOST);
    }
}

static int choice(void)
{
    return one_in(2) ? 50 * between(0, SCORING_CHOICE_WHOLE / 50) : between(0, SCORING_CHOICE_WHOLE);
}

static scoring_item_t item(int area, int manner, int types, int unanswered)
{
    scoring_item_t made = {.area = (enum development_area)area, .weight = weight(manner), .reverse = one_in(4), .critical = one_in(8),
        .type = types < ANSWER_TYPES ? (enum answer_type)types : (enum answer_type)between(0, ANSWER_TYPES - 1)};
    if (made.type == ANSWER_SCALE) {
        made.scale_min = one_in(2) ? 0 : between(-5, 5);
        made.scale_max = made.scale_min + (one_in(2) ? 3 : between(1, SCORING_RANGE_MOST));
        made.answer = between(made.scale_min, made.scale_max);
    } else {
        made.answer = made.type == ANSWER_YES_NO ? between(0, 1) : choice();
    }
    made.answered = between(1, 100) > unanswered;
    return made;
}

static int attempt(scoring_item_t *items)
{
    static const int parts[] = {0, 0, 5, 15, 50}; /* of 100 unanswered */
    int count = 0, manner = between(0, 3), types = between(0, 2 * ANSWER_TYPES - 1), unanswered = parts[between(0, 4)];
    for (int area = 0; area < AREAS; area++)
        for (int left = one_in(8) ? 0 : between(1, ITEMS_MOST / AREAS); left > 0; left--)
            items[count++] = item(area, manner, types, unanswered);
    return count;
}

static void items_write(FILE *out, long number, const scoring_item_t *items, int count)
{
    for (int i = 0; i < count; i++) {
        const scoring_item_t *item = &items[i];
        fprintf(out, "%ld\t%d\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t", number, i, (int)item->area, type_names[item->type], item->weight,
            item->reverse, item->critical, item->scale_min, item->scale_max);
        if (item->answered)
            fprintf(out, "%d\t%d\n", item->answer, item->missing);
        else
            fprintf(out, "\\N\t%d\n", item->missing);
    }
}

static void results_write(FILE *out, long number, const scoring_area_t *areas)
{
    for (int i = 0; i < AREAS; i++)
        if (areas[i].asked > 0)
            fprintf(out, "%ld\t%d\t%d.%02d\t%d\t%d\t%d\t%d\n", number, i, areas[i].score / 100, areas[i].score % 100,
                (int)areas[i].level, areas[i].critical, areas[i].answered, areas[i].asked);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    uint64_t seed = strtoull(argv[1], NULL, 10);
    long first = strtol(argv[2], NULL, 10), end = first + strtol(argv[3], NULL, 10);
    FILE *all = fopen(argv[4], "w"), *results = fopen(argv[5], "w");
    if (all == NULL || results == NULL)
        return 1;
    for (long number = first; number < end; number++) {
        scoring_item_t items[ITEMS_MOST];
        scoring_area_t areas[AREAS];
        state = seed * UINT64_C(1000003) + (uint64_t)number;
        int count = attempt(items);
        if (scoring_run(items, count, areas))
            results_write(results, number, areas);
        items_write(all, number, items, count);
    }
    return fclose(all) == 0 && fclose(results) == 0 ? 0 : 1;
}
