/* age: completed months, the correction for children born early, the bounds of calendars (product.md, section 4). */
#include "../unit.h"
#include "base/age.h"
#include "base/clock.h"
#include "base/text.h"

static int32_t day(const char *text)
{
    int32_t days;
    if (date_parse(text, strlen(text), &days) != 0)
        fail_msg("%s is no date", text);
    return days;
}

static void months(void **state)
{
    static const struct {
        const char *birth, *day;
        int months;
    } cases[] = {
        {"2024-01-15", "2024-01-15", 0},
        {"2024-01-15", "2024-02-14", 0}, /* the day before */
        {"2024-01-15", "2024-02-15", 1},
        {"2024-01-15", "2024-02-16", 1},
        {"2024-01-15", "2025-01-14", 11},
        {"2024-01-15", "2025-01-15", 12},
        {"2024-01-15", "2025-03-20", 14},
        {"2023-12-31", "2024-01-01", 0},
        {"2023-12-31", "2024-01-31", 1},
        {"2024-01-31", "2024-02-29", 0}, /* no 31st: completed on the 1st of the next month */
        {"2024-01-31", "2024-03-01", 1},
        {"2024-01-31", "2024-04-30", 2},
        {"2024-01-31", "2024-05-01", 3},
        {"2024-02-29", "2024-03-28", 0},
        {"2024-02-29", "2024-03-29", 1},
        {"2024-02-29", "2025-02-28", 11}, /* a common year has no 29th of February */
        {"2024-02-29", "2025-03-01", 12},
        {"2024-02-29", "2028-02-28", 47},
        {"2024-02-29", "2028-02-29", 48},
        {"2000-02-29", "2019-02-28", 227},
        {"2019-06-01", "2025-05-31", 71},
        {"2019-06-01", "2025-06-01", 72},
        {"2024-01-15", "2024-01-14", -1}, /* not born yet */
        {"2024-01-15", "2023-12-15", -1},
        {"2024-01-15", "2023-12-14", -2},
        {"1999-12-31", "2000-01-31", 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int got = age_months(day(cases[i].birth), day(cases[i].day));
        if (got != cases[i].months)
            fail_msg("born %s, on %s: %d months, not %d", cases[i].birth, cases[i].day, got, cases[i].months);
    }
}

static void ages(void **state)
{
    static const struct {
        const char *birth;
        int weeks;
        const char *day;
        int chronological, corrected;
    } cases[] = {
        {"2024-01-15", 32, "2025-03-20", 14, 12}, /* the example of product.md: 56 days later */
        {"2024-01-15", 32, "2025-03-11", 13, 12}, /* the day on which the shifted birth completes 12 */
        {"2024-01-15", 32, "2025-03-10", 13, 11},
        {"2024-01-15", 36, "2025-03-20", 14, 13}, /* 28 days */
        {"2024-01-15", 37, "2025-03-20", 14, 14}, /* 37 weeks are in time */
        {"2024-01-15", 40, "2025-03-20", 14, 14},
        {"2024-01-15", 44, "2025-03-20", 14, 14},
        {"2024-01-15", 0, "2025-03-20", 14, 14},  /* not known */
        {"2024-01-15", 20, "2025-03-20", 14, 9},  /* 140 days: due on 2024-06-03 */
        {"2024-01-15", 32, "2026-01-14", 23, 22}, /* the day before the second birthday */
        {"2024-01-15", 32, "2026-01-15", 24, 24}, /* from 24 months on nothing is corrected */
        {"2024-01-15", 24, "2026-01-14", 23, 20},
        {"2024-01-15", 24, "2024-05-05", 3, 0},   /* the day before it was due */
        {"2024-01-15", 24, "2024-05-06", 3, 0},
        {"2024-01-15", 24, "2024-06-06", 4, 1},
        {"2024-01-15", 24, "2024-01-15", 0, 0},
        {"2024-02-29", 36, "2025-02-28", 11, 11}, /* 28 days: due on 2024-03-28 */
        {"2024-02-29", 36, "2025-03-01", 12, 11},
        {"2023-06-10", 30, "2025-06-09", 23, 21}, /* the 24-month border, day by day */
        {"2023-06-10", 30, "2025-06-10", 24, 24},
        {"2023-06-10", 30, "2025-06-11", 24, 24},
        {"2023-06-10", 36, "2025-06-09", 23, 23}, /* 28 days late, 23 months either way */
        {"2023-06-10", 36, "2025-06-10", 24, 24},
        {"2023-06-10", 20, "2025-06-09", 23, 19},
        {"2023-06-10", 20, "2025-06-10", 24, 24},
        {"2023-06-10", 37, "2025-06-09", 23, 23},
        {"2024-02-29", 30, "2026-02-28", 23, 21}, /* born on the 29th of February: 24 months on the 1st of March */
        {"2024-02-29", 30, "2026-03-01", 24, 24},
        {"2024-02-29", 40, "2026-02-28", 23, 23},
        {"2024-02-29", 40, "2026-03-01", 24, 24},
        {"2024-02-29", 32, "2025-04-24", 13, 11}, /* due on the 25th of April */
        {"2024-02-29", 32, "2025-04-25", 13, 12},
        {"2024-02-29", 32, "2025-04-26", 13, 12},
        {"2024-01-04", 32, "2024-02-28", 1, 0}, /* due on the 29th of February */
        {"2024-01-04", 32, "2024-02-29", 1, 0},
        {"2024-01-04", 32, "2025-02-28", 13, 11},
        {"2024-01-04", 32, "2025-03-01", 13, 12},
        {"2023-12-31", 36, "2024-01-27", 0, 0}, /* born on a 31st, due on the 28th of January */
        {"2023-12-31", 36, "2024-01-28", 0, 0},
        {"2023-12-31", 36, "2024-02-27", 1, 0},
        {"2023-12-31", 36, "2024-02-28", 1, 1},
        {"2025-01-15", 36, "2025-06-11", 4, 3}, /* the first questions: from 4 months on */
        {"2025-01-15", 36, "2025-06-12", 4, 4},
        {"2025-01-15", 0, "2025-05-14", 3, 3},
        {"2025-01-15", 0, "2025-05-15", 4, 4},
        {"2020-03-15", 28, "2026-02-14", 70, 70}, /* the last ones: to 71 months; the days around two birthdays */
        {"2020-03-15", 28, "2026-02-15", 71, 71},
        {"2020-03-15", 28, "2026-03-14", 71, 71},
        {"2020-03-15", 28, "2026-03-15", 72, 72},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        age_t age = age_on(day(cases[i].birth), cases[i].weeks, day(cases[i].day));
        if (age.chronological != cases[i].chronological || age.corrected != cases[i].corrected || age.used != age.corrected ||
            age.is_corrected != (cases[i].weeks > 0 && cases[i].weeks < 37 && cases[i].chronological < 24))
            fail_msg("born %s at %d weeks, on %s: %d, %d, %d", cases[i].birth, cases[i].weeks, cases[i].day, age.chronological,
                age.corrected, age.used);
    }
}

static void over(void **state)
{
    static const struct {
        const char *birth, *day;
        bool over;
    } cases[] = {
        {"2006-03-20", "2025-03-20", false}, /* 19 today */
        {"2006-03-19", "2025-03-20", true},
        {"2006-03-21", "2025-03-20", false},
        {"1990-01-01", "2025-03-20", true},
        {"2025-03-20", "2025-03-20", false},
        {"2005-02-28", "2024-02-29", true},
        {"2005-03-01", "2024-02-29", false},
        {"2004-02-29", "2023-02-28", false},
        {"2004-02-29", "2023-03-01", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (age_is_over(day(cases[i].birth), day(cases[i].day), 19) != cases[i].over)
            fail_msg("born %s, on %s", cases[i].birth, cases[i].day);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(months), cmocka_unit_test(ages), cmocka_unit_test(over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
