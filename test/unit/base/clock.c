#include "../unit.h"
#include "base/clock.h"
#include "base/text.h"
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Every day from 1600 to 2400, against a calendar counted day by day. */
static void every_day(void **state)
{
    int year = 1600, month = 1, day = 1;
    (void)state;
    for (int32_t days = date_of(1600, 1, 1); year < 2400; days++) {
        int y, m, d;
        date_split(days, &y, &m, &d);
        if (y != year || m != month || d != day || date_of(year, month, day) != days)
            fail_msg("%04d-%02d-%02d is day %d, or %04d-%02d-%02d", year, month, day, days, y, m, d);
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        int last = month == 2                                              ? (leap ? 29 : 28)
                   : month == 4 || month == 6 || month == 9 || month == 11 ? 30
                                                                           : 31;
        if (++day > last) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
    assert_int_equal(date_of(1970, 1, 1), 0);
    assert_int_equal(date_of(2000, 3, 1), 11017);
    assert_int_equal(date_of(1, 1, 1), -719162);
    assert_int_equal(date_of(-400, 2, 29), -865566);
}

static void dates(void **state)
{
    static const struct {
        const char *text;
        int year, month, day; /* year 0: refused */
    } cases[] = {
        {"2025-03-20", 2025, 3, 20},
        {"1900-01-01", 1900, 1, 1},
        {"2199-12-31", 2199, 12, 31},
        {"2000-02-29", 2000, 2, 29},
        {"2024-02-29", 2024, 2, 29},
        {"2023-02-29", 0, 0, 0},
        {"2100-02-29", 0, 0, 0},
        {"1900-02-29", 0, 0, 0},
        {"2024-02-30", 0, 0, 0},
        {"2024-04-31", 0, 0, 0},
        {"2024-00-10", 0, 0, 0},
        {"2024-13-10", 0, 0, 0},
        {"2024-01-00", 0, 0, 0},
        {"2024-01-32", 0, 0, 0},
        {"1899-12-31", 0, 0, 0},
        {"2200-01-01", 0, 0, 0},
        {"2024-1-10", 0, 0, 0},
        {"2024-01-1", 0, 0, 0},
        {"2024/01/10", 0, 0, 0},
        {"20240110", 0, 0, 0},
        {"2024-01-10 ", 0, 0, 0},
        {" 2024-01-10", 0, 0, 0},
        {"2024-01-10T", 0, 0, 0},
        {"-024-01-10", 0, 0, 0},
        {"+024-01-10", 0, 0, 0},
        {"2024-0a-10", 0, 0, 0},
        {"", 0, 0, 0},
        {"2024", 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int32_t days = 12345;
        char out[11];
        int result = date_parse(cases[i].text, strlen(cases[i].text), &days);
        if (result != (cases[i].year ? 0 : -1))
            fail_msg("date_parse(\"%s\")", cases[i].text);
        if (result != 0) {
            assert_int_equal(days, 12345);
            continue;
        }
        assert_int_equal(days, date_of(cases[i].year, cases[i].month, cases[i].day));
        date_format(days, out);
        assert_string_equal(out, cases[i].text);
    }
    char out[11];
    date_format(INT32_MAX, out); /* PostgreSQL's infinity */
    assert_string_equal(out, "9999-12-31");
    date_format(INT32_MIN, out);
    assert_string_equal(out, "0000-01-01");
}

static void times(void **state)
{
    static const struct {
        const char *text, *shown; /* shown NULL: refused */
    } cases[] = {
        {"2025-03-20T09:00:00Z", "2025-03-20T09:00:00Z"},
        {"2025-03-20t09:00:00z", "2025-03-20T09:00:00Z"},
        {"2025-03-20T09:00:00+09:00", "2025-03-20T00:00:00Z"},
        {"2025-03-20T08:59:59+09:00", "2025-03-19T23:59:59Z"},
        {"2024-02-29T23:30:00-01:00", "2024-03-01T00:30:00Z"},
        {"2025-03-20T09:00:00-00:00", "2025-03-20T09:00:00Z"},
        {"2025-03-20T09:00:00.5Z", "2025-03-20T09:00:00.500000Z"},
        {"2025-03-20T09:00:00.000001Z", "2025-03-20T09:00:00.000001Z"},
        {"2025-03-20T09:00:00.0000019Z", "2025-03-20T09:00:00.000001Z"},
        {"2025-03-20T09:00:00.000000Z", "2025-03-20T09:00:00Z"},
        {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
        {"1900-01-01T00:00:00Z", "1900-01-01T00:00:00Z"},
        {"2199-12-31T23:59:59.999999Z", "2199-12-31T23:59:59.999999Z"},
        {"2025-03-20T09:00:00", NULL},
        {"2025-03-20 09:00:00Z", NULL},
        {"2025-03-20T24:00:00Z", NULL},
        {"2025-03-20T09:60:00Z", NULL},
        {"2025-03-20T09:00:60Z", NULL},
        {"2025-03-20T09:00Z", NULL},
        {"2025-03-20T09:00:00.Z", NULL},
        {"2025-03-20T09:00:00,5Z", NULL},
        {"2025-03-20T09:00:00.1234567890Z", NULL},
        {"2025-03-20T09:00:00+9:00", NULL},
        {"2025-03-20T09:00:00+0900", NULL},
        {"2025-03-20T09:00:00+24:00", NULL},
        {"2025-03-20T09:00:00+09:60", NULL},
        {"2025-03-20T09:00:00+09", NULL},
        {"2025-03-20T09:00:00ZZ", NULL},
        {"2025-02-29T09:00:00Z", NULL},
        {"2025-03-20", NULL},
        {"T", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t time;
        char out[28];
        int result = time_parse(cases[i].text, strlen(cases[i].text), &time);
        if (result != (cases[i].shown ? 0 : -1))
            fail_msg("time_parse(\"%s\")", cases[i].text);
        if (result == 0) {
            assert_int_equal(time_format(time, out), strlen(cases[i].shown));
            assert_string_equal(out, cases[i].shown);
        }
        /* No prefix reads further than it is long. */
        for (size_t length = 0; length <= strlen(cases[i].text); length++) {
            char *exact = malloc(length ? length : 1);
            memcpy(exact, cases[i].text, length);
            int32_t days;
            time_parse(exact, length, &time);
            date_parse(exact, length, &days);
            free(exact);
        }
    }
    char out[28];
    time_format(INT64_MAX, out);
    assert_memory_equal(out, "9999-12-31T", 11);
    time_format(INT64_MIN, out);
    assert_memory_equal(out, "0000-01-01T", 11);
}

static void now(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL) * CLOCK_SECOND;
    assert_true(clock_now() >= before - CLOCK_SECOND && clock_now() < before + 2 * CLOCK_SECOND);
    assert_true(clock_monotonic() <= clock_monotonic());
    int32_t days = (int32_t)((clock_now() + 9 * 3600 * CLOCK_SECOND) / CLOCK_DAY);
    assert_in_range(date_today_seoul(), days, days + 1);
    assert_true(date_ends_seoul(0) == INT64_C(15) * 3600 * CLOCK_SECOND); /* 1970-01-02 00:00 +09:00 */
    assert_true(date_ends_seoul(date_today_seoul()) > clock_now());
    assert_true(date_ends_seoul(date_today_seoul() - 1) <= clock_now());
}

static const char *self;

/* A process of its own, because the shift is read once. */
static void shift(void **state)
{
    char command[1024];
    (void)state;
    snprintf(command, sizeof(command), "AIPOTEN_CLOCK_SHIFT=-86400 %s shifted", self);
    int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc > 1) {
        int64_t difference = clock_now() - ((int64_t)time(NULL) - 86400) * CLOCK_SECOND;
        return difference > -CLOCK_SECOND && difference < 2 * CLOCK_SECOND ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_day), cmocka_unit_test(dates),
        cmocka_unit_test(times), cmocka_unit_test(now), cmocka_unit_test(shift)};
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
