/* clock: time of day, the proleptic Gregorian calendar, and their text forms. No time zone database is used:
 * the wire is UTC, calendar rules are Asia/Seoul, which is UTC+9 without daylight saving (product.md, head).
 */
#include "clock.h"
#include "panic.h"
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define SEOUL_OFFSET (INT64_C(9) * 3600 * CLOCK_SECOND)

enum { YEAR_FIRST = 1900, YEAR_LAST = 2199 };

#ifdef AIPOTEN_TEST
int64_t clock_shift(void)
{
    static bool known;
    static int64_t shift;

    if (!known) {
        const char *seconds = getenv("AIPOTEN_CLOCK_SHIFT");
        shift = seconds ? strtoll(seconds, NULL, 10) : 0;
        known = true;
    }
    return shift;
}
#else
int64_t clock_shift(void)
{
    return 0;
}
#endif

static int64_t clock_read(clockid_t id)
{
    struct timespec t;
    insist(clock_gettime(id, &t) == 0);
    return t.tv_sec * CLOCK_SECOND + t.tv_nsec / 1000;
}

int64_t clock_now(void)
{
    return clock_read(CLOCK_REALTIME) + clock_shift() * CLOCK_SECOND;
}

int64_t clock_monotonic(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* Quotient rounded down, and its remainder, which is never negative. */
static int64_t divide_down(int64_t value, int64_t by, int64_t *rest)
{
    int64_t quotient = value / by;
    *rest = value % by;
    if (*rest < 0) {
        *rest += by;
        quotient--;
    }
    return quotient;
}

/* Years are counted from March, so that a leap day is the last of its year: then the days before a month
 * follow one formula, (153·m + 2) / 5 for m months after March. 719468 days lie between 0000-03-01 and
 * 1970-01-01. */
enum { DAYS_TO_1970 = 719468, DAYS_400_YEARS = 146097, DAYS_FIRST = -719528 /* 0000-01-01 */, DAYS_LAST = 2932896 /* 9999-12-31 */ };

int32_t date_of(int year, int month, int day)
{
    insist(month >= 1 && month <= 12);
    int64_t shifted = month > 2 ? month - 3 : month + 9, of_cycle;
    int64_t cycle = divide_down(month > 2 ? year : (int64_t)year - 1, 400, &of_cycle);
    int64_t of_year = (153 * shifted + 2) / 5 + day - 1;
    return (int32_t)(cycle * DAYS_400_YEARS + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year -
                     DAYS_TO_1970);
}

void date_split(int32_t days, int *year, int *month, int *day)
{
    int64_t of_cycle;
    int64_t cycle = divide_down((int64_t)days + DAYS_TO_1970, DAYS_400_YEARS, &of_cycle);
    /* Leap days met so far are taken out, then years are 365 days long. */
    int64_t years = (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
    int64_t of_year = of_cycle - (365 * years + years / 4 - years / 100);
    int64_t shifted = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int)(cycle * 400 + years + (*month <= 2));
}

int32_t date_today_seoul(void)
{
    int64_t rest;
    return (int32_t)divide_down(clock_now() + SEOUL_OFFSET, CLOCK_DAY, &rest);
}

int64_t date_ends_seoul(int32_t day)
{
    return (day + INT64_C(1)) * CLOCK_DAY - SEOUL_OFFSET;
}

static char *put_digits(char *out, int64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        out[i] = (char)('0' + number % 10);
    return out + digits;
}

/* Writes "YYYY-MM-DD"; years beyond four digits (PostgreSQL's infinity) become the nearest that has them. */
static char *put_date(char *out, int64_t days)
{
    int year, month, day;

    date_split((int32_t)(days < DAYS_FIRST ? DAYS_FIRST : days > DAYS_LAST ? DAYS_LAST : days), &year, &month, &day);
    out = put_digits(out, year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    return put_digits(out, day, 2);
}

void date_format(int32_t days, char out[static 11])
{
    *put_date(out, days) = '\0';
}

size_t time_format(int64_t microseconds, char out[static 28])
{
    int64_t of_day, fraction;
    int64_t days = divide_down(microseconds, CLOCK_DAY, &of_day);
    int64_t seconds = divide_down(of_day, CLOCK_SECOND, &fraction);
    char *p = put_date(out, days);

    *p++ = 'T';
    p = put_digits(p, seconds / 3600, 2);
    *p++ = ':';
    p = put_digits(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, seconds % 60, 2);
    if (fraction != 0) {
        *p++ = '.';
        p = put_digits(p, fraction, 6);
    }
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - out);
}

/* What is left to read; `bad` stays set once something did not fit. */
typedef struct {
    const char *p, *end;
    bool bad;
} scan_t;

static int scan_digits(scan_t *scan, int digits, int low, int high)
{
    int number = 0;
    for (int i = 0; i < digits; i++) {
        if (scan->p == scan->end || *scan->p < '0' || *scan->p > '9') {
            scan->bad = true;
            return low;
        }
        number = number * 10 + (*scan->p++ - '0');
    }
    if (number < low || number > high)
        scan->bad = true;
    return number;
}

/* Takes one character if it is `either` or `other`. */
static bool scan_one(scan_t *scan, char either, char other)
{
    if (scan->p == scan->end || (*scan->p != either && *scan->p != other))
        return false;
    scan->p++;
    return true;
}

static void scan_need(scan_t *scan, char either, char other)
{
    if (!scan_one(scan, either, other))
        scan->bad = true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

static int32_t scan_date(scan_t *scan)
{
    int year = scan_digits(scan, 4, YEAR_FIRST, YEAR_LAST);
    scan_need(scan, '-', '-');
    int month = scan_digits(scan, 2, 1, 12);
    scan_need(scan, '-', '-');
    int day = scan_digits(scan, 2, 1, 31);
    if (scan->bad || day > month_days(year, month)) {
        scan->bad = true;
        return 0;
    }
    return date_of(year, month, day);
}

/* The part after the point in microseconds: one to nine digits, of which those below a microsecond are
 * dropped. */
static int64_t scan_fraction(scan_t *scan)
{
    int64_t fraction = 0;
    int digits = 0;

    for (; scan->p != scan->end && *scan->p >= '0' && *scan->p <= '9'; scan->p++, digits++)
        if (digits < 6)
            fraction = fraction * 10 + (*scan->p - '0');
    if (digits == 0 || digits > 9)
        scan->bad = true;
    for (int i = digits; i < 6; i++)
        fraction *= 10;
    return fraction;
}

/* "Z" or "+09:00", in seconds east of UTC. */
static int64_t scan_offset(scan_t *scan)
{
    if (scan_one(scan, 'Z', 'z'))
        return 0;
    bool west = scan_one(scan, '-', '-');
    if (!west)
        scan_need(scan, '+', '+');
    int hours = scan_digits(scan, 2, 0, 23);
    scan_need(scan, ':', ':');
    int minutes = scan_digits(scan, 2, 0, 59);
    int64_t offset = hours * INT64_C(3600) + minutes * INT64_C(60);
    return west ? -offset : offset;
}

int date_parse(const char *text, size_t length, int32_t *days)
{
    scan_t scan = {.p = text, .end = text + length};
    int32_t result = scan_date(&scan);

    if (scan.bad || scan.p != scan.end)
        return -1;
    *days = result;
    return 0;
}

int time_parse(const char *text, size_t length, int64_t *microseconds)
{
    scan_t scan = {.p = text, .end = text + length};
    int64_t fraction = 0, days = scan_date(&scan);

    scan_need(&scan, 'T', 't');
    int hours = scan_digits(&scan, 2, 0, 23);
    scan_need(&scan, ':', ':');
    int minutes = scan_digits(&scan, 2, 0, 59);
    scan_need(&scan, ':', ':');
    int seconds = scan_digits(&scan, 2, 0, 59);
    if (!scan.bad && scan_one(&scan, '.', '.'))
        fraction = scan_fraction(&scan);
    int64_t offset = scan_offset(&scan);
    if (scan.bad || scan.p != scan.end)
        return -1;
    *microseconds =
        (days * INT64_C(86400) + hours * 3600 + minutes * 60 + seconds - offset) * CLOCK_SECOND + fraction;
    return 0;
}
