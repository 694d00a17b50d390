/* reminder_rule: when the next assessment of a child is due: months after the last one, as many as the band of its age is long. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool due;
    int age;        /* used months */
    int band_start; /* months; of the band that the age is in */
} reminder_t;

/* Days are those of Seoul, since 1970. gestational_weeks 0: not known. Outside 4 to 71 months nothing is due. */
reminder_t reminder_for(int32_t birth, int gestational_weeks, int32_t completed, int32_t today);
/* Milliseconds until `hour` at `second` of a day; 0 from that hour on. */
int64_t reminder_waits(int64_t second, int64_t hour);
