/* reminder_rule: see the header. The bands are those of the questions: of two months at first, of six in the end. */
#include "reminder_rule.h"
#include "../../shared/base/age.h"
#include <stddef.h>

enum { HOUR_SECONDS = 3600, SECOND_MILLISECONDS = 1000 };

static const struct {
    int first, last, months; /* used age; length of a band */
} stretches[] = {{4, 23, 2}, {24, 35, 3}, {36, 71, 6}};

reminder_t reminder_for(int32_t birth, int gestational_weeks, int32_t completed, int32_t today)
{
    int age = age_on(birth, gestational_weeks, today).used;
    for (size_t i = 0; i < sizeof stretches / sizeof stretches[0]; i++) {
        int first = stretches[i].first, months = stretches[i].months;
        if (age >= first && age <= stretches[i].last)
            return (reminder_t){.age = age,
                .band_start = first + (age - first) / months * months,
                .due = age_months(completed, today) >= months};
    }
    return (reminder_t){.age = age};
}

int64_t reminder_waits(int64_t second, int64_t hour)
{
    int64_t left = hour * HOUR_SECONDS - second;
    return left > 0 ? left * SECOND_MILLISECONDS : 0;
}
