/* age: see age.h. Days are those of Asia/Seoul; the caller knows today (clock.h). */
#include "age.h"
#include "clock.h"

enum {
    TERM_WEEKS = 40,            /* a full pregnancy */
    EARLY_BEFORE_WEEKS = 37,    /* born earlier: premature */
    CORRECTED_UNDER_MONTHS = 24 /* from this age on it makes no difference any more */
};

int age_months(int32_t birth, int32_t day)
{
    int birth_year, birth_month, birth_day, year, month, day_of_month;
    date_split(birth, &birth_year, &birth_month, &birth_day);
    date_split(day, &year, &month, &day_of_month);
    return 12 * (year - birth_year) + (month - birth_month) - (day_of_month < birth_day);
}

age_t age_on(int32_t birth, int gestational_weeks, int32_t day)
{
    int chronological = age_months(birth, day), corrected = chronological;
    bool early = gestational_weeks > 0 && gestational_weeks < EARLY_BEFORE_WEEKS && chronological < CORRECTED_UNDER_MONTHS;
    if (early) {
        int32_t due = birth + (TERM_WEEKS - gestational_weeks) * 7;
        corrected = day < due ? 0 : age_months(due, day); /* before the day it was due it is not of negative age */
    }
    return (age_t){.chronological = chronological, .corrected = corrected, .used = corrected, .is_corrected = early};
}

bool age_is_over(int32_t birth, int32_t day, int years)
{
    int birth_year, birth_month, birth_day, year, month, day_of_month;
    date_split(birth, &birth_year, &birth_month, &birth_day);
    date_split(day, &year, &month, &day_of_month);
    if (birth_year != year - years)
        return birth_year < year - years;
    return birth_month != month ? birth_month < month : birth_day < day_of_month;
}
