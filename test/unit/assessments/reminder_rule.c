/* When an assessment is due again, as a table: every border of the bands, both sides of the day on which the months are full. */
#include "../unit.h"
#include "../../../actors/assessments/reminder_rule.h"
#include "base/clock.h"
#include "base/text.h"

static int32_t day(const char *text)
{
    int32_t days;
    assert_int_equal(date_parse(text, strlen(text), &days), 0);
    return days;
}

static void due(void **state)
{
    (void)state;
    static const struct {
        const char *birth;
        int weeks;
        const char *completed, *today;
        bool due;
        int age, band;
    } cases[] = {
        /* too young, the first month, the last month, too old */
        {"2024-01-15", 0, "2024-02-01", "2024-05-14", false, 3, 0},
        {"2024-01-15", 0, "2024-02-01", "2024-05-15", true, 4, 4},
        {"2019-01-15", 0, "2024-02-01", "2025-01-14", true, 71, 66},
        {"2019-01-15", 0, "2024-02-01", "2025-01-15", false, 72, 0},
        /* bands of two months: two months after the last */
        {"2024-01-15", 0, "2024-06-10", "2024-08-09", false, 6, 6},
        {"2024-01-15", 0, "2024-06-10", "2024-08-10", true, 6, 6},
        {"2024-01-15", 0, "2024-06-10", "2024-09-14", true, 7, 6},
        {"2024-01-15", 0, "2024-06-10", "2024-09-15", true, 8, 8},
        {"2024-01-15", 0, "2025-10-15", "2025-12-15", true, 23, 22},
        /* of three: at 24 months what was enough is not */
        {"2024-01-15", 0, "2025-11-15", "2026-01-14", false, 23, 22},
        {"2024-01-15", 0, "2025-11-15", "2026-01-15", false, 24, 24},
        {"2024-01-15", 0, "2025-11-15", "2026-02-14", false, 24, 24},
        {"2024-01-15", 0, "2025-11-15", "2026-02-15", true, 25, 24},
        {"2024-01-15", 0, "2025-11-15", "2026-04-15", true, 27, 27},
        {"2024-01-15", 0, "2026-08-15", "2026-12-15", true, 35, 33},
        /* of six */
        {"2024-01-15", 0, "2026-08-15", "2027-01-15", false, 36, 36},
        {"2024-01-15", 0, "2026-08-15", "2027-02-14", false, 36, 36},
        {"2024-01-15", 0, "2026-08-15", "2027-02-15", true, 37, 36},
        {"2024-01-15", 0, "2026-08-15", "2027-07-14", true, 41, 36},
        {"2024-01-15", 0, "2026-08-15", "2027-07-15", true, 42, 42},
        /* months end differently */
        {"2024-01-15", 0, "2024-12-31", "2025-02-28", false, 13, 12},
        {"2024-01-15", 0, "2024-12-31", "2025-03-01", true, 13, 12},
        {"2024-01-15", 0, "2024-12-31", "2025-03-15", true, 14, 14},
        {"2024-02-29", 0, "2024-12-29", "2025-02-28", false, 11, 10},
        {"2024-02-29", 0, "2024-12-29", "2025-03-01", true, 12, 12},
        /* born eight weeks early: the band of the used age; from two years on that of the calendar */
        {"2024-01-15", 32, "2025-01-10", "2025-03-20", true, 12, 12},
        {"2024-01-15", 32, "2024-06-01", "2024-07-10", false, 3, 0},
        {"2024-01-15", 32, "2025-11-15", "2026-01-14", false, 22, 22},
        {"2024-01-15", 32, "2025-11-15", "2026-01-15", false, 24, 24},
        {"2024-01-15", 37, "2025-01-10", "2025-03-20", true, 14, 14},
        /* completed today, and by a clock that was ahead */
        {"2024-01-15", 0, "2025-03-20", "2025-03-20", false, 14, 14},
        {"2024-01-15", 0, "2025-04-20", "2025-03-20", false, 14, 14},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        reminder_t found = reminder_for(day(cases[i].birth), cases[i].weeks, day(cases[i].completed), day(cases[i].today));
        if (found.due != cases[i].due || found.age != cases[i].age || found.band_start != cases[i].band)
            fail_msg("case %zu (%s): due %d, age %d, band %d", i, cases[i].today, found.due, found.age, found.band_start);
    }
}

/* The months of 4 to 71 fall into the twenty bands of the questions. */
static void bands(void **state)
{
    (void)state;
    static const int starts[] = {
        4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 27, 30, 33, 36, 42, 48, 54, 60, 66, 72};
    int32_t today = day("2025-06-01");
    for (size_t i = 0; i + 1 < ARRAY_SIZE(starts); i++)
        for (int age = starts[i]; age < starts[i + 1]; age++) {
            int months = 2025 * 12 + 5 - age;
            reminder_t found = reminder_for(date_of(months / 12, months % 12 + 1, 1), 0, today, today);
            assert_int_equal(found.age, age);
            assert_int_equal(found.band_start, starts[i]);
            assert_false(found.due);
        }
}

static void hours(void **state)
{
    (void)state;
    assert_int_equal(reminder_waits(0, 10), 36000000);
    assert_int_equal(reminder_waits(35999, 10), 1000);
    assert_int_equal(reminder_waits(36000, 10), 0);
    assert_int_equal(reminder_waits(86399, 10), 0);
    assert_int_equal(reminder_waits(0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(due), cmocka_unit_test(bands), cmocka_unit_test(hours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
