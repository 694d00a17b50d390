/* age: completed and corrected months (product.md, section 4). Pure: no clock, no I/O. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int chronological; /* completed months since birth; negative before it */
    int corrected;     /* since the date the child was due, when born early and still under two; else the chronological age */
    int used;          /* the one that questions and videos go by */
    bool is_corrected; /* born early and still under two, though the months may be the same */
} age_t;

/* Completed months between two calendar days (days since 1970): 12·Δyear + Δmonth − (day < birth day). Who was born on the
 * 29th of February, or the 31st, completes a month without such a day on the 1st of the next. */
int age_months(int32_t birth, int32_t day);
/* gestational_weeks 0: not known, taken as born in time. */
age_t age_on(int32_t birth, int gestational_weeks, int32_t day);
/* Was the birth before the same day `years` years ago? */
bool age_is_over(int32_t birth, int32_t day, int years);
