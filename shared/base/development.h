/* development: areas of a child's development and the levels of a result, in the order of the founding document: they are told in it,
 * and ties are decided by it. Pure rules and messages of several actors share them. */
#pragma once
#include <stddef.h>

enum development_area { AREA_GROSS_MOTOR, AREA_FINE_MOTOR, AREA_COGNITIVE, AREA_LANGUAGE, AREA_SOCIAL, AREA_EMOTIONAL, AREAS };
static const char *const development_areas[] __attribute__((unused)) = {
    "gross_motor", "fine_motor", "cognitive", "language", "social", "emotional", NULL};

enum development_level { LEVEL_EXCELLENT, LEVEL_GOOD, LEVEL_CAUTION, LEVEL_NEEDS_OBSERVATION, LEVELS };
static const char *const development_levels[] __attribute__((unused)) = {
    "excellent", "good", "caution", "needs_observation", NULL};
