/* clock: the one source of time of a process. Test builds shift it with AIPOTEN_CLOCK_SHIFT (seconds). */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Wall clock, microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_now(void);
/* Seconds by which the wall clock is shifted; 0 but in test builds. */
int64_t clock_shift(void);
/* Monotonic, microseconds; for durations and deadlines only, never shifted. */
int64_t clock_monotonic(void);

#define CLOCK_SECOND INT64_C(1000000)
#define CLOCK_MILLISECOND INT64_C(1000)
#define CLOCK_DAY (INT64_C(86400) * CLOCK_SECOND)

/* Calendar days since 1970-01-01 (proleptic Gregorian). */
int32_t date_of(int year, int month, int day);
void date_split(int32_t days, int *year, int *month, int *day);
/* Today in Asia/Seoul (UTC+9, no daylight saving): calendar rules live there (product.md, head). */
int32_t date_today_seoul(void);
/* The moment at which a day ends there (clock_now()). */
int64_t date_ends_seoul(int32_t day);

/* "2025-03-20": writes 10 characters and a NUL. */
void date_format(int32_t days, char out[static 11]);
/* RFC 3339, UTC, microseconds only when there are any: at most 27 characters and a NUL. Returns the length. */
size_t time_format(int64_t microseconds, char out[static 28]);
/* Reads exactly "YYYY-MM-DD", years 1900-2199; 0 or -1. */
int date_parse(const char *text, size_t length, int32_t *days);
/* Reads RFC 3339 with an offset or Z; 0 or -1. */
int time_parse(const char *text, size_t length, int64_t *microseconds);
